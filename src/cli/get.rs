//! `aofkit get`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::output::{message, print, print_bytes, print_json};
use super::parse::{key_name, parse_position};
use super::values::ServerValue;
use crate::analysis::position::Position;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::server::Server;
use crate::ops::get::{GetOptions, GetReport, get};
use crate::report;

/// Show the value of a key, at the end of a log or at any position
///
/// A POSITION is PART:OFFSET (a part by its file name or its number), '#N' for the Nth command, or a time. The value is
/// that after all commands before the position, as `recover --until` keeps them; a transaction around it has not begun.
///
/// A key whose expiry has passed is shown, with a note: a server returns nothing for it. Its expiry is compared with the
/// time of the position, which is the last annotation before it, and at the end of the log with the current time.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Get {
    /// The key; within double quotes, escapes as printed by redis-cli are decoded: '"caf\xc3\xa9"'
    #[arg(value_name = "KEY")]
    key: OsString,
    /// The log: a file, an RDB, a multi-part directory, its manifest, the data directory above, one part, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Show the value before this position: PART:OFFSET, '#N', or a time [default: the end]
    #[arg(long, value_name = "POSITION", value_parser = parse_position)]
    at: Option<Position>,
    /// Show the key only in this database; may be repeated
    #[arg(short, long, value_name = "N")]
    db: Vec<u32>,
    /// Print only the value: the bytes of a string as they are, of a collection one element a line
    #[arg(long, conflicts_with_all = ["resp", "json", "full"])]
    raw: bool,
    /// Print the commands that recreate the key, for `redis-cli --pipe`
    ///
    /// They replace what the server has there. A value that has no form as commands becomes a RESTORE.
    #[arg(long, conflicts_with_all = ["json", "full"])]
    resp: bool,
    /// Do not shorten long values (JSON never does)
    #[arg(long)]
    full: bool,
    /// With --resp: the server that the commands are for (redis-7.0, valkey-9.1, ...) [default: the one that wrote the log]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true, hide_short_help = true)]
    server: Option<Server>,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit get user:1001 /var/lib/redis/appendonlydir
  aofkit get cart:17 app.aof --at '2026-11-22 03:00:00'
  aofkit get --raw config /backup/redis.zip > config.json
  aofkit get cart:17 app.aof --at '#1200' --resp | redis-cli --pipe
  aofkit get --json user:1001 dump.rdb | jq '.found[0].hash'

Exit codes: 0 done; 1 the key is not there; 2 failed.";

impl Get {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = GetOptions {
            key: key_name(&self.key),
            dbs: self.db.clone(),
            at: self.at.clone(),
            server: self.server,
            now_ms: self.replaying.now_ms(),
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
        };
        let report = common.with_bar(|bar| get(&self.path, &options, bar))?;
        if common.json {
            print_json(&report)?;
        } else if report.found.is_empty() {
            if !common.quiet {
                message(&report::get::absent(&report));
            }
        } else if self.raw {
            print_bytes(&raw(&report)?)?;
        } else if self.resp {
            print_bytes(&resp(&report)?)?;
        } else if !common.quiet {
            print(&report::get::text(&report, self.full))?;
        }
        Ok(Exit::after(&report))
    }
}

fn refused(report: &GetReport, what: &str) -> Error {
    let what = format!("key {} {what}", Shown(&report.key));
    Error::new(ErrorKind::Refused, what).at(&report.path)
}

/// Returns the bytes of the only value.
fn raw(report: &GetReport) -> Result<Vec<u8>> {
    let [found] = report.found.as_slice() else {
        let dbs: Vec<String> = report.found.iter().map(|found| found.db.to_string()).collect();
        let what = format!("is in databases {}, and --raw prints one value", dbs.join(", "));
        return Err(refused(report, &what).help("choose one of them with --db"));
    };
    report::get::raw(&found.content).map_err(|what| {
        refused(report, &format!("is {what}, which --raw cannot print"))
            .help("--resp prints the commands that recreate it")
    })
}

/// Returns the commands that recreate the key in every database.
fn resp(report: &GetReport) -> Result<Vec<u8>> {
    let mut all = Vec::new();
    for found in &report.found {
        match &found.commands {
            Ok(commands) => all.extend_from_slice(commands),
            Err(why) => {
                let what = format!("of database {} has no form as commands: {why}", found.db);
                return Err(refused(report, &what).help("choose another server with --for"));
            }
        }
    }
    Ok(all)
}
