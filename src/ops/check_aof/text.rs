//! Lines and paths as redis-check-aof prints them.

use std::path::Path;

/// The size of the buffer for headers in bytes, including the terminating zero byte.
pub(super) const HEADER_BYTES: usize = 128;

pub(super) fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
