//! The commands in the README and the pages of docs/, and the directory in which tests run them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// Returns the directory of the project.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the README and the pages of docs/, relative to the project.
pub(crate) fn documents() -> Vec<String> {
    let entries = fs::read_dir(root().join("docs")).expect("the pages");
    let names =
        entries.map(|entry| entry.expect("a page").file_name().into_string().expect("a name"));
    let mut pages: Vec<String> =
        names.filter(|name| name.ends_with(".md")).map(|name| format!("docs/{name}")).collect();
    pages.push("README.md".to_owned());
    pages.sort();
    pages
}

/// A block of commands in a document.
#[derive(Debug)]
pub(crate) struct Block {
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) commands: String,
    /// The expected exit code of the last command.
    pub(crate) exit: i32,
    pub(crate) needs_server: bool,
}

/// Returns the blocks of a document that begin with ```` ```sh ````.
pub(crate) fn blocks(document: &str) -> Vec<Block> {
    let text = fs::read_to_string(root().join(document)).expect("a document");
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let Some(info) = line.strip_prefix("```sh") else { continue };
        let lines = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```");
        let commands = lines.collect::<Vec<_>>().join("\n");
        let exit = info.split(' ').find_map(|word| word.strip_prefix("exit="));
        found.push(Block {
            line: at + 2,
            commands,
            exit: exit.map_or(0, |code| code.parse().expect("a number")),
            needs_server: info.split(' ').any(|word| word == "server"),
        });
    }
    found
}

/// A directory with the files that the commands of the documents name.
pub(crate) struct Sandbox {
    directory: TempDir,
    /// The port of the server, if there is one.
    pub(crate) port: Option<u16>,
}

impl Sandbox {
    /// Creates the files: a server's directory with a flushed log, another log, an RDB, a damaged log, archives.
    pub(crate) fn new() -> Sandbox {
        let directory =
            tempfile::Builder::new().prefix("aofkit-docs-").tempdir().expect("a directory");
        let sandbox = Sandbox { directory, port: None };
        for (from, to) in [
            ("testdata/real/flushall-redis-7.0/appendonlydir", "var/lib/redis/appendonlydir"),
            ("testdata/real/multi-types-redis-7.0/appendonlydir", "appendonlydir"),
            ("testdata/real/rdb-redis-7.0", "rdb"),
            ("testdata/damaged/torn-tail", "damaged"),
        ] {
            copy(&root().join(from), &sandbox.path(to));
        }
        for (from, to) in
            [("rdb/dump.rdb", "dump.rdb"), ("damaged/appendonly.aof", "appendonly.aof")]
        {
            fs::copy(sandbox.path(from), sandbox.path(to)).expect("a copy");
        }
        for name in ["backup", "bin", "tmp"] {
            fs::create_dir(sandbox.path(name)).expect("a directory");
        }
        symlink(env!("CARGO_BIN_EXE_aofkit"), sandbox.path("bin/aofkit")).expect("a link");
        let archives = "
            aofkit backup --quiet appendonlydir --to /backup --created '2026-11-25T02:15:00Z' \\
              --name-template 'aof_20261125021500-6379.zip'
            aofkit compress --quiet appendonlydir --output backup.zip";
        let made = sandbox.shell(archives);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        sandbox
    }

    /// Returns the path of a file in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs the commands of a block and describes the first that does not do what it should. Findings (exit code 1) of a
    /// command before the last one are no failure: a dry run reports damage.
    pub(crate) fn run(&self, block: &Block) -> Result<(), String> {
        let commands = block.commands.replace("\\\n", " ");
        let mut commands = commands.lines().filter(|line| !line.is_empty()).peekable();
        while let Some(command) = commands.next() {
            let output = self.shell(command);
            let code = output.status.code().unwrap_or(-1);
            let is_right =
                if commands.peek().is_some() { matches!(code, 0 | 1) } else { code == block.exit };
            if !is_right {
                let printed = [output.stdout, output.stderr].concat();
                let printed = String::from_utf8_lossy(&printed);
                return Err(format!("$ {command}\nexit code {code}\n{printed}"));
            }
        }
        Ok(())
    }

    fn shell(&self, commands: &str) -> Output {
        let here = self.directory.path().display().to_string();
        let mut commands = commands
            .replace("/var/lib/redis", &format!("{here}/var/lib/redis"))
            .replace("/backup", &format!("{here}/backup"))
            // A test needs no large log.
            .replace("--size 1gb --keys 2000000", "--size 1mb --keys 2000");
        if let Some(port) = self.port {
            commands = commands.replace("-p 6379", &format!("-p {port}"));
            commands = commands.replace("127.0.0.1:6379", &format!("127.0.0.1:{port}"));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        Command::new("bash")
            .args(["-euc", &commands])
            .current_dir(self.directory.path())
            .env("PATH", format!("{here}/bin:{path}"))
            .env("XDG_STATE_HOME", self.path("state"))
            .env("TMPDIR", self.path("tmp"))
            .output()
            .expect("a shell")
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("a file");
        fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
    }
}
