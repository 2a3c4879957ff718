//! Retention of archives, with the rules of restic's `forget`.
//!
//! [`decide()`] is a pure function of times and a policy. The rules, as restic documents them:
//!
//! - `last N` retains the N newest. `hourly N` retains the newest of each of the last N hours *that have one*; so do
//!   days, weeks (from Monday), months and years, in local time. An archive is retained if any rule retains it.
//! - A rule whose count is not used up at the oldest archive retains that too, so that the history is as long as
//!   possible.
//! - `within 2y5m7d3h` retains what is younger than that, counted back from the newest, not from now.
//! - An archive from the future, as after a wrong clock, is retained, and no rule counts it (restic: only `within` does not).
//! - An empty policy retains everything.
//!
//! Only backups made by aofkit are deleted, separately for each source: `plan` decides and writes nothing, `apply`
//! deletes. A dry run is a plan that is not applied.

mod apply;
mod decide;
mod plan;
mod policy;
mod report;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::Instant;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::{Progress, Silent};
use crate::ops::list::{self, Identity, Listed, list};
use crate::store::archives::clear_unfinished;
use crate::store::client::open_at;
use crate::store::url::is_url;

pub(in crate::ops) use apply::{SourceLock, lock_unless};
pub use decide::{Decision, Reason, decide};
pub(in crate::ops) use plan::JustMade;
pub use plan::{PlannedArchive, PrunePlan};
pub use policy::{Keep, KeepPolicy, PruneOptions, Within};
pub use report::{Group, Judged, PruneReport};

/// Prunes the archives in `directory`, each source under its lock.
///
/// # Errors
///
/// When the directory cannot be read, or the policy is empty; [`ErrorKind::Locked`] when every source is locked.
/// Problems with single archives are in the report.
pub fn prune(
    directory: &Path,
    options: &PruneOptions,
    progress: &dyn Progress,
) -> Result<PruneReport> {
    let started = Instant::now();
    if options.policy.is_empty() {
        return Err(Error::new(ErrorKind::Usage, "which archives shall be kept?").help(
            "say it with --keep-last, --keep-daily and the like; --dry-run shows what would go",
        ));
    }
    let listed = list(directory, list::ListOptions::default(), &Silent)?;
    let (backups, others): (Vec<Listed>, _) =
        listed.archives.into_iter().partition(plan::is_backup);
    let mut sources: Vec<Identity> =
        backups.iter().filter_map(|one| Some(one.made.as_ref()?.identity.clone())).collect();
    sources.dedup();
    let mut groups = Vec::new();
    let mut locked = None;
    let wait = (options.lock_wait, progress);
    let store = if is_url(directory) && !options.dry_run {
        Some(open_at(directory, progress)?)
    } else {
        None
    };
    let clear = |source: Option<&Identity>| match &store {
        Some((client, place)) => {
            clear_unfinished(client, place, source.map(Identity::to_string).as_deref())
        }
        None => Ok(Vec::new()),
    };
    let mut cleared = clear(None)?;
    for source in sources {
        match lock_unless(options.dry_run, directory, &source, "prune", wait) {
            Ok(_lock) => {
                cleared.extend(clear(Some(&source))?);
                groups.push(prune_source(directory, &source, options, None, progress)?);
            }
            Err(error) if error.kind() == ErrorKind::Locked => {
                groups.push(Group::locked(source, &error));
                locked = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    if let Some(error) = locked.filter(|_| groups.iter().all(|group| group.locked)) {
        return Err(error);
    }
    let sums = groups.iter().map(|group| group.removed(options.dry_run));
    let (removed, freed_bytes) = sums.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
    Ok(PruneReport {
        directory: directory.to_owned(),
        policy: options.policy,
        dry_run: options.dry_run,
        groups,
        others,
        cleared,
        removed,
        freed_bytes,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// Prunes the backups of one source, whose lock the caller holds unless it is a dry run.
pub(in crate::ops) fn prune_source(
    directory: &Path,
    source: &Identity,
    options: &PruneOptions,
    just_made: Option<JustMade<'_>>,
    progress: &dyn Progress,
) -> Result<Group> {
    let plan = plan::plan(directory, source, options, just_made, progress)?;
    progress.check()?;
    Ok(if options.dry_run { Group::planned(plan) } else { apply::apply(plan) })
}
