//! The leftovers of a directory, each with what it is, its age, and the reason for which it stays.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::kind::{HOLD_JOURNAL, Kind, hold_time};
use super::report::{FoundLeftover, Reason};
use crate::aof::manifest::parse;
use crate::base::error::{self, Error, Result};
use crate::disk::abandoned::is_abandoned;
use crate::disk::names::{copied, leftover};
use crate::disk::open_writers::writers;
use crate::input::hold_origin::NOTE;

/// The format of the time in a name, in the local time zone.
const TIME: &str = "%Y%m%d%H%M%S";

/// The longest manifest that is read; servers write about 60 bytes a file.
const MANIFEST_BYTES: u64 = 1 << 20;

/// The number of levels of directories in a leftover that are counted. A data directory has two.
const DEPTH: u8 = 8;

/// Returns the entries of a directory.
pub(super) fn entries(directory: &Path) -> Result<Vec<DirEntry>> {
    let failed = |error| Error::io("list", directory, error);
    fs::read_dir(directory).map_err(failed)?.collect::<io::Result<_>>().map_err(failed)
}

/// Returns whether a manifest is in the directory: it is a set.
///
/// # Errors
///
/// When it cannot be listed, unless this user may not: it is somebody else's.
pub(super) fn has_manifest(directory: &Path) -> Result<bool> {
    match entries(directory) {
        Err(error) if error.kind() == error::ErrorKind::Permission => Ok(false),
        found => Ok(found?.iter().any(|entry| is_manifest(&entry.file_name()))),
    }
}

fn is_manifest(name: &OsStr) -> bool {
    name.as_bytes().ends_with(b".manifest")
}

/// Finds the leftovers directly in `directory`.
pub(super) fn find(directory: &Path, older_than: Duration) -> Result<Vec<FoundLeftover>> {
    let entries = entries(directory)?;
    let found: Vec<(&DirEntry, Kind)> = entries
        .iter()
        .filter_map(|entry| Some((entry, Kind::by_name(&entry.file_name())?)))
        .collect();
    let holds = |entry: &DirEntry| {
        let name = entry.file_name();
        name.as_bytes().starts_with(HOLD_JOURNAL.as_bytes())
            && Kind::by_name(&name) == Some(Kind::Journal)
    };
    let around = Around {
        older_than,
        listed: if found.is_empty() { HashSet::new() } else { listed(&entries)? },
        is_held: entries.iter().any(holds),
        now: Timestamp::now(),
    };
    let judged =
        found.into_iter().filter_map(|(entry, kind)| around.judge(entry, kind).transpose());
    judged.collect()
}

/// What decides about the leftovers of a directory.
struct Around {
    older_than: Duration,
    /// The names that manifests list.
    listed: HashSet<OsString>,
    /// Whether a hold is in effect.
    is_held: bool,
    now: Timestamp,
}

impl Around {
    /// Judges one leftover; `None` if it is gone meanwhile.
    fn judge(&self, entry: &DirEntry, kind: Kind) -> Result<Option<FoundLeftover>> {
        let path = entry.path();
        let metadata = match path.symlink_metadata() {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            found => found.map_err(|error| Error::io("read", &path, error))?,
        };
        let mut size = Size::default();
        size.add(&path, &metadata, DEPTH);
        let age = self.age(&entry.file_name(), &metadata);
        let maker_gone = match kind {
            Kind::Unfinished => is_abandoned(&path),
            Kind::Original | Kind::CutOff | Kind::Flushed | Kind::Hold => true,
            Kind::Journal | Kind::Lock => false,
        };
        let is_young = age.is_none_or(|age| age < self.older_than);
        let keep = match kind {
            Kind::Journal => Some(Reason::Journal),
            Kind::Lock => Some(Reason::Lock),
            _ if !metadata.is_file() && !metadata.is_dir() => Some(Reason::Special),
            _ if self.listed.contains(&entry.file_name()) => Some(Reason::Listed),
            Kind::Unfinished if !maker_gone => Some(Reason::AtWork),
            _ if size.is_written => Some(Reason::InUse),
            _ if size.is_unreadable => Some(Reason::Unreadable),
            Kind::Hold if self.is_held => Some(Reason::InEffect),
            Kind::Hold if !path.join(NOTE).is_file() => Some(Reason::NotProved),
            kind if kind.is_copy() && !has_successor(&path) => Some(Reason::OnlyCopy),
            kind if (kind.is_copy() || kind == Kind::Hold) && is_young => Some(Reason::Young),
            _ => None,
        };
        Ok(Some(FoundLeftover {
            path,
            kind,
            age_s: age.map(|age| age.as_secs()),
            bytes: size.bytes,
            files: size.files,
            maker_gone,
            keep,
            removed: false,
            not_removed: None,
        }))
    }

    /// Returns the age by the time in the name. A copy has the time of its original, so without a name it is that at which
    /// the entry itself was last changed or renamed.
    fn age(&self, name: &OsStr, metadata: &Metadata) -> Option<Duration> {
        let named = copied(name).and_then(|(_, time)| time).or_else(|| hold_time(name));
        let made = match named {
            Some(time) => {
                let time = DateTime::strptime(TIME, time).ok()?;
                time.to_zoned(TimeZone::system()).ok()?.timestamp().as_second()
            }
            None => metadata.ctime(),
        };
        u64::try_from(self.now.as_second().checked_sub(made)?).ok().map(Duration::from_secs)
    }
}

/// Returns whether what a copy was made of is beside it, or what has replaced it.
fn has_successor(copy: &Path) -> bool {
    let name = copy.file_name().and_then(leftover);
    name.is_some_and(|(of, _)| copy.with_file_name(of).symlink_metadata().is_ok())
}

/// What is in a leftover.
#[derive(Default)]
struct Size {
    files: u64,
    bytes: u64,
    /// Whether a process has a file of it open for writing.
    is_written: bool,
    /// Whether there are files in it that cannot be listed.
    is_unreadable: bool,
}

impl Size {
    /// Adds a file, or what is in a directory.
    fn add(&mut self, path: &Path, metadata: &Metadata, depth: u8) {
        if metadata.is_file() {
            self.files += 1;
            self.bytes = self.bytes.saturating_add(metadata.len());
            self.is_written |= !writers(path).is_empty();
        }
        let Some(depth) = depth.checked_sub(1).filter(|_| metadata.is_dir()) else { return };
        let Ok(entries) = fs::read_dir(path) else {
            self.is_unreadable = true;
            return;
        };
        for entry in entries {
            match entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))) {
                Ok((path, metadata)) => self.add(&path, &metadata, depth),
                // It was removed meanwhile.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(_) => self.is_unreadable = true,
            }
        }
    }
}

/// Returns the file names that the manifests among `entries` list. One that cannot be parsed lists every name in it.
fn listed(entries: &[DirEntry]) -> Result<HashSet<OsString>> {
    let mut listed = HashSet::new();
    for entry in entries.iter().filter(|entry| is_manifest(&entry.file_name())) {
        let path = entry.path();
        let metadata = entry.metadata().map_err(|error| Error::io("read", &path, error))?;
        if !metadata.is_file() || metadata.len() > MANIFEST_BYTES {
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| Error::io("read", &path, error))?;
        match parse(&bytes) {
            Ok(manifest) => {
                listed.extend(manifest.entries.iter().map(|entry| entry.file_name().to_owned()));
            }
            Err(_) => {
                let words = bytes.split(u8::is_ascii_whitespace);
                listed.extend(words.map(|word| OsStr::from_bytes(word).to_owned()));
            }
        }
    }
    Ok(listed)
}
