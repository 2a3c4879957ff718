//! Temporary directories for the duration of a run, and for output that must not be visible yet.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use super::names::TEMPORARY;
use super::publish::Unfinished;
use crate::base::error::{Error, Result};

/// A directory that is removed with all that is in it when this is dropped, and when the process is interrupted.
/// A run that is killed leaves it, under a name by which the next one finds it: [`Scratch::clear_left_over`].
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    /// Deregistered after the directory is removed.
    _unfinished: Unfinished,
}

impl Scratch {
    /// Creates a directory in `directory` whose name begins with `prefix`.
    ///
    /// # Errors
    ///
    /// Fails if the directory is not writable.
    pub fn create(directory: &Path, prefix: &str) -> Result<Scratch> {
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(TEMPORARY);
        builder.permissions(fs::Permissions::from_mode(0o700));
        let make = || builder.tempdir_in(directory);
        let (directory, _unfinished) = Unfinished::begin(make, TempDir::path)
            .map_err(|error| Error::io("create a directory in", directory, error))?;
        Ok(Scratch { directory, _unfinished })
    }

    /// Returns the path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Removes the directories that killed runs left in `directory` under names that begin with
    /// `prefix`, and returns their paths. The caller must hold the lock that protects this prefix,
    /// so that no other run uses one of them.
    ///
    /// # Errors
    ///
    /// Fails if the directory cannot be read, or one of them cannot be removed.
    pub fn clear_left_over(directory: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
        let failed = |error| Error::io("list", directory, error);
        let mut cleared = Vec::new();
        for entry in fs::read_dir(directory).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_ours = name.starts_with(prefix) && name.ends_with(TEMPORARY);
            if is_ours && entry.file_type().map_err(failed)?.is_dir() {
                fs::remove_dir_all(entry.path())
                    .map_err(|error| Error::io("remove", entry.path(), error))?;
                cleared.push(entry.path());
            }
        }
        Ok(cleared)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_over_directories_are_found_by_their_prefix() {
        let directory = tempfile::tempdir().unwrap();
        let dropped = Scratch::create(directory.path(), ".one.").unwrap();
        fs::write(dropped.path().join("a"), b"").unwrap();
        let left = Scratch::create(directory.path(), ".one.").unwrap();
        let other = Scratch::create(directory.path(), ".two.").unwrap();
        fs::write(directory.path().join(".one.x.tmp"), b"a file of somebody").unwrap();
        let path = dropped.path().to_owned();
        drop(dropped);
        assert!(!path.exists());
        assert_eq!(Scratch::clear_left_over(directory.path(), ".one.").unwrap(), [left.path()]);
        assert!(!left.path().exists() && other.path().exists());
        assert!(directory.path().join(".one.x.tmp").exists());
    }
}
