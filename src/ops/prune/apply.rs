//! Deleting the archives that a plan does not retain, under the lock of their source.
//!
//! The oldest archives are deleted first, one unlink after the other, so that a killed run leaves too many archives and
//! never too few.

use super::plan::PrunePlan;
use super::report::{Group, Judged};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::disk::{Lock, rename};
use crate::ops::list::Identity;
use std::path::Path;
use std::time::Duration;

/// Deletes the archives that the plan does not retain. The caller holds the lock of the source. Failures are in the
/// result.
pub(super) fn apply(plan: PrunePlan) -> Group {
    let mut group = Group::planned(plan);
    group.archives.iter_mut().filter(|one| !one.plan.decision.keep).for_each(remove);
    group
}

fn remove(judged: &mut Judged) {
    match rename::remove(&judged.plan.path) {
        Ok(()) => judged.removed = true,
        Err(error) => judged.not_removed = Some(error.without_path().to_string()),
    }
}

/// Takes the lock of a source in a backup directory, for which it waits for at most `wait`; `None` for a dry run.
pub(in crate::ops) fn lock_unless(
    dry_run: bool,
    directory: &Path,
    source: &Identity,
    what: &str,
    (wait, progress): (Duration, &dyn Progress),
) -> Result<Option<Lock>> {
    if dry_run {
        return Ok(None);
    }
    let path = directory.join(format!("{}.lock", source.file_prefix()));
    let what = format!("{what} of {source}");
    Lock::take_within(&path, &what, wait, || progress.check()).map(Some)
}
