//! What the key filter of an archive says, without unpacking the archive.

use std::io::Cursor;
use std::path::Path;

use super::file::map_metadata;
use super::plain;
use super::verify::is_archive;
use crate::archive::cross_check;
use crate::archive::encryption::format::is_encrypted;
use crate::archive::key_filter::KeyFilter;

/// Returns whether `path` is an archive whose log never named the key, by its key filter. An archive without a filter, or
/// with one that is damaged or of another version, may have the key.
pub(crate) fn lacks_key(path: &Path, key: &[u8]) -> bool {
    if !is_archive(path) {
        return false;
    }
    let Ok(mapping) = map_metadata(path) else { return false };
    let filter = match is_encrypted(mapping.bytes()) {
        true => plain::key_filter(&mapping),
        false => cross_check::key_filter(Cursor::new(mapping.bytes())),
    };
    let lacks = filter
        .is_some_and(|bytes| KeyFilter::open(&bytes).is_some_and(|filter| !filter.may_have(key)));
    lacks && mapping.check().is_ok()
}
