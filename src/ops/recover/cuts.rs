//! The byte ranges to remove from a log for a given choice.
//!
//! Only whole commands are removed. A SELECT that affects retained commands is never removed, so that the commands
//! after a cut run in the database that they were written for.

use std::ops::Range;

use serde::Serialize;

use super::event_kind::{EventKind, shown_time};
use super::timeline::{Event, Timeline, frames};
use crate::analysis::position::{Mark, Position, no_times};
use crate::aof::log::{Log, Part};
use crate::aof::{Frame, Join, Sink, grammar, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::typed;
use crate::base::progress::{Progress, Silent};
use crate::base::units::Count;
use crate::command::transaction_scan::Transactions;
use crate::command::{CommandId, Role, lookup};
use crate::ops::repair::retained_ranges::RetainedRanges;
use crate::replay::CutList;

/// The byte ranges to remove from each part, in load order; the ranges of a part are sorted and disjoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cuts {
    pub(super) parts: Vec<Vec<Range<u64>>>,
    /// The number of parts that stay in the set; all later parts are dropped.
    pub(super) parts_kept: usize,
    /// The removed ranges, for the report.
    pub(super) removed: Vec<Removed>,
    /// The cut point that a position resolved to, with the reason.
    pub(super) found: Option<CutPoint>,
}

/// A range of bytes that is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The file name of the part.
    pub part: String,
    /// The byte offset at which the range begins.
    pub offset: u64,
    /// The length of the range in bytes.
    pub bytes: u64,
    /// The number of commands in the range; those of a torn end are not counted.
    pub commands: u64,
    /// The reason for the removal.
    pub why: RemovalReason,
}

/// The reason why bytes are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemovalReason {
    /// They belong to an event that was chosen, or that ends the log.
    Chosen,
    /// They are after the point up to which the log is retained.
    After,
    /// They are the torn end of the log, which no server loads.
    TornEnd,
}

/// The point of the log that a position resolves to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutPoint {
    /// The file name of the part.
    pub part: String,
    /// The byte offset of the cut; everything before it is retained.
    pub offset: u64,
    /// The number of commands that are retained.
    pub commands: u64,
    /// The reason for choosing this point, as a sentence, where it is not obvious.
    pub why: Option<String>,
}

impl Cuts {
    fn none(log: &Log) -> Cuts {
        Cuts {
            parts: vec![Vec::new(); log.parts.len()],
            parts_kept: log.parts.len(),
            removed: Vec::new(),
            found: None,
        }
    }

    fn cut(&mut self, part: &Part, range: Range<u64>, commands: u64, why: RemovalReason) {
        if range.is_empty() {
            return;
        }
        // Adjacent commands are merged into one range.
        let ranges = &mut self.parts[part.index];
        if let (Some(last), Some(removed)) = (ranges.last_mut(), self.removed.last_mut())
            && last.end == range.start
            && (removed.offset + removed.bytes, removed.why) == (range.start, why)
            && removed.part == part.name
        {
            last.end = range.end;
            removed.bytes += range.end - range.start;
            removed.commands += commands;
            return;
        }
        self.removed.push(Removed {
            part: part.name.clone(),
            offset: range.start,
            bytes: range.end - range.start,
            commands,
            why,
        });
        self.parts[part.index].push(range);
    }

    fn settle(mut self) -> Cuts {
        for ranges in &mut self.parts {
            ranges.sort_by_key(|range| range.start);
            ranges.dedup();
        }
        self
    }

    /// Returns the same ranges as a cut list for a replay.
    pub(super) fn list(&self) -> CutList {
        let mut list = CutList::new();
        for (part, ranges) in self.parts.iter().enumerate() {
            ranges.iter().for_each(|range| list.cut(part, range.clone()));
        }
        list
    }

    /// Returns the retained ranges of each part.
    pub(super) fn kept(&self, log: &Log) -> Vec<RetainedRanges> {
        let kept = |part: &Part| {
            let mut ranges = Vec::new();
            let mut from = 0;
            for cut in &self.parts[part.index] {
                if from < cut.start {
                    ranges.push(from..cut.start);
                }
                from = from.max(cut.end);
            }
            if from < part.mapping.len() {
                ranges.push(from..part.mapping.len());
            }
            RetainedRanges { stays: part.index < self.parts_kept, ranges }
        };
        log.parts.iter().map(kept).collect()
    }
}

/// Refuses a log that is damaged other than by a torn end, because everything after the damage would be lost.
fn refuse_damage(log: &Log, timeline: &Timeline) -> Result<()> {
    let Some(broken) = &timeline.broken else { return Ok(()) };
    let path = log.parts.get(broken.part_index).map_or(&log.opened, |part| &part.path);
    Err(Error::new(ErrorKind::Refused, format!("the log is damaged: {}", broken.what))
        .at(path)
        .byte(broken.offset)
        .help(format!(
            "write a repaired copy first and recover from that: `aofkit repair --salvage {} --output NEW`; --until can cut before the damage",
            typed(&log.path)
        )))
}

/// Removes the torn end of the log: a server could refuse it, or append after it.
fn cut_tail(cuts: &mut Cuts, log: &Log, timeline: &Timeline) {
    if let (Some(tail), Some(part)) = (timeline.tail, log.parts.last()) {
        cuts.cut(part, tail.offset..tail.offset + tail.bytes, 0, RemovalReason::TornEnd);
    }
}

/// Removes the FLUSHALL that ends the log, or all of them if several do.
pub(super) fn strip(log: &Log, timeline: &Timeline) -> Result<Cuts> {
    refuse_damage(log, timeline)?;
    if timeline.trailing.is_empty() {
        let last = timeline.last(|event| event.what.is_flush());
        let help = match last {
            Some(event) => format!(
                "commands were written after it: --excise {} removes it and keeps them, --until '#{}' \
                 goes back to before it, --merge newer joins both sides",
                event.number, event.ordinal
            ),
            None => "look at what there is: aofkit recover PATH".to_owned(),
        };
        return Err(Error::new(ErrorKind::Refused, "the log does not end in a FLUSHALL")
            .at(&log.opened)
            .help(help));
    }
    excise(log, timeline, &timeline.trailing)
}

/// Removes these events and retains everything else.
pub(super) fn excise(log: &Log, timeline: &Timeline, numbers: &[u64]) -> Result<Cuts> {
    refuse_damage(log, timeline)?;
    let mut events = Vec::new();
    for number in numbers {
        events.push(checked(log, timeline, *number)?);
    }
    let mut cuts = Cuts::none(log);
    for event in &events {
        let Some(part) = log.parts.get(event.part_index) else { continue };
        match event.transaction {
            Some((multi, exec_end)) if event.commands == 1 || event.what.is_flush() => {
                cut_in_transaction(&mut cuts, part, multi..exec_end, &events);
            }
            _ => cut_run(&mut cuts, part, event),
        }
    }
    let mut cuts = cuts.settle();
    cuts.removed.sort_by_key(|removed| (part_index(log, &removed.part), removed.offset));
    cuts.removed.dedup();
    cut_tail(&mut cuts, log, timeline);
    Ok(cuts.settle())
}

fn part_index(log: &Log, name: &str) -> usize {
    log.parts.iter().position(|part| part.name == name).unwrap_or(usize::MAX)
}

/// Returns the event with this number if it can be removed.
fn checked<'t>(log: &Log, timeline: &'t Timeline, number: u64) -> Result<&'t Event> {
    let usage = |message: String, help: &str| {
        Err(Error::new(ErrorKind::Usage, message).at(&log.opened).help(help))
    };
    let Some(event) = timeline.event(number) else {
        return usage(
            format!("the timeline has no event {number}"),
            "aofkit recover PATH prints the timeline with its numbers",
        );
    };
    if event.what == EventKind::Rename {
        return usage(
            format!("event {number} is a rename, which cannot be taken out alone"),
            &format!(
                "--until '#{}' goes back to before it, --merge older --excise {number} restores what it replaced",
                event.ordinal
            ),
        );
    }
    let goes_alone = event.what.is_flush() || event.what == EventKind::Delete;
    if !goes_alone || event.last_part_index != event.part_index {
        return usage(
            format!("event {number} cannot be removed from the log alone"),
            &format!(
                "--until '#{}' goes back to before it, --merge older --excise {number} restores what it removed or replaced",
                event.ordinal
            ),
        );
    }
    if event.never_run {
        return usage(
            format!("event {number} is in a transaction that never ended, and no server runs it"),
            "there is nothing to undo",
        );
    }
    Ok(event)
}

/// Removes the commands of a run, or a single command.
fn cut_run(cuts: &mut Cuts, part: &Part, event: &Event) {
    let bytes = part.mapping.bytes();
    let command = event.command.as_deref().map(|name| lookup(name.as_bytes()));
    let wanted = |frame: &Frame<'_>| match event.what {
        EventKind::Delete if command.is_some() => command == Some(lookup(frame.name())),
        EventKind::Delete => {
            matches!(lookup(frame.name()), Some(CommandId::DEL | CommandId::UNLINK))
        }
        _ => true,
    };
    for frame in frames(bytes, event.offset).take_while(|frame| frame.offset() < event.end) {
        if wanted(&frame) {
            cuts.cut(part, frame.offset()..frame.end(), 1, RemovalReason::Chosen);
        }
    }
}

/// Removes the chosen commands from a transaction, or the whole transaction except its SELECTs if nothing else in it
/// changes data.
fn cut_in_transaction(cuts: &mut Cuts, part: &Part, block: Range<u64>, chosen: &[&Event]) {
    let is_chosen = |frame: &Frame<'_>| {
        let here = |event: &&&Event| {
            event.part_index == part.index && (event.offset..event.end).contains(&frame.offset())
        };
        chosen.iter().any(|event| here(&event))
    };
    let inside: Vec<Frame<'_>> = frames(part.mapping.bytes(), block.start)
        .take_while(|frame| frame.offset() < block.end)
        .collect();
    let role = |frame: &Frame<'_>| lookup(frame.name()).map(|id| (id.row().role, id.row().writes));
    let stays = |frame: &Frame<'_>| match role(frame) {
        Some((Role::Plain, writes)) => writes && !is_chosen(frame),
        Some(_) => false,
        None => true,
    };
    let whole_block = !inside.iter().any(stays);
    for frame in &inside {
        let is_select = matches!(role(frame), Some((Role::Select, _)));
        if is_chosen(frame) || whole_block && !is_select {
            cuts.cut(part, frame.offset()..frame.end(), 1, RemovalReason::Chosen);
        }
    }
}

/// Retains everything before a position.
pub(super) fn until(
    log: &Log,
    timeline: &Timeline,
    position: &Position,
    progress: &dyn Progress,
) -> Result<Cuts> {
    let point = find(log, timeline, position, progress)?;
    cut_after(log, timeline, point)
}

/// Retains everything before an event.
pub(super) fn before_event(log: &Log, timeline: &Timeline, event: &Event) -> Result<Cuts> {
    let (offset, why) = (event.transaction.map_or(event.offset, |(multi, _)| multi), None);
    cut_after(log, timeline, Point { part: event.part_index, offset, why })
}

/// A point at which a log can be cut.
struct Point {
    part: usize,
    offset: u64,
    why: Option<String>,
}

fn cut_after(log: &Log, timeline: &Timeline, point: Point) -> Result<Cuts> {
    let mut cuts = Cuts::none(log);
    let look = |index: usize| timeline.parts.get(index);
    let (Some(part), Some(here)) = (log.parts.get(point.part), look(point.part)) else {
        return Err(refuse_damage(log, timeline).err().unwrap_or_else(|| no_such_point(log)));
    };
    let kept_here = commands_before(part, here, point.offset);
    let commands = here.commands_before + kept_here;
    for later in &log.parts[point.part..] {
        let first = later.index == point.part;
        let from = if first { point.offset } else { 0 };
        let in_part = look(later.index).map_or(0, |look| look.commands);
        let gone = in_part.saturating_sub(if first { kept_here } else { 0 });
        cuts.cut(later, from..later.mapping.len(), gone, RemovalReason::After);
    }
    // A part with no retained bytes leaves the set, unless the set would then be empty.
    cuts.parts_kept = if point.offset == 0 { point.part.max(1) } else { point.part + 1 };
    cuts.found =
        Some(CutPoint { part: part.name.clone(), offset: point.offset, commands, why: point.why });
    Ok(cuts.settle())
}

/// Returns the number of commands of a part before an offset.
pub(super) fn commands_before(part: &Part, look: &super::timeline::PartLook, offset: u64) -> u64 {
    let noted = look.places.partition_point(|(_, at)| *at <= offset).checked_sub(1);
    let Some(&(commands, at)) = noted.and_then(|noted| look.places.get(noted)) else { return 0 };
    let bytes = part.mapping.bytes();
    let later = frames(bytes, at).take_while(|frame| frame.offset() < offset).count();
    commands + later as u64
}

fn no_such_point(log: &Log) -> Error {
    Error::new(ErrorKind::Usage, "no such position in the log").at(&log.opened)
}

fn find(
    log: &Log,
    timeline: &Timeline,
    position: &Position,
    progress: &dyn Progress,
) -> Result<Point> {
    match position.in_log(log)? {
        Mark::At(at) => at_boundary(log, timeline, at.part as usize, at.offset, None),
        Mark::Ordinal(ordinal) => {
            let beyond = || {
                let commands = Count(timeline.commands);
                Error::new(ErrorKind::Usage, format!("the log has only {commands} commands"))
                    .at(&log.opened)
            };
            let wanted = ordinal - 1;
            let holds =
                |look: &&super::timeline::PartLook| wanted < look.commands_before + look.commands;
            let index = timeline.parts.iter().position(|look| holds(&look)).ok_or_else(beyond)?;
            let (look, part) = (&timeline.parts[index], &log.parts[index]);
            let wanted = wanted - look.commands_before;
            let noted = look.places.partition_point(|(n, _)| *n <= wanted).saturating_sub(1);
            let &(commands, at) = look.places.get(noted).ok_or_else(beyond)?;
            let skip = usize::try_from(wanted - commands).unwrap_or(usize::MAX);
            let frame = frames(part.mapping.bytes(), at).nth(skip).ok_or_else(beyond)?;
            at_boundary(log, timeline, index, frame.offset(), None)
        }
        Mark::TimeMs(ms) => at_time(log, timeline, ms, progress),
    }
}

/// Returns the first annotation with this time or a later one.
fn at_time(log: &Log, timeline: &Timeline, ms: i64, progress: &dyn Progress) -> Result<Point> {
    let Some((first, last)) = timeline.times else { return Err(no_times(log)) };
    progress.phase("find the time", log.bytes());
    for (part, look) in log.parts.iter().zip(&timeline.parts) {
        let start = usize::try_from(look.start).unwrap_or(usize::MAX);
        let new = || FirstTime { wanted_ms: ms, found: None, before: None };
        let scanned = scan_parallel(part.mapping.bytes(), start, new, |_| {}, progress);
        progress.check()?;
        if let Some((offset, seconds)) = scanned.sink.found {
            let shown = shown_time;
            let before = match scanned.sink.before {
                Some(before) => format!("the commands before it ran from {} on", shown(before)),
                None => "the commands before it in this part have no time".to_owned(),
            };
            let mut why = format!(
                "the annotation there is {}, the first that is not before the requested time; {before}",
                shown(seconds)
            );
            if timeline.clock_went_back {
                why.push_str("; the clock was set back somewhere in this log, so look twice");
            }
            return at_boundary(log, timeline, part.index, offset, Some(why));
        }
    }
    let shown = shown_time;
    Err(Error::new(ErrorKind::Usage, "the log ends before that time")
        .at(&log.opened)
        .help(format!("its annotations go from {} to {}", shown(first), shown(last))))
}

/// Checks that the log can be cut at a point, and moves the point before the transaction that contains it.
fn at_boundary(
    log: &Log,
    timeline: &Timeline,
    index: usize,
    offset: u64,
    why: Option<String>,
) -> Result<Point> {
    let (Some(part), Some(look)) = (log.parts.get(index), timeline.parts.get(index)) else {
        return Err(refuse_damage(log, timeline).err().unwrap_or_else(|| no_such_point(log)));
    };
    let wrong = |message: String, help: String| {
        Err(Error::new(ErrorKind::Usage, message).at(&part.path).byte(offset).help(help))
    };
    if offset > 0 && offset < look.start {
        return wrong(
            "this is inside the RDB that the part begins with".to_owned(),
            format!("the commands begin at byte {}", Count(look.start)),
        );
    }
    if offset > look.end {
        return wrong(
            "this position is after the readable part of the log".to_owned(),
            format!("whole commands end at byte {}", Count(look.end)),
        );
    }
    let start = usize::try_from(look.start).unwrap_or(usize::MAX);
    let before = usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes = part.mapping.bytes();
    if before <= start {
        return Ok(Point { part: index, offset, why });
    }
    let scanned = scan_parallel(&bytes[..before], start, TransactionScan::default, |_| {}, &Silent);
    part.mapping.check()?;
    let at = scanned.stop.at as u64;
    if at != offset || scanned.stop.fault.is_some() {
        let next = frames(bytes, at).next().map_or(look.end, |frame| frame.end());
        return wrong(
            format!("this is inside the command that begins at byte {}", Count(at)),
            format!("{at} cuts before it, {next} after it"),
        );
    }
    match scanned.sink.0.open() {
        Some(open) => {
            let moved = format!(
                "byte {} is inside a transaction, which is never cut in two; the cut is before its MULTI",
                Count(offset)
            );
            let why = why.map_or(moved.clone(), |why| format!("{why}; {moved}"));
            Ok(Point { part: index, offset: open.block, why: Some(why) })
        }
        None => Ok(Point { part: index, offset, why }),
    }
}

/// Finds the first annotation with the wanted time or a later one, and the time of the annotation before it.
struct FirstTime {
    wanted_ms: i64,
    found: Option<(u64, i64)>,
    before: Option<i64>,
}

impl Sink for FirstTime {
    fn command(&mut self, _: Frame<'_>) {}

    fn annotation(&mut self, offset: u64, line: &[u8]) {
        let Some(seconds) = grammar::timestamp(line).filter(|_| self.found.is_none()) else {
            return;
        };
        if seconds.saturating_mul(1000) >= self.wanted_ms {
            self.found = Some((offset, seconds));
        } else {
            self.before = Some(seconds);
        }
    }
}

impl Join for FirstTime {
    fn join(&mut self, later: Self) {
        if self.found.is_none() {
            self.found = later.found;
            self.before = later.before.or(self.before);
        }
    }
}

/// A scan that tracks only transactions.
#[derive(Default)]
struct TransactionScan(Transactions);

impl Sink for TransactionScan {
    fn command(&mut self, frame: Frame<'_>) {
        match lookup(frame.name()).map(|id| id.row().role) {
            Some(Role::Multi) => self.0.multi(frame.offset(), frame.end()),
            Some(Role::Exec) => self.0.exec(frame.offset(), frame.end()),
            Some(Role::Select) => self.0.select(frame.offset()),
            Some(Role::Plain) | None => {}
        }
    }

    fn annotation(&mut self, _: u64, _: &[u8]) {}
}

impl Join for TransactionScan {
    fn join(&mut self, later: Self) {
        self.0.join(later.0);
    }
}
