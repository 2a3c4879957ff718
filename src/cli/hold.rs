//! `aofkit recover --hold`: secures the log of a running server before it is read.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::args::Common;
use super::connection::{ConnectionArgs, LoginArgs};
use super::exit::Exit;
use super::live::Teller;
use super::parse::parse_duration;
use crate::base::error::{Error, ErrorKind, Result};
use crate::ops::recover::hold::{HoldOptions, HoldReport, hold, holds, release};
use crate::report;

const HOLD: &str = "Running servers";

/// The options for securing the log of a running server.
#[derive(Debug, Args)]
pub(super) struct HoldArgs {
    /// First secure the log of a running server
    ///
    /// Turns off automatic rewrites and hard-links the whole log and the RDB to a separate directory, then inspects them
    /// there. Of a server without an append-only file, the RDB is secured and save points are held off. The connection
    /// options select the server.
    #[arg(long, help_heading = HOLD)]
    pub(super) hold: bool,
    /// Save the secured log in this directory [default: the server's data directory]
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = HOLD)]
    hold_to: Option<PathBuf>,
    /// The server's data directory on this machine [default: as reported by the server]
    ///
    /// With it, --hold works even if the server refuses CONFIG; then automatic rewrites stay on.
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = HOLD)]
    dir: Option<PathBuf>,
    /// Set back the settings that --hold changed, and do nothing else
    ///
    /// The values are those from before the first hold. A setting that somebody has changed since is left alone.
    #[arg(long, conflicts_with_all = ["hold", "choice", "merge", "undelete"], hide_short_help = true, help_heading = HOLD)]
    pub(super) release: bool,
    /// List the secured logs in this directory with age, size and server [default: the current directory]
    #[arg(long, value_name = "DIR", num_args = 0..=1, default_missing_value = ".", conflicts_with_all = ["hold", "release", "choice", "merge", "undelete"], hide_short_help = true, help_heading = HOLD)]
    pub(super) holds: Option<PathBuf>,
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
        let endpoint = self.connection.endpoint(&common.cancellation)?;
        hold(&endpoint, &self.options(), &Teller::new(common, &endpoint))
    }

    /// Runs `--release` or `--holds`; `None` if neither is given.
    ///
    /// # Errors
    ///
    /// As [`release`] and [`holds`].
    pub(super) fn run_alone(&self, common: &Common) -> Result<Option<Exit>> {
        if let Some(directory) = &self.holds {
            let report = holds(directory)?;
            common.print_report(&report, false, || report::hold::listed(&report))?;
            return Ok(Some(Exit::Done));
        }
        if !self.release {
            if !self.hold && (self.dir.is_some() || self.hold_to.is_some()) {
                let message = "--dir and --hold-to concern a running server";
                return Err(
                    Error::new(ErrorKind::Usage, message).help("use them with --hold or --release")
                );
            }
            return Ok(None);
        }
        let endpoint = self.connection.endpoint(&common.cancellation)?;
        let report = release(&endpoint, &self.options(), &Teller::new(common, &endpoint))?;
        let exit = Exit::after(&report);
        common.print_report(&report, exit != Exit::Done, || report::hold::released(&report))?;
        Ok(Some(exit))
    }

    fn options(&self) -> HoldOptions {
        HoldOptions {
            dir: self.dir.clone(),
            to: self.hold_to.clone(),
            state: state_directory(),
            poll: Duration::from_secs(1),
            timeout: self.timeout,
        }
    }
}

/// The state directory of the user, as the XDG base directory specification gives it.
fn state_directory() -> Option<PathBuf> {
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")));
    state.map(|state| state.join("aofkit"))
}
