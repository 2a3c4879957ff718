//! Making changes of directories and files durable.

use std::fs::{self, File};
use std::path::Path;

use crate::base::error::{Error, Result};

/// Makes files that were created, renamed or removed in `directory` durable.
///
/// # Errors
///
/// Fails if the system cannot sync it.
pub fn sync_directory(directory: &Path) -> Result<()> {
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io("sync the directory", directory, error))
}

/// Syncs a tree: every file and directory in it, from the leaves up.
///
/// # Errors
///
/// Fails if the system cannot sync it.
pub fn sync_tree(path: &Path) -> Result<()> {
    let failed = |error| Error::io("sync", path, error);
    if path.symlink_metadata().map_err(failed)?.is_dir() {
        for entry in fs::read_dir(path).map_err(failed)? {
            sync_tree(&entry.map_err(failed)?.path())?;
        }
    }
    fs::File::open(path).and_then(|file| file.sync_all()).map_err(failed)
}
