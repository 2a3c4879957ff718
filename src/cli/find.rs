//! `aofkit find`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplayArgs};
use super::exit::Exit;
use super::output::{message, print, print_bytes};
use super::parse::key_name;
use crate::base::error::Result;
use crate::base::glob::Glob;
use crate::ops::find::{FindOptions, find};
use crate::report;

/// Show which backups have a key, and where it changed
///
/// The newest backup comes first. For each key, type, size, expiry and a fingerprint are shown, and whether it differs from
/// the next older backup of the same source. Backups whose source is not known count as those of one source.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Find {
    /// The key, or a pattern (syntax of KEYS); within double quotes, escapes as printed by redis-cli are decoded
    #[arg(value_name = "GLOB")]
    pattern: OsString,
    /// Directories of archives, archives, logs, multi-part directories and RDBs
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Search only this database; may be repeated
    #[arg(short, long, value_name = "N")]
    db: Vec<u32>,
    /// Show at most N keys of a backup; the others are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,
    #[command(flatten)]
    replaying: ReplayArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit find user:1001 /backup
  aofkit find 'cart:*' --limit 20 /backup /var/lib/redis/appendonlydir
  aofkit find --json user:1001 /backup | jq -r 'select(.change == \"changed\").path'

Exit codes: 0 found; 1 no backup has such a key; 2 nothing could be read; 3 some of several could not be read.";

impl Find {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = FindOptions {
            pattern: Glob::new(key_name(&self.pattern)),
            dbs: self.db.clone(),
            limit: self.limit,
            route: self.replaying.route(),
            replay: self.replaying.replay(common, None),
        };
        let report = common.with_bar(|bar| find(&self.paths, &options, bar))?;
        if common.json {
            print_bytes(&report::find::lines(&report))?;
        } else if !common.quiet {
            print(&report::find::text(&report))?;
        }
        message(&report::find::messages(&report, common.quiet || common.json));
        Ok(Exit::after(&report))
    }
}
