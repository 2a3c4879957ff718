//! The report of `backup`, which is the schema of its JSON output and the only source of its text output.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::job::Step;
use super::options::BackupOptions;
use super::plan::BackupPlan;
use crate::aof::log::Log;
use crate::archive::contents::Source;
use crate::archive::report::CompressReport;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::ops::prune::Group;

/// The result of a backup or of a dry run.
#[derive(Debug, Serialize)]
pub struct BackupReport {
    /// The path of the log, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The source, as recorded in the archive.
    pub source: Source,
    /// What was planned, and, unless this is a dry run, applied.
    #[serde(flatten)]
    pub plan: BackupPlan,
    /// The path of the archive; `None` if none was created.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub archive: Option<PathBuf>,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// The time of the data in the archive.
    pub created: Timestamp,
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
    /// Whether the archive is encrypted. Its encrypted bytes were read back then, whose entries had been decompressed and
    /// compared with the files before they were encrypted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// The result of the preceding compaction.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compaction: Option<Compaction>,
    /// Whether every user may write to the backup directory, and so replace or remove archives.
    pub others_may_write: bool,
    /// The number of free bytes in the backup directory; 0 for object storage, whose limit is not known.
    pub free_bytes: u64,
    /// The names of leftovers of killed runs that were deleted.
    pub cleared: Vec<String>,
    /// The outcome for older archives; `None` if the policy is empty.
    pub retention: Option<Group>,
    /// The reason why retention failed. The archive exists nevertheless.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_problem: Option<String>,
    /// The steps to choose from if a damaged log was not backed up.
    pub next: Vec<NextStep>,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

impl BackupReport {
    /// Returns the report of a plan that is not applied yet.
    pub(super) fn new(log: &Log, options: &BackupOptions, plan: BackupPlan) -> Self {
        BackupReport {
            path: log.path.clone(),
            source: options.archive.source.clone(),
            archive: None,
            dry_run: options.dry_run,
            created: options.archive.created,
            commands: 0,
            rdb_keys: 0,
            newer_rdb: None,
            bytes: plan.log_bytes,
            archive_bytes: 0,
            ratio: 0.0,
            read_back: false,
            encrypted: false,
            compaction: None,
            others_may_write: everyone_may_write(&options.to),
            free_bytes: 0,
            cleared: Vec::new(),
            retention: None,
            retention_problem: None,
            next: next_steps(log, options, &plan),
            steps: Vec::new(),
            elapsed_s: 0.0,
            plan,
        }
    }

    /// Notes the archive that was published.
    pub(super) fn note(&mut self, archive: PathBuf, done: CompressReport) {
        self.archive = Some(archive);
        self.commands = done.contents.commands();
        self.rdb_keys = done.contents.rdb_keys();
        self.newer_rdb = done.contents.files.iter().find_map(|file| file.newer_rdb.clone());
        self.bytes = done.bytes;
        self.archive_bytes = done.archive_bytes;
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let ratio = self.plan.log_bytes as f64 / done.archive_bytes.max(1) as f64;
        self.ratio = ratio;
        self.read_back = done.checked;
        self.encrypted = done.encrypted;
        self.source = done.contents.source;
    }

    /// Returns whether there are problems with older archives, although the new one is valid.
    pub fn has_retention_problems(&self) -> bool {
        self.retention_problem.is_some() || self.retention.as_ref().is_some_and(Group::has_problems)
    }
}

/// Whether the mode of a directory lets every user create files in it; the sticky bit does not prevent that.
fn everyone_may_write(directory: &Path) -> bool {
    fs::metadata(directory).is_ok_and(|metadata| metadata.mode() & 0o002 != 0)
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

/// Returns the steps to choose from if the log is damaged and is not backed up.
fn next_steps(log: &Log, options: &BackupOptions, plan: &BackupPlan) -> Vec<NextStep> {
    if !plan.damaged || options.archive.damaged {
        return Vec::new();
    }
    let (path, to) = (path_arg(&log.path), path_arg(&options.to));
    let repair = Action::aofkit(["repair", &path, "--dry-run"]);
    let damaged = Action::aofkit(["backup", &path, "--to", &to, "--damaged"]);
    vec![
        NextStep::alternative("Preview a repair of the log", [repair]),
        NextStep::alternative(
            "Back up the damaged log as it is; add the other options of this backup",
            [damaged],
        ),
    ]
}
