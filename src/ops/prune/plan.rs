//! Planning which backups of a source are deleted. Planning reads archives, and writes nothing.
//!
//! Before the first archive of a source is deleted, one that stays must have been read from end to end and found intact
//! in this run: that it was intact when it was created is not sufficient, because disks lose data. If the policy would
//! retain only damaged archives, the newest intact one is retained as well; if none is intact, nothing is deleted.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::decide::{Decision, Reason, decide};
use super::policy::PruneOptions;
use crate::base::error::Result;
use crate::base::progress::{Progress, Silent};
use crate::ops::list::{self, Identity, Listed, State, list};

/// What is done with the backups of one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PrunePlan {
    /// The source.
    pub source: Identity,
    /// Its backups, oldest first.
    pub archives: Vec<PlannedArchive>,
    /// The path of the archive that was found intact.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub last_good: Option<PathBuf>,
    /// The reason why fewer archives are deleted than the policy requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// A backup and the decision about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedArchive {
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
    /// The damage to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

pub(super) fn is_backup(listed: &Listed) -> bool {
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

/// Plans which backups of one source are deleted. Unless it is a dry run, the caller holds the lock of the source until
/// the plan is applied.
///
/// # Errors
///
/// When the directory cannot be read.
pub(super) fn plan(
    directory: &Path,
    source: &Identity,
    options: &PruneOptions,
    just_made: Option<JustMade<'_>>,
    progress: &dyn Progress,
) -> Result<PrunePlan> {
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
    let mut archives: Vec<PlannedArchive> = (backups.iter().zip(&times).zip(decisions))
        .map(|((listed, created), decision)| PlannedArchive {
            path: listed.path.clone(),
            created: *created,
            archive_bytes: listed.archive_bytes,
            decision,
            state: None,
            problem: None,
        })
        .collect();
    let (mut last_good, mut problem) = (None, None);
    if archives.iter().any(|one| !one.decision.keep) {
        last_good = match just_made {
            // It was just read from end to end.
            Some(made) => {
                keep_just_made(&mut archives, made);
                Some(made.path.to_owned())
            }
            None => find_good(&mut archives, &backups, progress),
        };
        if last_good.is_none() {
            archives.iter_mut().for_each(|one| one.decision.keep = true);
            let is_unread = archives.iter().any(|one| one.state == Some(State::Encrypted));
            problem = Some(match is_unread {
                true => "the archives are encrypted and no identity is given, so none could be verified, and none was removed; \
                         give --identity, or use the options --keep-* of `backup`, which verifies the archive that it writes"
                    .to_owned(),
                false => "no archive of this source is whole, so none was removed".to_owned(),
            });
        }
    }
    Ok(PrunePlan { source: source.clone(), archives, last_good, problem })
}

/// Retains the backup just made, even if a clock that was set back makes it older than others.
fn keep_just_made(archives: &mut [PlannedArchive], made: JustMade<'_>) {
    let gone = archives.iter_mut().filter(|one| one.path == made.path && !one.decision.keep);
    gone.for_each(|one| {
        one.decision.keep = true;
        one.decision.reasons.push(Reason::LastGood);
    });
}

/// Finds the newest intact archive among those that stay or, if none of them is intact, among the others; it is then
/// retained. Those of the future come last, because nobody knows when they were made.
fn find_good(
    archives: &mut [PlannedArchive],
    backups: &[Listed],
    progress: &dyn Progress,
) -> Option<PathBuf> {
    let rank = |decision: &Decision| match decision.keep {
        true if decision.reasons.contains(&Reason::Future) => 2,
        true => 0,
        false => 1,
    };
    for wanted in 0..3 {
        for (judged, listed) in archives.iter_mut().zip(backups).rev() {
            if rank(&judged.decision) != wanted {
                continue;
            }
            let mut listed = listed.clone();
            list::verify(&mut listed, progress);
            judged.state = Some(listed.state);
            if listed.state == State::Sound {
                if !judged.decision.keep {
                    judged.decision.keep = true;
                    judged.decision.reasons.push(Reason::LastGood);
                }
                return Some(judged.path.clone());
            }
            let what = listed.message.unwrap_or_else(|| "it is damaged".to_owned());
            judged.problem = Some(match listed.state {
                State::Encrypted => what,
                _ => format!("not whole: {what}"),
            });
        }
    }
    None
}
