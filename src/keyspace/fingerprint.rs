//! A digest of our own: fast, and of everything that a key has.
//!
//! `DEBUG DIGEST` leaves out when keys and fields expire and all of a stream but its entries, and takes several
//! SHA-1 a value. This one is the sum of the XXH3-128 of each key: of its database, name, type, expiry
//! and value. What has no order (members, fields) is hashed one by one and summed. It is made to show
//! accidents, not to withstand somebody who looks for two data sets with one fingerprint.
//!
//! Left out is when a consumer of a stream was last seen and active: a log does not say it, and replaying one
//! makes it up.

use xxhash_rust::xxh3::xxh3_128;

use super::stream::StreamId;
use crate::base::server::Server;
use crate::keyspace::databases::Keyspace;
use crate::keyspace::db::Entry;
use crate::keyspace::stream::Stream;
use crate::keyspace::string::StringValue;
use crate::keyspace::value::Value;
use crate::rdb::Target;

/// How much of a stream a fingerprint shows: not every form of a log can carry all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// All that a log can say.
    #[default]
    All,
    /// As Redis 5.0 to 6.2 keep it: without the counters of streams and groups too.
    WithoutCounters,
    /// What commands can rebuild: without what is pending of entries that are no more.
    Commands,
    /// What commands can rebuild on Redis 6.2, which has no counters.
    CommandsWithoutCounters,
    /// What they can rebuild on Redis 5.0 and 6.0, which cannot make a consumer for whom nothing is pending
    /// either.
    CommandsWithoutIdleConsumers,
}

impl Detail {
    /// What commands for this server can rebuild.
    pub fn of_commands(server: Server) -> Detail {
        match server {
            _ if server.has_redis(7, 0) => Detail::Commands,
            _ if server.has_redis(6, 2) => Detail::CommandsWithoutCounters,
            _ => Detail::CommandsWithoutIdleConsumers,
        }
    }

    /// What an RDB of this version can carry.
    pub fn of_rdb(target: Target) -> Detail {
        if target == Target::REDIS_9 { Detail::WithoutCounters } else { Detail::All }
    }

    fn counters(self) -> bool {
        matches!(self, Detail::All | Detail::Commands)
    }

    fn by_commands(self) -> bool {
        !matches!(self, Detail::All | Detail::WithoutCounters)
    }
}

/// The fingerprint of a data set, from its keys in any order.
#[derive(Debug, Clone, Default)]
pub struct Fingerprint {
    sum: u128,
    keys: u64,
    /// What is hashed, put together.
    scratch: Vec<u8>,
    /// A member or field of it.
    part: Vec<u8>,
}

impl PartialEq for Fingerprint {
    fn eq(&self, other: &Self) -> bool {
        (self.sum, self.keys) == (other.sum, other.keys)
    }
}

impl Eq for Fingerprint {}

impl std::fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.sum)
    }
}

impl Fingerprint {
    /// Adds every key of a data set.
    pub fn add_all(&mut self, keyspace: &Keyspace<'_>, detail: Detail) {
        for db in keyspace.databases() {
            db.entries().for_each(|entry| self.add(db.number(), entry, detail));
        }
    }

    /// Adds a key of a database.
    pub fn add(&mut self, db: u32, entry: &Entry<'_>, detail: Detail) {
        let sum = self.of_entry(db, entry, detail);
        self.add_sum(sum);
    }

    /// Adds a key whose fingerprint is known.
    pub fn add_sum(&mut self, sum: u128) {
        self.sum = self.sum.wrapping_add(sum);
        self.keys += 1;
    }

    /// Adds the keys that are in another one.
    pub fn join(&mut self, other: &Fingerprint) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.keys += other.keys;
    }

    /// The fingerprint of one key.
    pub fn of_entry(&mut self, db: u32, entry: &Entry<'_>, detail: Detail) -> u128 {
        let Fingerprint { scratch, part, .. } = self;
        scratch.clear();
        scratch.extend_from_slice(&db.to_le_bytes());
        text(scratch, entry.key());
        expiry(scratch, entry.expires_ms());
        value(scratch, part, &entry.value, detail);
        xxh3_128(scratch)
    }

    /// The fingerprint of a value alone.
    pub fn of_value(&mut self, value: &Value<'_>, detail: Detail) -> u128 {
        let Fingerprint { scratch, part, .. } = self;
        scratch.clear();
        self::value(scratch, part, value, detail);
        xxh3_128(scratch)
    }
}

fn value(out: &mut Vec<u8>, part: &mut Vec<u8>, value: &Value<'_>, detail: Detail) {
    match value {
        Value::String(string) => {
            out.push(0);
            string_value(out, string);
        }
        Value::List(list) => {
            out.push(1);
            list.elements.iter().for_each(|element| text(out, element));
        }
        Value::Set(set) => {
            out.push(2);
            unordered(out, part, set.members(), text);
        }
        Value::Zset(zset) => {
            out.push(3);
            unordered(out, part, zset.members(), |part, (member, score)| {
                text(part, member);
                // The two zeros are one score.
                part.extend_from_slice(&(score + 0.0).to_bits().to_le_bytes());
            });
        }
        Value::Hash(hash) => {
            out.push(4);
            unordered(out, part, hash.fields(), |part, (field, value, expires_ms)| {
                text(part, field);
                string_value(part, value);
                expiry(part, expires_ms);
            });
        }
        Value::Stream(stream) => {
            out.push(5);
            self::stream(out, stream, detail);
        }
        Value::Module(payload) => {
            out.push(6);
            text(out, payload);
        }
        Value::Opaque(opaque) => {
            out.push(7);
            opaque.frames.iter().for_each(|frame| text(out, frame));
            if let Some(before) = &opaque.before {
                self::value(out, part, before, detail);
            }
        }
    }
}

fn stream(out: &mut Vec<u8>, stream: &Stream<'_>, detail: Detail) {
    let mut number = |number: u64| out.extend_from_slice(&number.to_le_bytes());
    number(stream.last_id().ms);
    number(stream.last_id().seq);
    number(stream.len() as u64);
    if detail.counters() {
        number(stream.entries_added());
        number(stream.max_deleted_id().ms);
        number(stream.max_deleted_id().seq);
    }
    for (id, fields) in stream.entries() {
        out.extend_from_slice(&id.ms.to_le_bytes());
        out.extend_from_slice(&id.seq.to_le_bytes());
        out.extend_from_slice(&fields.count().to_le_bytes());
        for (field, value) in fields.iter() {
            text(out, field);
            text(out, value);
        }
    }
    for (name, group) in stream.groups() {
        text(out, name);
        out.extend_from_slice(&group.last_id().ms.to_le_bytes());
        out.extend_from_slice(&group.last_id().seq.to_le_bytes());
        if detail.counters() {
            let read = group.entries_read().unwrap_or(u64::MAX);
            out.extend_from_slice(&read.to_le_bytes());
        }
        for consumer in group.consumers() {
            let there = |id: &StreamId| !detail.by_commands() || stream.contains(*id);
            if detail == Detail::CommandsWithoutIdleConsumers
                && !consumer.pending().any(|id| there(&id))
            {
                continue;
            }
            text(out, consumer.name());
            for id in consumer.pending().filter(there) {
                out.extend_from_slice(&id.ms.to_le_bytes());
                out.extend_from_slice(&id.seq.to_le_bytes());
                if let Some((pending, _)) = group.pending_at(id) {
                    out.extend_from_slice(&pending.delivered_ms.to_le_bytes());
                    out.extend_from_slice(&pending.deliveries.to_le_bytes());
                }
            }
            out.push(0xFF);
        }
    }
}

/// The sum of the hashes of what has no order.
fn unordered<T>(
    out: &mut Vec<u8>,
    part: &mut Vec<u8>,
    items: impl Iterator<Item = T>,
    put: impl Fn(&mut Vec<u8>, T),
) {
    let sum = items.fold(0_u128, |sum, item| {
        part.clear();
        put(part, item);
        sum.wrapping_add(xxh3_128(part))
    });
    out.extend_from_slice(&sum.to_le_bytes());
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&text.len().to_le_bytes());
    out.extend_from_slice(text);
}

fn string_value(out: &mut Vec<u8>, value: &StringValue<'_>) {
    value.with(|bytes| text(out, bytes));
}

fn expiry(out: &mut Vec<u8>, expires_ms: Option<i64>) {
    match expires_ms {
        Some(time) => {
            out.push(1);
            out.extend_from_slice(&time.to_le_bytes());
        }
        None => out.push(0),
    }
}
