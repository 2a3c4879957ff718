//! `aofkit list`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::Common;
use super::exit::Exit;
use super::output::{message, print, print_json};
use crate::base::error::Result;
use crate::ops::list::age::AgeLimit;
use crate::ops::list::{ListOptions, list};
use crate::ops::prune::Within;
use crate::report;

/// List the archives in a directory: time, source, size and state
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {
    /// The directory with archives, or object storage: s3://BUCKET/PREFIX
    #[arg(value_name = "DIR|URL")]
    directory: PathBuf,
    /// Verify each archive now
    #[arg(long)]
    verify: bool,
    /// Exit with 1 unless the newest good backup of each source is at most this old
    ///
    /// For example 26h or 2y5m7d3h, where m is months. Good is what is neither damaged nor unreadable, and with
    /// --verify, what was found sound now. A backup with a time in the future never counts as the newest.
    #[arg(long, value_name = "DURATION")]
    max_age: Option<Within>,
    /// Only this source, as it is listed
    #[arg(long, value_name = "HOST:PORT")]
    source: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  aofkit list /backup
  aofkit list --verify --quiet /backup || echo 'check the backups'
  aofkit list --max-age 26h --quiet /backup || echo 'the backups are too old'

Exit codes: 0 listed; 1 an archive is damaged or cannot be read, or with --max-age the newest good backup of a \
source is older, or there is none; 2 the directory cannot be read.";

impl List {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = ListOptions { verify: self.verify };
        let mut report = common.with_bar(|bar| list(&self.directory, options, bar))?;
        if let Some(source) = &self.source {
            report.retain_source(source);
        }
        if let Some(limit) = self.age_limit(Timestamp::now()) {
            report.check_age(&limit);
        }
        if common.json {
            print_json(&report)?;
        } else if !common.quiet {
            print(&report::list::text(&report))?;
        } else {
            message(&report::list::problems(&report));
        }
        Ok(Exit::after(&report))
    }

    /// Returns the limit of --max-age, counted back from `now` in local time.
    fn age_limit(&self, now: Timestamp) -> Option<AgeLimit> {
        let max_age = self.max_age?;
        let since = max_age.before(&now.to_zoned(TimeZone::system()));
        Some(AgeLimit { max_age: max_age.to_string(), since, source: self.source.clone(), now })
    }
}
