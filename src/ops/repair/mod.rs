//! Mend a damaged log: cut its torn end, or step over the damage.
//!
//! First a [`Plan`] says which bytes stay; kept bytes are copied as they are, never encoded anew. Then the
//! plan is carried out into a new file or directory, which is read back and verified before it appears
//! under its name.

pub mod plan;
pub mod refusal;
pub mod report;

use std::path::Path;

pub use plan::{Dropped, Plan, Why};
pub use refusal::Refusal;
pub use report::RepairReport;

use crate::aof::open::open;
use crate::error::{Error, ErrorKind, Result};
pub use crate::ops::kept::Output;
use crate::ops::kept::{self, Place, Stands};
use crate::ops::overwrite::inputs;
use crate::ops::survey::survey;
use crate::progress::Progress;
use crate::units::{Bytes, Count};

/// What to do about a MULTI without EXEC that later writes may stand behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OpenTransaction {
    /// Refuse, and tell the choices.
    #[default]
    Ask,
    /// Cut everything from the MULTI on, as servers do.
    Cut,
    /// Take out the transaction, and keep everything from the first SELECT behind it.
    KeepFromSelect,
}

/// How to repair.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the result goes.
    pub output: Output,
    /// Step over damage and keep what is whole behind it.
    pub salvage: bool,
    /// What to do about an open transaction that later writes may stand behind.
    pub open_transaction: OpenTransaction,
    /// Change nothing when more bytes than these would be lost.
    pub max_loss_bytes: Option<u64>,
    /// Change nothing when more whole commands than these would be lost.
    pub max_lost_commands: Option<u64>,
    /// Replace what stands at the output; go on although a process writes to the input.
    pub force: bool,
}

impl Options {
    /// A plain repair to `output`.
    pub fn to(output: Output) -> Self {
        Options {
            output,
            salvage: false,
            open_transaction: OpenTransaction::Ask,
            max_loss_bytes: None,
            max_lost_commands: None,
            force: false,
        }
    }
}

/// Repairs the log at `path`. Where nothing is damaged, nothing is written; nor where nothing would be left of the log,
/// which [`RepairReport::refused`] says.
///
/// # Errors
///
/// - When the log cannot be opened, or its RDB is broken.
/// - [`ErrorKind::Limit`]: more would be lost than allowed; nothing was changed.
/// - [`ErrorKind::Refused`]: a choice is needed that was not made, the output exists, or somebody writes to the
///   input.
pub fn repair(path: &Path, options: &Options, progress: &dyn Progress) -> Result<RepairReport> {
    let log = open(path)?;
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
    let write = |place: Place<'_>| kept::write(&log, &plan.kept(), place, &|_| Ok(()), progress);
    let Stands { written, backup } = kept::put(&log, &options.output, options.force, write)?;
    (report.written, report.backup) = (written, backup);
    Ok(report)
}

fn check_limits(plan: &Plan, options: &Options, path: &Path) -> Result<()> {
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
