//! `aofkit backup`.

use std::path::PathBuf;

use clap::{ArgAction, Args};

use super::Common;
use super::exit::Exit;
use super::live::LiveArgs;
use crate::error::{Error, ErrorKind, Result};

/// Verify, compress, read back, publish and retain
#[derive(Debug, Args)]
#[command(disable_help_flag = true)]
pub(super) struct Backup {
    /// The directory that keeps the archives
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    live: LiveArgs,
}

impl Backup {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if self.live.restore_config {
            return self.live.restore(common, &self.to);
        }
        if !self.live.is_wanted() {
            return Err(Error::new(ErrorKind::Usage, "what shall be backed up?").help("--live"));
        }
        self.live.run(common, &self.to, |_, _| Ok(()), |()| String::new())
    }
}
