//! An RDB that a program read as text, and saved in an encoding in which some characters have several bytes.
//!
//! If it was read in an encoding with one byte a character, nothing is lost: each encoding gives other bytes, and the
//! checksum proves which it was. If it was read as UTF-8, the bytes that are no text are lost.

use std::io::{self, Write};

use super::conversion::{as_bytes, mapped, restored_rdb};
use crate::aof::conversion::{BYTE_ORDER_MARK, Change, REPLACEMENT, Undone, narrow};
use crate::aof::log::Part;
use crate::base::code_page::CodePage;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::Mapping;
use crate::rdb::{Checksum, Ignore, is_rdb, walk};

/// An RDB that was saved as text.
pub(crate) enum TextRdb {
    /// It is read as the bytes that it was.
    Restored(RestoredText),
    /// A program wrote U+FFFD in place of bytes: so often, the first at this byte of the file.
    Lost { replaced: u64, first: u64 },
    /// It was read in no encoding that is known here.
    Unknown,
}

/// The bytes of an RDB that was saved as text.
pub(crate) struct RestoredText {
    pub(crate) part: Mapping,
    pub(crate) undone: Vec<Undone>,
    /// Whether the checksum of the RDB proves it.
    pub(crate) proved: bool,
}

/// The number of bytes of a file that show in which encoding it is.
const HEAD_BYTES: usize = 64;

/// The number of bytes that have to be read of an RDB that is not whole.
const FEWEST_BYTES: usize = 64;

/// Returns what `part` was if it is an RDB that was saved as text, and `None` if it is not.
///
/// # Errors
///
/// When the directory for temporary files cannot hold the file, or the caller cancels.
pub(crate) fn restored_text(part: &Part, progress: &dyn Progress) -> Result<Option<TextRdb>> {
    let bytes = part.mapping.bytes();
    if part.compressed.is_some() {
        return Ok(None);
    }
    let wide = if is_wide_rdb(bytes) { as_bytes(part)? } else { None };
    let is_wide = wide.is_some();
    let text = wide.as_ref().map_or(bytes, Mapping::bytes);
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    // The code of the end of an RDB is no byte of UTF-8.
    let Some(text) = std::str::from_utf8(text).ok().filter(|text| is_rdb(text.as_bytes())) else {
        return Ok(None);
    };
    let Some(first) = text.bytes().position(|byte| !byte.is_ascii()) else { return Ok(None) };
    if let Some(at) = memchr::memmem::find(text.as_bytes(), REPLACEMENT.as_bytes()) {
        let replaced = memchr::memmem::find_iter(text.as_bytes(), REPLACEMENT.as_bytes()).count();
        let first = if is_wide { offset_in_units(text, at) } else { at };
        return Ok(Some(TextRdb::Lost { replaced: replaced as u64, first: first as u64 }));
    }
    let first = if is_wide { offset_in_units(text, first) } else { first };
    let characters = Characters::of(text);
    let mut best: Option<(Rank, RestoredText)> = None;
    for page in CodePage::ALL {
        let Some(table) = characters.table(page) else { continue };
        let original = mapped(part, |out| write_original(text, &table, out))?;
        let (rank, mapping, more) = ranked(part, original, progress)?;
        if best.as_ref().is_none_or(|best| rank > best.0) {
            let assumed = if rank.proved { 0 } else { characters.all };
            let decoded = Undone::new(Change::TextEncoding, characters.all, first as u64);
            let decoded = Undone { encoding: Some(page), assumed, ..decoded };
            let utf16 = is_wide.then(|| Undone::new(Change::Utf16, 1, 0));
            let undone = utf16.into_iter().chain([decoded]).chain(more).collect();
            let part = part.mapping.with_content(mapping)?;
            best = Some((rank, RestoredText { part, undone, proved: rank.proved }));
        }
    }
    part.mapping.check()?;
    Ok(Some(match best {
        Some((rank, restored)) if rank.is_rdb() => TextRdb::Restored(restored),
        _ => TextRdb::Unknown,
    }))
}

/// Whether a file in UTF-16 begins as an RDB.
fn is_wide_rdb(bytes: &[u8]) -> bool {
    let mut head = Vec::new();
    let narrowed = narrow(bytes.get(..HEAD_BYTES).unwrap_or(bytes), &mut head);
    matches!(narrowed, Ok(Some(_))) && is_rdb(&head)
}

/// Returns the offset in UTF-16, without its mark, of a byte of a text.
fn offset_in_units(text: &str, at: usize) -> usize {
    2 * text.get(..at).unwrap_or(text).encode_utf16().count()
}

/// How well bytes are read as an RDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    proved: bool,
    whole: bool,
    /// The number of bytes that are read.
    read: u64,
}

impl Rank {
    fn is_rdb(self) -> bool {
        self.proved || self.whole || self.read >= FEWEST_BYTES as u64
    }
}

/// Returns how well an RDB is read, also with the line ends that it had before a program saved it as text.
fn ranked(
    part: &Part,
    original: Mapping,
    progress: &dyn Progress,
) -> Result<(Rank, Mapping, Option<Undone>)> {
    let read = match walk(original.bytes(), &mut Ignore, progress) {
        Ok(summary) => {
            let proved = matches!(summary.checksum, Checksum::Verified(_));
            let rank = Rank { proved, whole: true, read: summary.len };
            return Ok((rank, original, None));
        }
        Err(damage) => damage.before.len,
    };
    progress.check()?;
    let decoded = Part {
        name: part.name.clone(),
        path: part.path.clone(),
        mapping: part.mapping.with_content(original)?,
        compressed: None,
        ..*part
    };
    Ok(match restored_rdb(&decoded, read, progress)? {
        Some(restored) => {
            let rank = Rank { proved: restored.proved, whole: restored.proved, read };
            (rank, restored.part, Some(restored.undone))
        }
        None => (Rank { proved: false, whole: false, read }, decoded.mapping, None),
    })
}

/// The characters of a text.
struct Characters {
    /// The number of those beyond ASCII.
    all: u64,
    /// Whether each character occurs, by its number; without those that are in no encoding here.
    occurs: Vec<bool>,
    has_others: bool,
}

/// The number of characters in the plane in which all are that have a byte.
const PLANE: usize = 1 << 16;

impl Characters {
    fn of(text: &str) -> Self {
        let mut characters = Characters { all: 0, occurs: vec![false; PLANE], has_others: false };
        for character in text.chars() {
            characters.all += u64::from(!character.is_ascii());
            match characters.occurs.get_mut(character as usize) {
                Some(occurs) => *occurs = true,
                None => characters.has_others = true,
            }
        }
        characters
    }

    /// Returns the byte of each character in an encoding, by its number, if all of them have one.
    fn table(&self, page: CodePage) -> Option<Vec<u8>> {
        if self.has_others {
            return None;
        }
        let mut table = vec![0; PLANE];
        for (number, byte) in table.iter_mut().enumerate().filter(|it| self.occurs[it.0]) {
            *byte = page.byte(char::from_u32(u32::try_from(number).ok()?)?)?;
        }
        Some(table)
    }
}

fn write_original(text: &str, table: &[u8], out: &mut dyn Write) -> io::Result<()> {
    const PIECE: usize = 1 << 16;
    let mut piece = Vec::with_capacity(PIECE);
    for character in text.chars() {
        piece.extend(table.get(character as usize));
        if piece.len() == PIECE {
            out.write_all(&piece)?;
            piece.clear();
        }
    }
    out.write_all(&piece)
}
