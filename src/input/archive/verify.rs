//! Verifying an archive and its content.

use std::fs::File;
use std::io::{Cursor, Read as _, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

use super::contained::{Contained, EntryDamage};
use super::file::{is_encrypted_object, map_metadata};
use super::inspect::{Expected, Inspected, Inspector, kept_failed};
use super::plain::{self, PlainArchive};
use crate::analysis::survey::NEWER_RDB;
use crate::aof::log::Layout;
use crate::archive::contents::{
    Arrangement, CONTENTS, CONTENTS_BYTES, Contents, FileRole, is_metadata,
};
use crate::archive::decompress::unpack;
use crate::archive::encryption::format::{MAGIC_BYTES, is_encrypted};
use crate::archive::names::is_archive_name;
use crate::archive::read::{Located, Opened, is_zip, open_zip};
use crate::archive::report::{ArchiveFinding, ArchiveReport, EntryKind, EntryReport};
use crate::archive::{cross_check, self_check};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::hexadecimal;
use crate::base::level::Level;
use crate::base::progress::{Progress, Silent};
use crate::disk::names::HEADS_SCRATCH;
use crate::disk::{Access, Mapping, Scratch, write_head};
use crate::store::url::is_url;

/// The kind of the finding for a damaged log in the archive.
pub(crate) const DAMAGE: &str = "damage";

/// Returns whether the file at `path` is a ZIP archive or an encrypted file, by its first bytes; `false` if it cannot be
/// opened. An empty file is one by its name: a script that was interrupted, or a full disk, leaves such archives.
///
/// What a URL of object storage names is taken for one.
pub fn is_archive(path: &Path) -> bool {
    if is_url(path) {
        return true;
    }
    // Opening a pipe would block until there is a writer.
    let Ok(metadata) = path.metadata() else { return false };
    if !metadata.is_file() {
        return false;
    }
    if metadata.len() == 0 {
        return path.file_name().is_some_and(|name| is_archive_name(name.as_encoded_bytes()));
    }
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC_BYTES).read_to_end(&mut head));
    read.is_ok() && (is_zip(&head) || is_encrypted(&head))
}

/// Verifies the archive at `path` and its content, without writing it to disk (except for an RDB, see `inspect`). Servers
/// are not considered; `ops::verify` does that, for which it extracts the archive.
///
/// # Errors
///
/// When it cannot be opened, is not a ZIP archive, or changes while it is read.
pub fn verify_archive(path: &Path, progress: &dyn Progress) -> Result<ArchiveReport> {
    let archive = PlainArchive::open(path, progress)?;
    let opened = open_archive(path, archive.bytes())?;
    let report = verify_streams(path, &opened, progress)?;
    archive.check()?;
    Ok(report)
}

/// Like [`verify_archive`], for immutable bytes in memory: for tests and the fuzzer.
///
/// # Errors
///
/// When they are not a ZIP archive.
#[doc(hidden)]
pub fn verify_bytes(bytes: &[u8]) -> Result<ArchiveReport> {
    let path = Path::new("archive.zip");
    verify_streams(path, &open_archive(path, bytes)?, &Silent)
}

/// Verifies an archive entry by entry. Which of them are the log is decided in a directory that has the first bytes of
/// each, which is what the rules for directories read.
fn verify_streams(
    path: &Path,
    opened: &Opened<'_>,
    progress: &dyn Progress,
) -> Result<ArchiveReport> {
    let is_own = opened.entries.iter().any(|entry| entry.raw == CONTENTS);
    let is_broken = opened.findings.iter().any(|finding| finding.level == Level::Error);
    if is_own || is_broken {
        // Every file in an archive of aofkit is part of the log.
        let Examined { mut report, damage } = examine(path, opened, None, true, progress)?;
        report.add(damage.into_iter().map(|damage| damage.finding).collect());
        return Ok(report);
    }
    let scratch = Scratch::create(&std::env::temp_dir(), HEADS_SCRATCH)?;
    let root = scratch.path();
    let stage = Stage { path: root, access: Access::PRIVATE, depth: Depth::Heads };
    let Examined { mut report, damage } = examine(path, opened, Some(&stage), true, progress)?;
    let contained = Contained::open(root);
    tell_layout(&mut report, &contained);
    report.add(contained.findings(root, damage));
    Ok(report)
}

/// The directory to which the files of an archive are written while it is read, and their access mode.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage<'s> {
    pub(crate) path: &'s Path,
    pub(crate) access: Access,
    pub(crate) depth: Depth,
}

/// What is written of each entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// All of it, durably: for a result.
    Durable,
    /// All of it, and the directories: for reading it.
    Whole,
    /// The first bytes of a sparse file, and a manifest: for choosing the log.
    Heads,
}

/// The result of reading an archive.
pub(crate) struct Examined {
    pub(crate) report: ArchiveReport,
    pub(crate) damage: Vec<EntryDamage>,
}

/// Reads the whole content of an archive; the caller checks whether its file changed meanwhile. With a `stage`, the
/// files are also written to it. `inspect`: their content is summarised, and damage to it is returned.
pub(crate) fn examine(
    path: &Path,
    opened: &Opened<'_>,
    stage: Option<&Stage<'_>>,
    inspect: bool,
    progress: &dyn Progress,
) -> Result<Examined> {
    let started = Instant::now();
    progress.phase(
        "verify",
        opened.entries.iter().fold(0, |sum, entry| entry.bytes.saturating_add(sum)),
    );
    let mut findings = opened.findings.clone();
    findings.extend(cross_check::disagreement(opened));
    let contents = contents_of(opened, &mut findings);
    let read = opened
        .entries
        .par_iter()
        .map(|entry| {
            let expected = match inspect {
                true => expected(entry, contents.as_ref()),
                false => Expected::Uninspected,
            };
            read_entry(opened, entry, expected, stage, progress)
        })
        .collect::<Result<Vec<Read>>>()?;
    let mut damage = Vec::new();
    let mut has_unloadable = false;
    let mut entries = Vec::new();
    for read in read {
        findings.extend(read.findings);
        damage.extend(read.damage);
        has_unloadable |= read.has_unloadable;
        entries.push(read.report);
    }
    if let Some(contents) = &contents {
        self_check::records(opened, contents, &mut findings);
        self_check::files(opened, contents, &entries, inspect, &mut findings);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let sum = |of: fn(&EntryReport) -> u64| {
        entries.iter().fold(0, |sum: u64, entry| sum.saturating_add(of(entry)))
    };
    let found_layout = match entries.iter().find(|entry| entry.kind == EntryKind::Log) {
        _ if entries.iter().any(|entry| entry.kind == EntryKind::Manifest) => {
            Some(Arrangement::MultiPart)
        }
        Some(_) => Some(Arrangement::SingleFile),
        None => {
            entries.iter().any(|entry| entry.kind == EntryKind::Rdb).then_some(Arrangement::RdbFile)
        }
    };
    let report = ArchiveReport {
        path: path.to_owned(),
        sound: findings.iter().all(|finding| finding.level < Level::Error),
        own: contents.is_some(),
        archive_bytes: opened.bytes.len() as u64,
        bytes: sum(|entry| entry.bytes),
        commands: sum(|entry| entry.commands),
        rdb_keys: sum(|entry| entry.rdb_keys),
        layout: contents.as_ref().map(|contents| contents.layout).or(found_layout),
        contents,
        entries,
        findings,
        has_unloadable,
        elapsed_s: started.elapsed().as_secs_f64(),
    };
    Ok(Examined { report, damage })
}

/// Returns what an entry should contain, by the metadata of the archive or by its name.
fn expected(entry: &Located, contents: Option<&Contents>) -> Expected {
    if is_metadata(&entry.raw) && contents.is_some() {
        return Expected::Contents;
    }
    let record =
        contents.and_then(|contents| contents.files.iter().find(|file| file.name == entry.raw));
    match record.map(|record| record.role) {
        Some(FileRole::Manifest) => Expected::Manifest,
        Some(FileRole::Single | FileRole::Base | FileRole::Incr) => Expected::Log,
        None if entry.raw.ends_with(".manifest") => Expected::Manifest,
        None if entry.raw.ends_with(".aof") || entry.raw.ends_with(".rdb") => Expected::Log,
        None => Expected::Anything,
    }
}

/// Reads the metadata of the archive at `path`; `None` if aofkit did not create it. Nothing else is read or verified.
///
/// # Errors
///
/// When it cannot be opened, or is not a ZIP archive.
pub fn read_contents(path: &Path) -> Result<Option<Contents>> {
    if is_encrypted_object(path) {
        return plain::contents_in_store(path);
    }
    let mapping = map_metadata(path)?;
    if is_encrypted(mapping.bytes()) {
        let contents = plain::contents(&mapping)?;
        mapping.check()?;
        return Ok(contents);
    }
    if !is_zip(mapping.bytes()) {
        return Err(no_archive(path, mapping.bytes()));
    }
    let contents = cross_check::contents(Cursor::new(mapping.bytes()));
    mapping.check()?;
    Ok(contents)
}

fn no_archive(path: &Path, bytes: &[u8]) -> Error {
    let error = |what| Error::new(ErrorKind::Unrecognised, what).at(path);
    match bytes {
        [] => error("not a zip archive: the file is empty")
            .help("it was never written; take another archive"),
        _ => error("not a zip archive"),
    }
}

pub(crate) fn open_archive<'m>(path: &Path, bytes: &'m [u8]) -> Result<Opened<'m>> {
    if !is_zip(bytes) {
        return Err(no_archive(path, bytes));
    }
    Ok(open_zip(bytes))
}

pub(crate) fn contents_of(
    opened: &Opened<'_>,
    findings: &mut Vec<ArchiveFinding>,
) -> Option<Contents> {
    let entry = opened.entries.iter().find(|entry| entry.raw == CONTENTS)?;
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
        // Reported when the entries are read.
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

/// The result of reading one entry.
struct Read {
    report: EntryReport,
    findings: Vec<ArchiveFinding>,
    damage: Option<EntryDamage>,
    /// Whether it has commands that servers refuse or crash on.
    has_unloadable: bool,
}

fn read_entry(
    opened: &Opened<'_>,
    entry: &Located,
    expected: Expected,
    stage: Option<&Stage<'_>>,
    progress: &dyn Progress,
) -> Result<Read> {
    let mut findings = Vec::new();
    let mut error = |kind, what: String| {
        findings.push(ArchiveFinding::new(Level::Error, kind, what).entry(&entry.name));
    };
    let mut file = match stage {
        Some(stage) if entry.is_directory => {
            create_directory(stage, entry)?;
            None
        }
        Some(stage) if !is_metadata(&entry.raw) => Some(create(stage, entry)?),
        _ => None,
    };
    let heads = stage.is_some_and(|stage| stage.depth == Depth::Heads);
    let mut at = 0_u64;
    let mut inspector = Inspector::new(expected);
    let mut written: Result<()> = Ok(());
    let unpacked = unpack(entry, opened.packed(entry), |piece| {
        if let Some((file, path)) = &mut file
            && let Err(error) = if heads {
                write_head(file, piece, at, head_bytes(entry))
            } else {
                file.write_all(piece)
            }
        {
            written = Err(Error::io("write", &*path, error));
            return Err(std::io::ErrorKind::Other.into());
        }
        at = at.saturating_add(piece.len() as u64);
        progress.advance(piece.len() as u64);
        if let Err(error) = progress.check() {
            written = Err(error);
            return Err(std::io::ErrorKind::Other.into());
        }
        inspector.take(piece)
    });
    written?;
    let unpacked = unpacked.map_err(kept_failed)?;
    if let Some((file, path)) = file {
        finish_file(&file, stage, entry).map_err(|error| Error::io("write", path, error))?;
    }
    let is_whole = unpacked.fault.is_none();
    if let Some(fault) = unpacked.fault {
        error("packed-bytes", fault);
    } else if unpacked.crc32 != entry.crc32 {
        let what =
            format!("its CRC-32 is {:08x}, and should be {:08x}", unpacked.crc32, entry.crc32);
        error("crc32", what);
    }
    let Inspected { kind, found } = inspector.finish(&entry.raw)?;
    // Damage in an entry that is cut short anyway is not reported separately.
    let damage = found.damage.filter(|_| is_whole).map(|damage| {
        let finding = ArchiveFinding::new(Level::Error, DAMAGE, damage.what);
        let help =
            "the archive contains it as it is; extract it with --damaged, then use `aofkit repair`";
        let finding = finding.entry(&entry.name).offset(damage.offset).help(help);
        EntryDamage { raw: entry.raw.clone(), finding }
    });
    if let Some(content) = found.newer_rdb.as_ref().filter(|_| is_whole) {
        let finding = ArchiveFinding::new(Level::Note, NEWER_RDB, content.to_string());
        let help = "it is whole, its checksum matches; what is in it is unknown here";
        findings.push(finding.entry(&entry.name).offset(content.offset).help(help));
    }
    let report = EntryReport {
        name: entry.name.clone(),
        method: entry.method,
        kind: if entry.is_directory { EntryKind::Directory } else { kind },
        bytes: unpacked.bytes,
        packed_bytes: entry.packed.len() as u64,
        crc32: unpacked.crc32,
        sha256: hexadecimal(&unpacked.sha256),
        commands: found.commands,
        rdb_keys: found.rdb_keys,
        newer_rdb: found.newer_rdb,
        transactions: found.transactions,
        first_time: found.first_time,
        last_time: found.last_time,
    };
    let has_unloadable = found.unloadable.is_some();
    Ok(Read { report, findings, damage, has_unloadable })
}

/// The number of bytes that the rules for directories read of a file.
const HEAD_BYTES: u64 = 4 << 10;

/// The number of bytes of a manifest that are read: sufficient for ten thousand files.
const MANIFEST_BYTES: u64 = 1 << 20;

fn head_bytes(entry: &Located) -> u64 {
    if entry.raw.ends_with(".manifest") { MANIFEST_BYTES } else { HEAD_BYTES }
}

fn create_directory(stage: &Stage<'_>, entry: &Located) -> Result<()> {
    if stage.depth == Depth::Durable {
        return Ok(());
    }
    let path = stage.path.join(&entry.raw);
    stage
        .access
        .create_directories(stage.path, &path)
        .map_err(|error| Error::io("create", path, error))
}

fn finish_file(file: &File, stage: Option<&Stage<'_>>, entry: &Located) -> std::io::Result<()> {
    match (stage.map(|stage| stage.depth), entry.modified) {
        (Some(Depth::Durable), _) => file.sync_all(),
        // The time of the last write to the log is reported.
        (_, Some(modified)) => file.set_modified(modified),
        _ => Ok(()),
    }
}

/// Returns the access mode of extracted files. They belong to the user running this program and not to the owner of the
/// archive.
pub(crate) fn access_of_archive(archive: &Mapping) -> Result<Access> {
    let metadata = archive.file().metadata();
    let metadata =
        metadata.map_err(|error| Error::io("read the mode of", archive.path(), error))?;
    Ok(Access::of_file(&metadata).for_runner())
}

/// Sets the layout in the report to that of the log in the archive, if there is one.
pub(crate) fn tell_layout(report: &mut ArchiveReport, contained: &Contained) {
    if let (Contained::Log(log), None) = (contained, &report.contents) {
        report.layout = Some(match log.layout {
            Layout::MultiPart { .. } => Arrangement::MultiPart,
            Layout::RdbFile if report.commands == 0 => Arrangement::RdbFile,
            _ => Arrangement::SingleFile,
        });
    }
}

/// Creates the file of an entry in `stage`. Its name cannot lead out of it: [`open_zip`] rejects such names.
fn create(stage: &Stage<'_>, entry: &Located) -> Result<(File, PathBuf)> {
    let path = stage.path.join(&entry.raw);
    let failed = |error| Error::io("write", &path, error);
    if let Some(parent) = path.parent() {
        stage.access.create_directories(stage.path, parent).map_err(failed)?;
    }
    let file = stage.access.create(&path).map_err(failed)?;
    Ok((file, path))
}
