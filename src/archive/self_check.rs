//! Verifying an archive made by aofkit against what aofkit writes.
//!
//! All records of the ZIP format are functions of its entries ([`records`](super::records)), so that each of their
//! bytes is compared with the expected one; the compressed bytes are checked by their CRC-32, and the files by their
//! SHA-256. A change of any bit of an archive is detected, including the time of an entry and the padding bits of
//! deflate.

use std::ops::Range;

use crc_fast::{CrcAlgorithm, checksum};

use super::contents::{Contents, SCHEMA, is_metadata};
use super::key_filter::{KEY_FILTER, KeyFilter};
use super::read::{Located, Opened};
use super::records::Entry;
use super::report::{ArchiveFinding, EntryReport};
use super::writer::{directory, low};
use crate::base::level::Level;

/// Compares the records of the archive with those that aofkit writes for its entries.
pub(crate) fn records(
    opened: &Opened<'_>,
    contents: &Contents,
    findings: &mut Vec<ArchiveFinding>,
) {
    if contents.schema > SCHEMA {
        let what = format!("it was made by {}, which this version does not know", contents.tool);
        let help = "its files are verified; what is new in the archive is not";
        findings.push(ArchiveFinding::new(Level::Note, "newer", what).help(help));
        return;
    }
    let mut at = 0_u64;
    let mut entries = Vec::new();
    for located in &opened.entries {
        let entry = Entry {
            name: located.raw.clone(),
            method: located.method,
            crc32: located.crc32,
            bytes: located.bytes,
            packed_bytes: located.packed.len() as u64,
            offset: at,
            modified: contents.created,
            streamed: located.has_descriptor,
        };
        let header = entry.local_header();
        if let Some(byte) = difference(opened.bytes, at, &header) {
            findings.push(not_ours(byte).entry(&located.name));
            return;
        }
        at = at.saturating_add(header.len() as u64).saturating_add(entry.packed_bytes);
        let descriptor = entry.descriptor();
        if let Some(byte) = difference(opened.bytes, at, &descriptor) {
            findings.push(not_ours(byte).entry(&located.name));
            return;
        }
        at = at.saturating_add(descriptor.len() as u64);
        entries.push(entry);
    }
    let expected = directory(&entries, at);
    let end = at.saturating_add(expected.len() as u64);
    let byte = difference(opened.bytes, at, &expected)
        .or_else(|| (end < opened.bytes.len() as u64).then_some(end));
    if let Some(byte) = byte {
        findings.push(not_ours(byte));
    }
}

fn not_ours(byte: u64) -> ArchiveFinding {
    let what = format!("byte {byte} of the archive is not what aofkit writes there");
    ArchiveFinding::new(Level::Error, "record", what)
        .help("it was damaged, or its files were compressed again by another program")
}

/// Returns the offset of the first byte at which `bytes` from `at` on differ from `expected`.
fn difference(bytes: &[u8], at: u64, expected: &[u8]) -> Option<u64> {
    let rest = usize::try_from(at).ok().and_then(|at| bytes.get(at..)).unwrap_or_default();
    let same = rest.iter().zip(expected).take_while(|(found, expected)| found == expected).count();
    (same < expected.len()).then_some(at + same as u64)
}

/// Compares the files that were read with the metadata of the archive. `inspected`: their commands were counted.
pub(crate) fn files(
    opened: &Opened<'_>,
    contents: &Contents,
    entries: &[EntryReport],
    inspected: bool,
    findings: &mut Vec<ArchiveFinding>,
) {
    let mut wrong = |name: &str, what: &str| {
        findings.push(ArchiveFinding::new(Level::Error, "contents", what).entry(name));
    };
    for file in &contents.files {
        let found =
            opened.entries.iter().zip(entries).find(|(located, _)| located.raw == file.name);
        let Some((located, read)) = found else {
            wrong(&file.name, "it should be in the archive, and is not");
            continue;
        };
        if (read.bytes, &read.sha256) != (file.bytes, &file.sha256) {
            wrong(&file.name, "SHA-256 mismatch");
        } else if packed_crc32(opened, located) != file.packed_crc32
            || read.packed_bytes != file.packed_bytes
        {
            wrong(&file.name, "its compressed bytes are not those that were written");
        } else if inspected
            && file.newer_rdb.is_none()
            && read.newer_rdb.is_none()
            && (read.commands, read.rdb_keys, read.transactions)
                != (file.commands, file.rdb_keys, file.transactions)
        {
            wrong(&file.name, "it contains other commands or keys than when it was compressed");
        }
    }
    let filter = opened.entries.iter().zip(entries).find(|(it, _)| it.raw == KEY_FILTER);
    match (filter, &contents.key_filter_sha256) {
        (None, None) => {}
        (None, Some(_)) => wrong(KEY_FILTER, "it should be in the archive, and is not"),
        (Some(_), None) => wrong(KEY_FILTER, "it was not written with the others"),
        (Some((_, read)), Some(sha256)) if read.sha256 != *sha256 => {
            wrong(KEY_FILTER, "SHA-256 mismatch");
        }
        (Some((located, _)), Some(_)) => {
            if KeyFilter::open(opened.packed(located)).is_none() {
                wrong(KEY_FILTER, "it is not a key filter of this version");
            }
        }
    }
    for located in opened.entries.iter().filter(|located| !is_metadata(&located.raw)) {
        if contents.files.iter().all(|file| file.name != located.raw) {
            wrong(&located.name, "it was not compressed with the others");
        }
    }
}

fn packed_crc32(opened: &Opened<'_>, located: &Located) -> u32 {
    let Range { start, end } = located.packed;
    let packed = opened.bytes.get(start..end).unwrap_or_default();
    low(checksum(CrcAlgorithm::Crc32IsoHdlc, packed))
}
