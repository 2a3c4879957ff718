//! What the commands of a log did, and what is there at its end, by a replay.

mod counter;
mod effects;
mod present;
mod sizes;
mod slots;

pub(super) use self::counter::Counter;
use self::effects::{EffectCounts, EffectObserver};
use self::present::{KeyCounter, KeyCounts};
use super::prefixes::PatternSums;
use crate::analysis::key_course;
use crate::base::error::Result;
use crate::keyspace::Keyspace;
use crate::ops::stats::report::{Effects, Present};
use crate::ops::stats::tables::rows::KeyRow;
use crate::replay::ShardObserver;

/// The counts of one shard, or of all.
pub(super) struct Counts {
    effects: EffectCounts,
    keys: KeyCounts,
    /// The number of keys at points of the log.
    course: key_course::KeyCounts,
}

/// What was counted in all shards.
pub(super) struct Finished {
    pub(super) effects: Effects,
    pub(super) present: Present,
    /// The sums of keys by prefix.
    pub(super) prefixes: PatternSums,
    /// The number of keys at points of the log.
    pub(super) course: key_course::KeyCounts,
}

impl Counts {
    pub(super) fn new() -> Counts {
        Counts {
            effects: EffectCounts::default(),
            keys: KeyCounts::new(),
            course: key_course::KeyCounts::default(),
        }
    }

    pub(super) fn join(&mut self, other: Counts) {
        self.effects.join(other.effects);
        self.keys.join(other.keys);
        self.course.join(&other.course);
    }

    /// Takes the rows of the keys of a shard.
    pub(super) fn take_rows(&mut self) -> Vec<KeyRow> {
        self.keys.take_rows()
    }

    pub(super) fn finish(self) -> Finished {
        let (present, prefixes) = self.keys.finish();
        let effects = self.effects.finish(present.total.bytes);
        Finished { effects, present, prefixes, course: self.course }
    }
}

impl<'c> ShardObserver for Counter<'c> {
    type Observer<'a> = EffectObserver<'c, 'a>;
    type Made = Counts;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> EffectObserver<'c, 'a> {
        EffectObserver::new(self.course)
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: EffectObserver<'c, 'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Counts> {
        let (effects, course) = observer.finish(keyspace);
        let mut counter = KeyCounter::new(self);
        for db in keyspace.databases() {
            for entry in db.entries() {
                counter.add(db.number(), entry);
            }
        }
        Ok(Counts { effects, keys: counter.finish(), course })
    }
}
