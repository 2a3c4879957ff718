//! Putting under its final name what is finished, and taking away what is no longer wanted, each in one step.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;

use super::names;
pub use super::publish::sync_directory;
use crate::base::error::{Error, Result};

/// Makes the finished and synced file at `from` stand at `to`, on the same file system, durably; unless something
/// stands there: `false` says so.
///
/// # Errors
///
/// When it cannot be renamed; nothing has changed then.
pub fn put_new(from: &Path, to: &Path) -> Result<bool> {
    let failed = |error| Error::io("publish", to, error);
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
/// name `aside`, all on the same file system. `to` has the old or the new at any instant.
///
/// What is old is at no instant under the name `from`, which whoever made it may remove: the new gets the name `aside`
/// first, and then the two change names. (On a file system that cannot do that there is an instant at which the old has
/// its new name already and `to` is free.)
///
/// # Errors
///
/// When it cannot be renamed; `to` has what it had then.
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
    sync_directory(to.parent().unwrap_or(Path::new(".")))
}

/// Lets two files or directories change names, in one step.
fn exchange(one: &Path, other: &Path) -> rustix::io::Result<()> {
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)
}

fn put_in_two_steps(from: &Path, to: &Path, aside: &Path) -> io::Result<()> {
    fs::rename(to, aside)?;
    fs::rename(from, to).inspect_err(|_| {
        // There is nobody to tell if that fails as well; the old is whole under its new name.
        let _ = fs::rename(aside, to);
    })
}

/// A name beside `path` that nothing has: `NAME.bak-<time>`.
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
        fs::write(path("newer"), "newer").unwrap();
        put_in_two_steps(&path("newer"), &path("free"), &path("aside too")).unwrap();
        assert_eq!((read("free"), read("aside too")), ("newer".to_owned(), "new".to_owned()));
        put_instead(&path("free"), &path("nothing"), &path("unused")).unwrap();
        assert!(path("nothing").exists() && !path("unused").exists());
    }

    #[test]
    fn what_cannot_be_put_in_place_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("old"), "old").unwrap();
        fs::write(path("new"), "new").unwrap();
        // A name in a directory that is not there.
        let aside = path("missing/aside");
        assert!(put_instead(&path("new"), &path("old"), &aside).is_err());
        assert!(put_in_two_steps(&path("new"), &path("old"), &aside).is_err());
        assert!(put_in_two_steps(&path("missing"), &path("old"), &path("aside")).is_err());
        assert_eq!(fs::read_to_string(path("old")).unwrap(), "old");
        assert!(path("new").exists() && !path("aside").exists());
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
