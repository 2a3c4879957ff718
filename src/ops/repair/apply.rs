//! Applying the plan of a repair: the retained ranges are copied, and nothing else is decided. The report is the schema
//! of the JSON output.

use serde::Serialize;
use std::path::{Path, PathBuf};

use super::plan::{PlannedRepair, RepairPlan};
use super::retained_ranges::{self, Destination, Output, Written};
use crate::base::error::Result;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::base::units::counted;

/// Writes what the plan retains to `output`. Nothing is written if nothing is damaged, or if the plan is refused.
/// `force`: an existing log is overwritten, and a log is replaced although a process writes to it.
///
/// # Errors
///
/// When the result cannot be written, the log has changed since it was read, or a process writes to the log to
/// replace. The destination is then unchanged.
pub fn apply(
    planned: PlannedRepair,
    output: &Output,
    force: bool,
    progress: &dyn Progress,
) -> Result<RepairReport> {
    let PlannedRepair { log, plan } = planned;
    let write = |place: Destination<'_>| {
        retained_ranges::write(&log, &plan.retained, place, &|_| Ok(()), progress)
    };
    let Written { written, backup } = match plan.writes() {
        true => retained_ranges::write_output(&log, output, force, write)?,
        false => Written { written: None, backup: None },
    };
    let dry_run = *output == Output::DryRun;
    let path = log.path.clone();
    let next = plan.refused.as_ref().map_or(Vec::new(), |_| next_steps(&path, &plan));
    Ok(RepairReport { path, dry_run, plan, next, written, backup })
}

/// Returns the steps to choose from if nothing would be left of the log at `path`.
fn next_steps(path: &Path, plan: &RepairPlan) -> Vec<NextStep> {
    let path = path_arg(path);
    let mut next = Vec::new();
    if plan.lost_commands > 0 && !plan.salvage {
        let found = counted(plan.lost_commands, "whole command");
        let why = format!("Preview the repair that keeps {found} found in the bytes");
        let args = ["repair", &path, "--salvage", "--dry-run"];
        next.push(NextStep::alternative(why, [Action::aofkit(args)]));
    }
    let why = "Inspect the bytes";
    next.push(NextStep::alternative(why, [Action::aofkit(["verify", &path])]));
    next
}

/// The retained and the lost content, and the path of the result.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// What is retained and removed, or would be.
    #[serde(flatten)]
    pub plan: RepairPlan,
    /// The steps to choose from if nothing is written because nothing would be left of the log.
    pub next: Vec<NextStep>,
    /// The path of the result; absent for a dry run, or if nothing is damaged.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub written: Option<PathBuf>,
    /// The path of the complete backup of the original, if it was replaced.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub backup: Option<PathBuf>,
}
