//! The names that this program gives to what it leaves beside a log, made and recognised here.
//!
//! | name | what it is |
//! |---|---|
//! | `NAME.bak-<time>` | the original of what was replaced |
//! | `NAME.cut-<time>` | the bytes that were cut off a file |
//! | `NAME.flushed` | the log that a recovered one has replaced, renamed as the steps of `recover` say |
//! | `.NAME.<random>.tmp` | output that is not finished: a run is at work, or was killed |
//! | `aofkit-<work>.<random>.tmp` | the scratch directory of a run, or what a killed one left |
//!
//! A time is 14 digits; where a name is taken, `-2`, `-3` and so on follow.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;

const ORIGINAL: &str = ".bak-";
const CUT_OFF: &str = ".cut-";
const FLUSHED: &str = ".flushed";

/// What the names of unfinished output end with.
pub(super) const TEMPORARY: &str = ".tmp";

/// What the names of scratch directories begin with, in a directory for temporary files: those of `drill` and `stats`, of a
/// backup to a store, and of archives that are read.
pub const DRILL_SCRATCH: &str = "aofkit-drill.";
pub const STATS_SCRATCH: &str = "aofkit-stats.";
pub const BACKUP_SCRATCH: &str = "aofkit-backup.";
pub const UNPACKED_SCRATCH: &str = "aofkit-unpacked.";
pub const HEADS_SCRATCH: &str = "aofkit-heads.";

const SCRATCH: [&str; 5] =
    [DRILL_SCRATCH, STATS_SCRATCH, BACKUP_SCRATCH, UNPACKED_SCRATCH, HEADS_SCRATCH];

/// The length of the random part of such a name, which is that of the crate `tempfile`.
const RANDOM_BYTES: usize = 6;

const TIME: &str = "%Y%m%d%H%M%S";
const TIME_DIGITS: usize = 14;

/// What something that this program left is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leftover {
    /// A copy of what was replaced or cut off.
    Kept,
    /// Output that is not finished.
    Unfinished,
}

/// What `name` is if this program gives such names to what it leaves beside a log, and the NAME in it. `None` for any
/// other name.
pub fn leftover(name: &OsStr) -> Option<(&OsStr, Leftover)> {
    let bytes = name.as_bytes();
    let unfinished = unfinished_of(bytes).map(|of| (of, Leftover::Unfinished));
    let kept = || kept_of(bytes).map(|of| (of, Leftover::Kept));
    unfinished.or_else(kept).map(|(of, what)| (OsStr::from_bytes(of), what))
}

/// How a copy of what was replaced came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// `NAME.bak-<time>`.
    Original,
    /// `NAME.cut-<time>`.
    CutOff,
    /// `NAME.flushed`.
    Flushed,
}

/// What a copy with this name is, and the 14 digits of its time; `None` for the name of anything else.
pub fn copied(name: &OsStr) -> Option<(Copied, Option<&str>)> {
    let bytes = name.as_bytes();
    kept_of(bytes)?;
    if without_counter(bytes).ends_with(FLUSHED.as_bytes()) {
        return Some((Copied::Flushed, None));
    }
    let unnumbered = without_number(bytes);
    let (of, time) = unnumbered.split_at_checked(unnumbered.len().checked_sub(TIME_DIGITS)?)?;
    let how = if of.ends_with(ORIGINAL.as_bytes()) { Copied::Original } else { Copied::CutOff };
    Some((how, std::str::from_utf8(time).ok()))
}

/// Whether it is the name of unfinished output, with a random part as long as those that are made.
pub fn is_unfinished(name: &OsStr) -> bool {
    let inner = name.as_bytes().strip_suffix(TEMPORARY.as_bytes());
    let random = inner.and_then(|inner| inner.rsplit(|&byte| byte == b'.').next());
    (unfinished_of(name.as_bytes()).is_some() || is_scratch(name))
        && random.is_some_and(|it| it.len() == RANDOM_BYTES)
}

/// Whether it is the name of a scratch directory.
fn is_scratch(name: &OsStr) -> bool {
    let inner = name.as_bytes().strip_suffix(TEMPORARY.as_bytes()).unwrap_or_default();
    SCRATCH.into_iter().any(|prefix| {
        let random = inner.strip_prefix(prefix.as_bytes());
        random.is_some_and(|random| random.iter().all(u8::is_ascii_alphanumeric))
    })
}

/// The NAME in `.NAME.<random>.tmp`.
fn unfinished_of(name: &[u8]) -> Option<&[u8]> {
    let inner = name.strip_prefix(b".")?.strip_suffix(TEMPORARY.as_bytes())?;
    let dot = memchr::memrchr(b'.', inner)?;
    let (of, random) = (inner.get(..dot)?, inner.get(dot + 1..)?);
    let is_random = !random.is_empty() && random.iter().all(u8::is_ascii_alphanumeric);
    (is_random && !of.is_empty()).then_some(of)
}

/// The NAME in `NAME.bak-<time>`, `NAME.cut-<time>` and `NAME.flushed`.
fn kept_of(name: &[u8]) -> Option<&[u8]> {
    let of = without_counter(name).strip_suffix(FLUSHED.as_bytes()).or_else(|| {
        let unnumbered = without_number(name);
        let (of, time) = unnumbered.split_at_checked(unnumbered.len().checked_sub(TIME_DIGITS)?)?;
        let is_time = time.iter().all(u8::is_ascii_digit);
        let of = [ORIGINAL, CUT_OFF].into_iter().find_map(|mark| of.strip_suffix(mark.as_bytes()));
        of.filter(|_| is_time)
    });
    of.filter(|of| !of.is_empty())
}

/// The name without the `-2` that follows a time where a name was taken.
fn without_number(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    let rest = &name[..name.len() - digits];
    // The digits of a time follow a dash as well, and letters are before that.
    match rest.strip_suffix(b"-") {
        Some(before) if digits > 0 && before.last().is_some_and(u8::is_ascii_digit) => before,
        _ => name,
    }
}

/// The name without the `-2` at its end.
fn without_counter(name: &[u8]) -> &[u8] {
    let digits = name.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
    match name[..name.len() - digits].strip_suffix(b"-") {
        Some(before) if digits > 0 => before,
        _ => name,
    }
}

/// `NAME.bak-<time>` beside `path`.
pub(super) fn original(path: &Path, now: DateTime) -> PathBuf {
    with(path, &format!("{ORIGINAL}{}", now.strftime(TIME)))
}

/// `NAME.cut-<time>` beside `path`.
pub fn cut_off(path: &Path, now: DateTime) -> PathBuf {
    with(path, &format!("{CUT_OFF}{}", now.strftime(TIME)))
}

/// `NAME.flushed` beside `path`, or the first of `NAME.flushed-2` and so on that is not taken: `mv` would move a directory
/// into one of this name.
pub fn flushed(path: &Path) -> PathBuf {
    let numbered = (2..).map(|number| with(path, &format!("{FLUSHED}-{number}")));
    let mut names = [with(path, FLUSHED)].into_iter().chain(numbered);
    names.find(|name| name.symlink_metadata().is_err()).unwrap_or_default()
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(end);
    path.with_file_name(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Option<(&str, Leftover)> {
        leftover(OsStr::new(name)).map(|(of, what)| (of.to_str().unwrap(), what))
    }

    #[test]
    fn names_that_are_made_are_recognised() {
        let now: DateTime = "2026-11-28T01:02:03".parse().unwrap();
        let log = Path::new("/data/appendonlydir");
        for made in [original(log, now), cut_off(log, now), flushed(log)] {
            let name = made.file_name().unwrap().to_str().unwrap();
            assert_eq!(known(name), Some(("appendonlydir", Leftover::Kept)), "{name}");
            assert_eq!(made.parent(), log.parent());
        }
        let directory = tempfile::tempdir().unwrap();
        let new = super::super::publish::NewFile::create(
            &directory.path().join("a.aof"),
            super::super::publish::Existing::Keep,
            crate::disk::access::Access::PRIVATE,
        )
        .unwrap();
        let name = new.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(known(name), Some(("a.aof", Leftover::Unfinished)), "{name}");
        assert!(is_unfinished(OsStr::new(name)), "{name}");
        let scratch =
            crate::disk::scratch::Scratch::create(directory.path(), ".aofkit-x.").unwrap();
        let name = scratch.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(known(name), Some(("aofkit-x", Leftover::Unfinished)), "{name}");
    }

    #[test]
    fn numbered_names_are_recognised() {
        for number in ["", "-2", "-17"] {
            let name = format!("a.aof.bak-20261128010203{number}");
            assert_eq!(known(&name), Some(("a.aof", Leftover::Kept)), "{name}");
        }
        let directory = tempfile::tempdir().unwrap();
        let log = directory.path().join("a.aof");
        for expected in ["a.aof.flushed", "a.aof.flushed-2", "a.aof.flushed-3"] {
            let name = flushed(&log);
            assert_eq!(name, directory.path().join(expected));
            assert_eq!(known(expected), Some(("a.aof", Leftover::Kept)));
            std::fs::create_dir(name).unwrap();
        }
    }

    #[test]
    fn copies_have_their_kind_and_time() {
        let kind = |name: &'static str| copied(OsStr::new(name));
        let time = Some("20261128010203");
        for (name, expected) in [
            ("a.bak-20261128010203", Some((Copied::Original, time))),
            ("a.bak-20261128010203-2", Some((Copied::Original, time))),
            ("a.bak-1.cut-20261128010203", Some((Copied::CutOff, time))),
            ("a.flushed", Some((Copied::Flushed, None))),
            ("a.flushed-3", Some((Copied::Flushed, None))),
            (".a.Xy12Zw.tmp", None),
            ("a.bak", None),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
        assert!(is_unfinished(OsStr::new(".a.Xy12Zw.tmp")));
        assert!(!is_unfinished(OsStr::new(".a.swap.tmp")));
        assert!(is_unfinished(OsStr::new("aofkit-drill.Xy12Zw.tmp")));
        assert!(!is_unfinished(OsStr::new("aofkit-drill.mine.Xy12Zw.tmp")));
        assert!(!is_unfinished(OsStr::new("aofkit-drill.Xy12Zw")));
    }

    #[test]
    fn other_names_are_left_alone() {
        let names = [
            "appendonly.aof",
            "appendonlydir",
            "appendonly.aof.bak",
            "appendonly.aof.bak-1",
            "appendonly.aof.bak-2026112801020",
            "appendonly.aof.bak-202611280102034",
            "appendonly.aof.bak-20261128010203-",
            "appendonly.aof.bak-20261128010203-x",
            "appendonly.aof.old-20261128010203",
            ".bak-20261128010203",
            ".flushed",
            "a.tmp",
            ".a.tmp",
            "..a.tmp",
            ".a..tmp",
            ".a.b-c.tmp",
            "",
        ];
        for name in names {
            assert_eq!(known(name), None, "{name}");
        }
    }
}
