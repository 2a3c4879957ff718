//! Unfinished output whose maker is gone: each is locked while it is written, and the lock ends with its process.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};

use super::names::{Leftover, leftover};

/// The age from which an unlocked one is taken for abandoned: between its creation and its lock, it is not locked.
const AGE: Duration = Duration::from_secs(60);

/// Locks unfinished output until the result is dropped. Where the file system has no locks, nobody can tell that the maker
/// of such output is gone, and it stays.
pub(super) fn lock(file: &File) {
    let _ = flock(file, FlockOperation::NonBlockingLockExclusive);
}

/// As [`lock()`], of a directory.
pub(super) fn lock_directory(path: &Path) -> Option<File> {
    let directory = File::open(path).ok()?;
    lock(&directory);
    Some(directory)
}

/// Removes unfinished output for `name` from `directory` whose maker is gone. What cannot be removed stays.
pub(super) fn remove(directory: &Path, name: &OsStr) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_its = leftover(&entry.file_name()) == Some((name, Leftover::Unfinished));
        if is_its && is_abandoned(&entry.path()) {
            let path = entry.path();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let _ = if is_directory { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        }
    }
}

/// Whether unfinished output is old, and nobody holds its lock: its maker is gone.
pub fn is_abandoned(path: &Path) -> bool {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    let Ok(file) = options.open(path) else { return false };
    let Ok(metadata) = file.metadata() else { return false };
    let age = metadata.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
    (metadata.is_file() || metadata.is_dir())
        && age.is_some_and(|age| age >= AGE)
        && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Access;
    use crate::disk::publish::{Existing, NewDirectory, NewFile};

    fn make_old(path: &Path) {
        let time = SystemTime::now() - 2 * AGE;
        File::open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn unfinished_output_is_removed_by_the_next_run_unless_it_is_locked() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let file = NewFile::create(&path("a"), Existing::Keep, Access::PRIVATE).unwrap();
        let set = NewDirectory::create(&path("a"), Existing::Keep, Access::PRIVATE).unwrap();
        for name in [".a.dead00.tmp", ".a.young0.tmp", ".b.dead00.tmp", "a.tmp"] {
            fs::write(path(name), "").unwrap();
        }
        fs::create_dir_all(path(".a.dead01.tmp/inner")).unwrap();
        std::os::unix::fs::symlink("a.tmp", path(".a.link00.tmp")).unwrap();
        for name in [".a.dead00.tmp", ".a.dead01.tmp", ".b.dead00.tmp", "a.tmp"] {
            make_old(&path(name));
        }
        make_old(file.path());
        make_old(set.path());
        drop(NewFile::create(&path("a"), Existing::Keep, Access::PRIVATE).unwrap());
        for gone in [".a.dead00.tmp", ".a.dead01.tmp"] {
            assert!(!path(gone).exists(), "{gone}");
        }
        for stays in [".a.young0.tmp", ".b.dead00.tmp", "a.tmp", ".a.link00.tmp"] {
            assert!(path(stays).symlink_metadata().is_ok(), "{stays}");
        }
        assert!(file.path().exists() && set.path().exists(), "their makers are at work");
    }
}
