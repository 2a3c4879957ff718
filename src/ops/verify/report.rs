//! The report of verify: the schema of its JSON, and the only thing its text is made from.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::findings::{Finding, Level};
use super::judge::Verdict;
use crate::analysis::survey::{Preamble, Survey};
use crate::aof::log::{HistoryFile, Layout, Log, OtherFile, PartRole};
use crate::archive::report::ArchiveReport;
use crate::base::error::Error;
use crate::base::failure::Failure;
use crate::input::broken_set::BrokenSet;
use crate::rdb;

/// What came of verifying several paths.
#[derive(Debug, Serialize)]
pub struct VerifyReport {
    /// The version of this schema.
    pub schema: u32,
    /// `verify`.
    pub report: &'static str,
    /// One for each path, in the order in which they were given.
    pub logs: Vec<LogOutcome>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// What came of one path.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum LogOutcome {
    /// It was read; the report says what was found.
    Read(Box<LogReport>),
    /// It is a zip, and was read with all that is in it.
    Archive(Box<ArchiveReport>),
    /// No server loads this set, whatever its parts hold.
    BrokenSet {
        /// The path as given.
        #[serde(serialize_with = "crate::base::escape::path")]
        path: PathBuf,
        /// What is wrong with it.
        #[serde(flatten)]
        broken: BrokenSet,
        /// The same as a sentence.
        message: String,
        /// What to do.
        help: String,
    },
    /// It could not be read.
    Failed(Failure),
}

impl LogOutcome {
    pub(super) fn broken(path: &Path, broken: BrokenSet) -> Self {
        LogOutcome::BrokenSet {
            path: path.to_path_buf(),
            message: Error::from(broken.clone()).to_string(),
            help: broken.fault.help(),
            broken,
        }
    }
}

/// What was found in one log.
#[derive(Debug, Serialize)]
pub struct LogReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// What was opened there: the file, or the manifest of the set.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// Why just that, where there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// How the log lies on disk.
    pub layout: Layout,
    /// Whether there is no finding of level error.
    pub sound: bool,
    /// Bytes of all parts.
    pub bytes: u64,
    /// Whole commands in all parts.
    pub commands: u64,
    /// Keys in RDB parts.
    pub rdb_keys: u64,
    /// Whole transactions.
    pub transactions: u64,
    /// The first `#TS:` annotation, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<i64>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<i64>,
    /// Commands by the database in force.
    pub databases: BTreeMap<u32, u64>,
    /// Commands by name, the most frequent first; unknown names included.
    pub by_command: Vec<CommandCount>,
    /// The parts, in load order.
    pub parts: Vec<PartReport>,
    /// What was found, the worst first.
    pub findings: Vec<Finding>,
    /// What servers do with it.
    pub verdicts: Vec<Verdict>,
    /// Files that a rewrite has replaced.
    pub history: Vec<HistoryFile>,
    /// Files beside the log that are no part of it.
    pub others: Vec<OtherFile>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// The same, unrounded.
    #[serde(skip)]
    pub elapsed: Duration,
}

/// How often a command occurs.
#[derive(Debug, Clone, Serialize)]
pub struct CommandCount {
    /// Its name, in upper case.
    pub name: String,
    /// How often.
    pub count: u64,
}

/// What one part holds. Its tiles abut: `rdb_bytes` + `command_bytes` + `tail_bytes` = `bytes`.
#[derive(Debug, Serialize)]
pub struct PartReport {
    /// The file's name.
    pub name: String,
    /// What it is to the log.
    pub role: PartRole,
    /// Its length.
    pub bytes: u64,
    /// Bytes of the RDB at its start; 0 when it begins with commands.
    pub rdb_bytes: u64,
    /// Bytes of whole commands and annotations.
    pub command_bytes: u64,
    /// Bytes from the first damage to the end.
    pub tail_bytes: u64,
    /// Whole commands.
    pub commands: u64,
    /// Lines that begin with `#`.
    pub annotations: u64,
    /// Whole transactions.
    pub transactions: u64,
    /// What the RDB at its start holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdb: Option<rdb::Walk>,
    /// The RDB at its start, where it is whole and has content that this version does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<rdb::Newer>,
}

impl VerifyReport {
    pub(super) fn new(logs: Vec<LogOutcome>, elapsed: Duration) -> Self {
        VerifyReport { schema: 1, report: "verify", logs, elapsed_ms: milliseconds(elapsed) }
    }
}

impl LogReport {
    pub(super) fn new(
        log: &Log,
        surveys: &[Survey<'_>],
        verdicts: Vec<Verdict>,
        findings: Vec<Finding>,
    ) -> Self {
        let parts: Vec<PartReport> = surveys.iter().map(PartReport::new).collect();
        let times = surveys.iter().map(|survey| survey.tally.times);
        LogReport {
            path: log.path.clone(),
            opened: log.opened.clone(),
            chosen: log.chosen.clone(),
            layout: log.layout.clone(),
            sound: findings.iter().all(|finding| finding.level < Level::Error),
            bytes: log.bytes(),
            commands: parts.iter().map(|part| part.commands).sum(),
            rdb_keys: parts.iter().filter_map(|part| part.rdb.as_ref()).map(|rdb| rdb.keys).sum(),
            transactions: parts.iter().map(|part| part.transactions).sum(),
            first_time: times.clone().find_map(|times| times.first),
            last_time: times.rev().find_map(|times| times.last),
            databases: databases(surveys),
            by_command: by_command(surveys),
            parts,
            findings,
            verdicts,
            history: log.history.clone(),
            others: log.others.clone(),
            elapsed_ms: 0,
            elapsed: Duration::ZERO,
        }
    }

    pub(super) fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed = elapsed;
        self.elapsed_ms = milliseconds(elapsed);
    }
}

impl PartReport {
    fn new(survey: &Survey<'_>) -> Self {
        let bytes = survey.part.mapping.len();
        let (rdb, commands_end) = match &survey.preamble {
            Some(Preamble::Broken(damage)) => (Some(damage.before.clone()), survey.commands_start),
            Some(Preamble::Whole(walk)) => (Some(walk.clone()), survey.stop.at as u64),
            Some(Preamble::Newer(_)) | None => (None, survey.stop.at as u64),
        };
        let report = PartReport {
            name: survey.part.name.clone(),
            role: survey.part.role,
            bytes,
            rdb_bytes: survey.commands_start,
            command_bytes: commands_end - survey.commands_start,
            tail_bytes: bytes - commands_end,
            commands: survey.tally.commands,
            annotations: survey.tally.annotations.count,
            transactions: survey.tally.transactions.whole,
            rdb,
            newer_rdb: survey.newer_rdb().cloned(),
        };
        debug_assert_eq!(report.rdb_bytes + report.command_bytes + report.tail_bytes, bytes);
        report
    }
}

fn databases(surveys: &[Survey<'_>]) -> BTreeMap<u32, u64> {
    let mut sum = BTreeMap::new();
    for survey in surveys {
        for (number, count) in survey.tally.databases.counts(survey.tally.commands) {
            *sum.entry(number).or_default() += count;
        }
    }
    sum
}

fn by_command(surveys: &[Survey<'_>]) -> Vec<CommandCount> {
    let mut sum: BTreeMap<String, u64> = BTreeMap::new();
    for survey in surveys {
        for (id, seen) in survey.tally.uses() {
            *sum.entry(id.row().name.to_string()).or_default() += seen.count;
        }
        for (name, seen) in &survey.tally.unknown {
            *sum.entry(name.escape_ascii().to_string()).or_default() += seen.count;
        }
    }
    let mut counts: Vec<CommandCount> =
        sum.into_iter().map(|(name, count)| CommandCount { name, count }).collect();
    counts.sort_by_key(|command| std::cmp::Reverse(command.count));
    counts
}

fn milliseconds(elapsed: Duration) -> u64 {
    u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX)
}
