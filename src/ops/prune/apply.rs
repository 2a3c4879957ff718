//! Deleting the archives that a plan does not retain, under the lock of their source.
//!
//! The oldest archives are deleted first, one unlink after the other, so that a killed run leaves too many archives and
//! never too few.

use super::plan::PrunePlan;
use super::report::{Group, Judged};
use crate::base::error::Result;
use crate::base::progress::{Progress, Silent};
use crate::disk::{Lock, rename};
use crate::ops::list::Identity;
use crate::store::archives::remove_archive;
use crate::store::client::open_at;
use crate::store::lease::Lease;
use crate::store::url::is_url;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Deletes the archives that the plan does not retain. The caller holds the lock of the source. Failures are in the
/// result.
pub(super) fn apply(plan: PrunePlan) -> Group {
    let mut group = Group::planned(plan);
    group.archives.iter_mut().filter(|one| !one.plan.decision.keep).for_each(remove);
    group
}

fn remove(judged: &mut Judged) {
    let path = &judged.plan.path;
    let removed = if is_url(path) { remove_archive(path, &Silent) } else { rename::remove(path) };
    match removed {
        Ok(()) => judged.removed = true,
        Err(error) => judged.not_removed = Some(error.without_path().to_string()),
    }
}

/// The lock of a source in a backup directory, or its lease in a store.
pub(in crate::ops) enum SourceLock {
    Lock { _lock: Lock },
    Lease(Lease),
}

impl SourceLock {
    /// Fails if another run has taken over the lease.
    pub(in crate::ops) fn check(&self) -> Result<()> {
        match self {
            SourceLock::Lock { .. } => Ok(()),
            SourceLock::Lease(lease) => lease.check(),
        }
    }
}

/// Takes the lock of a source in a backup directory, for which it waits for at most `wait`; `None` for a dry run.
pub(in crate::ops) fn lock_unless(
    dry_run: bool,
    directory: &Path,
    source: &Identity,
    what: &str,
    (wait, progress): (Duration, &dyn Progress),
) -> Result<Option<SourceLock>> {
    if dry_run {
        return Ok(None);
    }
    let name = format!("{}.lock", source.file_prefix());
    let what = format!("{what} of {source}");
    if is_url(directory) {
        let (client, place) = open_at(directory, progress)?;
        let lease = Lease::take(&Arc::new(client), &place, &name, &what, wait, progress)?;
        return Ok(Some(SourceLock::Lease(lease)));
    }
    let lock = Lock::take_within(&directory.join(name), &what, wait, || progress.check())?;
    Ok(Some(SourceLock::Lock { _lock: lock }))
}
