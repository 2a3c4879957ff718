//! The entries that producers added with ids of their own (XADD with IDMP or IDMPAUTO), so that one
//! that is added twice is detected (Redis 8.6 and later).
//!
//! *Observed* on 8.6.3: while a log is loaded nothing is forgotten because of its age; the oldest id
//! of a producer, in the order in which they were added, is forgotten if there are too many.

use std::collections::{BTreeMap, VecDeque};

use crate::rdb::{StreamId, StreamIdmp};

/// The configuration of a new stream, unless the server's configuration differs.
pub const DEFAULT: StreamIdmp =
    StreamIdmp { duration: 100, max_entries: 100, iids_added: 0, duplicates: 0 };

/// The id that a producer gives an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Iid<'a> {
    /// Given with IDMP, or read from an RDB.
    Given(&'a [u8]),
    /// Computed by the server from the fields (IDMPAUTO). It is represented by a digest of this
    /// crate, since the server's is not known.
    OfFields(u128),
}

/// The state of a stream.
#[derive(Debug, Clone)]
pub struct Idmp<'a> {
    config: StreamIdmp,
    producers: BTreeMap<&'a [u8], Producer<'a>>,
}

/// The entries of a producer that are remembered.
#[derive(Debug, Clone, Default)]
pub struct Producer<'a> {
    ids: BTreeMap<Iid<'a>, StreamId>,
    /// Oldest first.
    order: VecDeque<Iid<'a>>,
}

impl Default for Idmp<'_> {
    fn default() -> Self {
        Idmp { config: DEFAULT, producers: BTreeMap::new() }
    }
}

impl<'a> Producer<'a> {
    /// Returns the ids and the entries that have them, oldest first.
    pub fn ids(&self) -> impl ExactSizeIterator<Item = (Iid<'a>, StreamId)> {
        self.order.iter().map(|iid| (*iid, self.ids.get(iid).copied().unwrap_or_default()))
    }

    /// Returns the entry that has this id.
    pub fn entry(&self, iid: Iid<'_>) -> Option<StreamId> {
        self.ids.get(&iid).copied()
    }
}

impl<'a> Idmp<'a> {
    /// Returns the configuration and the counters.
    pub fn config(&self) -> &StreamIdmp {
        &self.config
    }

    /// Returns whether there is nothing that a new stream does not have.
    pub fn is_default(&self) -> bool {
        self.config == DEFAULT && self.producers.is_empty()
    }

    /// Sets the configuration and the counters, as an RDB contains them. Nothing is forgotten.
    pub fn set_config(&mut self, config: StreamIdmp) {
        self.config = config;
    }

    /// Sets the configuration. Forgets all entries if it changes.
    pub fn configure(&mut self, duration: Option<u64>, max_entries: Option<u64>) {
        let duration = duration.unwrap_or(self.config.duration);
        let max_entries = max_entries.unwrap_or(self.config.max_entries);
        if (duration, max_entries) != (self.config.duration, self.config.max_entries) {
            self.config.duration = duration;
            self.config.max_entries = max_entries;
            self.producers.clear();
        }
    }

    /// Returns the producers and their names, in the order of the names' bytes.
    pub fn producers(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &Producer<'a>)> {
        self.producers.iter().map(|(name, producer)| (*name, producer))
    }

    /// Returns a producer.
    pub fn producer(&self, name: &[u8]) -> Option<&Producer<'a>> {
        self.producers.get(name)
    }

    /// Adds a producer without entries, unless there is one of this name.
    pub fn add_producer(&mut self, name: &'a [u8]) {
        self.producers.entry(name).or_default();
    }

    /// Counts an entry that was not added because the producer had added it before.
    pub fn count_duplicate(&mut self) {
        self.config.duplicates = self.config.duplicates.wrapping_add(1);
    }

    /// Records that a producer added an entry, and counts it.
    pub fn record(&mut self, name: &'a [u8], iid: Iid<'a>, id: StreamId) {
        self.load(name, iid, id);
        self.config.iids_added = self.config.iids_added.wrapping_add(1);
        if let Some(producer) = self.producers.get_mut(name) {
            while producer.order.len() as u64 > self.config.max_entries {
                if let Some(oldest) = producer.order.pop_front() {
                    producer.ids.remove(&oldest);
                }
            }
        }
    }

    /// Forgets the ids that a server computed from the fields, and returns their number.
    pub fn forget_computed(&mut self) -> u64 {
        let mut forgotten = 0;
        for producer in self.producers.values_mut() {
            let before = producer.order.len();
            producer.order.retain(|iid| matches!(iid, Iid::Given(_)));
            producer.ids.retain(|iid, _| matches!(iid, Iid::Given(_)));
            forgotten += (before - producer.order.len()) as u64;
        }
        forgotten
    }

    /// Records an entry of an RDB, which the counters include.
    pub fn load(&mut self, name: &'a [u8], iid: Iid<'a>, id: StreamId) {
        let producer = self.producers.entry(name).or_default();
        if producer.ids.insert(iid, id).is_none() {
            producer.order.push_back(iid);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    /// Observed on Redis 8.6.3.
    #[test]
    fn the_oldest_id_of_a_producer_is_forgotten() {
        let mut idmp = Idmp::default();
        idmp.configure(None, Some(2));
        for (ms, iid) in [(4, "a"), (3, "b"), (2, "c")] {
            idmp.record(b"p", Iid::Given(iid.as_bytes()), id(ms));
        }
        idmp.record(b"q", Iid::Given(b"a"), id(1));
        let left: Vec<_> = idmp.producer(b"p").expect("it is there").ids().collect();
        assert_eq!(left, [(Iid::Given(&b"b"[..]), id(3)), (Iid::Given(b"c"), id(2))]);
        assert_eq!(idmp.config().iids_added, 4);
    }

    #[test]
    fn only_a_changed_configuration_forgets_entries() {
        let mut idmp = Idmp::default();
        idmp.record(b"p", Iid::Given(b"a"), id(1));
        idmp.configure(Some(100), Some(100));
        assert_eq!(idmp.producers().len(), 1);
        idmp.configure(Some(99), None);
        assert_eq!(idmp.producers().len(), 0);
        assert_eq!((idmp.config().duration, idmp.config().iids_added), (99, 1));
    }
}
