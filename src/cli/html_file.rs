//! The HTML file of a report: written whole, readable by its owner alone unless told otherwise, and never in the place of
//! another file than an earlier report of the same kind.

use std::io::Write;
use std::path::Path;

use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::publish::{Existing, NewFile, check_writable};
use crate::disk::{Access, OwnFile};

/// The mode, unless another is given.
pub(super) const PRIVATE: u32 = 0o600;

/// Fails if another file than an earlier report is at `path`, or nothing can be written there. Every report of this kind
/// begins with `start`.
pub(super) fn check(path: &Path, start: &str) -> Result<()> {
    check_writable(path)?;
    match OwnFile::read(path, start.len() as u64)? {
        Some(file) if !file.bytes.is_empty() && file.bytes != start.as_bytes() => {
            Err(Error::new(ErrorKind::Refused, "this file is not an earlier report of this kind")
                .at(path)
                .help("it would be overwritten: name another file, or remove this one"))
        }
        _ => Ok(()),
    }
}

/// Writes a report, whole, after [`check`].
pub(super) fn write(path: &Path, start: &str, page: &str, mode: u32) -> Result<()> {
    check(path, start)?;
    let mut file = NewFile::create(path, Existing::Overwrite, Access::PRIVATE)?;
    let written = file.file().write_all(page.as_bytes());
    written.map_err(|error| Error::io("write", path, error))?;
    file.publish_with_mode(mode)
}
