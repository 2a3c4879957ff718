//! The report of repair: the schema of its JSON.

use std::path::PathBuf;

use serde::Serialize;

use super::plan::{Dropped, Plan};
use super::{Options, Output};
use crate::aof::open::Log;
use crate::ops::survey::Survey;

/// What was kept, what was lost, and where the result is.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The version of this schema.
    pub schema: u32,
    /// `repair`.
    pub report: &'static str,
    /// The path as given.
    #[serde(serialize_with = "crate::escape::path")]
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
    /// Where the result is; none for a dry run, or when nothing is damaged.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::escape::path_if_any"
    )]
    pub written: Option<PathBuf>,
    /// Where the complete original is now, when it was replaced.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::escape::path_if_any"
    )]
    pub backup: Option<PathBuf>,
}

impl RepairReport {
    pub(super) fn new(log: &Log, surveys: &[Survey<'_>], plan: &Plan, options: &Options) -> Self {
        // What was read before a damage, and what was found behind it, less what goes.
        let found: u64 = surveys.iter().map(|survey| survey.tally.commands + behind(survey)).sum();
        RepairReport {
            schema: 1,
            report: "repair",
            path: log.path.clone(),
            dry_run: options.output == Output::DryRun,
            damaged: !plan.keeps_everything(),
            salvage: options.salvage,
            kept_bytes: log.bytes() - plan.lost_bytes(),
            kept_commands: found - plan.lost_commands(),
            lost_bytes: plan.lost_bytes(),
            lost_commands: plan.lost_commands(),
            dropped: plan.dropped().cloned().collect(),
            parts_removed: (log.parts.iter().zip(&plan.parts))
                .filter(|(_, plan)| !plan.stays)
                .map(|(part, _)| part.name.clone())
                .collect(),
            written: None,
            backup: None,
        }
    }
}

/// Whole commands behind the first damage of a part.
fn behind(survey: &Survey<'_>) -> u64 {
    let islands = crate::command::islands::islands(survey.part.mapping.bytes(), survey.stop);
    islands.iter().map(|island| island.commands).sum()
}
