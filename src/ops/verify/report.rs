//! The report of `verify`, which is the schema of its JSON output and the only source of its text output.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::findings::{Finding, Level};
use super::judge::Verdict;
use crate::analysis::survey::{Preamble, Survey};
use crate::aof::log::{HistoryFile, Layout, Log, OtherFile, PartRole};
use crate::archive::report::ArchiveReport;
use crate::base::error::Error;
use crate::base::escape::typed;
use crate::base::failure::Failure;
use crate::base::next_step::path_arg;
use crate::input::archive::plain::Sealed;
use crate::input::broken_set::BrokenSet;
use crate::rdb;

/// The result of verifying several paths.
#[derive(Debug, Serialize)]
pub struct VerifyReport {
    /// The result for each path, in the order given.
    pub logs: Vec<LogOutcome>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The result for one path.
#[derive(Debug, Serialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum LogOutcome {
    /// The log was read; the report contains the findings.
    Read(Box<LogReport>),
    /// The path is a ZIP archive, which was read with all its entries.
    Archive(Box<ArchiveOutcome>),
    /// No server loads this set, whatever its parts contain.
    BrokenSet {
        /// The path as given.
        #[serde(serialize_with = "crate::base::escape::path")]
        path: PathBuf,
        /// The defect of the set.
        #[serde(flatten)]
        broken: BrokenSet,
        /// The defect as a sentence.
        message: String,
        /// The recommended action.
        help: String,
        /// The reactions of servers to the set as it is.
        verdicts: Vec<Verdict>,
    },
    /// The path is an encrypted archive, and no identity was given. Its structure is valid; its contents were not
    /// verified.
    Encrypted {
        /// The path as given.
        #[serde(serialize_with = "crate::base::escape::path")]
        path: PathBuf,
        /// The size of the file in bytes.
        archive_bytes: u64,
        /// The size of the zip in it in bytes.
        zip_bytes: u64,
        /// The types of the keys that it is encrypted to.
        recipients: Vec<String>,
        /// The time of its data, as its header says.
        #[serde(skip_serializing_if = "Option::is_none")]
        created: Option<Timestamp>,
        /// What was not verified, as a sentence.
        message: String,
        /// The recommended action.
        help: String,
    },
    /// The path could not be read.
    Failed(Failure),
}

/// The result for an archive.
#[derive(Debug, Serialize)]
pub struct ArchiveOutcome {
    /// The archive and its entries. The findings include those about the log.
    #[serde(flatten)]
    pub archive: ArchiveReport,
    /// The log in it, as reported for a directory with the same files; `None` if the archive itself
    /// is damaged, or if aofkit has made it and no server is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<Box<LogOutcome>>,
}

impl LogOutcome {
    pub(super) fn encrypted(path: &Path, sealed: Sealed, known: &str) -> Self {
        LogOutcome::Encrypted {
            path: path.to_path_buf(),
            archive_bytes: sealed.bytes,
            zip_bytes: sealed.plain_bytes,
            recipients: sealed.recipients,
            created: sealed.description.map(|description| description.created),
            message: format!("contents not verified: the archive is encrypted{known}"),
            help: "give the private key of a recipient with --identity FILE".to_owned(),
        }
    }

    pub(super) fn broken(path: &Path, broken: BrokenSet, verdicts: Vec<Verdict>) -> Self {
        let help = match &broken.left {
            Some(_) => format!(
                "`aofkit repair {} --dry-run` shows the manifest that fits the files that are there; {}",
                typed(path_arg(path).as_ref()),
                broken.fault.help()
            ),
            None => broken.fault.help(),
        };
        LogOutcome::BrokenSet {
            path: path.to_path_buf(),
            message: Error::from(broken.clone()).to_string(),
            help,
            verdicts,
            broken,
        }
    }
}

/// The result of verifying one log.
#[derive(Debug, Serialize)]
pub struct LogReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The path of the file or the manifest that was opened.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub opened: PathBuf,
    /// The reason for choosing that file, if there was a choice.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub chosen: Option<String>,
    /// The layout of the log on disk.
    pub layout: Layout,
    /// Whether there are no findings of level error.
    pub sound: bool,
    /// The total size of all parts in bytes.
    pub bytes: u64,
    /// The number of complete commands in all parts.
    pub commands: u64,
    /// The number of keys in the RDBs of all parts.
    pub rdb_keys: u64,
    /// The number of complete transactions.
    pub transactions: u64,
    /// The time of the first `#TS:` annotation.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub first_time: Option<i64>,
    /// The time of the last `#TS:` annotation.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub last_time: Option<i64>,
    /// Commands by the database in force.
    pub databases: BTreeMap<u32, u64>,
    /// Commands by name, the most frequent first; unknown names included.
    pub by_command: Vec<CommandCount>,
    /// The parts, in load order.
    pub parts: Vec<PartReport>,
    /// The findings, most severe first.
    pub findings: Vec<Finding>,
    /// The reactions of servers to the log.
    pub verdicts: Vec<Verdict>,
    /// The files that a rewrite has replaced.
    pub history: Vec<HistoryFile>,
    /// Files next to the log that do not belong to it.
    pub others: Vec<OtherFile>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The number of occurrences of a command.
#[derive(Debug, Clone, Serialize)]
pub struct CommandCount {
    /// The command name, in upper case.
    pub name: String,
    /// The number of occurrences.
    pub count: u64,
}

/// The content of one part. Its segments are adjacent: `rdb_bytes` + `command_bytes` + `tail_bytes` = `bytes`.
#[derive(Debug, Serialize)]
pub struct PartReport {
    /// The file name.
    pub name: String,
    /// The role of the part in the log.
    pub role: PartRole,
    /// The length in bytes.
    pub bytes: u64,
    /// The number of bytes of the RDB at its start; 0 if it begins with commands.
    pub rdb_bytes: u64,
    /// The number of bytes of complete commands and annotations.
    pub command_bytes: u64,
    /// The number of bytes from the first damage to the end.
    pub tail_bytes: u64,
    /// The number of complete commands.
    pub commands: u64,
    /// The number of lines that begin with `#`.
    pub annotations: u64,
    /// The number of complete transactions.
    pub transactions: u64,
    /// The content of the RDB at its start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rdb: Option<rdb::RdbSummary>,
    /// The RDB at its start, if it is intact and has content unknown to this version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<rdb::Newer>,
    /// The envelope at its start, if the RDB is compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compressed: Option<CompressedRdb>,
}

/// A compressed RDB. Other byte counts and offsets in the report count decompressed bytes.
#[derive(Debug, Serialize)]
pub(crate) struct CompressedRdb {
    /// The name of the codec.
    codec: &'static str,
    /// The number of bytes in the file.
    bytes: u64,
    /// Whether checksums of the envelope prove the content.
    checked: bool,
}

impl VerifyReport {
    pub(super) fn new(logs: Vec<LogOutcome>, elapsed: Duration) -> Self {
        VerifyReport { logs, elapsed_s: elapsed.as_secs_f64() }
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
            elapsed_s: 0.0,
        }
    }

    pub(super) fn set_elapsed(&mut self, elapsed: Duration) {
        self.elapsed_s = elapsed.as_secs_f64();
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
            compressed: survey.part.unwrapped().map(|it| CompressedRdb {
                codec: it.codec.name(),
                bytes: it.stored,
                checked: it.checked,
            }),
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
