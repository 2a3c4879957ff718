//! Reading the directory of a ZIP archive a second time, with an independent reader.
//!
//! Readers of ZIP archives differ in which of several redundant fields they trust. An archive whose files differ
//! between two readers hides something, even if each of them considers it valid.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::contents::{CONTENTS, CONTENTS_BYTES, Contents};
use super::read::Opened;
use super::report::ArchiveFinding;
use crate::base::level::Level;

/// The offset of the compressed bytes of an entry, mapped to its uncompressed size and its CRC-32.
type Seen = BTreeMap<u64, (u64, u32)>;

/// Returns how the second reader disagrees; `None` if the first reader has findings already.
pub(crate) fn disagreement(opened: &Opened<'_>) -> Option<ArchiveFinding> {
    if !opened.findings.is_empty() {
        return None;
    }
    let first = opened.entries.iter();
    let first: Seen =
        first.map(|entry| (entry.packed.start as u64, (entry.bytes, entry.crc32))).collect();
    let what = match read(opened.bytes) {
        Ok(second) if second == first => return None,
        Ok(_) => "another reader of zips sees other files in it".to_owned(),
        Err(error) => format!("another reader of zips does not accept it: {error}"),
    };
    Some(
        ArchiveFinding::new(Level::Error, "readers-differ", what)
            .help("do not trust it: what is extracted depends on the program that does it"),
    )
}

fn read(bytes: &[u8]) -> zip::result::ZipResult<Seen> {
    let mut zip = ZipArchive::new(Cursor::new(bytes))?;
    let mut seen = Seen::new();
    for index in 0..zip.len() {
        let entry = zip.by_index_raw(index)?;
        let start = entry.data_start().unwrap_or_default();
        seen.insert(start, (entry.size(), entry.crc32()));
    }
    Ok(seen)
}

/// Returns the metadata of an archive, if it has any, without reading anything else.
pub(crate) fn contents(bytes: &[u8]) -> Option<Contents> {
    let mut zip = ZipArchive::new(Cursor::new(bytes)).ok()?;
    let entry = zip.by_name(CONTENTS).ok()?;
    if entry.size() > CONTENTS_BYTES {
        return None;
    }
    let mut text = Vec::new();
    entry.take(CONTENTS_BYTES).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}
