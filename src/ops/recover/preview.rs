//! What every event of a timeline cost, counted by one replay of the log.

use super::event_kind::What;
use super::losses::{Course, Deletions, Losses, ShareLosses};
use super::timeline::{Event, Timeline};
use crate::analysis::keyspace_summary::Holdings;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::{COUNT, CommandId, Destruction, Position, TABLE};
use crate::keyspace::Keyspace;
use crate::replay::windows::each_window;
use crate::replay::{
    CutList, Observer, Outcome, ReplayOptions, RouteOptions, Seen, Watch, replay_watched, route,
};

/// What was counted.
pub(super) struct Counted {
    /// What there is at the end of the log.
    pub(super) now: Holdings,
    /// Keys that were deleted one by one.
    pub(super) deletions: Deletions,
    /// By event, as they stood in the timeline.
    events: Vec<Cost>,
    /// The number of the event before the first.
    earlier: u64,
}

/// What an event cost, in one share or in all.
#[derive(Debug, Clone, Default)]
struct Cost {
    lost: u64,
    /// What there was before a flush, where it empties it.
    before: Option<Box<Holdings>>,
}

impl Counted {
    /// What the flush of this number emptied, as it was before.
    pub(super) fn before(&self, number: u64) -> Option<&Holdings> {
        let index = usize::try_from(number.checked_sub(self.earlier + 1)?).ok()?;
        self.events.get(index)?.before.as_deref()
    }

    /// Notes in the timeline what every event cost, and what came since.
    pub(super) fn tell(&self, timeline: &mut Timeline) {
        for (index, cost) in self.events.iter().enumerate() {
            let event = &timeline.events[index];
            let counts = !matches!(event.what, What::FunctionFlush | What::Swapdb { .. });
            let since = match event.what {
                What::Flushall => Some(self.since(timeline, index, None)),
                What::Flushdb => Some(self.since(timeline, index, Some(event.db))),
                _ => None,
            };
            let event = &mut timeline.events[index];
            if counts && !event.never_run {
                (event.keys_lost, event.keys_since) = (Some(cost.lost), since);
            }
        }
        // A rename with nothing in its way is everyday life.
        timeline.events.retain(|event| event.what != What::Rename || event.keys_lost != Some(0));
    }

    /// Keys that were there when the next flush came that would empty the same, or at the end.
    fn since(&self, timeline: &Timeline, index: usize, db: Option<u32>) -> u64 {
        let in_db = |holdings: &Holdings| match db {
            Some(db) => holdings.in_db(db),
            None => holdings.total(),
        };
        let next = timeline.events.iter().skip(index + 1).find(|event| {
            !event.never_run
                && (event.what == What::Flushall
                    || event.what == What::Flushdb && db == Some(event.db))
        });
        match next.and_then(|event| self.before(event.number)) {
            Some(before) => in_db(before),
            None => in_db(&self.now),
        }
    }
}

/// Replays the log once, as far as it is whole, and counts.
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
    let places = Places::of(timeline);
    let course = Course::of(timeline);
    let whole = timeline.trailing.first().copied();
    let counter = Counter { places: &places, course: &course, now_ms, whole };
    let earlier = timeline.earlier;
    let (now, deletions) = (Holdings::default(), Deletions::default());
    let mut counted = Counted { now, deletions, events: Vec::new(), earlier };
    let mut losses = Losses::default();
    counted.events.resize_with(timeline.events.len(), Cost::default);
    each_window(&routing, "count", progress, |routed| {
        let take = |_, (now, costs, lost): (Holdings, Vec<Cost>, Losses)| {
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

/// What cannot be read is not replayed.
pub(super) fn leave_out_damage(log: &Log, timeline: &Timeline, cut: &mut CutList) {
    let Some(broken) = &timeline.broken else { return };
    for part in log.parts.iter().skip(broken.part_index) {
        let is_first = part.index == broken.part_index;
        let in_rdb = timeline.parts.get(part.index).is_none();
        let from = if is_first && !in_rdb { broken.offset } else { 0 };
        cut.cut(part.index, from..part.mapping.len());
    }
}

/// Of a log with very many flushes only the last are told, and what stands before the first of these is not replayed:
/// every flush of everything goes to every share.
fn leave_out_forgotten(log: &Log, timeline: &Timeline, cut: &mut CutList) {
    if timeline.earlier == 0 {
        return;
    }
    let first = timeline.events.iter().find(|event| {
        event.what == What::Flushall && !event.never_run && event.transaction.is_none()
    });
    let Some(first) = first else { return };
    for part in log.parts.iter().take(first.part_index) {
        cut.cut(part.index, 0..part.mapping.len());
    }
    cut.cut(first.part_index, 0..first.offset);
}

/// The events by sort: those of one sort do not overlap.
struct Places<'t> {
    events: &'t [Event],
    flushes: Vec<usize>,
    deletions: Vec<usize>,
    renames: Vec<usize>,
}

impl<'t> Places<'t> {
    fn of(timeline: &'t Timeline) -> Self {
        let of = |wanted: fn(What) -> bool| {
            let events = timeline.events.iter().enumerate();
            events.filter(|(_, event)| wanted(event.what)).map(|(index, _)| index).collect()
        };
        Places {
            events: &timeline.events,
            flushes: of(What::is_flush),
            deletions: of(|what| what == What::Delete),
            renames: of(|what| what == What::Rename),
        }
    }

    /// The event that a command belongs to.
    fn event_of(&self, seen: &Seen<'_, '_>, id: CommandId) -> Option<(usize, &'t Event)> {
        let of_sort = if id == CommandId::DEL || id == CommandId::UNLINK {
            return Some(self.deletion_at(seen.at)?).map(|index| (index, &self.events[index]));
        } else if id == CommandId::RENAME || id == CommandId::COPY {
            &self.renames
        } else {
            &self.flushes
        };
        self.at(of_sort, seen.at).map(|index| (index, &self.events[index]))
    }

    /// The run of deletions that a place is in.
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
    places: &'t Places<'t>,
    course: &'t Course,
    now_ms: i64,
    /// The event before which the fingerprint is wanted, too.
    whole: Option<u64>,
}

/// Which commands can be an event.
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

/// Counts in one share.
struct ShareCounter<'t, 'a> {
    places: &'t Places<'t>,
    whole: Option<u64>,
    costs: Vec<Cost>,
    losses: ShareLosses<'t, 'a>,
    /// The event that the command belongs to which is run just now, and the keys before it.
    running: Option<(usize, usize)>,
}

impl<'t> Watch for Counter<'t> {
    type Observer<'a> = ShareCounter<'t, 'a>;
    type Made = (Holdings, Vec<Cost>, Losses);

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
        Ok((Holdings::of(keyspace), costs, losses))
    }
}

impl ShareCounter<'_, '_> {
    #[cold]
    fn begins(&mut self, seen: &Seen<'_, '_>, id: CommandId, keyspace: &mut Keyspace<'_>) {
        let Some((index, event)) = self.places.event_of(seen, id) else { return };
        let (what, number) = (event.what, event.number);
        let key = seen.args.get(1).copied().unwrap_or_default();
        if id == CommandId::COPY && !keyspace.db(seen.db).contains(key) {
            return;
        }
        self.running = Some((index, keyspace.len()));
        let mut before = Holdings::default();
        match what {
            What::Flushall if self.whole == Some(number) => before = Holdings::of(keyspace),
            What::Flushall => keyspace.databases().for_each(|db| before.count_db(db)),
            What::Flushdb => before.count_db(keyspace.db(seen.db)),
            _ => return,
        }
        // Of a run, the first.
        self.costs[index].before.get_or_insert_with(|| Box::new(before));
    }
}

impl<'a> Observer<'a> for ShareCounter<'_, 'a> {
    #[inline]
    fn part_begins(&mut self, _: u32, keyspace: &mut Keyspace<'a>) {
        self.losses.part_begins(keyspace);
    }

    #[inline]
    fn before(&mut self, seen: &Seen<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        self.losses.before(seen, keyspace);
        if let Some(id) = seen.id.filter(|id| IS_WATCHED[id.index()]) {
            self.begins(seen, id, keyspace);
        }
    }

    #[inline]
    fn after(&mut self, seen: &Seen<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        self.losses.after(seen, keyspace);
        let Some((index, before)) = self.running.take() else { return };
        if outcome == Outcome::Done {
            let lost = before.saturating_sub(keyspace.len()) as u64;
            // A copy adds a key, unless one is in its way.
            let copied = seen.id == Some(CommandId::COPY) && keyspace.len() == before;
            self.costs[index].lost += if copied { 1 } else { lost };
        }
    }
}
