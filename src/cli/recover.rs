//! `aofkit recover`, and `aofkit strip-flushall`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};

use super::args::{
    COMMON, Common, NoBackupArg, OfflineArg, OutputArgs, OutputHelp, ReplayArgs, SEE_LONG_HELP,
};
use super::connection::LoginArgs;
use super::exit::Exit;
use super::expired::ExpiredArg;
use super::hold::HoldArgs;
use super::into::IntoArgs;
use super::output::{print, print_json};
use super::parse::parse_position;
use super::pick::data_directory;
use super::values::ServerValue;
use crate::analysis::data_filter::Filter;
use crate::analysis::position::Position;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::server::Server;
use crate::ops::into::{IntoOptions, recover_into};
use crate::ops::recover::hold::HoldReport;
use crate::ops::recover::{Choice, Expired, Output, RecoverOptions, Winner, recover};
use crate::replay::RouteOptions;
use crate::report;
use crate::report::hold::HeldAndRecovered;

/// Recover data destroyed by FLUSHALL, FLUSHDB or a mass deletion; by default only reports
///
/// The report states whether the data is still in the log, what destroyed it, and what to do next. A result is read
/// back and replayed before it gets its final name.
#[derive(Debug, Args)]
#[command(after_help = SEE_LONG_HELP, after_long_help = EXAMPLES, disable_help_flag = true)]
pub(super) struct Recover {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an archive [default: choose one]
    ///
    /// Without it, data directories are searched: those of running servers, /var/lib/redis, /var/lib/valkey, /data,
    /// /bitnami/redis/data and the current one.
    #[arg(value_name = "PATH", conflicts_with_all = ["hold", "release", "holds"])]
    path: Option<PathBuf>,
    /// Remove only the FLUSHALL at the end of the log
    #[arg(long, group = "choice")]
    strip: bool,
    /// Keep everything before this position: PART:OFFSET, '#N' for the Nth command, or a time
    #[arg(long, value_name = "POSITION", value_parser = parse_position, group = "choice")]
    until: Option<Position>,
    /// Remove these events of the timeline; keep all later writes
    #[arg(long, value_name = "N[,M...]", value_delimiter = ',', group = "choice")]
    excise: Vec<u64>,
    /// Merge the data before and after an event key by key
    ///
    /// This side wins if both have a key. The event is that of --excise, or else the flush that destroyed most; of an event
    /// other than a flush, only the keys that it removed or replaced are restored. With --candidate, the candidate is the
    /// older side.
    #[arg(long, value_name = "WINNER", conflicts_with_all = ["strip", "until"])]
    merge: Option<WinnerArg>,
    /// Restore deleted or flushed keys that match GLOB
    ///
    /// The keys get their state from before they were last deleted or flushed; everything else is kept. May be
    /// repeated.
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["choice", "merge"])]
    undelete: Vec<Glob>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    hold: HoldArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help, help_heading = COMMON)]
    help: Option<bool>,
}

/// Which side of a flush wins.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WinnerArg {
    /// The data written after the flush
    Newer,
    /// The data from before the flush
    Older,
}

/// Remove the FLUSHALL at the end of the log: same as `recover --strip`
#[derive(Debug, Args)]
pub(super) struct StripFlushall {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    login: LoginArgs,
}

/// The options of `recover` and `strip-flushall`.
#[derive(Debug, Args)]
struct How {
    /// Recover only this database
    #[arg(short, long, value_name = "N")]
    db: Option<u32>,
    /// With --merge and --undelete: what to do with restored keys that have expired
    #[arg(long, value_name = "WHAT", default_value = "drop", hide_short_help = true)]
    expired: ExpiredArg,
    /// Recover from this candidate of the report
    #[arg(long = "candidate", alias = "survivor", value_name = "N")]
    candidate: Option<u64>,
    /// Search this directory, too, for recovery candidates: logs, RDBs, archives; may be repeated
    #[arg(long, value_name = "DIR", hide_short_help = true)]
    also: Vec<PathBuf>,
    #[command(flatten)]
    placing: OutputArgs<Recovered>,
    #[command(flatten)]
    into: IntoArgs,
    /// With --into: send keys, too, that the log shows written or deleted since the event
    #[arg(long, requires = "into", hide_short_help = true, help_heading = super::into::INTO)]
    also_deleted: bool,
    /// Do not replay the log to count keys
    #[arg(long = "no-preview", action = ArgAction::SetFalse, hide_short_help = true)]
    preview: bool,
    /// Count removed keys as a loss from this share of the keys of a database on
    #[arg(
        long,
        value_name = "PERCENT",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..=100),
        hide_short_help = true
    )]
    loss_share: u64,
    /// Count deleted keys as a loss from this multiple of the log's own rate of deletion on
    #[arg(
        long,
        value_name = "FACTOR",
        default_value_t = 10,
        value_parser = clap::value_parser!(u64).range(1..),
        hide_short_help = true
    )]
    loss_rate: u64,
    /// Replace the output, kept as NAME.bak-TIME
    ///
    /// With --in-place, replaces a log even while a process is writing it; the writes of that process are lost.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backup: NoBackupArg,
    #[command(flatten)]
    offline: OfflineArg,
    /// Load the log as this server does (redis-7.0, valkey-9.1, ...)
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true, hide_short_help = true)]
    server: Option<Server>,
    #[command(flatten)]
    replaying: ReplayArgs,
}

/// The help texts for the destination of a recovered log.
#[derive(Debug)]
struct Recovered;

impl OutputHelp for Recovered {
    const OUTPUT: &'static str =
        "Write the result to this new file, or directory for a multi-part log";
    const IN_PLACE: &'static str =
        "Replace the log after saving a full backup next to it (NAME.bak-<time>)";
    const QUESTION: &'static str = "no destination given for the recovered log";
}

const EXAMPLES: &str = "\
Examples:
  aofkit recover --hold -p 6379
  aofkit recover /var/lib/redis/appendonlydir
  aofkit recover appendonlydir --strip --output recovered
  aofkit recover held --merge newer --into 127.0.0.1:6379
  aofkit recover app.aof --until '2026-01-01 03:00:00' --output new.aof
  aofkit recover appendonlydir --excise 2 --dry-run
  aofkit recover /var/lib/redis --also /backup --candidate 2 --strip --output recovered
  aofkit recover --release -p 6379

Exit codes: 0 recovered, or no loss found; 1 a report or dry run that found a loss of data, or could \
not rule it out, or that found a missing file, or more data elsewhere; 2 failed: nothing was changed; 3 some keys could not be put into the server.";

impl Recover {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        if let Some(exit) = self.hold.run_alone(common)? {
            return Ok(exit);
        }
        let winner = self.merge.map(|winner| match winner {
            WinnerArg::Newer => Winner::Newer,
            WinnerArg::Older => Winner::Older,
        });
        let choice = if let Some(winner) = winner {
            let event = match self.excise.as_slice() {
                [] => None,
                [event] => Some(*event),
                _ => {
                    return Err(Error::new(ErrorKind::Usage, "--merge takes only one flush")
                        .help("give one number to --excise"));
                }
            };
            Choice::Merge { winner, event }
        } else if !self.undelete.is_empty() {
            Choice::Undelete(self.undelete.clone())
        } else if self.strip {
            Choice::Strip
        } else if let Some(position) = &self.until {
            Choice::Until(position.clone())
        } else if !self.excise.is_empty() {
            Choice::Excise(self.excise.clone())
        } else {
            Choice::Preview
        };
        let held = self.hold.hold.then(|| self.hold.secure(common)).transpose()?;
        if let Some(held) = held.as_ref().filter(|_| !common.json) {
            // Printed at once: the log is secured even if reading it fails.
            print(&report::hold::text(held))?;
        }
        let kept = held.as_ref().and_then(|held| held.kept.first()).map(|kept| &kept.path);
        let path = match kept.or(self.path.as_ref()) {
            Some(path) => path.clone(),
            None => data_directory("recover", common)?,
        };
        self.how.run(&path, choice, held.as_ref(), self.hold.login(), common)
    }
}

impl StripFlushall {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        self.how.run(&self.path, Choice::Strip, None, &self.login, common)
    }
}

impl How {
    fn run(
        &self,
        path: &Path,
        choice: Choice,
        held: Option<&HoldReport>,
        login: &LoginArgs,
        common: &Common,
    ) -> Result<Exit> {
        let options = RecoverOptions {
            output: self.output(&choice)?,
            choice,
            db: self.db,
            expired: self.expired.treatment(),
            now_ms: self.replaying.now_ms(),
            candidate: self.candidate,
            also: self.also.clone(),
            server: self.server,
            preview: self.preview,
            loss_share: self.loss_share,
            loss_rate: self.loss_rate,
            force: self.force,
            no_backup: self.backup.no_backup,
            offline: self.offline.offline,
            route: RouteOptions { empty_rdb: true, ..self.replaying.route() },
            replay: self.replaying.replay(common, self.server),
        };
        if self.into.is_given() {
            return self.put_into(path, options, login, common);
        }
        let report = common.with_bar(|bar| recover(path, &options, bar))?;
        let exit = Exit::after(&report);
        if let Some(hold) = held.filter(|_| common.json) {
            print_json(&HeldAndRecovered { hold, recover: &report })?;
        } else {
            common.print_report(&report, exit != Exit::Done, || report::recover::text(&report))?;
        }
        Ok(exit)
    }

    /// Puts what the options choose into a running server.
    fn put_into(
        &self,
        path: &Path,
        options: RecoverOptions,
        login: &LoginArgs,
        common: &Common,
    ) -> Result<Exit> {
        let expired = self.expired.treatment();
        let dry_run = self.placing.is_dry_run();
        let into = self.into.options(login, Filter::default(), expired, dry_run, common)?;
        let Some(into) = into else { return Ok(Exit::Done) };
        let into = IntoOptions { also_deleted: self.also_deleted, ..into };
        // Keys whose expiry has passed are left out when they are sent.
        let options = RecoverOptions { expired: Expired::Persist, ..options };
        let report = common.with_bar(|bar| recover_into(path, &options, &into, bar))?;
        super::into::print(&report, common)
    }

    fn output(&self, choice: &Choice) -> Result<Output> {
        if self.into.is_given() {
            self.placing.refuse_another()?;
            return Ok(Output::DryRun);
        }
        if *choice == Choice::Preview {
            if self.placing.is_given() {
                return Err(Error::new(ErrorKind::Usage, "no recovery option given").help(
                    "use --strip, --until, --excise, --merge or --undelete; without one of them nothing is written",
                ));
            }
            return Ok(Output::DryRun);
        }
        self.placing.output()
    }
}
