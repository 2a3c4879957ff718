//! The report of `drill`, which is the schema of its JSON output and the only source of its text and HTML output.

use std::collections::BTreeMap;
use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::ops::list::Identity;

/// What was tried with archives, and how it ended.
#[derive(Debug, Serialize)]
pub struct DrillReport {
    /// The path of the archive or of the directory, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The name of this machine.
    pub host: Option<String>,
    /// The server that loaded the restored logs, such as `redis 7.0.15`; `None` if none was given.
    pub server: Option<String>,
    /// The start time.
    pub started: Timestamp,
    /// The end time.
    pub ended: Timestamp,
    /// The archives, in the order in which they were tried.
    pub archives: Vec<Drilled>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// An archive that was tried.
#[derive(Debug, Serialize)]
pub struct Drilled {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The verdict.
    pub verdict: Verdict,
    /// The size of the archive in bytes.
    pub archive_bytes: u64,
    /// The SHA-256 of the archive, in hexadecimal digits; `None` if it could not be read.
    pub sha256: Option<String>,
    /// The source of the log; `None` for ZIP archives made by other programs.
    pub source: Option<Identity>,
    /// The time of the data, as recorded.
    pub created: Option<Timestamp>,
    /// The program that made the archive.
    pub tool: Option<String>,
    /// The steps that were taken, in order. After one that failed there is none, except after the comparison.
    pub steps: Vec<Step>,
    /// The size of the restored log in bytes.
    pub log_bytes: u64,
    /// The number of complete commands in it.
    pub commands: u64,
    /// The number of keys in its RDBs.
    pub rdb_keys: u64,
    /// The number of keys of the replayed data set by database, expired ones included.
    pub keys: BTreeMap<u32, u64>,
    /// The fingerprint that the backup recorded, if it did.
    pub recorded_fingerprint: Option<String>,
    /// The fingerprint of the replayed data set.
    pub fingerprint: Option<String>,
    /// What the server loaded.
    pub loaded: Option<Loaded>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The verdict on an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No step failed.
    Passed,
    /// A step failed.
    Failed,
    /// A step could not be tried, for a reason that is not the archive's.
    NotTried,
}

/// A step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// The name.
    pub name: StepName,
    /// How it ended.
    pub verdict: StepVerdict,
    /// Why it did not pass.
    pub message: Option<String>,
    /// The start time.
    pub started: Timestamp,
    /// The end time.
    pub ended: Timestamp,
    /// The duration in seconds, by the monotonic clock.
    pub elapsed_s: f64,
}

/// The name of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepName {
    /// The archive is verified and restored into the scratch directory.
    Restore,
    /// The restored log is verified.
    Verify,
    /// The restored log is replayed.
    Replay,
    /// The fingerprint of the data set is compared with the recorded one.
    Compare,
    /// A server loads the restored log.
    Load,
}

impl StepName {
    /// Returns the name for display.
    pub fn shown(self) -> &'static str {
        match self {
            StepName::Restore => "restore",
            StepName::Verify => "verify",
            StepName::Replay => "replay",
            StepName::Compare => "compare",
            StepName::Load => "load",
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepVerdict {
    /// It found no fault.
    Passed,
    /// It found a fault of the archive.
    Failed,
    /// It could not be tried, for a reason that is not the archive's.
    NotTried,
    /// The backup recorded nothing to compare with.
    NotRecorded,
}

/// What a server loaded.
#[derive(Debug, Clone, Serialize)]
pub struct Loaded {
    /// The time until it answered, in seconds.
    pub load_s: f64,
    /// The number of keys by database, expired ones included.
    pub keys: BTreeMap<u32, u64>,
    /// The digest that aofkit computes for this server; `None` if a module's values or a new version prevent that.
    pub expected_digest: Option<String>,
    /// The result of `DEBUG DIGEST`; `None` if the server has no such command.
    pub digest: Option<String>,
}

impl Drilled {
    /// Returns the first step that did not pass for a reason of its own.
    pub fn problem(&self) -> Option<&Step> {
        let wanted = match self.verdict {
            Verdict::Passed => return None,
            Verdict::Failed => StepVerdict::Failed,
            Verdict::NotTried => StepVerdict::NotTried,
        };
        self.steps.iter().find(|step| step.verdict == wanted)
    }
}
