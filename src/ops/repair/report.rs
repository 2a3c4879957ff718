//! The report of `repair`, which is the schema of its JSON output.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::RepairPlan;
use crate::base::next_step::NextStep;

/// The retained and the lost content, and the path of the result.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// What is retained and removed, or would be.
    #[serde(flatten)]
    pub plan: RepairPlan,
    /// The steps to choose from if nothing is written because nothing would be left of the log.
    pub next: Vec<NextStep>,
    /// The path of the result; absent for a dry run, or if nothing is damaged.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub written: Option<PathBuf>,
    /// The path of the complete backup of the original, if it was replaced.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub backup: Option<PathBuf>,
}
