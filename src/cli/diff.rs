//! `aofkit diff`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, KeyArgs, KeyHelp, ReplayArgs};
use super::exit::Exit;
use super::output::{Lines, print};
use super::progress::Bar;
use crate::analysis::data_filter::Filter;
use crate::base::error::Result;
use crate::ops::diff::{DiffOptions, DiffReport, Difference, diff};
use crate::report;
use crate::report::JsonLines;

/// Show which keys differ between two logs, or a log and an RDB
///
/// Both are replayed as a server would load them and compared key by key: value, type and expiry, including field
/// expiry and stream groups. Expired keys are compared like all others, except with --drop-expired.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Diff {
    /// The first log, RDB, or archive of one
    #[arg(value_name = "A")]
    a: PathBuf,
    /// The second log, RDB, or archive of one
    #[arg(value_name = "B")]
    b: PathBuf,
    /// List the keys, one per line, unsorted: `-` only in A, `+` only in B, `~` different
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    keys: KeyArgs<Compared>,
    /// Treat expired keys as missing
    #[arg(long)]
    drop_expired: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
}

/// The help texts for selecting the keys to compare.
#[derive(Debug)]
struct Compared;

impl KeyHelp for Compared {
    const DB: &'static str = "Compare only keys of this database; may be repeated";
    const PATTERN: &'static str =
        "Compare only keys that match this pattern (syntax of KEYS); may be repeated";
    const SLOTS: &'static str =
        "Compare only keys of these cluster slots (0-5460,12182); may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit diff yesterday/appendonlydir /var/lib/redis/appendonlydir
  aofkit diff --list --pattern 'user:*' dump.rdb appendonly.aof
  aofkit diff --list --json a.aof b.aof | jq -r 'select(.kind == \"key\").key.text'

Exit codes: 0 the same; 1 different; 2 failed.";

impl Diff {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = DiffOptions {
            filter: Filter {
                keys: self.keys.filter(),
                drop_expired_ms: self.drop_expired.then(|| self.replaying.now_ms()),
            },
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
        };
        let (mut lines, mut json) = (Lines::default(), JsonLines::<DiffReport>::default());
        let mut found = |difference: &Difference| {
            lines.add(|out| match common.json {
                true => json.line("key", difference, out),
                false => report::diff::line(difference, out),
            })
        };
        let listing = self.list && !common.quiet;
        let bar = if listing { Bar::beside_lines(common) } else { Bar::new(common) };
        let paths = [self.a.as_path(), self.b.as_path()];
        let report = match listing {
            true => diff(paths, &options, Some(&mut found), &bar),
            false => diff(paths, &options, None, &bar),
        };
        drop(bar);
        let report = report?;
        match (common.json, listing) {
            (true, true) => lines.add(|out| json.summary(&report, out))?,
            (true, false) => print(&report::json(&report))?,
            (false, true) => lines.add(|out| out.push(b'\n'))?,
            (false, false) => {}
        }
        lines.flush()?;
        if !common.json && !common.quiet {
            print(&report::diff::text(&report))?;
        }
        Ok(Exit::after(&report))
    }
}
