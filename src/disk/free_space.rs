//! The free space of a file system.

use std::env;
use std::path::Path;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::units::Bytes;

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

/// Fails if the directory for temporary files has no room for what an archive needs there. `help` says what is written there.
pub(crate) fn check_temporary_space(needed: u64, help: &str) -> Result<()> {
    let place = env::temp_dir();
    let free = free_bytes(&place).map_err(|error| error.help(help))?;
    if free >= needed {
        return Ok(());
    }
    let what = format!(
        "{} are free for temporary files, and the archive needs {}",
        Bytes(free),
        Bytes(needed)
    );
    Err(Error::new(ErrorKind::Refused, what).at(&place).help(help))
}
