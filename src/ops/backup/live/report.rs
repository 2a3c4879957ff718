//! What a run at a live server did.

use std::path::PathBuf;
use std::time::Instant;

use jiff::Timestamp;
use serde::Serialize;

use crate::live::changed_settings::Change;
use crate::live::progress::Watch;
use crate::live::replication::Replication;
use crate::live::rewrite::Rewrite;
use crate::live::server::ServerSeen;
use crate::live::settings::Restored;
use crate::live::snapshot::SnapshotReport;
use crate::ops::backup::live::options::Strategy;

/// One step, with its time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// From 1.
    pub number: usize,
    /// A word for scripts: `settings`, `rewrite`, `wait`, `link`, `backup`, `restore`.
    pub name: &'static str,
    /// A sentence for people.
    pub what: String,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What a backup of a running server did. `T` is the report of the backup itself.
#[derive(Debug, Serialize)]
pub struct LiveReport<T> {
    /// The version of this form.
    pub schema: u32,
    /// The server.
    pub server: ServerSeen,
    /// Its part in replication, at the time of the snapshot.
    pub replication: Replication,
    /// How the log was taken.
    pub strategy: Strategy,
    /// The steps.
    pub steps: Vec<Step>,
    /// The rewrite, with [`Strategy::Rewrite`].
    pub rewrite: Option<Rewrite>,
    /// What was held of the log.
    pub snapshot: SnapshotReport,
    /// The settings that were changed, and what became of them.
    pub settings: Vec<Restored>,
    /// What an earlier run that was killed had left changed, and what became of it.
    pub left_by_earlier_run: Vec<Restored>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What the backup itself reports.
    pub backup: T,
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What a backup of a running server would do. Nothing was changed.
#[derive(Debug, Serialize)]
pub struct LookReport {
    /// The version of this form.
    pub schema: u32,
    /// The server.
    pub server: ServerSeen,
    /// Its part in replication.
    pub replication: Replication,
    /// How the log would be taken.
    pub strategy: Strategy,
    /// The log on this machine: the file, or the manifest of the set.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub log: PathBuf,
    /// Files that it has now.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The settings that would be changed meanwhile.
    pub would_set: Vec<Change>,
    /// Whether a rewrite runs now, or is scheduled: it would be awaited.
    pub rewriting: bool,
    /// Bytes free in the backup directory; `None` where the system does not tell.
    pub free_bytes: Option<u64>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// What `--restore-config` did.
#[derive(Debug, Serialize)]
pub struct RestoreReport {
    /// The version of this form.
    pub schema: u32,
    /// The server.
    pub server: ServerSeen,
    /// What became of each setting; `None` when no run has left anything.
    pub settings: Option<Vec<Restored>>,
}

/// Clocks the steps and announces them.
pub(super) struct Steps<'w> {
    watch: &'w dyn Watch,
    count: usize,
    pub(super) done: Vec<Step>,
}

impl<'w> Steps<'w> {
    pub(super) fn new(watch: &'w dyn Watch, count: usize) -> Self {
        Steps { watch, count, done: Vec::new() }
    }

    /// Announces a step, takes it, and notes its time, also when it fails.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        what: &str,
        work: impl FnOnce() -> T,
    ) -> T {
        // What fails on its way goes on with the last step, whose number is fixed.
        let number = if name == LAST { self.count } else { self.done.len() + 1 };
        self.watch.step(number, self.count, what);
        let (start, clock) = (Timestamp::now(), Instant::now());
        let result = work();
        let elapsed_s = clock.elapsed().as_secs_f64();
        let what = what.to_string();
        self.done.push(Step { number, name, what, start, end: Timestamp::now(), elapsed_s });
        result
    }
}

/// The step that is taken whatever happens.
pub(super) const LAST: &str = "restore";
