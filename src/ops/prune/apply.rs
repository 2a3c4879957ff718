//! Deleting the archives that a policy does not retain.
//!
//! Only backups made by aofkit are deleted, separately for each source. Before the first archive of a source is
//! deleted, one that stays must have been read from end to end and found intact in this run: that it was intact when it
//! was created is not sufficient, because disks lose data. If the policy would retain only damaged archives, the newest
//! intact one is retained as well; if none is intact, nothing is deleted.
//!
//! The oldest archives are deleted first, one unlink after the other, so that a killed run leaves too many archives and
//! never too few.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::decide;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::{Progress, Silent};
use crate::disk::{Lock, rename};
use crate::ops::list::{self, Identity, Listed, State, list};
use crate::ops::prune::decide::{Decision, Reason};
use crate::ops::prune::policy::KeepPolicy;

/// Options of [`prune`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct PruneOptions {
    /// The retention policy.
    pub policy: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The current time.
    pub now: Timestamp,
    /// The time zone that determines where hours and days begin.
    pub zone: TimeZone,
}

impl Default for PruneOptions {
    /// No policy, which [`prune`] refuses, at the current time in the time zone of the system.
    fn default() -> Self {
        PruneOptions {
            policy: KeepPolicy::default(),
            dry_run: false,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        }
    }
}

/// The result of pruning a directory, or of a dry run.
#[derive(Debug, Clone, Serialize)]
pub struct PruneReport {
    /// The path of the directory, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub directory: PathBuf,
    /// The retention policy.
    pub policy: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The sources, ordered by name.
    pub groups: Vec<Group>,
    /// The archives that the policy does not apply to: made by other programs or by `compress`, or unreadable.
    pub others: Vec<Listed>,
    /// The number of archives that were or would be deleted.
    pub removed: u64,
    /// The total size of these archives in bytes.
    pub freed_bytes: u64,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The backups of one source.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The source.
    pub source: Identity,
    /// Whether another run held its lock, so that nothing was done.
    pub locked: bool,
    /// Its backups, oldest first.
    pub archives: Vec<Judged>,
    /// The path of the archive that was found intact before any was deleted.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub last_good: Option<PathBuf>,
    /// The reason why fewer archives were deleted than the policy requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A backup and the decision about it.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The time of its data.
    pub created: Timestamp,
    /// The size in bytes.
    pub archive_bytes: u64,
    /// The decision whether it is retained.
    #[serde(flatten)]
    pub decision: Decision,
    /// The result of its verification; `None` if it was not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Whether it was deleted.
    pub removed: bool,
    /// The damage to it, or the reason why it could not be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl PruneReport {
    /// Returns whether any problem was found.
    pub fn has_problems(&self) -> bool {
        self.groups.iter().any(Group::has_problems)
            || self.others.iter().any(|other| other.state == State::Unreadable)
    }
}

impl Group {
    /// Returns whether any problem was found.
    pub fn has_problems(&self) -> bool {
        self.problem.is_some() || self.archives.iter().any(|archive| archive.problem.is_some())
    }

    /// Returns the number and the total bytes of the archives that were or would be deleted.
    pub fn removed(&self, dry_run: bool) -> (u64, u64) {
        let gone = self.archives.iter().filter(|one| one.removed || dry_run && !one.decision.keep);
        gone.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.archive_bytes))
    }
}

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
    let (backups, others): (Vec<Listed>, _) = listed.archives.into_iter().partition(is_backup);
    let mut sources: Vec<Identity> =
        backups.iter().filter_map(|one| Some(one.made.as_ref()?.identity.clone())).collect();
    sources.dedup();
    let mut groups = Vec::new();
    let mut locked = None;
    for source in sources {
        match lock_unless(options.dry_run, directory, &source, "prune") {
            Ok(_lock) => groups.push(prune_source(directory, &source, options, None, progress)?),
            Err(error) if error.kind() == ErrorKind::Locked => {
                let problem = Some(error.to_string());
                groups.push(Group {
                    source,
                    locked: true,
                    archives: Vec::new(),
                    last_good: None,
                    problem,
                });
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
        removed,
        freed_bytes,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

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

fn is_backup(listed: &Listed) -> bool {
    listed.made.as_ref().is_some_and(|made| made.backup)
}

/// A backup that was just made and read back, or that a dry run would make.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct JustMade<'a> {
    /// The path of the archive.
    pub(in crate::ops) path: &'a Path,
    /// The time of its data.
    pub(in crate::ops) created: Timestamp,
}

/// Prunes the backups of one source, whose lock the caller holds.
pub(in crate::ops) fn prune_source(
    directory: &Path,
    source: &Identity,
    options: &PruneOptions,
    just_made: Option<JustMade<'_>>,
    progress: &dyn Progress,
) -> Result<Group> {
    // Listed again, because the archive may have changed before the lock was taken.
    let listed = list(directory, list::ListOptions::default(), &Silent)?;
    let mut backups: Vec<Listed> = listed.archives;
    backups.retain(|one| {
        is_backup(one) && one.made.as_ref().is_some_and(|made| made.identity == *source)
    });
    let mut times: Vec<Timestamp> =
        backups.iter().filter_map(|one| Some(one.made.as_ref()?.created)).collect();
    let is_there = just_made.is_some_and(|made| backups.iter().any(|one| one.path == made.path));
    if let Some(made) = just_made.filter(|_| !is_there) {
        times.push(made.created);
    }
    let decisions = decide(&times, &options.policy, options.now, &options.zone);
    let mut archives: Vec<Judged> = (backups.iter().zip(&times).zip(decisions))
        .map(|((listed, created), decision)| Judged {
            path: listed.path.clone(),
            created: *created,
            archive_bytes: listed.archive_bytes,
            decision,
            state: None,
            removed: false,
            problem: None,
        })
        .collect();
    let mut group = Group {
        source: source.clone(),
        locked: false,
        archives: Vec::new(),
        last_good: None,
        problem: None,
    };
    if archives.iter().any(|one| !one.decision.keep) {
        group.last_good = match just_made {
            // It was just read from end to end.
            Some(made) => {
                keep_just_made(&mut archives, made);
                Some(made.path.to_owned())
            }
            None => find_good(&mut archives, &backups, progress),
        };
        if group.last_good.is_none() {
            archives.iter_mut().for_each(|one| one.decision.keep = true);
            group.problem =
                Some("no archive of this source is whole, so none was removed".to_owned());
        }
        if !options.dry_run {
            archives.iter_mut().filter(|one| !one.decision.keep).for_each(remove);
        }
    }
    group.archives = archives;
    Ok(group)
}

/// Retains the backup just made, even if a clock that was set back makes it older than others.
fn keep_just_made(archives: &mut [Judged], made: JustMade<'_>) {
    let gone = archives.iter_mut().filter(|one| one.path == made.path && !one.decision.keep);
    gone.for_each(|one| {
        one.decision.keep = true;
        one.decision.reasons.push(Reason::LastGood);
    });
}

/// Finds the newest intact archive among those that stay or, if none of them is intact, among the others; it is then
/// retained.
fn find_good(
    archives: &mut [Judged],
    backups: &[Listed],
    progress: &dyn Progress,
) -> Option<PathBuf> {
    for is_kept in [true, false] {
        for (judged, listed) in archives.iter_mut().zip(backups).rev() {
            if judged.decision.keep != is_kept {
                continue;
            }
            let mut listed = listed.clone();
            list::verify(&mut listed, progress);
            judged.state = Some(listed.state);
            if listed.state == State::Sound {
                if !is_kept {
                    judged.decision.keep = true;
                    judged.decision.reasons.push(Reason::LastGood);
                }
                return Some(judged.path.clone());
            }
            let what = listed.message.unwrap_or_else(|| "it is damaged".to_owned());
            judged.problem = Some(format!("not whole: {what}"));
        }
    }
    None
}

fn remove(judged: &mut Judged) {
    match rename::remove(&judged.path) {
        Ok(()) => judged.removed = true,
        Err(error) => judged.problem = Some(list::told_without_path(&error)),
    }
}
