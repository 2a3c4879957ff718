//! The exit codes of all subcommands.

use std::process::{ExitCode, Termination};

use crate::base::error::{Error, ErrorKind};
use crate::report::{HasOutcome, Outcome};

/// The outcome of a run, reported as the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, nothing found.
    Done,
    /// 1: done with findings: damage, differences, a flush in the log, a key that is not there.
    Findings,
    /// 2: failed: usage, input or output, refused.
    Trouble,
    /// 3: partly done: some of several paths failed.
    Partial,
    /// 4: nothing changed, because a given limit would be exceeded.
    Limit,
    /// 5: locked by another run.
    Locked,
    /// 130: interrupted.
    Interrupted,
    /// The exit code of a program that a subcommand replaces.
    Other(u8),
}

/// The list of exit codes for `--help`.
pub(super) const HELP: &str = "\
Exit codes: 0 done, nothing found; 1 findings (damage, differences, a flush in the log, no such key); \
2 failed; 3 partly done; 4 nothing changed because a given limit would be exceeded; \
5 locked by another run; 130 interrupted.";

impl Exit {
    /// Returns the exit code for `error`.
    pub fn from_error(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::NoSuchKey => Exit::Findings,
            ErrorKind::Limit => Exit::Limit,
            ErrorKind::Locked => Exit::Locked,
            ErrorKind::Interrupted => Exit::Interrupted,
            _ => Exit::Trouble,
        }
    }

    /// Returns the exit code for the outcome of a report.
    pub(super) fn after(report: &impl HasOutcome) -> Self {
        match report.outcome() {
            Outcome::Done => Exit::Done,
            Outcome::Findings => Exit::Findings,
            Outcome::Failed => Exit::Trouble,
            Outcome::Partial => Exit::Partial,
            Outcome::Limit => Exit::Limit,
        }
    }

    /// Returns the exit code as a number.
    pub fn code(self) -> u8 {
        match self {
            Exit::Done => 0,
            Exit::Findings => 1,
            Exit::Trouble => 2,
            Exit::Partial => 3,
            Exit::Limit => 4,
            Exit::Locked => 5,
            Exit::Interrupted => 130,
            Exit::Other(code) => code,
        }
    }
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(self.code())
    }
}
