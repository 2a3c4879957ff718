//! `aofkit stats`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::html_file;
use super::output::{message, print, print_json};
use super::parse::{parse_duration, parse_size};
use super::pick::data_directory;
use super::values::ServerValue;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::typed;
use crate::base::server::Server;
use crate::ops::scratch_server::ServerOptions;
use crate::ops::stats::memory::{Allocator, MemoryOptions};
use crate::ops::stats::{SEPARATORS, StatsOptions, TableOptions, stats};
use crate::report;
use crate::report::stats_html::{START, page};

/// Show what is written in a log, and which keys are there at its end
///
/// Commands and bytes by command, type, database and key name prefix, and over time; the keys that are written most;
/// what a rewrite saves; the keys at the end by type, time to live and size, and the largest. All numbers are exact. In
/// prefixes, `*` represents components that are identifiers: `user:1001:cart` counts for `user:*:cart`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Stats {
    /// The logs, RDBs or archives [default: choose a data directory]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Count the commands only; do not replay them
    #[arg(long)]
    writes_only: bool,
    /// The characters that separate the components of key names [default: : / | .]
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
    separator: Option<String>,
    /// Write the report to an HTML file: one file that needs nothing else, for one log
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the prefixes as folded stacks, for programs that draw flame graphs
    #[arg(long, conflicts_with = "html", hide_short_help = true)]
    folded: bool,
    /// Write a table of all keys to a new directory, as a Parquet file, for one log
    #[arg(long, value_name = "DIR")]
    parquet: Option<PathBuf>,
    /// Write a table of all commands, too
    #[arg(long, requires = "parquet")]
    commands: bool,
    /// Estimate the memory of keys in this server [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    meant_for: Option<Server>,
    /// The allocator of that server: jemalloc, system-jemalloc (of a distribution's package), or libc
    #[arg(
        long,
        value_name = "NAME",
        default_value = "jemalloc",
        hide_default_value = true,
        hide_short_help = true
    )]
    allocator: Allocator,
    /// Load a sample of the log in this server, to estimate the time for all of it: the path or name of the executable
    #[arg(long, value_name = "BINARY")]
    server: Option<PathBuf>,
    /// Time limit for loading a sample
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = parse_duration, requires = "server", hide_short_help = true)]
    server_timeout: Duration,
    /// Size of that sample: a larger one takes longer, and represents more
    #[arg(long, value_name = "SIZE", default_value = "48mb", value_parser = parse_size, requires = "server", hide_short_help = true)]
    sample: u64,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit stats /var/lib/redis/appendonlydir
  aofkit stats --writes-only --separator : appendonly.aof
  aofkit stats --html report.html appendonly.aof
  aofkit stats --folded appendonly.aof | flamegraph.pl --countname bytes > prefixes.svg
  aofkit stats --quiet --parquet tables --commands appendonly.aof
  aofkit stats --server /usr/bin/redis-server appendonly.aof
  aofkit stats --json dump.rdb | jq '.logs[0].present.by_type'

Exit codes: 0 done; 2 nothing could be read, or the HTML or Parquet files not be written; 3 some of several paths could not be \
read.";

impl Stats {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let separators = match &self.separator {
            Some(characters) => characters.as_bytes().to_vec(),
            None => SEPARATORS.to_vec(),
        };
        let options = StatsOptions {
            separators,
            writes_only: self.writes_only,
            memory: MemoryOptions { server: self.meant_for, allocator: self.allocator },
            tables: self.parquet.as_ref().map(|directory| TableOptions {
                directory: directory.clone(),
                commands: self.commands,
                keys: !self.writes_only,
            }),
            loaded_by: self.server.as_ref().map(|binary| {
                let server = ServerOptions { binary: binary.clone(), timeout: self.server_timeout };
                (server, self.sample)
            }),
            now_ms: self.replaying.now_ms(),
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
        };
        let paths = match self.paths.is_empty() {
            true => vec![data_directory("stats", common)?],
            false => self.paths.clone(),
        };
        if self.parquet.is_some() && paths.len() > 1 {
            return Err(Error::new(ErrorKind::Usage, "--parquet takes one log")
                .help("write the tables of each to a directory of its own"));
        }
        if self.parquet.is_some() && self.writes_only && !self.commands {
            return Err(Error::new(
                ErrorKind::Usage,
                "without a replay, no keys are known for --parquet",
            )
            .help("add --commands, or leave out --writes-only"));
        }
        if let Some(path) = &self.html {
            if paths.len() > 1 {
                return Err(Error::new(ErrorKind::Usage, "--html takes one log")
                    .help("make a report of each, in a file of its own"));
            }
            html_file::check(path, START)?;
        }
        let run = common.with_cancellable_bar(|bar| stats(&paths, &options, bar))?;
        if let (Some(path), Some(report)) = (&self.html, run.logs.first()) {
            html_file::write(path, START, &page(report, &command_line()), html_file::PRIVATE)?;
        }
        if common.json {
            print_json(&run)?;
        } else if self.folded {
            print(&report::stats_folded::folded(&run))?;
        } else if !common.quiet {
            print(&report::stats::text(&run))?;
        }
        message(&report::stats::failures(&run));
        Ok(Exit::after(&run))
    }
}

/// Returns the command line of this process, as it is typed in a shell.
fn command_line() -> String {
    let arguments = std::env::args_os().skip(1).map(|argument| typed(argument.as_ref()));
    std::iter::once("aofkit".to_owned()).chain(arguments).collect::<Vec<_>>().join(" ")
}
