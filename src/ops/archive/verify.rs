//! Is an archive whole, and what is in it?

use std::path::Path;
use std::time::Instant;

use super::contents::{CONTENTS, CONTENTS_BYTES, Contents};
use super::read::{Located, Opened, is_zip, open_zip};
use super::report::{ArchiveFinding, ArchiveReport, EntryKind, EntryReport, Level};
use super::unpack::unpack;
use crate::disk::Mapping;
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// The kind of finding for a log in the archive that is not whole.
pub(super) const DAMAGE: &str = "damage";

/// How an archive is verified.
#[derive(Debug, Clone, Default)]
pub struct VerifyOptions {}

/// Whether the file at `path` is a zip, by its first bytes.
///
/// # Errors
///
/// When it cannot be opened.
pub fn is_archive(path: &Path) -> Result<bool> {
    if path.is_dir() {
        return Ok(false);
    }
    Ok(is_zip(Mapping::open(path)?.bytes()))
}

/// Verifies the archive at `path`, and what is in it, without writing it anywhere.
///
/// # Errors
///
/// When it cannot be opened, or is no zip, or changes while it is read.
pub fn verify_archive(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<ArchiveReport> {
    let _ = options;
    let started = Instant::now();
    let mapping = Mapping::open(path)?;
    let opened = open_archive(path, &mapping)?;
    progress.phase("verify", opened.entries.iter().map(|entry| entry.bytes).sum());
    let mut findings = opened.findings.clone();
    let contents = contents_of(&opened, &mut findings);
    let mut entries = Vec::new();
    for entry in &opened.entries {
        entries.push(read_entry(&opened, entry, &mut findings, progress));
    }
    mapping.check()?;
    let sum = |of: fn(&EntryReport) -> u64| entries.iter().map(of).sum();
    Ok(ArchiveReport {
        path: path.to_owned(),
        sound: findings.iter().all(|finding| finding.level < Level::Error),
        own: contents.is_some(),
        archive_bytes: mapping.len(),
        bytes: sum(|entry| entry.bytes),
        commands: sum(|entry| entry.commands),
        rdb_keys: sum(|entry| entry.rdb_keys),
        layout: contents.as_ref().map(|contents| contents.layout),
        contents,
        entries,
        findings,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// What the archive at `path` says of itself; `None` of one that aofkit did not make. Nothing else of it is read,
/// and nothing is verified.
///
/// # Errors
///
/// When it cannot be opened, or is no zip.
pub fn read_contents(path: &Path) -> Result<Option<Contents>> {
    let mapping = Mapping::open(path)?;
    let opened = open_archive(path, &mapping)?;
    let contents = contents_of(&opened, &mut Vec::new());
    mapping.check()?;
    Ok(contents)
}

pub(super) fn open_archive<'m>(path: &Path, mapping: &'m Mapping) -> Result<Opened<'m>> {
    if !is_zip(mapping.bytes()) {
        return Err(Error::new(ErrorKind::Unrecognised, "this is no zip archive").at(path));
    }
    Ok(open_zip(mapping.bytes()))
}

pub(super) fn contents_of(
    opened: &Opened<'_>,
    findings: &mut Vec<ArchiveFinding>,
) -> Option<Contents> {
    let entry = opened.entries.iter().find(|entry| entry.name == CONTENTS)?;
    let wrong = |what: String| ArchiveFinding::new(Level::Error, "contents", what).entry(CONTENTS);
    if entry.bytes > CONTENTS_BYTES {
        findings.push(wrong(format!("it is longer than {CONTENTS_BYTES} bytes")));
        return None;
    }
    let mut bytes = Vec::new();
    let unpacked = unpack(entry, opened.packed(entry), |piece| {
        bytes.extend_from_slice(piece);
        Ok(())
    });
    if !unpacked.is_ok_and(|unpacked| unpacked.fault.is_none() && unpacked.crc32 == entry.crc32) {
        // Said when the entries are read.
        return None;
    }
    match serde_json::from_slice(&bytes) {
        Ok(contents) => Some(contents),
        Err(error) => {
            findings
                .push(wrong(format!("it does not say what an archive of aofkit says: {error}")));
            None
        }
    }
}

fn read_entry(
    opened: &Opened<'_>,
    entry: &Located,
    findings: &mut Vec<ArchiveFinding>,
    progress: &dyn Progress,
) -> EntryReport {
    let mut report = EntryReport {
        name: entry.name.clone(),
        method: entry.method,
        kind: EntryKind::Other,
        bytes: 0,
        packed_bytes: entry.packed.len() as u64,
        crc32: 0,
        sha256: String::new(),
        commands: 0,
        rdb_keys: 0,
        transactions: 0,
        first_time: None,
        last_time: None,
    };
    let unpacked = unpack(entry, opened.packed(entry), |piece| {
        progress.advance(piece.len() as u64);
        Ok(())
    });
    let Ok(unpacked) = unpacked else { return report };
    report.bytes = unpacked.bytes;
    report.crc32 = unpacked.crc32;
    report.sha256 = unpacked.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    if let Some(fault) = &unpacked.fault {
        findings.push(
            ArchiveFinding::new(Level::Error, "packed-bytes", fault.clone()).entry(&entry.name),
        );
    } else if unpacked.crc32 != entry.crc32 {
        let what =
            format!("its CRC-32 is {:08x}, and should be {:08x}", unpacked.crc32, entry.crc32);
        findings.push(ArchiveFinding::new(Level::Error, "crc32", what).entry(&entry.name));
    }
    report
}
