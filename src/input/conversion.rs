//! A part whose bytes a tool or a person changed as a whole, as the log that it was.
//!
//! The log is written to a file without a name in the directory for temporary files, of which nothing is left however the
//! process ends.

use std::env;
use std::io::{self, BufWriter, Write};

use crate::aof::conversion::{Change, Commands, Conflict, Side, Undone, narrow, resolve, undo};
use crate::aof::log::Part;
use crate::base::error::{Error, Result};
use crate::command::lookup;
use crate::disk::Mapping;

/// The help for a directory that cannot hold the log.
const TEMPORARY_DIRECTORY: &str =
    "the log is written there before it is read; set TMPDIR to use another directory";

/// Returns the log that `part` was before it was changed, and what was undone; `None` if no change is recognised. `fault`
/// is the offset at which reading commands stopped: everything before it is as a server wrote it.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn restored(part: &Part, fault: usize) -> Result<Option<(Mapping, Vec<Undone>)>> {
    let bytes = part.mapping.bytes();
    let narrowed = if fault == 0 { as_bytes(part)? } else { None };
    let (text, start) = match &narrowed {
        Some(text) => (text.bytes(), 0),
        None => (bytes, fault),
    };
    let failed = |error| Error::io("read a log", &part.path, error);
    // Most faults are damage, and then nothing needs to be written.
    let mut undone = undo(text, start, &Table, &mut io::sink()).map_err(failed)?;
    if undone.is_empty() && narrowed.is_none() {
        return Ok(None);
    }
    let log = mapped(part, |out| undo(text, start, &Table, out).map(|_| ()))?;
    if narrowed.is_some() {
        undone.insert(0, Undone { change: Change::Utf16, places: 1, first: 0, left_out: 0 });
    }
    part.mapping.check()?;
    Ok(Some((part.mapping.with_content(log)?, undone)))
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
    let mut is_wide = false;
    let text = mapped(part, |out| {
        is_wide = narrow(part.mapping.bytes(), out)?.is_some();
        Ok(())
    })?;
    Ok(is_wide.then_some(text))
}

/// Maps what `write` writes to a file without a name.
fn mapped(part: &Part, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Mapping> {
    let place = env::temp_dir();
    let failed = |error| Error::io("write a log to", &place, error).help(TEMPORARY_DIRECTORY);
    let mut out = BufWriter::new(tempfile::tempfile().map_err(failed)?);
    write(&mut out).map_err(failed)?;
    Mapping::from_file(out.into_inner().map_err(|error| failed(error.into()))?, &part.path)
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
