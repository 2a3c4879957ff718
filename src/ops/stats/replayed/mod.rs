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
use crate::base::error::Result;
use crate::keyspace::Keyspace;
use crate::ops::stats::report::{Effects, Present};
use crate::ops::stats::tables::rows::KeyRow;
use crate::replay::ShardObserver;

/// The counts of one shard, or of all.
pub(super) struct Counts {
    effects: EffectCounts,
    keys: KeyCounts,
}

impl Counts {
    pub(super) fn new() -> Counts {
        Counts { effects: EffectCounts::default(), keys: KeyCounts::new() }
    }

    pub(super) fn join(&mut self, other: Counts) {
        self.effects.join(other.effects);
        self.keys.join(other.keys);
    }

    /// Takes the rows of the keys of a shard.
    pub(super) fn take_rows(&mut self) -> Vec<KeyRow> {
        self.keys.take_rows()
    }

    /// Returns the effects, the keys, and the sums of keys by prefix.
    pub(super) fn finish(self) -> (Effects, Present, PatternSums) {
        let (present, prefixes) = self.keys.finish();
        let effects = self.effects.finish(present.total.bytes);
        (effects, present, prefixes)
    }
}

impl ShardObserver for Counter<'_> {
    type Observer<'a> = EffectObserver<'a>;
    type Made = Counts;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> EffectObserver<'a> {
        EffectObserver::new()
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: EffectObserver<'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Counts> {
        let effects = observer.finish(keyspace);
        let mut counter = KeyCounter::new(self);
        for db in keyspace.databases() {
            for entry in db.entries() {
                counter.add(db.number(), entry);
            }
        }
        Ok(Counts { effects, keys: counter.finish() })
    }
}
