//! The events in a log that destroyed data, with their positions and context.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::event_kind::EventKind;
use super::key_prefix::KeyPrefix;
use super::unread::{Unread, stop_in_rdb, unread};
use crate::analysis::destruction_scan::{DestructionScan, Effect, EventRun, Times};
use crate::analysis::unknown_commands::UnknownCommand;
use crate::aof::log::{Log, Part};
use crate::aof::{Frame, scan_parallel};
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::next_step::NextStep;
use crate::base::progress::Progress;
use crate::command::intact_ranges::{following, is_damage};
use crate::command::{CommandId, lookup};
use crate::rdb;

/// The time at which a command ran, as far as it is known, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct TimeRange {
    /// The earliest possible time. If exact, the time itself.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub from: Option<i64>,
    /// The latest possible time.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub until: Option<i64>,
    /// Whether an annotation gives the time to the second.
    pub exact: bool,
}

/// An event that destroyed data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// The number of the event in the timeline, from 1, as `--excise` takes it.
    pub number: u64,
    /// The kind of the event.
    #[serde(flatten)]
    pub what: EventKind,
    /// The command; `None` for a run of commands of several kinds.
    pub command: Option<String>,
    /// The file name of the part that contains it.
    pub part: String,
    /// The index of the part in load order, from 0.
    #[serde(skip)]
    pub part_index: usize,
    /// The byte offset at which it begins in the part.
    pub offset: u64,
    /// The byte offset at which it ends in the part; the end of the part if it continues in the next one.
    pub end: u64,
    /// The part in which it ends, and the byte offset of the end in that part.
    #[serde(skip)]
    pub(super) last_part_index: usize,
    #[serde(skip)]
    pub(super) last_end: u64,
    /// The ordinal of its first command in the log, from 1.
    pub ordinal: u64,
    /// The ordinal of its last command, which differs from the first for a run.
    pub last_ordinal: u64,
    /// The number of commands in the run; 1 for a single command.
    pub commands: u64,
    /// The number of keys named by the commands of a run of deletions.
    pub keys_named: u64,
    /// The selected database at its first command.
    pub db: u32,
    /// The time at which it ran, or at which its first command ran.
    pub time: TimeRange,
    /// The time at which its last command ran; `None` without annotations.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub until: Option<i64>,
    /// The byte offsets of the start and the end of the transaction that contains it.
    pub transaction: Option<(u64, u64)>,
    /// Whether it is in an unfinished transaction, which no server runs.
    pub never_run: bool,
    /// The number of keys that it removed; `None` if not counted.
    pub keys_lost: Option<u64>,
    /// The number of keys of its databases before it; `None` if not counted.
    pub keys_before: Option<u64>,
    /// The number of keys created since: those that existed before the next flush of the same databases, or at the end
    /// of the log.
    pub keys_since: Option<u64>,
    /// Whether it counts as a loss, as opposed to ordinary changes. Always false if keys were not counted.
    pub is_loss: bool,
    /// Whether the same command is run on the same database at regular times or intervals.
    pub is_routine: bool,
    /// The most frequent prefixes of the keys, of an event that only the replay finds.
    pub(crate) prefixes: Vec<KeyPrefix>,
    /// The command that undoes it; `None` if it removed no keys.
    pub(crate) undo: Option<NextStep>,
}

/// A command unknown to all known servers and without arguments: it may be a flush that the server's configuration
/// renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PossibleFlush {
    /// The command name, escaped for display.
    pub name: String,
    /// The file name of the part that contains it.
    pub part: String,
    /// The byte offset at which it begins in the part.
    pub offset: u64,
    /// The ordinal of the command in the log, from 1.
    pub ordinal: u64,
    /// The number of consecutive occurrences.
    pub commands: u64,
    /// The number of keys before it; `None` if not counted.
    pub keys_before: Option<u64>,
}

/// The end of a log that no server loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tail {
    /// The byte offset at which it begins in the last part.
    pub offset: u64,
    /// The length in bytes.
    pub bytes: u64,
    /// Whether it is a transaction without EXEC, as opposed to a torn command.
    pub transaction: bool,
}

/// Damage: the log can only be cut before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The file name of the part.
    pub part: String,
    /// The index of the part in load order, from 0.
    #[serde(skip)]
    pub part_index: usize,
    /// The byte offset of the last boundary before the damage.
    pub offset: u64,
    /// A description of the damage for display.
    pub what: String,
    /// Whether it is an RDB with content unknown to this version and without a checksum that proves the RDB intact.
    pub unproven: bool,
    /// Whether it is in an RDB, whose keys are then not read at all.
    pub in_rdb: bool,
    /// Whether `repair --salvage` can skip it.
    pub can_be_salvaged: bool,
}

/// An intact RDB whose keys are unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewerRdb {
    /// The file name of the part that begins with it.
    pub part: String,
    /// The unknown content.
    #[serde(flatten)]
    pub content: rdb::UnknownContent,
}

/// The result of scanning a log.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The events in the order of the log; only the last ones if there are very many.
    pub events: Vec<Event>,
    /// The number of events before the listed ones.
    pub earlier: u64,
    /// The number of commands in all parts.
    pub commands: u64,
    /// The number of keys in the RDBs at the beginning of parts.
    pub rdb_keys: u64,
    /// The RDBs whose keys are not counted, because this version cannot read them.
    pub newer_rdbs: Vec<NewerRdb>,
    /// The numbers of the FLUSHALLs that end the log, in order: no write follows them.
    pub trailing: Vec<u64>,
    /// The bytes after the last complete command.
    pub tail: Option<Tail>,
    /// The first damage.
    pub broken: Option<Broken>,
    /// The content that was not read, if it is more than an unfinished end.
    pub unread: Option<Unread>,
    /// The commands whose effect is unknown.
    pub unknown: Vec<UnknownCommand>,
    /// The commands that fail in a replay because no known server has their form; empty without a replay.
    pub(crate) unknown_forms: Vec<UnknownCommand>,
    /// Those of the unknown commands that may be renamed flushes; only the last ones if there are very many.
    pub possible_flushes: Vec<PossibleFlush>,
    /// The number of keys named by DEL, UNLINK and GETDEL.
    pub keys_deleted: u64,
    /// The first and the last time of the log's annotations, in Unix seconds.
    pub times: Option<(i64, i64)>,
    /// Whether the clock went backwards between two annotations.
    pub clock_went_back: bool,
    /// The scan results of each part.
    pub(super) parts: Vec<PartLook>,
    /// The number of events that the scan found, after `earlier`. Only a replay finds the events with higher numbers.
    pub(super) events_of_scan: u64,
}

/// The positions of the commands in a part.
#[derive(Debug, Clone)]
pub(super) struct PartLook {
    /// The file name of the part.
    pub(super) name: String,
    /// The byte offset of its first command, after the RDB if there is one.
    pub(super) start: u64,
    /// The byte offset at which the complete commands end.
    pub(super) end: u64,
    /// The number of commands before this part.
    pub(super) commands_before: u64,
    pub(super) commands: u64,
    /// Sampled commands: the number of commands of the part before each, and its byte offset.
    pub(super) places: Vec<(u64, u64)>,
}

impl Timeline {
    /// Returns the event with this number.
    pub fn event(&self, number: u64) -> Option<&Event> {
        self.events.iter().find(|event| event.number == number)
    }

    /// Returns whether the log contains neither a command nor a key.
    pub(super) fn holds_nothing(&self) -> bool {
        self.commands == 0 && self.rdb_keys == 0 && self.newer_rdbs.is_empty()
    }

    /// Returns the last event matching `wanted` that was run.
    pub fn last(&self, wanted: impl Fn(&Event) -> bool) -> Option<&Event> {
        self.events.iter().rev().find(|event| !event.never_run && wanted(event))
    }
}

/// Reads the timeline of a log, using all cores.
///
/// # Errors
///
/// When another process truncated a part while it was read.
pub fn timeline(log: &Log, progress: &dyn Progress) -> Result<Timeline> {
    progress.phase("look", log.bytes());
    let mut reading = Reading::new(log);
    for part in &log.parts {
        if !reading.part(part, progress)? {
            break;
        }
    }
    Ok(reading.finish(log))
}

/// The maximum number of other commands between two runs of deletions that are one event.
const CLOSE: u64 = 1000;

/// The reason why reading a log stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    InRdb,
    /// No command can be read.
    Fault,
    /// A transaction has no end, although the log continues in another part.
    Unfinished,
}

/// The state of reading a log.
struct Reading<'l> {
    log: &'l Log,
    timeline: Timeline,
    noted: Vec<(usize, EventRun, Option<i64>)>,
    /// The last command with an effect: the index of its part, and where it ends.
    effect: Option<(usize, Effect)>,
    times: Times,
    /// The last time known from earlier parts.
    known: Option<i64>,
}

impl<'l> Reading<'l> {
    fn new(log: &'l Log) -> Self {
        Reading {
            log,
            timeline: Timeline::default(),
            noted: Vec::new(),
            effect: None,
            times: Times::default(),
            known: None,
        }
    }

    /// Reads a part and returns whether the next one can be read.
    fn part(&mut self, part: &Part, progress: &dyn Progress) -> Result<bool> {
        let mut bytes = part.mapping.bytes();
        let mut start = 0;
        if part.starts_with_rdb() {
            let reading = part.read_rdb(&mut rdb::IgnoreDeep, progress);
            part.mapping.check()?;
            match reading {
                Ok(reading) => {
                    start = reading.len();
                    let rdb_len = usize::try_from(start).unwrap_or(bytes.len());
                    bytes = &bytes[..part.read_end(bytes, rdb_len)];
                    self.known = ctime(reading.walk()).or(self.known);
                    self.rdb(part, reading);
                }
                Err(damage) => {
                    let unproven = damage.unknown();
                    let is_unproven = unproven.is_some();
                    let what =
                        unproven.unwrap_or_else(|| format!("its RDB cannot be read: {damage}"));
                    self.broken(part, damage.offset, what, Sort::InRdb);
                    if let Some(broken) = &mut self.timeline.broken {
                        broken.unproven = is_unproven;
                    }
                    let stop = stop_in_rdb(part, damage.offset);
                    self.timeline.unread = Some(unread(self.log, part, damage.offset, stop));
                    return Ok(false);
                }
            }
        }
        let from = usize::try_from(start).unwrap_or(bytes.len());
        let touch = |range| part.mapping.prefault(range);
        let scanned = scan_parallel(bytes, from, DestructionScan::new, touch, progress);
        part.mapping.check()?;
        progress.check()?;
        let scout = scanned.sink.of_whole_part();
        let at = scanned.stop.at as u64;
        let end = match scout.at_end.multi {
            Some(Some(multi)) => multi,
            _ => at,
        };
        let whole = end == bytes.len() as u64;
        if !whole && part.is_last && !is_damage(bytes, scanned.stop) {
            let bytes = bytes.len() as u64 - end;
            self.timeline.tail = Some(Tail { offset: end, bytes, transaction: end < at });
            // A declared length that is too large hides the commands after it.
            let hidden = unread(self.log, part, at, scanned.stop);
            self.timeline.unread = Some(hidden).filter(|hidden| hidden.commands > 0);
        } else if !whole {
            let (what, sort) = match scanned.stop.fault {
                Some(_) => {
                    let following = following(bytes, scanned.stop);
                    (format!("no command can be read there, and {following}"), Sort::Fault)
                }
                None => ("a transaction has no EXEC".to_owned(), Sort::Unfinished),
            };
            self.broken(part, end, what, sort);
            self.timeline.unread = Some(unread(self.log, part, end, scanned.stop));
        }
        let effect = scout.effect_that_is_run();
        if effect.commands > 0 {
            self.effect = Some((part.index, effect));
        }
        self.times.join(scout.times);
        let commands = scout.commands;
        self.timeline.parts.push(PartLook {
            name: part.name.clone(),
            start,
            end,
            commands_before: self.timeline.commands,
            commands,
            places: scout.places,
        });
        let mut deletions = scout.deletions.finish();
        deletions.events = one_event(deletions.events, &scout.flushes.events);
        let kinds = [scout.flushes, deletions, scout.renames.finish()];
        for kept in kinds {
            self.timeline.earlier += kept.more;
            self.noted.extend(kept.events.into_iter().map(|event| (part.index, event, self.known)));
        }
        let look = self.timeline.parts.last();
        let possible = scout.possible_flushes.events.iter();
        let possible = possible.map(|noted| possible_flush(part, look, noted));
        self.timeline.possible_flushes.extend(possible);
        scout.unknowns.report(&part.name, &mut self.timeline.unknown);
        self.timeline.keys_deleted += scout.keys_deleted;
        self.known = scout.times.last.or(self.known);
        self.timeline.commands += commands;
        Ok(whole || self.timeline.broken.is_none())
    }

    fn rdb(&mut self, part: &Part, reading: rdb::Reading) {
        match reading {
            rdb::Reading::Known(walk) => self.timeline.rdb_keys += walk.keys,
            rdb::Reading::Newer(newer) => self
                .timeline
                .newer_rdbs
                .push(NewerRdb { part: part.name.clone(), content: newer.content }),
        }
    }

    /// Records the damage at which reading stopped.
    fn broken(&mut self, part: &Part, offset: u64, what: String, sort: Sort) {
        self.timeline.broken = Some(Broken {
            part: part.name.clone(),
            part_index: part.index,
            offset,
            what,
            unproven: false,
            in_rdb: sort == Sort::InRdb,
            can_be_salvaged: sort == Sort::Fault,
        });
    }

    fn finish(mut self, log: &Log) -> Timeline {
        self.noted.sort_by_key(|(part, noted, _)| (*part, noted.offset));
        let mut timeline = self.timeline;
        for (index, (part, noted, known)) in self.noted.into_iter().enumerate() {
            let number = timeline.earlier + index as u64 + 1;
            let (Some(part), Some(look)) = (log.parts.get(part), timeline.parts.get(part)) else {
                continue;
            };
            timeline.events.push(event(part, look, number, &noted, known));
        }
        timeline.events_of_scan = timeline.events.len() as u64;
        timeline.times = self.times.first.zip(self.times.last);
        timeline.clock_went_back = self.times.backwards;
        let following = |event: &Event| {
            self.effect
                .is_none_or(|(part, effect)| (part, effect.end) <= (event.part_index, event.offset))
        };
        // Commands after the damage may have an effect.
        let is_read_to_the_end = timeline.broken.is_none();
        timeline.trailing = (timeline.events.iter())
            .filter(|_| is_read_to_the_end)
            .filter(|event| {
                event.what == EventKind::Flushall && !event.never_run && following(event)
            })
            .map(|event| event.number)
            .collect();
        timeline
    }
}

/// Joins runs of deletions that are close to each other in one database, such as those of a script that other clients
/// interrupt, unless there is a flush between them.
fn one_event(runs: Vec<EventRun>, flushes: &[EventRun]) -> Vec<EventRun> {
    let mut joined: Vec<EventRun> = Vec::with_capacity(runs.len());
    for run in runs {
        let is_close = |last: &&mut EventRun| {
            let between = last.end..run.offset;
            run.first - last.last <= CLOSE
                && run.before.db == last.before.db
                && !flushes.iter().any(|flush| between.contains(&flush.offset))
        };
        match joined.last_mut().filter(is_close) {
            Some(last) => last.extend(run),
            None => joined.push(run),
        }
    }
    joined
}

fn possible_flush(part: &Part, look: Option<&PartLook>, noted: &EventRun) -> PossibleFlush {
    let frame = frames(part.mapping.bytes(), noted.offset).next();
    let name = frame.map_or(String::new(), |frame| Shown(frame.name()).to_string());
    PossibleFlush {
        name: name.trim_matches('"').to_owned(),
        part: part.name.clone(),
        offset: noted.offset,
        ordinal: look.map_or(0, |look| look.commands_before) + noted.first + 1,
        commands: noted.commands,
        keys_before: None,
    }
}

fn event(part: &Part, look: &PartLook, number: u64, noted: &EventRun, known: Option<i64>) -> Event {
    let multi = noted.before.multi.flatten();
    let exec = multi.and_then(|multi| end_of_transaction(part.mapping.bytes(), multi));
    let transaction = multi.zip(exec);
    Event {
        number,
        what: EventKind::from_op(noted.op),
        command: None,
        part: part.name.clone(),
        part_index: part.index,
        offset: noted.offset,
        end: noted.end,
        last_part_index: part.index,
        last_end: noted.end,
        ordinal: look.commands_before + noted.first + 1,
        last_ordinal: look.commands_before + noted.last + 1,
        commands: noted.commands,
        keys_named: noted.keys,
        db: noted.before.db.unwrap_or(0),
        time: when(part, noted.before.time, known),
        until: None,
        transaction,
        never_run: multi.is_some() && noted.offset >= look.end,
        keys_lost: None,
        keys_before: None,
        keys_since: None,
        is_loss: false,
        is_routine: false,
        prefixes: Vec::new(),
        undo: None,
    }
}

/// Returns the time of the preceding annotation in the part or, without one, the range between the last time known from
/// earlier content and the modification time of the part.
pub(super) fn when(part: &Part, annotated: Option<i64>, known: Option<i64>) -> TimeRange {
    if let Some(seconds) = annotated {
        return TimeRange { from: Some(seconds), until: Some(seconds), exact: true };
    }
    let until = modified(part).filter(|until| known.is_none_or(|known| known <= *until));
    TimeRange { from: known, until, exact: false }
}

/// Returns the modification time of a part, in Unix seconds.
fn modified(part: &Part) -> Option<i64> {
    let modified = part.file().file().metadata().ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// Returns the creation time recorded in an RDB, in Unix seconds.
fn ctime(walk: &rdb::RdbSummary) -> Option<i64> {
    let (_, value) = walk.aux.iter().find(|(name, _)| name == b"ctime")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The maximum number of commands that are read to find the end of a transaction.
const LONGEST_TRANSACTION: usize = 1 << 24;

/// Returns the byte offset after the EXEC of the transaction whose MULTI is at `multi`.
pub(super) fn end_of_transaction(bytes: &[u8], multi: u64) -> Option<u64> {
    let frames = frames(bytes, multi).take(LONGEST_TRANSACTION);
    let mut found = frames.filter(|frame| lookup(frame.name()) == Some(CommandId::EXEC));
    found.next().map(|frame| frame.end())
}

/// Iterates over the complete commands from `at` on, skipping annotations.
pub(super) fn frames(bytes: &[u8], at: u64) -> impl Iterator<Item = Frame<'_>> {
    let mut at = usize::try_from(at).unwrap_or(bytes.len());
    std::iter::from_fn(move || {
        loop {
            let rest = bytes.get(at..)?;
            match crate::aof::grammar::annotation(rest) {
                Ok((_, line)) if !line.is_empty() => at += line.len(),
                _ => {
                    let frame = Frame::read(at as u64, rest)?;
                    at += frame.bytes().len();
                    return Some(frame);
                }
            }
        }
    })
}
