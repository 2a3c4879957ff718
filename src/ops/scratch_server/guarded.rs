//! A child process that does not outlive this one, however this one ends.
//!
//! A process that is killed by SIGKILL cannot end its children. So a shell starts the child: it leaves a copy of itself
//! that reads a pipe from this process, and becomes the child by `exec`, which keeps its process id. The system closes the pipe
//! when this process ends, and the copy then kills the child. A line in the pipe ends the copy alone: the child has ended, and its
//! id can be that of another process.

use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};

/// The shell of every system but those of containers without any program.
const SHELL: &str = "/bin/sh";

/// The program is `$0`. Asynchronous commands of a shell have no standard input, so the pipe is descriptor 3; the copy has no
/// output, because what reads that of the child waits until nothing has it open.
const SCRIPT: &str = "exec 3<&0 </dev/null\n\
    (read -r line <&3 || kill -9 $$) >/dev/null 2>&1 &\n\
    exec \"$0\" \"$@\" 3<&-";

/// A child that ends when this process ends. Without a shell on the system, it ends only when it is told to.
#[derive(Debug)]
pub(super) struct Guarded {
    child: Child,
    /// The pipe; `None` without a shell, and when the child has ended.
    pipe: Option<ChildStdin>,
}

impl Guarded {
    /// Starts a program, with a process group of its own and nothing to read. `set` sets the rest. With a shell, a program that
    /// cannot be executed ends with exit code 126 or 127.
    pub(super) fn spawn(program: &Path, set: impl FnOnce(&mut Command)) -> io::Result<Guarded> {
        Guarded::spawn_by(Path::new(SHELL), program, set)
    }

    fn spawn_by(
        shell: &Path,
        program: &Path,
        set: impl FnOnce(&mut Command),
    ) -> io::Result<Guarded> {
        let has_shell = shell.exists();
        let mut command = Command::new(if has_shell { shell } else { program });
        if has_shell {
            command.args(["-c", SCRIPT]).arg(program);
        }
        command.process_group(0).stdin(if has_shell { Stdio::piped() } else { Stdio::null() });
        set(&mut command);
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Guarded { child, pipe })
    }

    /// Returns the process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns how the child has ended, if it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let status = self.child.try_wait()?;
        if status.is_some() {
            self.dismiss();
        }
        Ok(status)
    }

    /// Kills the child, unless it has ended, and waits for its end.
    pub(super) fn kill(&mut self) {
        // Its id is its own until it was waited for.
        let _ = self.child.kill();
        self.dismiss();
        let _ = self.child.wait();
    }

    fn dismiss(&mut self) {
        if let Some(mut pipe) = self.pipe.take() {
            // Nobody reads it if the copy of the shell was killed, too.
            let _ = pipe.write_all(b"\n");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn echo(shell: &str) -> String {
        let set = |command: &mut Command| {
            command.args(["-n", "a b"]).stdout(Stdio::piped());
        };
        let mut guarded = Guarded::spawn_by(Path::new(shell), Path::new("echo"), set).unwrap();
        let mut text = String::new();
        guarded.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        guarded.kill();
        text
    }

    #[test]
    fn without_a_shell_the_program_is_started_directly() {
        assert_eq!(["/bin/sh", "/no/shell/here"].map(echo), ["a b", "a b"]);
    }

    #[test]
    fn pipe_that_is_closed_kills_the_child() {
        let set = |command: &mut Command| {
            command.arg("60");
        };
        let mut guarded = Guarded::spawn(Path::new("sleep"), set).unwrap();
        assert!(guarded.try_wait().unwrap().is_none());
        guarded.pipe = None;
        assert_eq!(guarded.child.wait().unwrap().signal(), Some(9));
    }

    /// The copy of the shell does not wait for the end of this process.
    #[cfg(target_os = "linux")]
    #[test]
    fn child_that_ends_takes_the_copy_of_the_shell_with_it() {
        let mut guarded = Guarded::spawn(Path::new("true"), |_| ()).unwrap();
        let id = guarded.id();
        while guarded.try_wait().unwrap().is_none() {}
        assert!(guarded.pipe.is_none());
        let in_group = || {
            let processes = std::fs::read_dir("/proc").unwrap().flatten();
            let stat =
                |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("stat"));
            // After the name: state, parent, process group.
            let of_group = |text: &String| {
                let rest = text.rsplit_once(") ").map_or("", |(_, rest)| rest);
                let fields: Vec<&str> = rest.split(' ').collect();
                fields.get(2) == Some(&id.to_string().as_str()) && fields[0] != "Z"
            };
            processes.filter_map(|entry| stat(entry).ok()).any(|text| of_group(&text))
        };
        let began = std::time::Instant::now();
        while in_group() {
            assert!(began.elapsed().as_secs() < 30, "it is still there");
        }
    }
}
