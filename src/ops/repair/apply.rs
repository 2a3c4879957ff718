//! Applying the plan of a repair: the retained ranges are copied, and nothing else is decided. The report is the schema
//! of the JSON output.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::options::RepairOptions;
use super::plan::{PlannedRepair, RepairPlan};
use super::replayed::{FailingCommand, Replayed, replay_result};
use super::retained_ranges::{self, Destination, Output, Replacement, Written};
use super::set;
use super::start::{Start, start};
use crate::analysis::survey::Survey;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::progress::Progress;
use crate::base::units::counted;
use crate::ops::verify::beside::warnings;
use crate::ops::verify::findings::Finding;

/// Writes what the plan retains to the output of the options. Nothing is written if nothing is damaged, or if the plan is
/// refused.
///
/// # Errors
///
/// When a server that is to start with the result would not, unless only an unfinished end was removed; when the result
/// cannot be written, the log has changed since it was read, or a process writes to the log to
/// replace. The destination is then unchanged.
pub fn apply(
    planned: PlannedRepair,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<RepairReport> {
    let PlannedRepair { log, mut plan, start: start_as_it_is } = planned;
    let of_plan = plan.replay.take();
    let beside = warnings(&log);
    let (of_result, replay) = (RefCell::new(None), RefCell::new(None));
    let check = |result: &Log, surveys: &[Survey<'_>]| {
        let start = start(result, surveys, options);
        if !start.proved && !plan.cuts_end_only() {
            return Err(no_server_starts(&log.path, &start));
        }
        *of_result.borrow_mut() = Some(start);
        if !options.no_replay {
            *replay.borrow_mut() = Some(replay_result(result, options, progress)?);
        }
        Ok(())
    };
    let write = |place: Destination<'_>| {
        retained_ranges::write(&log, &plan.retained, place, &check, progress)
    };
    let RepairOptions { output, force, no_backup, offline, .. } = options;
    let how = Replacement { force: *force, no_backup: *no_backup, offline: *offline };
    let write = || match (plan.writes(), output) {
        (false, _) => Ok(Written { written: None, backup: None }),
        (true, Output::InPlace) if plan.writes_manifest_only() => {
            if let Some(start) = start_as_it_is.as_ref().filter(|start| !start.proved) {
                return Err(no_server_starts(&log.path, start));
            }
            set::write_manifest(&log, plan.set.as_ref(), how)
        }
        (true, output) => {
            if plan.set.is_some() && *output == Output::InPlace {
                set::refuse_more_than_a_set(&log)?;
            }
            retained_ranges::write_output(&log, output, how, write)
        }
    };
    let Written { written, backup } = log.name_archive(write())?;
    let dry_run = *output == Output::DryRun;
    let path = log.path.clone();
    let next = plan.refused.as_ref().map_or(Vec::new(), |_| next_steps(&path, &plan));
    let start = of_result.take().or(start_as_it_is);
    let dropped = if options.drop_failing { of_plan.clone() } else { None };
    let failing = dropped.map(|replayed| replayed.examples).unwrap_or_default();
    let replay = replay.take().or(of_plan);
    Ok(RepairReport {
        path,
        present: true,
        dry_run,
        plan,
        start,
        beside,
        replay,
        failing,
        next,
        written,
        backup,
    })
}

impl RepairReport {
    /// Returns the report on a path at which there is no log yet.
    pub(super) fn absent(path: &Path, options: &RepairOptions) -> RepairReport {
        RepairReport {
            path: path.to_owned(),
            present: false,
            dry_run: options.output == Output::DryRun,
            plan: RepairPlan { salvage: options.salvage, ..RepairPlan::default() },
            start: None,
            beside: Vec::new(),
            replay: None,
            failing: Vec::new(),
            next: Vec::new(),
            written: None,
            backup: None,
        }
    }

    /// Returns why the log or the result is not one that a server is known to start with.
    pub(crate) fn refused_start(&self) -> Option<&Start> {
        self.start.as_ref().filter(|start| !start.proved && start.unknown.is_empty())
    }
}

fn no_server_starts(path: &Path, start: &Start) -> Error {
    let server = match start.refused_by {
        Some(server) => format!("{server} would not start with the result"),
        None => "it is not known whether a server would start with the result".to_owned(),
    };
    let reason = start.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    Error::new(ErrorKind::Refused, format!("{server}{reason}")).at(path).help(
        "nothing was written; `aofkit verify` shows all that servers refuse; --for names the server that is to start, and --module a module that is loaded there",
    )
}

/// Returns the steps to choose from if nothing would be left of the log at `path`.
fn next_steps(path: &Path, plan: &RepairPlan) -> Vec<NextStep> {
    let path = path_arg(path);
    let mut next = Vec::new();
    if !plan.missing.is_empty() {
        next.extend(decompress_missing(plan));
        let why = "Look for the data in the files beside it";
        next.push(NextStep::alternative(why, [Action::aofkit(["recover", &path])]));
        let why = "Preview the repair that goes on without the missing files";
        let args = ["repair", &path, "--without-missing", "--dry-run"];
        next.push(NextStep::alternative(why, [Action::aofkit(args)]));
        return next;
    }
    let whole: u64 = plan.dropped.iter().map(|dropped| dropped.commands).sum();
    if whole > 0 && !plan.salvage {
        let found = counted(whole, "whole command");
        let why = format!("Preview the repair that keeps {found} found in the bytes");
        let args = ["repair", &path, "--salvage", "--dry-run"];
        next.push(NextStep::alternative(why, [Action::aofkit(args)]));
    }
    let why = "Inspect the bytes";
    next.push(NextStep::alternative(why, [Action::aofkit(["verify", &path])]));
    next
}

/// The extensions of compressed files, and the programs that decompress them.
const DECOMPRESSORS: [(&str, &str); 5] =
    [("gz", "gzip"), ("zst", "zstd"), ("xz", "xz"), ("bz2", "bzip2"), ("lz4", "lz4")];

/// Returns the steps that decompress missing files of a set, where a compressed copy is in their place.
fn decompress_missing(plan: &RepairPlan) -> Vec<NextStep> {
    let directory = plan.set.as_ref().and_then(|set| set.manifest.parent());
    let names = plan.missing.iter().filter_map(|part| part.name.as_ref());
    let files = names.flat_map(|name| {
        let place = move |(extension, program)| {
            let file = directory?.join(format!("{name}.{extension}"));
            file.is_file().then_some((file, program))
        };
        DECOMPRESSORS.into_iter().filter_map(place)
    });
    let step = |(file, program): (PathBuf, &str)| {
        let why = "Decompress the copy that is in its place, and repair the set then";
        NextStep::alternative(why, [Action::run(program, ["-dk", &path_arg(&file)])])
    };
    files.map(step).collect()
}

/// The retained and the lost content, and the path of the result.
#[derive(Debug, Serialize)]
pub struct RepairReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether there is a log; false only if that is no error.
    pub(crate) present: bool,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// What is retained and removed, or would be.
    #[serde(flatten)]
    pub plan: RepairPlan,
    /// Which servers start with the result, or with the log as it is if nothing is damaged; absent for a dry run of a
    /// damaged log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) start: Option<Start>,
    /// The files next to the log that may be what a person means: a newer snapshot, the old single file, another set.
    pub(crate) beside: Vec<Finding>,
    /// What a replay of the result shows; for a dry run, of what would be retained. Absent for a log without damage that
    /// is not a dry run, and if no replay is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) replay: Option<Replayed>,
    /// The first of the commands that fail while a server loads them, and that are removed.
    pub(crate) failing: Vec<FailingCommand>,
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
