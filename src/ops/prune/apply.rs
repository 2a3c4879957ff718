//! Removing the archives that a policy does not keep.
//!
//! Only backups of aofkit are removed, each source by itself. Before the first of a source goes, one that stays must have
//! been read from end to end and found whole, now: that it was whole when it was made is not enough, for disks forget.
//! Where the policy would keep only damaged ones, the newest whole one stays as well; where none is whole, nothing goes.
//!
//! The oldest go first, one unlink after the other, so that a run that is killed leaves more than it should, and never
//! less.

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

/// How archives are pruned.
#[derive(Debug, Clone)]
pub struct PruneOptions {
    /// What is kept.
    pub policy: KeepPolicy,
    /// Whether nothing is removed.
    pub dry_run: bool,
    /// What counts as now.
    pub now: Timestamp,
    /// Where hours and days begin.
    pub zone: TimeZone,
}

/// What pruning a directory did, or would do.
#[derive(Debug, Clone, Serialize)]
pub struct PruneReport {
    /// The version of this schema.
    pub schema: u32,
    /// `prune`.
    pub report: &'static str,
    /// The directory, as it was given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub directory: PathBuf,
    /// The policy.
    pub policy: KeepPolicy,
    /// Whether nothing was to be removed.
    pub dry_run: bool,
    /// The sources, in the order of their names.
    pub groups: Vec<Group>,
    /// Archives that no policy concerns: made by others, made by `compress`, or unreadable.
    pub others: Vec<Listed>,
    /// Archives that were removed, or would be.
    pub removed: u64,
    /// Their bytes.
    pub freed_bytes: u64,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// The backups of one source.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// The source.
    pub source: Identity,
    /// Whether another run had it locked, so that nothing was done.
    pub locked: bool,
    /// Its backups, the oldest first.
    pub archives: Vec<Judged>,
    /// The one that was found whole before any was removed.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub last_good: Option<PathBuf>,
    /// Why less was done than the policy says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// One backup, and what becomes of it.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// Where it is, or was.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The time that it is of.
    pub created: Timestamp,
    /// Its length.
    pub archive_bytes: u64,
    /// Whether it stays.
    #[serde(flatten)]
    pub decision: Decision,
    /// Whether it was verified; `None` where that was not needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Whether it is gone.
    pub removed: bool,
    /// What is wrong with it, or why it could not be removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl PruneReport {
    /// Whether something is not as it should be.
    pub fn has_problems(&self) -> bool {
        self.groups.iter().any(Group::has_problems)
            || self.others.iter().any(|other| other.state == State::Unreadable)
    }
}

impl Group {
    /// Whether something is not as it should be.
    pub fn has_problems(&self) -> bool {
        self.problem.is_some() || self.archives.iter().any(|archive| archive.problem.is_some())
    }

    /// Archives that were removed, or would be, and their bytes.
    pub fn removed(&self, dry_run: bool) -> (u64, u64) {
        let gone = self.archives.iter().filter(|one| one.removed || dry_run && !one.decision.keep);
        gone.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.archive_bytes))
    }
}

/// Prunes the archives in `directory`, each source under its lock.
///
/// # Errors
///
/// When the directory cannot be read, or the policy asks for nothing; [`ErrorKind::Locked`] when every source is locked.
/// What goes wrong with one archive is in the report.
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
    let listed = list(directory, list::Options::default(), &Silent)?;
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
        schema: 1,
        report: "prune",
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

/// The lock of a source in a directory of archives; none for a run that changes nothing.
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

/// A backup that was just made and read back, or that a dry run stands for.
#[derive(Debug, Clone, Copy)]
pub(in crate::ops) struct JustMade<'a> {
    /// Where it is.
    pub(in crate::ops) path: &'a Path,
    /// The time that it is of.
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
    // Once more: it may have changed before the lock was ours.
    let listed = list(directory, list::Options::default(), &Silent)?;
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
            // It was read from end to end a moment ago.
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

/// What was just made stays, also where a clock that was put back makes it older than others.
fn keep_just_made(archives: &mut [Judged], made: JustMade<'_>) {
    let gone = archives.iter_mut().filter(|one| one.path == made.path && !one.decision.keep);
    gone.for_each(|one| {
        one.decision.keep = true;
        one.decision.reasons.push(Reason::LastGood);
    });
}

/// The newest that is whole of those that stay; of the others, where none of those is: it stays then.
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
