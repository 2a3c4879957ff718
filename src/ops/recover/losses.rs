//! Keys that were deleted one by one, and the decision whether they form a mass deletion.
//!
//! DEL and UNLINK are routine, and so is a key that is deleted and created again. Therefore only keys that are missing
//! at the end are counted, and the total number of keys is sampled at many points of the log: a mass deletion is one
//! that reduces this number substantially.

use std::collections::HashMap;

use serde::Serialize;

use super::event_kind::EventKind;
use super::timeline::Timeline;
use crate::command::{CommandId, Position};
use crate::keyspace::Keyspace;
use crate::replay::Observed;

/// The minimum number of points of the log at which keys are counted.
const PLACES: u64 = 512;

/// Deletions count as a mass deletion if they remove at least one in this many of the largest number of keys...
pub const IN_NUMBER_ONE_IN: u64 = 10;

/// ...and at least this many keys, unless that is half of all keys.
pub const IN_NUMBER_KEYS: u64 = 10;

/// The number of keys from which the deletions of one run count as a mass deletion.
pub const IN_NUMBER_RUN: u64 = 100;

/// Keys that were deleted one by one in the whole log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Deletions {
    /// The number of times DEL, UNLINK or GETDEL removed a key.
    pub removed: u64,
    /// The number of keys that these commands removed and that are missing at the end.
    pub gone: u64,
    /// The number of those keys whose expiry has passed by now.
    pub expired: u64,
    /// The number of the remaining keys, which `--undelete '*'` restores.
    pub recoverable: u64,
    /// The number of times another command removed a key, such as LPOP taking the last element.
    pub emptied: u64,
    /// The number of keys that exist at the end but whose expiry has passed by now: a server deletes them when it loads
    /// the log.
    pub expired_at_end: u64,
    /// The largest number of keys at any of the points where they were counted.
    pub most_keys: u64,
    /// The largest decrease of the number of keys that was caused by deletions.
    pub fall: u64,
    /// Whether the deletions count as a mass deletion.
    pub in_number: bool,
    /// The number of the run of deletions that removed most keys, if it counts as a mass deletion.
    pub run: Option<u64>,
    /// The start of the decrease: the point before the first deletion of a key that is missing at the end.
    pub before: Option<LossPlace>,
}

/// A point in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossPlace {
    /// The file name of the part.
    pub part: String,
    /// The byte offset in the part.
    pub offset: u64,
}

impl Deletions {
    /// Returns whether no command other than a flush removed a key, and no key is expired at the end.
    pub fn none(&self) -> bool {
        self.removed == 0 && self.emptied == 0 && self.expired_at_end == 0
    }
}

/// The points of a log at which keys are counted.
#[derive(Debug, Default)]
pub(super) struct Course {
    places: Vec<Position>,
}

impl Course {
    pub(super) fn new(timeline: &Timeline) -> Course {
        let looks = timeline.parts.iter();
        let bytes: u64 = looks.map(|look| look.end.saturating_sub(look.start)).sum();
        let each = bytes / PLACES + 1;
        let mut places = Vec::new();
        for (part, look) in (0_u32..).zip(&timeline.parts) {
            let mut offset = look.start;
            while offset < look.end {
                places.push(Position { part, offset });
                offset += each;
            }
        }
        for event in timeline.events.iter().filter(|event| event.what == EventKind::Delete) {
            let part = u32::try_from(event.part_index).unwrap_or(u32::MAX);
            places.extend([event.offset, event.end].map(|offset| Position { part, offset }));
        }
        places.sort_unstable();
        places.dedup();
        Course { places }
    }

    /// Returns the number of points at or before `at`.
    fn reached(&self, at: Position) -> usize {
        self.places.partition_point(|place| *place <= at)
    }
}

/// The counters of one shard or of all shards.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The sums; fields that are decided at the end are not set.
    counted: Deletions,
    /// The number of keys at each point.
    keys: Vec<u64>,
    /// The number of keys removed other than by a deletion that lost them, for each interval between two points; the
    /// last entry covers the interval after the last point.
    otherwise: Vec<u64>,
    /// The first deletion that lost a key, for each of the same intervals.
    first: Vec<Option<Position>>,
    /// The number of keys lost by each event.
    pub(super) by_event: Vec<u64>,
}

impl Losses {
    pub(super) fn join(&mut self, other: &Losses) {
        let (mine, theirs) = (&mut self.counted, &other.counted);
        mine.removed += theirs.removed;
        mine.gone += theirs.gone;
        mine.expired += theirs.expired;
        mine.recoverable += theirs.recoverable;
        mine.emptied += theirs.emptied;
        mine.expired_at_end += theirs.expired_at_end;
        add(&mut self.keys, &other.keys);
        add(&mut self.otherwise, &other.otherwise);
        add(&mut self.by_event, &other.by_event);
        self.first.resize(self.first.len().max(other.first.len()), None);
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            *mine = mine.iter().chain(theirs).min().copied();
        }
    }

    /// Computes the totals and decides whether they form a mass deletion. `keys_at_end` is the number of keys at the
    /// end.
    pub(super) fn judge(
        &self,
        course: &Course,
        timeline: &Timeline,
        keys_at_end: u64,
    ) -> Deletions {
        let mut found = self.counted.clone();
        // The number of keys if those that were removed otherwise had stayed.
        let mut height = Vec::with_capacity(self.keys.len() + 1);
        let mut otherwise = 0;
        let keys = self.keys.iter().copied().chain(std::iter::once(keys_at_end));
        for (keys, more) in keys.clone().zip(&self.otherwise) {
            otherwise += more;
            height.push(keys + otherwise);
        }
        found.most_keys = keys.max().unwrap_or(0);
        let (fall, top) = largest_fall(&height);
        found.fall = fall;
        let lost = found.recoverable.min(fall);
        let is_share = lost * IN_NUMBER_ONE_IN >= found.most_keys
            && (lost >= IN_NUMBER_KEYS || lost * 2 >= found.most_keys);
        found.run = self.largest_run(course, timeline, &height);
        found.in_number = lost > 0 && (is_share || found.run.is_some());
        let first = self.first.iter().skip(top + 1).flatten().next();
        found.before = first.or(self.first.iter().flatten().next()).and_then(|at| {
            let part = timeline.parts.get(at.part as usize)?.name.clone();
            Some(LossPlace { part, offset: at.offset })
        });
        found
    }

    fn largest_run(&self, course: &Course, timeline: &Timeline, height: &[u64]) -> Option<u64> {
        let lost = |index: usize| {
            let event =
                timeline.events.get(index).filter(|event| event.what == EventKind::Delete)?;
            let part = u32::try_from(event.part_index).ok()?;
            let at = |offset| {
                let place = course.reached(Position { part, offset }).checked_sub(1)?;
                height.get(place).copied()
            };
            let fall = at(event.offset)?.saturating_sub(at(event.end)?);
            Some((self.by_event.get(index).copied()?.min(fall), event.number))
        };
        let runs = (0..timeline.events.len()).filter_map(lost);
        runs.filter(|(keys, _)| *keys >= IN_NUMBER_RUN).max().map(|(_, number)| number)
    }
}

fn add(mine: &mut Vec<u64>, theirs: &[u64]) {
    mine.resize(mine.len().max(theirs.len()), 0);
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}

/// Returns the largest decrease of the heights, and the index of the last maximum from which it starts.
fn largest_fall(height: &[u64]) -> (u64, usize) {
    let (mut best, mut top) = ((0, 0), 0);
    for (at, now) in height.iter().enumerate() {
        if *now >= height[top] {
            top = at;
        }
        best = best.max((height[top] - now, top));
    }
    best
}

/// A key that was deleted.
#[derive(Debug, Clone, Copy)]
struct Deleted {
    at: Position,
    expires_ms: Option<i64>,
}

/// The counters of one shard during the replay.
pub(super) struct ShareLosses<'c, 'a> {
    course: &'c Course,
    now_ms: i64,
    losses: Losses,
    /// The number of keys before the next command.
    keys: usize,
    deleted: HashMap<(u32, &'a [u8]), Deleted>,
    /// The keys that the current command may delete.
    pending: Vec<(u32, &'a [u8], Option<i64>)>,
}

fn deletes(id: Option<CommandId>) -> bool {
    matches!(id, Some(CommandId::DEL | CommandId::UNLINK | CommandId::GETDEL))
}

/// Returns whether the command decreases the number of keys in a way that is reported as an event.
fn is_event(id: Option<CommandId>) -> bool {
    matches!(
        id,
        Some(
            CommandId::FLUSHALL
                | CommandId::FLUSHDB
                | CommandId::CLUSTER
                | CommandId::RENAME
                | CommandId::COPY
        )
    )
}

impl<'c, 'a> ShareLosses<'c, 'a> {
    pub(super) fn new(course: &'c Course, now_ms: i64) -> Self {
        let places = course.places.len();
        let losses = Losses {
            keys: Vec::with_capacity(places),
            otherwise: vec![0; places + 1],
            first: vec![None; places + 1],
            ..Losses::default()
        };
        let (deleted, pending) = (HashMap::new(), Vec::new());
        ShareLosses { course, now_ms, losses, keys: 0, deleted, pending }
    }

    pub(super) fn part_begins(&mut self, keyspace: &Keyspace<'a>) {
        self.keys = keyspace.len();
    }

    fn has_passed(&self, expires_ms: Option<i64>) -> bool {
        expires_ms.is_some_and(|time| time < self.now_ms)
    }

    #[inline]
    pub(super) fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        while let Some(place) = self.course.places.get(self.losses.keys.len())
            && *place <= seen.at
        {
            self.losses.keys.push(self.keys as u64);
        }
        if deletes(seen.id) {
            self.may_go(seen, keyspace);
        }
    }

    #[cold]
    fn may_go(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let db = keyspace.db(seen.db);
        for key in seen.args.iter().skip(1) {
            if let Some(entry) = db.get(key) {
                self.pending.push((seen.db, key, entry.expires_ms()));
            }
        }
    }

    #[inline]
    pub(super) fn after(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let before = std::mem::replace(&mut self.keys, keyspace.len());
        if !self.pending.is_empty() {
            self.went(seen, keyspace);
        } else if self.keys < before {
            let went = (before - self.keys) as u64;
            self.losses.counted.emptied += if is_event(seen.id) { 0 } else { went };
            self.losses.otherwise[self.losses.keys.len()] += went;
        }
    }

    #[cold]
    fn went(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        for (db, key, expires_ms) in std::mem::take(&mut self.pending) {
            if keyspace.db(db).contains(key) {
                continue;
            }
            let earlier = self.deleted.insert((db, key), Deleted { at: seen.at, expires_ms });
            if earlier.is_some_and(|earlier| earlier.at == seen.at) {
                // The command named the key twice.
                continue;
            }
            self.losses.counted.removed += 1;
            if self.has_passed(expires_ms) {
                self.losses.otherwise[self.losses.keys.len()] += 1;
            }
        }
    }

    /// Finishes the shard. `event_of` returns the index of the event that contains a position.
    pub(super) fn finish(
        mut self,
        keyspace: &mut Keyspace<'a>,
        event_of: impl Fn(Position) -> Option<usize>,
    ) -> Losses {
        let places = self.course.places.len();
        self.losses.keys.resize(places, self.keys as u64);
        for ((db, key), Deleted { at, expires_ms }) in std::mem::take(&mut self.deleted) {
            if keyspace.db(db).contains(key) {
                continue;
            }
            let has_passed = self.has_passed(expires_ms);
            let counted = &mut self.losses.counted;
            counted.gone += 1;
            counted.expired += u64::from(has_passed);
            if has_passed {
                continue;
            }
            counted.recoverable += 1;
            let first = &mut self.losses.first[self.course.reached(at)];
            *first = first.iter().chain(std::iter::once(&at)).min().copied();
            if let Some(event) = event_of(at) {
                let by_event = &mut self.losses.by_event;
                by_event.resize(by_event.len().max(event + 1), 0);
                by_event[event] += 1;
            }
        }
        let entries = keyspace.databases().flat_map(crate::keyspace::Db::entries);
        let passed = entries.filter(|entry| self.has_passed(entry.expires_ms())).count();
        self.losses.counted.expired_at_end = passed as u64;
        self.losses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_fall_is_from_the_last_maximum() {
        assert_eq!(largest_fall(&[]), (0, 0));
        assert_eq!(largest_fall(&[1, 2, 3]), (0, 2));
        assert_eq!(largest_fall(&[5, 5, 2, 4, 1]), (4, 1));
        assert_eq!(largest_fall(&[3, 0, 9, 8]), (3, 0));
    }
}
