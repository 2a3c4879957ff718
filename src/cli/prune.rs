//! `aofkit prune`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Common, LockArg, RetentionArgs};
use super::exit::Exit;
use crate::base::error::Result;
use crate::ops::prune::{PruneOptions, prune};
use crate::report;

/// Remove old backups by retention rules, never the last valid one
///
/// The rules apply to each source separately. Only archives made by `aofkit backup` are removed, and only after one
/// of the archives to keep has been verified.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prune {
    /// The directory with archives
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Report what would be removed; remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    keeping: RetentionArgs,
    #[command(flatten)]
    lock: LockArg,
}

const EXAMPLES: &str = "\
Examples:
  aofkit prune --dry-run /backup --keep-last 10
  aofkit prune /backup --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly unlimited

Exit codes: 0 done; 1 fewer archives were removed because some are damaged; 2 failed: nothing was removed; 3 some \
archives could not be read or removed; 5 a backup is running.";

impl Prune {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = PruneOptions {
            policy: self.keeping.policy(),
            dry_run: self.dry_run,
            lock_wait: self.lock.lock_wait,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        };
        let report = common.with_bar(|bar| prune(&self.directory, &options, bar))?;
        common.print_report(&report, report.has_problems(), || report::retention::text(&report))?;
        Ok(Exit::after(&report))
    }
}
