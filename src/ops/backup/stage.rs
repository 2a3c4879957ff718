//! The staged input of an archive, if it is not the log as it is on disk.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::report::{BackupReport, Compaction};
use crate::aof::log::{Layout, Log, Part};
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::disk::publish::Existing;
use crate::disk::{Access, Scratch};
use crate::input::files::open_files;
use crate::ops::compact::{self, compact};

/// Compacts the first `ends` bytes of each part into the scratch directory, and opens the result.
pub(super) fn compacted(
    log: &Log,
    ends: &[u64],
    options: &compact::CompactOptions,
    scratch: &Scratch,
    report: &mut BackupReport,
    progress: &dyn Progress,
) -> Result<Log> {
    let cut = cut(log, ends, scratch)?;
    let input = cut.as_deref().unwrap_or(&log.opened);
    let output = scratch.path().join("compacted");
    let options = compact::CompactOptions {
        output: Some(output.clone()),
        existing: Existing::Keep,
        ..options.clone()
    };
    let done = compact(input, &options, progress)?;
    report.compaction = Some(Compaction {
        form: done.form,
        bytes_before: report.plan.log_bytes,
        bytes_after: done.bytes_after,
        keys: done.keys.iter().map(|keys| keys.keys).sum(),
        failed_commands: done.failed.iter().map(|failed| failed.count).sum(),
        fingerprint: done.fingerprint,
    });
    Ok(Log { path: log.path.clone(), ..open_files(&output)? })
}

/// Returns the log with each part truncated to its end. Parts that are longer are copied, the others linked.
fn cut(log: &Log, ends: &[u64], scratch: &Scratch) -> Result<Option<PathBuf>> {
    if log.parts.iter().zip(ends).all(|(part, &end)| part.mapping.len() == end) {
        return Ok(None);
    }
    let directory = scratch.path().join("cut");
    let failed = |error| Error::io("write", &directory, error);
    let below = match &log.layout {
        Layout::MultiPart { .. } => directory.join("appendonlydir"),
        _ => directory.clone(),
    };
    Access::PRIVATE.create_directories(scratch.path(), &below).map_err(failed)?;
    let is_beside = |path: &Path| log.opened.parent() == path.parent();
    for (part, &end) in log.parts.iter().zip(ends) {
        let name = part.path.file_name().unwrap_or_default();
        let place = if is_beside(&part.path) { below.join(name) } else { directory.join(name) };
        if part.mapping.len() == end {
            let target = fs::canonicalize(&part.path).map_err(failed)?;
            symlink(target, &place).map_err(failed)?;
        } else {
            copy_start(part, end, &place)?;
        }
    }
    match &log.manifest {
        None => Ok(log.parts.first().and_then(|part| Some(below.join(part.path.file_name()?)))),
        Some(file) => {
            let place = below.join(file.path.file_name().unwrap_or_default());
            Access::PRIVATE.write(&place, &file.manifest.to_bytes()).map_err(failed)?;
            Ok(Some(place))
        }
    }
}

fn copy_start(part: &Part, end: u64, place: &Path) -> Result<()> {
    let failed = |error| Error::io("write", place, error);
    let end = part.stored_bytes(end).len() as u64;
    let mut from = File::open(&part.path).map_err(|error| Error::io("open", &part.path, error))?;
    let mut to = Access::PRIVATE.create(place).map_err(failed)?;
    let copied = std::io::copy(&mut Read::by_ref(&mut from).take(end), &mut to).map_err(failed)?;
    if copied < end {
        part.file().check()?;
        return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
    }
    Ok(())
}
