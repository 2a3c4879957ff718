//! The report of `repair`, which is the schema of its JSON output.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::{Dropped, Plan};
use super::refusal::{Refusal, kept_commands, refusal};
use crate::analysis::survey::Survey;
use crate::aof::log::Log;
use crate::ops::repair::options::RepairOptions;
use crate::ops::repair::retained_ranges::Output;

/// The retained and the lost content, and the path of the result.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// Whether the log is damaged.
    pub damaged: bool,
    /// Whether skipping damage was requested.
    pub salvage: bool,
    /// The number of retained bytes.
    pub kept_bytes: u64,
    /// The number of retained complete commands, not counting the keys of an RDB.
    pub kept_commands: u64,
    /// The number of removed bytes.
    pub lost_bytes: u64,
    /// The number of removed complete commands.
    pub lost_commands: u64,
    /// All removed ranges, in load order.
    pub dropped: Vec<Dropped>,
    /// The file names of the parts that are no longer in the set.
    pub parts_removed: Vec<String>,
    /// The reason why nothing was written although the log is damaged, if nothing would be left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
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

impl RepairReport {
    pub(super) fn new(
        log: &Log,
        surveys: &[Survey<'_>],
        plan: &Plan,
        options: &RepairOptions,
    ) -> Self {
        let parts = surveys.iter().zip(&plan.parts);
        RepairReport {
            path: log.path.clone(),
            dry_run: options.output == Output::DryRun,
            damaged: !plan.keeps_everything(),
            salvage: options.salvage,
            kept_bytes: log.bytes() - plan.lost_bytes(),
            kept_commands: parts.map(|(survey, part)| kept_commands(survey, part)).sum(),
            lost_bytes: plan.lost_bytes(),
            lost_commands: plan.lost_commands(),
            dropped: plan.dropped().cloned().collect(),
            parts_removed: (log.parts.iter().zip(&plan.parts))
                .filter(|(_, plan)| !plan.stays)
                .map(|(part, _)| part.name.clone())
                .collect(),
            refused: refusal(surveys, plan, options.salvage),
            written: None,
            backup: None,
        }
    }
}
