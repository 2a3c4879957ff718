//! Atomic renaming of finished files to their final names, and removal.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::names;
use super::sync::sync_directory;
use crate::base::error::{Error, ErrorKind, Result};

/// Returns the parent directory of `path`.
pub(super) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// Renames the finished and synced file at `from` to `to`, on the same file system, durably, unless
/// `to` exists; returns false in that case.
///
/// # Errors
///
/// Fails if it cannot be renamed; nothing has changed in that case.
pub fn put_new(from: &Path, to: &Path) -> Result<bool> {
    let failed = |error| Error::io("publish", to, error);
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        // The file system does not support this flag. A hard link does not replace an existing file
        // either.
        Err(Errno::INVAL | Errno::NOSYS) => match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => return Err(failed(error)),
        },
        Err(error) => return Err(failed(error.into())),
    }
    sync_directory(parent(to))?;
    Ok(true)
}

/// Renames the finished and synced file or directory at `from` to `to`, durably, and the previous
/// `to` to `aside`, all on the same file system. `to` is the old or the new one at any time.
///
/// The old one never has the name `from`, which its creator may remove: the new one is renamed to
/// `aside` first, and then the two are exchanged. (On a file system that does not support the
/// exchange, there is a moment at which the old one already has its new name and `to` does not
/// exist.)
///
/// # Errors
///
/// Fails if it cannot be renamed; `to` is unchanged in that case.
pub fn put_instead(from: &Path, to: &Path, aside: &Path) -> Result<()> {
    let failed = |error| Error::io("replace", to, error);
    if to.symlink_metadata().is_err() {
        fs::rename(from, to).map_err(failed)?;
    } else {
        fs::rename(from, aside).map_err(failed)?;
        if let Err(error) = exchange(aside, to) {
            fs::rename(aside, from).map_err(failed)?;
            if !matches!(error, Errno::INVAL | Errno::NOSYS) {
                return Err(failed(error.into()));
            }
            put_in_two_steps(from, to, aside).map_err(failed)?;
        }
    }
    sync_directory(parent(to))
}

/// Exchanges the names of two files or directories atomically.
fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

fn put_in_two_steps(from: &Path, to: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(to, aside)?;
    fs::rename(from, to).inspect_err(|_| {
        // A further failure cannot be reported; the old one is intact under its new name.
        let _ = fs::rename(aside, to);
    })
}

/// Returns an unused name next to `path`: `NAME.bak-<time>`.
pub fn name_aside(path: &Path) -> PathBuf {
    let named = names::original(path, jiff::Zoned::now().datetime());
    let mut aside = named.clone();
    for number in 2.. {
        if aside.symlink_metadata().is_err() {
            break;
        }
        let mut numbered = OsString::from(named.as_os_str());
        numbered.push(format!("-{number}"));
        aside = PathBuf::from(numbered);
    }
    aside
}

/// Renames a file or directory that is not published yet.
///
/// # Errors
///
/// When it cannot be renamed.
pub fn move_unpublished(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(|error| Error::io("move", from, error))
}

/// Renames `path` durably to an unused name next to it, and returns that.
///
/// # Errors
///
/// When it cannot be renamed, or its directory cannot be synced.
pub fn put_aside(path: &Path) -> Result<PathBuf> {
    let aside = name_aside(path);
    fs::rename(path, &aside).map_err(|error| Error::io("rename", path, error))?;
    sync_directory(parent(path))?;
    Ok(aside)
}

/// Removes a file durably: it does not reappear after a crash.
///
/// # Errors
///
/// Fails if it cannot be removed, or its directory cannot be synced.
pub fn remove(path: &Path) -> Result<()> {
    fs::remove_file(path).map_err(|error| Error::io("remove", path, error))?;
    sync_directory(parent(path))
}

/// Removes a file, or a directory and all that is in it, durably.
///
/// # Errors
///
/// As [`remove`].
pub fn remove_all(path: &Path) -> Result<()> {
    if !path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return remove(path);
    }
    fs::remove_dir_all(path).map_err(|error| Error::io("remove", path, error))?;
    sync_directory(parent(path))
}

/// Removes a file durably if it exists.
///
/// # Errors
///
/// As [`remove`], except for a missing file.
pub fn remove_if_exists(path: &Path) -> Result<()> {
    match remove(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives the file at `from` the second name `to`, on the same file system.
///
/// # Errors
///
/// When something is at `to`, or the file system has no hard links or is another one.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_existing_destination_is_never_lost() {
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
        fs::write(path("newer"), "newer").unwrap();
        put_in_two_steps(&path("newer"), &path("free"), &path("aside too")).unwrap();
        assert_eq!((read("free"), read("aside too")), ("newer".to_owned(), "new".to_owned()));
        put_instead(&path("free"), &path("nothing"), &path("unused")).unwrap();
        assert!(path("nothing").exists() && !path("unused").exists());
    }

    #[test]
    fn a_failed_rename_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("old"), "old").unwrap();
        fs::write(path("new"), "new").unwrap();
        // A name in a directory that does not exist.
        let aside = path("missing/aside");
        assert!(put_instead(&path("new"), &path("old"), &aside).is_err());
        assert!(put_in_two_steps(&path("new"), &path("old"), &aside).is_err());
        assert!(put_in_two_steps(&path("missing"), &path("old"), &path("aside")).is_err());
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
        assert!(path("new").exists() && !path("aside").exists());
    }

    #[test]
    fn a_name_aside_is_unused() {
        let directory = tempfile::tempdir().unwrap();
        let first = name_aside(&directory.path().join("a"));
        fs::write(&first, "").unwrap();
        let second = name_aside(&directory.path().join("a"));
        assert!(!second.exists() && first != second);
    }
}
