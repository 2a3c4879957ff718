//! A part whose bytes a tool or a person changed as a whole, as the log that it was.
//!
//! The log is written to a file without a name in the directory for temporary files, of which nothing is left however the
//! process ends.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::aof::conversion::{
    Change, Commands, Conflict, Restoration, Side, Undecided, Undone, ValueLineEnds, narrow,
    resolve, undo,
};
use crate::aof::log::Part;
use crate::base::error::{Error, Result};
use crate::command::lookup;
use crate::disk::Mapping;

/// The help for a directory that cannot hold the log.
const TEMPORARY_DIRECTORY: &str =
    "the log is written there before it is read; set TMPDIR to use another directory";

/// A part as it was before it was changed.
pub(crate) struct Restored {
    /// The log that it was, and what was undone; `None` if no change is recognised.
    pub(crate) log: Option<(Mapping, Vec<Undone>)>,
    /// The commands that are not read because it is not known which line ends of a value were CR LF.
    pub(crate) undecided: Option<Undecided>,
}

/// Returns the log that `part` was before it was changed. `fault` is the offset at which reading commands stopped:
/// everything before it is as a server wrote it. `assumed` are the line ends of values of which the lengths do not tell.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn restored(
    part: &Part,
    fault: usize,
    assumed: Option<ValueLineEnds>,
) -> Result<Restored> {
    let bytes = part.mapping.bytes();
    let narrowed = if fault == 0 { as_bytes(part)? } else { None };
    let (text, start) = match &narrowed {
        Some(text) => (text.bytes(), 0),
        None => (bytes, fault),
    };
    let mut found = Restoration::default();
    let log = written(|out| {
        found = undo(text, start, &Table, assumed, out)?;
        Ok(())
    })?;
    let Restoration { mut undone, mut undecided } = found;
    part.mapping.check()?;
    let log = log.map(|file| Mapping::from_file(file, &part.path)).transpose()?;
    let Some(text) = narrowed else {
        let log = log.map(|log| part.mapping.with_content(log)).transpose()?;
        return Ok(Restored { log: log.map(|log| (log, undone)), undecided });
    };
    if log.is_none() {
        undone.clear();
    }
    for undone in &mut undone {
        undone.first = wide_offset(bytes, text.bytes(), undone.first);
    }
    if let Some(undecided) = &mut undecided {
        undecided.first = wide_offset(bytes, text.bytes(), undecided.first);
    }
    // Nothing was written if nothing else was changed.
    let log = log.unwrap_or(text);
    undone.insert(0, Undone::new(Change::Utf16, 1, 0));
    Ok(Restored { log: Some((part.mapping.with_content(log)?, undone)), undecided })
}

/// Returns the offset in a file in UTF-16 of a byte of its text.
fn wide_offset(bytes: &[u8], text: &[u8], offset: u64) -> u64 {
    let mark = if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) { 2 } else { 0 };
    let before = text.get(..usize::try_from(offset).unwrap_or(usize::MAX)).unwrap_or(text);
    let units: usize =
        before.utf8_chunks().flat_map(|chunk| chunk.valid().chars()).map(char::len_utf16).sum();
    mark + 2 * units as u64
}

/// Returns a part with one side of each conflict, and the offset of the first one after which the database is not known.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn resolved(
    part: &Part,
    conflicts: &[Conflict],
    side: Side,
) -> Result<(Mapping, Option<usize>)> {
    let mut doubtful = None;
    let text = mapped(part, |out| {
        doubtful = resolve(part.mapping.bytes(), conflicts, side, out)?;
        Ok(())
    })?;
    part.mapping.check()?;
    Ok((part.mapping.with_content(text)?, doubtful))
}

/// Returns a mapping of some bytes of a part, copied to a file of their own.
///
/// # Errors
///
/// When the directory for temporary files cannot hold them.
pub(crate) fn copied(part: &Part, bytes: &[u8]) -> Result<Mapping> {
    let copy = mapped(part, |out| out.write_all(bytes))?;
    part.mapping.check()?;
    part.mapping.with_content(copy)
}

/// Returns the bytes of a part that was saved as UTF-16.
fn as_bytes(part: &Part) -> Result<Option<Mapping>> {
    let text = written(|out| narrow(part.mapping.bytes(), out).map(|_| ()))?;
    text.map(|file| Mapping::from_file(file, &part.path)).transpose()
}

/// Maps what `write` writes to a file without a name.
fn mapped(part: &Part, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Mapping> {
    let file = match written(write)? {
        Some(file) => file,
        None => tempfile::tempfile().map_err(failed)?,
    };
    Mapping::from_file(file, &part.path)
}

/// Returns the file without a name that has what `write` writes; `None` if that is nothing, as for most faults, which are
/// damage.
fn written(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Option<File>> {
    let mut out = BufWriter::new(Temporary(None));
    write(&mut out).map_err(failed)?;
    Ok(out.into_inner().map_err(|error| failed(error.into()))?.0)
}

fn failed(error: io::Error) -> Error {
    Error::io("write a log to", env::temp_dir(), error).help(TEMPORARY_DIRECTORY)
}

/// A file without a name, if anything was written to it.
struct Temporary(Option<File>);

impl Write for Temporary {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let file = match self.0.take() {
            Some(file) => file,
            None => tempfile::tempfile()?,
        };
        self.0.insert(file).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The commands of the servers that are known here.
struct Table;

impl Commands for Table {
    fn accepts(&self, name: &[u8], argc: usize) -> bool {
        lookup(name).is_some_and(|id| id.row().accepts_arity(argc))
    }

    fn writes(&self, name: &[u8]) -> bool {
        lookup(name).is_some_and(|id| id.row().writes)
    }
}
