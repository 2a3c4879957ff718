//! The number of keys of each database at many points of a log.

use serde::Serialize;

use super::event_kind::EventKind;
use super::timeline::Timeline;
use crate::command::Position;
use crate::keyspace::Keyspace;

/// The minimum number of points of the log at which keys are counted.
pub(super) const PLACES: u64 = 2048;

/// The maximum number of points that are reported.
const REPORTED: usize = 54;

/// The databases from this number on are counted in the total alone, so that memory does not depend on the log.
const DATABASES: u32 = 256;

/// The number of keys at a point of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct KeysAt {
    /// The file name of the part.
    pub(crate) part: String,
    /// The byte offset in the part.
    pub(crate) offset: u64,
    /// The index of the part in load order, from 0.
    #[serde(skip)]
    pub(crate) part_index: usize,
    /// The number of keys in all databases before the first command at or after the point.
    pub(crate) total: u64,
    /// The number of keys of each database that is not empty.
    pub(crate) databases: Vec<KeysOfDb>,
}

/// The number of keys of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct KeysOfDb {
    /// The database number.
    pub(crate) db: u32,
    /// The number of keys.
    pub(crate) keys: u64,
}

/// The points of a log at which keys are counted.
#[derive(Debug, Default)]
pub(super) struct Course {
    places: Vec<Position>,
    /// The number of bytes between two points.
    pub(super) each: u64,
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
        Course { places, each }
    }

    /// Returns the number of points at or before `at`.
    pub(super) fn reached(&self, at: Position) -> usize {
        self.places.partition_point(|place| *place <= at)
    }

    /// Returns the number of points.
    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the point with this index.
    #[inline]
    pub(super) fn place(&self, index: usize) -> Option<Position> {
        self.places.get(index).copied()
    }

    /// Returns the number of keys at evenly distributed points, and at the end of the log.
    pub(super) fn report(&self, timeline: &Timeline, counts: &KeyCounts) -> Vec<KeysAt> {
        let at = |index: usize| match self.places.get(index) {
            Some(place) => (place.part as usize, place.offset),
            None => {
                let last = timeline.parts.len().saturating_sub(1);
                (last, timeline.parts.get(last).map_or(0, |look| look.end))
            }
        };
        let points = self.len() + 1;
        let reported = points.min(REPORTED);
        // The first and the last point are always among them.
        let index = |column: usize| match reported {
            0 | 1 => points - 1,
            _ => column * (points - 1) / (reported - 1),
        };
        (0..reported)
            .map(index)
            .map(|index| {
                let (part_index, offset) = at(index);
                let part = timeline.parts.get(part_index);
                KeysAt {
                    part: part.map_or(String::new(), |look| look.name.clone()),
                    offset,
                    part_index,
                    total: counts.total(index),
                    databases: counts.databases(index),
                }
            })
            .collect()
    }
}

/// The number of keys at each point of a [`Course`] and at the end, in one shard or in all shards.
#[derive(Debug, Default)]
pub(super) struct KeyCounts {
    total: Vec<u64>,
    by_db: Vec<(u32, Vec<u64>)>,
}

impl KeyCounts {
    /// Returns the number of points at which keys have been counted.
    #[inline]
    pub(super) fn taken(&self) -> usize {
        self.total.len()
    }

    /// Counts the keys at the next point.
    #[cold]
    pub(super) fn take(&mut self, keyspace: &Keyspace<'_>) {
        let at = self.total.len();
        self.total.push(keyspace.len() as u64);
        for db in keyspace.databases().filter(|db| !db.is_empty() && db.number() < DATABASES) {
            let counts = self.of_db_mut(db.number());
            counts.resize(at, 0);
            counts.push(db.len() as u64);
        }
    }

    fn of_db_mut(&mut self, db: u32) -> &mut Vec<u64> {
        let found = self.by_db.iter().position(|(number, _)| *number == db);
        let index = found.unwrap_or_else(|| {
            self.by_db.push((db, Vec::new()));
            self.by_db.len() - 1
        });
        &mut self.by_db[index].1
    }

    /// Counts the keys at all points that are left, of which none is reached by a command of this shard.
    pub(super) fn finish(&mut self, course: &Course, keyspace: &Keyspace<'_>) {
        while self.taken() <= course.len() {
            self.take(keyspace);
        }
    }

    pub(super) fn join(&mut self, other: &KeyCounts) {
        add(&mut self.total, &other.total);
        for (db, counts) in &other.by_db {
            add(self.of_db_mut(*db), counts);
        }
    }

    /// Returns the number of keys in all databases at a point.
    pub(super) fn total(&self, at: usize) -> u64 {
        self.total.get(at).copied().unwrap_or(0)
    }

    /// Returns the number of keys of a database at each point; of all databases if it is not counted alone.
    pub(super) fn of_db(&self, db: u32) -> impl Fn(usize) -> u64 + use<'_> {
        let found = self.by_db.iter().find(|(number, _)| *number == db).map(|(_, counts)| counts);
        let counts = if db < DATABASES { found } else { Some(&self.total) };
        move |at| counts.and_then(|counts| counts.get(at)).copied().unwrap_or(0)
    }

    fn databases(&self, at: usize) -> Vec<KeysOfDb> {
        let at_point = |(db, counts): &(u32, Vec<u64>)| {
            let keys = counts.get(at).copied().filter(|keys| *keys > 0)?;
            Some(KeysOfDb { db: *db, keys })
        };
        let mut databases: Vec<KeysOfDb> = self.by_db.iter().filter_map(at_point).collect();
        databases.sort_unstable_by_key(|keys| keys.db);
        databases
    }

    /// Returns the number of keys in all databases at each point.
    pub(super) fn totals(&self) -> &[u64] {
        &self.total
    }
}

/// Adds counts to those of the same points.
pub(super) fn add(mine: &mut Vec<u64>, theirs: &[u64]) {
    mine.resize(mine.len().max(theirs.len()), 0);
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}
