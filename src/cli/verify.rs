//! `aofkit verify`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ModuleArgs};
use super::exit::Exit;
use super::output::{message, print, print_json};
use super::pick::data_directory;
use super::values::ServerValue;
use crate::base::error::Result;
use crate::base::server::Server;
use crate::ops::verify::{VerifyOptions, verify};
use crate::report;
use crate::report::verify::Shape;

/// Check whether a log is valid, and how servers would load it
///
/// Reads every byte of an append-only file (a single file, a multi-part directory, its manifest, the data
/// directory above it, or one part), an RDB, or a zip of one of them. The input is not changed.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Verify {
    /// The logs, RDBs or archives; several are verified in parallel [default: choose a data directory]
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Report for these servers (redis-7.0, valkey-9.1, ...) [default: all known]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true, value_delimiter = ',')]
    servers: Vec<Server>,
    #[command(flatten)]
    modules: ModuleArgs,
    /// Show the N most frequent commands
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
}

const EXAMPLES: &str = "\
Examples:
  aofkit verify /var/lib/redis/appendonlydir
  aofkit verify --for redis-7.0 appendonly.aof
  aofkit verify --quiet --json backups/*/appendonlydir
  aofkit verify backups/*.zip

Exit codes: 0 valid; 1 damaged, or refused by a server given with --for; \
2 nothing could be read; 3 some of several paths could not be read.";

impl Verify {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options =
            VerifyOptions { servers: self.servers.clone(), modules: self.modules.loaded() };
        let paths = match self.paths.is_empty() {
            true => vec![data_directory("verify", common)?],
            false => self.paths.clone(),
        };
        let report = common.with_bar(|bar| verify(&paths, &options, bar))?;
        if common.json {
            print_json(&report)?;
        } else {
            let text = report::verify::text(&report, Shape { top: self.top, quiet: common.quiet });
            if common.quiet {
                message(&text)
            } else {
                print(&text)?
            }
            message(&report::verify::failures(&report));
        }
        Ok(Exit::after(&report))
    }
}
