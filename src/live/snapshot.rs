//! The log of a running server, held as it is at one moment.
//!
//! Every file of the set is hard-linked, which takes no room and no time, and the manifest is read again
//! afterwards: when it lists the same files, they belong together. The server may then go on, and even rewrite. The last
//! file goes on growing under its link, so its length is fixed at a boundary of commands outside a transaction.

use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Serialize;

use super::files::{FileId, Files};
use crate::analysis::survey::{Survey, survey};
use crate::aof::log::Log;
use crate::aof::manifest::Manifest;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::disk::publish::{Existing, NewDirectory};
use crate::disk::{Access, Scratch, link};
use crate::input::open::open;
use crate::live::hold_origin::NOTE;

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
    /// The links; removed with this.
    links: Option<Scratch>,
}

impl Snapshot {
    /// Fixes the length of the last file, which grows under its link, by a copy: for what reads the log by its paths.
    ///
    /// # Errors
    ///
    /// When it cannot be copied.
    pub(crate) fn fix(&mut self, places: &[PathBuf], files: &Files) -> Result<()> {
        let scratch = match self.links.take() {
            Some(links) => links,
            None => scratch(places, files)?,
        };
        let below = scratch.path().join("fixed");
        let set = below.join(files.appenddirname.as_deref().unwrap_or_default());
        Access::PRIVATE
            .create_directories(&set)
            .map_err(|error| Error::io("create", &set, error))?;
        let count = self.log.parts.len();
        for (part, &end) in self.log.parts.iter().zip(&self.ends) {
            let to = set.join(part.path.file_name().unwrap_or_default());
            let is_last = part.index + 1 == count;
            if is_last || link(&part.path, &to).is_err() {
                write_start(part.mapping.bytes(), end, &to)?;
                part.mapping.check()?;
            }
        }
        let name = files.log.file_name().unwrap_or_default();
        let opened = set.join(name);
        if let Some(file) = &self.log.manifest {
            let manifest = Manifest { entries: file.manifest.load_order().cloned().collect() };
            let written = Access::PRIVATE.write(&opened, &manifest.to_bytes());
            written.map_err(|e| Error::io("write", &opened, e))?;
        }
        self.log = Log { path: files.log.clone(), ..open(&opened)? };
        self.links = Some(scratch);
        Ok(())
    }
}

fn scratch(places: &[PathBuf], files: &Files) -> Result<Scratch> {
    let mut failed = None;
    for place in places {
        match Scratch::create(place, &left_over(files)) {
            Ok(scratch) => return Ok(scratch),
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Io, "there is no room to copy the log to")))
}

fn write_start(bytes: &[u8], end: u64, to: &Path) -> Result<()> {
    let end = usize::try_from(end).unwrap_or(bytes.len());
    let written = Access::PRIVATE.write(to, bytes.get(..end).unwrap_or(bytes));
    written.map_err(|e| Error::io("write", to, e))
}

/// Takes a snapshot, with links in the first of `places` where they can be made.
///
/// # Errors
///
/// When the files cannot be read, or rewrites keep coming between.
pub(crate) fn take(files: &Files, places: &[PathBuf], progress: &dyn Progress) -> Result<Snapshot> {
    for retries in 0..TRIES {
        let Some((log, links)) = attempt(files, places)? else { continue };
        let log = Log { path: files.log.clone(), ..log };
        let (ends, cut_bytes) = ends(&log, progress)?;
        let report = SnapshotReport {
            files: log.parts.len(),
            bytes: ends.iter().sum(),
            held: if links.is_some() { How::Links } else { How::Open },
            cut_bytes,
            retries,
        };
        return Ok(Snapshot { log, ends, report, links });
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
fn attempt(files: &Files, places: &[PathBuf]) -> Result<Option<(Log, Option<Scratch>)>> {
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
    fn link(&self, files: &Files, place: &Path) -> Result<Scratch, Unlinked> {
        let made = Scratch::create(place, &left_over(files));
        let links = made.map_err(|_| Unlinked::Impossible)?;
        self.fill(links.path(), files, Access::PRIVATE, link).map_err(|error| {
            match error.kind() {
                io::ErrorKind::NotFound => Unlinked::Gone,
                _ => Unlinked::Impossible,
            }
        })?;
        Ok(links)
    }

    /// Puts every file into `to` by `put`, and a manifest with `access` that lists them.
    fn fill(
        &self,
        to: &Path,
        files: &Files,
        access: Access,
        put: impl Fn(&Path, &Path) -> io::Result<()>,
    ) -> io::Result<()> {
        let log = self.log_below(to, files);
        match self {
            Set::Single(_) => put(&files.log, &log),
            Set::Parts(manifest) => {
                let from = files.log.parent().unwrap_or(&files.dir);
                let to = log.parent().unwrap_or(to);
                access.create_directories(to)?;
                for entry in &manifest.entries {
                    put(&from.join(entry.file_name()), &to.join(entry.file_name()))?;
                }
                access.write(&log, &manifest.to_bytes())
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

/// What the name of the directory of links begins with: it tells whose they are.
fn left_over(files: &Files) -> String {
    format!(".aofkit-live-{}.", files.identity())
}

/// Removes the links that a run which was killed has left in `places`. The caller holds the lock.
pub(crate) fn clean(files: &Files, places: &[PathBuf]) {
    for place in places {
        // Only links go; the files stay the server's. What cannot be removed is in nobody's way.
        let _ = Scratch::clear_left_over(place, &left_over(files));
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
    if !survey.is_damaged() && !survey.is_preamble_broken() {
        survey.safe_end()
    } else {
        survey.part.mapping.len()
    }
}

/// A copy of the set in the new directory `to`, by links where they can be made, with a note of whose it is.
///
/// Gives how, and the bytes; `None` when a rewrite came between and nothing was published.
pub(crate) fn keep(
    files: &Files,
    to: &Path,
    note: Option<&[u8]>,
) -> Result<Option<(How, u64, usize)>> {
    let set = Set::read(files)?;
    let mut how = How::Links;
    // The owner's alone, who is that of the log: what is recovered from it must be the server's again.
    let access = Access::of_path(&files.log).private();
    let mut directory = NewDirectory::create(to, Existing::Keep, access)?;
    let mut filled = set.fill(directory.path(), files, access, link);
    if filled.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::NotFound) {
        how = How::Copy;
        drop(directory);
        directory = NewDirectory::create(to, Existing::Keep, access)?;
        let copy = |from: &Path, to: &Path| access.copy(from, to).map(drop);
        filled = set.fill(directory.path(), files, access, copy);
    }
    match filled {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        filled => filled.map_err(|error| Error::io("copy the log to", to, error))?,
    }
    if let Some(note) = note {
        // Links need no room, and a note does: on a full disk the log is kept without one.
        let _ = access.write(&directory.path().join(NOTE), note);
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::progress::Silent;

    /// Commands, one a line.
    fn log(commands: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in commands.lines() {
            let words: Vec<_> = line.split(' ').collect();
            bytes.extend(format!("*{}\r\n", words.len()).bytes());
            words
                .iter()
                .for_each(|word| bytes.extend(format!("${}\r\n{word}\r\n", word.len()).bytes()));
        }
        bytes
    }

    fn set(dir: &Path, incr: &[u8]) -> Files {
        let place = dir.join("appendonlydir");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("a.aof.1.base.aof"), log("SET base 1")).unwrap();
        fs::write(place.join("a.aof.1.incr.aof"), incr).unwrap();
        fs::write(place.join("a.aof.0.base.aof"), b"history").unwrap();
        let manifest = "file a.aof.1.base.aof seq 1 type b\nfile a.aof.0.base.aof seq 9 type h\n\
            file a.aof.1.incr.aof seq 1 type i\n";
        fs::write(place.join("a.aof.manifest"), manifest).unwrap();
        Files {
            dir: dir.into(),
            log: place.join("a.aof.manifest"),
            appenddirname: Some("appendonlydir".into()),
        }
    }

    #[test]
    fn a_snapshot_ends_where_all_is_whole_whatever_comes_later() {
        let whole = log("SET a 1");
        for (tail, cut) in [
            (&b""[..], 0),
            (b"*3\r\n$3\r\nSE", 10),
            (&log("MULTI\nSET b 2")[..], 42),
            (&[log("MULTI\nSET b 2"), b"*1\r\n$4\r\nEX".to_vec()].concat(), 52),
        ] {
            let data = tempfile::tempdir().unwrap();
            let files = set(data.path(), &[&whole[..], tail].concat());
            let snapshot = take(&files, &[data.path().into()], &Silent).unwrap();
            let incr = fs::OpenOptions::new()
                .append(true)
                .open(data.path().join("appendonlydir/a.aof.1.incr.aof"));
            std::io::Write::write_all(&mut incr.unwrap(), &log("SET later 1")).unwrap();
            assert_eq!(snapshot.report.cut_bytes, cut, "{:?}", tail.escape_ascii().to_string());
            assert_eq!(snapshot.ends, [log("SET base 1").len() as u64, whole.len() as u64]);
            assert_eq!((snapshot.report.held, snapshot.report.files), (How::Links, 2));
        }
    }

    #[test]
    fn damage_is_no_end() {
        // Zeros, and a length that is broken and reaches beyond the end.
        for damage in [&b"\0\0\0\0"[..], b"*2\r\n$3\r\nGET\r\n$7777\r\nk\r\n"] {
            let data = tempfile::tempdir().unwrap();
            let files = set(data.path(), &[&log("SET a 1")[..], damage, &log("SET b 1")].concat());
            let snapshot = take(&files, &[], &Silent).unwrap();
            assert_eq!((snapshot.report.cut_bytes, snapshot.report.held), (0, How::Open));
        }
    }

    #[test]
    fn a_snapshot_leaves_nothing_and_what_a_killed_run_left_goes() {
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let places = [data.path().to_path_buf()];
        let count = || fs::read_dir(data.path()).unwrap().count();
        let snapshot = take(&files, &places, &Silent).unwrap();
        assert_eq!(count(), 2);
        drop(snapshot);
        assert_eq!(count(), 1);
        std::mem::forget(take(&files, &places, &Silent).unwrap());
        assert_eq!(count(), 2);
        clean(&files, &places);
        assert_eq!(count(), 1);
        assert!(data.path().join("appendonlydir/a.aof.1.incr.aof").exists());
    }

    #[test]
    fn a_fixed_snapshot_does_not_grow_with_the_log() {
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &[&log("SET a 1")[..], b"*3\r\n"].concat());
        let places = [data.path().to_path_buf()];
        let mut snapshot = take(&files, &places, &Silent).unwrap();
        snapshot.fix(&places, &files).unwrap();
        let lengths: Vec<_> =
            snapshot.log.parts.iter().map(|part| fs::metadata(&part.path).unwrap().len()).collect();
        assert_eq!(lengths, snapshot.ends);
        assert_eq!(fs::read(&snapshot.log.parts[1].path).unwrap(), log("SET a 1"));
    }

    /// A set whose directory is the one that it is copied to, and one with a part that has the name of the manifest.
    #[test]
    fn a_log_is_never_copied_onto_itself() {
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let place = data.path().join("appendonlydir");
        let before = || {
            ["a.aof.1.base.aof", "a.aof.1.incr.aof"].map(|name| fs::read(place.join(name)).unwrap())
        };
        let was = before();
        let itself = Files { appenddirname: Some(place.to_str().unwrap().into()), ..files.clone() };
        let error = keep(&itself, &data.path().join("kept"), None).unwrap_err();
        assert!(error.to_string().contains("File exists"), "{error}");
        assert!(
            take(&itself, &[data.path().into()], &Silent)
                .is_ok_and(|taken| taken.report.held == How::Open)
        );
        assert_eq!(before(), was);

        let manifest = place.join("a.aof.manifest");
        // Names that lead to a directory, and one that no file has.
        for name in [".", "..", "\"\"", "\"a\\x00b\""] {
            fs::write(&manifest, format!("file {name} seq 1 type b\n")).unwrap();
            let kept = keep(&files, &data.path().join("kept"), None);
            assert!(!matches!(kept, Ok(Some(_))), "{name}");
        }
        let named_so =
            "file a.aof.1.base.aof seq 1 type b\nfile a.aof.manifest seq 1 type i\n# comment\n";
        fs::write(&manifest, named_so).unwrap();
        assert!(keep(&files, &data.path().join("kept"), None).is_err());
        assert!(
            take(&files, &[data.path().into()], &Silent)
                .is_ok_and(|taken| taken.report.held == How::Open)
        );
        assert_eq!(fs::read(&manifest).unwrap(), named_so.as_bytes());
    }

    /// The log of a server whose files were named after the note.
    #[test]
    fn a_note_is_never_written_into_the_log() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(NOTE);
        fs::write(&path, log("SET a 1")).unwrap();
        let files = Files { dir: data.path().into(), log: path.clone(), appenddirname: None };
        keep(&files, &data.path().join("kept"), Some(b"{}")).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), log("SET a 1"));
    }

    #[test]
    fn what_is_kept_is_for_its_owner_alone() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let source = data.path().join("appendonlydir/a.aof.1.base.aof");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o644)).unwrap();
        let to = data.path().join("kept");
        keep(&files, &to, Some(b"{}")).unwrap().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&to), mode(&to.join("appendonlydir"))), (0o700, 0o700));
        for name in [NOTE, "appendonlydir/a.aof.manifest"] {
            assert_eq!(mode(&to.join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&source), 0o644, "the server's own stays as it is");
    }

    #[test]
    fn what_is_kept_is_a_data_directory_with_the_same_files() {
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let to = data.path().join("kept");
        let (how, bytes, count) = keep(&files, &to, Some(b"{}")).unwrap().unwrap();
        let expected = (log("SET base 1").len() + log("SET a 1").len()) as u64;
        assert_eq!((how, bytes, count), (How::Links, expected, 2));
        assert_eq!(open(&to).unwrap().parts.len(), 2);
        assert!(keep(&files, &to, None).is_err(), "what is kept is never replaced");
    }
}
