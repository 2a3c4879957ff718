//! Writing retained byte ranges of a log to a new place, or in place of the log.
//!
//! Retained bytes are copied unchanged, never re-encoded. The result is read back before it is published under its
//! name. A log is replaced in a single step, after saving a complete backup of the original next to it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::analysis::survey::{Survey, survey};
use crate::aof::log::{Layout, Log, Part, PartRole};
use crate::aof::manifest::{Entry, Manifest, Role};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::{Progress, Silent};
use crate::base::units::counted;
use crate::disk::open_writers::writers;
use crate::disk::publish::{Existing, NewDirectory, NewFile};
use crate::disk::unseen_servers::refuse_unless_idle;
use crate::disk::{Change, Replaced, save_original};
use crate::input::files::open_files;
use crate::input::hold_origin::HoldOrigin;
use crate::input::overwrite::access_of;
use crate::input::overwrite::{Shape, check_output, check_shape};

/// The number of bytes written between two progress reports.
const WRITE_BYTES: usize = 1 << 20;

/// The retained ranges of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RetainedRanges {
    /// Whether the part stays in the set.
    pub stays: bool,
    /// The retained byte ranges, in order.
    pub ranges: Vec<Range<u64>>,
}

impl RetainedRanges {
    /// Returns the number of retained bytes.
    pub fn bytes(&self) -> u64 {
        if !self.stays {
            return 0;
        }
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

/// The destination of a result.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Output {
    /// No output: only the plan is reported.
    #[default]
    DryRun,
    /// A new file, or a new directory for a multi-part log.
    New(PathBuf),
    /// In place of the input, after saving a complete backup of it next to it.
    InPlace,
}

impl Output {
    /// Checks early whether the output can be written. `force`: a log at a new output may be replaced. `inputs`: the
    /// files that the result is made from.
    ///
    /// # Errors
    ///
    /// As `check_output`.
    pub fn check(&self, force: bool, inputs: &[PathBuf]) -> Result<()> {
        match self {
            Output::New(new) => check_output(
                new,
                Replacement { force, ..Replacement::default() }.existing(),
                inputs,
            ),
            Output::DryRun | Output::InPlace => Ok(()),
        }
    }
}

/// How a log may be replaced.
#[derive(Debug, Clone, Copy, Default)]
pub struct Replacement {
    /// A log at a new output is replaced, and a log is replaced in place although a process writes to it.
    pub force: bool,
    /// What was at a new output is lost.
    pub no_backup: bool,
    /// No server uses a log that is replaced in place, as far as the caller knows.
    pub offline: bool,
}

impl Replacement {
    fn existing(self) -> Existing {
        match (self.force, self.no_backup) {
            (false, _) => Existing::Keep,
            (true, false) => Existing::Replace,
            (true, true) => Existing::Overwrite,
        }
    }
}

/// The paths of the written files.
#[derive(Debug)]
pub struct Written {
    /// The path of the result.
    pub written: Option<PathBuf>,
    /// The path of the backup of the replaced original.
    pub backup: Option<PathBuf>,
}

/// Calls `write` with the destination of the result made from `log`, unless this is a dry run. `force`: an existing log
/// at a new output is replaced, and kept as `NAME.bak-<time>` without `no_backup`, and a log is replaced in place although a process writes to it.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when a process writes to the files to replace; when the original cannot be saved; and the
/// errors of `write`.
pub fn write_output(
    log: &Log,
    output: &Output,
    how: Replacement,
    write: impl FnOnce(Destination<'_>) -> Result<()>,
) -> Result<Written> {
    match output {
        Output::DryRun => Ok(Written { written: None, backup: None }),
        Output::New(new) => {
            let replaced = Replaced::at(new);
            let existing = how.existing();
            write(Destination { path: new, existing, copy_access: None })?;
            Ok(Written { written: Some(new.clone()), backup: replaced.kept_as() })
        }
        Output::InPlace => {
            if !how.force {
                refuse_beside_a_writer(log)?;
                refuse_unless_idle(&place_of(log), how.offline)?;
            }
            let backup = replace(log, write)?;
            Ok(Written { written: Some(place_of(log)), backup: Some(backup) })
        }
    }
}

/// The destination of a result, and the properties that it must have.
#[derive(Debug, Clone, Copy)]
pub struct Destination<'p> {
    /// The file, or the directory for a multi-part log.
    pub path: &'p Path,
    /// The treatment of existing files at the destination.
    pub existing: Existing,
    /// The file whose mode and owner are applied to the new files, as far as permitted: a server must be able to open
    /// them.
    pub copy_access: Option<&'p Path>,
}

/// A check of a result that was read back, with the surveys of its parts.
pub(crate) type Check<'c> = dyn Fn(&Log, &[Survey<'_>]) -> Result<()> + 'c;

/// Writes the retained ranges of each part of `log`, in load order. `check` is called with the result before it is
/// published.
///
/// # Errors
///
/// When the result cannot be written, the log has changed meanwhile, or the result is not intact, and the errors of
/// `check`. The destination is then unchanged.
pub fn write(
    log: &Log,
    kept: &[RetainedRanges],
    place: Destination<'_>,
    check: &Check<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    check_shape(place.path, Shape::of_log(log))?;
    progress.phase("write", kept.iter().map(RetainedRanges::bytes).sum());
    let finish = |written: &Path| finish(log, written, check, progress);
    let access = access_of([log]);
    if matches!(log.layout, Layout::MultiPart { .. }) {
        let directory = NewDirectory::create(place.path, place.existing, access)?;
        fill_directory(log, kept, &directory, progress)?;
        finish(directory.path())?;
        directory.publish_like(place.copy_access)
    } else {
        let mut file = NewFile::create(place.path, place.existing, access)?;
        for (part, kept) in log.parts.iter().zip(kept).take(1) {
            copy(part, kept, file.file(), progress)
                .map_err(|e| Error::io("write", place.path, e))?;
        }
        let path = file.path().to_path_buf();
        finish(&path)?;
        file.publish_like(place.copy_access)
    }
}

/// Writes the retained ranges of a log of one part as the base of a multi-part set named `appendfilename`, as
/// [`write()`] does.
///
/// # Errors
///
/// As [`write()`].
pub(crate) fn write_as_set(
    log: &Log,
    kept: &[RetainedRanges],
    appendfilename: &str,
    place: Destination<'_>,
    check: &Check<'_>,
    progress: &dyn Progress,
) -> Result<()> {
    check_shape(place.path, Shape::Directory)?;
    progress.phase("write", kept.iter().map(RetainedRanges::bytes).sum());
    let directory = NewDirectory::create(place.path, place.existing, access_of([log]))?;
    let extension = if log.layout == Layout::RdbFile { "rdb" } else { "aof" };
    let base = format!("{appendfilename}.1.base.{extension}");
    let path = directory.path().join(&base);
    let failed = |error| Error::io("write", &path, error);
    let mut out = directory.access().create(&path).map_err(failed)?;
    for (part, kept) in log.parts.iter().zip(kept).take(1) {
        copy(part, kept, &mut out, progress).map_err(failed)?;
    }
    let manifest = Manifest { entries: vec![Entry::new(Role::Base, base.as_str(), 1)] };
    let path = directory.path().join(format!("{appendfilename}.manifest"));
    let written = directory.access().write(&path, &manifest.to_bytes());
    written.map_err(|error| Error::io("write", &path, error))?;
    finish(log, directory.path(), check, progress)?;
    directory.publish_like(place.copy_access)
}

/// Checks what was written before it is published.
fn finish(log: &Log, written: &Path, check: &Check<'_>, progress: &dyn Progress) -> Result<()> {
    unchanged(log)?;
    let mut result = open_files(written)?;
    // By its name, an RDB is one of which servers ignore what follows it. A name that tells nothing does not change that.
    if let ([part], [of_input]) = (result.parts.as_mut_slice(), log.parts.as_slice())
        && part.role == PartRole::Single
        && !part.name.contains(".aof")
    {
        part.name.clone_from(&of_input.name);
    }
    let read = |part| survey(part, &Silent);
    let surveys = result.parts.iter().map(read).collect::<Result<Vec<_>>>()?;
    whole(&surveys)?;
    check(&result, &surveys)?;
    progress.check()
}

/// Saves the original next to its place, lets `write` replace it, and returns the path of the saved original.
///
/// # Errors
///
/// When the original cannot be saved, and the errors of `write`. The original is then in its place, untouched.
fn replace(log: &Log, write: impl FnOnce(Destination<'_>) -> Result<()>) -> Result<PathBuf> {
    let place = place_of(log);
    let original = save_original(&place)?;
    let to = Destination {
        path: &place,
        // The original was saved just now.
        existing: Existing::Overwrite,
        copy_access: Some(original.saved()),
    };
    match write(to) {
        Ok(()) => Ok(original.saved().to_owned()),
        Err(error) => {
            original.discard_unless_replaced();
            Err(error)
        }
    }
}

/// The file or directory that holds the whole log, links followed.
pub(super) fn place_of(log: &Log) -> PathBuf {
    let place = match &log.layout {
        Layout::MultiPart { directory, .. } => directory.clone(),
        _ => log.opened.clone(),
    };
    fs::canonicalize(&place).unwrap_or(place)
}

/// Refuses when a process has a part of the log open for writing.
///
/// # Errors
///
/// [`ErrorKind::Refused`].
pub(super) fn refuse_beside_a_writer(log: &Log) -> Result<()> {
    for part in &log.parts {
        if let Some(writer) = writers(&part.path).first() {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("process {} ({}) has it open for writing", writer.pid, writer.program),
            )
            .at(&part.path)
            .help("stop that server first (SHUTDOWN NOSAVE keeps the files as they are), or write to a new file with --output"));
        }
    }
    Ok(())
}

fn copy(
    part: &Part,
    kept: &RetainedRanges,
    out: &mut File,
    progress: &dyn Progress,
) -> std::io::Result<()> {
    let bytes = part.mapping.bytes();
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    for range in &kept.ranges {
        // A compressed RDB that is retained whole is copied as it is.
        let is_compressed =
            part.unwrapped().is_some_and(|it| range.start == 0 && range.end >= it.content);
        let retained = match is_compressed {
            true => part.stored_bytes(range.end),
            false => &bytes[index(range.start)..index(range.end)],
        };
        for chunk in retained.chunks(WRITE_BYTES) {
            out.write_all(chunk)?;
            progress.advance(chunk.len() as u64);
            progress.check_io()?;
        }
    }
    Ok(())
}

fn fill_directory(
    log: &Log,
    kept: &[RetainedRanges],
    directory: &NewDirectory,
    progress: &dyn Progress,
) -> Result<()> {
    let (directory, access) = (directory.path(), directory.access());
    let Some(old) = &log.manifest else {
        return Err(Error::new(ErrorKind::Manifest, "the set has no manifest").at(directory));
    };
    let mut stay: Vec<(&OsStr, bool)> = Vec::new();
    for (part, kept) in log.parts.iter().zip(kept).filter(|(_, kept)| kept.stays) {
        let name = part.path.file_name().unwrap_or_default();
        let path = directory.join(name);
        let failed = |error| Error::io("write", &path, error);
        let mut out = access.create(&path).map_err(failed)?;
        copy(part, kept, &mut out, progress).map_err(failed)?;
        stay.push((name, kept.bytes() != part.mapping.len()));
    }
    let manifest = Manifest { entries: entries(&old.manifest, &stay) };
    let path = directory.join(old.path.file_name().unwrap_or_default());
    access.write(&path, &manifest.to_bytes()).map_err(|error| Error::io("write", &path, error))
}

/// Returns the manifest entries of the files that stay. Each is paired with whether it was changed.
fn entries(old: &Manifest, stay: &[(&OsStr, bool)]) -> Vec<Entry> {
    let mut entries = old.entries.clone();
    entries.retain(|entry| {
        entry.role != Role::History && stay.iter().any(|(name, _)| *name == entry.file_name())
    });
    for entry in &mut entries {
        if stay.iter().any(|(name, changed)| *changed && *name == entry.file_name()) {
            // The replication offsets no longer match the bytes; both are optional.
            (entry.start_offset, entry.end_offset) = (None, None);
        }
    }
    // A single file is not listed yet if its upgrade to a set was interrupted. A server that resumed the upgrade would
    // list it this way.
    for (name, _) in stay {
        if entries.iter().all(|entry| entry.file_name() != *name) {
            entries.insert(0, Entry::new(Role::Base, name.as_encoded_bytes(), 1));
        }
    }
    entries
}

/// Checks that the input is still as it was read. The last file of a secured log grows while its server writes: what is
/// recovered is the log as it was opened.
///
/// # Errors
///
/// [`ErrorKind::Changed`].
pub fn unchanged(log: &Log) -> Result<()> {
    for part in &log.parts {
        part.file().check()?;
        if let Change::Grown(bytes) = part.file().change()?
            && !HoldOrigin::is_of_part(&part.path)
        {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("the file has grown by {} meanwhile", counted(bytes, "byte")),
            )
            .at(&part.path)
            .help("a server writes to it: stop the server, or work on a copy"));
        }
    }
    Ok(())
}

/// Checks that every byte of the result can be read and that no transaction is open in it.
fn whole(surveys: &[Survey<'_>]) -> Result<()> {
    for read in surveys {
        if !read.is_whole() || read.tally.transactions.dangling_count > 0 {
            return Err(Error::new(
                ErrorKind::Refused,
                "the log that was written is not whole; this is an error in aofkit",
            )
            .at(&read.part.path)
            .help(
                "nothing was changed; please report it with the output of `aofkit verify --json`",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Error {
        Error::new(ErrorKind::Io, "as a test wants it")
    }

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn backup_is_deleted_only_if_original_is_in_place() {
        let directory = tempfile::tempdir().unwrap();
        let place = directory.path().join("a.aof");
        fs::write(&place, b"*1\r\n$4\r\nPING\r\n").unwrap();
        let log = open_files(&place).unwrap();

        replace(&log, |_| Err(failed())).unwrap_err();
        assert_eq!(names(directory.path()), ["a.aof"]);

        // The replacement succeeded, and a later step failed.
        let replaced = |place: Destination<'_>| {
            let new = place.path.with_extension("new");
            fs::write(&new, b"").unwrap();
            fs::rename(&new, place.path).unwrap();
            Err(failed())
        };
        replace(&log, replaced).unwrap_err();
        let names = names(directory.path());
        let backup = names.iter().find(|name| name.starts_with("a.aof.bak-")).expect("it is kept");
        assert_eq!(fs::read(directory.path().join(backup)).unwrap(), b"*1\r\n$4\r\nPING\r\n");
    }

    /// The upgrade from Redis 6.2 stopped before the manifest listed the file.
    #[test]
    fn unlisted_single_file_is_added_to_manifest() {
        let stay = [(OsStr::new("appendonly.aof"), true)];
        let entries = entries(&Manifest { entries: Vec::new() }, &stay);
        assert_eq!(entries, [Entry::new(Role::Base, "appendonly.aof", 1)]);
    }
}
