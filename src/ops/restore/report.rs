//! The report of `restore`, which is the schema of its JSON output and the only source of its text output.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::RestorePlan;
use crate::archive::contents::Source;
use crate::base::next_step::NextStep;
use crate::base::server::Server;

/// The restored log, and the remaining steps.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub archive: PathBuf,
    /// The origin of the log; `None` for ZIP archives made by other programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The server that the log was restored for, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// What is written, replaced and retained, or would be.
    #[serde(flatten)]
    pub plan: RestorePlan,
    /// The existing files that were moved aside, with their new names; none for a dry run.
    pub moved_aside: Vec<Moved>,
    /// The remaining steps, in order; none for a dry run.
    pub next: Vec<NextStep>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// A file or directory that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The previous path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub from: PathBuf,
    /// The new path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
}
