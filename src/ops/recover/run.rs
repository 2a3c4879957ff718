//! Inspecting a log, and recovering it as the options request.

use std::path::Path;
use std::time::Instant;

use super::candidate_log::{numbered, open_candidate};
use super::examine::examine;
use super::inspection::Inspection;
use super::missing::{self, Found, Whole};
use super::options::{Choice, RecoverOptions};
use super::report::RecoverReport;
use super::search::search;
use super::server::LogServer;
use super::subject::{Subject, count, unless_refused};
use super::thresholds::Thresholds;
use super::timeline::{Timeline, timeline};
use super::verdict::{Facts, Verdict};
use super::{apply, cuts, elsewhere, inspection, next, plan, preview, undo};
use crate::analysis::position::Position;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::input::overwrite::inputs;
use crate::input::{Input, OpenedLog};
use crate::ops::repair::retained_ranges::Output;
use crate::replay::RouteOptions;

/// Inspects the log at `path` and recovers it as the options request.
///
/// # Errors
///
/// - When the log cannot be opened or replayed.
/// - [`ErrorKind::Usage`], [`ErrorKind::Refused`]: the chosen action is not possible; nothing was changed.
pub fn recover(
    path: &Path,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<RecoverReport> {
    let started = Instant::now();
    let Whole { log: whole, missing, .. } = open_checked(path, options, progress)?;
    // Inspected before anything is written: a recovery in place replaces what it describes.
    let origin = inspection::hold_origin(&whole);
    let server = LogServer::of(&whole, origin.as_ref());
    let mut report = whole.name_archive(recover_log(&whole, options, progress))?;
    report.name_archive(&whole);
    report.missing = missing.filter(|_| options.candidate.is_none());
    report.elsewhere = elsewhere::elsewhere(&report, &server);
    report.next = next::next_steps(&report, &server);
    if report.done.is_none() {
        for index in 0..report.events.len() {
            let mut undo = undo::undo(&report, &report.events[index]);
            undo.iter_mut().for_each(next::name_renamed);
            report.events[index].undo = undo;
        }
    }
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

/// Opens the log at `path`, or what is left of it. A choice that needs the whole log is refused if a file is missing.
fn open_checked(path: &Path, options: &RecoverOptions, progress: &dyn Progress) -> Result<Whole> {
    let whole = match missing::find(path, &options.also, progress)? {
        Found::Input(input) => {
            if options.choice != Choice::Preview {
                check_before_reading(&input, options)?;
            }
            missing::open_whole(path, input, progress)?
        }
        Found::NoLog(whole) => *whole,
    };
    if options.choice == Choice::Preview {
        return Ok(whole);
    }
    // What is left of a log must not replace it.
    if options.candidate.is_none() || options.output == Output::InPlace {
        return whole.refuse_missing();
    }
    options.output.check(options.force, &inputs(&whole.log))?;
    Ok(whole)
}

/// Refuses an output that cannot be written, before an archive is extracted.
fn check_before_reading(input: &Input, options: &RecoverOptions) -> Result<()> {
    if let Input::Archive(path) = input
        && options.output == Output::InPlace
    {
        return Err(Error::new(ErrorKind::Usage, "an archive cannot be recovered in place")
            .at(path)
            .help("use --output NEW to write the recovered log"));
    }
    options.output.check(options.force, &input.paths())
}

fn recover_log(
    whole: &OpenedLog,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<RecoverReport> {
    let mut candidates = search(whole, &options.also);
    let chosen = match options.candidate {
        None => None,
        Some(number) => {
            Some(open_candidate(whole, numbered(&candidates, number, whole)?, progress)?)
        }
    };
    let log: &Log = chosen.as_deref().unwrap_or(whole);
    if chosen.is_some() && options.choice != Choice::Preview {
        options.output.check(options.force, &inputs(log))?;
    }
    let mut timeline = timeline(log, progress)?;
    let (mut counted, mut uncounted) = (None, None);
    if options.preview && options.choice == Choice::Preview {
        let how = (&options.route, &options.replay);
        let thresholds = Thresholds::from_options(options);
        match preview::count(log, &timeline, how, (options.now_ms, thresholds), progress) {
            Ok(found) => {
                found.add_to(log, &mut timeline);
                counted = Some(found);
            }
            // The verdict does not depend on the count.
            Err(error) if error.kind() == ErrorKind::Refused => uncounted = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
    preview::add_named_events(log, &mut timeline, options, progress)?;
    let deletions = counted.as_ref().map(|counted| &counted.deletions);
    let verdict = Facts { log, timeline: &timeline, deletions }.verdict();
    if options.preview && verdict == Verdict::Unclear && timeline.broken.is_none() {
        count_before_possible_flush(log, &mut timeline, options, progress)?;
    }
    let subject = Subject { whole, log, timeline: &timeline, options, progress };
    let done = match plan::plan(&subject)? {
        None => None,
        Some(plan) if options.output == Output::DryRun => Some(apply::predict(&subject, plan)?),
        Some(plan) => Some(apply::apply(&subject, plan)?),
    };
    let inspection = Inspection { subject, counted, uncounted };
    if options.preview && options.choice == Choice::Preview && options.candidate.is_none() {
        for candidate in &mut candidates {
            examine(&inspection.subject, candidate);
            progress.check()?;
        }
    }
    Ok(inspection.report(verdict, candidates, done))
}

/// Counts the keys before the first command that may be a renamed flush. The count before later ones would depend on
/// the effect of the first.
fn count_before_possible_flush(
    log: &Log,
    timeline: &mut Timeline,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<()> {
    let Some(first) = timeline.possible_flushes.first() else { return Ok(()) };
    let position = Position::Byte { part: first.part.clone(), offset: first.offset };
    let cut = cuts::until(log, timeline, &position, progress)?.list();
    let counted = count(
        log,
        &RouteOptions { cut, empty_rdb: true, ..RouteOptions::default() },
        options,
        progress,
    );
    let held = unless_refused(counted)?;
    if let (Some(first), Some(held)) = (timeline.possible_flushes.first_mut(), held) {
        first.keys_before = Some(held.total());
    }
    Ok(())
}
