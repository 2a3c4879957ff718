//! The bytes of an archive: of a file, or of an object in a store, which is downloaded to a file without a name.

use std::path::Path;

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

/// Maps the archive at `path`, of which only the directory and the metadata are read.
///
/// # Errors
///
/// As [`map_whole`].
pub(super) fn map_metadata(path: &Path) -> Result<Mapping> {
    if is_url(path) { fetch::metadata(path) } else { Mapping::open(path) }
}
