//! Applying the plan of a recovery, and predicting its result for a dry run, which writes nothing.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::data_set;
use super::plan::{RecoverMethod, RecoverPlan};
use super::report::{Done, Unloadable};
use super::subject::{Subject, unless_refused};
use crate::analysis::data_filter::Filter;
use crate::analysis::keyspace_summary::{KeyspaceSummary, SummaryReport};
use crate::analysis::survey::Survey;
use crate::aof::log::{Layout, Log};
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::copy_access;
use crate::disk::publish::Existing;
use crate::ops::compact;
use crate::ops::repair::retained_ranges::{
    self, Destination, Output, Replacement, RetainedRanges, Written,
};
use crate::replay::{CutList, RouteOptions};

/// Returns what the plan would result in. Nothing is written.
///
/// # Errors
///
/// When the log cannot be replayed although the result has to be encoded anew.
pub(super) fn predict(subject: &Subject<'_>, plan: RecoverPlan) -> Result<Done> {
    let options = compaction(subject, None, Existing::Keep);
    let encode = |log: &Log, source: &dyn compact::Source| {
        let report = compact::write_data_set(log, source, &options, subject.progress)?;
        Ok(SummaryReport::from(&report))
    };
    let (holds, joined) = match &plan.method {
        RecoverMethod::Copy { .. } => (would_hold(subject, &plan)?, None),
        RecoverMethod::Join(join) => {
            let (holds, joined) = data_set::join(subject, join, encode)?;
            (Some(holds), Some(joined))
        }
        RecoverMethod::Undelete(keys) => {
            let (holds, joined) = data_set::undelete(subject, keys, encode)?;
            (Some(holds), Some(joined))
        }
    };
    let unloadable = Vec::new();
    Ok(Done { plan, dry_run: true, joined, holds, unloadable, written: None, backup: None })
}

/// Returns what the copied bytes would contain, if it can be counted.
fn would_hold(subject: &Subject<'_>, plan: &RecoverPlan) -> Result<Option<SummaryReport>> {
    if !subject.options.preview {
        return Ok(None);
    }
    let expected = match (&plan.expected, &plan.method) {
        (None, RecoverMethod::Copy { retained }) if plan.choice != "excise" => {
            let cut = cut_list(subject.log, retained);
            let route = RouteOptions { cut, ..subject.options.route.clone() };
            unless_refused(subject.count(subject.log, &route))?
        }
        (expected, _) => expected.clone(),
    };
    Ok(expected.map(|held| held.to_report()))
}

/// Returns the ranges that are not retained.
pub(super) fn cut_list(log: &Log, retained: &[RetainedRanges]) -> CutList {
    let mut list = CutList::new();
    for (part, retained) in log.parts.iter().zip(retained) {
        let mut from = 0;
        for range in &retained.ranges {
            list.cut(part.index, from..range.start);
            from = range.end;
        }
        list.cut(part.index, from..part.mapping.len());
    }
    list
}

/// Writes the result of the plan to the output of the options.
///
/// # Errors
///
/// When the result cannot be written, is not as planned, or the log has changed meanwhile. Nothing is then published.
pub(super) fn apply(subject: &Subject<'_>, plan: RecoverPlan) -> Result<Done> {
    let encode = |log: &Log, source: &dyn compact::Source| write_anew(subject, log, source);
    let mut unloadable = Vec::new();
    let ((written, holds), joined) = match &plan.method {
        RecoverMethod::Copy { retained } => {
            let (copied, found) = copy(subject, &plan, retained)?;
            unloadable = found;
            (copied, None)
        }
        RecoverMethod::Join(join) => {
            let (written, joined) = data_set::join(subject, join, encode)?;
            (written, Some(joined))
        }
        RecoverMethod::Undelete(keys) => {
            let (written, joined) = data_set::undelete(subject, keys, encode)?;
            (written, Some(joined))
        }
    };
    let Written { written, backup } = written;
    // A file had another name while it was read back.
    if let Some(name) =
        written.as_ref().filter(|path| path.is_file()).and_then(|path| path.file_name())
    {
        let name = name.to_string_lossy();
        unloadable.iter_mut().for_each(|at| at.part = name.clone().into_owned());
    }
    Ok(Done { plan, dry_run: false, joined, holds, unloadable, written, backup })
}

type Copied = (Written, Option<SummaryReport>);

/// Copies the retained bytes, unchanged, and counts the keys of the result. Returns as well which function libraries and
/// commands of it servers refuse or crash on.
fn copy(
    subject: &Subject<'_>,
    plan: &RecoverPlan,
    retained: &[RetainedRanges],
) -> Result<(Copied, Vec<Unloadable>)> {
    let found = Mutex::new(None);
    let unloadable = Mutex::new(Vec::new());
    let check = |result: &Log, surveys: &[Survey<'_>]| {
        let seen = surveys.iter().filter_map(|survey| {
            let library = survey.inspection.library.as_ref();
            let library = library.filter(|library| library.is_refused_by_all());
            let library = library.map(|library| (0, library.to_string()));
            let (is_library, part) = (library.is_some(), survey.part.name.clone());
            let (offset, what) = library.or_else(|| survey.tally.first_unloadable())?;
            Some(Unloadable { part, library: is_library, offset, what })
        });
        *unloadable.lock().unwrap_or_else(PoisonError::into_inner) = seen.collect();
        if subject.options.preview {
            let held = subject.count(result, &RouteOptions::default());
            // A log that cannot be replayed is still copied.
            let Some(held) = unless_refused(held)? else { return Ok(()) };
            if plan.expected.as_ref().is_some_and(|expected| !expected.has_same_keys(&held)) {
                return Err(not_as_planned(&result.path));
            }
            *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
        }
        Ok(())
    };
    let written = write_output(subject, subject.log, |place| {
        let (log, progress) = (subject.log, subject.progress);
        match name_of_set(subject) {
            Some(name) => {
                retained_ranges::write_as_set(log, retained, name, place, &check, progress)
            }
            None => retained_ranges::write(log, retained, place, &check, progress),
        }
    })?;
    let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    let held: Option<KeyspaceSummary> = found.or_else(|| plan.expected.clone());
    let unloadable = unloadable.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(((written, held.map(|held| held.to_report())), unloadable))
}

/// Returns the name of the set as which a candidate of one file is written: a server that has a set loads no other file.
fn name_of_set<'s>(subject: &Subject<'s>) -> Option<&'s str> {
    match (&subject.whole.layout, &subject.log.layout) {
        (_, Layout::MultiPart { .. }) => None,
        (Layout::MultiPart { appendfilename, .. }, _) => Some(appendfilename),
        _ => None,
    }
}

fn not_as_planned(written: &Path) -> Error {
    let message = "what was written holds other keys than were counted before";
    Error::new(ErrorKind::Refused, message)
        .at(written)
        .help("nothing was changed; this is an error in aofkit, please report it")
}

/// Writes a data set in the form of a compaction of `log`, then reads it back and compares it.
fn write_anew(
    subject: &Subject<'_>,
    log: &Log,
    source: &dyn compact::Source,
) -> Result<(Written, Option<SummaryReport>)> {
    let mut report = None;
    let written = write_output(subject, log, |place| {
        let options = compaction(subject, Some(place.path), place.existing);
        report = Some(compact::write_data_set(log, source, &options, subject.progress)?);
        copy_access(place.copy_access, place.path);
        Ok(())
    })?;
    Ok((written, report.as_ref().map(SummaryReport::from)))
}

fn compaction(
    subject: &Subject<'_>,
    output: Option<&Path>,
    existing: Existing,
) -> compact::CompactOptions {
    let options = subject.options;
    compact::CompactOptions {
        output: output.map(Path::to_path_buf),
        existing,
        form: None,
        server: options.server,
        filter: Filter::default(),
        check: true,
        route: options.route.clone(),
        replay: options.replay.clone(),
        ctime: u64::try_from(options.now_ms / 1000).unwrap_or(0),
        compress: true,
        ..compact::CompactOptions::default()
    }
}

/// Calls `write` with the destination.
fn write_output(
    subject: &Subject<'_>,
    log: &Log,
    write: impl FnOnce(Destination<'_>) -> Result<()>,
) -> Result<Written> {
    let options = subject.options;
    let is_candidate = options.candidate.is_some() && std::ptr::eq(log, subject.log);
    if options.output == Output::InPlace && is_candidate {
        // The user should be able to inspect both.
        return Err(Error::new(
            ErrorKind::Usage,
            "a recovery candidate is not written in place of the log",
        )
        .help("--output NEW writes it to a new file or directory"));
    }
    let how = Replacement {
        force: options.force,
        no_backup: options.no_backup,
        offline: options.offline,
    };
    retained_ranges::write_output(log, &options.output, how, write)
}
