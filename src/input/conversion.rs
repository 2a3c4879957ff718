//! A part whose bytes a tool or a person changed as a whole, as the log that it was.
//!
//! The log is written to a file without a name in the directory for temporary files, of which nothing is left however the
//! process ends.

use std::env;
use std::io::{self, BufWriter, Write};

use crate::aof::conversion::{Change, Commands, Undone, narrow, undo};
use crate::aof::log::Part;
use crate::base::error::{Error, Result};
use crate::base::progress::Silent;
use crate::command::lookup;
use crate::disk::Mapping;
use crate::rdb;

/// The help for a directory that cannot hold the log.
const TEMPORARY_DIRECTORY: &str =
    "the log is written there before it is read; set TMPDIR to use another directory";

/// Returns the log that `part` was before it was changed, and what was undone; `None` if no change is recognised.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn restored(part: &Part) -> Result<Option<(Mapping, Vec<Undone>)>> {
    let bytes = part.mapping.bytes();
    let place = env::temp_dir();
    let failed = |error| Error::io("write a log to", &place, error).help(TEMPORARY_DIRECTORY);
    let mut narrowed = false;
    let text = mapped(part, |out| {
        narrowed = narrow(bytes, out)?.is_some();
        Ok(())
    })
    .map_err(failed)??;
    let bytes = if narrowed { text.bytes() } else { bytes };
    let mut undone = Vec::new();
    let log = mapped(part, |out| {
        undone = undo(bytes, commands_start(part, bytes), &Table, out)?;
        Ok(())
    })
    .map_err(failed)??;
    if narrowed {
        undone.insert(0, Undone { change: Change::Utf16, places: 1, first: 0, left_out: 0 });
    }
    Ok((!undone.is_empty()).then_some((log, undone)))
}

/// Maps what `write` writes to a file without a name.
fn mapped(
    part: &Part,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Result<Mapping>> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    write(&mut out)?;
    Ok(Mapping::from_file(out.into_inner().map_err(io::Error::from)?, &part.path))
}

/// Returns the offset at which commands begin: after an RDB that can be read.
fn commands_start(part: &Part, bytes: &[u8]) -> usize {
    let is_mapped = std::ptr::eq(bytes, part.mapping.bytes());
    if !is_mapped || !part.starts_with_rdb() {
        return 0;
    }
    let reading = part.read_rdb(&mut rdb::IgnoreDeep, &Silent);
    reading.map_or(bytes.len(), |reading| usize::try_from(reading.len()).unwrap_or(bytes.len()))
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
