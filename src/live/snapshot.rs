//! A snapshot of the log of a running server at one moment.
//!
//! Every file of the set is hard-linked, which takes no space and no time. The manifest is then read again: if it lists
//! the same files, they belong together. The server may continue to write, and even to rewrite. The last file keeps
//! growing under its link, so that its length is fixed at a boundary between commands outside a transaction.

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
use crate::input::files::open_files;
use crate::input::hold_origin::NOTE;

/// The maximum number of attempts to link the set when rewrites interfere.
const TRIES: u32 = 5;

/// The report of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SnapshotReport {
    /// The number of files.
    pub files: usize,
    /// The number of bytes in the snapshot.
    pub bytes: u64,
    /// The method by which the files are retained.
    pub held: How,
    /// The number of bytes omitted at the end: a command or transaction that was not yet written completely.
    pub cut_bytes: u64,
    /// The number of retries because a rewrite interfered.
    pub retries: u32,
}

/// The method by which the files are retained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum How {
    /// By hard links.
    Links,
    /// By open file descriptors, if no links can be created because no directory on the same file system is writable.
    Open,
    /// By a copy.
    Copy,
}

/// The log as it was at one moment.
pub struct Snapshot {
    /// Its files.
    pub log: Log,
    /// The number of bytes of each file that belong to the snapshot.
    pub ends: Vec<u64>,
    /// The report of the snapshot.
    pub report: SnapshotReport,
    /// The links, which are deleted on drop.
    links: Option<Scratch>,
}

impl Snapshot {
    /// Fixes the content of the last file, which grows under its link, by copying it: for consumers that read the log
    /// by its paths.
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
            .create_directories(scratch.path(), &set)
            .map_err(|error| Error::io("create", &set, error))?;
        let count = self.log.parts.len();
        for (part, &end) in self.log.parts.iter().zip(&self.ends) {
            let to = set.join(part.path.file_name().unwrap_or_default());
            let is_last = part.index + 1 == count;
            if is_last || link(&part.path, &to).is_err() {
                write_start(part.stored_bytes(end), &to)?;
                part.file().check()?;
            }
        }
        let name = files.log.file_name().unwrap_or_default();
        let opened = set.join(name);
        if let Some(file) = &self.log.manifest {
            let manifest = Manifest { entries: file.manifest.load_order().cloned().collect() };
            let written = Access::PRIVATE.write(&opened, &manifest.to_bytes());
            written.map_err(|e| Error::io("write", &opened, e))?;
        }
        self.log = Log { path: files.log.clone(), ..open_files(&opened)? };
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
    Err(failed.unwrap_or_else(|| Error::new(ErrorKind::Io, "no free space to copy the log to")))
}

fn write_start(bytes: &[u8], to: &Path) -> Result<()> {
    let written = Access::PRIVATE.write(to, bytes);
    written.map_err(|e| Error::io("write", to, e))
}

/// Takes a snapshot, with links in the first of `places` that allows them.
///
/// # Errors
///
/// When the files cannot be read, or rewrites keep interfering.
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

/// Links or opens the set and checks whether it is unchanged; `None` if it has changed.
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
    let log = match open_files(&path) {
        Err(error) if links.is_none() && is_gone(&error) => return Ok(None),
        opened => opened?,
    };
    Ok((Set::read(files)? == set).then_some((log, links)))
}

/// Returns whether the error means that a file was replaced meanwhile.
fn is_gone(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Manifest)
}

/// The files that belong together.
#[derive(PartialEq)]
enum Set {
    /// A single file, independent of its name.
    Single(FileId),
    /// The files that a manifest lists for loading. History files, which change independently, are not included.
    Parts(Manifest),
}

/// The reason why a set was not linked.
enum Unlinked {
    /// A file no longer exists.
    Gone,
    /// Links are not possible in this place.
    Impossible,
}

impl Set {
    fn read(files: &Files) -> Result<Self> {
        match files.manifest()? {
            None => {
                let metadata = fs::metadata(&files.log);
                let metadata = metadata.map_err(|e| Error::io("look at", &files.log, e))?;
                Ok(Set::Single(FileId::from_metadata(&metadata)))
            }
            Some(manifest) => {
                let mut entries: Vec<_> = manifest.load_order().cloned().collect();
                // Line numbers change with the history entries.
                entries.iter_mut().for_each(|entry| entry.line = 0);
                Ok(Set::Parts(Manifest { entries }))
            }
        }
    }

    /// Links the set into a new directory in `place`, whose name lets the next run for this server identify it.
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

    /// Places every file in `to` by `put`, and writes a manifest with `access` that lists them.
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
                let set = log.parent().unwrap_or(to);
                access.create_directories(to, set)?;
                for entry in &manifest.entries {
                    put(&from.join(entry.file_name()), &set.join(entry.file_name()))?;
                }
                access.write(&log, &manifest.to_bytes())
            }
        }
    }

    /// Returns the lengths in bytes of the files in a directory that replaces the data directory.
    fn sizes(&self, directory: &Path, files: &Files) -> Result<Vec<u64>> {
        let log = self.log_below(directory, files);
        let paths = match self {
            Set::Single(_) => vec![log],
            Set::Parts(manifest) => {
                let parts = manifest.entries.iter();
                parts.map(|entry| log.with_file_name(entry.file_name())).collect()
            }
        };
        let size = |path: PathBuf| match fs::metadata(&path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) => Err(Error::io("read the size of", path, error)),
        };
        paths.into_iter().map(size).collect()
    }

    /// Returns the path of the log in a directory that replaces the data directory.
    fn log_below(&self, directory: &Path, files: &Files) -> PathBuf {
        let name = files.log.file_name().unwrap_or_default();
        match &files.appenddirname {
            Some(set) => directory.join(set).join(name),
            None => directory.join(name),
        }
    }
}

/// Returns the prefix of the name of the directory of links, which identifies the server.
fn left_over(files: &Files) -> String {
    format!(".aofkit-live-{}.", files.identity())
}

/// Deletes the links that a killed run left in `places`. The caller holds the lock.
pub(crate) fn clean(files: &Files, places: &[PathBuf]) {
    for place in places {
        // Only links are deleted, not the files of the server. A link that cannot be deleted does no harm.
        let _ = Scratch::clear_left_over(place, &left_over(files));
    }
}

/// Returns the number of bytes of each file that belong to the snapshot, and the number of those that do not: a command
/// or a transaction that the server is writing.
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

/// Returns the last boundary outside a transaction. Damage is not a boundary: the log is retained as it is, and the
/// damage is found when the log is verified.
fn boundary(survey: &Survey<'_>) -> u64 {
    if !survey.is_damaged() && !survey.is_preamble_broken() {
        survey.safe_end()
    } else {
        survey.part.mapping.len()
    }
}

/// What is retained of a server's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Retained {
    pub(crate) how: How,
    /// The number of bytes of the log.
    pub(crate) bytes: u64,
    /// The number of files of the log.
    pub(crate) files: usize,
    /// The number of bytes of the RDB snapshot, if it was retained.
    pub(crate) snapshot_bytes: Option<u64>,
}

/// Creates a copy of the RDB in the new directory `to`, by a hard link if possible, with a note of its origin.
///
/// # Errors
///
/// When it cannot be linked or copied.
pub(crate) fn keep_snapshot(rdb: &Path, to: &Path, note: Option<&[u8]>) -> Result<Retained> {
    let access = Access::of_path(rdb).private();
    let directory = NewDirectory::create(to, Existing::Keep, access)?;
    let (how, bytes) = put_snapshot(rdb, directory.path(), access)
        .map_err(|error| Error::io("copy the snapshot to", to, error))?;
    if let Some(note) = note {
        let _ = access.write(&directory.path().join(NOTE), note);
    }
    directory.publish()?;
    Ok(Retained { how, bytes: 0, files: 0, snapshot_bytes: Some(bytes) })
}

/// Links or copies an RDB into a directory. A server never writes to it again: it replaces it by a new one.
fn put_snapshot(rdb: &Path, directory: &Path, access: Access) -> io::Result<(How, u64)> {
    let to = directory.join(rdb.file_name().unwrap_or_default());
    match link(rdb, &to) {
        Ok(()) => Ok((How::Links, fs::metadata(&to)?.len())),
        // Something of this name is there, such as the log.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(error),
        Err(_) => access.copy(rdb, &to).map(|bytes| (How::Copy, bytes)),
    }
}

/// Creates a copy of the set in the new directory `to`, by hard links if possible, with a note of its origin, and with the
/// RDB `snapshot` if that exists.
///
/// Returns `None` if a rewrite interfered and nothing was published.
pub(crate) fn keep(
    files: &Files,
    to: &Path,
    note: Option<&[u8]>,
    snapshot: Option<&Path>,
) -> Result<Option<Retained>> {
    let set = Set::read(files)?;
    let mut how = How::Links;
    // Only the owner of the log has access, because the recovered log must belong to the server again.
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
        // Links need no space, but a note does: on a full disk the log is retained without a note.
        let _ = access.write(&directory.path().join(NOTE), note);
    }
    // The log matters more: without the snapshot, it is retained all the same.
    let snapshot_bytes = snapshot
        .and_then(|rdb| put_snapshot(rdb, directory.path(), access).ok())
        .map(|(_, bytes)| bytes);
    // Published before any other check, so that it exists whatever happens next. The files are not opened: an RDB that is
    // compressed would be decompressed, for which there may be no space.
    let sizes = set.sizes(directory.path(), files)?;
    let (bytes, files_of_set) = (sizes.iter().sum(), sizes.len());
    let same = Set::read(files)? == set;
    if how == How::Links || same {
        directory.publish()?;
        return Ok(Some(Retained { how, bytes, files: files_of_set, snapshot_bytes }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::base::progress::Silent;

    /// Encodes commands, one per line.
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
    fn snapshot_ends_at_last_complete_command() {
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
    fn damage_is_not_a_snapshot_boundary() {
        // Zeros, and an invalid length that exceeds the file.
        for damage in [&b"\0\0\0\0"[..], b"*2\r\n$3\r\nGET\r\n$7777\r\nk\r\n"] {
            let data = tempfile::tempdir().unwrap();
            let files = set(data.path(), &[&log("SET a 1")[..], damage, &log("SET b 1")].concat());
            let snapshot = take(&files, &[], &Silent).unwrap();
            assert_eq!((snapshot.report.cut_bytes, snapshot.report.held), (0, How::Open));
        }
    }

    #[test]
    fn snapshot_and_leftover_links_are_deleted() {
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

    /// A set whose directory is the destination, and one with a part that has the name of the manifest.
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
        let error = keep(&itself, &data.path().join("kept"), None, None).unwrap_err();
        assert!(error.to_string().contains("File exists"), "{error}");
        assert!(
            take(&itself, &[data.path().into()], &Silent)
                .is_ok_and(|taken| taken.report.held == How::Open)
        );
        assert_eq!(before(), was);

        let manifest = place.join("a.aof.manifest");
        // Names that lead to a directory, and one that no file can have.
        for name in [".", "..", "\"\"", "\"a\\x00b\""] {
            fs::write(&manifest, format!("file {name} seq 1 type b\n")).unwrap();
            let kept = keep(&files, &data.path().join("kept"), None, None);
            assert!(!matches!(kept, Ok(Some(_))), "{name}");
        }
        let named_so =
            "file a.aof.1.base.aof seq 1 type b\nfile a.aof.manifest seq 1 type i\n# comment\n";
        fs::write(&manifest, named_so).unwrap();
        assert!(keep(&files, &data.path().join("kept"), None, None).is_err());
        assert!(
            take(&files, &[data.path().into()], &Silent)
                .is_ok_and(|taken| taken.report.held == How::Open)
        );
        assert_eq!(fs::read(&manifest).unwrap(), named_so.as_bytes());
    }

    /// The log of a server whose files have the name of the note.
    #[test]
    fn a_note_is_never_written_into_the_log() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join(NOTE);
        fs::write(&path, log("SET a 1")).unwrap();
        let files = Files { dir: data.path().into(), log: path.clone(), appenddirname: None };
        keep(&files, &data.path().join("kept"), Some(b"{}"), None).unwrap().unwrap();
        assert_eq!(fs::read(&path).unwrap(), log("SET a 1"));
    }

    #[test]
    fn retained_set_is_private_to_its_owner() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let source = data.path().join("appendonlydir/a.aof.1.base.aof");
        fs::set_permissions(&source, fs::Permissions::from_mode(0o644)).unwrap();
        let to = data.path().join("kept");
        keep(&files, &to, Some(b"{}"), None).unwrap().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!((mode(&to), mode(&to.join("appendonlydir"))), (0o700, 0o700));
        for name in [NOTE, "appendonlydir/a.aof.manifest"] {
            assert_eq!(mode(&to.join(name)), 0o600, "{name}");
        }
        assert_eq!(mode(&source), 0o644, "the server's own stays as it is");
    }

    /// A compressed RDB of Valkey 9.2 with a torn command after it.
    #[test]
    fn compressed_rdb_is_retained_and_copied_as_it_is() {
        use std::io::Write;
        let rdb = b"REDIS0011\xfe\0\0\x01a\x011\xff\0\0\0\0\0\0\0\0";
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(rdb).unwrap();
        let stored = [b"VCS\x01\x01\0\x01", encoder.finish().unwrap().as_slice()].concat();
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let incr = data.path().join("appendonlydir/a.aof.1.incr.aof");
        let content = [&stored[..], &log("SET a 1"), b"*3\r\n"].concat();
        fs::write(&incr, &content).unwrap();
        let to = data.path().join("kept");
        let kept = keep(&files, &to, None, None).unwrap().unwrap();
        assert_eq!(kept.bytes, (log("SET base 1").len() + content.len()) as u64);
        assert_eq!(fs::read(to.join("appendonlydir/a.aof.1.incr.aof")).unwrap(), content);
        let places = [data.path().to_path_buf()];
        let mut snapshot = take(&files, &places, &Silent).unwrap();
        assert_eq!(snapshot.ends[1], (rdb.len() + log("SET a 1").len()) as u64);
        snapshot.fix(&places, &files).unwrap();
        let fixed = fs::read(&snapshot.log.parts[1].path).unwrap();
        assert_eq!(fixed, content[..content.len() - 4]);
    }

    #[test]
    fn retained_set_is_a_data_directory_with_the_same_files() {
        let data = tempfile::tempdir().unwrap();
        let files = set(data.path(), &log("SET a 1"));
        let to = data.path().join("kept");
        let rdb = data.path().join("dump.rdb");
        fs::write(&rdb, b"REDIS0011").unwrap();
        let kept = keep(&files, &to, Some(b"{}"), Some(&rdb)).unwrap().unwrap();
        let expected = (log("SET base 1").len() + log("SET a 1").len()) as u64;
        assert_eq!((kept.how, kept.bytes, kept.files), (How::Links, expected, 2));
        assert_eq!(kept.snapshot_bytes, Some(9));
        fs::remove_file(&rdb).unwrap();
        assert_eq!(fs::read(to.join("dump.rdb")).unwrap(), b"REDIS0011");
        assert_eq!(open_files(&to).unwrap().parts.len(), 2);
        assert!(keep(&files, &to, None, None).is_err(), "what is kept is never replaced");
    }
}
