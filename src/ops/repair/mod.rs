//! Repairing a damaged log by cutting its torn end or skipping the damage, and the RDB that it begins with by setting
//! wrong bytes back or keeping the records that are whole.
//!
//! [`plan()`] determines which bytes are retained, and writes nothing; [`apply()`] copies them unchanged, never
//! re-encoded, to a new file or directory, which is read back and verified before it is published under its name. A dry
//! run is a plan that is not applied.

pub mod apply;
mod conflict;
mod converted_rdb;
mod databases;
pub mod decide;
pub(crate) mod joined;
mod options;
mod pairing;
pub mod plan;
pub(crate) mod rdb;
pub mod refusal;
pub(crate) mod replayed;
pub mod retained_ranges;
pub(crate) mod set;
pub(crate) mod start;
#[cfg(test)]
mod tests;
mod undecided;

pub use options::{Assumption, OpenTransaction, RepairOptions};

use std::path::Path;

pub use apply::{RepairReport, apply};
pub use decide::{DropReason, Dropped};
pub use plan::{PlannedRepair, RepairPlan, plan};
pub use refusal::Refusal;

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::input::absent::is_absent;
pub use retained_ranges::{Output, RetainedRanges};

/// Repairs the log at `path`. Nothing is written if nothing is damaged, or if nothing would be left of the log;
/// [`RepairPlan::refused`] reports the latter.
///
/// # Errors
///
/// - When the log cannot be opened, or its RDB is broken and cannot be repaired without `salvage`.
/// - [`ErrorKind::Limit`](crate::base::error::ErrorKind::Limit): more would be lost than allowed; nothing was changed.
/// - [`ErrorKind::Refused`](crate::base::error::ErrorKind::Refused): a required choice was not made, the output exists, or a process writes to the input.
pub fn repair(
    path: &Path,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<RepairReport> {
    if options.if_present && is_absent(path)? {
        return Ok(RepairReport::absent(path, options));
    }
    let planned = plan(path, options, progress)?;
    apply(planned, options, progress)
}
