//! `aofkit digest`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::output::{print, print_json, warn_of_failing};
use super::values::ServerValue;
use crate::base::error::Result;
use crate::base::server::Server;
use crate::ops::digest::{DigestOptions, digest};
use crate::report;

/// Compute the DEBUG DIGEST that a server would report
///
/// Two logs with the same digest contain the same data. DEBUG DIGEST does not cover expiry times and most of the
/// state of streams; the fingerprint, which is specific to aofkit, covers both.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Digest {
    /// The log, an RDB, or an archive of one
    path: PathBuf,
    /// Compute the digest of this server (redis-7.0, valkey-9.1, ...) [default: the one that wrote the log]
    #[arg(long = "as", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true)]
    server: Option<Server>,
    /// Compute only the fingerprint, which is several times faster
    #[arg(long, conflicts_with = "server")]
    fingerprint: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit digest --as redis-7.0 /var/lib/redis/appendonlydir
  aofkit digest --fingerprint dump.rdb

Exit codes: 0 done; 1 done, but some commands of the log fail on a server; 2 failed.";

impl Digest {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = DigestOptions {
            route: self.replaying.route(),
            replay: self.replaying.replay(common, self.server),
            debug_digest: !self.fingerprint,
        };
        let report = common.with_bar(|bar| digest(&self.path, &options, bar))?;
        if common.json {
            print_json(&report)?;
        } else {
            print(&report::digest::text(&report))?;
        }
        if common.quiet && report.failed > 0 {
            warn_of_failing(&report.path, report.failed);
        }
        Ok(Exit::after(&report))
    }
}
