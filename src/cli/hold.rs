//! `aofkit recover --hold`: the log of a running server is put into safety before anything is looked at.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::Common;
use super::connection::ConnectionArgs;
use super::live::Teller;
use super::parse::parse_duration;
use crate::base::error::Result;
use crate::ops::recover::hold::{HoldOptions, HoldReport, hold};

const HOLD: &str = "Running servers";

/// How the log of a running server is put into safety.
#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// First secure the log of a running server (see the connection options): automatic rewrites are turned off,
    /// and the whole set is linked to a directory of its own; then look there
    #[arg(long, help_heading = HOLD)]
    pub(super) hold: bool,
    /// Keep the secured log below this directory [default: the server's data directory]
    #[arg(long, value_name = "DIR", requires = "hold", help_heading = HOLD)]
    hold_to: Option<PathBuf>,
    /// Where the server's data directory is on this machine [default: where the server says]
    #[arg(long, value_name = "DIR", requires = "hold", help_heading = HOLD)]
    dir: Option<PathBuf>,
    /// When a rewrite that runs already is given up
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, help_heading = HOLD)]
    timeout: Duration,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl HoldArgs {
    /// Secures the log.
    ///
    /// # Errors
    ///
    /// As [`hold`].
    pub(super) fn secure(&self, common: &Common) -> Result<HoldReport> {
        let options = HoldOptions {
            dir: self.dir.clone(),
            to: self.hold_to.clone(),
            poll: Duration::from_secs(1),
            timeout: self.timeout,
        };
        let endpoint = self.connection.endpoint()?;
        hold(&endpoint, &options, &Teller::new(common, &endpoint))
    }
}
