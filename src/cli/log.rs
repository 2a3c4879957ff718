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
use crate::input::extracted::Unpacked;
use crate::ops::log::{Filter, LogReport, Options, log};
use crate::report::log::{Json, Text, ending};
use crate::report::style::{ERROR, QUIET, Styled, WARNING};

/// Show the commands of a log as a person reads them
///
/// One line a command: PART:OFFSET, its number, the time that the annotations tell, the database, and the
/// command, quoted as redis-cli does. What a transaction runs is indented.
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
    /// Begin with the command at this position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    since: Option<Position>,
    /// End before the command at this position
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    until: Option<Position>,
    /// Show the last first
    #[arg(long)]
    reverse: bool,
    /// Show at most so many lines
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Show long values whole (JSON always has them)
    #[arg(long)]
    full: bool,
}

/// Keys whose commands are shown.
#[derive(Debug)]
struct Shown;

impl KeyHelp for Shown {
    const DB: &'static str = "Show only what is run in this database; may be repeated";
    const PATTERN: &'static str = "Show only commands with a key that matches this pattern, written as for KEYS; may be repeated";
    const EXCLUDE: &'static str = "Look past keys that match this pattern; may be repeated";
}

const EXAMPLES: &str = "\
Examples:
  aofkit log --reverse --limit 20 /var/lib/redis/appendonlydir
  aofkit log --command flushall,flushdb,swapdb appendonly.aof
  aofkit log --pattern 'user:17*' --since '2026-11-22 03:00:00' appendonlydir
  aofkit log --since '#1200' --until appendonly.aof.2.incr.aof:81920 appendonlydir
  aofkit log --json app.aof | jq -r '.args[0].text' | sort | uniq -c

Exit codes: 0 done; 1 done, and the log is damaged or torn: what is before that was shown; \
2 not possible.";

impl Log {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = Options {
            filter: Filter { names: self.command.clone(), keys: self.keys.filter() },
            since: self.since.clone(),
            until: self.until.clone(),
            reverse: self.reverse,
            limit: self.limit,
        };
        let bar = Bar::beside_lines(common);
        let unpacked = Unpacked::of(&self.path, &bar)?;
        let path = unpacked.path();
        let write = &mut print_bytes;
        let report = if common.json {
            log(path, &options, Json, write, &bar)
        } else {
            log(path, &options, Text::new(self.full), write, &bar)
        };
        drop(bar);
        let report = report?;
        if report.shown == 0 {
            self.doubt_names();
        }
        Ok(end(&report, &self.path))
    }

    /// Nothing was shown: perhaps because a name was mistyped.
    fn doubt_names(&self) {
        for name in self.command.iter().filter(|name| lookup(name.as_bytes()).is_none()) {
            let name = ShownPath(name.as_ref());
            message(&format!(
                "{} no known server has a command {name}\n",
                Styled(WARNING, "warning:")
            ));
        }
    }
}

/// Says where and why the log ends too early, if it does.
fn end(report: &LogReport, path: &std::path::Path) -> Exit {
    let Some(found) = &report.ending else { return Exit::Done };
    let (error, help) = (Styled(ERROR, "error:"), Styled(QUIET, "help:"));
    let path = ShownPath(path);
    message(&format!(
        "{error} {}\n{help} aofkit verify {path} says more, aofkit repair mends a copy\n",
        ending(found)
    ));
    Exit::Findings
}
