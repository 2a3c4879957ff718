//! The log of a running server, held as it is at one moment.
//!
//! Every file of the set is hard-linked, which takes no room and no time, and the manifest is read again
//! afterwards: when it lists the same files, they belong together. The server may then go on, and even rewrite. The last
//! file goes on growing under its link, so its length is fixed at a boundary of commands outside a transaction.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::files::{FileId, Files};
use crate::aof::manifest::Manifest;
use crate::aof::open::{Log, open};
use crate::disk::publish::{Existing, NewDirectory};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::survey::{Survey, survey};
use crate::progress::Progress;

/// How often the set is linked anew because a rewrite came between.
const TRIES: u32 = 5;

/// What was held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotReport {
    /// How many files.
    pub files: usize,
    /// Their bytes, as far as they count.
    pub bytes: u64,
    /// How they are held.
    pub held: How,
    /// Bytes at the end that were left out: a command or transaction that was not yet written whole.
    pub cut_bytes: u64,
    /// How often a rewrite came between, and the set was taken anew.
    pub retries: u32,
}

/// How the files are held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By hard links.
    Links,
    /// By being open, where no links can be made: no directory on the same file system may be written.
    Open,
    /// By a copy.
    Copy,
}

/// The log as it was at one moment.
pub struct Snapshot {
    /// Its files.
    pub log: Log,
    /// Of each, how many bytes count.
    pub ends: Vec<u64>,
    /// What was held.
    pub report: SnapshotReport,
    /// The links; removed with this. Not published, ever.
    _links: Option<NewDirectory>,
}

/// Takes a snapshot, with links in the first of `places` where they can be made.
///
/// # Errors
///
/// When the files cannot be read, or rewrites keep coming between.
pub(super) fn take(files: &Files, places: &[PathBuf], progress: &dyn Progress) -> Result<Snapshot> {
    for retries in 0..TRIES {
        let Some((log, links)) = attempt(files, places)? else { continue };
        let (ends, cut_bytes) = ends(&log, progress)?;
        let report = SnapshotReport {
            files: log.parts.len(),
            bytes: ends.iter().sum(),
            held: if links.is_some() { How::Links } else { How::Open },
            cut_bytes,
            retries,
        };
        return Ok(Snapshot { log, ends, report, _links: links });
    }
    Err(Error::new(
        ErrorKind::Changed,
        format!("the set was rewritten {TRIES} times while it was being linked"),
    )
    .at(&files.log)
    .help(
        "something asks this server for one rewrite after the other; try again when it has stopped",
    ))
}

/// Holds the set and looks whether it is still the same; `None` when it is not.
fn attempt(files: &Files, places: &[PathBuf]) -> Result<Option<(Log, Option<NewDirectory>)>> {
    let set = Set::read(files)?;
    let mut links = None;
    for place in places {
        match set.link(files, place) {
            Ok(made) => {
                links = Some(made);
                break;
            }
            Err(Unlinked::Gone) => return Ok(None),
            Err(Unlinked::Impossible) => {}
        }
    }
    let path = match &links {
        Some(links) => set.log_below(links.path(), files),
        None => files.log.clone(),
    };
    let log = match open(&path) {
        Err(error) if links.is_none() && is_gone(&error) => return Ok(None),
        opened => opened?,
    };
    Ok((Set::read(files)? == set).then_some((log, links)))
}

/// Whether a file was replaced under our hands.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Manifest)
}

/// Which files belong together.
#[derive(PartialEq)]
enum Set {
    /// A single file, whatever its name.
    Single(FileId),
    /// What a manifest has a server load. History, which comes and goes by itself, is left out.
    Parts(Manifest),
}

/// Why a set was not linked.
enum Unlinked {
    /// A file is no longer there.
    Gone,
    /// Not in this place.
    Impossible,
}

impl Set {
    fn read(files: &Files) -> Result<Self> {
        match files.manifest()? {
            None => {
                let metadata = fs::metadata(&files.log);
                let metadata = metadata.map_err(|e| Error::io("look at", &files.log, e))?;
                Ok(Set::Single(FileId::of(&metadata)))
            }
            Some(manifest) => {
                let mut entries: Vec<_> = manifest.load_order().cloned().collect();
                // The line is where it stood among the history.
                entries.iter_mut().for_each(|entry| entry.line = 0);
                Ok(Set::Parts(Manifest { entries }))
            }
        }
    }

    /// Links it into a new directory in `place`, named so that the next run of this server can tell.
    fn link(&self, files: &Files, place: &Path) -> Result<NewDirectory, Unlinked> {
        let made = NewDirectory::create(&place.join(left_over(files)), Existing::Replace);
        let links = made.map_err(|_| Unlinked::Impossible)?;
        self.fill(links.path(), files, |from, to| fs::hard_link(from, to)).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => Unlinked::Gone,
                _ => Unlinked::Impossible,
            }
        })?;
        Ok(links)
    }

    /// Puts every file into `to` by `put`, and a manifest that lists them.
    fn fill(
        &self,
        to: &Path,
        files: &Files,
        put: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let log = self.log_below(to, files);
        match self {
            Set::Single(_) => put(&files.log, &log),
            Set::Parts(manifest) => {
                let from = files.log.parent().unwrap_or(&files.dir);
                let to = log.parent().unwrap_or(to);
                fs::create_dir_all(to)?;
                for entry in &manifest.entries {
                    put(&from.join(entry.file_name()), &to.join(entry.file_name()))?;
                }
                fs::write(&log, manifest.to_bytes())
            }
        }
    }

    /// Where the log stands in a directory that takes the place of the data directory.
    fn log_below(&self, directory: &Path, files: &Files) -> PathBuf {
        let name = files.log.file_name().unwrap_or_default();
        match &files.appenddirname {
            Some(set) => directory.join(set).join(name),
            None => directory.join(name),
        }
    }
}

/// The name of the directory of links, as far as it tells whose it is.
fn left_over(files: &Files) -> String {
    format!("aofkit-live-{}", files.identity())
}

/// Removes the links that a run which was killed has left in `places`. The caller holds the lock.
pub(super) fn clean(files: &Files, places: &[PathBuf]) {
    let prefix = format!(".{}.", left_over(files));
    for place in places {
        let Ok(entries) = fs::read_dir(place) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let is_ours =
                name.to_str().is_some_and(|n| n.starts_with(&prefix) && n.ends_with(".tmp"));
            if is_ours {
                // Only links go; the files stay the server's. What cannot be removed is in nobody's way.
                let _ = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// How many bytes of each file count, and how many do not: a command or a transaction that the server is writing.
fn ends(log: &Log, progress: &dyn Progress) -> Result<(Vec<u64>, u64)> {
    let mut ends: Vec<u64> = log.parts.iter().map(|part| part.mapping.len()).collect();
    let (Some(part), Some(end)) = (log.parts.last(), ends.last_mut()) else {
        return Ok((ends, 0));
    };
    progress.phase("find the last boundary", part.mapping.len());
    let keep = boundary(&survey(part, progress)?);
    let cut = *end - keep;
    *end = keep;
    Ok((ends, cut))
}

/// The last boundary outside a transaction. Damage is no boundary: the log is kept as it is, and found damaged when it
/// is verified.
fn boundary(survey: &Survey<'_>) -> u64 {
    let is_torn = survey.stop.fault.is_none_or(|fault| fault.is_short());
    if is_torn && !survey.is_preamble_broken() {
        survey.safe_end()
    } else {
        survey.part.mapping.len()
    }
}

/// A copy of the set in the new directory `to`, by links where they can be made.
///
/// Gives how, and the bytes; `None` when a rewrite came between and nothing was published.
pub(super) fn keep(files: &Files, to: &Path) -> Result<Option<(How, u64, usize)>> {
    let set = Set::read(files)?;
    let mut how = How::Links;
    let mut directory = NewDirectory::create(to, Existing::Keep)?;
    let mut filled = set.fill(directory.path(), files, |from, to| fs::hard_link(from, to));
    if filled.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
        how = How::Copy;
        drop(directory);
        directory = NewDirectory::create(to, Existing::Keep)?;
        filled = set.fill(directory.path(), files, |from, to| fs::copy(from, to).map(drop));
    }
    match filled {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        filled => filled.map_err(|error| Error::io("copy the log to", to, error))?,
    }
    // Before anything else is asked of it, so that it is there whatever comes.
    let log = open(set.log_below(directory.path(), files))?;
    let (bytes, parts) = (log.bytes(), log.parts.len());
    drop(log);
    let same = Set::read(files)? == set;
    if how == How::Links || same {
        directory.publish()?;
        return Ok(Some((how, bytes, parts)));
    }
    Ok(None)
}
