//! What in a log destroyed data: every event with its place, and what stands around it.

use std::time::UNIX_EPOCH;

use serde::Serialize;

use super::event_kind::What;
use super::unread::{Unread, stop_in_rdb, unread};
use crate::analysis::destruction_scan::{Effect, Noted, Scout, Times};
use crate::analysis::unknown_commands::UnknownCommand;
use crate::aof::log::{Log, Part};
use crate::aof::{Frame, scan_parallel};
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::Progress;
use crate::command::intact_ranges::{following, is_damage};
use crate::command::{CommandId, lookup};
use crate::rdb;

/// When something was run, as far as it is known, in Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct When {
    /// Not before this. With an annotation in the log: in just this second.
    pub from: Option<i64>,
    /// Not after this.
    pub until: Option<i64>,
    /// Whether an annotation tells it to the second.
    pub exact: bool,
}

/// Something that destroyed data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// Its number in the timeline, from 1: what `--excise` takes.
    pub number: u64,
    /// What it did.
    #[serde(flatten)]
    pub what: What,
    /// The part that it stands in, by file name.
    pub part: String,
    /// The part's place in the load order, from 0.
    #[serde(skip)]
    pub part_index: usize,
    /// Where it begins there, in bytes.
    pub offset: u64,
    /// Where it ends there.
    pub end: u64,
    /// Which command of the log its first is, from 1.
    pub ordinal: u64,
    /// Which command its last is; another than the first for a run.
    pub last_ordinal: u64,
    /// Commands of the run: 1 where it is none.
    pub commands: u64,
    /// Keys that the commands name, for a run of deletions.
    pub keys_named: u64,
    /// The database in force where it begins.
    pub db: u32,
    /// When it was run.
    pub time: When,
    /// Where the transaction begins and ends that it is in.
    pub transaction: Option<(u64, u64)>,
    /// Whether it is in a transaction that never ended, which no server runs.
    pub never_run: bool,
    /// Keys that were lost by it; `None` where that was not counted.
    pub keys_lost: Option<u64>,
    /// Keys that came in their place since: those that were there when the next flush of the same kind came, or at
    /// the end of the log.
    pub keys_since: Option<u64>,
}

/// A command that no known server has, and that has no argument: it may be a flush that the server's configuration has
/// renamed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PossibleFlush {
    /// Its name, escaped.
    pub name: String,
    /// The part that it is in, by file name.
    pub part: String,
    /// Where it begins there, in bytes.
    pub offset: u64,
    /// Which command of the log it is, from 1.
    pub ordinal: u64,
    /// How often it is there, one right after the other.
    pub commands: u64,
    /// Keys before it; `None` where that was not counted.
    pub keys_before: Option<u64>,
}

/// The end of a log that no server reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Tail {
    /// Where it begins in the last part.
    pub offset: u64,
    /// How long it is.
    pub bytes: u64,
    /// Whether it is a transaction without its EXEC, rather than a torn command.
    pub transaction: bool,
}

/// Damage that keeps a log from being cut anywhere but before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// The part, by file name.
    pub part: String,
    /// Its place in the load order, from 0.
    #[serde(skip)]
    pub part_index: usize,
    /// The last boundary before it.
    pub offset: u64,
    /// What it is, for a person.
    pub what: String,
    /// Whether it is an RDB with content that this version does not know, and whose checksum does not prove that it is
    /// whole.
    pub unproven: bool,
    /// Whether it is in an RDB, whose keys are then not read at all.
    pub in_rdb: bool,
    /// Whether `repair --salvage` steps over it.
    pub can_be_salvaged: bool,
}

/// An RDB that is whole, and whose keys are unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NewerRdb {
    /// The part that it begins, by file name.
    pub part: String,
    /// What is unknown.
    #[serde(flatten)]
    pub content: rdb::UnknownContent,
}

/// What was found in a log.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    /// The events, in the order of the log; the last ones where there are very many.
    pub events: Vec<Event>,
    /// Events before those that are kept.
    pub earlier: u64,
    /// Commands in all parts.
    pub commands: u64,
    /// Keys in RDBs that parts begin with.
    pub rdb_keys: u64,
    /// RDBs whose keys are not among these, for this version cannot read them.
    pub newer_rdbs: Vec<NewerRdb>,
    /// The numbers of the FLUSHALLs behind which nothing is written: they end the log. In order.
    pub trailing: Vec<u64>,
    /// What stands behind the last command and is not read.
    pub tail: Option<Tail>,
    /// The first damage.
    pub broken: Option<Broken>,
    /// What was not read, where that is more than an unfinished end.
    pub unread: Option<Unread>,
    /// Commands whose effect is not known.
    pub unknown: Vec<UnknownCommand>,
    /// Those of them that may be flushes under another name; the last ones where there are very many.
    pub possible_flushes: Vec<PossibleFlush>,
    /// Keys that DEL, UNLINK and GETDEL name.
    pub keys_deleted: u64,
    /// The first time and the last that annotations tell, in Unix seconds.
    pub times: Option<(i64, i64)>,
    /// Whether the clock went backwards between two annotations.
    pub clock_went_back: bool,
    /// By part.
    pub(super) parts: Vec<PartLook>,
}

/// Where commands stand in a part.
#[derive(Debug, Clone)]
pub(super) struct PartLook {
    /// The part's file name.
    pub(super) name: String,
    /// Where its commands begin: behind an RDB.
    pub(super) start: u64,
    /// Where the reading of whole commands ends.
    pub(super) end: u64,
    /// Commands before this part.
    pub(super) commands_before: u64,
    pub(super) commands: u64,
    /// One in many: commands of the part before it, and its offset.
    pub(super) places: Vec<(u64, u64)>,
}

impl Timeline {
    /// The event of this number.
    pub fn event(&self, number: u64) -> Option<&Event> {
        self.events.iter().find(|event| event.number == number)
    }

    /// Whether there is neither a command nor a key in the log.
    pub(super) fn holds_nothing(&self) -> bool {
        self.commands == 0 && self.rdb_keys == 0 && self.newer_rdbs.is_empty()
    }

    /// The last event of this sort that was run.
    pub fn last(&self, wanted: impl Fn(&Event) -> bool) -> Option<&Event> {
        self.events.iter().rev().find(|event| !event.never_run && wanted(event))
    }
}

/// Reads a log for its timeline, on all cores.
///
/// # Errors
///
/// When a part was cut by another process while it was read.
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

/// Why a log cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    InRdb,
    /// No command can be read.
    Fault,
    /// A transaction has no end, although the log goes on in another part.
    Unfinished,
}

/// What has been read so far.
struct Reading<'l> {
    log: &'l Log,
    timeline: Timeline,
    noted: Vec<(usize, Noted, Option<i64>)>,
    /// The last command with an effect: the part, and where it ends.
    effect: Option<(usize, Effect)>,
    times: Times,
    /// The last time that is known from before a part.
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

    /// Reads a part; gives whether the next can be read.
    fn part(&mut self, part: &Part, progress: &dyn Progress) -> Result<bool> {
        let bytes = part.mapping.bytes();
        let mut start = 0;
        if part.starts_with_rdb() {
            let reading = rdb::read(bytes, &mut rdb::Ignore, progress);
            part.mapping.check()?;
            match reading {
                Ok(reading) => {
                    start = reading.len();
                    self.known = ctime(reading.walk()).or(self.known);
                    self.rdb(part, reading);
                }
                Err(damage) => {
                    let unproven = damage.unproven.as_ref().map(ToString::to_string);
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
        let scanned = scan_parallel(bytes, from, Scout::new, touch, progress);
        part.mapping.check()?;
        let scout = scanned.sink.of_whole_part();
        let at = scanned.stop.at as u64;
        let end = match scout.at_end.multi {
            Some(Some(multi)) => multi,
            _ => at,
        };
        let whole = end == part.mapping.len();
        if !whole && part.is_last && !is_damage(bytes, scanned.stop) {
            let bytes = part.mapping.len() - end;
            self.timeline.tail = Some(Tail { offset: end, bytes, transaction: end < at });
            // A length that is too large hides what comes after it.
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
        let kinds = [scout.flushes, scout.deletions.finish(), scout.renames.finish()];
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

    /// Notes the place at which reading ended.
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
        timeline.times = self.times.first.zip(self.times.last);
        timeline.clock_went_back = self.times.backwards;
        let behind = |event: &Event| {
            self.effect
                .is_none_or(|(part, effect)| (part, effect.end) <= (event.part_index, event.offset))
        };
        // What comes after a damage may have an effect.
        let is_read_to_the_end = timeline.broken.is_none();
        timeline.trailing = (timeline.events.iter())
            .filter(|_| is_read_to_the_end)
            .filter(|event| event.what == What::Flushall && !event.never_run && behind(event))
            .map(|event| event.number)
            .collect();
        timeline
    }
}

fn possible_flush(part: &Part, look: Option<&PartLook>, noted: &Noted) -> PossibleFlush {
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

fn event(part: &Part, look: &PartLook, number: u64, noted: &Noted, known: Option<i64>) -> Event {
    let multi = noted.before.multi.flatten();
    let exec = multi.and_then(|multi| end_of_transaction(part.mapping.bytes(), multi));
    let transaction = multi.zip(exec);
    Event {
        number,
        what: What::of(noted.deed),
        part: part.name.clone(),
        part_index: part.index,
        offset: noted.offset,
        end: noted.end,
        ordinal: look.commands_before + noted.first + 1,
        last_ordinal: look.commands_before + noted.last + 1,
        commands: noted.commands,
        keys_named: noted.keys,
        db: noted.before.db.unwrap_or(0),
        time: when(part, noted.before.time, known),
        transaction,
        never_run: multi.is_some() && noted.offset >= look.end,
        keys_lost: None,
        keys_since: None,
    }
}

/// By the annotation before it in its part; else between the last time that is known from what was written before,
/// and the last write to the part.
fn when(part: &Part, annotated: Option<i64>, known: Option<i64>) -> When {
    if let Some(seconds) = annotated {
        return When { from: Some(seconds), until: Some(seconds), exact: true };
    }
    let until = modified(part).filter(|until| known.is_none_or(|known| known <= *until));
    When { from: known, until, exact: false }
}

/// When a part was last written, in Unix seconds.
fn modified(part: &Part) -> Option<i64> {
    let modified = part.mapping.file().metadata().ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_secs()).ok()
}

/// The time at which an RDB says it was written, in Unix seconds.
fn ctime(walk: &rdb::Walk) -> Option<i64> {
    let (_, value) = walk.aux.iter().find(|(name, _)| name == b"ctime")?;
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// The most commands of a transaction that are walked over to find its end.
const LONGEST_TRANSACTION: usize = 1 << 24;

/// Where the transaction ends whose MULTI stands at `multi`, behind its EXEC.
pub(super) fn end_of_transaction(bytes: &[u8], multi: u64) -> Option<u64> {
    let frames = frames(bytes, multi).take(LONGEST_TRANSACTION);
    let mut found = frames.filter(|frame| lookup(frame.name()) == Some(CommandId::EXEC));
    found.next().map(|frame| frame.end())
}

/// The commands from `at` on, annotations between them passed over, as far as they are whole.
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
