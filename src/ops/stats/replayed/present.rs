//! The keys at the end of a log.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::counter::Counter;
use super::sizes::Items;
use super::slots::Slots;
use crate::base::escape::OwnedText;
use crate::base::slot::slot_of;
use crate::keyspace::{Entry, Value};
use crate::ops::stats::prefixes::{PATTERNS, PatternSums, Sums};
use crate::ops::stats::report::{
    ExpiryPeak, LargeKey, Present, Share, ShareOf, SizeBucket, StreamFacts, TtlBucket, TtlRange,
};
use crate::ops::stats::tables::rows::KeyRow;
use crate::ops::stats::top::{Top, reported_name};
use crate::rdb::Kind;
use crate::rewrite::commands::CommandWriter;

/// The maximum number of minutes in which expiries are counted.
const MINUTES: usize = 100_000;

/// The counts of one shard, or of all.
pub(super) struct KeyCounts {
    total: Share,
    by_type: BTreeMap<Kind, Share>,
    by_encoding: BTreeMap<&'static str, Share>,
    by_db: BTreeMap<u32, Share>,
    ttl: BTreeMap<TtlRange, u64>,
    /// By the number of bits of the size.
    sizes: BTreeMap<u32, (u64, u64)>,
    /// The keys that expire, by minute.
    minutes: BTreeMap<i64, u64>,
    by_bytes: Top<BySize>,
    by_items: Top<BySize>,
    streams: Top<ByEntries>,
    stream_count: u64,
    slots: Slots,
    prefixes: PatternSums,
    /// Of one shard, if they are wanted.
    rows: Vec<KeyRow>,
}

/// A key; ordered by its size, then by database and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct BySize {
    size: u64,
    of: Reverse<(u32, Vec<u8>)>,
    kind: Kind,
    items: Items,
    bytes: u64,
    memory_bytes: Option<u64>,
    expires_ms: Option<i64>,
}

/// A stream; ordered by the number of its entries, then by database and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ByEntries {
    entries: u64,
    of: Reverse<(u32, Vec<u8>)>,
    groups: u64,
    consumers: u64,
    pending: u64,
}

impl KeyCounts {
    pub(super) fn new() -> KeyCounts {
        KeyCounts {
            total: Share::default(),
            by_type: BTreeMap::new(),
            by_encoding: BTreeMap::new(),
            by_db: BTreeMap::new(),
            ttl: BTreeMap::new(),
            sizes: BTreeMap::new(),
            minutes: BTreeMap::new(),
            by_bytes: Top::default(),
            by_items: Top::default(),
            streams: Top::default(),
            stream_count: 0,
            slots: Slots::default(),
            prefixes: PatternSums::new(PATTERNS),
            rows: Vec::new(),
        }
    }

    /// Takes the rows of the keys.
    pub(super) fn take_rows(&mut self) -> Vec<KeyRow> {
        std::mem::take(&mut self.rows)
    }

    pub(super) fn join(&mut self, other: KeyCounts) {
        self.total.add(&other.total);
        add_shares(&mut self.by_type, other.by_type);
        add_shares(&mut self.by_encoding, other.by_encoding);
        add_shares(&mut self.by_db, other.by_db);
        for (range, keys) in other.ttl {
            *self.ttl.entry(range).or_default() += keys;
        }
        for (bits, (keys, bytes)) in other.sizes {
            let size = self.sizes.entry(bits).or_default();
            *size = (size.0 + keys, size.1 + bytes);
        }
        for (minute, keys) in other.minutes {
            if self.minutes.len() < MINUTES || self.minutes.contains_key(&minute) {
                *self.minutes.entry(minute).or_default() += keys;
            }
        }
        self.by_bytes.join(other.by_bytes);
        self.by_items.join(other.by_items);
        self.streams.join(other.streams);
        self.stream_count += other.stream_count;
        self.slots.join(&other.slots);
        self.prefixes.join(other.prefixes);
    }

    /// Returns the report, and the sums by prefix.
    pub(super) fn finish(self) -> (Present, PatternSums) {
        let mut peaks: Vec<ExpiryPeak> = self
            .minutes
            .iter()
            .map(|(minute, keys)| ExpiryPeak { time: minute.saturating_mul(60), keys: *keys })
            .collect();
        peaks.sort_by_key(|peak| (Reverse(peak.keys), peak.time));
        peaks.truncate(5);
        let present = Present {
            total: self.total,
            by_type: shares(self.by_type),
            by_encoding: shares(self.by_encoding),
            by_db: shares(self.by_db),
            prefixes: None,
            ttl: self.ttl.into_iter().map(|(ttl, keys)| TtlBucket { ttl, keys }).collect(),
            sizes: self
                .sizes
                .into_iter()
                .map(|(bits, (keys, bytes))| SizeBucket {
                    below: 1_u64.checked_shl(bits).unwrap_or(u64::MAX),
                    keys,
                    bytes,
                })
                .collect(),
            expiry_peaks: peaks,
            largest_by_bytes: self.by_bytes.into_sorted().into_iter().map(large_key).collect(),
            largest_by_items: self.by_items.into_sorted().into_iter().map(large_key).collect(),
            streams: self.streams.into_sorted().into_iter().map(stream_facts).collect(),
            stream_count: self.stream_count,
            functions: Vec::new(),
            memory: None,
            slots: self.slots.finish(),
        };
        (present, self.prefixes)
    }
}

fn large_key(large: BySize) -> LargeKey {
    let Reverse((db, key)) = large.of;
    LargeKey {
        db,
        key: OwnedText(key),
        kind: large.kind,
        items: large.items.count,
        bytes: large.bytes,
        largest_item: large.items.largest,
        memory_bytes: large.memory_bytes,
        expires_ms: large.expires_ms,
    }
}

fn stream_facts(stream: ByEntries) -> StreamFacts {
    let Reverse((db, key)) = stream.of;
    let ByEntries { entries, groups, consumers, pending, .. } = stream;
    StreamFacts { db, key: OwnedText(key), entries, groups, consumers, pending }
}

fn shares<T: Into<N>, N>(groups: BTreeMap<T, Share>) -> Vec<ShareOf<N>> {
    groups.into_iter().map(|(name, share)| ShareOf { name: name.into(), share }).collect()
}

fn add_shares<T: Ord>(all: &mut BTreeMap<T, Share>, other: BTreeMap<T, Share>) {
    for (group, share) in other {
        all.entry(group).or_default().add(&share);
    }
}

impl Share {
    fn add(&mut self, other: &Share) {
        self.keys += other.keys;
        self.expiring += other.expiring;
        self.items += other.items;
        self.bytes += other.bytes;
        self.memory_bytes = match (self.memory_bytes, other.memory_bytes) {
            (None, None) => None,
            (one, other) => Some(one.unwrap_or(0) + other.unwrap_or(0)),
        };
    }
}

/// Counts the keys of one shard.
pub(super) struct KeyCounter<'c> {
    counter: &'c Counter<'c>,
    counts: KeyCounts,
    writer: CommandWriter,
    pattern: Vec<u8>,
}

impl<'c> KeyCounter<'c> {
    pub(super) fn new(counter: &'c Counter<'c>) -> Self {
        KeyCounter {
            counter,
            counts: KeyCounts::new(),
            writer: CommandWriter::new(counter.server),
            pattern: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> KeyCounts {
        self.counts
    }

    /// Counts a key. A collection without elements is not counted, because no form of a log can represent it.
    pub(super) fn add(&mut self, db: u32, entry: &Entry<'_>) {
        if entry.value.lacks_elements() {
            return;
        }
        let (key, kind, expires_ms) = (entry.key(), entry.value.kind(), entry.expires_ms());
        let items = Items::of(&entry.value);
        let bytes = self.written_bytes(entry);
        let memory = self.counter.memory.key(entry);
        let memory_bytes = memory.map(|memory| memory.bytes);
        let share = Share {
            keys: 1,
            expiring: u64::from(expires_ms.is_some()),
            items: items.count,
            bytes,
            memory_bytes,
        };
        let counts = &mut self.counts;
        if self.counter.has_rows {
            counts.rows.push(KeyRow {
                db,
                key: key.to_vec(),
                kind,
                encoding: memory.map(|memory| memory.encoding),
                items: items.count,
                bytes,
                largest_item: items.largest,
                memory_bytes,
                expires_ms,
                ttl_ms: expires_ms.map(|ms| ms.saturating_sub(self.counter.now_ms)),
                slot: slot_of(key),
            });
        }
        counts.total.add(&share);
        counts.by_type.entry(kind).or_default().add(&share);
        if let Some(memory) = memory {
            counts.by_encoding.entry(memory.encoding).or_default().add(&share);
        }
        counts.by_db.entry(db).or_default().add(&share);
        *counts.ttl.entry(ttl_range(expires_ms, self.counter.now_ms)).or_default() += 1;
        let size = counts.sizes.entry(u64::BITS - bytes.leading_zeros()).or_default();
        *size = (size.0 + 1, size.1 + bytes);
        if let Some(minute) = expires_ms.map(|ms| ms.div_euclid(60_000))
            && (counts.minutes.len() < MINUTES || counts.minutes.contains_key(&minute))
        {
            *counts.minutes.entry(minute).or_default() += 1;
        }
        let large = |size| BySize {
            size,
            of: Reverse((db, reported_name(key))),
            kind,
            items,
            bytes,
            memory_bytes,
            expires_ms,
        };
        if counts.by_bytes.least().is_none_or(|least| least.size <= bytes) {
            counts.by_bytes.offer(large(bytes));
        }
        let is_collection = !matches!(kind, Kind::String | Kind::Module);
        if is_collection && counts.by_items.least().is_none_or(|least| least.size <= items.count) {
            counts.by_items.offer(large(items.count));
        }
        counts.slots.add(key, bytes);
        self.counter.patterns.encode(key, &mut self.pattern);
        let memory = memory_bytes.unwrap_or(0);
        let sums = Sums { keys: 1, key_bytes: bytes, memory, ..Sums::default() };
        counts.prefixes.add(&self.pattern, sums);
        if let Value::Stream(stream) = &entry.value {
            counts.stream_count += 1;
            let groups = stream.groups();
            let count = groups.len() as u64;
            let (consumers, pending) = groups.fold((0, 0), |(consumers, pending), (_, group)| {
                (consumers + group.consumers().len() as u64, pending + group.pending().len() as u64)
            });
            counts.streams.offer(ByEntries {
                entries: items.count,
                of: Reverse((db, reported_name(key))),
                groups: count,
                consumers,
                pending,
            });
        }
    }

    /// Returns the size of a key in a log of commands. A key that has no such form counts with the size of its name and
    /// its value.
    fn written_bytes(&mut self, entry: &Entry<'_>) -> u64 {
        let written = self.writer.key(entry);
        let buffer = self.writer.buffer();
        let bytes = buffer.len() as u64;
        buffer.clear();
        match written {
            Ok(()) => bytes,
            Err(_) => match &entry.value {
                Value::Module(payload) => (entry.key().len() + payload.len()) as u64,
                _ => entry.key().len() as u64,
            },
        }
    }
}

fn ttl_range(expires_ms: Option<i64>, now_ms: i64) -> TtlRange {
    const MINUTE: i64 = 60_000;
    const DAY: i64 = 24 * 60 * MINUTE;
    let Some(expires_ms) = expires_ms else { return TtlRange::None };
    match expires_ms.saturating_sub(now_ms) {
        i64::MIN..=0 => TtlRange::Past,
        ms if ms < MINUTE => TtlRange::Minute,
        ms if ms < 60 * MINUTE => TtlRange::Hour,
        ms if ms < DAY => TtlRange::Day,
        ms if ms < 7 * DAY => TtlRange::Week,
        ms if ms < 30 * DAY => TtlRange::Month,
        _ => TtlRange::Longer,
    }
}
