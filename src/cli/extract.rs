//! `aofkit extract`.

use std::path::PathBuf;

use clap::Args;

use super::args::{Common, ReplacingArgs};
use super::exit::Exit;
use crate::base::error::Result;
use crate::input::archive::extract;
use crate::input::archive::extract::ExtractOptions;
use crate::report;

/// Extract and verify an archive of a log
///
/// The files get their final names together, after all of them have been verified.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Extract {
    /// The archive
    #[arg(value_name = "ZIP")]
    path: PathBuf,
    /// Write the files to this directory
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
    /// Extract the intact files of a damaged archive, and a damaged log as it is
    #[arg(long)]
    damaged: bool,
    #[command(flatten)]
    replacing: ReplacingArgs,
}

const EXAMPLES: &str = "\
Examples:
  aofkit extract aof_20261122031000-6379.zip --output restored

Exit codes: 0 done; 1 done, but the archive is damaged; 2 failed: nothing was written.";

impl Extract {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = ExtractOptions {
            output: self.output.clone(),
            existing: self.replacing.existing(),
            damaged: self.damaged,
        };
        let report = common.noting_replaced(Some(&self.output), || {
            common.with_bar(|bar| extract(&self.path, &options, bar))
        })?;
        common.print_report(&report, false, || report::archive::extracted(&report))?;
        Ok(Exit::after(&report))
    }
}
