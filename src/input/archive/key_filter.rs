//! What the key filter of an archive says, without unpacking the archive.

use std::path::Path;

use super::file::map_metadata;
use super::verify::is_archive;
use crate::archive::cross_check;
use crate::archive::key_filter::KeyFilter;

/// Returns whether `path` is an archive whose log never named the key, by its key filter. An archive without a filter, or
/// with one that is damaged or of another version, may have the key.
pub(crate) fn lacks_key(path: &Path, key: &[u8]) -> bool {
    if !is_archive(path) {
        return false;
    }
    let Ok(mapping) = map_metadata(path) else { return false };
    let lacks = cross_check::key_filter(mapping.bytes())
        .is_some_and(|bytes| KeyFilter::open(&bytes).is_some_and(|filter| !filter.may_have(key)));
    lacks && mapping.check().is_ok()
}
