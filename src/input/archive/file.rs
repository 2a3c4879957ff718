//! The bytes of an archive: of a file, or of an object in a store, which is downloaded to a file without a name.

use std::path::Path;

use crate::archive::encryption::EXTENSION;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::Mapping;
use crate::store::fetch;
use crate::store::url::is_url;

/// Maps the whole archive at `path`.
///
/// # Errors
///
/// As [`Mapping::open`], or when it cannot be downloaded.
pub(crate) fn map_whole(path: &Path, progress: &dyn Progress) -> Result<Mapping> {
    if is_url(path) { fetch::whole(path, progress) } else { Mapping::open(path) }
}

/// Returns whether `path` is the URL of an encrypted archive, by its name: its bytes are in the store.
pub(super) fn is_encrypted_object(path: &Path) -> bool {
    is_url(path) && path.extension().is_some_and(|end| end.eq_ignore_ascii_case(EXTENSION))
}

/// Maps the archive at `path`, of which only the beginning is read, if it is in a store.
///
/// # Errors
///
/// As [`map_whole`].
pub(super) fn map_beginning(path: &Path) -> Result<Mapping> {
    if is_url(path) { fetch::beginning(path) } else { Mapping::open(path) }
}

/// Maps the archive at `path`, of which only the directory and the metadata are read.
///
/// # Errors
///
/// As [`map_whole`].
pub(super) fn map_metadata(path: &Path) -> Result<Mapping> {
    if is_url(path) { fetch::metadata(path) } else { Mapping::open(path) }
}
