//! `aofkit history`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::output::{Lines, message};
use super::parse::key_name;
use super::progress::Bar;
use crate::base::error::Result;
use crate::ops::history::{Event, HistoryOptions, HistoryReport, history};
use crate::report;
use crate::report::JsonLines;
use crate::report::style::{QUIET, Styled};

/// Show every write to one key
///
/// Below each command, the state of the key before and after it is shown: type, size and expiry. The key is traced
/// through RENAME, COPY, MOVE and SWAPDB, back to its origin and forward to its destination.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct History {
    /// The key; within double quotes, escapes as printed by redis-cli are decoded: '"caf\xc3\xa9"'
    #[arg(value_name = "KEY")]
    key: OsString,
    /// The log: a file, a multi-part directory, its manifest, the data directory above, one part, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Show the key only in this database; may be repeated
    #[arg(short, long, value_name = "N")]
    db: Vec<u32>,
    /// Do not shorten long values (JSON never does)
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit history user:1001 /var/lib/redis/appendonlydir
  aofkit history --db 2 '\"\\x00\\xff\"' appendonly.aof
  aofkit history --json cart:17 app.aof | jq 'select(.kind == \"event\").offset'

Exit codes: 0 done; 1 no command of the log writes to this key; 2 failed.";

impl History {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let key = key_name(&self.key);
        let options = HistoryOptions {
            key: key.clone(),
            dbs: self.db.clone(),
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
        };
        let (mut lines, mut json) = (Lines::default(), JsonLines::<HistoryReport>::default());
        let mut add_event = |event: &Event<'_>| {
            lines.add(|out| match (common.json, common.quiet) {
                (true, _) => json.line("event", event, out),
                (false, false) => report::history::event(event, &key, self.full, out),
                (false, true) => {}
            })
        };
        let bar = Bar::beside_lines(common);
        let report = history(&self.path, &options, &mut add_event, &bar);
        drop(bar);
        // Events found before a failure are printed.
        lines.flush()?;
        let report = report?;
        match (common.json, report.events) {
            (true, _) => lines.add(|out| json.summary(&report, out))?,
            (false, _) if common.quiet => {}
            (false, 0) => message(&format!(
                "{} no command of the log writes to this key\n",
                Styled(QUIET, "note:")
            )),
            (false, _) => lines.add(|out| report::history::end(&report, out))?,
        }
        lines.flush()?;
        Ok(Exit::after(&report))
    }
}
