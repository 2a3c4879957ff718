//! `aofkit log`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, KeyArgs, KeyHelp};
use super::exit::Exit;
use super::output::{message, print_bytes};
use super::parse::parse_position;
use super::progress::Bar;
use crate::analysis::position::Position;
use crate::base::error::Result;
use crate::base::escape::ShownPath;
use crate::command::lookup;
use crate::ops::log::{Filter, LogOptions, LogReport, log};
use crate::report::JsonLines;
use crate::report::log::{Json, Text, ending};
use crate::report::style::{ERROR, QUIET, Styled, WARNING};

/// Show the commands of a log in readable form
///
/// Prints one line per command: PART:OFFSET, its number, the time from annotations, the database, and the
/// command, quoted as by redis-cli. Commands in a transaction are indented.
///
/// A POSITION is PART:OFFSET (a part by its file name or its number), '#N' for the Nth command, or a time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Log {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, one part, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Show only commands of this name; may be repeated
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    command: Vec<String>,
    #[command(flatten)]
    keys: KeyArgs<Shown>,
    /// Start at this position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    since: Option<Position>,
    /// Stop before this position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    until: Option<Position>,
    /// Show the last command first
    #[arg(long)]
    reverse: bool,
    /// Show at most N lines
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Do not shorten long values (JSON never does)
    #[arg(long)]
    full: bool,
}

/// The help texts for selecting the commands to show by their keys.
#[derive(Debug)]
struct Shown;

impl KeyHelp for Shown {
    const DB: &'static str = "Show only commands of this database; may be repeated";
    const PATTERN: &'static str =
        "Show only commands with a key that matches this pattern (syntax of KEYS); may be repeated";
    const EXCLUDE: &'static str = "Ignore keys that match this pattern; may be repeated";
    const SLOTS: &'static str =
        "Show only commands with a key in these cluster slots (0-5460,12182); may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit log --reverse --limit 20 /var/lib/redis/appendonlydir
  aofkit log --command flushall,flushdb,swapdb appendonly.aof
  aofkit log --pattern 'user:17*' --since '2026-11-22 03:00:00' appendonlydir
  aofkit log --since '#1200' --until appendonly.aof.2.incr.aof:81920 appendonlydir
  aofkit log --json app.aof | jq -r 'select(.kind == \"command\").args[0].text' | sort | uniq -c

Exit codes: 0 done; 1 the log is damaged or torn, and the commands before the damage were shown; \
2 failed.";

impl Log {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = LogOptions {
            filter: Filter { names: self.command.clone(), keys: self.keys.filter() },
            since: self.since.clone(),
            until: self.until.clone(),
            reverse: self.reverse,
            limit: self.limit,
        };
        let bar = Bar::beside_lines(common);
        let path = &self.path;
        let report = if common.json {
            let mut lines = JsonLines::default();
            let mut write = |text: &[u8]| {
                let mut header = Vec::new();
                lines.begin(&mut header);
                print_bytes(&header).and_then(|()| print_bytes(text))
            };
            let report = log(path, &options, Json, &mut write, &bar);
            report.and_then(|report| {
                let mut last = Vec::new();
                lines.summary(&report, &mut last);
                print_bytes(&last).map(|()| report)
            })
        } else {
            log(path, &options, Text::new(self.full), &mut print_bytes, &bar)
        };
        drop(bar);
        let report = report?;
        if report.shown == 0 {
            self.warn_of_unknown_names();
        }
        report_end(&report, &self.path);
        Ok(Exit::after(&report))
    }

    /// Warns about names that no known server has; called when no command matched.
    fn warn_of_unknown_names(&self) {
        for name in self.command.iter().filter(|name| lookup(name.as_bytes()).is_none()) {
            let name = ShownPath(name.as_ref());
            message(&format!(
                "{} no known server has a command {name}\n",
                Styled(WARNING, "warning:")
            ));
        }
    }
}

/// Reports where and why the log ends early, if it does.
fn report_end(report: &LogReport, path: &std::path::Path) {
    let Some(found) = &report.ending else { return };
    let (error, help) = (Styled(ERROR, "error:"), Styled(QUIET, "help:"));
    let path = ShownPath(path);
    message(&format!(
        "{error} {}\n{help} run `aofkit verify {path}` for details, `aofkit repair` to write a repaired copy\n",
        ending(found)
    ));
}
