//! Recovering data that a FLUSHALL, FLUSHDB, SWAPDB or mass deletion destroyed.
//!
//! A preview scans the log for a [`Timeline`] of everything that destroyed data, and counts by a replay what can be
//! restored. A [`Choice`] is then turned into a list of byte ranges to remove. The retained bytes are copied unchanged,
//! never re-encoded, and the result is read back and replayed before it is published.
//!
//! | module | contents |
//! |---|---|
//! | `timeline` | every event, with its position and context |
//! | `event_kind` | the kinds of events |
//! | `preview` | the number of keys lost by each event, counted by a replay |
//! | `losses` | keys deleted one by one, and whether they form a mass deletion |
//! | `unread` | the content after the point at which reading stopped |
//! | `verdict` | the overall verdict on the log |
//! | `cuts` | the byte ranges to remove for a choice |
//! | `plan` | what a choice removes, joins or restores; writes nothing |
//! | `apply` | writing what was planned, or predicting it for a dry run |
//! | `data_set` | the data set of a plan that does not copy bytes |
//! | `subject` | the log that is recovered |
//! | `conflicts` | differences in later commands when an event is removed |
//! | `join` | joining two states of a data set key by key |
//! | `undelete` | restoring single keys |
//! | `candidates` | other files that may contain the lost data |
//! | `client` | the client that reaches the server of the log |
//! | `next` | the steps to take next |
//! | `report` | the schema of the report |

mod apply;
mod candidates;
mod client;
mod conflicts;
mod cuts;
mod data_set;
mod event_kind;
#[cfg(feature = "live")]
pub mod hold;
mod join;
mod losses;
mod next;
mod options;
mod plan;
mod preview;
mod report;
mod shown_time;
mod subject;
mod timeline;
mod undelete;
mod unread;
mod verdict;

pub(crate) use shown_time::shown_time;

use std::path::{Path, PathBuf};
use std::time::Instant;

pub use crate::analysis::unknown_commands::UnknownCommand;
pub use candidates::{Candidate, CandidateFile, CandidateKind};
pub use conflicts::{Conflicts, Example, Turned};
pub use cuts::{CutPoint, RemovalReason, Removed};
pub use event_kind::EventKind;
pub use join::{Expired, Joined, Winner};
pub use losses::{Deletions, IN_NUMBER_KEYS, IN_NUMBER_ONE_IN, IN_NUMBER_RUN, LossPlace};
pub use options::{Choice, RecoverOptions};
pub use plan::{JoinPlan, RecoverMethod, RecoverPlan, UndeletePlan};
pub use report::{Done, PartSummary, RecoverReport};
pub use timeline::{Broken, Event, NewerRdb, PossibleFlush, Tail, TimeRange, Timeline, timeline};
pub use unread::{Unread, UnreadFlush};
pub use verdict::Verdict;

use self::preview::Counted;
use self::subject::{Subject, count, unless_refused};
use self::verdict::{Facts, to_excise};
use crate::analysis::keyspace_summary::SummaryReport;
use crate::analysis::position::Position;
use crate::aof::log::{Layout, Log, OtherKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::disk::open_writers::{Holder, writers};
use crate::input::hold_origin::HoldOrigin;
use crate::input::overwrite::inputs;
use crate::input::{Input, OpenedLog, open};
pub use crate::ops::repair::retained_ranges::Output;
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
    let input = open(path)?;
    if options.choice != Choice::Preview {
        check_before_reading(&input, options)?;
    }
    let whole = input.into_log(progress)?;
    let mut report = whole.name_archive(recover_log(&whole, options, progress))?;
    report.name_archive(&whole);
    report.next = next::next_steps(&report);
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
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
    let mut candidates = candidates::candidates(whole);
    let chosen = match options.candidate {
        None => None,
        Some(number) => Some(candidates::log_of(whole, candidate(&candidates, number, whole)?)?),
    };
    let log = chosen.as_ref().unwrap_or(whole);
    if chosen.is_some() && options.choice != Choice::Preview {
        options.output.check(options.force, &inputs(log))?;
    }
    let mut timeline = timeline(log, progress)?;
    let (mut counted, mut uncounted) = (None, None);
    if options.preview && options.choice == Choice::Preview {
        let how = (&options.route, &options.replay);
        match preview::count(log, &timeline, how, options.now_ms, progress) {
            Ok(found) => {
                found.add_to(&mut timeline);
                counted = Some(found);
            }
            // The verdict does not depend on the count.
            Err(error) if error.kind() == ErrorKind::Refused => uncounted = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
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
    let may_be_elsewhere = match verdict {
        Verdict::Unclear | Verdict::FlushAfterDamage => options.choice == Choice::Preview,
        _ => verdict.is_not_in_the_log(),
    };
    if options.preview && may_be_elsewhere {
        candidates.iter_mut().for_each(|candidate| inspection.examine(candidate));
    }
    Ok(inspection.report(verdict, candidates, done))
}

fn candidate<'s>(candidates: &'s [Candidate], number: u64, log: &Log) -> Result<&'s Candidate> {
    candidates.iter().find(|candidate| candidate.number == number).ok_or_else(|| {
        Error::new(
            ErrorKind::Usage,
            format!("there is no recovery candidate {number} next to the log"),
        )
        .at(&log.opened)
        .help("aofkit recover PATH lists what there is, with its numbers")
    })
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
    let counted = count(log, &RouteOptions { cut, ..RouteOptions::default() }, options, progress);
    let held = unless_refused(counted)?;
    if let (Some(first), Some(held)) = (timeline.possible_flushes.first_mut(), held) {
        first.keys_before = Some(held.total());
    }
    Ok(())
}

/// What was found out about a log.
struct Inspection<'i> {
    subject: Subject<'i>,
    counted: Option<Counted>,
    /// The reason why keys could not be counted.
    uncounted: Option<String>,
}

impl Inspection<'_> {
    /// Counts the keys that a recovery candidate would restore.
    fn examine(&self, candidate: &mut Candidate) {
        let examined = candidates::log_of(self.subject.whole, candidate).and_then(|log| {
            let timeline = timeline(&log, self.subject.progress)?;
            if let Some(unread) = timeline.newer_rdbs.first() {
                candidate.unread = Some(unread.content.clone());
                return Ok((!timeline.trailing.is_empty(), None));
            }
            let cut = cuts::excise(&log, &timeline, &timeline.trailing)?.list();
            let options = RouteOptions { cut, ..RouteOptions::default() };
            Ok((
                !timeline.trailing.is_empty(),
                Some(self.subject.count(&log, &options)?.to_report()),
            ))
        });
        match examined {
            Ok((ends_in_flush, held)) => {
                candidate.ends_in_flush = ends_in_flush;
                candidate.holds = held;
            }
            Err(error) => candidate.problem = Some(error.to_string()),
        }
    }

    /// Returns a summary of the keyspace just before an event.
    fn before(&self, event: u64) -> Option<SummaryReport> {
        let before = self.counted.as_ref()?.before(event)?;
        let whole = self.subject.timeline.trailing.first() == Some(&event);
        Some(if whole { before.to_report() } else { before.to_counted_report() })
    }

    fn report(
        &self,
        verdict: Verdict,
        candidates: Vec<Candidate>,
        done: Option<Done>,
    ) -> RecoverReport {
        let Subject { whole, log, timeline, options, .. } = self.subject;
        let data_directory = data_directory(whole);
        let writers = writers_of(whole);
        let counted = self.counted.as_ref().map(|counted| counted.now.to_report());
        let (now, before_damage) = match &timeline.broken {
            None => (counted, None),
            // The keys of a damaged RDB are not counted.
            Some(broken) if broken.in_rdb => (None, None),
            Some(_) => (None, counted),
        };
        let (before, excise) = match verdict {
            Verdict::EndsInFlush { event } => (self.before(event), timeline.trailing.clone()),
            Verdict::FlushWithin { event } => (self.before(event), to_excise(timeline, event)),
            Verdict::Deletions { event } => {
                (None, event.map_or(Vec::new(), |event| to_excise(timeline, event)))
            }
            _ => (None, Vec::new()),
        };
        let deletions = self.counted.as_ref().map(|counted| counted.deletions.clone());
        RecoverReport {
            path: whole.path.clone(),
            opened: log.opened.clone(),
            archived: false,
            layout: log.layout.clone(),
            // A server that runs on the secured log itself is the one that matters.
            hold_origin: HoldOrigin::read(&data_directory).filter(|_| writers.is_empty()),
            data_directory,
            parts: (log.parts.iter())
                .map(|part| PartSummary { name: part.name.clone(), bytes: part.mapping.len() })
                .collect(),
            bytes: log.bytes(),
            commands: timeline.commands,
            verdict,
            trailing: timeline.trailing.clone(),
            excise,
            events: timeline.events.clone(),
            earlier_events: timeline.earlier,
            times: timeline.times,
            clock_went_back: timeline.clock_went_back,
            tail: timeline.tail,
            broken: timeline.broken.clone(),
            newer_rdbs: timeline.newer_rdbs.clone(),
            unread: timeline.unread.clone(),
            unknown: timeline.unknown.clone(),
            possible_flushes: timeline.possible_flushes.clone(),
            nothing_lost: Facts { log, timeline, deletions: deletions.as_ref() }.nothing_lost(),
            deletions,
            keys_deleted: timeline.keys_deleted,
            now,
            before_damage,
            before,
            uncounted: self.uncounted.clone(),
            snapshot: snapshot(&candidates),
            candidates,
            candidate: options.candidate,
            writers,
            done,
            next: Vec::new(),
            elapsed_s: 0.0,
        }
    }
}

/// Returns the directory that contains the log, which is the server's `dir`, as a path that can be typed.
fn data_directory(log: &Log) -> PathBuf {
    let place = match &log.layout {
        Layout::MultiPart { directory, .. } => directory,
        _ => &log.opened,
    };
    match (place.components().next_back(), place.parent()) {
        (Some(std::path::Component::Normal(_)), Some(parent)) if parent.as_os_str().is_empty() => {
            PathBuf::from(".")
        }
        (Some(std::path::Component::Normal(_)), Some(parent)) => parent.to_path_buf(),
        _ => place.join(".."),
    }
}

fn snapshot(candidates: &[Candidate]) -> Option<PathBuf> {
    let is_snapshot =
        |candidate: &&Candidate| candidate.kind == CandidateKind::File(OtherKind::Rdb);
    candidates.iter().find(is_snapshot).map(|candidate| candidate.files[0].path.clone())
}

/// Returns every process that has a part of the log open for writing.
fn writers_of(log: &Log) -> Vec<Holder> {
    let mut found: Vec<Holder> = Vec::new();
    for holder in log.parts.iter().flat_map(|part| writers(&part.path)) {
        if !found.contains(&holder) {
            found.push(holder);
        }
    }
    found
}
