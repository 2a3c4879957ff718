//! Repairing a damaged log by cutting its torn end or skipping the damage.
//!
//! A [`Plan`] first determines which bytes are retained; they are copied unchanged, never re-encoded. The result is
//! written to a new file or directory, read back and verified before it is published under its name.

mod options;
pub mod plan;
pub mod refusal;
pub mod report;
pub mod retained_ranges;

pub use options::{OpenTransaction, RepairOptions};

use std::path::Path;

pub use plan::{DropReason, Dropped, Plan};
pub use refusal::Refusal;
pub use report::RepairReport;

use crate::analysis::survey::survey;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::{Bytes, Count};
use crate::input::files::open_files;
use crate::input::overwrite::inputs;
pub use retained_ranges::Output;
use retained_ranges::{Destination, Written};

/// Repairs the log at `path`. Nothing is written if nothing is damaged, or if nothing would be left of the log;
/// [`RepairReport::refused`] reports the latter.
///
/// # Errors
///
/// - When the log cannot be opened, or its RDB is broken.
/// - [`ErrorKind::Limit`]: more would be lost than allowed; nothing was changed.
/// - [`ErrorKind::Refused`]: a required choice was not made, the output exists, or a process writes to the input.
pub fn repair(
    path: &Path,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<RepairReport> {
    let log = open_files(path)?;
    options.output.check(options.force, &inputs(&log))?;
    progress.phase("read", log.bytes());
    let surveys =
        log.parts.iter().map(|part| survey(part, progress)).collect::<Result<Vec<_>>>()?;
    let plan = plan::plan(&log, &surveys, options)?;
    let mut report = RepairReport::new(&log, &surveys, &plan, options);
    if plan.keeps_everything() || report.refused.is_some() {
        return Ok(report);
    }
    check_limits(&plan, options, path)?;
    let write = |place: Destination<'_>| {
        retained_ranges::write(&log, &plan.kept(), place, &|_| Ok(()), progress)
    };
    let Written { written, backup } =
        retained_ranges::write_output(&log, &options.output, options.force, write)?;
    (report.written, report.backup) = (written, backup);
    Ok(report)
}

fn check_limits(plan: &Plan, options: &RepairOptions, path: &Path) -> Result<()> {
    let (bytes, commands) = (plan.lost_bytes(), plan.lost_commands());
    let limit = |what: String| {
        Err(Error::new(ErrorKind::Limit, what)
            .at(path)
            .help("nothing was changed; look at it with --dry-run, and raise the limit if the loss is acceptable"))
    };
    if let Some(max) = options.max_loss_bytes.filter(|&max| bytes > max) {
        return limit(format!("{} would be lost, and {} is the limit", Bytes(bytes), Bytes(max)));
    }
    if let Some(max) = options.max_lost_commands.filter(|&max| commands > max) {
        return limit(format!(
            "{} commands would be lost, and {} is the limit",
            Count(commands),
            Count(max)
        ));
    }
    Ok(())
}
