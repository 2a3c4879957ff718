//! A lock that ends with the process that holds it, however that ends.

use std::fs::{File, OpenOptions};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::error::{Error, Result};

/// An exclusive lock (`flock`), given back when it is dropped or the process ends, be it by `kill -9`.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// What came of asking for a lock.
#[derive(Debug)]
pub enum Asked {
    /// It is ours.
    Ours(Lock),
    /// Another process has it.
    Taken,
    /// The file system knows no such locks, as NFS does not for directories.
    Unknown,
}

impl Lock {
    /// Asks for the lock on a directory or file that exists. Nothing is written.
    ///
    /// # Errors
    ///
    /// When it cannot be opened.
    pub fn on(path: &Path) -> Result<Asked> {
        let file = File::open(path).map_err(|error| Error::io("open", path, error))?;
        lock(file, path)
    }

    /// Asks for the lock on a file, which is made if it is not there, and stays.
    ///
    /// # Errors
    ///
    /// When it cannot be made or opened.
    pub fn file(path: &Path) -> Result<Asked> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        lock(file.map_err(|error| Error::io("open the lock", path, error))?, path)
    }
}

fn lock(file: File, path: &Path) -> Result<Asked> {
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Asked::Ours(Lock { _file: file })),
        Err(Errno::WOULDBLOCK) => Ok(Asked::Taken),
        Err(Errno::NOTSUP | Errno::BADF | Errno::NOLCK | Errno::NOSYS | Errno::INVAL) => {
            Ok(Asked::Unknown)
        }
        Err(error) => Err(Error::io("lock", path, error.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_given_back() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("lock");
        for ask in [|path: &Path| Lock::on(path.parent().unwrap()), |path: &Path| Lock::file(path)]
        {
            let Asked::Ours(first) = ask(&file).unwrap() else { panic!("it is free") };
            assert!(matches!(ask(&file).unwrap(), Asked::Taken));
            drop(first);
            assert!(matches!(ask(&file).unwrap(), Asked::Ours(_)));
        }
    }
}
