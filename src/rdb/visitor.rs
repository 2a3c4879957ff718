//! What the walk tells on its way.

use super::format::{Format, Kind};
use super::text::Text;

/// Is told what lies in the file, in the file's order. Each method does nothing unless it is
/// implemented, and a walk with a visitor that implements none only checks.
///
/// What is told has been checked so far as it was read; that a value has a fault further on, or the
/// file a wrong checksum or a key twice, shows only later. `'a` is the life of the file's bytes.
#[allow(unused_variables)]
pub trait Visitor<'a> {
    /// A note of the server's: its version, the time of writing and the like.
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {}

    /// The keys that follow are of database `db`. Told before the first key even where the file says
    /// nothing (then 0), and each time that the file says it.
    fn select_db(&mut self, db: u64) {}

    /// The database in force has `keys` keys, of which `with_expiry` expire. A hint, not a promise.
    fn resize_db(&mut self, keys: u64, with_expiry: u64) {}

    /// The keys that follow are of cluster slot `slot`. Hints, too.
    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {}

    /// Slots `first` to `last` were being imported by `job` (Valkey 9.0 and later).
    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {}

    /// The source of a function library.
    fn function(&mut self, library: Text<'a, '_>) {}

    /// Data of a module that belongs to no key. `payload` is the file's bytes from the module's id
    /// to its end mark.
    fn module_aux(&mut self, module: ModuleId, when: AuxWhen, payload: &'a [u8]) {}

    /// A key begins. Parts of its value follow, then [`key_end`](Self::key_end).
    fn key(&mut self, key: &Key<'a>) -> Want {
        Want::Value
    }

    /// The value of a string.
    fn string(&mut self, value: Text<'a, '_>) {}

    /// The next element of a list, head to tail.
    fn element(&mut self, element: Text<'a, '_>) {}

    /// A member of a set.
    fn member(&mut self, member: Text<'a, '_>) {}

    /// A member of a sorted set. Not told in the order of scores.
    fn scored(&mut self, member: Text<'a, '_>, score: f64) {}

    /// A field of a hash; `expires_ms` is the time at which it expires, in Unix milliseconds.
    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {}

    /// An entry of a stream, not a deleted one. Its `fields` fields follow.
    fn stream_entry(&mut self, id: StreamId, fields: u64) {}

    /// A field of the last entry.
    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {}

    /// What the stream says of itself, after its entries.
    fn stream(&mut self, stream: &StreamInfo) {}

    /// A consumer group. What is pending in it follows, then its consumers.
    fn group(&mut self, name: Text<'a, '_>, last_id: StreamId, entries_read: Option<u64>) {}

    /// An entry that the last group has delivered and nobody acknowledged.
    fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {}

    /// A consumer of the last group. What is pending for it follows. `active_ms` is known since
    /// version 11, and -1 when it never was active.
    fn consumer(&mut self, name: Text<'a, '_>, seen_ms: i64, active_ms: Option<i64>) {}

    /// An entry that is pending for the last consumer; told before by [`pending`](Self::pending).
    fn consumer_pending(&mut self, id: StreamId) {}

    /// A module's value. `payload` is the file's bytes from the module's id to its end mark.
    fn module(&mut self, module: ModuleId, payload: &'a [u8]) {}

    /// The key's value is whole.
    fn key_end(&mut self, end: KeyEnd) {}
}

/// Wants to be told nothing: the walk only checks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl Visitor<'_> for Ignore {}

/// What a visitor wants of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Its value's parts.
    Value,
    /// Nothing: the value is stepped over. Its packed forms are not looked into, nor is it
    /// searched for members that occur twice. [`Visitor::key_end`] is told nevertheless.
    Skip,
}

/// How a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEnd {
    /// With a value.
    Whole,
    /// Without one element. Servers leave such a key out when they load the file.
    Empty,
    /// Stepped over, as wanted.
    Skipped,
}

/// A key, and what the file says of it before its value.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The database.
    pub db: u64,
    /// The name.
    pub name: Text<'a, 'a>,
    /// How the value is stored.
    pub format: &'static Format,
    /// When it expires, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Seconds since it was last used, noted where `maxmemory-policy` is one of the LRU kind.
    pub idle_s: Option<u64>,
    /// The logarithmic counter of its uses, noted where `maxmemory-policy` is one of the LFU kind.
    pub freq: Option<u8>,
    /// The byte at which its record begins; [`Records`](crate::rdb::walk::Records) reads it there.
    pub offset: u64,
}

impl Key<'_> {
    /// What the value is.
    pub fn kind(&self) -> Kind {
        self.format.kind
    }
}

/// The id of a stream's entry, in the order of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Unix milliseconds, as a rule.
    pub ms: u64,
    /// Counts within the millisecond.
    pub seq: u64,
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// What a stream says of itself. What is `None` is not stored in the first version of streams
/// (Redis 5.0 to 6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamInfo {
    /// The number of entries.
    pub length: u64,
    /// The highest id that was ever added.
    pub last_id: StreamId,
    /// The lowest id that is there.
    pub first_id: Option<StreamId>,
    /// The highest id that was deleted.
    pub max_deleted_id: Option<StreamId>,
    /// The number of entries that were ever added.
    pub entries_added: Option<u64>,
}

/// A module's type: a name of nine characters and the version of its encoding, in 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u64);

impl ModuleId {
    /// The name.
    pub fn name(self) -> String {
        const ALPHABET: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        (0..9)
            .map(|at| {
                let six_bits = (self.0 >> (58 - 6 * at)) & 63;
                usize::try_from(six_bits).map_or('?', |index| char::from(ALPHABET[index]))
            })
            .collect()
    }

    /// The version of the encoding, 0 to 1023.
    pub fn version(self) -> u64 {
        self.0 & 1023
    }
}

/// When a module wants its data that belongs to no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuxWhen {
    /// Before the keys.
    Before,
    /// After the keys.
    After,
    /// A number that no server writes.
    Other(u64),
}
