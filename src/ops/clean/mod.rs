//! What aofkit has left in a directory: listed by age, and removed on request.
//!
//! Leftovers are known by the names that aofkit gives them. Nothing else is removed, and neither is what may still be
//! needed: output of a run that is at work, files that a process is writing, files that a manifest lists, a hold that is in
//! effect, and the journals by which settings are set back.

mod find;
mod kind;
pub mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

pub use kind::Kind;
pub use report::{CleanReport, FoundLeftover, Reason};

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::{abandoned, rename};

/// Options of [`clean()`].
#[derive(Debug, Clone, Copy)]
pub struct CleanOptions {
    /// The age from which copies and holds are removed.
    pub older_than: Duration,
    /// Whether nothing is removed.
    pub dry_run: bool,
}

/// Lists the leftovers in `directory`, and in the sets directly in it, the oldest first; removes those that are old and not
/// needed, unless it is a dry run.
///
/// # Errors
///
/// When a directory cannot be read. A leftover that cannot be removed is in the report.
pub fn clean(
    directory: &Path,
    options: &CleanOptions,
    progress: &dyn Progress,
) -> Result<CleanReport> {
    let mut leftovers = Vec::new();
    for place in places(directory)? {
        progress.check()?;
        leftovers.extend(find::find(&place, options.older_than)?);
    }
    // The age of what has none is unknown: it comes first.
    leftovers.sort_by(|a, b| b.age_s.cmp(&a.age_s).then_with(|| a.path.cmp(&b.path)));
    if !options.dry_run {
        for leftover in leftovers.iter_mut().filter(|leftover| leftover.keep.is_none()) {
            progress.check()?;
            remove(leftover);
        }
    }
    Ok(CleanReport {
        directory: directory.to_path_buf(),
        dry_run: options.dry_run,
        older_than_s: options.older_than.as_secs(),
        leftovers,
    })
}

fn remove(leftover: &mut FoundLeftover) {
    if leftover.kind == Kind::Unfinished && !abandoned::is_abandoned(&leftover.path) {
        leftover.keep = Some(Reason::AtWork);
        return;
    }
    match rename::remove_all(&leftover.path) {
        Ok(()) => leftover.removed = true,
        Err(error) => leftover.not_removed = Some(error.without_path().to_string()),
    }
}

/// Returns the directory, and those in it that are no leftovers themselves: the set of a server is one of them.
fn places(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut places = vec![directory.to_path_buf()];
    for entry in find::entries(directory)? {
        let is_place = entry.file_type().is_ok_and(|kind| kind.is_dir())
            && Kind::by_name(&entry.file_name()).is_none()
            && find::has_manifest(&entry.path())?;
        if is_place {
            places.push(entry.path());
        }
    }
    Ok(places)
}
