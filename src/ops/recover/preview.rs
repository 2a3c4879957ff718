//! The number of keys lost by each event of a timeline, counted by one replay of the log.

use std::time::UNIX_EPOCH;

use super::bursts::{Burst, Cell, PLACES, bursts, deleted, is_concentrated};
use super::cuts::commands_before;
use super::event_index::EventIndex;
use super::event_kind::EventKind;
use super::key_prefix::KeyPrefix;
use super::losses::{Deletions, Losses};
use super::observed::{Clock, ShardLosses, WATCH, Watch};
use super::options::{Choice, RecoverOptions};
use super::routine;
use super::thresholds::{Loss, Thresholds};
use super::timeline::{Event, PartLook, Timeline, when};
use crate::analysis::key_course::{Course, CoursePart, KeysAt};
use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::analysis::unknown_commands::UnknownCommand;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{CommandId, Position};
use crate::keyspace::Keyspace;
use crate::replay::pair::each_window;
use crate::replay::{
    CutList, Observed, Observer, Origin, Outcome, ReplayOptions, ReplayStats, RouteOptions,
    ShardObserver, replay_watched, route,
};

/// The maximum number of points that are reported.
const REPORTED: usize = 54;

/// The result of the count.
pub(super) struct Counted {
    /// The keyspace at the end of the log.
    pub(super) now: KeyspaceSummary,
    /// Keys that were deleted one by one.
    pub(super) deletions: Deletions,
    /// The number of keys at points of the log.
    pub(super) course: Vec<KeysAt>,
    /// The server that wrote the log, as far as the log says.
    pub(super) origin: Origin,
    /// The cost of each event, in the order of the timeline.
    events: Vec<Cost>,
    /// The events that only the replay finds.
    bursts: Vec<Burst>,
    /// The commands of which no known server has the form.
    unknown_forms: Vec<UnknownCommand>,
    /// The number of the event before the first counted one.
    earlier: u64,
}

/// The cost of an event in one shard or in all shards.
#[derive(Debug, Clone, Default)]
struct Cost {
    lost: u64,
    /// The number of keys in the databases of the event before it, if it is counted at points of the log.
    keys_before: Option<u64>,
    /// Whether it counts as a loss.
    is_loss: bool,
    /// The prefixes of the keys of a run of deletions.
    prefixes: Vec<KeyPrefix>,
    /// The last command of a run that removed a key, and the time of that command, in Unix seconds.
    last: Option<Position>,
    until: Option<i64>,
    /// The databases that a flush emptied, as they were before it.
    before: Option<Box<KeyspaceSummary>>,
}

impl Counted {
    /// Returns the keyspace before the flush with this number.
    pub(super) fn before(&self, number: u64) -> Option<&KeyspaceSummary> {
        let index = usize::try_from(number.checked_sub(self.earlier + 1)?).ok()?;
        self.events.get(index)?.before.as_deref()
    }

    /// Records in the timeline the number of keys that each event lost and the number of keys created since, and adds
    /// the events that only the replay finds.
    pub(super) fn add_to(&self, log: &Log, timeline: &mut Timeline) {
        for (index, cost) in self.events.iter().enumerate() {
            let event = &timeline.events[index];
            let counts = !matches!(event.what, EventKind::FunctionFlush | EventKind::Swapdb { .. });
            let since = match event.what {
                EventKind::Flushall => Some(self.since(timeline, index, None)),
                EventKind::Flushdb => Some(self.since(timeline, index, Some(event.db))),
                _ => None,
            };
            let before = cost.before.as_deref().map(|before| match event.what {
                EventKind::Flushdb => before.in_db(event.db),
                _ => before.total(),
            });
            let event = &mut timeline.events[index];
            event.keys_before = before.or(cost.keys_before);
            event.until = cost.until;
            event.prefixes.clone_from(&cost.prefixes);
            if counts && !event.never_run {
                (event.keys_lost, event.keys_since) = (Some(cost.lost), since);
                event.is_loss = cost.is_loss && cost.lost > 0;
            }
        }
        // A rename that overwrote nothing destroyed no data.
        timeline
            .events
            .retain(|event| event.what != EventKind::Rename || event.keys_lost != Some(0));
        let first = timeline.events_of_scan + timeline.earlier + 1;
        for (number, burst) in (first..).zip(&self.bursts) {
            timeline.events.extend(observed_event(log, timeline, number, burst));
        }
        timeline.events.sort_by_key(|event| (event.part_index, event.offset));
        timeline.unknown_forms.clone_from(&self.unknown_forms);
        routine::mark(&mut timeline.events);
    }

    /// Returns the number of keys before the next flush of the same databases, or at the end of the log.
    fn since(&self, timeline: &Timeline, index: usize, db: Option<u32>) -> u64 {
        let in_db = |holdings: &KeyspaceSummary| match db {
            Some(db) => holdings.in_db(db),
            None => holdings.total(),
        };
        let next = timeline.events.iter().skip(index + 1).find(|event| {
            !event.never_run
                && (event.what == EventKind::Flushall
                    || event.what == EventKind::Flushdb && db == Some(event.db))
        });
        match next.and_then(|event| self.before(event.number)) {
            Some(before) => in_db(before),
            None => in_db(&self.now),
        }
    }
}

/// Returns the part of each file in which keys are counted.
fn course_parts(timeline: &Timeline) -> Vec<CoursePart<'_>> {
    let mut parts = Vec::with_capacity(timeline.parts.len());
    for look in &timeline.parts {
        parts.push(CoursePart { name: &look.name, start: look.start, end: look.end });
    }
    parts
}

/// Returns the positions at which runs of deletions begin and end.
fn ends_of_runs(timeline: &Timeline) -> impl Iterator<Item = Position> {
    let runs = timeline.events.iter().filter(|event| event.what == EventKind::Delete);
    runs.flat_map(|event| {
        let part = u32::try_from(event.part_index).unwrap_or(u32::MAX);
        [event.offset, event.end].map(|offset| Position { part, offset })
    })
}

/// Replays the intact part of the log once and counts keys.
pub(super) fn count(
    log: &Log,
    timeline: &Timeline,
    options: (&RouteOptions, &ReplayOptions),
    (now_ms, thresholds): (i64, Thresholds),
    progress: &dyn Progress,
) -> Result<Counted> {
    let (route_options, replay_options) = options;
    let mut cut = CutList::new();
    leave_out_damage(log, timeline, &mut cut);
    leave_out_forgotten(log, timeline, &mut cut);
    let options = RouteOptions { keep_dead: true, cut, ..route_options.clone() };
    let routing = route(log, &options, progress)?;
    let places = EventIndex::new(timeline);
    let parts = course_parts(timeline);
    let course = Course::new(&parts, PLACES, ends_of_runs(timeline));
    let whole = timeline.trailing.first().copied();
    let routed = routing.whole();
    let recorded = |at: Position| routed.recorded_time(at);
    let clock =
        Clock { now_ms, end_ms: end_ms(log).unwrap_or(now_ms).min(now_ms), recorded: &recorded };
    let counter = Counter { places: &places, course: &course, clock: &clock, whole };
    let mut now = KeyspaceSummary::default();
    let mut losses = Losses::default();
    let mut costs = Vec::new();
    costs.resize_with(timeline.events.len(), Cost::default);
    let stats = each_window(&routing, "count", progress, |routed| {
        let take = |_, (of_shard, more, lost): (KeyspaceSummary, Vec<Cost>, Losses)| {
            now.join(&of_shard);
            losses.join(lost);
            for (all, cost) in costs.iter_mut().zip(more) {
                all.lost += cost.lost;
                if let Some(before) = cost.before {
                    all.before.get_or_insert_default().join(&before);
                }
            }
            Ok(())
        };
        replay_watched(routed, replay_options, progress, &counter, take)
    })?;
    weigh(&mut costs, &losses, &course, timeline, thresholds);
    for cost in &mut costs {
        cost.until = cost.last.and_then(recorded);
    }
    let mut bursts = bursts(&losses.cells, &course, &losses.counts, thresholds);
    bursts.retain(|burst| !is_in_run(burst, timeline, &costs));
    for burst in &mut bursts {
        burst.times = recorded(burst.cell.first).zip(recorded(burst.cell.last));
    }
    Ok(Counted {
        now,
        deletions: losses.judge(&course, timeline, thresholds, |index| costs[index].is_loss),
        course: course.report(&parts, &losses.counts, REPORTED),
        origin: routed.origin().clone(),
        events: costs,
        bursts,
        unknown_forms: unknown_forms(log, &stats),
        earlier: timeline.earlier,
    })
}

/// Returns the commands that fail because no known server has their form. A server logs no command that failed, so that one
/// that knows the form may have changed or removed anything by it.
fn unknown_forms(log: &Log, stats: &ReplayStats) -> Vec<UnknownCommand> {
    let is_of_form = |error: &str| {
        ["syntax error", "nsupported option", "unknown argument", "unknown subcommand"]
            .iter()
            .any(|form| error.contains(form))
    };
    let failed = stats.failed.iter().filter(|((_, error), _)| is_of_form(error));
    let mut found: Vec<UnknownCommand> = failed
        .map(|((id, _), (count, first))| {
            let part = usize::try_from(first.part).ok().and_then(|part| log.parts.get(part));
            UnknownCommand {
                name: id.row().name.to_owned(),
                script: false,
                count: *count,
                part: part.map_or(String::new(), |part| part.name.clone()),
                offset: first.offset,
            }
        })
        .collect();
    found.sort_by(|a, b| (&a.part, a.offset).cmp(&(&b.part, b.offset)));
    found
}

/// Returns whether a run of deletions that the scan found is the same loss.
fn is_in_run(burst: &Burst, timeline: &Timeline, costs: &[Cost]) -> bool {
    let (first, last) = (burst.cell.first, burst.cell.last);
    timeline.events.iter().zip(costs).any(|(event, cost)| {
        let part = u32::try_from(event.part_index).unwrap_or(u32::MAX);
        let run = Position { part, offset: event.offset }..Position { part, offset: event.end };
        event.what == EventKind::Delete
            && burst.event_kind() == EventKind::Delete
            && cost.is_loss
            && run.contains(&first)
            && run.contains(&last)
    })
}

/// Returns the time at which the log was last written, in Unix milliseconds.
fn end_ms(log: &Log) -> Option<i64> {
    let modified = log.parts.last()?.file().file().metadata().ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// Decides which events of the scan count as losses.
fn weigh(
    costs: &mut [Cost],
    losses: &Losses,
    course: &Course,
    timeline: &Timeline,
    thresholds: Thresholds,
) {
    let deleted = deleted(&losses.cells);
    for (index, (event, cost)) in timeline.events.iter().zip(costs.iter_mut()).enumerate() {
        let part = u32::try_from(event.part_index).unwrap_or(u32::MAX);
        let point = |offset| course.reached(Position { part, offset });
        let (from, to) = (point(event.offset), point(event.end));
        let keys = losses.counts.of_db(event.db);
        let before = keys(from.saturating_sub(1));
        let intervals = (to - from).max(1) as u64;
        if event.what == EventKind::Delete {
            let run = losses.runs.get(&index);
            cost.lost = run.map_or(0, |run| run.keys);
            cost.prefixes = run.map_or(Vec::new(), Cell::prefixes);
            cost.last = run.map(|run| run.last);
        }
        let (gone, fall) = match event.what {
            EventKind::Delete => {
                // The end of the run is a point of the log.
                (
                    losses.by_event.get(index).copied().unwrap_or(0),
                    before.saturating_sub(keys(to.saturating_sub(1))),
                )
            }
            _ => (cost.lost, cost.lost),
        };
        cost.keys_before = Some(before).filter(|_| !event.what.is_flush());
        let rate = cost.lost.saturating_mul(PLACES);
        let own_rate = deleted.saturating_mul(thresholds.rate).saturating_mul(intervals);
        let loss = Loss {
            keys: gone,
            fall,
            keys_before: before,
            is_above_rate: event.what == EventKind::Delete && rate >= own_rate,
            is_routine: false,
        };
        // A flush leaves no key of its databases.
        cost.is_loss = matches!(event.what, EventKind::Flushall | EventKind::Flushdb)
            || thresholds.is_loss(loss) && is_concentrated(cost.lost, fall);
    }
}

/// Returns the event of keys that the replay saw removed.
fn observed_event(log: &Log, timeline: &Timeline, number: u64, burst: &Burst) -> Option<Event> {
    let Cell { first, last, end, keys, commands, .. } = burst.cell;
    let part_index = first.part as usize;
    let (part, look) = (log.parts.get(part_index)?, timeline.parts.get(part_index)?);
    let (last_part, last_look) =
        (log.parts.get(last.part as usize)?, timeline.parts.get(last.part as usize)?);
    let ordinal = |part, look: &PartLook, offset| {
        look.commands_before + commands_before(part, look, offset) + 1
    };
    let is_one_part = first.part == last.part;
    Some(Event {
        number,
        what: burst.event_kind(),
        command: Some(burst.cause.id.to_string()),
        part: part.name.clone(),
        part_index,
        offset: first.offset,
        end: if is_one_part { end } else { look.end },
        last_part_index: last.part as usize,
        last_end: end,
        ordinal: ordinal(part, look, first.offset),
        last_ordinal: ordinal(last_part, last_look, last.offset),
        commands,
        keys_named: keys,
        db: burst.cause.db,
        time: when(part, burst.times.map(|(first, _)| first), None),
        until: burst.times.map(|(_, last)| last),
        transaction: None,
        never_run: false,
        keys_lost: Some(keys),
        keys_before: Some(burst.keys_before),
        keys_since: None,
        is_loss: true,
        is_routine: false,
        prefixes: burst.cell.prefixes(),
        undo: None,
    })
}

/// Adds the events that only a replay finds, if the options name one of them.
pub(super) fn add_named_events(
    log: &Log,
    timeline: &mut Timeline,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<()> {
    let named = match &options.choice {
        Choice::Excise(numbers) => numbers.as_slice(),
        Choice::Merge { event, .. } => event.as_slice(),
        _ => &[],
    };
    let last_of_scan = timeline.earlier + timeline.events_of_scan;
    if named.iter().any(|number| *number > last_of_scan) {
        let how = (&options.route, &options.replay);
        let thresholds = Thresholds::from_options(options);
        count(log, timeline, how, (options.now_ms, thresholds), progress)?.add_to(log, timeline);
    }
    Ok(())
}

/// Excludes unreadable parts of the log from the replay.
pub(super) fn leave_out_damage(log: &Log, timeline: &Timeline, cut: &mut CutList) {
    let Some(broken) = &timeline.broken else { return };
    for part in log.parts.iter().skip(broken.part_index) {
        let is_first = part.index == broken.part_index;
        let in_rdb = timeline.parts.get(part.index).is_none();
        let from = if is_first && !in_rdb { broken.offset } else { 0 };
        cut.cut(part.index, from..part.mapping.len());
    }
}

/// Excludes commands before the first listed flush if the log has so many events that only the last are listed.
/// Replaying them is expensive because every FLUSHALL is sent to every shard.
fn leave_out_forgotten(log: &Log, timeline: &Timeline, cut: &mut CutList) {
    if timeline.earlier == 0 {
        return;
    }
    let first = timeline.events.iter().find(|event| {
        event.what == EventKind::Flushall && !event.never_run && event.transaction.is_none()
    });
    let Some(first) = first else { return };
    for part in log.parts.iter().take(first.part_index) {
        cut.cut(part.index, 0..part.mapping.len());
    }
    cut.cut(first.part_index, 0..first.offset);
}

struct Counter<'t> {
    places: &'t EventIndex<'t>,
    course: &'t Course,
    clock: &'t Clock<'t>,
    /// The index of the event before which the fingerprint is computed as well.
    whole: Option<u64>,
}

/// The counters of one shard.
struct ShareCounter<'t, 'a> {
    places: &'t EventIndex<'t>,
    whole: Option<u64>,
    costs: Vec<Cost>,
    losses: ShardLosses<'t, 'a>,
    /// The event that the current command belongs to, and the number of keys before the command.
    running: Option<(usize, usize)>,
}

impl<'t> ShardObserver for Counter<'t> {
    type Observer<'a> = ShareCounter<'t, 'a>;
    type Made = (KeyspaceSummary, Vec<Cost>, Losses);
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> ShareCounter<'t, 'a> {
        let mut costs = Vec::new();
        costs.resize_with(self.places.events.len(), Cost::default);
        let losses = ShardLosses::new(self.course, self.clock, self.places);
        ShareCounter { places: self.places, whole: self.whole, costs, losses, running: None }
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: ShareCounter<'t, 'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made> {
        let ShareCounter { losses, costs, .. } = observer;
        let losses = losses.finish(keyspace);
        Ok((KeyspaceSummary::from_keyspace(keyspace), costs, losses))
    }
}

#[inline]
fn watch(seen: &Observed<'_, '_>) -> Watch {
    seen.id.map_or(Watch::No, |id| WATCH[id.index()])
}

impl ShareCounter<'_, '_> {
    #[cold]
    fn begins(&mut self, seen: &Observed<'_, '_>, id: CommandId, keyspace: &mut Keyspace<'_>) {
        let Some((index, event)) = self.places.event_of(seen, id) else { return };
        let (what, number) = (event.what, event.number);
        let key = seen.args.get(1).copied().unwrap_or_default();
        if id == CommandId::COPY && !keyspace.db(seen.db).contains(key) {
            return;
        }
        self.running = Some((index, keyspace.len()));
        let mut before = KeyspaceSummary::default();
        match what {
            EventKind::Flushall if self.whole == Some(number) => {
                before = KeyspaceSummary::from_keyspace(keyspace)
            }
            EventKind::Flushall => keyspace.databases().for_each(|db| before.count_db(db)),
            EventKind::Flushdb => before.count_db(keyspace.db(seen.db)),
            _ => return,
        }
        // For a run, the state before its first command counts.
        self.costs[index].before.get_or_insert_with(|| Box::new(before));
    }
}

impl<'a> Observer<'a> for ShareCounter<'_, 'a> {
    #[inline]
    fn part_begins(&mut self, _: u32, keyspace: &mut Keyspace<'a>) {
        self.losses.part_begins(keyspace);
    }

    #[inline]
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let watch = watch(seen);
        self.losses.before(seen, watch, keyspace);
        if let (Watch::Event, Some(id)) = (watch, seen.id) {
            self.begins(seen, id, keyspace);
        }
    }

    #[inline]
    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        self.losses.after(seen, watch(seen), outcome, keyspace);
        let Some((index, before)) = self.running.take() else { return };
        if outcome == Outcome::Done {
            let lost = before.saturating_sub(keyspace.len()) as u64;
            // A copy adds a key unless it overwrites one.
            let copied = seen.id == Some(CommandId::COPY) && keyspace.len() == before;
            self.costs[index].lost += if copied { 1 } else { lost };
        }
    }
}
