//! What the key filter of an archive says, without unpacking the archive.

use std::io::Cursor;
use std::path::Path;

use super::file::{is_encrypted_object, map_metadata};
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
    let lacks = |filter: Option<Vec<u8>>| {
        filter.is_some_and(|bytes| {
            KeyFilter::open(&bytes).is_some_and(|filter| !filter.may_have(key))
        })
    };
    if is_encrypted_object(path) {
        return lacks(plain::key_filter_in_store(path));
    }
    let Ok(mapping) = map_metadata(path) else { return false };
    let filter = match is_encrypted(mapping.bytes()) {
        true => plain::key_filter(&mapping),
        false => cross_check::key_filter(Cursor::new(mapping.bytes())),
    };
    lacks(filter) && mapping.check().is_ok()
}
