//! Hard links.

use std::path::Path;
use std::{fs, io};

/// Gives the file at `from` the second name `to`, on the same file system.
///
/// # Errors
///
/// When something is at `to`, or the file system has no hard links or is another one.
pub fn link(from: &Path, to: &Path) -> io::Result<()> {
    fs::hard_link(from, to)
}
