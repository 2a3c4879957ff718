//! The program as a person meets it: exit codes, and what stands on stdout and stderr.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod access;
mod archive;
mod archive_input;
mod backup;
mod broken_length;
mod compact;
mod diff;
mod force;
mod history;
mod input;
mod leftovers;
mod live;
mod log;
mod losses;
mod newer;
mod output;
mod prune;
mod recover;
mod repair;
mod restore;
mod shell;
mod under_way;

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory of its own for a test, and the program run in it.
struct Place(TempDir);

/// How a run ended.
#[derive(Debug)]
struct Run {
    /// The exit code; `None` for a signal.
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Place {
    fn new() -> Place {
        Place(tempfile::Builder::new().prefix("aofkit-").tempdir().unwrap())
    }

    fn path(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
        fs::write(self.path(name), bytes).unwrap();
    }

    fn read(&self, name: impl AsRef<Path>) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// A set of these parts in the directory `name`, the manifest that servers would write beside them.
    fn put_set(&self, name: &str, parts: &[(&str, &[u8])]) {
        fs::create_dir_all(self.path(name)).unwrap();
        let mut manifest = String::new();
        for (part, bytes) in parts {
            let sequence = part.split('.').nth(2).unwrap();
            let role = if part.contains(".base.") { "b" } else { "i" };
            manifest += &format!("file {part} seq {sequence} type {role}\n");
            self.put(Path::new(name).join(part), bytes);
        }
        self.put(Path::new(name).join("appendonly.aof.manifest"), manifest);
    }

    /// Everything in the directory, by name.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    /// The program, to be run here, untouched by the environment of whoever runs the tests.
    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_aofkit"));
        command.current_dir(self.0.path()).env_clear().env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Run {
        Run::of(&self.command().args(args).output().unwrap())
    }

    /// Run by a shell, which the program's path is `$0` to.
    fn shell(&self, script: &str) -> Run {
        let mut shell = Command::new("bash");
        shell.args(["-c", script, env!("CARGO_BIN_EXE_aofkit")]);
        shell.current_dir(self.0.path()).stdin(Stdio::null());
        Run::of(&shell.output().unwrap())
    }
}

impl Run {
    fn of(output: &Output) -> Run {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let run = Run {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        };
        assert!(!run.stderr.contains("panicked"), "{run:#?}");
        run
    }

    #[track_caller]
    fn ends(&self, code: i32, stdout: &str, stderr: &str) {
        assert_eq!(
            (self.code, self.stdout.as_str(), self.stderr.as_str()),
            (Some(code), stdout, stderr)
        );
    }

    /// As [`Run::ends`], of a report, whose last line tells how long it took.
    #[track_caller]
    fn reports(&self, code: i32, stdout: &str) {
        let took = self.stdout.rfind(" in ").unwrap_or(self.stdout.trim_end().len());
        assert_eq!(
            (self.code, &self.stdout[..took], self.stderr.as_str()),
            (Some(code), stdout, "")
        );
    }
}

/// A command as it stands in a log.
fn command(args: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
    }
    bytes
}

/// Three whole commands: 81 bytes.
fn sound() -> Vec<u8> {
    [command(&["SET", "a", "1"]), command(&["SET", "b", "2"]), command(&["SET", "c", "3"])].concat()
}

/// Three whole commands and a torn one: 91 bytes.
fn torn() -> Vec<u8> {
    [sound(), b"*3\r\n$3\r\nSE".to_vec()].concat()
}
