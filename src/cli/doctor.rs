//! `aofkit doctor`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::args::{COMMON, Common, SEE_LONG_HELP};
use super::connection::ConnectionArgs;
use super::exit::Exit;
use crate::base::error::Result;
use crate::ops::doctor::{DoctorOptions, Target, doctor};
use crate::report;

/// Check what endangers the data of a server: settings, files, disk, kernel, backups
///
/// Asks a running server, and reads its data directory if that is on this machine. Each finding is red, a warning, ok, or
/// unknown if it could not be asked, and has the command that changes it. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = SEE_LONG_HELP, after_long_help = EXAMPLES, disable_help_flag = true)]
pub(super) struct Doctor {
    /// The data directory; with -p, -s or -u that of this server on this machine
    ///
    /// Without -p, -s or -u, no server is asked.
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Check that the newest backup in this directory is less than a day old
    #[arg(long, value_name = "DIR")]
    backups: Option<PathBuf>,
    #[command(flatten)]
    connection: ConnectionArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help, help_heading = COMMON)]
    help: Option<bool>,
}

const EXAMPLES: &str = "\
Examples:
  aofkit doctor -p 6379
  aofkit doctor -p 6379 --backups /backup
  aofkit doctor /var/lib/redis
  aofkit doctor -p 6380 /srv/redis-data --json

Exit codes: 0 nothing red; 1 a red finding; 2 failed: the server cannot be reached, or the directory cannot \
be read.";

impl Doctor {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let target = match &self.directory {
            Some(directory) if !self.connection.is_given() => Target::Directory(directory.clone()),
            directory => Target::Server {
                endpoint: Box::new(self.connection.endpoint(&common.cancellation)?),
                directory: directory.clone(),
            },
        };
        let options = DoctorOptions { backups: self.backups.clone() };
        let report = common.with_bar(|bar| doctor(&target, &options, bar))?;
        let exit = Exit::after(&report);
        common.print_report(&report, exit != Exit::Done, || report::doctor::text(&report))?;
        Ok(exit)
    }
}
