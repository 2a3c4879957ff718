//! Inspecting the content of an entry while it is decompressed.
//!
//! Commands go through the grammar as they come. An RDB cannot: its values are read whole, and a length determines where
//! each ends. So an entry that begins with one is kept, up to `MEMORY_BYTES` in memory, and above that in a file
//! without a name in the directory for temporary files, of which nothing is left however the process ends. Where
//! that directory is itself in memory, TMPDIR names another.

use std::fs::File;
use std::io::{self, Write};

use crate::analysis::rdb_inspection::RdbInspection;
use crate::aof::log::{is_empty_rdb, starts_with_rdb};
use crate::aof::manifest::looks_like_manifest;
use crate::aof::rdb_file::read_end;
use crate::aof::{Feed, scan_parallel};
use crate::archive::report::EntryKind;
use crate::base::error::{Error, Result};
use crate::base::progress::Silent;
use crate::command::Tally;
use crate::disk::Mapping;
use crate::input::archive::entry_stats::EntryStats;
use crate::input::envelope::Content;

/// The maximum number of bytes of an RDB that are buffered in memory.
const MEMORY_BYTES: usize = 32 << 20;

/// The number of bytes that identify the format of a file.
const HEAD_BYTES: usize = 64;

/// What an entry is expected to be before it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// The metadata of the archive.
    Contents,
    /// A file of a log, damaged or not.
    Log,
    /// The manifest of a set.
    Manifest,
    /// Unknown: the first bytes identify it.
    Anything,
    /// Nothing: the content is not inspected.
    Uninspected,
}

/// The result of reading an entry.
pub(crate) struct Inspected {
    pub(crate) kind: EntryKind,
    pub(crate) found: EntryStats,
}

/// Receives the bytes of an entry in pieces.
pub(crate) struct Inspector {
    expected: Expected,
    state: State,
}

enum State {
    /// The first bytes, until there are enough of them.
    Head(Vec<u8>),
    Commands(Box<Feed<Tally>>),
    Rdb(RetainedFinding),
    Manifest,
    Other,
}

impl Inspector {
    pub(crate) fn new(expected: Expected) -> Self {
        let state = match expected {
            Expected::Contents | Expected::Uninspected => State::Other,
            _ => State::Head(Vec::new()),
        };
        Inspector { expected, state }
    }

    pub(crate) fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.state {
            State::Head(head) => {
                head.extend_from_slice(piece);
                if head.len() >= HEAD_BYTES { self.decide() } else { Ok(()) }
            }
            State::Commands(feed) => {
                feed.push(piece);
                Ok(())
            }
            State::Rdb(kept) => kept.push(piece),
            State::Manifest | State::Other => Ok(()),
        }
    }

    /// Chooses the format by the first bytes, as loaders do, or else by what is expected.
    fn decide(&mut self) -> io::Result<()> {
        let State::Head(head) = std::mem::replace(&mut self.state, State::Other) else {
            return Ok(());
        };
        let begins_as_log =
            matches!(head.as_slice(), [b'*', b'1'..=b'9', ..]) || head.starts_with(b"#TS:");
        self.state = match self.expected {
            Expected::Contents | Expected::Uninspected => State::Other,
            Expected::Manifest => State::Manifest,
            _ if starts_with_rdb(&head) => State::Rdb(RetainedFinding::default()),
            Expected::Log => State::Commands(Box::new(Feed::new(Tally::default(), 0))),
            Expected::Anything if looks_like_manifest(&head) => State::Manifest,
            Expected::Anything if begins_as_log => {
                State::Commands(Box::new(Feed::new(Tally::default(), 0)))
            }
            Expected::Anything => State::Other,
        };
        self.take(&head)
    }

    /// Finishes the inspection at the end of the entry `name`, or at the end of what could be decompressed.
    pub(crate) fn finish(mut self, name: &str) -> Result<Inspected> {
        if let State::Head(head) = &self.state {
            if is_empty_rdb(name.as_bytes(), head.len() as u64) && !is_unfinished(name) {
                return Ok(Inspected { kind: EntryKind::Rdb, found: EntryStats::empty_rdb() });
            }
            self.decide().map_err(kept_failed)?;
        }
        let (kind, found) = match self.state {
            State::Commands(feed) => {
                let (tally, stop) = feed.finish();
                (EntryKind::Log, EntryStats::commands(0, tally, stop.fault))
            }
            State::Rdb(kept) => kept.read(name)?,
            State::Manifest => (EntryKind::Manifest, EntryStats::default()),
            State::Head(_) | State::Other if self.expected == Expected::Contents => {
                (EntryKind::Contents, EntryStats::default())
            }
            State::Head(_) | State::Other => (EntryKind::Other, EntryStats::default()),
        };
        Ok(Inspected { kind, found })
    }
}

/// Returns whether a server gives this name to a snapshot that is being written: no server loads it.
fn is_unfinished(name: &str) -> bool {
    name.rsplit('/').next().is_some_and(|name| name.starts_with("temp-"))
}

/// A buffer for an RDB and the bytes after it.
#[derive(Default)]
struct RetainedFinding {
    memory: Vec<u8>,
    file: Option<File>,
}

impl RetainedFinding {
    fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        if let Some(file) = &mut self.file {
            return file.write_all(piece);
        }
        self.memory.extend_from_slice(piece);
        if self.memory.len() > MEMORY_BYTES {
            let mut file = tempfile::tempfile()?;
            file.write_all(&self.memory)?;
            self.memory = Vec::new();
            self.file = Some(file);
        }
        Ok(())
    }

    fn read(self, name: &str) -> Result<(EntryKind, EntryStats)> {
        match self.file {
            None => read_rdb(name, &self.memory),
            Some(file) => {
                let mapping = Mapping::from_file(file, &std::env::temp_dir())?;
                let read = read_rdb(name, mapping.bytes())?;
                mapping.check()?;
                Ok(read)
            }
        }
    }
}

fn read_rdb(name: &str, stored: &[u8]) -> Result<(EntryKind, EntryStats)> {
    let content = Content::of(stored, &std::env::temp_dir())?;
    let mut inspection = RdbInspection::default();
    let reading = match content.read(&mut inspection, &Silent) {
        Ok(reading) => reading,
        Err(damage) => return Ok((EntryKind::Rdb, EntryStats::broken_rdb(&damage))),
    };
    let bytes = content.bytes();
    let start = usize::try_from(reading.len()).unwrap_or(bytes.len());
    let file_name = name.rsplit('/').next().unwrap_or_default();
    let end = read_end(file_name.as_bytes(), bytes, start);
    let scanned = scan_parallel(&bytes[..end], start, Tally::default, |_| {}, &Silent);
    let kind = if start < end { EntryKind::Log } else { EntryKind::Rdb };
    let library = inspection.library.as_ref();
    Ok((kind, EntryStats::after_rdb(&reading, library, scanned.sink, scanned.stop.fault)))
}

/// Returns the error for a failure to buffer an RDB.
pub(crate) fn kept_failed(error: io::Error) -> Error {
    Error::io("keep an RDB, to read it, in", std::env::temp_dir(), error)
        .help("an RDB in an archive is unpacked there while it is verified; TMPDIR names another directory")
}
