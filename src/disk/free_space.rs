//! How much room there is.

use std::path::Path;

use crate::base::error::{Error, Result};

/// Bytes that whoever runs this may still write to the file system that holds `path`, as statvfs(3) tells: what only
/// root may take does not count.
///
/// # Errors
///
/// When the system does not tell.
pub fn free_bytes(path: &Path) -> Result<u64> {
    let told = rustix::fs::statvfs(path)
        .map_err(|error| Error::io("ask for the free space of", path, error.into()))?;
    Ok(told.f_bavail.saturating_mul(told.f_frsize))
}
