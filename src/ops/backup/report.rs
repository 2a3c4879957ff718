//! The report of backup: the schema of its JSON, and the only thing its text is made from.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::contents::Source;
use crate::disk::open_writers::Holder;
use crate::ops::list::Identity;
use crate::ops::prune::{Group, KeepPolicy};
use crate::ops::verify::findings::Finding;

/// What a backup did, or would do.
#[derive(Debug, Serialize)]
pub struct BackupReport {
    /// The version of this schema.
    pub schema: u32,
    /// `backup`.
    pub report: &'static str,
    /// The log, as it was given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The source, as it stands in the archive.
    pub source: Source,
    /// The source, as retention knows it.
    pub identity: Identity,
    /// The directory of archives.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
    /// The archive; `None` where none was made.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub archive: Option<PathBuf>,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// The time that the archive is of.
    pub created: Timestamp,
    /// Bytes of the log that count.
    pub log_bytes: u64,
    /// Whole commands in what is packed.
    pub commands: u64,
    /// Keys in RDBs in what is packed.
    pub rdb_keys: u64,
    /// What this version does not know of an RDB in the archive, which is whole by its checksum: its keys were not
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<String>,
    /// Bytes of the files in the archive: fewer than the log's where it was compacted.
    pub bytes: u64,
    /// The length of the archive.
    pub archive_bytes: u64,
    /// How many times as long the log is as the archive.
    pub ratio: f64,
    /// Whether the archive was read back, and found sound, before it appeared.
    pub read_back: bool,
    /// What was left out of a log that is being written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
    /// Whether the log is damaged, so that it was not backed up, or only because that was asked for.
    pub damaged: bool,
    /// What is wrong with the log.
    pub findings: Vec<Finding>,
    /// What was compacted first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// Bytes that the archive was thought to need at most, with what making it needs.
    pub needed_bytes: u64,
    /// Bytes that were free.
    pub free_bytes: u64,
    /// What runs that were killed had left, and is removed now.
    pub cleared: Vec<String>,
    /// The policy.
    pub keep: KeepPolicy,
    /// What became of the older archives; `None` where no policy asks for anything.
    pub retention: Option<Group>,
    /// Why nothing became of them. The archive is there all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_problem: Option<String>,
    /// The steps, in their order.
    pub steps: Vec<Step>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

impl BackupReport {
    /// Whether older archives are not as they should be, though the new one is.
    pub fn has_retention_problems(&self) -> bool {
        self.retention_problem.is_some() || self.retention.as_ref().is_some_and(Group::has_problems)
    }
}

/// The end of a log that a server was writing while it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// The part, by file name.
    pub part: String,
    /// Where the last whole command or transaction ends.
    pub end: u64,
    /// Bytes behind it.
    pub bytes: u64,
    /// Who has it open for writing.
    pub writer: Holder,
}

/// What a compaction before the backup did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Compaction {
    /// The form of the compacted log.
    pub form: crate::ops::compact::Form,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
    /// Keys.
    pub keys: u64,
    /// Commands that a server answers with an error while it loads the log.
    pub failed_commands: u64,
    /// The fingerprint of the data: 32 hexadecimal digits.
    pub fingerprint: String,
}

/// A step, and when it was.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Its name.
    pub name: &'static str,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// How long it took, in seconds, by a clock that nobody sets.
    pub elapsed_s: f64,
}
