//! `aofkit recover`, and `aofkit strip-flushall`.

use std::path::{Path, PathBuf};

use clap::{ArgAction, Args, ValueEnum};
use serde::Serialize;

use super::args::{Common, OutputArgs, OutputHelp, ReplayArgs};
use super::exit::Exit;
use super::hold::HoldArgs;
use super::output::print;
use super::parse::parse_position;
use crate::analysis::position::Position;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::server::Server;
use crate::input::archive::verify::is_archive;
use crate::input::extracted::Unpacked;
use crate::ops::recover::hold::HoldReport;
use crate::ops::recover::{
    Choice, Expired, Options, Output, RecoverReport, Verdict, Winner, recover,
};
use crate::report;

/// Bring back what a FLUSHALL or one of its relatives destroyed; without a choice, look and change nothing
///
/// The look says whether your data is still there, what destroyed it, and what to do, in this order. What is
/// written is read back and replayed before it appears.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, disable_help_flag = true)]
pub(super) struct Recover {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an archive
    #[arg(value_name = "PATH", required_unless_present = "hold", conflicts_with = "hold")]
    path: Option<PathBuf>,
    /// Take out the FLUSHALL that ends the log, and nothing else
    #[arg(long, group = "choice")]
    strip: bool,
    /// Keep everything before this: PART:OFFSET, '#N' for the Nth command, or a time
    #[arg(long, value_name = "POSITION", value_parser = parse_position, group = "choice")]
    until: Option<Position>,
    /// Take out these events of the timeline, and keep all later writes
    #[arg(long, value_name = "N[,M...]", value_delimiter = ',', group = "choice")]
    excise: Vec<u64>,
    /// Keep the two sides of a flush apart and join them key by key; this side wins where both have a key. The
    /// flush is the one that cost most, or that of --excise; with --survivor, that is the older side
    #[arg(long, value_name = "WINNER", conflicts_with_all = ["strip", "until"])]
    merge: Option<WinnerArg>,
    /// Bring back the keys that match this pattern as they were when they were last deleted or flushed, and keep
    /// everything else as it is; may be repeated
    #[arg(long, value_name = "GLOB", conflicts_with_all = ["choice", "merge"])]
    undelete: Vec<Glob>,
    #[command(flatten)]
    how: How,
    #[command(flatten)]
    hold: HoldArgs,
    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,
}

/// Which side of a flush wins.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum WinnerArg {
    /// What was built after the flush
    Newer,
    /// What stood before the flush
    Older,
}

/// What becomes of keys whose expiry has passed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum ExpiredArg {
    /// Leave them out: a server would delete them at once
    Drop,
    /// Write them as they are
    Keep,
}

/// Take out the FLUSHALL that ends the log, and nothing else: recover --strip
#[derive(Debug, Args)]
pub(super) struct StripFlushall {
    /// The log: a file, a multi-part directory, its manifest, the data directory above, or an archive
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    how: How,
}

/// How it is done.
#[derive(Debug, Args)]
struct How {
    /// Recover this database alone, and leave the others as they are
    #[arg(short, long, value_name = "N")]
    db: Option<u32>,
    /// With --merge and --undelete: what becomes of keys that come back with an expiry that has passed
    #[arg(long, value_name = "WHAT", default_value = "drop")]
    expired: ExpiredArg,
    /// Use what survived beside the log, by its number in the report, instead of the log
    #[arg(long, value_name = "N")]
    survivor: Option<u64>,
    #[command(flatten)]
    placing: OutputArgs<Recovered>,
    /// Do not count keys, which takes a replay
    #[arg(long = "no-preview", action = ArgAction::SetFalse)]
    preview: bool,
    /// Replace what stands at --output; with --in-place, go on although a process writes to the log,
    /// which then loses what that writes
    #[arg(long)]
    force: bool,
    /// The server whose loader is followed (redis-7.0, valkey-9.1, ...)
    #[arg(long = "for", value_name = "VERSION")]
    server: Option<Server>,
    #[command(flatten)]
    replaying: ReplayArgs,
}

/// What the result of a recovery is.
#[derive(Debug)]
struct Recovered;

impl OutputHelp for Recovered {
    const OUTPUT: &'static str =
        "Write the result to this new file, or directory for a multi-part log";
    const IN_PLACE: &'static str =
        "Replace the log, after a complete copy of it stands beside it (NAME.bak-<time>)";
    const QUESTION: &'static str = "where shall the recovered log go?";
}

const EXAMPLES: &str = "\
Examples:
  aofkit recover --hold -p 6379
  aofkit recover /var/lib/redis/appendonlydir
  aofkit recover appendonlydir --strip --output recovered
  aofkit recover appendonly.aof --until '2026-01-01 03:00:00' --output recovered.aof
  aofkit recover appendonlydir --excise 2 --dry-run

Exit codes: 0 recovered, or no loss in the log; 1 a look or a dry run that found a flush or a loss in number, or \
could not rule it out; 2 not possible: nothing was changed.";

impl Recover {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let winner = self.merge.map(|winner| match winner {
            WinnerArg::Newer => Winner::Newer,
            WinnerArg::Older => Winner::Older,
        });
        let choice = if let Some(winner) = winner {
            let event = match self.excise.as_slice() {
                [] => None,
                [event] => Some(*event),
                _ => {
                    return Err(Error::new(
                        ErrorKind::Usage,
                        "--merge joins the two sides of one flush",
                    )
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
            Choice::Look
        };
        let held = self.hold.hold.then(|| self.hold.secure(common)).transpose()?;
        if let Some(held) = held.as_ref().filter(|_| !common.json) {
            // At once: it holds whatever becomes of the look.
            print(&report::hold::text(held))?;
        }
        let kept = held.as_ref().and_then(|held| held.kept.first()).map(|kept| &kept.path);
        let Some(path) = kept.or(self.path.as_ref()) else {
            return Err(Error::new(ErrorKind::Usage, "which log?").help("give its path, or --hold"));
        };
        self.how.run(path, choice, held.as_ref(), common)
    }
}

impl StripFlushall {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        self.how.run(&self.path, Choice::Strip, None, common)
    }
}

/// What scripts are told when a log was secured first.
#[derive(Serialize)]
struct HeldAndSeen<'r> {
    schema: u32,
    hold: &'r HoldReport,
    recover: &'r RecoverReport,
}

impl How {
    fn run(
        &self,
        path: &Path,
        choice: Choice,
        held: Option<&HoldReport>,
        common: &Common,
    ) -> Result<Exit> {
        let options = Options {
            output: self.output(&choice)?,
            choice,
            db: self.db,
            expired: match self.expired {
                ExpiredArg::Drop => Expired::Drop,
                ExpiredArg::Keep => Expired::Keep,
            },
            now_ms: self.replaying.now_ms(),
            survivor: self.survivor,
            server: self.server,
            preview: self.preview,
            force: self.force,
            route: self.replaying.route(),
            replay: self.replaying.replay(common, self.server),
        };
        let archived = is_archive(path);
        if archived && options.output == Output::InPlace {
            return Err(Error::new(ErrorKind::Usage, "an archive is not recovered in place")
                .at(path)
                .help("--output NEW writes what comes back, and leaves the archive as it is"));
        }
        let mut report = common.with_bar(|bar| {
            if archived {
                // The operation knows nothing of the archive that the log is taken from.
                options.output.check(options.force, &[path.to_owned()])?;
            }
            let log = Unpacked::of(path, bar)?;
            recover(log.path(), &options, bar)
        })?;
        if archived {
            report.tell_of_archive(path);
        }
        let exit = exit(&report);
        if let Some(hold) = held.filter(|_| common.json) {
            print(&report::json(&HeldAndSeen { schema: 1, hold, recover: &report }))?;
        } else {
            common.tell(&report, exit != Exit::Done, || report::recover::text(&report))?;
        }
        Ok(exit)
    }

    fn output(&self, choice: &Choice) -> Result<Output> {
        if *choice == Choice::Look {
            if self.placing.is_given() {
                return Err(Error::new(ErrorKind::Usage, "what shall be written?").help(
                    "--strip, --until, --excise, --merge and --undelete say how to recover; without one of them nothing is written",
                ));
            }
            return Ok(Output::DryRun);
        }
        self.placing.output()
    }
}

fn exit(report: &RecoverReport) -> Exit {
    let written = report.done.as_ref().is_some_and(|done| done.written.is_some());
    let is_no = matches!(report.verdict, Verdict::Ordinary | Verdict::Nothing | Verdict::Empty);
    let found = !is_no || report.broken.is_some();
    if !written && found { Exit::Findings } else { Exit::Done }
}
