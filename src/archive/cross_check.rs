//! Reading the directory of a ZIP archive a second time, with an independent reader.
//!
//! Readers of ZIP archives differ in which of several redundant fields they trust. An archive whose files differ
//! between two readers hides something, even if each of them considers it valid.

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Seek};

use zip::ZipArchive;

use super::contents::{CONTENTS, CONTENTS_BYTES, Contents, SCHEMA};
use super::key_filter::{KEY_FILTER, MOST_BYTES};
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
pub(crate) fn contents(archive: impl Read + Seek) -> Option<Contents> {
    let mut zip = ZipArchive::new(archive).ok()?;
    serde_json::from_slice(&entry(&mut zip, CONTENTS, CONTENTS_BYTES)?).ok()
}

/// Returns the bytes of the key filter of an archive that aofkit made, without reading anything else but its metadata;
/// `None` if it has none that this version can use.
pub(crate) fn key_filter(archive: impl Read + Seek) -> Option<Vec<u8>> {
    let mut zip = ZipArchive::new(archive).ok()?;
    let contents = entry(&mut zip, CONTENTS, CONTENTS_BYTES)?;
    let contents: Contents = serde_json::from_slice(&contents).ok()?;
    if contents.schema > SCHEMA || contents.key_filter_sha256.is_none() {
        return None;
    }
    entry(&mut zip, KEY_FILTER, MOST_BYTES)
}

/// Returns the content of an entry of at most `most` bytes.
fn entry(zip: &mut ZipArchive<impl Read + Seek>, name: &str, most: u64) -> Option<Vec<u8>> {
    let entry = zip.by_name(name).ok()?;
    if entry.size() > most {
        return None;
    }
    let mut content = Vec::new();
    entry.take(most).read_to_end(&mut content).ok()?;
    Some(content)
}
