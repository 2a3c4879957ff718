//! The interface between the walk and its caller.

use super::format::{Format, Kind};
use super::text::Text;

/// Receives the content of the file, in the order of the file. Every method does nothing by
/// default, so a walk with a visitor that implements none only checks.
///
/// Reported content has been checked up to that point. Damage later in the same value, a wrong
/// checksum or a duplicate key is only detected afterwards. `'a` is the lifetime of the file's
/// bytes.
#[allow(unused_variables)]
pub trait Visitor<'a> {
    /// Whether the walk goes on at values that are broken but whose end is known, to find out whether all else is
    /// intact. Of such values, not all parts are reported.
    fn goes_on_at_broken_values(&self) -> bool {
        false
    }

    /// Returns a copy of the visitor, if it ignores the parts of values: they may then be read on other cores, after
    /// the key has ended. The copy receives everything else, and replaces the visitor if all is intact. Otherwise the
    /// visitor receives everything in order.
    fn without_values(&self) -> Option<Self>
    where
        Self: Sized,
    {
        None
    }

    /// An auxiliary field of the server, such as its version or the time of writing.
    fn aux(&mut self, name: Text<'a, '_>, value: Text<'a, '_>) {}

    /// The keys that follow belong to database `db`. Called before the first key even if the file
    /// does not specify a database (then 0), and each time that the file does.
    fn select_db(&mut self, db: u64) {}

    /// The current database has `keys` keys, of which `with_expiry` expire. The numbers are hints
    /// and may be wrong.
    fn resize_db(&mut self, keys: u64, with_expiry: u64) {}

    /// The keys that follow belong to cluster slot `slot`. The numbers are hints, too.
    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {}

    /// Slots `first` to `last` were being imported by `job` (Valkey 9.0 and later).
    fn slot_import(&mut self, job: Text<'a, '_>, first: u64, last: u64) {}

    /// The source of a function library.
    fn function(&mut self, library: Text<'a, '_>) {}

    /// Data of a module that belongs to no key. `payload` contains the file's bytes from the
    /// module's id to its end mark.
    fn module_aux(&mut self, module: ModuleId, when: AuxWhen, payload: &'a [u8]) {}

    /// Metadata of class `class` that a module attached to the key that follows (Redis 8.6 and
    /// later). `payload` contains the file's bytes after the class, up to and with the end mark.
    fn key_meta(&mut self, class: u32, payload: &'a [u8]) {}

    /// A key begins. The parts of its value follow, then [`key_end`](Self::key_end).
    fn key(&mut self, key: &Key<'a>) -> Want {
        Want::Value
    }

    /// The value of a string.
    fn string(&mut self, value: Text<'a, '_>) {}

    /// The next element of a list, head to tail.
    fn element(&mut self, element: Text<'a, '_>) {}

    /// A member of a set.
    fn member(&mut self, member: Text<'a, '_>) {}

    /// A member of a sorted set. Members are not reported in the order of their scores.
    fn scored(&mut self, member: Text<'a, '_>, score: f64) {}

    /// A field of a hash; `expires_ms` is the time at which it expires, in Unix milliseconds.
    fn field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>, expires_ms: Option<i64>) {}

    /// An entry of a stream that is not deleted. Its `fields` fields follow.
    fn stream_entry(&mut self, id: StreamId, fields: u64) {}

    /// A field of the last entry.
    fn stream_field(&mut self, field: Text<'a, '_>, value: Text<'a, '_>) {}

    /// The metadata of the stream, after its entries.
    fn stream(&mut self, stream: &StreamInfo) {}

    /// A consumer group. Its pending entries follow, then its consumers.
    fn group(&mut self, name: Text<'a, '_>, last_id: StreamId, entries_read: Option<u64>) {}

    /// An entry that the last group delivered and that was not acknowledged.
    fn pending(&mut self, id: StreamId, delivered_ms: i64, deliveries: u64) {}

    /// A consumer of the last group. Its pending entries follow. `active_ms` is known since version
    /// 11, and -1 if the consumer was never active.
    fn consumer(&mut self, name: Text<'a, '_>, seen_ms: i64, active_ms: Option<i64>) {}

    /// An entry that is pending for the last consumer; reported before by
    /// [`pending`](Self::pending).
    fn consumer_pending(&mut self, id: StreamId) {}

    /// An entry of the last group that was delivered and not acknowledged, and that no consumer owns
    /// (Redis 8.8 and later); reported before by [`pending`](Self::pending).
    fn group_nacked(&mut self, id: StreamId) {}

    /// A producer of the stream that adds entries with ids of its own, of which `entries` are
    /// remembered and follow (Redis 8.6 and later). Reported after the groups.
    fn stream_producer(&mut self, pid: Text<'a, '_>, entries: u64) {}

    /// The last producer added the entry that it calls `iid` with this id.
    fn stream_iid(&mut self, iid: Text<'a, '_>, id: StreamId) {}

    /// How the stream detects entries that producers add twice (Redis 8.6 and later). Reported
    /// once, after the producers.
    fn stream_idmp(&mut self, config: &StreamIdmp) {}

    /// An array of `count` elements, which follow (Redis 8.8 and later). `insert_index` is the index
    /// of the element that was inserted last.
    fn array(&mut self, count: u64, insert_index: Option<u64>) {}

    /// An element of the last array. Indexes that are not reported have no element.
    fn array_item(&mut self, index: u64, value: ArrayItem<'a, '_>) {}

    /// A module's value. `payload` contains the file's bytes from the module's id to its end mark.
    fn module(&mut self, module: ModuleId, payload: &'a [u8]) {}

    /// The key's value is complete.
    fn key_end(&mut self, end: KeyEnd) {}
}

/// A visitor that ignores everything, so that the walk only checks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ignore;

impl Visitor<'_> for Ignore {
    fn without_values(&self) -> Option<Self> {
        Some(*self)
    }
}

/// A visitor that ignores everything, so that the walk only checks, and that goes on at values which not every loader
/// refuses.
#[derive(Debug, Clone, Copy, Default)]
pub struct IgnoreDeep;

impl Visitor<'_> for IgnoreDeep {
    fn goes_on_at_broken_values(&self) -> bool {
        true
    }

    fn without_values(&self) -> Option<Self> {
        Some(*self)
    }
}

/// The parts of a key that a visitor requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The parts of its value.
    Value,
    /// Nothing: the value is skipped. Its packed encodings are not parsed, and neither it nor the name
    /// is searched for duplicates. [`Visitor::key_end`] is called nevertheless.
    Skip,
}

/// The way in which a key ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEnd {
    /// With a value.
    Whole,
    /// With an empty collection. Servers omit such keys when they load the file.
    Empty,
    /// Skipped at the request of the visitor.
    Skipped,
}

/// A key and the attributes that precede its value.
#[derive(Debug, Clone, Copy)]
pub struct Key<'a> {
    /// The database.
    pub db: u64,
    /// The name.
    pub name: Text<'a, 'a>,
    /// The storage type of the value.
    pub format: &'static Format,
    /// The time at which it expires, in Unix milliseconds.
    pub expires_ms: Option<i64>,
    /// Seconds since it was last used; present if `maxmemory-policy` is an LRU policy.
    pub idle_s: Option<u64>,
    /// The logarithmic access counter; present if `maxmemory-policy` is an LFU policy.
    pub freq: Option<u8>,
    /// Offset of the first byte of its record; [`Records`](crate::rdb::walk::Records) reads the key
    /// again from there.
    pub offset: u64,
}

impl Key<'_> {
    /// Returns the kind of the value.
    pub fn kind(&self) -> Kind {
        self.format.kind
    }
}

/// The id of a stream entry; ids are ordered as the entries are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct StreamId {
    /// Usually Unix milliseconds.
    pub ms: u64,
    /// Sequence number within the millisecond.
    pub seq: u64,
}

impl std::fmt::Display for StreamId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.ms, self.seq)
    }
}

/// The metadata of a stream. The first version of streams (Redis 5.0 to 6.2) does not store the
/// fields that are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamInfo {
    /// The number of entries.
    pub length: u64,
    /// The highest id that was ever added.
    pub last_id: StreamId,
    /// The lowest id that exists.
    pub first_id: Option<StreamId>,
    /// The highest id that was deleted.
    pub max_deleted_id: Option<StreamId>,
    /// The number of entries that were ever added.
    pub entries_added: Option<u64>,
}

/// How a stream detects entries that its producers add twice (XADD with IDMP or IDMPAUTO).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StreamIdmp {
    /// How long an entry of a producer is remembered, in seconds.
    pub duration: u64,
    /// The number of entries that are remembered for each producer.
    pub max_entries: u64,
    /// The number of entries that producers ever added.
    pub iids_added: u64,
    /// The number of entries that were not added because the producer had added them before.
    pub duplicates: u64,
}

/// An element of an array, in the form in which it is stored.
#[derive(Debug, Clone, Copy)]
pub enum ArrayItem<'a, 's> {
    /// A text.
    Str(Text<'a, 's>),
    /// A number, that is reported as its decimal text.
    Int(i64),
    /// A floating-point number, that is reported as its shortest decimal text.
    Double(f64),
}

/// The type of a module's data: a name of nine characters and the version of its encoding, in 64
/// bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ModuleId(pub u64);

impl ModuleId {
    /// Returns the name.
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

    /// Returns the version of the encoding, 0 to 1023.
    pub fn version(self) -> u64 {
        self.0 & 1023
    }
}

/// The time at which a module loads its data that belongs to no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuxWhen {
    /// Before the keys.
    Before,
    /// After the keys.
    After,
    /// A number that no server writes.
    Other(u64),
}
