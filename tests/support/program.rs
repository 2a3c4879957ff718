//! Runs of the `aofkit` program.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

/// Returns a command that runs `aofkit`, or the build that `AOFKIT_PROGRAM` names, with an empty environment.
pub(crate) fn aofkit() -> Command {
    let build = std::env::var_os("AOFKIT_PROGRAM");
    let mut command = Command::new(build.unwrap_or_else(|| env!("CARGO_BIN_EXE_aofkit").into()));
    command.env_clear().env("TZ", "UTC").stdin(Stdio::null());
    // Holds have a journal there; without this and HOME, they have none.
    command.env("XDG_STATE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/state"));
    command
}

/// The outcome of a run.
#[derive(Debug)]
pub(crate) struct Run {
    /// The exit code, or `None` if it was killed by a signal.
    pub(crate) code: Option<i32>,
    /// The standard output.
    pub(crate) stdout: String,
    /// The standard error output.
    pub(crate) stderr: String,
}

impl Run {
    /// Runs a command to its end.
    ///
    /// # Panics
    ///
    /// If the program panics, or its output is not UTF-8.
    pub(crate) fn of(command: &mut Command) -> Run {
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

/// A run in progress. It is killed when this value is dropped.
pub(crate) struct UnderWay {
    /// The process.
    pub(crate) child: Child,
    stderr: BufReader<ChildStderr>,
    /// The standard error output so far.
    pub(crate) messages: String,
}

impl UnderWay {
    /// Starts a command.
    pub(crate) fn start(command: &mut Command) -> UnderWay {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program runs");
        let stderr = BufReader::new(child.stderr.take().expect("its messages"));
        UnderWay { child, stderr, messages: String::new() }
    }

    /// Waits until the run reports the start of a step, such as `3/5`. Returns false if the run ends first.
    pub(crate) fn reaches(&mut self, step: &str) -> bool {
        loop {
            let mut line = String::new();
            if self.stderr.read_line(&mut line).unwrap_or(0) == 0 {
                return false;
            }
            self.messages.push_str(&line);
            if line.contains(step) {
                return true;
            }
        }
    }

    /// Sends a signal, such as `-INT`, to the run.
    pub(crate) fn signal(&self, signal: &str) {
        send_signal(self.child.id(), signal);
    }

    /// Waits for the end of the run.
    ///
    /// # Panics
    ///
    /// If the program panics.
    pub(crate) fn end(mut self) -> Run {
        let _ = self.stderr.read_to_string(&mut self.messages);
        let mut stdout = String::new();
        if let Some(mut out) = self.child.stdout.take() {
            let _ = out.read_to_string(&mut stdout);
        }
        let code = self.child.wait().expect("the program can be waited for").code();
        let run = Run { code, stdout, stderr: std::mem::take(&mut self.messages) };
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

/// Sends a signal, such as `-KILL`, to a process.
pub(crate) fn send_signal(process: u32, signal: &str) {
    let status = Command::new("kill").args([signal, &process.to_string()]).status();
    assert!(status.expect("kill runs").success(), "{signal} to {process}");
}
