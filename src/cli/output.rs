//! Results on stdout, messages on stderr.

use std::io::Write;
use std::path::Path;

use super::args::Common;
use super::exit::Exit;
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::{ShownPath, for_terminal, json_for_terminal};
use crate::base::units::counted;
use crate::disk::Replaced;
use crate::report;
use crate::report::Report;
use crate::report::error::ErrorReport;
use crate::report::style::{ERROR, QUIET, Styled, WARNING};

impl Common {
    /// Prints a report: as JSON with `--json`, otherwise as text. With `--quiet` the text goes to stderr, and only if it
    /// `matters`.
    pub(super) fn print_report(
        &self,
        report: &impl Report,
        matters: bool,
        text: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if self.json {
            return print_json(report);
        }
        if !self.quiet {
            return print(&text());
        }
        if matters {
            message(&text());
        }
        Ok(())
    }

    /// Runs what may replace `output`, and notes the name by which that is kept.
    pub(super) fn noting_replaced<T>(
        &self,
        output: Option<&Path>,
        run: impl FnOnce() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let replaced = output.map(Replaced::at);
        let done = run()?;
        if let Some((output, kept)) = output.zip(replaced.and_then(|it| it.kept_as()))
            && !self.quiet
        {
            message(&format!(
                "{} what was at {} is kept as {}\n",
                Styled(QUIET, "note:"),
                ShownPath(output),
                ShownPath(&kept)
            ));
        }
        Ok(done)
    }

    /// Reports an error: as text on stderr, and with `--json` also as a document on stdout. Returns its exit code.
    pub(super) fn report_error(&self, error: &Error) -> Exit {
        self.report_error_as(error, Exit::from_error(error))
    }

    /// Like [`Common::report_error`], with another exit code than that of the kind of error.
    pub(super) fn report_error_as(&self, error: &Error, exit: Exit) -> Exit {
        report_error(error);
        if self.json {
            print_error(&ErrorReport::new(error, exit.code()));
        }
        exit
    }
}

/// Warns about commands of a log that fail on a server, where the report is not printed.
pub(super) fn warn_of_failing(path: &Path, commands: u64) {
    message(&format!(
        "{} {}: {} that a server answers with an error\n",
        Styled(WARNING, "warning:"),
        ShownPath(path),
        counted(commands, "command")
    ));
}

/// Prints an error as a JSON document of one line, because it may end a list of lines.
pub(super) fn print_error(error: &ErrorReport) {
    // stdout may be what failed, or closed; the error is on stderr in any case, and its exit code remains.
    let _ = anstream::stdout().lock().write_all(report::json_line(error).as_bytes());
}

/// Prints a report as JSON to stdout.
pub(super) fn print_json(report: &impl Report) -> Result<(), Error> {
    print_bytes(json_for_terminal(&report::json(report)).as_bytes())
}

/// Prints a result to stdout; nothing in it steers a terminal but styles. A closed pipe ends the process without an error, as for other filters.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    printed(out.write_all(for_terminal(text).as_bytes()).and_then(|()| out.flush()))
}

/// Prints text without color codes to stdout, like [`print`] but without filtering them.
pub(super) fn print_bytes(text: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    printed(out.write_all(text).and_then(|()| out.flush()))
}

/// A buffer for lines to stdout.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// The buffer size, in bytes, at which the lines are written.
    const BYTES: usize = 64 << 10;

    pub(super) fn add(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Result<(), Error> {
        write(&mut self.0);
        if self.0.len() < Self::BYTES { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> Result<(), Error> {
        let text = std::mem::take(&mut self.0);
        if text.is_empty() { Ok(()) } else { print_bytes(&text) }
    }
}

pub(super) fn printed(outcome: std::io::Result<()>) -> Result<(), Error> {
    match outcome {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(error) => Err(Error::io("write the report to", "standard output", error)),
    }
}

/// Prints a message to stderr, as [`print`] does, ignoring errors.
pub(super) fn message(text: &str) {
    let _ = anstream::stderr().lock().write_all(for_terminal(text).as_bytes());
}

/// Prints an error to stderr and returns its exit code. Of an interruption nothing is printed: it was requested.
pub(super) fn report_error(error: &Error) -> Exit {
    if error.kind() == ErrorKind::Interrupted {
        return Exit::Interrupted;
    }
    let mut text = format!("{} {error}\n", Styled(ERROR, "error:"));
    if let Some(help) = error.next_step() {
        text.push_str(&format!("{} {help}\n", Styled(QUIET, "help:")));
    }
    text.push_str(&report::lines::steps_of_error(error));
    message(&text);
    Exit::from_error(error)
}
