//! `aofkit backup --live` and `--restore-config`.

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use rustix::process::{Pid, getpriority_process, setpriority_process};
use serde::Serialize;

use super::args::Common;
use super::connection::ConnectionArgs;
use super::exit::Exit;
use super::output::{message, print, report_error};
use super::parse::parse_duration;
use super::progress::Bar;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::Elapsed;
use crate::live::endpoint::Endpoint;
use crate::live::progress::Watch;
use crate::ops::backup::live::{
    LiveOptions, LiveReport, LookReport, RestoreReport, Strategy, Taken, look, restore_config, run,
};
use crate::report;
use crate::report::style::{QUIET, Styled, WARNING};
use crate::report::time::local;

const LIVE: &str = "Running servers";

/// What a backup of a running server takes.
#[derive(Debug, Args)]
pub(super) struct LiveArgs {
    /// Back up a running server instead of a path
    #[arg(long, help_heading = LIVE)]
    pub(super) live: bool,
    /// Set back what a run that was killed has left changed at the server, and do nothing else
    #[arg(long, conflicts_with = "live", help_heading = LIVE)]
    pub(super) restore_config: bool,
    /// rewrite: let the server rewrite its log first; link: take the log as it is, without a rewrite or a fork
    #[arg(long, value_name = "HOW", default_value = "rewrite", hide_possible_values = true, help_heading = LIVE)]
    strategy: StrategyArg,
    /// Where the server's data directory is on this machine [default: where the server says]
    #[arg(long, value_name = "DIR", help_heading = LIVE)]
    dir: Option<PathBuf>,
    /// Between two steps
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, help_heading = LIVE)]
    pause: Duration,
    /// When a rewrite is given up; 0: never
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = parse_duration, help_heading = LIVE)]
    timeout: Duration,
    /// Between two looks at the rewrite
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = parse_duration, hide = true)]
    poll: Duration,
    /// How long a lost connection is tried anew
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration, hide = true)]
    reconnect: Duration,
    /// Back up a replica, if it is in touch with its primary
    #[arg(long, help_heading = LIVE)]
    allow_replica: bool,
    /// Taken for the sake of old scripts: no second copy of the log is ever kept
    #[arg(long = "move", help_heading = LIVE)]
    _move: bool,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StrategyArg {
    Rewrite,
    Link,
}

/// One server, and what came of it.
#[derive(Serialize)]
struct Server<R> {
    address: String,
    report: Option<R>,
    error: Option<Told>,
}

/// An error, for scripts.
#[derive(Serialize)]
struct Told {
    message: String,
    help: Option<String>,
}

#[derive(Serialize)]
struct Servers<R> {
    schema: u32,
    servers: Vec<Server<R>>,
}

impl LiveArgs {
    /// Whether it is about a running server at all.
    pub(super) fn is_wanted(&self) -> bool {
        self.live || self.restore_config
    }

    /// The port of the server that wrote a log which is backed up by its path: archives are named and told apart by it.
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

    /// Backs up one server after another, so that no two fork at a time, by `back_up`; `text` and `exit` tell what came
    /// of it. `fixed`: the log must not grow meanwhile.
    pub(super) fn run<T: Serialize>(
        &self,
        common: &Common,
        to: &Path,
        fixed: bool,
        back_up: impl Fn(&Taken<'_>, &dyn Progress) -> Result<T>,
        text: impl Fn(&T) -> String,
        exit: impl Fn(&T) -> Exit,
    ) -> Result<Exit> {
        let options = self.options(to, fixed);
        give_way();
        self.each(
            common,
            |endpoint| {
                let teller = Teller::new(common, endpoint);
                run(endpoint, &options, &teller, |taken| back_up(taken, &teller))
            },
            |report: &LiveReport<T>| report::live::text(report, &text(&report.backup)),
            |report| exit(&report.backup),
        )
    }

    /// Says of each server whether it could be backed up, and how.
    pub(super) fn look(&self, common: &Common, to: &Path, fixed: bool) -> Result<Exit> {
        let options = self.options(to, fixed);
        self.each(
            common,
            |endpoint| look(endpoint, &options, &Teller::new(common, endpoint)),
            |report: &LookReport| report::live::looked(report, to),
            |_| Exit::Done,
        )
    }

    /// Sets back what a run that was killed has left changed.
    pub(super) fn restore(&self, common: &Common, to: &Path) -> Result<Exit> {
        let dir = self.dir.as_deref();
        self.each(
            common,
            |endpoint| restore_config(endpoint, dir, to),
            |report: &RestoreReport| report::live::restored(report),
            |_| Exit::Done,
        )
    }

    fn each<R: Serialize>(
        &self,
        common: &Common,
        work: impl Fn(&Endpoint) -> Result<R>,
        text: impl Fn(&R) -> String,
        exit: impl Fn(&R) -> Exit,
    ) -> Result<Exit> {
        let endpoints = self.connection.endpoints()?;
        if self.dir.is_some() && endpoints.len() > 1 {
            let message = "--dir is the data directory of one server, and several are named";
            return Err(Error::new(ErrorKind::Usage, message).help("run it once for each"));
        }
        let mut servers = Vec::new();
        let mut failed = None;
        let mut unlike = Exit::Done;
        for endpoint in &endpoints {
            let address = endpoint.address.to_string();
            match work(endpoint) {
                Ok(report) => {
                    let exit = exit(&report);
                    if !common.json && !common.quiet {
                        print(&text(&report))?;
                    } else if exit != Exit::Done {
                        message(&text(&report));
                    }
                    unlike = if exit == Exit::Done { unlike } else { exit };
                    servers.push(Server { address, report: Some(report), error: None });
                }
                Err(error) => {
                    // Told at once: those behind it may take hours.
                    failed = Some(report_error(&error));
                    let help = error.next_step().map(String::from);
                    let told = Told { message: error.to_string(), help };
                    servers.push(Server { address, report: None, error: Some(told) });
                }
            }
        }
        let made = servers.iter().any(|server| server.report.is_some());
        if common.json {
            print(&report::json(&Servers { schema: 1, servers }))?;
        }
        Ok(match failed {
            None => unlike,
            Some(_) if made => Exit::Partial,
            Some(exit) => exit,
        })
    }
}

/// How far behind the server's this process stands in the queue for a core, as nice(1) counts.
const NICENESS: i32 = 10;

/// Lets the server go first: it answers clients while this process packs on all cores. Threads that are started later
/// are as nice as the one that starts them.
fn give_way() {
    for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
        let number = task.file_name().to_str().and_then(|name| name.parse().ok());
        if let Some(thread) = number.and_then(Pid::from_raw)
            && getpriority_process(Some(thread)).is_ok_and(|nice| nice < NICENESS)
        {
            // Without it the backup is as good, only the server slower.
            let _ = setpriority_process(Some(thread), NICENESS);
        }
    }
}

/// Tells on stderr how it goes.
pub(super) struct Teller {
    bar: Bar,
    quiet: bool,
    address: String,
    /// When it was last said that a rewrite goes on.
    said: Mutex<Instant>,
}

/// How often it is said that a rewrite goes on.
const SAY_EVERY: Duration = Duration::from_secs(10);

impl Teller {
    pub(super) fn new(common: &Common, endpoint: &Endpoint) -> Self {
        Teller {
            bar: Bar::new(common),
            quiet: common.quiet,
            address: endpoint.address.to_string(),
            said: Mutex::new(Instant::now()),
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
}

impl Watch for Teller {
    fn step(&self, number: usize, count: usize, what: &str) {
        if !self.quiet {
            self.say(&format!("{number}/{count} {what}"));
        }
    }

    fn waiting(&self, elapsed: Duration, percent: Option<f64>) {
        let Ok(mut said) = self.said.lock() else { return };
        if self.quiet || said.elapsed() < SAY_EVERY {
            return;
        }
        *said = Instant::now();
        let percent = percent.map(|percent| format!(", {percent:.0} %")).unwrap_or_default();
        self.say(&format!("    the rewrite goes on: {}{percent}", Elapsed(elapsed)));
    }

    fn warn(&self, text: &str) {
        self.bar.aside(|| message(&format!("{} {text}\n", Styled(WARNING, "warning:"))));
    }
}
