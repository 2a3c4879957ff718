//! `aofkit recover --hold`: secures the log of a running server before it is read.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::Common;
use super::connection::{ConnectionArgs, LoginArgs};
use super::live::Teller;
use super::parse::parse_duration;
use crate::base::error::Result;
use crate::ops::recover::hold::{HoldOptions, HoldReport, hold};

const HOLD: &str = "Running servers";

/// The options for securing the log of a running server.
#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// First secure the log of a running server
    ///
    /// Turns off automatic rewrites and hard-links the whole log to a separate directory, then inspects it there.
    /// The connection options select the server.
    #[arg(long, help_heading = HOLD)]
    pub(super) hold: bool,
    /// Save the secured log in this directory [default: the server's data directory]
    #[arg(long, value_name = "DIR", requires = "hold", hide_short_help = true, help_heading = HOLD)]
    hold_to: Option<PathBuf>,
    /// The server's data directory on this machine [default: as reported by the server]
    #[arg(long, value_name = "DIR", requires = "hold", hide_short_help = true, help_heading = HOLD)]
    dir: Option<PathBuf>,
    /// Timeout for a rewrite that is already running
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, hide_short_help = true, help_heading = HOLD)]
    timeout: Duration,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl HoldArgs {
    /// Returns the options for authentication and TLS.
    pub(super) fn login(&self) -> &LoginArgs {
        self.connection.login()
    }

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
        let endpoint = self.connection.endpoint(&common.cancellation)?;
        hold(&endpoint, &options, &Teller::new(common, &endpoint))
    }
}
