//! A server with data, a backup directory beside it, and the program run on both.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::client::Client;
use crate::support::server::{Binary, Running};

/// A server, its data, and where its backups go.
pub(super) struct Place {
    pub(super) server: Running,
    pub(super) data: TempDir,
    pub(super) to: TempDir,
    pub(super) binary: Binary,
}

/// How a run of the program ended.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

pub(super) fn directory() -> TempDir {
    tempfile::Builder::new().prefix("aofkit-").tempdir().expect("a directory")
}

/// A port that nobody listens on.
pub(super) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its number").port()
}

impl Place {
    /// A server with a log.
    pub(super) fn new(binary: &Binary) -> Place {
        Place::with(binary, &[])
    }

    pub(super) fn with(binary: &Binary, config: &[(&str, &str)]) -> Place {
        Place::at(binary, directory(), config)
    }

    pub(super) fn at(binary: &Binary, data: TempDir, config: &[(&str, &str)]) -> Place {
        let mut all = vec![("appendonly", "yes")];
        all.extend_from_slice(config);
        let server = Running::start(binary, data.path(), &all);
        let server = server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log));
        Place { server, data, to: directory(), binary: binary.clone() }
    }

    /// Writes `count` keys of all simple kinds.
    pub(super) fn fill(&mut self, count: usize) {
        let client = &mut self.server.client;
        for n in 0..count {
            let (key, value) = (format!("s{n}"), format!("value {n}"));
            client.call(&["SET", &key, &value]);
            client.call(&["RPUSH", &format!("l{}", n % 7), &value]);
            client.call(&["HSET", &format!("h{}", n % 5), &key, &value]);
        }
        client.call(&["MULTI"]);
        client.call(&["INCR", "n"]);
        client.call(&["SADD", "set", "a", "b"]);
        client.call(&["EXEC"]);
    }

    /// `backup --live` over the socket, without pauses.
    pub(super) fn live(&self) -> Command {
        let mut command = self.backup(&["--live", "--pause", "0", "--poll", "20ms"]);
        command.arg("-s").arg(self.server.socket());
        command
    }

    /// `backup --to` with these.
    pub(super) fn backup(&self, args: &[&str]) -> Command {
        let mut command = aofkit();
        command.arg("backup").arg("--to").arg(self.to.path()).args(args);
        command
    }

    pub(super) fn setting(&mut self, name: &str) -> String {
        setting(&mut self.server.client, name)
    }

    /// The settings that runs change.
    pub(super) fn settings(&mut self) -> [String; 2] {
        ["appendfsync", "auto-aof-rewrite-percentage"].map(|name| self.setting(name))
    }

    /// Everything in the backup directory but locks, by name.
    pub(super) fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.to.path()).expect("the backups can be listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let mut names: Vec<_> = names.map(|name| name.to_string_lossy().into_owned()).collect();
        names.retain(|name| !name.ends_with(".lock"));
        names.sort();
        names
    }

    /// The archives.
    pub(super) fn archives(&self) -> Vec<PathBuf> {
        let zips = self.names().into_iter().filter(|name| name.ends_with(".zip"));
        zips.map(|name| self.to.path().join(name)).collect()
    }

    /// The one archive that there is.
    pub(super) fn archive(&self) -> PathBuf {
        match self.archives().as_slice() {
            [archive] => archive.clone(),
            other => panic!("one archive was expected: {other:?}"),
        }
    }

    /// What runs that were killed can leave with the log.
    pub(super) fn left_with_the_log(&self) -> Vec<String> {
        let entries = fs::read_dir(self.data.path()).expect("the data can be listed");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.to_string_lossy().into_owned());
        names.filter(|name| name.contains("aofkit")).collect()
    }

    /// A fresh server that has loaded the archive.
    pub(super) fn restored(&self, archive: &Path) -> (Running, TempDir) {
        let data = directory();
        let mut extract = aofkit();
        let unpacked = data.path().join("data");
        extract.arg("extract").arg(archive).arg("--output").arg(&unpacked);
        let run = Run::of(&mut extract);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let server = Running::start(&self.binary, &unpacked, &[("appendonly", "yes")]);
        (server.unwrap_or_else(|ended| panic!("{}: {}", self.binary.line, ended.log)), data)
    }
}

pub(super) fn setting(client: &mut Client, name: &str) -> String {
    client.call(&["CONFIG", "GET", name]).array()[1].text()
}

/// The program, or the build of it that `AOFKIT_PROGRAM` names, untouched by the environment of whoever runs the tests.
pub(super) fn aofkit() -> Command {
    let build = std::env::var_os("AOFKIT_PROGRAM");
    let mut command = Command::new(build.unwrap_or_else(|| env!("CARGO_BIN_EXE_aofkit").into()));
    command.env_clear().env("TZ", "UTC").stdin(Stdio::null());
    command
}

impl Run {
    pub(super) fn of(command: &mut Command) -> Run {
        let output = command.output().expect("the program runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        let run = Run {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }
}

/// A run that is under way; killed if it is dropped.
pub(super) struct UnderWay {
    pub(super) child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    pub(super) said: String,
}

impl UnderWay {
    pub(super) fn start(command: &mut Command) -> UnderWay {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let stderr = BufReader::new(child.stderr.take().expect("its messages"));
        UnderWay { child, stderr, said: String::new() }
    }

    /// Waits until it says that it begins a step: `3/5`. False when it ended first.
    pub(super) fn reaches(&mut self, step: &str) -> bool {
        loop {
            let mut line = String::new();
            if self.stderr.read_line(&mut line).unwrap_or(0) == 0 {
                return false;
            }
            self.said.push_str(&line);
            if line.contains(step) {
                return true;
            }
        }
    }

    pub(super) fn signal(&self, signal: &str) {
        send(self.child.id(), signal);
    }

    pub(super) fn end(mut self) -> Run {
        let _ = self.stderr.read_to_string(&mut self.said);
        let mut stdout = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            let _ = out.read_to_string(&mut stdout);
        }
        let code = self.child.wait().expect("it can be waited for").code();
        let run = Run { code, stdout, stderr: std::mem::take(&mut self.said) };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to one process.
pub(super) fn send(process: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(status.expect("kill runs").success(), "{signal} to {process}");
}

/// Waits for what must come; a bound against hanging.
pub(super) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what} does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}
