//! `aofkit repair`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{Common, OutputArgs, OutputHelp};
use super::exit::Exit;
use super::parse::parse_size;
use crate::base::error::Result;
use crate::ops::repair::{OpenTransaction, Options, repair};
use crate::report;

/// Mend a damaged log: cut its torn end, or step over the damage
///
/// By default everything from the first damage on is cut, as a server would, but never inside a transaction.
/// The result is verified before it appears.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Repair {
    /// The log: a file, a multi-part directory, its manifest, or the data directory above
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    placing: OutputArgs<Repaired>,
    /// Step over damage and keep every whole command behind it
    #[arg(long)]
    salvage: bool,
    /// What to do about an unfinished transaction that later writes may stand behind
    #[arg(long, value_name = "HOW")]
    join: Option<JoinArg>,
    /// Change nothing (exit code 4) if more than this would be lost, and ask no question
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_loss: Option<u64>,
    /// Change nothing (exit code 4) if more whole commands than this would be lost
    #[arg(long, value_name = "N")]
    max_commands: Option<u64>,
    /// Replace what stands at --output; go on although a process writes to the input
    #[arg(long)]
    force: bool,
}

/// What the result of a repair is.
#[derive(Debug)]
struct Repaired;

impl OutputHelp for Repaired {
    const OUTPUT: &'static str = "Write the result to this new file or directory";
    const IN_PLACE: &'static str =
        "Replace the input, after a complete copy of it stands beside it (NAME.bak-<time>)";
    const QUESTION: &'static str = "where shall the repaired log go?";
}

/// Where later writes begin behind an unfinished transaction.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum JoinArg {
    /// Nowhere: cut everything from the MULTI on, as servers do
    Cut,
    /// At the first SELECT behind it, as after a restart of the server
    Select,
}

const EXAMPLES: &str = "\
Examples:
  aofkit repair --dry-run appendonlydir
  aofkit repair appendonly.aof --output repaired.aof
  aofkit repair --in-place --max-loss 64kb /data/appendonlydir && redis-server ...

Exit codes: 0 repaired, or nothing to repair; 1 a dry run that found damage; \
2 not possible; 4 left alone, because --max-loss or --max-commands would be passed, or no command would be kept.";

impl Repair {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = Options {
            output: self.placing.output()?,
            salvage: self.salvage,
            open_transaction: match self.join {
                None => OpenTransaction::Ask,
                Some(JoinArg::Cut) => OpenTransaction::Cut,
                Some(JoinArg::Select) => OpenTransaction::KeepFromSelect,
            },
            max_loss_bytes: self.max_loss,
            max_lost_commands: self.max_commands,
            force: self.force,
        };
        let report = common.with_bar(|bar| repair(&self.path, &options, bar))?;
        if let Some(refused) = &report.refused {
            // With --quiet the error says it all.
            common.tell(&report, false, || report::repair::text(&report))?;
            return Err(refused.error(&self.path));
        }
        common.tell(&report, report.damaged, || report::repair::text(&report))?;
        Ok(if report.damaged && report.dry_run { Exit::Findings } else { Exit::Done })
    }
}
