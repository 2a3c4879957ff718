//! A lock that ends with whoever holds it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, ErrorKind, Result};

/// A file that this process holds locked until this is dropped, or the process ends, however it ends.
///
/// The lock is flock(2)'s. The file itself stays: if it were removed, somebody could hold the one that is gone
/// while somebody else locks the one that came.
#[derive(Debug)]
pub struct Lock {
    // Closing it is what unlocks.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks the file at `path`, which is made if it is not there, and writes into it who holds it and for what,
    /// for people.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when somebody else holds it: nobody waits here.
    pub fn take(path: &Path, what_for: &str) -> Result<Lock> {
        let failed = |error| Error::io("lock", path, error);
        let open =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path);
        let mut file = open.map_err(failed)?;
        lock(&file, path)?;
        // What it says is only for people. A full disk is no reason not to remove archives from it.
        let _ = file.set_len(0);
        let _ = writeln!(file, "process {}", std::process::id());
        let _ = writeln!(file, "{what_for}");
        Ok(Lock { _file: file, path: path.to_path_buf() })
    }

    /// Locks a directory, in which nothing is left of it.
    ///
    /// # Errors
    ///
    /// As [`Lock::take`].
    pub fn take_directory(path: &Path) -> Result<Lock> {
        let directory = File::open(path).map_err(|error| Error::io("lock", path, error))?;
        lock(&directory, path)?;
        Ok(Lock { _file: directory, path: path.to_path_buf() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => {
            let holder = std::io::read_to_string(file).unwrap_or_default();
            let holder = holder.lines().next().unwrap_or("another run");
            Err(Error::new(ErrorKind::Locked, format!("{holder} holds this lock"))
                .at(path)
                .help("let it finish; the lock ends with it, so there is nothing to remove"))
        }
        Err(error) => Err(Error::io("lock", path, error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = Lock::take(&path, "a test").unwrap();
        let refused = Lock::take(&path, "another").unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Locked);
        assert!(refused.to_string().contains(&format!("process {}", std::process::id())));
        drop(lock);
        assert!(Lock::take(&path, "another").is_ok());
        assert!(std::fs::read_to_string(&path).unwrap().ends_with("\nanother\n"));
    }
}
