//! The reports of runs at a running server.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::live::changed_settings::Change;
use crate::live::replication::Replication;
use crate::live::rewrite::Rewrite;
use crate::live::server::ServerSeen;
use crate::live::settings::Restored;
use crate::live::snapshot::SnapshotReport;
use crate::ops::backup::live::options::Strategy;

/// A step with its times.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// The number of the step, from 1.
    pub number: usize,
    /// The identifier of the step: `settings`, `rewrite`, `wait`, `link`, `backup` or `restore`.
    pub name: &'static str,
    /// A description for display.
    pub what: String,
    /// The start time.
    pub start: Timestamp,
    /// The end time.
    pub end: Timestamp,
    /// The duration in seconds.
    pub elapsed_s: f64,
}

/// The report of a backup of a running server. `T` is the report of the backup itself.
#[derive(Debug, Serialize)]
pub struct LiveReport<T> {
    /// The server.
    pub server: ServerSeen,
    /// Its replication state at the time of the snapshot.
    pub(crate) replication: Replication,
    /// The method of taking the log.
    pub strategy: Strategy,
    /// The steps.
    pub(crate) steps: Vec<Step>,
    /// The rewrite, with [`Strategy::Rewrite`].
    pub rewrite: Option<Rewrite>,
    /// The snapshot of the log.
    pub snapshot: SnapshotReport,
    /// The settings that were changed, and whether they were restored.
    pub(crate) settings: Vec<Restored>,
    /// The settings that an earlier, killed run left changed, and whether they were restored.
    pub(crate) left_by_earlier_run: Vec<Restored>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
    /// The report of the backup itself.
    pub backup: T,
    /// The start time.
    pub start: Timestamp,
    /// The end time.
    pub end: Timestamp,
    /// The duration in seconds.
    pub elapsed_s: f64,
}

/// The report of a dry run of a backup of a running server. Nothing was changed.
#[derive(Debug, Serialize)]
pub struct PreviewReport {
    /// The server.
    pub server: ServerSeen,
    /// Its replication state.
    pub replication: Replication,
    /// The method of taking the log.
    pub strategy: Strategy,
    /// The path of the log on this machine: the file, or the manifest of the set.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub log: PathBuf,
    /// The current number of files.
    pub files: u64,
    /// The current size in bytes.
    pub bytes: u64,
    /// The settings that would be changed during the backup.
    pub would_set: Vec<Change>,
    /// Whether a rewrite is running or scheduled; the backup would wait for it.
    pub rewriting: bool,
    /// The number of free bytes in the backup directory; `None` if the system does not report it.
    pub free_bytes: Option<u64>,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

/// The report of `--restore-config`.
#[derive(Debug, Serialize)]
pub struct RestoreReport {
    /// The server.
    pub server: ServerSeen,
    /// The outcome for each setting; `None` if no run left any settings changed.
    pub settings: Option<Vec<Restored>>,
}
