//! `aofkit prune`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Common, LockArg, RetentionArgs};
use super::exit::Exit;
use super::metrics::{MetricsArg, Recording};
use crate::base::error::Result;
use crate::base::escape::ShownPath;
use crate::ops::metrics::{Job, Sample};
use crate::ops::prune::{Judged, PruneOptions, PruneReport, prune};
use crate::report;

/// Remove old backups by retention rules, never the last valid one
///
/// The rules apply to each source separately. Only archives made by `aofkit backup` are removed, and only after one
/// of the archives to keep has been verified.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Prune {
    /// The directory with archives, or object storage: s3://BUCKET/PREFIX
    #[arg(value_name = "DIR|URL")]
    directory: PathBuf,
    /// Report what would be removed; remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    keeping: RetentionArgs,
    #[command(flatten)]
    lock: LockArg,
    #[command(flatten)]
    metrics: MetricsArg,
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
        let Some(file) = self.metrics.open()?.filter(|_| !self.dry_run) else {
            let report = common.with_bar(|bar| prune(&self.directory, &options, bar))?;
            return print(&report, common);
        };
        let key = ShownPath(&self.directory).to_string();
        let recording = Recording::begin(file, Job::Prune, vec![key.clone()], common)?;
        let pruned = common.with_bar(|bar| prune(&self.directory, &options, bar));
        let report = pruned.inspect_err(|error| recording.failed(&key, error))?;
        let exit = Exit::after(&report);
        recording.ended(&key, &key, exit, exit == Exit::Done, details(&report, &key));
        print(&report, common).map(|exit| recording.exit(exit))
    }
}

fn print(report: &PruneReport, common: &Common) -> Result<Exit> {
    common.print_report(report, report.has_problems(), || report::retention::text(report))?;
    Ok(Exit::after(report))
}

/// Returns the metrics of a run: how many archives were kept and deleted, and how many could not be.
fn details(report: &PruneReport, directory: &str) -> Vec<Sample> {
    let count = |name: &str, is_counted: fn(&Judged) -> bool| {
        let archives = report.groups.iter().flat_map(|group| &group.archives);
        #[allow(clippy::cast_precision_loss)] // There are fewer archives than 2^53.
        let count = archives.filter(|one| is_counted(one)).count() as f64;
        Sample::new(name, Job::Prune.label(), directory, count)
    };
    vec![
        count("aofkit_prune_kept_archives", |one| one.plan.decision.keep),
        count("aofkit_prune_deleted_archives", |one| one.removed),
        count("aofkit_prune_failed_archives", |one| one.not_removed.is_some()),
    ]
}
