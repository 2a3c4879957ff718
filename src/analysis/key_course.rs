//! The number of keys of each database at many points of a log.

use serde::Serialize;

use crate::command::Position;
use crate::keyspace::Keyspace;

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
    /// The number of bytes of commands before the point, in all parts.
    #[serde(skip)]
    pub(crate) command_bytes: u64,
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

/// A part of a log over which keys are counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CoursePart<'p> {
    /// The file name.
    pub(crate) name: &'p str,
    /// The byte offset of its first command, after the RDB if there is one.
    pub(crate) start: u64,
    /// The byte offset at which its commands end.
    pub(crate) end: u64,
}

impl CoursePart<'_> {
    /// Returns the number of bytes of commands.
    fn bytes(&self) -> u64 {
        self.end.saturating_sub(self.start)
    }
}

/// The points of a log at which keys are counted.
#[derive(Debug, Default)]
pub(crate) struct Course {
    places: Vec<Position>,
    /// The number of bytes between two points.
    pub(crate) each: u64,
}

impl Course {
    /// Returns at least `count` points, unless the log is shorter, and the points `also`.
    pub(crate) fn new(
        parts: &[CoursePart<'_>],
        count: u64,
        also: impl IntoIterator<Item = Position>,
    ) -> Course {
        let bytes: u64 = parts.iter().map(CoursePart::bytes).sum();
        let each = bytes / count.max(1) + 1;
        let mut places: Vec<Position> = also.into_iter().collect();
        for (number, part) in (0_u32..).zip(parts) {
            let mut offset = part.start;
            while offset < part.end {
                places.push(Position { part: number, offset });
                offset += each;
            }
        }
        places.sort_unstable();
        places.dedup();
        Course { places, each }
    }

    /// Returns the number of points at or before `at`.
    pub(crate) fn reached(&self, at: Position) -> usize {
        self.places.partition_point(|place| *place <= at)
    }

    /// Returns the number of points.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns the point with this index.
    #[inline]
    pub(crate) fn place(&self, index: usize) -> Option<Position> {
        self.places.get(index).copied()
    }

    /// Returns the number of keys at up to `most` evenly distributed points, of which the last is the end of the log.
    pub(crate) fn report(
        &self,
        parts: &[CoursePart<'_>],
        counts: &KeyCounts,
        most: usize,
    ) -> Vec<KeysAt> {
        let at = |index: usize| match self.places.get(index) {
            Some(place) => (place.part as usize, place.offset),
            None => {
                let last = parts.len().saturating_sub(1);
                (last, parts.get(last).map_or(0, |part| part.end))
            }
        };
        let points = self.len() + 1;
        let reported = points.min(most);
        // The first and the last point are always among them.
        let index = |column: usize| match reported {
            0 | 1 => points - 1,
            _ => column * (points - 1) / (reported - 1),
        };
        (0..reported)
            .map(index)
            .map(|index| {
                let (part_index, offset) = at(index);
                let before = parts.iter().take(part_index).map(CoursePart::bytes).sum::<u64>();
                let (name, start) =
                    parts.get(part_index).map_or(("", 0), |part| (part.name, part.start));
                KeysAt {
                    part: name.to_owned(),
                    offset,
                    part_index,
                    command_bytes: before.saturating_add(offset.saturating_sub(start)),
                    total: counts.total(index),
                    databases: counts.databases(index),
                }
            })
            .collect()
    }
}

/// The number of keys at each point of a [`Course`] and at the end, in one shard or in all shards.
#[derive(Debug, Default)]
pub(crate) struct KeyCounts {
    total: Vec<u64>,
    by_db: Vec<(u32, Vec<u64>)>,
}

impl KeyCounts {
    /// Returns the number of points at which keys have been counted.
    #[inline]
    pub(crate) fn taken(&self) -> usize {
        self.total.len()
    }

    /// Counts the keys at the next point.
    #[cold]
    pub(crate) fn take(&mut self, keyspace: &Keyspace<'_>) {
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
    pub(crate) fn finish(&mut self, course: &Course, keyspace: &Keyspace<'_>) {
        while self.taken() <= course.len() {
            self.take(keyspace);
        }
    }

    pub(crate) fn join(&mut self, other: &KeyCounts) {
        add(&mut self.total, &other.total);
        for (db, counts) in &other.by_db {
            add(self.of_db_mut(*db), counts);
        }
    }

    /// Returns the number of keys in all databases at a point.
    pub(crate) fn total(&self, at: usize) -> u64 {
        self.total.get(at).copied().unwrap_or(0)
    }

    /// Returns the number of keys of a database at each point; of all databases if it is not counted alone.
    pub(crate) fn of_db(&self, db: u32) -> impl Fn(usize) -> u64 + use<'_> {
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
    pub(crate) fn totals(&self) -> &[u64] {
        &self.total
    }
}

/// Adds counts to those of the same points.
pub(crate) fn add(mine: &mut Vec<u64>, theirs: &[u64]) {
    mine.resize(mine.len().max(theirs.len()), 0);
    mine.iter_mut().zip(theirs).for_each(|(mine, theirs)| *mine += theirs);
}
