//! Putting under its final name what is finished, and taking away what is no longer wanted, each in one step.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

pub use super::publish::sync_directory;
use crate::error::{Error, Result};

/// Makes the finished and synced file at `from` stand at `to`, on the same file system, durably; unless something
/// stands there: `false` says so.
///
/// # Errors
///
/// When it cannot be renamed; nothing has changed then.
pub fn put_new(from: &Path, to: &Path) -> Result<bool> {
    let failed = |error| Error::io("put the finished file in place as", to, error);
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        // A file system without that flag. A second name is made only where there is none, too.
        Err(Errno::INVAL | Errno::NOSYS) => match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(failed(error)),
        },
        Err(error) => return Err(failed(error.into())),
    }
    sync_directory(to.parent().unwrap_or(Path::new(".")))?;
    Ok(true)
}

/// Makes the finished and synced file or directory at `from` stand at `to`, durably, and what stood there under the
/// name `aside`, on the same file system. `to` has the old or the new at any instant.
///
/// (On a file system that cannot exchange two names there is an instant between, at which the old has its new name
/// already and `to` is free.)
///
/// # Errors
///
/// When it cannot be renamed.
pub fn put_instead(from: &Path, to: &Path, aside: &Path) -> Result<()> {
    let failed = |error| Error::io("put what is finished in place of", to, error);
    let keep = |old: &Path| {
        fs::rename(old, aside)
            .map_err(|error| Error::io("rename what stood there to", aside, error))
    };
    if to.symlink_metadata().is_err() {
        fs::rename(from, to).map_err(failed)?;
    } else {
        match renameat_with(CWD, from, CWD, to, RenameFlags::EXCHANGE) {
            Ok(()) => keep(from)?,
            Err(Errno::INVAL | Errno::NOSYS) => {
                keep(to)?;
                fs::rename(from, to).map_err(failed)?;
            }
            Err(error) => return Err(failed(error.into())),
        }
    }
    sync_directory(to.parent().unwrap_or(Path::new(".")))
}

/// A name beside `path` that nothing has: `NAME.bak-<time>`.
pub fn name_aside(path: &Path) -> PathBuf {
    let time = jiff::Zoned::now().strftime(".bak-%Y%m%d%H%M%S").to_string();
    let mut name: OsString = path.file_name().unwrap_or_default().to_owned();
    name.push(time);
    let mut aside = path.with_file_name(&name);
    for number in 2.. {
        if aside.symlink_metadata().is_err() {
            break;
        }
        let mut numbered = name.clone();
        numbered.push(format!("-{number}"));
        aside = path.with_file_name(numbered);
    }
    aside
}

/// Removes a file, durably: it is not there again after a crash.
///
/// # Errors
///
/// When it cannot be removed, or its directory not be synced.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    sync_directory(path.parent().unwrap_or(Path::new(".")))
}

/// Syncs a tree: every file and directory in it, from the leaves up.
///
/// # Errors
///
/// When the system cannot.
pub fn sync_tree(path: &Path) -> Result<()> {
    let failed = |error| Error::io("sync", path, error);
    if path.symlink_metadata().map_err(failed)?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            sync_tree(&entry.map_err(failed)?.path())?;
        }
    }
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_at_the_destination_is_never_lost() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let read = |name: &str| fs::read_to_string(path(name)).unwrap();
        fs::write(path("new"), "new").unwrap();
        fs::write(path("old"), "old").unwrap();
        assert!(!put_new(&path("new"), &path("old")).unwrap());
        assert_eq!((read("new"), read("old")), ("new".to_owned(), "old".to_owned()));
        put_instead(&path("new"), &path("old"), &path("aside")).unwrap();
        assert_eq!((read("old"), read("aside")), ("new".to_owned(), "old".to_owned()));
        assert!(!path("new").exists());
        assert!(put_new(&path("old"), &path("free")).unwrap());
        put_instead(&path("free"), &path("nothing"), &path("unused")).unwrap();
        assert!(path("nothing").exists() && !path("unused").exists());
    }

    #[test]
    fn a_name_aside_is_free() {
        let directory = tempfile::tempdir().unwrap();
        let first = name_aside(&directory.path().join("a"));
        fs::write(&first, "").unwrap();
        let second = name_aside(&directory.path().join("a"));
        assert!(!second.exists() && first != second);
    }
}
