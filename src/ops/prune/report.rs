//! The report of `prune`, which is the schema of its JSON output.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::{PlannedArchive, PrunePlan};
use super::policy::KeepPolicy;
use crate::base::error::Error;
use crate::ops::list::{Identity, Listed, State};

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
    /// What killed runs left in a store that was removed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) cleared: Vec<String>,
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

/// A backup, what was planned for it, and whether it was done.
#[derive(Debug, Clone, Serialize)]
pub struct Judged {
    /// What is planned for it.
    #[serde(flatten)]
    pub plan: PlannedArchive,
    /// Whether it was deleted.
    pub removed: bool,
    /// The reason why it could not be deleted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_removed: Option<String>,
}

impl Judged {
    /// Returns whether it is damaged, or could not be deleted.
    pub fn has_problem(&self) -> bool {
        self.plan.problem.is_some() || self.not_removed.is_some()
    }
}

impl PruneReport {
    /// Returns whether any problem was found.
    pub fn has_problems(&self) -> bool {
        self.groups.iter().any(Group::has_problems)
            || self.others.iter().any(|other| other.state == State::Unreadable)
    }
}

impl Group {
    /// Returns the group of a plan that was not applied.
    pub(super) fn planned(plan: PrunePlan) -> Self {
        let PrunePlan { source, archives, last_good, problem } = plan;
        let judged = |plan| Judged { plan, removed: false, not_removed: None };
        let archives = archives.into_iter().map(judged).collect();
        Group { source, locked: false, archives, last_good, problem }
    }

    /// Returns the group of a source whose lock another run holds.
    pub(super) fn locked(source: Identity, error: &Error) -> Self {
        let problem = Some(error.to_string());
        Group { source, locked: true, archives: Vec::new(), last_good: None, problem }
    }

    /// Returns whether any problem was found.
    pub fn has_problems(&self) -> bool {
        self.problem.is_some() || self.archives.iter().any(Judged::has_problem)
    }

    /// Returns the number and the total bytes of the archives that were or would be deleted.
    pub fn removed(&self, dry_run: bool) -> (u64, u64) {
        let gone =
            self.archives.iter().filter(|one| one.removed || dry_run && !one.plan.decision.keep);
        gone.fold((0, 0), |(count, bytes), one| (count + 1, bytes + one.plan.archive_bytes))
    }
}
