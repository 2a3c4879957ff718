//! Refusing to replay a damaged log, of which everything after the damage would be lost.

use crate::aof::log::{Log, Part};
use crate::base::error::{Error, ErrorKind};
use crate::base::escape::typed;

/// The commands of `part` are damaged at byte `at`; `following` says how many whole commands follow there.
pub(super) fn damaged(log: &Log, part: &Part, at: usize, following: &str) -> Error {
    refused(part, at as u64, &format!("the log is damaged, and {following}")).help(format!(
        "`aofkit repair --salvage {path} --output NEW` keeps every whole command, without --salvage it cuts there; `aofkit verify {path}` shows the damage",
        path = typed(&log.path)
    ))
}

/// The RDB that `part` begins with cannot be read from byte `at` on.
pub(super) fn broken_rdb(log: &Log, part: &Part, at: u64) -> Error {
    refused(part, at, "the RDB is damaged, and what follows would be lost")
        .help(format!("`aofkit verify {}` shows the damage", typed(&log.path)))
}

/// The transaction of `part` that begins at byte `at` has no EXEC, although the log goes on after it.
pub(super) fn unfinished(log: &Log, part: &Part, at: u64) -> Error {
    refused(part, at, "the log is damaged: a transaction has no EXEC, and the log goes on after it")
        .help(format!(
            "`aofkit repair {path} --output NEW` takes out the transaction; `aofkit verify {path}` shows the damage",
            path = typed(&log.path)
        ))
}

fn refused(part: &Part, at: u64, what: &str) -> Error {
    Error::new(ErrorKind::Refused, what).at(&part.path).byte(at)
}
