//! Output that appears completely or not at all.
//!
//! A file or directory is written under a temporary name next to its destination, synced, renamed,
//! and its parent directory is synced. After an interruption at any time, even by `kill -9`, the
//! destination has either the old or the new content; at worst a file `.NAME.*.tmp` remains next to
//! it.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Access as Permitted, CWD, RenameFlags};
use rustix::io::Errno;
use tempfile::{Builder, NamedTempFile, TempDir};

use super::abandoned;
use super::access::{Access, PRIVATE_DIRECTORY, PRIVATE_FILE, copy_access, set_mode};
use super::names::TEMPORARY;
use super::rename::{name_aside, parent, put_instead};
use super::sync::{sync_directory, sync_tree};
use crate::base::error::{Error, ErrorKind, Result};

/// The treatment of an existing destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Existing {
    /// It is not replaced, and publishing fails.
    #[default]
    Keep,
    /// It is replaced atomically, and kept as `NAME.bak-<time>` unless there is nothing in it.
    Replace,
    /// It is replaced atomically, and lost.
    Overwrite,
}

/// The unfinished output of this process, to be removed when it is interrupted.
///
/// It is one list for the process, and not one for each caller that can cancel: nearly every operation creates output,
/// and after a signal no thread may begin any until the process ends, whichever operation it works for. The list alone
/// has no effect; only the owner of the process calls [`abandon_all`]. An operation that ends early for another reason
/// removes its output by dropping it.
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// Removes all unfinished output of this process, and prevents further output. For the handler of
/// Ctrl-C, after which the process ends.
pub fn abandon_all() {
    let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
    for path in std::mem::take(&mut *unfinished) {
        abandon(&path);
    }
    // Threads that attempt to begin new output block until the process ends.
    std::mem::forget(unfinished);
}

/// Removes a file or directory in which other threads may still be active.
fn abandon(path: &Path) {
    for _ in 0..ABANDON_TRIES {
        let removed = fs::remove_file(path).or_else(|_| fs::remove_dir_all(path));
        if removed.is_ok() || path.symlink_metadata().is_err() {
            return;
        }
    }
}

/// Maximum number of attempts to empty a directory into which others put new files in the meantime.
const ABANDON_TRIES: usize = 100;

/// An entry in the list of unfinished output, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    /// Creates a path that is removed when the process is interrupted: it is registered before an
    /// interruption is possible.
    pub(super) fn begin<T>(
        make: impl FnOnce() -> io::Result<T>,
        path: impl FnOnce(&T) -> &Path,
    ) -> io::Result<(T, Self)> {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        let made = make()?;
        let path = path(&made).to_path_buf();
        unfinished.push(path.clone());
        Ok((made, Unfinished(path)))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        let mut unfinished = UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner);
        unfinished.retain(|path| *path != self.0);
    }
}

fn temporary(destination: &Path) -> Result<(String, &Path)> {
    let Some(name) = destination.file_name() else {
        return Err(Error::new(ErrorKind::Usage, "not a valid file name").at(destination));
    };
    Ok((format!(".{}.", name.to_string_lossy()), parent(destination)))
}

/// Fails if `destination` exists and must not be replaced, before any work is done.
///
/// # Errors
///
/// Returns [`ErrorKind::Refused`] in that case.
pub fn check_free(destination: &Path, existing: Existing) -> Result<()> {
    if existing == Existing::Keep && destination.symlink_metadata().is_ok() {
        return Err(Error::new(ErrorKind::Refused, "already exists; not overwritten")
            .at(destination)
            .help("give another name"));
    }
    Ok(())
}

/// Fails if a directory cannot be created at `destination` or, if one is there, nothing can be created in it. Nothing is
/// written.
///
/// # Errors
///
/// When the system would deny it.
pub fn check_writable(destination: &Path) -> Result<()> {
    let (directory, doing) = match destination.is_dir() {
        true => (destination, "create a directory in"),
        false => (temporary(destination)?.1, "create a directory beside"),
    };
    rustix::fs::access(directory, Permitted::WRITE_OK | Permitted::EXEC_OK)
        .map_err(|error| Error::io(doing, destination, error.into()))
}

/// A file that is being written, and becomes visible when it is [published](NewFile::publish). If
/// it is dropped before that, it is removed.
pub struct NewFile {
    temporary: NamedTempFile,
    unfinished: Unfinished,
    destination: PathBuf,
    existing: Existing,
    access: Access,
}

impl NewFile {
    /// Begins a file that shall be at `destination`, for its owner alone until it is published, and with `access` then.
    ///
    /// # Errors
    ///
    /// When something exists there that must not be replaced, or the directory cannot be written.
    pub fn create(destination: &Path, existing: Existing, access: Access) -> Result<Self> {
        check_free(destination, existing)?;
        let (prefix, directory) = temporary(destination)?;
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(TEMPORARY);
        builder.permissions(fs::Permissions::from_mode(PRIVATE_FILE));
        abandoned::remove(directory, destination.file_name().unwrap_or_default());
        let make = || builder.tempfile_in(directory);
        let (temporary, unfinished) = Unfinished::begin(make, NamedTempFile::path)
            .map_err(|error| Error::io("create a file beside", destination, error))?;
        abandoned::lock(temporary.as_file());
        let destination = destination.to_path_buf();
        Ok(NewFile { temporary, unfinished, destination, existing, access })
    }

    /// Returns the file, for writing.
    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// Returns the temporary path while the file is being written.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Moves the file to its destination, durably.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be synced or renamed, or if the destination has come to exist and must
    /// not be replaced; the destination is unchanged in that case.
    pub fn publish(self) -> Result<()> {
        self.publish_like(None)
    }

    /// As [`NewFile::publish`]; with the very mode and owner of `old`, where there is one, which it takes the place of.
    ///
    /// # Errors
    ///
    /// As [`NewFile::publish`].
    pub fn publish_like(self, old: Option<&Path>) -> Result<()> {
        match old {
            None => self.access.settle_file(self.temporary.as_file()),
            old => copy_access(old, self.temporary.path()),
        }
        self.place()
    }

    /// As [`NewFile::publish`], with exactly this mode, whatever the umask is: for a file that others shall read as soon
    /// as it appears.
    ///
    /// # Errors
    ///
    /// As [`NewFile::publish`], and when the system refuses the mode.
    pub fn publish_with_mode(self, mode: u32) -> Result<()> {
        let set = set_mode(self.temporary.as_file(), mode);
        set.map_err(|error| Error::io("set the mode of", &self.destination, error))?;
        self.place()
    }

    fn place(self) -> Result<()> {
        let NewFile { unfinished, temporary, destination, existing, access: _ } = self;
        temporary.as_file().sync_all().map_err(|error| Error::io("write", &destination, error))?;
        if existing == Existing::Replace && is_worth_keeping(&destination) {
            let temporary = temporary.into_temp_path();
            put_instead(&temporary, &destination, &name_aside(&destination))?;
            drop(unfinished);
            // Nothing has the temporary name any more.
            let _ = temporary.keep();
            return Ok(());
        }
        let persisted = match existing {
            Existing::Keep => temporary.persist_noclobber(&destination),
            Existing::Replace | Existing::Overwrite => temporary.persist(&destination),
        };
        drop(unfinished);
        persisted.map_err(|error| {
            Error::io("put the finished file in place of", &destination, error.error)
        })?;
        sync_directory(parent(&destination))
    }
}

/// A directory that is being filled, and becomes visible when it is
/// [published](NewDirectory::publish). If it is dropped before that, it is removed with its
/// content.
pub struct NewDirectory {
    temporary: TempDir,
    unfinished: Unfinished,
    destination: PathBuf,
    existing: Existing,
    access: Access,
    _lock: Option<File>,
}

impl NewDirectory {
    /// Begins a directory that shall be at `destination`, for its owner alone until it is published, and with `access`
    /// then. Files in it are created with [`NewDirectory::access`].
    ///
    /// # Errors
    ///
    /// When something exists there that must not be replaced, or the directory above cannot be written.
    pub fn create(destination: &Path, existing: Existing, access: Access) -> Result<Self> {
        check_free(destination, existing)?;
        let (prefix, directory) = temporary(destination)?;
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(TEMPORARY);
        builder.permissions(fs::Permissions::from_mode(PRIVATE_DIRECTORY));
        abandoned::remove(directory, destination.file_name().unwrap_or_default());
        let make = || builder.tempdir_in(directory);
        let (temporary, unfinished) = Unfinished::begin(make, TempDir::path)
            .map_err(|error| Error::io("create a directory beside", destination, error))?;
        let _lock = abandoned::lock_directory(temporary.path());
        let destination = destination.to_path_buf();
        Ok(NewDirectory { temporary, unfinished, destination, existing, access, _lock })
    }

    /// Returns the temporary path while the directory is being filled.
    pub fn path(&self) -> &Path {
        self.temporary.path()
    }

    /// Who may read it and the files in it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// Publishes it at its destination, durably: every file in it is synced first.
    ///
    /// # Errors
    ///
    /// Fails like [`NewFile::publish`].
    pub fn publish(self) -> Result<()> {
        self.publish_like(None)
    }

    /// As [`NewDirectory::publish`]; it and the files in it with the very modes and owners of those of `old`, where there
    /// is one, which it takes the place of.
    ///
    /// # Errors
    ///
    /// As [`NewFile::publish`].
    pub fn publish_like(self, old: Option<&Path>) -> Result<()> {
        let NewDirectory { unfinished, temporary, destination, existing, access, _lock } = self;
        let written = temporary.path().to_path_buf();
        match old {
            None => access.settle_directory(&written),
            old => copy_access(old, &written),
        }
        sync_tree(&written)?;
        if existing == Existing::Replace && is_worth_keeping(&destination) {
            put_instead(&written, &destination, &name_aside(&destination))?;
            drop(unfinished);
            let _ = temporary.keep();
            return Ok(());
        }
        let occupied = destination.symlink_metadata().is_ok();
        let flags = match existing {
            Existing::Replace | Existing::Overwrite if occupied => RenameFlags::EXCHANGE,
            _ => RenameFlags::NOREPLACE,
        };
        let renamed = match rustix::fs::renameat_with(CWD, &written, CWD, &destination, flags) {
            // The file system does not support these flags. A plain rename replaces an empty
            // directory at most.
            Err(Errno::INVAL | Errno::NOSYS) if flags == RenameFlags::NOREPLACE => {
                fs::rename(&written, &destination)
            }
            other => other.map_err(io::Error::from),
        };
        renamed.map_err(|error| {
            Error::io("put the finished directory in place of", &destination, error)
        })?;
        drop(unfinished);
        if flags == RenameFlags::EXCHANGE {
            // The old content now has the temporary name, and is removed with it.
            drop(temporary);
        } else {
            let _ = temporary.keep();
        }
        sync_directory(parent(&destination))
    }
}

/// Whether there is anything at `destination` that could be missed.
fn is_worth_keeping(destination: &Path) -> bool {
    let Ok(metadata) = destination.symlink_metadata() else { return false };
    if metadata.is_dir() {
        // What cannot be listed could be full.
        return fs::read_dir(destination).map_or(true, |mut entries| entries.next().is_some());
    }
    metadata.len() > 0
}

/// Removes unfinished output named `name` that killed runs left in `directory`. What cannot be removed stays.
pub fn remove_unfinished(directory: &Path, name: &str) {
    let prefix = format!(".{name}.");
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let file_name = entry.file_name();
        let is_left = |name: &str| name.starts_with(&prefix) && name.ends_with(TEMPORARY);
        if file_name.to_str().is_some_and(is_left) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_appears_when_it_is_published_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out.aof");
        let mut new = NewFile::create(&destination, Existing::Keep, Access::NO_SOURCE).unwrap();
        new.file().write_all(b"whole").unwrap();
        assert!(!destination.exists());
        new.publish().unwrap();
        assert_eq!(fs::read(&destination).unwrap(), b"whole");
        assert_eq!(names(directory.path()), ["out.aof"]);
    }

    #[test]
    fn unpublished_output_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        drop(
            NewFile::create(&directory.path().join("a"), Existing::Keep, Access::NO_SOURCE)
                .unwrap(),
        );
        drop(
            NewDirectory::create(&directory.path().join("b"), Existing::Keep, Access::NO_SOURCE)
                .unwrap(),
        );
        assert!(names(directory.path()).is_empty());
    }

    #[test]
    fn output_that_was_dropped_or_published_is_not_removed_by_an_interruption() {
        let is_listed = |path: &Path| UNFINISHED.lock().unwrap().iter().any(|one| one == path);
        let directory = tempfile::tempdir().unwrap();
        let create = |name: &str| {
            let destination = directory.path().join(name);
            NewFile::create(&destination, Existing::Keep, Access::NO_SOURCE).unwrap()
        };
        let (dropped, published) = (create("a"), create("b"));
        let paths = [dropped.path().to_owned(), published.path().to_owned()];
        assert!(paths.iter().all(|path| is_listed(path)));
        drop(dropped);
        published.publish().unwrap();
        assert!(!paths.iter().any(|path| is_listed(path)));
    }

    #[test]
    fn existing_destinations_are_retained_or_replaced_as_requested() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out");
        fs::write(&destination, b"old").unwrap();
        let error = NewFile::create(&destination, Existing::Keep, Access::NO_SOURCE).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Refused);
        for (existing, content, kept) in
            [(Existing::Overwrite, "new", 0), (Existing::Replace, "newer", 1)]
        {
            let mut new = NewFile::create(&destination, existing, Access::NO_SOURCE).unwrap();
            new.file().write_all(content.as_bytes()).unwrap();
            new.publish().unwrap();
            assert_eq!(fs::read_to_string(&destination).unwrap(), content);
            assert_eq!(names(directory.path()).len(), 1 + kept);
        }
        let names = names(directory.path());
        assert!(names[1].starts_with("out.bak-"), "{names:?}");
        assert_eq!(fs::read(directory.path().join(&names[1])).unwrap(), b"new");
    }

    #[test]
    fn a_file_created_meanwhile_is_not_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("out");
        let new = NewFile::create(&destination, Existing::Keep, Access::NO_SOURCE).unwrap();
        fs::write(&destination, b"somebody else's").unwrap();
        assert!(new.publish().is_err());
        assert_eq!(fs::read(&destination).unwrap(), b"somebody else's");
        assert_eq!(names(directory.path()), ["out"]);
    }

    #[test]
    fn a_directory_is_replaced_atomically_and_the_old_one_is_kept_or_removed() {
        let directory = tempfile::tempdir().unwrap();
        let destination = directory.path().join("set");
        fs::create_dir(&destination).unwrap();
        fs::write(destination.join("old"), b"").unwrap();
        let put = |existing, name: &str| {
            let new = NewDirectory::create(&destination, existing, Access::NO_SOURCE).unwrap();
            fs::write(new.path().join(name), b"").unwrap();
            new.publish().unwrap();
        };
        put(Existing::Overwrite, "new");
        assert_eq!(names(&destination), ["new"]);
        assert_eq!(names(directory.path()), ["set"]);
        put(Existing::Replace, "newer");
        assert_eq!(names(&destination), ["newer"]);
        let names_now = names(directory.path());
        assert!(names_now.len() == 2 && names_now[1].starts_with("set.bak-"), "{names_now:?}");
        assert_eq!(names(&directory.path().join(&names_now[1])), ["new"]);
        // There is nothing to keep of an empty one.
        fs::remove_file(destination.join("newer")).unwrap();
        put(Existing::Replace, "newest");
        assert_eq!(names(directory.path()).len(), 2);
    }
}
