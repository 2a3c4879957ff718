//! Temporary directories for the duration of a run, and for output that must not be visible yet.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::{Builder, TempDir};

use super::abandoned;
use super::names::TEMPORARY;
use super::publish::Unfinished;
use crate::base::error::{Error, Result};

/// A directory that is removed with all that is in it when this is dropped, and when the process is interrupted.
/// A run that is killed leaves it, under a name by which the next one finds it.
#[derive(Debug)]
pub struct Scratch {
    directory: TempDir,
    /// Held as long as this process uses it.
    _lock: Option<File>,
    /// Deregistered after the directory is removed.
    _unfinished: Unfinished,
}

impl Scratch {
    /// Creates a directory in `directory` whose name begins with `prefix`, after removing those of this user under such names
    /// whose makers are gone. What cannot be removed stays.
    ///
    /// # Errors
    ///
    /// Fails if the directory is not writable.
    pub fn create(directory: &Path, prefix: &str) -> Result<Scratch> {
        clear_abandoned(directory, prefix);
        let mut builder = Builder::new();
        builder.prefix(prefix).suffix(TEMPORARY);
        builder.permissions(fs::Permissions::from_mode(0o700));
        let make = || builder.tempdir_in(directory);
        let (directory, _unfinished) = Unfinished::begin(make, TempDir::path)
            .map_err(|error| Error::io("create a directory in", directory, error))?;
        let _lock = abandoned::lock_directory(directory.path());
        Ok(Scratch { directory, _lock, _unfinished })
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

fn clear_abandoned(directory: &Path, prefix: &str) {
    let user = rustix::process::geteuid().as_raw();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_its = name.starts_with(prefix) && name.ends_with(TEMPORARY);
        let is_own = || entry.metadata().is_ok_and(|it| it.is_dir() && it.uid() == user);
        if is_its && is_own() && abandoned::is_abandoned(&entry.path()) {
            let _ = fs::remove_dir_all(entry.path());
        }
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
    #[test]
    fn directories_of_killed_runs_are_removed_and_those_of_others_stay() {
        let place = tempfile::tempdir().unwrap();
        let at_work = Scratch::create(place.path(), "aofkit-x.").unwrap();
        let path = |name: &str| place.path().join(name);
        for name in ["aofkit-x.dead00.tmp", "aofkit-x.young0.tmp", "aofkit-y.dead00.tmp"] {
            fs::create_dir_all(path(name).join("inner")).unwrap();
        }
        let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
        let make_old = |path: &Path| File::open(path).unwrap().set_modified(hour_ago).unwrap();
        make_old(at_work.path());
        make_old(&path("aofkit-x.dead00.tmp"));
        make_old(&path("aofkit-y.dead00.tmp"));
        let next = Scratch::create(place.path(), "aofkit-x.").unwrap();
        assert!(!path("aofkit-x.dead00.tmp").exists());
        for stays in ["aofkit-x.young0.tmp", "aofkit-y.dead00.tmp"] {
            assert!(path(stays).exists(), "{stays}");
        }
        assert!(at_work.path().exists() && next.path().exists());
    }
}
