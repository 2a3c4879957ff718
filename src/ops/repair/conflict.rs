//! Choosing a version of the lines that git left in conflict.

use std::path::Path;

use super::options::RepairOptions;
use crate::analysis::survey::Survey;
use crate::aof::conversion::{Change, Conflict, Undone, conflicts};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::{Count, counted};
use crate::disk::Mapping;
use crate::input::conversion::resolved;

/// Returns the parts without conflicts, by the index of the part, and what was undone.
///
/// # Errors
///
/// [`ErrorKind::Refused`], or [`ErrorKind::Limit`] if limits are set: there are conflicts and no choice was made, or both
/// versions do not make a log; and when the directory for temporary files cannot hold the log.
pub(super) fn without_conflicts(
    path: &Path,
    surveys: &[Survey<'_>],
    options: &RepairOptions,
) -> Result<Vec<(usize, Mapping, Vec<Undone>)>> {
    let mut chosen = Vec::new();
    for (index, survey) in surveys.iter().enumerate() {
        if survey.stop.fault.is_none() || survey.part.compressed.is_some() {
            continue;
        }
        let found = conflicts(survey.part.mapping.bytes(), survey.first_unusual());
        let Some(first) = found.first().map(|conflict| conflict.range.start) else { continue };
        let Some(side) = options.side() else {
            return Err(undecided(path, survey, &found, options));
        };
        let (mapping, doubtful) = resolved(survey.part, &found, side)?;
        if let Some(at) = doubtful {
            return Err(Error::new(
                ErrorKind::Refused,
                "the two versions select different databases, and commands follow without a SELECT",
            )
            .at(&survey.part.path)
            .byte(at as u64)
            .help("choose one version: --assume ours or --assume theirs; nothing was written"));
        }
        let undone = Undone::new(Change::ConflictMarkers, found.len() as u64, first as u64);
        chosen.push((index, mapping, vec![undone]));
    }
    Ok(chosen)
}

fn undecided(
    path: &Path,
    survey: &Survey<'_>,
    found: &[Conflict],
    options: &RepairOptions,
) -> Error {
    let first = found.first().map_or(0, |conflict| conflict.range.start as u64);
    let what = format!(
        "git left conflict markers in the log: {}, the first at byte {}",
        counted(found.len() as u64, "conflict"),
        Count(first)
    );
    let file = path_arg(path);
    let preview = |why: &str, side: &str| {
        let args = ["repair", &file, "--assume", side, "--dry-run"];
        NextStep::alternative(why, [Action::aofkit(args)])
    };
    Error::new(options.kind_of_question(), what)
        .at(&survey.part.path)
        .byte(first)
        .help("choose with --assume; nothing was written")
        .step(preview("Preview the log of the branch that was merged into", "ours"))
        .step(preview("Preview the log of the branch that was merged", "theirs"))
        .step(preview("Preview the log with the writes of both, in this order", "both"))
}
