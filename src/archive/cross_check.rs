//! The directory of a zip read once more, by a reader of another make.
//!
//! Readers of zips differ in what they believe where an archive says a thing twice. One whose files are others to another reader
//! hides something, however sound each of them finds it.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};

use zip::ZipArchive;

use super::contents::{CONTENTS, CONTENTS_BYTES, Contents};
use super::read::Opened;
use super::report::ArchiveFinding;
use crate::base::level::Level;

/// Where the packed bytes of an entry begin, what it holds unpacked, and its CRC-32.
type Seen = BTreeMap<u64, (u64, u32)>;

/// What the second reader sees otherwise. Where the first has something to say already, that is enough.
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
        Err(error) => format!("another reader of zips does not take it: {error}"),
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

/// What an archive says of itself, if it does, and nothing else of it is read.
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
