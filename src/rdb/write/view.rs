//! The writer's view of values, independent of their owner.
//!
//! A collection passes its parts to a callback, one by one, and may be iterated more than once;
//! every iteration must produce the same parts. The bytes need to live only during the callback, so
//! that they may be computed on demand.

// The callback types cannot be simplified.
#![allow(clippy::type_complexity)]

use super::super::format::Kind;
use super::super::visitor::{StreamId, StreamIdmp, StreamInfo};

/// A borrowed value.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A string.
    String(&'a [u8]),
    /// A list, head to tail.
    List(&'a dyn Elements),
    /// A set, in any order.
    Set(&'a dyn Elements),
    /// A sorted set, in any order. A server loads a large one fastest from the highest score to the
    /// lowest, which is also the order in which servers write it.
    Zset(&'a dyn Scored),
    /// A hash, in any order.
    Hash(&'a dyn Fields),
    /// A stream.
    Stream(&'a dyn Stream),
    /// An array (Redis 8.8 and later), which no version that can be written holds.
    Array,
    /// A module's value, from the module's id to the end mark: see
    /// [`Visitor::module`](crate::rdb::visitor::Visitor::module).
    Module(&'a [u8]),
}

impl Value<'_> {
    /// Returns the kind of the value.
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::Zset(_) => Kind::Zset,
            Value::Hash(_) => Kind::Hash,
            Value::Stream(_) => Kind::Stream,
            Value::Array => Kind::Array,
            Value::Module(_) => Kind::Module,
        }
    }

    /// Returns whether the value is an empty collection. Servers omit such keys on loading.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::List(elements) | Value::Set(elements) => elements.len() == 0,
            Value::Zset(members) => members.len() == 0,
            Value::Hash(fields) => fields.len() == 0,
            Value::String(_) | Value::Stream(_) | Value::Array | Value::Module(_) => false,
        }
    }
}

/// The elements of a list, or the members of a set.
#[allow(clippy::len_without_is_empty)]
pub trait Elements {
    /// Returns the number of elements that [`each`](Self::each) passes.
    fn len(&self) -> usize;
    /// Passes every element to `visit`.
    fn each(&self, visit: &mut dyn FnMut(&[u8]));
}

/// The members of a sorted set.
#[allow(clippy::len_without_is_empty)]
pub trait Scored {
    /// Returns the number of members that [`each`](Self::each) passes.
    fn len(&self) -> usize;
    /// Passes every member and its score, which is not NaN, to `visit`.
    fn each(&self, visit: &mut dyn FnMut(&[u8], f64));
}

/// The fields of a hash.
#[allow(clippy::len_without_is_empty)]
pub trait Fields {
    /// Returns the number of fields that [`each`](Self::each) passes.
    fn len(&self) -> usize;
    /// Passes every field, its value, and its expiry in Unix milliseconds to `visit`.
    fn each(&self, visit: &mut dyn FnMut(&[u8], &[u8], Option<i64>));
    /// Returns the lowest and the highest expiry, if any field expires. Types that can answer
    /// without iterating over every field should override it.
    fn expiries(&self) -> Option<(i64, i64)> {
        let mut range: Option<(i64, i64)> = None;
        self.each(&mut |_, _, expires_ms| {
            if let Some(time) = expires_ms {
                range =
                    Some(range.map_or((time, time), |(low, high)| (low.min(time), high.max(time))));
            }
        });
        range
    }
}

/// A stream.
pub trait Stream {
    /// Returns the metadata of the stream. Its `length` is ignored: the entries are counted. If the
    /// stream comes from a version that stores no counters, they are computed as a server does on
    /// loading.
    fn info(&self) -> StreamInfo;
    /// Passes every entry, its fields and their values to `visit`, in the order of ids.
    fn entries(&self, visit: &mut dyn FnMut(StreamId, &[(&[u8], &[u8])]));
    /// Passes every consumer group to `visit`.
    fn groups(&self, visit: &mut dyn FnMut(&Group<'_>));
    /// Passes what the stream remembers of its producers to `visit`, once, if it is known. By default
    /// it is not.
    fn idmp(&self, visit: &mut dyn FnMut(&Idmp<'_>)) {
        let _ = visit;
    }
    /// Returns whether a group has entries that consumers gave back (XNACK, Redis 8.8 and later).
    fn has_nacked(&self) -> bool {
        false
    }
}

/// What a stream remembers of its producers (Redis 8.6 and later).
#[derive(Debug, Clone, Copy)]
pub struct Idmp<'a> {
    /// Settings and counters.
    pub config: StreamIdmp,
    /// The producers.
    pub producers: &'a [Producer<'a>],
}

/// A producer of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Producer<'a> {
    /// Its name.
    pub pid: &'a [u8],
    /// The names that it gave to its entries, and their ids, the oldest first.
    pub entries: &'a [(&'a [u8], StreamId)],
}

/// A consumer group of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The last id that was delivered.
    pub last_id: StreamId,
    /// The number of entries read, if known.
    pub entries_read: Option<u64>,
    /// The entries that were delivered and not acknowledged, in the order of ids.
    pub pending: &'a [Pending],
    /// The consumers.
    pub consumers: &'a [Consumer<'a>],
}

/// An entry that was delivered and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// The id.
    pub id: StreamId,
    /// The time of the last delivery, in Unix milliseconds.
    pub delivered_ms: i64,
    /// The number of deliveries.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'a> {
    /// The name.
    pub name: &'a [u8],
    /// The time at which it was last seen, in Unix milliseconds.
    pub seen_ms: i64,
    /// The time at which it was last given an entry: -1 if never, `None` if unknown.
    pub active_ms: Option<i64>,
    /// The ids of those entries of [`Group::pending`] that are pending for it, in the same order.
    pub pending: &'a [StreamId],
}
