//! The report of repair: the schema of its JSON.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::{Dropped, Plan};
use super::refusal::{Refusal, kept_commands, refusal};
use crate::analysis::survey::Survey;
use crate::aof::log::Log;
use crate::ops::repair::options::Options;
use crate::ops::repair::retained_ranges::Output;

/// What was kept, what was lost, and where the result is.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The version of this schema.
    pub schema: u32,
    /// `repair`.
    pub report: &'static str,
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether only the plan was asked for.
    pub dry_run: bool,
    /// Whether there is anything to mend.
    pub damaged: bool,
    /// Whether stepping over damage was asked for.
    pub salvage: bool,
    /// Bytes that stay.
    pub kept_bytes: u64,
    /// Whole commands that stay; keys of an RDB are not among them.
    pub kept_commands: u64,
    /// Bytes that go.
    pub lost_bytes: u64,
    /// Whole commands that go.
    pub lost_commands: u64,
    /// Every stretch that goes, in load order.
    pub dropped: Vec<Dropped>,
    /// Parts that are no longer in the set.
    pub parts_removed: Vec<String>,
    /// Why nothing was written although the log is damaged, where nothing would be left of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
    /// Where the result is; none for a dry run, or when nothing is damaged.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub written: Option<PathBuf>,
    /// Where the complete original is now, when it was replaced.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub backup: Option<PathBuf>,
}

impl RepairReport {
    pub(super) fn new(log: &Log, surveys: &[Survey<'_>], plan: &Plan, options: &Options) -> Self {
        let parts = surveys.iter().zip(&plan.parts);
        RepairReport {
            schema: 1,
            report: "repair",
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
