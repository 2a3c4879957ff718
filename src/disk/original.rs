//! The original of a log that is replaced in place, saved next to it under another name.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::access::Access;
use super::names::leftover;
use super::publish::{Existing, NewDirectory, NewFile};
use super::rename::{name_aside, parent};
use crate::base::error::{Error, Result};

/// An original that is saved under a second name.
#[derive(Debug)]
pub struct Original {
    place: PathBuf,
    saved: PathBuf,
    identity: Option<(u64, u64)>,
}

/// Saves the file or directory at `place` as `NAME.bak-<time>` next to it.
///
/// # Errors
///
/// When it cannot be saved completely; `place` is unchanged.
pub fn save_original(place: &Path) -> Result<Original> {
    let saved = name_aside(place);
    let identity = identity(place);
    save(place, &saved)?;
    Ok(Original { place: place.to_owned(), saved, identity })
}

impl Original {
    /// The path of the saved original.
    pub fn saved(&self) -> &Path {
        &self.saved
    }

    /// Removes the saved original if the original itself was not replaced. It may have been, also after an error: for
    /// example if only the directory could not be synced.
    pub fn discard_unless_replaced(self) {
        if self.identity.is_some() && identity(&self.place) == self.identity {
            let _ = fs::remove_file(&self.saved).or_else(|_| fs::remove_dir_all(&self.saved));
        }
    }
}

/// What is at a path that may be replaced, to find it again under the name that it is kept by.
#[derive(Debug)]
pub struct Replaced {
    place: PathBuf,
    identity: Option<(u64, u64)>,
}

impl Replaced {
    /// Notes what is at `place`.
    pub fn at(place: &Path) -> Replaced {
        Replaced { place: place.to_owned(), identity: identity(place) }
    }

    /// The name by which it is kept; `None` if it was not replaced, or not kept.
    pub fn kept_as(&self) -> Option<PathBuf> {
        let was = self.identity.filter(|_| identity(&self.place) != self.identity)?;
        let mut entries = fs::read_dir(parent(&self.place)).ok()?.flatten();
        let found = entries.find(|entry| identity(&entry.path()) == Some(was))?;
        (leftover(&found.file_name()).is_some())
            .then(|| self.place.with_file_name(found.file_name()))
    }
}

/// Device and inode, which distinguish a file or directory from another that takes its name.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Saves `place` completely as `backup`: by hard links, which take no space and are complete at once, or by a copy where
/// the file system has none.
fn save(place: &Path, backup: &Path) -> Result<()> {
    let failed = |error| Error::io("keep a copy of the original as", backup, error);
    if !place.is_dir() {
        if fs::hard_link(place, backup).is_err() {
            let mut copy = NewFile::create(backup, Existing::Keep, Access::of_path(place))?;
            let mut original = File::open(place).map_err(failed)?;
            std::io::copy(&mut original, copy.file()).map_err(failed)?;
            copy.publish_like(Some(place))?;
        }
        return Ok(());
    }
    let copy = NewDirectory::create(backup, Existing::Keep, Access::PRIVATE)?;
    for entry in fs::read_dir(place).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let copied = copy.path().join(entry.file_name());
        if entry.file_type().map_err(failed)?.is_file()
            && fs::hard_link(entry.path(), &copied).is_err()
        {
            Access::PRIVATE.copy(&entry.path(), &copied).map_err(failed)?;
        }
    }
    // So that the replacement can be given the same mode and owner.
    copy.publish_like(Some(place))
}
