//! The lock of a source in a backup directory.

use std::path::Path;

use crate::base::error::Result;
use crate::disk::Lock;
use crate::ops::list::Identity;

/// Takes the lock of a source in a backup directory; `None` for a dry run.
pub(in crate::ops) fn lock_unless(
    dry_run: bool,
    directory: &Path,
    source: &Identity,
    what: &str,
) -> Result<Option<Lock>> {
    if dry_run {
        return Ok(None);
    }
    let path = directory.join(format!("{}.lock", source.file_prefix()));
    Lock::take(&path, &format!("{what} of {source}")).map(Some)
}
