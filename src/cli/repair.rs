//! `aofkit repair`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::args::{Common, ModuleArgs, NoBackupArg, OfflineArg, OutputArgs, OutputHelp};
use super::exit::Exit;
use super::output::report_error;
use super::parse::parse_size;
use super::values::ServerValue;
use crate::base::error::{Error, Result};
use crate::base::server::Server;
use crate::ops::repair::{Assumption, OpenTransaction, RepairOptions, repair};
use crate::report;

/// Repair a damaged log or RDB: truncate it, or skip the damage
///
/// By default the log is truncated at the first damage, as by a server, but never inside a transaction.
/// In an RDB, bytes that are wrong are found from its checksum and set back.
/// The result is verified before it gets its final name.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Repair {
    /// The log: a file, a multi-part directory, its manifest, or the data directory above
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    placing: OutputArgs<Repaired>,
    /// Skip damage and keep every complete command, and every complete key of an RDB, after it
    #[arg(long)]
    salvage: bool,
    /// What to do with an unfinished transaction that later writes may follow
    #[arg(long, value_name = "HOW", hide_short_help = true)]
    join: Option<JoinArg>,
    /// Of several logs that were joined into one file, keep only this one (1 for the first)
    #[arg(long, value_name = "N", hide_short_help = true)]
    joined: Option<u32>,
    /// Of a set without a manifest, the base file that it begins with, if there are several
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    base: Option<String>,
    /// Assumption where the log is ambiguous: the version between conflict markers of git, the line ends of values, the
    /// encoding of text whose length counts characters
    #[arg(long, value_name = "WHICH", hide_short_help = true)]
    assume: Vec<AssumeArg>,
    /// Change nothing (exit code 4) if more than this would be lost; never ask
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    max_loss: Option<u64>,
    /// Change nothing (exit code 4) if more complete commands than this would be lost
    #[arg(long, value_name = "N", hide_short_help = true)]
    max_commands: Option<u64>,
    /// The record of a duplicate key in an RDB to keep
    #[arg(long, value_name = "WHICH", default_value = "first", hide = true)]
    keep: KeepArg,
    /// Remove the commands that fail while a server loads them: they have no effect
    #[arg(long)]
    drop_failing: bool,
    /// Do not replay the result to count its keys and the commands that fail: several times as fast
    #[arg(long, conflicts_with = "drop_failing", hide_short_help = true)]
    no_replay: bool,
    /// Go on without files of a set that are missing: what was in them is lost
    #[arg(long)]
    without_missing: bool,
    /// Succeed if there is no log yet, as before the first start of a server
    #[arg(long)]
    if_present: bool,
    /// The server that is to start with the result (redis-7.0, valkey-9.1, ...) [default: any]
    #[arg(long = "for", value_name = "VERSION", value_parser = ServerValue, hide_possible_values = true, value_delimiter = ',')]
    servers: Vec<Server>,
    #[command(flatten)]
    modules: ModuleArgs,
    /// Replace the output, kept as NAME.bak-TIME; repair even while a process writes to the input
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    backup: NoBackupArg,
    #[command(flatten)]
    offline: OfflineArg,
}

/// The help texts for the destination of a repaired log.
#[derive(Debug)]
struct Repaired;

impl OutputHelp for Repaired {
    const OUTPUT: &'static str = "Write the result to this new file or directory";
    const IN_PLACE: &'static str =
        "Replace the input after saving a full backup next to it (NAME.bak-<time>)";
    const QUESTION: &'static str = "no destination given for the repaired log";
}

/// The record of a duplicate key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum KeepArg {
    /// The first one
    First,
    /// The last one
    Last,
}

/// An assumption where a log is ambiguous.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum AssumeArg {
    /// Between conflict markers the first version, of the branch that was merged into
    Ours,
    /// Between conflict markers the last version, of the branch that was merged
    Theirs,
    /// Between conflict markers the first version, and then the last one
    Both,
    /// LF in values of which only some line ends were CR LF
    Lf,
    /// CR LF in values of which only some line ends were CR LF
    Crlf,
    /// Keep text whose length counts characters, and correct the length
    #[value(name = "utf-8")]
    Utf8,
    /// Convert such text to bytes in Latin-1
    #[value(name = "latin-1")]
    Latin1,
    /// Convert such text to bytes in Windows-1252
    #[value(name = "windows-1252")]
    Windows1252,
    /// Convert such text to bytes in code page 437
    Cp437,
    /// Convert such text to bytes in code page 850
    Cp850,
}

impl AssumeArg {
    fn assumption(self) -> Assumption {
        match self {
            AssumeArg::Ours => Assumption::Ours,
            AssumeArg::Theirs => Assumption::Theirs,
            AssumeArg::Both => Assumption::Both,
            AssumeArg::Lf => Assumption::Lf,
            AssumeArg::Crlf => Assumption::CrLf,
            AssumeArg::Utf8 => Assumption::Utf8,
            AssumeArg::Latin1 => Assumption::Latin1,
            AssumeArg::Windows1252 => Assumption::Windows1252,
            AssumeArg::Cp437 => Assumption::Cp437,
            AssumeArg::Cp850 => Assumption::Cp850,
        }
    }
}

/// Where later writes begin after an unfinished transaction.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum JoinArg {
    /// Nowhere: remove everything from the MULTI on, as servers do
    Cut,
    /// At the first SELECT after it, as after a restart of the server
    Select,
}

const EXAMPLES: &str = "\
Examples:
  aofkit repair --dry-run appendonlydir
  aofkit repair appendonly.aof --output repaired.aof
  aofkit repair --salvage dump.rdb --output repaired.rdb
  aofkit repair --in-place --if-present --max-loss 64kb /data/appendonlydir && redis-server ...

Exit codes: 0 repaired, or nothing to repair; 1 a dry run that found damage, or a whole log with which no server starts; \
2 failed; 4 nothing changed, because --max-loss or --max-commands would be exceeded, or no command would be kept.";

impl Repair {
    pub(super) fn run(&self, common: &Common) -> Result<Exit> {
        let options = RepairOptions {
            output: self.placing.output()?,
            salvage: self.salvage,
            open_transaction: match self.join {
                None => OpenTransaction::Ask,
                Some(JoinArg::Cut) => OpenTransaction::Cut,
                Some(JoinArg::Select) => OpenTransaction::KeepFromSelect,
            },
            keep_last_duplicate: self.keep == KeepArg::Last,
            joined: self.joined,
            base: self.base.clone(),
            assumptions: self.assume.iter().map(|it| it.assumption()).collect(),
            max_loss_bytes: self.max_loss,
            max_lost_commands: self.max_commands,
            without_missing: self.without_missing,
            drop_failing: self.drop_failing,
            no_replay: self.no_replay,
            servers: self.servers.clone(),
            modules: self.modules.loaded(),
            if_present: self.if_present,
            force: self.force,
            no_backup: self.backup.no_backup,
            offline: self.offline.offline,
        };
        let report = common.with_bar(|bar| repair(&self.path, &options, bar))?;
        if let Some(refused) = &report.plan.refused {
            // With --quiet, the error is enough.
            common.print_report(&report, false, || report::repair::text(&report))?;
            // The report has it, so that it is not a second document.
            let error = report.next.iter().cloned().fold(refused.error(&self.path), Error::step);
            return Ok(report_error(&error));
        }
        common.print_report(&report, report.plan.damaged, || report::repair::text(&report))?;
        Ok(Exit::after(&report))
    }
}
