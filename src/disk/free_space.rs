//! The free space of a file system.

use std::path::Path;

use crate::base::error::{Error, Result};

/// Returns the number of bytes that the current user can still write to the file system that
/// contains `path`, as reported by statvfs(3); space reserved for root does not count.
///
/// # Errors
///
/// Fails if the system does not report it.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let stat = rustix::fs::statvfs(path)
        .map_err(|error| Error::io("ask for the free space of", path, error.into()))?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
