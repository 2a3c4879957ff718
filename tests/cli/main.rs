//! The program as a person meets it: exit codes, stdout and stderr.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::print_stderr)]

mod access;
mod alert_rules;
mod archive;
mod archive_input;
mod backup;
mod beside;
mod broken_length;
mod broken_values;
mod candidates;
mod clean;
mod columns;
mod compact;
mod content;
mod convert;
mod diff;
mod diff_servers;
mod doctor;
mod drill;
mod drill_server;
mod envelope;
mod exit_codes;
mod failing;
mod find;
mod followed;
mod force;
mod get;
mod history;
mod in_use;
mod input;
mod joined;
mod json;
mod json_docs;
mod leftovers;
mod limits;
mod list_max_age;
mod live;
mod log;
mod loss_events;
mod losses;
mod merge;
mod metrics;
mod newer;
mod next_steps;
mod one_judgement;
mod output;
mod plan;
mod prune;
mod recover;
mod renamed;
mod repair;
mod repair_choices;
mod repair_conversion;
mod repair_pairing;
mod repair_parts;
mod repair_rdb;
mod repair_select;
mod repair_set;
mod repair_text;
mod restore;
mod shell;
mod slots;
mod start;
mod stats;
mod under_way;
mod unlistable;

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

    /// As [`Run::ends`], of a report; elapsed times are stated as `<time>`.
    #[track_caller]
    fn reports(&self, code: i32, stdout: &str) {
        let reported = without_times(&self.stdout);
        assert_eq!((self.code, reported.as_str(), self.stderr.as_str()), (Some(code), stdout, ""));
    }
}

/// Replaces an elapsed time, and the rate after it, at the end of a line: ` in 0.31 s (210 MB/s)` by ` in <time>`.
/// Anything else, also a time in another form, remains.
fn without_times(text: &str) -> String {
    let lines = text.split('\n').map(|line| match line.rsplit_once(" in ") {
        Some((before, time)) if is_elapsed(time) => format!("{before} in <time>"),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Whether this is an elapsed time, `0.31 s`, `4 min 12 s` or `2 h 01 min`, with or without a rate.
fn is_elapsed(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str, decimals: usize| match text.split_once('.') {
        Some((whole, part)) => digits(whole) && digits(part) && part.len() == decimals,
        None => digits(text) && decimals == 0,
    };
    let is_rate = |rate: &str| match rate.split_once(' ') {
        Some((rate, "GB/s")) => number(rate, 2),
        Some((rate, "MB/s" | "kB/s")) => number(rate, 0),
        _ => false,
    };
    let (time, rate) = match text.split_once(" (") {
        Some((time, rate)) => (time, rate.strip_suffix(')')),
        None => (text, Some("0 kB/s")),
    };
    let is_time = match time.split(' ').collect::<Vec<_>>()[..] {
        [seconds, "s"] => number(seconds, 2),
        [minutes, "min", seconds, "s"] => digits(minutes) && digits(seconds) && seconds.len() == 2,
        [hours, "h", minutes, "min"] => digits(hours) && digits(minutes) && minutes.len() == 2,
        _ => false,
    };
    is_time && rate.is_some_and(is_rate)
}

#[test]
fn only_elapsed_times_are_replaced() {
    for time in ["0.31 s", "4 min 12 s", "2 h 01 min", "0.01 s (210 MB/s)", "1.20 s (3.21 GB/s)"] {
        assert_eq!(without_times(&format!("a in b in {time}\n")), "a in b in <time>\n", "{time}");
    }
    for other in [
        "0.3 s",
        "3 s",
        "0.310 s",
        "0.31 ms",
        "4 min 2 s",
        "2 h 1 min",
        "-1.00 s",
        "0.31 s ",
        ".31 s",
        "0.31 s (210 MiB/s)",
        "0.31 s (210.1 MB/s)",
        "0.31 s (210 MB/s",
        "0.31 s 210 MB/s",
        "0.31 s; x",
    ] {
        let line = format!("a in {other}\n");
        assert_eq!(without_times(&line), line);
    }
}

/// The first of the lines that are printed with `--json` while a report is made.
fn header(report: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!(r#"{{"schema":1,"report":"{report}","version":"{version}","kind":"header"}}"#)
}

/// A command as it is in a log.
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
