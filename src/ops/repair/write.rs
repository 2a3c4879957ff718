//! Carrying out a plan: into a temporary file or directory, verified, then published.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use jiff::Zoned;

use super::plan::{PartPlan, Plan};
use crate::aof::manifest::{Manifest, Role};
use crate::aof::open::{Layout, Log, Part, open};
use crate::disk::Change;
use crate::disk::publish::{Existing, NewDirectory, NewFile};
use crate::error::{Error, ErrorKind, Result};
use crate::ops::survey::survey;
use crate::progress::{Progress, Silent};

/// Bytes written at a time, between two reports of progress.
const WRITE_BYTES: usize = 1 << 20;

/// Writes the repaired log to `new`.
pub(super) fn to_new(
    log: &Log,
    plan: &Plan,
    new: &Path,
    existing: Existing,
    progress: &dyn Progress,
) -> Result<()> {
    progress.phase("write", log.bytes() - plan.lost_bytes());
    if matches!(log.layout, Layout::MultiPart { .. }) {
        let directory = NewDirectory::create(new, existing)?;
        fill_directory(log, plan, directory.path(), progress)?;
        finish(log, directory.path())?;
        directory.publish()
    } else {
        let mut file = NewFile::create(new, existing)?;
        let (part, plan) = (&log.parts[0], &plan.parts[0]);
        copy(part, plan, file.file(), progress).map_err(|e| Error::io("write", new, e))?;
        let path = file.path().to_path_buf();
        finish(log, &path)?;
        file.publish()
    }
}

/// Puts the repaired log in place of the input; gives where the original is now.
pub(super) fn in_place(log: &Log, plan: &Plan, progress: &dyn Progress) -> Result<PathBuf> {
    let place = place_of(log);
    let backup = backup_name(&place);
    keep_original(&place, &backup)?;
    match to_new(log, plan, &place, Existing::Replace, progress) {
        Ok(()) => {
            like(&backup, &place);
            Ok(backup)
        }
        Err(error) => {
            // The original is untouched, so that its copy serves nobody.
            let _ = fs::remove_file(&backup).or_else(|_| fs::remove_dir_all(&backup));
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

fn backup_name(place: &Path) -> PathBuf {
    let mut name = place.file_name().unwrap_or_default().to_os_string();
    name.push(Zoned::now().strftime(".bak-%Y%m%d%H%M%S").to_string());
    place.with_file_name(name)
}

/// Makes the original stand under a second name, complete: by hard links, which cost nothing and are whole at
/// once, or by a copy where the file system has none.
fn keep_original(place: &Path, backup: &Path) -> Result<()> {
    let failed = |error| Error::io("keep a copy of the original as", backup, error);
    if !place.is_dir() {
        if fs::hard_link(place, backup).is_err() {
            let mut copy = NewFile::create(backup, Existing::Keep)?;
            let mut original = File::open(place).map_err(failed)?;
            std::io::copy(&mut original, copy.file()).map_err(failed)?;
            copy.publish()?;
        }
        return Ok(());
    }
    let copy = NewDirectory::create(backup, Existing::Keep)?;
    for entry in fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let twin = copy.path().join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_file()
            && fs::hard_link(entry.path(), &twin).is_err()
        {
            fs::copy(entry.path(), &twin).map_err(failed)?;
        }
    }
    copy.publish()
}

/// Gives the new files the mode and, where that is allowed, the owner of the old ones: a server must be able to
/// open them.
fn like(old: &Path, new: &Path) {
    let one = |old: &Path, new: &Path| {
        if let Ok(metadata) = fs::metadata(old) {
            let _ = fs::set_permissions(new, metadata.permissions());
            #[cfg(unix)]
            {
                use std::os::unix::fs::MetadataExt;
                let _ = std::os::unix::fs::chown(new, Some(metadata.uid()), Some(metadata.gid()));
            }
        }
    };
    one(old, new);
    for entry in fs::read_dir(new).into_iter().flatten().flatten() {
        let twin = old.join(entry.file_name());
        one(&twin, &entry.path());
    }
}

fn copy(
    part: &Part,
    plan: &PartPlan,
    out: &mut File,
    progress: &dyn Progress,
) -> std::io::Result<()> {
    let bytes = part.mapping.bytes();
    for range in &plan.keep {
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        for chunk in bytes[index(range.start)..index(range.end)].chunks(WRITE_BYTES) {
            out.write_all(chunk)?;
            progress.advance(chunk.len() as u64);
        }
    }
    Ok(())
}

fn fill_directory(log: &Log, plan: &Plan, directory: &Path, progress: &dyn Progress) -> Result<()> {
    let Some(old) = &log.manifest else {
        return Err(Error::new(ErrorKind::Manifest, "the set has no manifest").at(directory));
    };
    let mut stay = Vec::new();
    for (part, plan) in log.parts.iter().zip(&plan.parts).filter(|(_, plan)| plan.stays) {
        let name = part.path.file_name().unwrap_or_default();
        let path = directory.join(name);
        let failed = |error| Error::io("write", &path, error);
        let mut out = File::options().write(true).create_new(true).open(&path).map_err(failed)?;
        copy(part, plan, &mut out, progress).map_err(failed)?;
        stay.push((name, !plan.dropped.is_empty()));
    }
    let mut entries = old.manifest.entries.clone();
    entries.retain(|entry| {
        entry.role != Role::History && stay.iter().any(|(name, _)| *name == entry.file_name())
    });
    for entry in &mut entries {
        if stay.iter().any(|(name, changed)| *changed && *name == entry.file_name()) {
            // The replication offsets no longer fit the bytes; both are optional.
            (entry.start_offset, entry.end_offset) = (None, None);
        }
    }
    let manifest = Manifest { entries };
    let path = directory.join(old.path.file_name().unwrap_or_default());
    fs::write(&path, manifest.to_bytes()).map_err(|error| Error::io("write", &path, error))
}

/// Before the result appears: is the input still what was read, and is the result whole?
fn finish(log: &Log, written: &Path) -> Result<()> {
    for part in &log.parts {
        part.mapping.check()?;
        if let Change::Grown(bytes) = part.mapping.change()? {
            return Err(Error::new(
                ErrorKind::Changed,
                format!("the file has grown by {bytes} bytes meanwhile"),
            )
            .at(&part.path)
            .help("a server writes to it: stop the server, or work on a copy"));
        }
    }
    let result = open(written)?;
    for part in &result.parts {
        let read = survey(part, &Silent)?;
        if !read.is_whole() || read.tally.transactions.dangling_count > 0 {
            return Err(Error::new(
                ErrorKind::Refused,
                "the repaired log is not whole; this is an error in aofkit",
            )
            .at(&part.path)
            .help(
                "nothing was changed; please report it with the output of `aofkit verify --json`",
            ));
        }
    }
    Ok(())
}
