//! A part whose bytes a tool or a person changed as a whole, as the log that it was.
//!
//! The log is written to a file without a name in the directory for temporary files, of which nothing is left however the
//! process ends.

use std::env;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use crate::aof::conversion::{
    Assumed, Change, Commands, Conflict, Restoration, Side, Undecided, UndecidedText, Undone,
    leading_text, narrow, resolve, undo,
};
use crate::aof::log::Part;
use crate::base::error::{Error, Result};
use crate::base::progress::{Progress, Silent};
use crate::command::lookup;
use crate::disk::Mapping;
use crate::rdb::line_ends::{Conversion, OriginalLineEnds, find_line_ends};
use crate::rdb::load_check::LoadCheck;
use crate::rdb::resync::{GoneReason, Wanted, salvage};
use crate::rdb::{self, is_rdb};

/// The help for a directory that cannot hold the log.
const TEMPORARY_DIRECTORY: &str =
    "the log is written there before it is read; set TMPDIR to use another directory";

/// A part as it was before it was changed.
pub(crate) struct Restored {
    /// The log that it was, and what was undone; `None` if no change is recognised.
    pub(crate) log: Option<(Mapping, Vec<Undone>)>,
    /// The commands that are not read because it is not known which line ends of a value were CR LF.
    pub(crate) undecided: Option<Undecided>,
    /// The commands that are not read because it is not known what their text was.
    pub(crate) undecided_text: Option<UndecidedText>,
}

/// Returns the log that `part` was before it was changed. `fault` is the offset at which reading commands stopped:
/// everything before it is as a server wrote it. `assumed` is what the log does not tell.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn restored(part: &Part, fault: usize, assumed: Assumed) -> Result<Restored> {
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
    let Restoration { mut undone, mut undecided, mut undecided_text } = found;
    part.mapping.check()?;
    let log = log.map(|file| Mapping::from_file(file, &part.path)).transpose()?;
    let Some(text) = narrowed else {
        let log = log.map(|log| part.mapping.with_content(log)).transpose()?;
        return Ok(Restored { log: log.map(|log| (log, undone)), undecided, undecided_text });
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
    if let Some(undecided) = &mut undecided_text {
        undecided.first = wide_offset(bytes, text.bytes(), undecided.first);
    }
    // Nothing was written if nothing else was changed.
    let log = log.unwrap_or(text);
    undone.insert(0, Undone::new(Change::Utf16, 1, 0));
    let log = Some((part.mapping.with_content(log)?, undone));
    Ok(Restored { log, undecided, undecided_text })
}

/// Returns whether commands of `part` from byte `fault` on are read once a change by a program or a person is undone, or once
/// it is known what they were.
pub(crate) fn is_changed(part: &Part, fault: usize) -> bool {
    let bytes = part.mapping.bytes();
    let found = undo(bytes, fault, &Table, Assumed::default(), &mut io::sink());
    found.is_ok_and(|found| {
        !found.undone.is_empty() || found.undecided.is_some() || found.undecided_text.is_some()
    })
}

/// Returns the offset in a file in UTF-16 of a byte of its text.
fn wide_offset(bytes: &[u8], text: &[u8], offset: u64) -> u64 {
    let mark = if matches!(bytes, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) { 2 } else { 0 };
    let before = text.get(..usize::try_from(offset).unwrap_or(usize::MAX)).unwrap_or(text);
    let units: usize =
        before.utf8_chunks().flat_map(|chunk| chunk.valid().chars()).map(char::len_utf16).sum();
    mark + 2 * units as u64
}

/// A part with the RDB at its beginning as it was before its line ends were converted.
pub(crate) struct RestoredRdb {
    pub(crate) part: Mapping,
    pub(crate) undone: Undone,
    /// Whether the checksum of the RDB proves it.
    pub(crate) proved: bool,
}

/// The fewest bytes that are read more with other line ends than without, if the checksum does not prove them.
const MORE_BYTES: usize = 64;

/// The number of LF that each follow a CR only if a tool put it there.
const MANY_LINE_ENDS: usize = 8;

/// Returns `part` with the RDB that it begins with as it was before a tool converted its line ends; `None` if they are not
/// the reason why it can be read no further than to byte `read`.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the file, or the caller cancels.
pub(crate) fn restored_rdb(
    part: &Part,
    read: u64,
    progress: &dyn Progress,
) -> Result<Option<RestoredRdb>> {
    let bytes = part.mapping.bytes();
    if part.compressed.is_some() || !is_rdb(bytes) {
        return Ok(None);
    }
    let Some(conversion) = Conversion::suspected(bytes) else { return Ok(None) };
    let without_cr = match conversion {
        Conversion::CrRemoved => None,
        Conversion::CrAdded => Some(mapped(part, |out| without_cr(bytes, out))?),
    };
    let text = without_cr.as_ref().map_or(bytes, Mapping::bytes);
    let Some(found) = find_line_ends(text, progress)? else { return Ok(None) };
    let lf = memchr::memchr_iter(b'\n', text.get(..found.end).unwrap_or_default()).count();
    let (added, places) = match conversion {
        Conversion::CrRemoved => (0, found.crlf.len()),
        Conversion::CrAdded => (lf, lf.saturating_sub(found.crlf.len())),
    };
    let end = found.end.saturating_add(added);
    // Most files have no CR LF because there is none, and CR in the right places makes records of other bytes, too.
    let reads_more = end > usize::try_from(read).unwrap_or(usize::MAX).saturating_add(MORE_BYTES);
    let is_certain = conversion == Conversion::CrAdded && lf >= MANY_LINE_ENDS && reads_more;
    if places == 0 || !(found.proved || found.whole || is_certain) {
        return Ok(None);
    }
    let restored = mapped(part, |out| write_original(text, &found, bytes, end, conversion, out))?;
    part.mapping.check()?;
    if !found.proved && !is_evident(bytes, restored.bytes(), &found, progress) {
        return progress.check().map(|()| None);
    }
    let (change, first) = match conversion {
        Conversion::CrRemoved => (Change::RdbCrRemoved, found.crlf.first().copied()),
        Conversion::CrAdded => (Change::RdbCrAdded, memchr::memchr(b'\n', bytes)),
    };
    let undone = Undone::new(change, places as u64, first.unwrap_or(0) as u64);
    let assumed = if found.proved { 0 } else { places as u64 };
    Ok(Some(RestoredRdb {
        part: part.mapping.with_content(restored)?,
        undone: Undone { assumed, ..undone },
        proved: found.proved,
    }))
}

/// Returns whether an RDB without a proof is more likely `restored` than `bytes` with damage. CR in chosen places can also
/// lead from damage to the beginning of a later record: whole keys are then taken for the value of another one.
fn is_evident(
    bytes: &[u8],
    restored: &[u8],
    found: &OriginalLineEnds,
    progress: &dyn Progress,
) -> bool {
    let wanted = Wanted {
        keeps_last: false,
        drops: &LoadCheck::is_error,
        refuses_library: &|_| None,
        commands: &|_| None,
    };
    let salvaged = |bytes| salvage(bytes, &wanted, progress).ok();
    let (Some(damaged), Some(converted)) = (salvaged(bytes), salvaged(restored)) else {
        return false;
    };
    // A conversion breaks the RDB in many places, and damage in one.
    let breaks = damaged.dropped.iter().filter(|gone| gone.why == GoneReason::Damage).count();
    let is_unchecked = found.whole && restored.ends_with(&[0; 8]);
    let has_all_keys = converted.declared > 0 && converted.keys == converted.declared;
    converted.keys > damaged.keys && (breaks > 1 || is_unchecked || has_all_keys)
}

/// Writes the RDB as it was, and what follows it. What follows the bytes that can be read of an RDB that is not whole is
/// without CR before LF, too.
fn write_original(
    text: &[u8],
    found: &OriginalLineEnds,
    bytes: &[u8],
    end: usize,
    conversion: Conversion,
    out: &mut dyn Write,
) -> io::Result<()> {
    found.pieces(text, |piece| out.write_all(piece))?;
    let rest = match conversion {
        Conversion::CrAdded if !found.proved => text.get(found.end..),
        Conversion::CrAdded | Conversion::CrRemoved => bytes.get(end..),
    };
    out.write_all(rest.unwrap_or_default())
}

/// Writes bytes without the CR before each LF.
fn without_cr(bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    let mut from = 0;
    for at in memchr::memmem::find_iter(bytes, b"\r\n") {
        out.write_all(bytes.get(from..at).unwrap_or_default())?;
        from = at + 1;
    }
    out.write_all(bytes.get(from..).unwrap_or_default())
}

/// Returns a part without the lines of text before its RDB, and without the mark after it; `None` if there are none.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the log.
pub(crate) fn after_leading_text(part: &Part) -> Result<Option<(Mapping, Undone)>> {
    if part.compressed.is_some() {
        return Ok(None);
    }
    let bytes = part.mapping.bytes();
    let Some(text) = leading_text(bytes) else { return Ok(None) };
    let log = bytes.get(text.len..).unwrap_or_default();
    let (rdb, rest) = match (text.mark, rdb::read(log, &mut rdb::IgnoreDeep, &Silent)) {
        (Some(mark), Ok(reading)) => {
            let len = usize::try_from(reading.len()).unwrap_or(usize::MAX).min(log.len());
            let (rdb, rest) = log.split_at(len);
            (rdb, rest.strip_prefix(mark.as_slice()).unwrap_or(rest))
        }
        _ => (log, &[][..]),
    };
    let mapping = mapped(part, |out| {
        out.write_all(rdb)?;
        out.write_all(rest)
    })?;
    part.mapping.check()?;
    let undone = Undone { left_out: text.lines, ..Undone::new(Change::LeadingText, 1, 0) };
    Ok(Some((part.mapping.with_content(mapping)?, undone)))
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
pub(super) fn as_bytes(part: &Part) -> Result<Option<Mapping>> {
    let text = written(|out| narrow(part.mapping.bytes(), out).map(|_| ()))?;
    text.map(|file| Mapping::from_file(file, &part.path)).transpose()
}

/// Maps what `write` writes to a file without a name.
pub(super) fn mapped(
    part: &Part,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Mapping> {
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
