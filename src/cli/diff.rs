//! `aofkit diff`.

use std::ffi::{OsStr, OsString};

use clap::{Args, ValueEnum};

use super::args::{Common, KeyArgs, KeyHelp, ReplayArgs};
use super::connection::LoginArgs;
use super::exit::Exit;
use super::output::{Lines, print, print_json, warn_of_failing};
use super::progress::Bar;
use crate::analysis::data_filter::Filter;
use crate::base::error::Result;
use crate::live::endpoint::Endpoint;
use crate::ops::diff::servers::{DataSource, diff_sources};
use crate::ops::diff::{DiffOptions, DiffReport, Difference};
use crate::report;
use crate::report::JsonLines;

/// Show which keys differ between two logs, RDBs or running servers
///
/// Logs are replayed as a server would load them and compared key by key: value, type and expiry, including field
/// expiry and stream groups. Expired keys are compared like all others, except with --expired drop.
///
/// A running server, or a cluster by one of its nodes, is given as a URI and read by SCAN and DUMP, which changes no
/// data there, nor, since 7.2 and outside of clusters, the idle times of keys. It changes meanwhile: keys that differ are asked for a second time. A server hides expired keys, so that those
/// of a log count as missing.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Diff {
    /// The first log, RDB, or archive of one, or a server: redis://, rediss://, valkey://, valkeys:// or unix://
    #[arg(value_name = "A")]
    a: OsString,
    /// The second log, RDB, or archive of one, or a server
    #[arg(value_name = "B")]
    b: OsString,
    /// List the keys, one per line, unsorted: `-` only in A, `+` only in B, `~` different
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    keys: KeyArgs<Compared>,
    /// With `drop`, treat expired keys as missing [default: compare them like all others]
    #[arg(long, value_name = "WHAT", hide_possible_values = true)]
    expired: Option<ExpiredKeys>,
    /// Same as --expired drop
    #[arg(long, hide = true, conflicts_with = "expired")]
    drop_expired: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
    #[command(flatten)]
    login: LoginArgs,
}

/// What becomes of expired keys.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExpiredKeys {
    /// They count as missing
    Drop,
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
  aofkit diff backup.zip redis://db.example.com:6379
  aofkit diff --list redis://old:6379 rediss://backup@new:6380
  aofkit diff --list --json a.aof b.aof | jq -r 'select(.kind == \"key\").key.text'

Exit codes: 0 the same; 1 different; 2 failed.";

impl Diff {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let drops_expired = self.drop_expired || matches!(self.expired, Some(ExpiredKeys::Drop));
        let options = DiffOptions {
            filter: Filter {
                keys: self.keys.filter(),
                drop_expired_ms: drops_expired.then(|| self.replaying.now_ms()),
                persist_expired_ms: None,
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
        let sources = self.sources(common)?;
        let sources = sources.each_ref();
        let report = match listing {
            true => diff_sources(sources, &options, Some(&mut found), &bar),
            false => diff_sources(sources, &options, None, &bar),
        };
        drop(bar);
        let report = report?;
        match (common.json, listing) {
            (true, true) => lines.add(|out| json.summary(&report, out))?,
            (true, false) => print_json(&report)?,
            (false, true) => lines.add(|out| out.push(b'\n'))?,
            (false, false) => {}
        }
        lines.flush()?;
        if !common.json && !common.quiet {
            print(&report::diff::text(&report))?;
        }
        if common.quiet {
            let failing = [&report.a, &report.b].into_iter().filter(|side| side.failed > 0);
            failing.for_each(|side| warn_of_failing(&side.path, side.failed));
        }
        Ok(Exit::after(&report))
    }

    fn sources(&self, common: &Common) -> Result<[DataSource; 2]> {
        let mut servers = [server(&self.a)?, server(&self.b)?];
        let mut endpoints: Vec<Endpoint> = servers.iter_mut().filter_map(Option::take).collect();
        if endpoints.is_empty() {
            return Ok([&self.a, &self.b].map(|path| DataSource::Log(path.into())));
        }
        self.login.log_in(&mut endpoints, &common.cancellation)?;
        let mut endpoints = endpoints.into_iter();
        let mut source = |text: &OsString| match is_server(text).then(|| endpoints.next()) {
            Some(Some(endpoint)) => DataSource::Server(Box::new(endpoint)),
            _ => DataSource::Log(text.into()),
        };
        Ok([source(&self.a), source(&self.b)])
    }
}

/// The schemes of URIs. Everything else is a path, since `db:6379` may be the name of a file.
const SCHEMES: [&str; 5] = ["redis://", "rediss://", "valkey://", "valkeys://", "unix://"];

fn is_server(text: &OsStr) -> bool {
    let bytes = text.as_encoded_bytes();
    SCHEMES.iter().any(|scheme| bytes.starts_with(scheme.as_bytes()))
}

fn server(text: &OsStr) -> Result<Option<Endpoint>> {
    // A URI is text: Endpoint::from_uri() refuses what a lossy conversion makes of other bytes.
    is_server(text).then(|| Endpoint::from_uri(&text.to_string_lossy())).transpose()
}
