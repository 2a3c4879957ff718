//! The number of keys lost by each event of a timeline, counted by one replay of the log.

use super::event_kind::EventKind;
use super::losses::{Course, Deletions, Losses, ShareLosses};
use super::timeline::{Event, Timeline};
use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{COUNT, CommandId, Destruction, Position, TABLE};
use crate::keyspace::Keyspace;
use crate::replay::pair::each_window;
use crate::replay::{
    CutList, Observed, Observer, Origin, Outcome, ReplayOptions, RouteOptions, ShardObserver,
    replay_watched, route,
};

/// The result of the count.
pub(super) struct Counted {
    /// The keyspace at the end of the log.
    pub(super) now: KeyspaceSummary,
    /// Keys that were deleted one by one.
    pub(super) deletions: Deletions,
    /// The server that wrote the log, as far as the log says.
    pub(super) origin: Origin,
    /// The cost of each event, in the order of the timeline.
    events: Vec<Cost>,
    /// The number of the event before the first counted one.
    earlier: u64,
}

/// The cost of an event in one shard or in all shards.
#[derive(Debug, Clone, Default)]
struct Cost {
    lost: u64,
    /// The databases that a flush emptied, as they were before it.
    before: Option<Box<KeyspaceSummary>>,
}

impl Counted {
    /// Returns the keyspace before the flush with this number.
    pub(super) fn before(&self, number: u64) -> Option<&KeyspaceSummary> {
        let index = usize::try_from(number.checked_sub(self.earlier + 1)?).ok()?;
        self.events.get(index)?.before.as_deref()
    }

    /// Records in the timeline the number of keys that each event lost and the number of keys created since.
    pub(super) fn add_to(&self, timeline: &mut Timeline) {
        for (index, cost) in self.events.iter().enumerate() {
            let event = &timeline.events[index];
            let counts = !matches!(event.what, EventKind::FunctionFlush | EventKind::Swapdb { .. });
            let since = match event.what {
                EventKind::Flushall => Some(self.since(timeline, index, None)),
                EventKind::Flushdb => Some(self.since(timeline, index, Some(event.db))),
                _ => None,
            };
            let event = &mut timeline.events[index];
            if counts && !event.never_run {
                (event.keys_lost, event.keys_since) = (Some(cost.lost), since);
            }
        }
        // A rename that overwrote nothing destroyed no data.
        timeline
            .events
            .retain(|event| event.what != EventKind::Rename || event.keys_lost != Some(0));
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

/// Replays the intact part of the log once and counts keys.
pub(super) fn count(
    log: &Log,
    timeline: &Timeline,
    options: (&RouteOptions, &ReplayOptions),
    now_ms: i64,
    progress: &dyn Progress,
) -> Result<Counted> {
    let (route_options, replay_options) = options;
    let mut cut = CutList::new();
    leave_out_damage(log, timeline, &mut cut);
    leave_out_forgotten(log, timeline, &mut cut);
    let options = RouteOptions { keep_dead: true, cut, ..route_options.clone() };
    let routing = route(log, &options, progress)?;
    let places = EventIndex::new(timeline);
    let course = Course::new(timeline);
    let whole = timeline.trailing.first().copied();
    let counter = Counter { places: &places, course: &course, now_ms, whole };
    let earlier = timeline.earlier;
    let (now, deletions) = (KeyspaceSummary::default(), Deletions::default());
    let origin = routing.whole().origin().clone();
    let mut counted = Counted { now, deletions, origin, events: Vec::new(), earlier };
    let mut losses = Losses::default();
    counted.events.resize_with(timeline.events.len(), Cost::default);
    each_window(&routing, "count", progress, |routed| {
        let take = |_, (now, costs, lost): (KeyspaceSummary, Vec<Cost>, Losses)| {
            counted.now.join(&now);
            losses.join(&lost);
            for (all, cost) in counted.events.iter_mut().zip(costs) {
                all.lost += cost.lost;
                if let Some(before) = cost.before {
                    all.before.get_or_insert_default().join(&before);
                }
            }
            Ok(())
        };
        replay_watched(routed, replay_options, progress, &counter, take)
    })?;
    counted.deletions = losses.judge(&course, timeline, counted.now.total());
    Ok(counted)
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

/// The events by kind: events of one kind do not overlap.
struct EventIndex<'t> {
    events: &'t [Event],
    flushes: Vec<usize>,
    deletions: Vec<usize>,
    renames: Vec<usize>,
}

impl<'t> EventIndex<'t> {
    fn new(timeline: &'t Timeline) -> Self {
        let of = |wanted: fn(EventKind) -> bool| {
            let events = timeline.events.iter().enumerate();
            events.filter(|(_, event)| wanted(event.what)).map(|(index, _)| index).collect()
        };
        EventIndex {
            events: &timeline.events,
            flushes: of(EventKind::is_flush),
            deletions: of(|what| what == EventKind::Delete),
            renames: of(|what| what == EventKind::Rename),
        }
    }

    /// Returns the event that a command belongs to.
    fn event_of(&self, seen: &Observed<'_, '_>, id: CommandId) -> Option<(usize, &'t Event)> {
        let of_sort = if id == CommandId::DEL || id == CommandId::UNLINK {
            return Some(self.deletion_at(seen.at)?).map(|index| (index, &self.events[index]));
        } else if id == CommandId::RENAME || id == CommandId::COPY {
            &self.renames
        } else {
            &self.flushes
        };
        self.at(of_sort, seen.at).map(|index| (index, &self.events[index]))
    }

    /// Returns the run of deletions that contains a position.
    fn deletion_at(&self, at: Position) -> Option<usize> {
        self.at(&self.deletions, at)
    }

    fn at(&self, of_sort: &[usize], at: Position) -> Option<usize> {
        let at = (at.part as usize, at.offset);
        let start = |&index: &usize| {
            let event = &self.events[index];
            (event.part_index, event.offset) <= at
        };
        let index = *of_sort.get(of_sort.partition_point(start).checked_sub(1)?)?;
        let event = &self.events[index];
        (event.part_index == at.0 && at.1 < event.end).then_some(index)
    }
}

struct Counter<'t> {
    places: &'t EventIndex<'t>,
    course: &'t Course,
    now_ms: i64,
    /// The index of the event before which the fingerprint is computed as well.
    whole: Option<u64>,
}

/// Whether a command can be part of an event, by command ID.
static IS_WATCHED: [bool; COUNT] = {
    let mut watched = [false; COUNT];
    let mut id = 0;
    while id < COUNT {
        watched[id] = matches!(
            TABLE[id].destruction,
            Some(
                Destruction::AllDatabases
                    | Destruction::Database
                    | Destruction::Slot
                    | Destruction::Keys
                    | Destruction::Destination
            )
        );
        id += 1;
    }
    watched
};

/// The counters of one shard.
struct ShareCounter<'t, 'a> {
    places: &'t EventIndex<'t>,
    whole: Option<u64>,
    costs: Vec<Cost>,
    losses: ShareLosses<'t, 'a>,
    /// The event that the current command belongs to, and the number of keys before the command.
    running: Option<(usize, usize)>,
}

impl<'t> ShardObserver for Counter<'t> {
    type Observer<'a> = ShareCounter<'t, 'a>;
    type Made = (KeyspaceSummary, Vec<Cost>, Losses);

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> ShareCounter<'t, 'a> {
        let mut costs = Vec::new();
        costs.resize_with(self.places.events.len(), Cost::default);
        let losses = ShareLosses::new(self.course, self.now_ms);
        ShareCounter { places: self.places, whole: self.whole, costs, losses, running: None }
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: ShareCounter<'t, 'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made> {
        let ShareCounter { losses, places, costs, .. } = observer;
        let losses = losses.finish(keyspace, |at| places.deletion_at(at));
        Ok((KeyspaceSummary::from_keyspace(keyspace), costs, losses))
    }
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
        self.losses.before(seen, keyspace);
        if let Some(id) = seen.id.filter(|id| IS_WATCHED[id.index()]) {
            self.begins(seen, id, keyspace);
        }
    }

    #[inline]
    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        self.losses.after(seen, keyspace);
        let Some((index, before)) = self.running.take() else { return };
        if outcome == Outcome::Done {
            let lost = before.saturating_sub(keyspace.len()) as u64;
            // A copy adds a key unless it overwrites one.
            let copied = seen.id == Some(CommandId::COPY) && keyspace.len() == before;
            self.costs[index].lost += if copied { 1 } else { lost };
        }
    }
}
