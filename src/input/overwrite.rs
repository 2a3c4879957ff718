//! The rules for output: who may read it, and what it may overwrite with `--force`, which is only a log.
//!
//! A file is replaced by a file, and a directory by a directory if it contains nothing but a multi-part set. Neither is
//! replaced if it is the input, a part of the input, a file of another set, or in use.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::aof::log::{Layout, Log, OtherKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::disk::Access;
use crate::disk::open_writers::refuse_in_use;
use crate::disk::publish::{Existing, check_free};
use crate::input::files::try_open_files;

/// The shape of a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A file.
    File,
    /// A directory.
    Directory,
}

impl Shape {
    /// Returns the shape of a result in the layout of `log`.
    pub fn of_log(log: &Log) -> Shape {
        match log.layout {
            Layout::MultiPart { .. } => Shape::Directory,
            _ => Shape::File,
        }
    }
}

/// Returns every path that a log is read from: the directory of a set, and files.
pub fn inputs(log: &Log) -> Vec<PathBuf> {
    let mut paths = vec![log.opened.clone()];
    if let Layout::MultiPart { directory, .. } = &log.layout {
        paths.push(directory.clone());
    }
    paths.extend(log.parts.iter().map(|part| part.path.clone()));
    paths
}

/// Checks, before any work is done, that `output` may be written or overwritten. `inputs`: the files that the result is
/// made from. [`check_shape`] is used once the shape of the result is known.
///
/// # Errors
///
/// [`ErrorKind::Refused`]; and errors of the system.
pub fn check_output(output: &Path, existing: Existing, inputs: &[PathBuf]) -> Result<()> {
    check_free(output, existing)?;
    // A dangling symbolic link is replaced itself.
    let Ok(metadata) = fs::metadata(output) else { return Ok(()) };
    refuse_input(output, &metadata, inputs)?;
    if metadata.is_dir() {
        refuse_more_than_a_set(output)?;
    } else if metadata.is_file() {
        refuse_file_of_a_set(output)?;
    } else {
        return Err(refused(
            output,
            "this is a device, pipe or socket, not a file that can be replaced",
        ));
    }
    refuse_in_use(output)
}

/// Refuses to replace a file by a directory, or a directory by a file.
///
/// # Errors
///
/// [`ErrorKind::Refused`].
pub fn check_shape(output: &Path, shape: Shape) -> Result<()> {
    if shape == Shape::Directory && output.is_symlink() {
        return Err(refused(output, "this is a link, and the link itself would be replaced"));
    }
    let Ok(metadata) = fs::metadata(output) else { return Ok(()) };
    match (shape, metadata.is_dir()) {
        (Shape::File, true) => {
            Err(refused(output, "this is a directory, and the result would be a file"))
        }
        (Shape::Directory, false) => {
            Err(refused(output, "this is a file, and the result would be a directory"))
        }
        _ => Ok(()),
    }
}

fn refused(output: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Refused, what).at(output).help("nothing was changed; give another output")
}

/// The device and inode: the same for every name of a file.
type Id = (u64, u64);

fn id(metadata: &Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

/// Refuses an output that is the input, is inside it, or contains it, under any name.
fn refuse_input(output: &Path, metadata: &Metadata, inputs: &[PathBuf]) -> Result<()> {
    let failed = |error| Error::io("inspect", output, error);
    let place = fs::canonicalize(output).map_err(failed)?;
    let mut ids = vec![id(metadata)];
    if metadata.is_dir() {
        let files = entries(output).map_err(failed)?;
        ids.extend(files.iter().filter_map(|path| fs::metadata(path).ok()).map(|file| id(&file)));
    }
    for input in inputs {
        let (Ok(metadata), Ok(input)) = (fs::metadata(input), fs::canonicalize(input)) else {
            continue;
        };
        if ids.contains(&id(&metadata)) || input.starts_with(&place) {
            return Err(refused(output, "this is the input, or the input is in it"));
        }
        if place.starts_with(&input) {
            return Err(refused(output, "this is in the directory of the input"));
        }
    }
    Ok(())
}

fn entries(directory: &Path) -> io::Result<Vec<PathBuf>> {
    fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path())).collect()
}

/// Refuses a directory that contains anything but one multi-part set with the files that servers leave in it.
fn refuse_more_than_a_set(directory: &Path) -> Result<()> {
    let failed = |error| Error::io("list", directory, error);
    let entries = entries(directory).map_err(failed)?;
    if entries.is_empty() {
        return Ok(());
    }
    let more = |path: &Path| {
        let name = ShownPath(path.file_name().unwrap_or_default().as_ref()).to_string();
        let what = format!("the directory holds more than a log: {name} is in it");
        Err(refused(directory, &what))
    };
    for path in &entries {
        if !path.symlink_metadata().map_err(failed)?.is_file() {
            return more(path);
        }
    }
    let Ok(Ok(log)) = try_open_files(directory) else {
        return Err(refused(directory, "the directory holds more than a log, or no whole one"));
    };
    let Layout::MultiPart { appendfilename, .. } = &log.layout else {
        return more(&log.opened);
    };
    let others = log.others.iter().filter(|other| other.path.parent() == Some(directory));
    for other in others {
        let name = other.path.file_name().unwrap_or_default().to_string_lossy();
        let is_of_the_set = match other.kind {
            OtherKind::OrphanBase | OtherKind::OrphanIncr => {
                name.starts_with(&format!("{appendfilename}."))
            }
            OtherKind::TempManifest
            | OtherKind::TempIncr
            | OtherKind::TempRewrite
            | OtherKind::TempRdb => true,
            _ => false,
        };
        if !is_of_the_set {
            return more(&other.path);
        }
    }
    Ok(())
}

/// Refuses a file without which a set cannot be loaded.
fn refuse_file_of_a_set(file: &Path) -> Result<()> {
    let Ok(Ok(log)) = try_open_files(file) else { return Ok(()) };
    match log.layout {
        Layout::MultiPart { .. } => Err(refused(file, "this is the manifest of a multi-part set")),
        Layout::OnePart { manifest: Some(_) } => {
            Err(refused(file, "this is a part of a multi-part set"))
        }
        _ => Ok(()),
    }
}

/// Returns the access mode of files made from `logs`: what all of their files permit.
pub fn access_of<'l>(logs: impl IntoIterator<Item = &'l Log>) -> Access {
    let accesses = logs.into_iter().map(access_of_one);
    accesses.reduce(Access::and).unwrap_or(Access::PRIVATE)
}

fn access_of_one(log: &Log) -> Access {
    // The open files are queried, because other files could have taken their names meanwhile.
    let parts = log.parts.iter().map(|part| {
        let metadata = part.file().file().metadata();
        metadata.map_or(Access::PRIVATE, |metadata| Access::of_file(&metadata))
    });
    // A manifest that is proposed does not exist yet.
    let manifest = log.manifest.iter().filter(|file| file.path.exists());
    let manifest = manifest.map(|file| Access::of_path(&file.path));
    let files = parts.chain(manifest).reduce(Access::and).unwrap_or(Access::PRIVATE);
    match &log.layout {
        Layout::MultiPart { directory, .. } => match fs::metadata(directory) {
            Ok(metadata) => files.in_directory(&metadata),
            Err(_) => files.private(),
        },
        _ => files,
    }
}
