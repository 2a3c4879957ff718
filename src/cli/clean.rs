//! `aofkit clean`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::Common;
use super::exit::Exit;
use crate::base::error;
use crate::ops::clean::{CleanOptions, clean};
use crate::ops::prune::Within;
use crate::report;

/// List what aofkit has left in a directory, by age, and remove it
///
/// Leftovers are the copies of what was replaced (NAME.bak-*, NAME.cut-*, NAME.flushed), secured logs
/// (aofkit-hold-*), and the unfinished output of runs that were killed (.NAME.*.tmp). They are recognised by these
/// names, in the directory and in the sets in it. Nothing is removed without --yes; never what a process is
/// writing, what a manifest lists, a copy of which NAME is not there, a hold that is in effect, or a journal of
/// settings.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Clean {
    /// The data directory, or a directory with archives
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Remove copies and secured logs only from this age on: years, months, days and hours, as 2y5m7d3h
    #[arg(long, value_name = "AGE", default_value = "7d", value_parser = parse_age)]
    older_than: Within,
    /// Remove what is listed as removable
    #[arg(short, long, conflicts_with = "dry_run")]
    yes: bool,
    /// List only; this is the default
    #[arg(short = 'n', long)]
    dry_run: bool,
}

/// Parses an age as a period, which can be nothing: `0d`.
fn parse_age(text: &str) -> Result<Within, String> {
    if matches!(text, "0" | "0d" | "0h") { Ok(Within::default()) } else { text.parse() }
}

const EXAMPLES: &str = "\
Examples:
  aofkit clean /var/lib/redis
  aofkit clean --older-than 30d --yes /var/lib/redis

Exit codes: 0 listed or removed; 2 the directory cannot be read; 3 something could not be removed.";

impl Clean {
    pub(super) fn run(&self, common: &Common) -> error::Result<Exit> {
        let now = Timestamp::now();
        let since = self.older_than.before(&now.to_zoned(TimeZone::system()));
        let older_than = Duration::try_from(now.duration_since(since)).unwrap_or_default();
        let options = CleanOptions { older_than, dry_run: !self.yes };
        let report = common.with_bar(|bar| clean(&self.directory, &options, bar))?;
        common.print_report(&report, report.has_failed(), || report::clean::text(&report))?;
        Ok(Exit::after(&report))
    }
}
