//! `aofkit list`.

use std::path::PathBuf;

use clap::Args;

use super::args::Common;
use super::exit::Exit;
use super::output::{message, print, print_json};
use crate::base::error::Result;
use crate::ops::list::{ListOptions, list};
use crate::report;

/// List the archives in a directory: time, source, size and state
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct List {
    /// The directory with archives
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Verify each archive now
    #[arg(long)]
    verify: bool,
}

const EXAMPLES: &str = "\
Examples:
  aofkit list /backup
  aofkit list --verify --quiet /backup || echo 'check the backups'

Exit codes: 0 listed; 1 an archive is damaged or cannot be read; 2 the directory cannot be read.";

impl List {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = ListOptions { verify: self.verify };
        let report = common.with_bar(|bar| list(&self.directory, options, bar))?;
        if common.json {
            print_json(&report)?;
        } else if !common.quiet {
            print(&report::list::text(&report))?;
        } else {
            message(&report::list::problems(&report));
        }
        Ok(Exit::after(&report))
    }
}
