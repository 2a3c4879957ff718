//! Results on stdout, messages on stderr.

use std::io::Write;

use serde::Serialize;

use super::args::Common;
use super::exit::Exit;
use crate::base::error::Error;
use crate::report;
use crate::report::style::{ERROR, QUIET, Styled};

impl Common {
    /// Tells what came of it: as JSON, or as text, which with --quiet is a message, and only if it matters.
    pub(super) fn tell(
        &self,
        report: &impl Serialize,
        matters: bool,
        text: impl FnOnce() -> String,
    ) -> Result<(), Error> {
        if self.json {
            return print(&report::json(report));
        }
        if !self.quiet {
            return print(&text());
        }
        if matters {
            message(&text());
        }
        Ok(())
    }
}

/// Prints a result to stdout. A reader that has gone away ends the program quietly, as it does every filter.
pub(super) fn print(text: &str) -> Result<(), Error> {
    let mut out = anstream::stdout().lock();
    printed(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// As [`print`], of text without colour, which need not be looked through.
pub(super) fn print_bytes(text: &[u8]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    printed(out.write_all(text).and_then(|()| out.flush()))
}

/// Lines on their way to stdout, many at a time.
#[derive(Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Enough that the system is not asked for each line.
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

/// Prints a message to stderr; there is nobody to tell if that fails.
pub(super) fn message(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

pub(super) fn report_error(error: &Error) -> Exit {
    let mut text = format!("{} {error}\n", Styled(ERROR, "error:"));
    if let Some(help) = error.next_step() {
        text.push_str(&format!("{} {help}\n", Styled(QUIET, "help:")));
    }
    message(&text);
    Exit::of(error)
}
