//! `aofkit digest`.

use std::path::PathBuf;

use clap::Args;

use super::exit::Exit;
use super::progress::Bar;
use super::replaying::Replaying;
use super::{Common, print};
use crate::error::Result;
use crate::keyspace::digest::Flavour;
use crate::ops::digest::{Options, digest};
use crate::report;
use crate::server::{Server, redis};

/// Say what DEBUG DIGEST of a server would say that loaded the log
#[derive(Debug, Args)]
pub(super) struct Digest {
    /// The log, or an RDB
    path: PathBuf,
    /// Digest as this server does (redis-7.0, valkey-9.1, ...)
    #[arg(long = "as", value_name = "VERSION")]
    server: Option<Server>,
    /// Take only the fingerprint, which is several times faster
    #[arg(long, conflicts_with = "server")]
    fingerprint: bool,
    #[command(flatten)]
    replaying: Replaying,
}

impl Digest {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let server = self.server.unwrap_or(redis(7, 0));
        let options = Options {
            route: self.replaying.route(),
            replay: self.replaying.replay(common, self.server),
            flavour: (!self.fingerprint).then(|| Flavour::of(server)),
        };
        let bar = Bar::new(common);
        let report = digest(&self.path, &options, &bar)?;
        drop(bar);
        print(&report::json(&report))?;
        Ok(Exit::Done)
    }
}
