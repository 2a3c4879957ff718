//! A file lock that is released when its holder ends.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::own_files;

/// A file that this process holds locked until this value is dropped or the process ends, in
/// whatever way.
///
/// The lock is that of flock(2). The file itself is not removed: otherwise one process could hold a
/// lock on the removed file while another locks its replacement.
#[derive(Debug)]
pub struct Lock {
    // Closing the file releases the lock.
    _file: File,
    path: PathBuf,
}

impl Lock {
    /// Locks the file at `path`, creating it if necessary, and writes the holder and the purpose
    /// into it, for information.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Locked`] when somebody else holds it: nobody waits here. [`ErrorKind::Refused`] when what is at
    /// `path` is not such a file: a symbolic link, a pipe, another user's.
    pub fn take(path: &Path, what_for: &str) -> Result<Lock> {
        let (mut file, metadata) = own_files::open_or_create(path)?;
        lock(&file, path)?;
        // What it says is only for people. A full disk is no reason not to remove archives from it. With a second name, it
        // could be another file that somebody gave the name of the lock.
        if metadata.nlink() == 1 {
            let _ = file.set_len(0);
            let _ = writeln!(file, "{PROCESS}{}", std::process::id());
            let _ = writeln!(file, "{what_for}");
        }
        Ok(Lock { _file: file, path: path.to_path_buf() })
    }

    /// As [`Lock::take`], but waits for at most `wait` for somebody else who holds it, and calls `check` meanwhile.
    ///
    /// # Errors
    ///
    /// As [`Lock::take`], and the errors of `check`.
    pub fn take_within(
        path: &Path,
        what_for: &str,
        wait: Duration,
        check: impl Fn() -> Result<()>,
    ) -> Result<Lock> {
        within(wait, check, || Lock::take(path, what_for))
    }

    /// As [`Lock::take_directory`], but waits for at most `wait` for somebody else who holds it.
    ///
    /// # Errors
    ///
    /// As [`Lock::take`].
    pub fn take_directory_within(path: &Path, wait: Duration) -> Result<Lock> {
        within(wait, || Ok(()), || Lock::take_directory(path))
    }

    /// Locks a directory, without leaving anything in it.
    ///
    /// # Errors
    ///
    /// Fails like [`Lock::take`].
    pub fn take_directory(path: &Path) -> Result<Lock> {
        let directory = File::open(path).map_err(|error| Error::io("lock", path, error))?;
        lock(&directory, path)?;
        Ok(Lock { _file: directory, path: path.to_path_buf() })
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// The time between two attempts to take a lock that somebody else holds.
const BETWEEN_TRIES: Duration = Duration::from_millis(50);

/// The longest time that is waited for a lock, so that no sum of times overflows.
const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Tries to take a lock until it is free, for at most `wait`.
fn within(
    wait: Duration,
    check: impl Fn() -> Result<()>,
    take: impl Fn() -> Result<Lock>,
) -> Result<Lock> {
    let end = Instant::now() + wait.min(LONGEST_WAIT);
    loop {
        match take() {
            Err(error) if error.kind() == ErrorKind::Locked && Instant::now() < end => {
                check()?;
                thread::sleep(BETWEEN_TRIES);
            }
            other => return other,
        }
    }
}

fn lock(file: &File, path: &Path) -> Result<()> {
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(()),
        Err(Errno::WOULDBLOCK) => {
            let holder = holder(file);
            let holder = holder.as_deref().unwrap_or("another run");
            Err(Error::new(ErrorKind::Locked, format!("{holder} holds this lock"))
                .at(path)
                .help("let it finish; the lock ends with it, so there is nothing to remove"))
        }
        Err(error) => Err(Error::io("lock", path, error.into())),
    }
}

/// Who holds it, as the file says; nothing else that somebody may have written there.
fn holder(file: &File) -> Option<String> {
    let mut bytes = Vec::new();
    file.take(LINE_BYTES).read_to_end(&mut bytes).ok()?;
    let number = std::str::from_utf8(&bytes).ok()?.lines().next()?.strip_prefix(PROCESS)?;
    Some(format!("{PROCESS}{}", number.parse::<u32>().ok()?))
}

/// What the file begins with.
const PROCESS: &str = "process ";
/// More than its first line has.
const LINE_BYTES: u64 = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_dropped() {
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

    #[test]
    fn a_lock_is_waited_for() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let lock = Lock::take(&path, "a test").unwrap();
        let wait = |ms| Lock::take_within(&path, "b", Duration::from_millis(ms), || Ok(()));
        assert_eq!(wait(100).unwrap_err().kind(), ErrorKind::Locked);
        let interrupted =
            Lock::take_within(&path, "b", Duration::MAX, || Err(Error::interrupted()));
        assert_eq!(interrupted.unwrap_err().kind(), ErrorKind::Interrupted);
        let releasing = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            drop(lock);
        });
        wait(60_000).unwrap();
        releasing.join().unwrap();
    }

    #[test]
    fn a_lock_empties_no_other_file() {
        let directory = tempfile::tempdir().unwrap();
        let (victim, path) = (directory.path().join("victim"), directory.path().join("lock"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert_eq!(Lock::take(&path, "a test").unwrap_err().kind(), ErrorKind::Refused);
        std::fs::remove_file(&path).unwrap();
        std::fs::hard_link(&victim, &path).unwrap();
        drop(Lock::take(&path, "a test").unwrap());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn what_somebody_wrote_into_a_lock_is_not_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let _lock = Lock::take(&path, "a test").unwrap();
        std::fs::write(&path, "process \x1b[2J1").unwrap();
        let refused = Lock::take(&path, "another").unwrap_err();
        assert!(refused.to_string().contains("another run holds this lock"), "{refused}");
    }
}
