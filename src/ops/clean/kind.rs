//! What leftovers there are, recognised by the names that aofkit gives them.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use serde::Serialize;

use crate::disk::names::{Copied, copied, is_unfinished};

/// What a leftover is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// `NAME.bak-<time>`: the original of what was replaced.
    Original,
    /// `NAME.cut-<time>`: the bytes that were cut off a file.
    CutOff,
    /// `NAME.flushed`: the log that a recovered one has replaced.
    Flushed,
    /// `aofkit-hold-<time>`: the log of a running server that was secured.
    Hold,
    /// `.NAME.<random>.tmp`: output that is not finished. `aofkit-drill.<random>.tmp`: the scratch directory of a run.
    Unfinished,
    /// `.aofkit-*.journal`: settings to set back.
    Journal,
    /// `.aofkit-*.lock`: the lock of backups of one source.
    Lock,
}

/// The prefix of the files that aofkit has for itself.
const OWN: &str = ".aofkit-";
/// The prefix of the directories of secured logs.
const HOLD: &str = "aofkit-hold-";
/// The prefix of the journals of holds.
pub(super) const HOLD_JOURNAL: &str = ".aofkit-hold-";
const JOURNAL: &str = ".journal";
const LOCK: &str = ".lock";

const TIME_DIGITS: usize = 14;

impl Kind {
    /// Returns what has this name; `None` if aofkit gives no such names.
    pub(super) fn by_name(name: &OsStr) -> Option<Kind> {
        let bytes = name.as_bytes();
        let is_own =
            |end: &str| bytes.starts_with(OWN.as_bytes()) && bytes.ends_with(end.as_bytes());
        match copied(name) {
            Some((Copied::Original, _)) => return Some(Kind::Original),
            Some((Copied::CutOff, _)) => return Some(Kind::CutOff),
            Some((Copied::Flushed, _)) => return Some(Kind::Flushed),
            None => {}
        }
        match () {
            () if is_unfinished(name) => Some(Kind::Unfinished),
            () if is_own(JOURNAL) => Some(Kind::Journal),
            () if is_own(LOCK) => Some(Kind::Lock),
            () if hold_time(name).is_some() => Some(Kind::Hold),
            () => None,
        }
    }

    pub(super) fn is_copy(self) -> bool {
        matches!(self, Kind::Original | Kind::CutOff | Kind::Flushed)
    }
}

/// Returns the time in the name of a secured log, as 14 digits.
pub(super) fn hold_time(name: &OsStr) -> Option<&str> {
    let rest = name.to_str()?.strip_prefix(HOLD)?;
    let (time, number) = rest.split_at_checked(TIME_DIGITS)?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_name = number.is_empty() || number.strip_prefix('-').is_some_and(is_number);
    (is_number(time) && is_name).then_some(time)
}
