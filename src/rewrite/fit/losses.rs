//! What was left out of a data set, by kind.

use std::collections::BTreeMap;

use serde::Serialize;

/// A kind of data that a server or a form cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LossKind {
    /// Keys that hold an array (Redis 8.8 and later).
    Array,
    /// Keys that hold a vector set (Redis 8.0 and later; nodes of Redis 8.2 and later).
    VectorSet,
    /// Keys that hold the value of a module.
    ModuleValue,
    /// Keys that hold a stream (Redis 5.0 and later).
    Stream,
    /// Keys that commands changed which are not understood.
    UnknownCommands,
    /// The expiry of hash fields (Redis 7.4 and Valkey 9.0 and later).
    HashFieldExpiry,
    /// The expiry of members of sets and of hash fields in KeyDB.
    KeydbMemberExpiry,
    /// Fields and members whose expiry was left out and had passed.
    PassedFields,
    /// Metadata that modules attached to keys (Redis 8.6 and later).
    KeyMetadata,
    /// The idle time or the access counter of keys.
    AccessInfo,
    /// The counters of streams and their groups (Redis 7.0 and later).
    StreamCounters,
    /// The times at which consumers were last seen and active.
    ConsumerTimes,
    /// Consumers without pending entries.
    IdleConsumers,
    /// Pending entries that their stream no longer has.
    DeletedPending,
    /// Pending entries that consumers gave back (XNACK, Redis 8.8 and later).
    GivenBack,
    /// What streams remember of their producers (Redis 8.6 and later).
    StreamProducers,
    /// Ids of entries of producers that a server computed (IDMPAUTO).
    ComputedIds,
    /// The counters of producers, and the ids of their deleted entries.
    ProducerCounters,
    /// Function libraries (Redis 7.0 and later).
    Functions,
    /// Data of modules that belongs to no key.
    ModuleAux,
    /// Imports of cluster slots that were under way (Valkey 9.0 and later).
    SlotImports,
    /// Auxiliary fields of an RDB that may be data.
    AuxFields,
}

impl LossKind {
    /// Returns whether keys of this kind are left out with all that they hold.
    pub fn is_whole_key(self) -> bool {
        self <= LossKind::UnknownCommands
    }

    /// Returns whether it is of the data set as opposed to its keys.
    pub fn is_of_no_key(self) -> bool {
        self >= LossKind::Functions
    }
}

/// The number of examples of a kind.
const EXAMPLES: usize = 5;

/// What is lost of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// The number of items.
    pub count: u64,
    /// The number of keys that they are of.
    pub keys: u64,
    /// Whether the other encoding (an RDB instead of commands, or the reverse) holds all of them.
    pub in_other_encoding: bool,
    /// The first keys with their databases, or the first names if it is of no key.
    pub examples: Vec<(Option<u32>, Vec<u8>)>,
}

impl Default for Lost {
    fn default() -> Self {
        Lost { count: 0, keys: 0, in_other_encoding: true, examples: Vec::new() }
    }
}

impl Lost {
    fn add_example(&mut self, db: Option<u32>, name: &[u8]) {
        if self.examples.len() < EXAMPLES {
            self.examples.push((db, name.to_vec()));
        }
    }
}

/// All that is lost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<LossKind, Lost>);

impl Losses {
    /// Returns whether nothing is lost.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns what is lost, by kind.
    pub fn iter(&self) -> impl Iterator<Item = (LossKind, &Lost)> {
        self.0.iter().map(|(kind, lost)| (*kind, lost))
    }

    /// Adds what was lost of other keys.
    pub fn join(&mut self, other: Losses) {
        for (kind, more) in other.0 {
            let lost = self.0.entry(kind).or_default();
            lost.count += more.count;
            lost.keys += more.keys;
            lost.in_other_encoding &= more.in_other_encoding;
            let room = EXAMPLES - lost.examples.len().min(EXAMPLES);
            lost.examples.extend(more.examples.into_iter().take(room));
        }
    }

    /// Adds `count` items of one key; nothing if there are none.
    pub(super) fn add(&mut self, kind: LossKind, place: (u32, &[u8]), count: u64, other: bool) {
        if count == 0 {
            return;
        }
        let lost = self.0.entry(kind).or_default();
        lost.count += count;
        lost.keys += 1;
        lost.in_other_encoding &= other;
        lost.add_example(Some(place.0), place.1);
    }

    /// Adds items of several keys, some of which are named.
    pub(super) fn add_keys(&mut self, kind: LossKind, keys: u64, examples: &[(u32, Vec<u8>)]) {
        if keys == 0 {
            return;
        }
        let lost = self.0.entry(kind).or_default();
        lost.count += keys;
        lost.keys += keys;
        lost.in_other_encoding = false;
        for (db, name) in examples {
            lost.add_example(Some(*db), name);
        }
    }

    /// Adds `count` items that are of no key.
    pub(super) fn add_of_no_key(&mut self, kind: LossKind, name: &[u8], count: u64, other: bool) {
        let lost = self.0.entry(kind).or_default();
        lost.count += count;
        lost.in_other_encoding &= other;
        if !lost.examples.iter().any(|(_, known)| known == name) {
            lost.add_example(None, name);
        }
    }
}
