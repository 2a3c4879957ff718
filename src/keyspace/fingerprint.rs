//! A digest specific to this crate: fast, and covering everything that a key has.
//!
//! `DEBUG DIGEST` omits the expiry of keys and fields, and everything of a stream except its
//! entries, and computes several SHA-1 per value. This fingerprint is the sum of the XXH3-128 of
//! each key: of its database, name, type, expiry and value. Unordered parts (members, fields) are
//! hashed one by one and summed. It is designed to detect accidents, not to withstand an attacker
//! who searches for two data sets with the same fingerprint.
//!
//! The times at which a consumer of a stream was last seen and active are omitted: a log does not
//! contain them, and a replay invents them.

use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::stream::{IDMP_DEFAULT, Idmp, Iid, StreamId, StreamIdmp};
use crate::base::server::Server;
use crate::base::sparse::LONG;
use crate::keyspace::databases::Keyspace;
use crate::keyspace::db::Entry;
use crate::keyspace::stream::Stream;
use crate::keyspace::string::StringValue;
use crate::keyspace::value::Value;
use crate::rdb::Target;

/// The parts of a stream that a fingerprint includes: not every format of a log supports all of
/// them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Everything that a log can contain.
    #[default]
    All,
    /// Everything that Redis 5.0 to 6.2 store: without the counters of streams and groups.
    WithoutCounters,
    /// Everything that commands can rebuild: without pending references to deleted entries.
    Commands,
    /// Everything that commands can rebuild on Redis 6.2, which has no counters.
    CommandsWithoutCounters,
    /// Everything that commands can rebuild on Redis 5.0 and 6.0, which cannot create a consumer
    /// without pending entries either.
    CommandsWithoutIdleConsumers,
}

impl Detail {
    /// Returns the detail that commands for this server can rebuild.
    pub fn of_commands(server: Server) -> Detail {
        match server {
            _ if server.has_redis(7, 0) => Detail::Commands,
            _ if server.has_redis(6, 2) => Detail::CommandsWithoutCounters,
            _ => Detail::CommandsWithoutIdleConsumers,
        }
    }

    /// Returns the detail that an RDB of this version supports.
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
    /// The concatenated bytes to hash.
    scratch: Vec<u8>,
    /// The bytes of one member or field.
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

    /// Adds the keys of another fingerprint.
    pub fn join(&mut self, other: &Fingerprint) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.keys += other.keys;
    }

    /// Returns the fingerprint of one key.
    pub fn of_entry(&mut self, db: u32, entry: &Entry<'_>, detail: Detail) -> u128 {
        let Fingerprint { scratch, part, .. } = self;
        scratch.clear();
        scratch.extend_from_slice(&db.to_le_bytes());
        text(scratch, entry.key());
        expiry(scratch, entry.expires_ms());
        for (class, payload) in entry.meta().into_iter().flat_map(|meta| &meta.items) {
            scratch.extend_from_slice(&class.to_le_bytes());
            text(scratch, payload);
        }
        hash(scratch, part, &entry.value, detail)
    }

    /// Returns the fingerprint of a value alone.
    pub fn of_value(&mut self, value: &Value<'_>, detail: Detail) -> u128 {
        let Fingerprint { scratch, part, .. } = self;
        scratch.clear();
        hash(scratch, part, value, detail)
    }
}

/// Returns the hash of `before` and a value.
fn hash(before: &mut Vec<u8>, part: &mut Vec<u8>, value: &Value<'_>, detail: Detail) -> u128 {
    match value {
        // Not copied: it can be longer than the memory that was allowed.
        Value::String(string) if string.len() >= LONG => string.with(|bytes| {
            before.push(STRING);
            before.extend_from_slice(&bytes.len().to_le_bytes());
            let mut hasher = Xxh3::new();
            hasher.update(before);
            hasher.update(bytes);
            hasher.digest128()
        }),
        value => {
            self::value(before, part, value, detail);
            xxh3_128(before)
        }
    }
}

/// The tag of strings.
const STRING: u8 = 0;

fn value(out: &mut Vec<u8>, part: &mut Vec<u8>, value: &Value<'_>, detail: Detail) {
    match value {
        Value::String(string) => {
            out.push(STRING);
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
                // Zero and negative zero are the same score.
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
        Value::Array(array) => {
            out.push(8);
            out.push(u8::from(array.insert_index().is_some()));
            out.extend_from_slice(&array.insert_index().unwrap_or_default().to_le_bytes());
            for (index, value) in array.items() {
                out.extend_from_slice(&index.to_le_bytes());
                text(out, &value.text());
            }
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
        for id in group.nacked().iter().filter(|id| !detail.by_commands() || stream.contains(**id))
        {
            out.extend_from_slice(&id.ms.to_le_bytes());
            out.extend_from_slice(&id.seq.to_le_bytes());
            let deliveries = group.pending_at(*id).map(|(pending, _)| pending.deliveries);
            out.extend_from_slice(&deliveries.unwrap_or_default().to_le_bytes());
        }
    }
    if let Some(idmp) = stream.idmp() {
        self::idmp(out, idmp, stream, detail);
    }
}

/// The counters are included only where they can be stored: commands count each id that they record,
/// and no duplicates.
fn idmp(out: &mut Vec<u8>, idmp: &Idmp<'_>, stream: &Stream<'_>, detail: Detail) {
    let config = idmp.config();
    let is_tracked = |id: &StreamId| !detail.by_commands() || stream.contains(*id);
    let has_ids =
        idmp.producers().any(|(_, producer)| producer.ids().any(|(_, id)| is_tracked(&id)));
    let counted = StreamIdmp { iids_added: 0, duplicates: 0, ..*config };
    if !has_ids && if detail == Detail::All { *config } else { counted } == IDMP_DEFAULT {
        return;
    }
    out.extend_from_slice(&config.duration.to_le_bytes());
    out.extend_from_slice(&config.max_entries.to_le_bytes());
    if detail == Detail::All {
        out.extend_from_slice(&config.iids_added.to_le_bytes());
        out.extend_from_slice(&config.duplicates.to_le_bytes());
    }
    for (name, producer) in idmp.producers() {
        let ids = || producer.ids().filter(|(_, id)| is_tracked(id));
        if ids().next().is_none() {
            continue;
        }
        text(out, name);
        for (iid, id) in ids() {
            match iid {
                Iid::Given(iid) => text(out, iid),
                Iid::OfFields(digest) => out.extend_from_slice(&digest.to_le_bytes()),
            }
            out.extend_from_slice(&id.ms.to_le_bytes());
            out.extend_from_slice(&id.seq.to_le_bytes());
        }
    }
}

/// Returns the sum of the hashes of unordered parts.
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
