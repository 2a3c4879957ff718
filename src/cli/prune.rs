//! `aofkit prune`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Common, RetentionArgs};
use super::exit::Exit;
use crate::base::error::Result;
use crate::ops::prune::apply::prune;
use crate::ops::prune::{PruneOptions, PruneReport};
use crate::report;

/// Remove old backups by rule, and never the last good one
///
/// Each source is pruned by itself. Only what `aofkit backup` made is removed, and only after one that stays was read
/// from end to end and found whole.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prune {
    /// The directory where archives are kept
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Say what would be removed; remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    keeping: RetentionArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit prune --dry-run /backup --keep-last 10
  aofkit prune /backup --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly unlimited

Exit codes: 0 done; 1 a backup is damaged or cannot be read, or none is whole, so that less was removed; 2 not \
possible: nothing was removed; 3 some could not be removed; 5 a backup runs.";

impl Prune {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = PruneOptions {
            policy: self.keeping.policy(),
            dry_run: self.dry_run,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        };
        let report = common.with_bar(|bar| prune(&self.directory, &options, bar))?;
        common.tell(&report, report.has_problems(), || report::retention::text(&report))?;
        Ok(exit(&report))
    }
}

fn exit(report: &PruneReport) -> Exit {
    let groups = &report.groups;
    let stays_against_the_rule = groups
        .iter()
        .flat_map(|group| &group.archives)
        .any(|archive| !report.dry_run && !archive.decision.keep && !archive.removed);
    if stays_against_the_rule || groups.iter().any(|group| group.locked) {
        Exit::Partial
    } else if report.has_problems() {
        Exit::Findings
    } else {
        Exit::Done
    }
}
