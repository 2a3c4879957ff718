//! The report of `backup`, which is the schema of its JSON output and the only source of its text output.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::contents::Source;
use crate::disk::open_writers::Holder;
use crate::ops::list::Identity;
use crate::ops::prune::{Group, KeepPolicy};
use crate::ops::verify::findings::Finding;

/// The result of a backup or of a dry run.
#[derive(Debug, Serialize)]
pub struct BackupReport {
    /// The path of the log, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The source, as recorded in the archive.
    pub source: Source,
    /// The identity of the source, which retention groups archives by.
    pub identity: Identity,
    /// The backup directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
    /// The path of the archive; `None` if none was created.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub archive: Option<PathBuf>,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The time of the data in the archive.
    pub created: Timestamp,
    /// The number of bytes of the log that are backed up.
    pub log_bytes: u64,
    /// The number of complete commands in the archive.
    pub commands: u64,
    /// The number of keys in RDBs in the archive.
    pub rdb_keys: u64,
    /// The content of an RDB in the archive that is unknown to this version, if the checksum proves the RDB intact: its
    /// keys were not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<String>,
    /// The uncompressed size in bytes of the files in the archive, which is smaller than the log if it was compacted.
    pub bytes: u64,
    /// The size of the archive in bytes.
    pub archive_bytes: u64,
    /// The ratio of the size of the log to the size of the archive.
    pub ratio: f64,
    /// Whether the archive was read back and found valid before it was published.
    pub read_back: bool,
    /// The part of the log that was being written and was therefore left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
    /// Whether the log is damaged. It was then not backed up unless requested.
    pub damaged: bool,
    /// The findings about the log.
    pub findings: Vec<Finding>,
    /// The result of the preceding compaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// The estimated maximum number of bytes needed, including temporary files.
    pub needed_bytes: u64,
    /// The number of free bytes.
    pub free_bytes: u64,
    /// The names of leftovers of killed runs that were deleted.
    pub cleared: Vec<String>,
    /// The retention policy.
    pub keep: KeepPolicy,
    /// The outcome for older archives; `None` if the policy is empty.
    pub retention: Option<Group>,
    /// The reason why retention failed. The archive exists nevertheless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_problem: Option<String>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

impl BackupReport {
    /// Returns whether there are problems with older archives, although the new one is valid.
    pub fn has_retention_problems(&self) -> bool {
        self.retention_problem.is_some() || self.retention.as_ref().is_some_and(Group::has_problems)
    }
}

/// The end of a log that a server was writing while it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// The file name of the part.
    pub part: String,
    /// The byte offset of the end of the last complete command or transaction.
    pub end: u64,
    /// The number of bytes after it.
    pub bytes: u64,
    /// The process that has the part open for writing.
    pub writer: Holder,
}

/// The result of a compaction before the backup.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compaction {
    /// The form of the compacted log.
    pub form: crate::ops::compact::Form,
    /// The size before, in bytes.
    pub bytes_before: u64,
    /// The size after, in bytes.
    pub bytes_after: u64,
    /// The number of keys.
    pub keys: u64,
    /// The number of commands that fail with an error while a server loads the log.
    pub failed_commands: u64,
    /// The fingerprint of the data: 32 hexadecimal digits.
    pub fingerprint: String,
}

/// A step of the backup with its times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The name of the step.
    pub name: &'static str,
    /// The start time.
    pub started: Timestamp,
    /// The end time.
    pub ended: Timestamp,
    /// The duration in seconds, by the monotonic clock.
    pub elapsed_s: f64,
}
