//! Exit codes: their only home.

use std::process::{ExitCode, Termination};

use crate::base::error::{Error, ErrorKind};

/// How a run ended, as the exit code tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, nothing found.
    Done,
    /// 1: done, and something was found: damage, differences, a flush in the log.
    Findings,
    /// 2: the job could not be done: usage, input or output, refused.
    Trouble,
    /// 3: done in part: some of several paths failed.
    Partial,
    /// 4: left alone, because a stated limit would be passed.
    Limit,
    /// 5: locked by another run.
    Locked,
    /// 130: interrupted.
    Interrupted,
    /// A code of a program whose place a subcommand takes.
    Other(u8),
}

/// The list for `--help`.
pub(super) const HELP: &str = "\
Exit codes: 0 done, nothing found; 1 findings (damage, differences, a flush in the log); \
2 the job could not be done; 3 done in part; 4 left alone, a stated limit would be passed; \
5 locked by another run; 130 interrupted.";

impl Exit {
    /// The code for a failure.
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Limit => Exit::Limit,
            ErrorKind::Locked => Exit::Locked,
            _ => Exit::Trouble,
        }
    }

    /// The number.
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
