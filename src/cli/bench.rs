//! `aofkit bench`.

use std::path::PathBuf;

use clap::Args;
use clap::builder::RangedU64ValueParser;

use super::args::Common;
use super::exit::Exit;
use crate::base::error::Result;
use crate::ops::bench::{BenchOptions, bench, checkers_on_path};
use crate::report;

/// Measure how fast a log is read
///
/// Reads the log repeatedly in several modes: on one core and on all cores, counting commands or checking them,
/// with a new mapping or a warm one. Then runs whole processes: aofkit verify, and redis-check-aof and
/// valkey-check-aof if they are on the PATH (never with --fix). The log is not changed. Results are most
/// meaningful for a log of about a gigabyte on an idle machine.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    /// The log: a file, a multi-part directory, its manifest, or the data directory above
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Number of rounds of each measurement
    #[arg(
        long,
        value_name = "N",
        default_value_t = 5,
        value_parser = RangedU64ValueParser::<usize>::new().range(1..=1000)
    )]
    rounds: usize,
}

const EXAMPLES: &str = "\
Examples:
  aofkit bench /var/lib/redis/appendonlydir
  aofkit bench --rounds 11 --threads 4 --json appendonly.aof

Exit codes: 0 measured; 2 failed, for example because the log is damaged.";

impl Bench {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let options = BenchOptions {
            rounds: self.rounds,
            own_program: std::env::current_exe().ok(),
            checkers: checkers_on_path(&path),
        };
        let report = common.with_bar(|bar| bench(&self.path, &options, bar))?;
        common.print_report(&report, false, || report::bench::text(&report))?;
        Ok(Exit::after(&report))
    }
}
