//! Values as the writer sees them, whoever holds them.
//!
//! A collection tells its parts to a function, one after the other, and may be asked more than
//! once: what is told must be the same each time. The bytes need to live only while the function
//! runs, so that they may be made on the way.

// The functions that are told have no simpler type.
#![allow(clippy::type_complexity)]

use super::super::format::Kind;
use super::super::visitor::{StreamId, StreamInfo};

/// A value, borrowed from whoever holds it.
#[derive(Clone, Copy)]
pub enum Value<'a> {
    /// A string.
    String(&'a [u8]),
    /// A list, head to tail.
    List(&'a dyn Elements),
    /// A set, in any order.
    Set(&'a dyn Elements),
    /// A sorted set, in any order. A server loads a large one fastest from the highest score to the
    /// lowest, which is how it writes it.
    Zset(&'a dyn Scored),
    /// A hash, in any order.
    Hash(&'a dyn Fields),
    /// A stream.
    Stream(&'a dyn Stream),
    /// A module's value, from the module's id to the end mark: see
    /// [`Visitor::module`](crate::rdb::visitor::Visitor::module).
    Module(&'a [u8]),
}

impl Value<'_> {
    /// What it is.
    pub fn kind(&self) -> Kind {
        match self {
            Value::String(_) => Kind::String,
            Value::List(_) => Kind::List,
            Value::Set(_) => Kind::Set,
            Value::Zset(_) => Kind::Zset,
            Value::Hash(_) => Kind::Hash,
            Value::Stream(_) => Kind::Stream,
            Value::Module(_) => Kind::Module,
        }
    }

    /// Whether it is a collection without one element, which is no value: a server that loads it
    /// leaves the key out.
    pub fn is_empty(&self) -> bool {
        match self {
            Value::List(elements) | Value::Set(elements) => elements.len() == 0,
            Value::Zset(members) => members.len() == 0,
            Value::Hash(fields) => fields.len() == 0,
            Value::String(_) | Value::Stream(_) | Value::Module(_) => false,
        }
    }
}

/// The elements of a list, or the members of a set.
#[allow(clippy::len_without_is_empty)]
pub trait Elements {
    /// How many [`each`](Self::each) tells.
    fn len(&self) -> usize;
    /// Tells every element.
    fn each(&self, tell: &mut dyn FnMut(&[u8]));
}

/// The members of a sorted set.
#[allow(clippy::len_without_is_empty)]
pub trait Scored {
    /// How many [`each`](Self::each) tells.
    fn len(&self) -> usize;
    /// Tells every member and its score, which is a number.
    fn each(&self, tell: &mut dyn FnMut(&[u8], f64));
}

/// The fields of a hash.
#[allow(clippy::len_without_is_empty)]
pub trait Fields {
    /// How many [`each`](Self::each) tells.
    fn len(&self) -> usize;
    /// Tells every field, its value, and when it expires in Unix milliseconds.
    fn each(&self, tell: &mut dyn FnMut(&[u8], &[u8], Option<i64>));
    /// The lowest and the highest expiry, if there is one. To be implemented by who knows without
    /// looking at every field.
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
    /// What it says of itself. Its `length` is not looked at: the entries are counted. Where it
    /// comes from a version that stores no counters, they are made up as a server does on loading.
    fn info(&self) -> StreamInfo;
    /// Tells every entry, its fields and their values, in the order of ids.
    fn entries(&self, tell: &mut dyn FnMut(StreamId, &[(&[u8], &[u8])]));
    /// Tells every consumer group.
    fn groups(&self, tell: &mut dyn FnMut(&Group<'_>));
}

/// A consumer group of a stream.
#[derive(Debug, Clone, Copy)]
pub struct Group<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// The last id that it delivered.
    pub last_id: StreamId,
    /// How many entries it has read, where that is known.
    pub entries_read: Option<u64>,
    /// What it delivered and nobody acknowledged, in the order of ids.
    pub pending: &'a [Pending],
    /// Its consumers.
    pub consumers: &'a [Consumer<'a>],
}

/// An entry that was delivered and not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pending {
    /// Its id.
    pub id: StreamId,
    /// When it was delivered last, in Unix milliseconds.
    pub delivered_ms: i64,
    /// How often it was delivered.
    pub deliveries: u64,
}

/// A consumer of a group.
#[derive(Debug, Clone, Copy)]
pub struct Consumer<'a> {
    /// Its name.
    pub name: &'a [u8],
    /// When it was last seen, in Unix milliseconds.
    pub seen_ms: i64,
    /// When it was last given something: -1 if never, `None` if not known.
    pub active_ms: Option<i64>,
    /// The ids of those entries of [`Group::pending`] that are pending for it, in their order.
    pub pending: &'a [StreamId],
}
