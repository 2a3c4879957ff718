//! Applying the plan of a repair: the retained ranges are copied, and nothing else is decided.

use super::plan::PlannedRepair;
use super::report::RepairReport;
use super::retained_ranges::{self, Destination, Output, Written};
use crate::base::error::Result;
use crate::base::progress::Progress;

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
    Ok(RepairReport { path: log.path.clone(), dry_run, plan, written, backup })
}
