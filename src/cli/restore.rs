//! `aofkit restore`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use crate::base::error::Result;
use crate::base::server::Server;
use crate::ops::restore::{Owner, RestoreOptions, restore};
use crate::report;

/// Put an archive into a server's data directory, ready to be loaded
///
/// The archive is verified, and so is what then lies on the disk, before it is put in place in one step. A log that
/// is there is moved aside, never removed. A directory that a server uses is refused, whatever the options.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Restore {
    /// The archive: one of aofkit, or any zip with a log in it
    #[arg(value_name = "ZIP")]
    archive: PathBuf,
    /// The server's data directory (`dir` of its configuration), or a new one
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// The server that shall load it (redis-6.2, valkey-9.1, ...): what it cannot load is converted
    #[arg(long = "for", value_name = "VERSION")]
    server: Option<Server>,
    /// Whom the files shall belong to [default: to whom the directory does, if run by root]
    #[arg(long, value_name = "USER[:GROUP]")]
    owner: Option<Owner>,
    /// Restore into a directory that is not empty; a log that is there is moved aside
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit restore /backup/aof_20260101031000-6379.zip --output /var/lib/redis
  aofkit restore old.zip --output /srv/valkey --for valkey-9.1 --owner valkey
  aofkit restore set.zip --output /tmp/redis6 --for redis-6.2

Exit codes: 0 restored; 2 not possible: the directory is as it was; 5 another restore into it runs.";

impl Restore {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = RestoreOptions {
            output: self.output.clone(),
            server: self.server,
            owner: self.owner,
            force: self.force,
            compaction: self.replaying.compaction(common, None, self.server),
        };
        let report = common.with_bar(|bar| restore(&self.archive, &options, bar))?;
        common.tell(&report, false, || report::restore::text(&report))?;
        Ok(Exit::Done)
    }
}
