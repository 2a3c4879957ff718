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
//! | `conflicts` | differences in later commands when an event is removed |
//! | `join` | joining two states of a data set key by key |
//! | `undelete` | restoring single keys |
//! | `candidates` | other files that may contain the lost data |
//! | `client` | the client that reaches the server of the log |
//! | `next` | the steps to take next |
//! | `report` | the schema of the report |

mod candidates;
mod client;
mod conflicts;
mod cuts;
mod event_kind;
#[cfg(feature = "live")]
pub mod hold;
mod join;
mod losses;
mod next;
mod preview;
mod report;
mod shown_time;
mod timeline;
mod undelete;
mod unread;
mod verdict;

pub(crate) use shown_time::shown_time;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

pub use crate::analysis::unknown_commands::UnknownCommand;
pub use candidates::{Candidate, CandidateFile, CandidateKind};
pub use conflicts::{Conflicts, Example, Turned};
pub use cuts::{CutPoint, RemovalReason, Removed};
pub use event_kind::EventKind;
pub use join::{Expired, Joined, Winner};
pub use losses::{Deletions, IN_NUMBER_KEYS, IN_NUMBER_ONE_IN, IN_NUMBER_RUN, LossPlace};
pub use report::{Done, PartSummary, RecoverReport};
pub use timeline::{Broken, Event, NewerRdb, PossibleFlush, Tail, TimeRange, Timeline, timeline};
pub use unread::{Unread, UnreadFlush};
pub use verdict::Verdict;

use self::cuts::Cuts;
use self::join::{How, JoinedSource, Rule, Tallies};
use self::preview::Counted;
use self::undelete::{Undeleted, Wanted};
use self::verdict::{Facts, empties, to_excise, worst_flush};
use crate::analysis::keyspace_summary::{KeyspaceSummary, SummaryReport};
use crate::analysis::position::Position;
use crate::aof::log::{Layout, Log, OtherKind};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::disk::copy_access;
use crate::disk::open_writers::{Holder, writers};
use crate::disk::publish::Existing;
use crate::input::files::open_files;
use crate::input::hold_origin::HoldOrigin;
use crate::input::overwrite::inputs;
use crate::input::{Input, OpenedLog, open};
use crate::keyspace::Keyspace;
use crate::ops::compact;
use crate::ops::repair::retained_ranges;
pub use crate::ops::repair::retained_ranges::Output;
use crate::ops::repair::retained_ranges::{Destination, Written};
use crate::replay::windows::each_window;
use crate::replay::{ReplayOptions, RouteOptions, replay, route};

/// The action to perform on a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// Only reports what can be recovered; nothing is written.
    #[default]
    Preview,
    /// Removes the FLUSHALL that ends the log.
    Strip,
    /// Retains everything before a position.
    Until(Position),
    /// Removes these events of the timeline and retains later writes.
    Excise(Vec<u64>),
    /// Joins the state before a flush and the state built after it, key by key.
    Merge {
        /// The side from which a key is taken if both sides have it.
        winner: Winner,
        /// The number of the flush; `None` for the flush that lost most keys, or for a recovery candidate.
        event: Option<u64>,
    },
    /// Restores the keys that match any of these patterns to their state at their last deletion.
    Undelete(Vec<Glob>),
}

/// Options of [`recover`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct RecoverOptions {
    /// The action to perform.
    pub choice: Choice,
    /// The destination of the result.
    pub output: Output,
    /// The only database to recover; all others are left unchanged.
    pub db: Option<u32>,
    /// The treatment of restored keys whose expiry has passed.
    pub expired: Expired,
    /// The current time, in Unix milliseconds.
    pub now_ms: i64,
    /// The number of the recovery candidate to use instead of the log, or, with [`Choice::Merge`], as its older side.
    pub candidate: Option<u64>,
    /// The server to write a newly encoded data set for; `None` for the server that wrote the log.
    pub server: Option<Server>,
    /// Whether keys are counted, which requires a replay.
    pub preview: bool,
    /// Whether to overwrite the output, and to proceed although a process writes to the input.
    pub force: bool,
    /// Options for reading the log.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
}

impl RecoverOptions {
    /// Returns the options to make `choice` and write the result to `output`.
    pub fn new(choice: Choice, output: Output) -> Self {
        RecoverOptions { choice, output, ..RecoverOptions::default() }
    }
}

impl Default for RecoverOptions {
    /// A preview that counts keys, and writes nothing.
    fn default() -> Self {
        RecoverOptions {
            choice: Choice::default(),
            output: Output::default(),
            db: None,
            expired: Expired::default(),
            now_ms: jiff::Timestamp::now().as_millisecond(),
            candidate: None,
            server: None,
            preview: true,
            force: false,
            route: RouteOptions::default(),
            replay: ReplayOptions::default(),
        }
    }
}

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
                found.tell(&mut timeline);
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
    let job = Job { whole, log, timeline: &timeline, counted, uncounted, options, progress };
    let done = match &options.choice {
        Choice::Preview => None,
        _ => Some(job.carry_out()?),
    };
    let may_be_elsewhere = match verdict {
        Verdict::Unclear | Verdict::FlushAfterDamage => options.choice == Choice::Preview,
        _ => verdict.is_not_in_the_log(),
    };
    if options.preview && may_be_elsewhere {
        candidates.iter_mut().for_each(|candidate| job.examine(candidate));
    }
    Ok(job.report(verdict, candidates, done))
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

/// Returns `None` if the log cannot be replayed, for example because it contains scripts.
fn unless_refused<T>(counted: Result<T>) -> Result<Option<T>> {
    match counted {
        Ok(counted) => Ok(Some(counted)),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(None),
        Err(error) => Err(error),
    }
}

fn not_as_planned(written: &Path) -> Error {
    let message = "what was written holds other keys than were counted before";
    Error::new(ErrorKind::Refused, message)
        .at(written)
        .help("nothing was changed; this is an error in aofkit, please report it")
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

/// Summarises the keyspace of a server that loads this log.
fn count(
    log: &Log,
    route_options: &RouteOptions,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<KeyspaceSummary> {
    let RouteOptions { key_specs, memory, .. } = options.route.clone();
    let route_options = RouteOptions { key_specs, memory, ..route_options.clone() };
    let routing = route(log, &route_options, progress)?;
    let mut holdings = KeyspaceSummary::default();
    each_window(&routing, "count", progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| Ok(KeyspaceSummary::from_keyspace(keyspace));
        let take = |_, part: KeyspaceSummary| {
            holdings.join(&part);
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take)
    })?;
    Ok(holdings)
}

/// One run of [`recover`] on one log.
struct Job<'j> {
    /// The log that was opened.
    whole: &'j Log,
    /// The log to recover, which differs from `whole` if a recovery candidate was chosen.
    log: &'j Log,
    timeline: &'j Timeline,
    counted: Option<Counted>,
    /// The reason why keys could not be counted.
    uncounted: Option<String>,
    options: &'j RecoverOptions,
    progress: &'j dyn Progress,
}

/// The maximum number of removed ranges listed in a report.
const REMOVED_LISTED: usize = 1000;

impl Done {
    /// Records the removed ranges.
    fn tell(&mut self, cuts: Cuts) {
        self.removed_more = cuts.removed.len().saturating_sub(REMOVED_LISTED) as u64;
        self.removed = cuts.removed;
        self.removed.truncate(REMOVED_LISTED);
        self.found = cuts.found;
    }
}

impl Job<'_> {
    fn carry_out(&self) -> Result<Done> {
        let (log, timeline) = (self.log, self.timeline);
        let (choice, cuts) = match &self.options.choice {
            Choice::Strip if self.options.candidate.is_some() && timeline.trailing.is_empty() => {
                ("whole", cuts::excise(log, timeline, &[])?)
            }
            Choice::Preview | Choice::Strip => ("strip", cuts::strip(log, timeline)?),
            Choice::Until(position) => {
                ("until", cuts::until(log, timeline, position, self.progress)?)
            }
            Choice::Excise(numbers) => ("excise", cuts::excise(log, timeline, numbers)?),
            Choice::Merge { winner, event } => return self.merge(*winner, *event),
            Choice::Undelete(globs) => return self.undelete(globs),
        };
        match self.options.db {
            Some(db) => self.replace_db(choice, cuts, db),
            None => self.copy(choice, cuts),
        }
    }

    /// Writes the bytes that a choice retains, unchanged.
    fn copy(&self, choice: &'static str, cuts: Cuts) -> Result<Done> {
        let kept = cuts.kept(self.log);
        let (conflicts, planned) = self.compare(choice, &cuts)?;
        let found = Mutex::new(None);
        let check = |written: &Path| {
            if self.options.preview {
                let held = self.count(&open_files(written)?, &RouteOptions::default());
                // A log that cannot be replayed is still copied.
                let Some(held) = unless_refused(held)? else { return Ok(()) };
                if planned.as_ref().is_some_and(|planned| !planned.has_same_keys(&held)) {
                    return Err(not_as_planned(written));
                }
                *found.lock().unwrap_or_else(PoisonError::into_inner) = Some(held);
            }
            Ok(())
        };
        let written = self.write_output(self.log, |place| {
            retained_ranges::write(self.log, &kept, place, &check, self.progress)
        })?;
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let gone = self.log.parts.iter().zip(&kept).filter(|(_, kept)| !kept.stays);
        let parts_removed = gone.map(|(part, _)| part.name.clone()).collect();
        let mut done = Done {
            choice,
            parts_removed,
            kept_bytes: Some(kept.iter().map(retained_ranges::RetainedRanges::bytes).sum()),
            conflicts,
            holds: found.or(planned).map(|held| held.told()),
            ..written
        };
        done.tell(cuts);
        Ok(done)
    }

    /// Computes, before anything is written, how the removal changes the outcome of later commands and, for a dry run,
    /// what the result would contain.
    fn compare(
        &self,
        choice: &'static str,
        cuts: &Cuts,
    ) -> Result<(Option<Conflicts>, Option<KeyspaceSummary>)> {
        if !self.options.preview {
            return Ok((None, None));
        }
        let cut = RouteOptions { cut: cuts.list(), ..self.options.route.clone() };
        if choice == "excise" {
            let as_it_is = RouteOptions { keep_dead: true, ..self.options.route.clone() };
            let cut = RouteOptions { keep_dead: true, ..cut };
            let replay = &self.options.replay;
            let sides = [&as_it_is, &cut];
            let found = conflicts::conflicts(self.log, sides, replay, self.progress);
            return Ok(unless_refused(found)?.unzip());
        }
        let is_dry = self.options.output == Output::DryRun;
        let held = if is_dry { unless_refused(self.count(self.log, &cut))? } else { None };
        Ok((None, held))
    }

    /// Restores one database to the state given by a choice, and leaves the others unchanged.
    fn replace_db(&self, choice: &'static str, cuts: Cuts, db: u32) -> Result<Done> {
        let older = RouteOptions { cut: cuts.list(), ..self.options.route.clone() };
        let newer = self.options.route.clone();
        let sides = [(self.log, &older), (self.log, &newer)];
        let mut done = self.join(sides, Rule::Replace, Some(db), self.log)?;
        done.choice = choice;
        done.tell(cuts);
        // The other databases still contain the removed ranges.
        done.removed.clear();
        Ok(done)
    }

    fn merge(&self, winner: Winner, event: Option<u64>) -> Result<Done> {
        let (log, timeline) = (self.log, self.timeline);
        let newer = self.options.route.clone();
        let rule = Rule::Merge(winner);
        if self.options.candidate.is_some() {
            let cuts = cuts::excise(log, timeline, &timeline.trailing)?;
            let older = RouteOptions { cut: cuts.list(), ..self.options.route.clone() };
            let sides = [(log, &older), (self.whole, &newer)];
            return self
                .join(sides, rule, self.options.db, self.whole)
                .map(|done| Done { choice: "merge", ..done });
        }
        let event = self.flush_to_merge(event)?;
        let cuts = cuts::before_event(log, timeline, event)?;
        let older = RouteOptions { cut: cuts.list(), ..self.options.route.clone() };
        let db = match (event.what, self.options.db) {
            (EventKind::Flushdb, Some(db)) if db != event.db => {
                let message = format!("event {} emptied database {} alone", event.number, event.db);
                return Err(Error::new(ErrorKind::Usage, message).at(&log.opened));
            }
            (EventKind::Flushdb, _) => Some(event.db),
            (_, db) => db,
        };
        let mut done = self.join([(log, &older), (log, &newer)], rule, db, log)?;
        done.choice = "merge";
        if let Some(joined) = &mut done.joined {
            joined.event = Some(event.number);
        }
        Ok(done)
    }

    /// Returns the flush between the two sides.
    fn flush_to_merge(&self, number: Option<u64>) -> Result<&Event> {
        let found = match number {
            Some(number) => self.timeline.event(number).filter(|event| empties(event)),
            None => worst_flush(self.timeline),
        };
        found.filter(|event| !event.never_run).ok_or_else(|| {
            Error::new(ErrorKind::Usage, "there is no such FLUSHALL or FLUSHDB in the log")
                .at(&self.log.opened)
                .help("aofkit recover PATH prints the timeline with its numbers")
        })
    }

    /// Joins two sides and writes the encoded result as a replacement of `log`.
    fn join(
        &self,
        sides: [(&Log, &RouteOptions); 2],
        rule: Rule,
        db: Option<u32>,
        log: &Log,
    ) -> Result<Done> {
        let (expired, now_ms) = (self.options.expired, self.options.now_ms);
        let how = How { rule, db, expired, now_ms };
        let source = JoinedSource::new(sides, how, self.progress)?;
        let done = self.write_anew(log, &source)?;
        let tally = source.tallies.into_tally();
        let winner = match rule {
            Rule::Merge(winner) => Some(winner),
            Rule::Replace => None,
        };
        Ok(Done { joined: Some(tally.told(None, winner, expired)), ..done })
    }

    fn undelete(&self, globs: &[Glob]) -> Result<Done> {
        let RecoverOptions { db, expired, now_ms, .. } = *self.options;
        let route_options = RouteOptions { keep_dead: true, ..self.options.route.clone() };
        let routing = route(self.log, &route_options, self.progress)?;
        let wanted = Wanted { globs: globs.to_vec(), db, expired, now_ms };
        let source = Undeleted { log: self.log, routing, wanted, tallies: Tallies::default() };
        let done = self.write_anew(self.log, &source)?;
        let tally = source.tallies.into_tally();
        Ok(Done { choice: "undelete", joined: Some(tally.told(None, None, expired)), ..done })
    }

    /// Writes a data set in the form of a compaction of `log`, then reads it back and compares it.
    fn write_anew(&self, log: &Log, source: &dyn compact::Source) -> Result<Done> {
        let options = |output, existing| compact::CompactOptions {
            output,
            existing,
            form: None,
            server: self.options.server,
            filter: crate::analysis::data_filter::Filter::default(),
            check: true,
            route: self.options.route.clone(),
            replay: self.options.replay.clone(),
            ctime: u64::try_from(self.options.now_ms / 1000).unwrap_or(0),
            compress: true,
        };
        let mut report = None;
        let mut done = self.write_output(log, |place| {
            let options = options(Some(place.path.to_path_buf()), place.existing);
            report = Some(compact::write_data_set(log, source, &options, self.progress)?);
            copy_access(place.copy_access, place.path);
            Ok(())
        })?;
        let report = match report {
            Some(report) => report,
            None => {
                let options = options(None, Existing::Keep);
                compact::write_data_set(log, source, &options, self.progress)?
            }
        };
        done.holds = Some(SummaryReport::from(&report));
        Ok(done)
    }

    /// Calls `write` with the destination, unless this is a dry run.
    fn write_output(
        &self,
        log: &Log,
        write: impl FnOnce(Destination<'_>) -> Result<()>,
    ) -> Result<Done> {
        let RecoverOptions { db, output, force, .. } = self.options;
        if *output == Output::InPlace {
            self.refuse_in_place_of_another(log)?;
        }
        let Written { written, backup } =
            retained_ranges::write_output(log, output, *force, write)?;
        let dry_run = *output == Output::DryRun;
        Ok(Done { db: *db, dry_run, written, backup, ..Done::default() })
    }

    /// Refuses to replace the log with a recovery candidate: the user should be able to inspect both.
    fn refuse_in_place_of_another(&self, log: &Log) -> Result<()> {
        if self.options.candidate.is_none() || !std::ptr::eq(log, self.log) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Usage, "a recovery candidate is not written in place of the log")
            .help("--output NEW writes it to a new file or directory"))
    }

    fn count(&self, log: &Log, route: &RouteOptions) -> Result<KeyspaceSummary> {
        count(log, route, self.options, self.progress)
    }

    /// Counts the keys that a recovery candidate would restore.
    fn examine(&self, candidate: &mut Candidate) {
        let examined = candidates::log_of(self.whole, candidate).and_then(|log| {
            let timeline = timeline(&log, self.progress)?;
            if let Some(unread) = timeline.newer_rdbs.first() {
                candidate.unread = Some(unread.content.clone());
                return Ok((!timeline.trailing.is_empty(), None));
            }
            let cut = cuts::excise(&log, &timeline, &timeline.trailing)?.list();
            let options = RouteOptions { cut, ..RouteOptions::default() };
            Ok((!timeline.trailing.is_empty(), Some(self.count(&log, &options)?.told())))
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
        let whole = self.timeline.trailing.first() == Some(&event);
        Some(if whole { before.told() } else { before.to_counted_report() })
    }

    fn report(
        &self,
        verdict: Verdict,
        candidates: Vec<Candidate>,
        done: Option<Done>,
    ) -> RecoverReport {
        let (log, timeline) = (self.log, self.timeline);
        let data_directory = data_directory(self.whole);
        let writers = writers_of(self.whole);
        let counted = self.counted.as_ref().map(|counted| counted.now.told());
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
            path: self.whole.path.clone(),
            opened: log.opened.clone(),
            archived: false,
            layout: log.layout.clone(),
            // A server that runs on the secured log itself is the one that matters.
            held_from: HoldOrigin::read(&data_directory).filter(|_| writers.is_empty()),
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
            candidate: self.options.candidate,
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
