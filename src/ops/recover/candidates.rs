//! Other files that may contain the lost data: files that a rewrite replaced, that the manifest does not list, that an
//! upgrade or an interrupted server left, and RDB snapshots.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::Serialize;

use crate::analysis::keyspace_summary::SummaryReport;
use crate::aof::log::{
    HistoryFile, Layout, Log, ManifestFile, OtherFile, OtherKind, Part, PartRole,
};
use crate::aof::manifest::{Entry, Manifest, Role};
use crate::base::error::{Error, ErrorKind, Result};
use crate::input::envelope::map_part;
use crate::input::files::open_files;
use crate::rdb::UnknownContent;

/// A recovery candidate: files next to the log that may contain data which the log no longer has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// The number of the candidate, from 1, as `--candidate` takes it.
    pub number: u64,
    /// The kind of the candidate.
    pub kind: CandidateKind,
    /// The files of the candidate, in load order.
    pub files: Vec<CandidateFile>,
    /// The modification time of its most recently written file, in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub modified: Option<i64>,
    /// The keyspace that it would restore, without a FLUSHALL at its end; `None` if not counted.
    pub holds: Option<SummaryReport>,
    /// The content of its RDB that is unknown to this version, if the checksum proves the RDB intact: its keys are not
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unread: Option<UnknownContent>,
    /// Whether it ends in a FLUSHALL, which would have to be removed.
    pub ends_in_flush: bool,
    /// The reason why it cannot be read, if any.
    pub problem: Option<String>,
}

/// A file of a recovery candidate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CandidateFile {
    /// The path of the file.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The length in bytes.
    pub bytes: u64,
}

/// The kind of a recovery candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CandidateKind {
    /// The set before a rewrite, whose files the manifest still lists as history.
    History,
    /// Files named like those of a set, with a lower number than the files that the manifest lists.
    Unlisted,
    /// A single file that belongs to no set, or no longer to one.
    File(OtherKind),
}

impl CandidateKind {
    /// Returns a short description for display.
    pub fn meaning(self) -> &'static str {
        match self {
            CandidateKind::History => {
                "the log from before a rewrite; a server deletes it when it starts"
            }
            CandidateKind::Unlisted => {
                "files of an older log that the manifest does not list any more"
            }
            CandidateKind::File(kind) => kind.meaning(),
        }
    }
}

/// Returns all recovery candidates of `log`.
pub(super) fn candidates(log: &Log) -> Vec<Candidate> {
    let mut found = generations(&log.history);
    let others = match log.layout {
        Layout::MultiPart { .. } => log.others.clone(),
        _ => beside(log),
    };
    let mut older = Vec::new();
    for other in &others {
        match other.kind {
            OtherKind::OrphanBase | OtherKind::OrphanIncr if is_older(log, other) => {
                older.push(other.clone());
            }
            OtherKind::OrphanBase
            | OtherKind::OrphanIncr
            | OtherKind::TempIncr
            | OtherKind::TempRewrite
            | OtherKind::TempRdb
            | OtherKind::OldSingleFile
            | OtherKind::SingleFile
            | OtherKind::Rdb => {
                let file = CandidateFile { path: other.path.clone(), bytes: other.bytes };
                found.push((CandidateKind::File(other.kind), vec![file]));
            }
            OtherKind::OtherManifest
            | OtherKind::TempManifest
            | OtherKind::OwnCopy
            | OtherKind::OwnUnfinished
            | OtherKind::Unknown => {}
        }
    }
    if !older.is_empty() {
        older.sort_by_key(|file| (file.kind, sequence(&file.path)));
        let files =
            older.into_iter().map(|file| CandidateFile { path: file.path, bytes: file.bytes });
        found.insert(0, (CandidateKind::Unlisted, files.collect()));
    }
    // Empty files contain no data.
    found.retain(|(_, files)| files.iter().any(|file| file.bytes > 0));
    let numbered = found.into_iter().zip(1..);
    numbered.map(|((kind, files), number)| candidate(number, kind, files)).collect()
}

fn candidate(number: u64, kind: CandidateKind, files: Vec<CandidateFile>) -> Candidate {
    let modified = files.iter().filter_map(|file| modified(&file.path)).max();
    let (holds, unread, problem) = (None, None, None);
    Candidate { number, kind, files, modified, holds, unread, ends_in_flush: false, problem }
}

/// Returns the modification time of a file, in Unix seconds.
fn modified(path: &Path) -> Option<i64> {
    let modified = fs::metadata(path).ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Returns the sets that rewrites have replaced, the most recent first. A manifest lists the incremental files of one,
/// newest first, and then its base.
fn generations(history: &[HistoryFile]) -> Vec<(CandidateKind, Vec<CandidateFile>)> {
    let mut found = Vec::new();
    let mut files: Vec<CandidateFile> = Vec::new();
    for file in history {
        if let Some(bytes) = file.bytes {
            files.push(CandidateFile { path: file.path.clone(), bytes });
        }
        if file.name.contains(".base.") || !file.name.contains(".incr.") {
            files.reverse();
            found.push((CandidateKind::History, std::mem::take(&mut files)));
        }
    }
    if !files.is_empty() {
        files.reverse();
        found.push((CandidateKind::History, files));
    }
    found.retain(|(_, files)| !files.is_empty());
    found
}

/// Returns whether a file named like a part of a set has a lower number than the listed parts of its role.
fn is_older(log: &Log, file: &OtherFile) -> bool {
    let Some(manifest) = &log.manifest else { return false };
    let role = if file.kind == OtherKind::OrphanBase { Role::Base } else { Role::Incr };
    let listed = manifest.manifest.entries.iter().filter(|entry| entry.role == role);
    let lowest = listed.map(|entry| entry.seq).min();
    lowest.zip(sequence(&file.path)).is_some_and(|(lowest, own)| own < lowest)
}

/// Returns the number in the name of a part, such as 3 in `appendonly.aof.3.incr.aof`.
fn sequence(path: &Path) -> Option<i64> {
    path.file_name()?.to_str()?.rsplit('.').nth(2)?.parse().ok()
}

/// Returns the snapshots and unfinished rewrites in the directory of a single-file log.
fn beside(log: &Log) -> Vec<OtherFile> {
    let Some(directory) = log.opened.parent() else { return Vec::new() };
    let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let kind = if name.starts_with("temp-rewriteaof-") && name.ends_with(".aof") {
            OtherKind::TempRewrite
        } else if name.starts_with("temp-") && name.ends_with(".rdb") {
            OtherKind::TempRdb
        } else if name.ends_with(".rdb") {
            OtherKind::Rdb
        } else {
            continue;
        };
        let path = entry.path();
        let Some(metadata) = fs::metadata(&path).ok().filter(fs::Metadata::is_file) else {
            continue;
        };
        if path != log.opened {
            found.push(OtherFile { path, bytes: metadata.len(), kind });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// Opens a recovery candidate as a log of its own.
pub(super) fn log_of(log: &Log, candidate: &Candidate) -> Result<Log> {
    let first =
        candidate.files.first().ok_or_else(|| Error::new(ErrorKind::NotFound, "no file"))?;
    if let CandidateKind::File(_) = candidate.kind {
        let mut alone = open_files(&first.path)?;
        if let Layout::OnePart { .. } = alone.layout {
            // The candidate is a complete log, whatever set it once belonged to.
            alone.layout = match alone.parts.first() {
                Some(part) if part.starts_with_rdb() => Layout::RdbFile,
                _ => Layout::SingleFile,
            };
        }
        return Ok(alone);
    }
    let Some(manifest) = &log.manifest else {
        return Err(Error::new(ErrorKind::Manifest, "the set has no manifest").at(&log.opened));
    };
    let mut entries = Vec::new();
    let mut parts = Vec::new();
    let count = candidate.files.len();
    for (index, file) in candidate.files.iter().enumerate() {
        let name = file.path.file_name().unwrap_or_default();
        let is_base = index == 0 && !name.to_string_lossy().contains(".incr.");
        let seq = sequence(&file.path).unwrap_or(1);
        let role = if is_base { Role::Base } else { Role::Incr };
        entries.push(Entry::new(role, name.as_encoded_bytes(), seq));
        let (mapping, compressed) = map_part(&file.path)?;
        parts.push(Part {
            name: crate::base::escape::ShownPath(name.as_ref()).to_string(),
            path: file.path.clone(),
            role: if is_base { PartRole::Base } else { PartRole::Incr },
            index,
            mapping,
            compressed,
            is_last: index + 1 == count,
        });
    }
    Ok(Log {
        path: log.path.clone(),
        opened: log.opened.clone(),
        chosen: None,
        layout: log.layout.clone(),
        parts,
        history: Vec::new(),
        manifest: Some(ManifestFile {
            path: manifest.path.clone(),
            manifest: Manifest { entries },
        }),
        others: Vec::new(),
    })
}
