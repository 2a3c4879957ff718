//! `aofkit backup --live` and `--restore-config`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::args::Common;
use super::connection::ConnectionArgs;
use super::exit::Exit;
use super::output::{message, print, print_json, report_error};
use super::parse::parse_duration;
use super::priority::give_way;
use super::progress::Bar;
use crate::base::cancel::Cancellation;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::Elapsed;
use crate::live::endpoint::Endpoint;
use crate::live::progress::LiveProgress;
use crate::ops::backup::live::{
    LiveOptions, LiveReport, PreviewReport, RestoreReport, Strategy, Taken, preview,
    restore_config, run,
};
use crate::report;
use crate::report::error::ErrorReport;
use crate::report::live::{Server, Servers};
use crate::report::style::{QUIET, Styled, WARNING};
use crate::report::time::local;
use crate::report::{HasOutcome, Report};

const LIVE: &str = "Running servers";

/// The options for a backup of a running server.
#[derive(Debug, Args)]
pub(super) struct LiveArgs {
    /// Back up a running server instead of a path
    #[arg(long, help_heading = LIVE)]
    pub(super) live: bool,
    /// Only restore the settings that a killed run left
    #[arg(long, conflicts_with = "live", help_heading = LIVE)]
    pub(super) restore_config: bool,
    /// Method: rewrite or link
    ///
    /// rewrite: the server rewrites its log first. link: back up the log as it is, without a rewrite or fork.
    #[arg(long, value_name = "HOW", default_value = "rewrite", hide_possible_values = true, help_heading = LIVE)]
    strategy: StrategyArg,
    /// The server's data directory on this machine [default: as reported by the server]
    #[arg(long, value_name = "DIR", hide_short_help = true, help_heading = LIVE)]
    dir: Option<PathBuf>,
    /// Pause between two steps
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, hide_short_help = true, help_heading = LIVE)]
    pause: Duration,
    /// Timeout for a rewrite; 0 waits without limit
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, hide_short_help = true, help_heading = LIVE)]
    timeout: Duration,
    /// Polling interval for the state of the rewrite
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, hide = true)]
    poll: Duration,
    /// Time limit for reconnecting after a lost connection
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration, hide = true)]
    reconnect: Duration,
    /// Allow the backup of a replica if its link to the primary is up
    #[arg(long, hide_short_help = true, help_heading = LIVE)]
    allow_replica: bool,
    /// No effect; accepted for compatibility with old scripts
    #[arg(long = "move", hide_short_help = true, help_heading = LIVE)]
    _move: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StrategyArg {
    Rewrite,
    Link,
}

impl LiveArgs {
    /// Returns whether the backup is of a running server.
    pub(super) fn is_wanted(&self) -> bool {
        self.live || self.restore_config
    }

    /// Returns the port of the server that wrote a log which is backed up by its path. Archives are named and grouped by
    /// it.
    pub(super) fn port(&self) -> Result<Option<u16>> {
        self.connection.port()
    }

    fn options(&self, to: &Path, fixed: bool) -> LiveOptions {
        LiveOptions {
            dir: self.dir.clone(),
            to: to.to_path_buf(),
            strategy: match self.strategy {
                StrategyArg::Rewrite => Strategy::Rewrite,
                StrategyArg::Link => Strategy::Link,
            },
            pause: self.pause,
            poll: self.poll,
            timeout: if self.timeout.is_zero() { Duration::MAX } else { self.timeout },
            reconnect: self.reconnect,
            allow_replica: self.allow_replica,
            fixed,
        }
    }

    /// Backs up one server after another with `back_up`, so that no two servers fork at the same time. `text` gives
    /// the text of a report. If `fixed`, the log must not grow during the backup.
    pub(super) fn run<T: Report + HasOutcome>(
        &self,
        common: &Common,
        endpoints: &[Endpoint],
        (to, fixed): (&Path, bool),
        back_up: impl Fn(&Taken<'_>, &dyn Progress) -> Result<T>,
        text: impl Fn(&T) -> String,
        seen: impl Fn(&Endpoint, Result<&LiveReport<T>, &Error>),
    ) -> Result<Exit> {
        let options = self.options(to, fixed);
        give_way();
        self.each_of(
            endpoints,
            common,
            |endpoint| {
                let teller = Teller::new(common, endpoint);
                run(endpoint, &options, &teller, |taken| back_up(taken, &teller))
            },
            |report: &LiveReport<T>| report::live::text(report, &text(&report.backup)),
            seen,
        )
    }

    /// Reports for each server whether and how it can be backed up.
    pub(super) fn preview(&self, common: &Common, to: &Path, fixed: bool) -> Result<Exit> {
        let options = self.options(to, fixed);
        self.each(
            common,
            |endpoint| preview(endpoint, &options, &Teller::new(common, endpoint)),
            |report: &PreviewReport| report::live::preview(report, to),
        )
    }

    /// Restores the settings that a killed run left changed.
    pub(super) fn restore(&self, common: &Common, to: &Path) -> Result<Exit> {
        let dir = self.dir.as_deref();
        self.each(
            common,
            |endpoint| restore_config(endpoint, dir, to, &Teller::new(common, endpoint)),
            |report: &RestoreReport| report::live::restored(report),
        )
    }

    fn each<R: Report + HasOutcome>(
        &self,
        common: &Common,
        work: impl Fn(&Endpoint) -> Result<R>,
        text: impl Fn(&R) -> String,
    ) -> Result<Exit> {
        self.each_of(&self.endpoints(common)?, common, work, text, |_, _| {})
    }

    /// Returns the servers, in the order given.
    pub(super) fn endpoints(&self, common: &Common) -> Result<Vec<Endpoint>> {
        let endpoints = self.connection.endpoints(&common.cancellation)?;
        if self.dir.is_some() && endpoints.len() > 1 {
            let message = "--dir cannot be used with several servers";
            return Err(
                Error::new(ErrorKind::Usage, message).help("run aofkit once for each server")
            );
        }
        Ok(endpoints)
    }

    /// Does the work for one server after another, and reports each. `seen` gets each result at once.
    fn each_of<R: Report + HasOutcome>(
        &self,
        endpoints: &[Endpoint],
        common: &Common,
        work: impl Fn(&Endpoint) -> Result<R>,
        text: impl Fn(&R) -> String,
        seen: impl Fn(&Endpoint, Result<&R, &Error>),
    ) -> Result<Exit> {
        let mut servers = Vec::new();
        let mut failed = None;
        for endpoint in endpoints {
            let address = endpoint.address.to_string();
            let worked = work(endpoint);
            seen(endpoint, worked.as_ref());
            match worked {
                Ok(report) => {
                    let exit = Exit::after(&report);
                    if !common.json && !common.quiet {
                        print(&text(&report))?;
                    } else if exit != Exit::Done {
                        message(&text(&report));
                    }
                    servers.push(Server { address, report: Some(report), error: None });
                }
                Err(error) => {
                    // Reported at once: the remaining servers may take hours.
                    let exit = report_error(&error);
                    failed = Some(exit);
                    let error = ErrorReport::new(&error, exit.code());
                    servers.push(Server { address, report: None, error: Some(error) });
                }
            }
        }
        let servers = Servers { servers };
        if common.json {
            print_json(&servers)?;
        }
        // If all failed, the last error decides.
        Ok(match (Exit::after(&servers), failed) {
            (Exit::Trouble, Some(exit)) => exit,
            (exit, _) => exit,
        })
    }
}

/// Reports progress on stderr.
pub(super) struct Teller {
    bar: Bar,
    quiet: bool,
    address: String,
    cancellation: Cancellation,
    /// The time of the last message about a running rewrite.
    last_message: Mutex<Instant>,
}

/// The interval between messages about a running rewrite.
const MESSAGE_EVERY: Duration = Duration::from_secs(10);

impl Teller {
    pub(super) fn new(common: &Common, endpoint: &Endpoint) -> Self {
        Teller {
            bar: Bar::new(common),
            quiet: common.quiet,
            address: endpoint.address.to_string(),
            cancellation: common.cancellation.clone(),
            last_message: Mutex::new(Instant::now()),
        }
    }

    fn say(&self, text: &str) {
        let now = local(Timestamp::now().as_second());
        let line = format!("{} {}  {text}\n", Styled(QUIET, now), self.address);
        self.bar.aside(|| message(&line));
    }
}

impl Progress for Teller {
    fn phase(&self, name: &str, bytes: u64) {
        self.bar.phase(name, bytes);
    }

    fn advance(&self, bytes: u64) {
        self.bar.advance(bytes);
    }

    fn cancellation(&self) -> Option<&Cancellation> {
        Some(&self.cancellation)
    }
}

impl LiveProgress for Teller {
    fn step(&self, number: usize, count: usize, what: &str) {
        if !self.quiet {
            self.say(&format!("{number}/{count} {what}"));
        }
    }

    fn waiting(&self, elapsed: Duration, percent: Option<f64>) {
        let Ok(mut last) = self.last_message.lock() else { return };
        if self.quiet || last.elapsed() < MESSAGE_EVERY {
            return;
        }
        *last = Instant::now();
        let percent = percent.map(|percent| format!(", {percent:.0} %")).unwrap_or_default();
        self.say(&format!("    rewrite in progress: {}{percent}", Elapsed(elapsed)));
    }

    fn warn(&self, text: &str) {
        self.bar.aside(|| message(&format!("{} {text}\n", Styled(WARNING, "warning:"))));
    }
}
