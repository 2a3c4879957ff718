//! Streams: nodes of entries, then metadata, then consumer groups.
//!
//! | part | bytes |
//! |---|---|
//! | nodes | a length n, then n times two strings: 16 bytes (an id) and a [`listpack`](super::listpack) |
//! | counts | lengths: number of entries; last id |
//! | since version 2 | lengths: first id; highest deleted id; number of entries ever added |
//! | groups | a length n, then n groups |
//! | since version 4 | the producers: see [`idmp`](super::idmp) |
//!
//! | a group | bytes |
//! |---|---|
//! | name | a string |
//! | last id | two lengths |
//! | since version 2 | a length: entries read, or all bits set if unknown |
//! | pending | a length n, then n times an id in 16 bytes, 8 bytes time of delivery, a length: deliveries |
//! | consumers | a length n, then n times name, 8 bytes last seen, since version 3: 8 bytes last active, and a length m and m ids in 16 bytes |
//! | since version 5: not acknowledged | a length n, then n ids in 16 bytes: pending for no consumer |
//!
//! An id is milliseconds and sequence; in 16 bytes it is big endian, and times are little endian.
//! Version 1 came with Redis 5.0, 2 with 7.0, 3 with 7.2, 4 with 8.6, 5 with 8.8.
//!
//! | content of a node's listpack | |
//! |---|---|
//! | number of live entries, number of deleted entries, number n of fields, n fields, 0 | once |
//! | flags, difference to the node's id in milliseconds and in sequence | for each entry |
//! | n values if flag 2 is set, else a number m and m times field, value | |
//! | the number of items of this entry so far | |
//!
//! An entry with flag 1 is deleted. Checked against `rdbLoadObject` in `rdb.c` and
//! `streamValidateListpackIntegrity` in `t_stream.c` of Valkey 8.0, files of Redis 8.6, and, for version
//! 5, librdb (#98).

use super::cursor::{Blob, Item};
use super::fault::{DamageKind, Fault, Read};
use super::items::{END, Items};
use super::listpack::Listpack;
use super::load_check::LoadCheck;
use super::reader::{Reader, Streams};
use super::text::Text;
use super::visitor::{KeyEnd, StreamId, StreamInfo, Visitor};
use crate::rdb::duplicate_detection::Unique;

const DELETED: i64 = 1;
const SAME_FIELDS: i64 = 2;
/// The size in bytes of a listpack without entries.
const EMPTY_LISTPACK_BYTES: usize = 7;
/// The owner of an entry that no consumer has claimed yet; consumers are counted from 1.
const NOBODY: u64 = 0;
/// The owner of an entry that a consumer gave back, so that no consumer has it.
const GIVEN_BACK: u64 = u64::MAX;

impl StreamId {
    fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_be_bytes(bytes);
        // The truncation is intended: it splits the id into its halves.
        #[allow(clippy::cast_possible_truncation)]
        let (ms, seq) = ((both >> 64) as u64, both as u64);
        StreamId { ms, seq }
    }
}

impl<'a, V: Visitor<'a>> Reader<'a, '_, V> {
    pub(super) fn stream(&mut self, version: u8) -> Read<KeyEnd> {
        let nodes = self.cursor.length("the number of a stream's nodes")?;
        self.tools.streams.nodes.clear();
        // The number of entries that are not deleted, unless a node is broken.
        let mut live = Some(0);
        for _ in 0..nodes {
            let id = self.node_id()?;
            self.tools.streams.nodes.push(id);
            let of_node = self.unpack("a node of a stream", None, |reader, blob| {
                reader.node(blob, id, version).map(Some)
            })?;
            live = live.zip(of_node).map(|(all, more): (u64, u64)| all.saturating_add(more));
        }
        let at = self.cursor.pos();
        if !ascend_strictly(&mut self.tools.streams.nodes) {
            return Err(Fault::new(at, "the nodes of a stream", DamageKind::Duplicate));
        }
        let mut info = StreamInfo {
            length: self.cursor.length("the length of a stream")?,
            last_id: self.id("the last id of a stream")?,
            ..StreamInfo::default()
        };
        if version >= 2 {
            info.first_id = Some(self.id("the first id of a stream")?);
            info.max_deleted_id = Some(self.id("the highest deleted id of a stream")?);
            let added = self.cursor.length("the entries ever added to a stream")?;
            info.entries_added = Some(added);
        }
        if info.length > 0 && nodes == 0 {
            let rule = "it has entries, but no node that holds them";
            let fault = Fault::broken(at, "the length of a stream", rule);
            self.tolerate(fault.checked_by(LoadCheck::Since70))?;
        }
        if let Some(found) = live.filter(|found| *found != info.length) {
            let kind = DamageKind::Mismatch { declared: info.length, found };
            let fault = Fault::new(at, "the length of a stream", kind);
            self.note(fault.checked_by(LoadCheck::Since91));
        }
        self.visitor.stream(&info);
        let groups = self.cursor.length("the number of a stream's groups")?;
        self.tools.streams.groups.begin(groups);
        for _ in 0..groups {
            self.group(version)?;
        }
        if version >= 4 {
            self.producers()?;
        }
        // A stream may be empty; servers load it.
        Ok(KeyEnd::Whole)
    }

    pub(super) fn id(&mut self, reading: &'static str) -> Read<StreamId> {
        Ok(StreamId { ms: self.cursor.length(reading)?, seq: self.cursor.length(reading)? })
    }

    fn node_id(&mut self) -> Read<StreamId> {
        const READING: &str = "the id of a stream's node";
        let at = self.cursor.pos();
        let id = self.cursor.text(READING)?;
        match id.bytes(&mut self.tools.scratch).try_into() {
            Ok(bytes) => Ok(StreamId::from_bytes(bytes)),
            Err(_) => Err(Fault::broken(at, READING, "it is not 16 bytes long")),
        }
    }

    /// Reads a node, and returns the number of its entries that are not deleted.
    fn node(&mut self, blob: Blob<'a, '_>, base: StreamId, version: u8) -> Read<u64> {
        let items = Listpack::open(blob.bytes)
            .map_err(|fault| blob.place(fault).checked_by(LoadCheck::Elements))?;
        let items_check = if version == 1 { LoadCheck::OldStream } else { LoadCheck::Packed };
        let mut node = Node { items, blob, items_check: LoadCheck::FirstEntries };
        if blob.bytes.get(EMPTY_LISTPACK_BYTES - 1) == Some(&END) {
            let fault = blob.place(Fault::broken(0, "a node of a stream", "it is empty"));
            return Err(fault.checked_by(LoadCheck::Always));
        }
        let live = node.count("the number of a node's entries")?;
        node.items_check = items_check;
        let deleted = node.count("the number of a node's deleted entries")?;
        let count = node.count("the number of a node's fields")?;
        self.tools.streams.fields.clear();
        for _ in 0..count {
            let (_, field) = node.next("a field of a stream's node")?;
            self.tools.streams.fields.push(field);
        }
        const READING_END: &str = "the end of a node's fields";
        let (at, zero) = node.number(READING_END)?;
        if zero != 0 {
            let rule = "it is not 0";
            return Err(node.broken(at, READING_END, rule));
        }
        let mut found = 0;
        for _ in 0..live.saturating_add(deleted) {
            found += u64::from(self.entry(&mut node, base)?);
        }
        if found != live {
            let kind = DamageKind::Mismatch { declared: live, found };
            let fault = blob.fault(0, "the number of a node's entries", kind);
            self.note(fault.checked_by(LoadCheck::Since91));
        }
        match node.items.next().map_err(|fault| blob.place(fault)) {
            Ok(None) => Ok(found),
            Ok(Some((at, _))) => {
                let rule = "there is more than the entries that it counts";
                Err(node.broken(at, "a node of a stream", rule))
            }
            Err(fault) if matches!(fault.0.kind, DamageKind::Mismatch { .. }) => {
                self.tolerate(fault.checked_by(LoadCheck::Since91)).map(|()| found)
            }
            Err(fault) => Err(fault.checked_by(node.items_check)),
        }
    }

    /// Reads an entry, and returns whether it is not deleted.
    fn entry(&mut self, node: &mut Node<'a, '_>, base: StreamId) -> Read<bool> {
        const READING_COUNT: &str = "the number of items of a stream's entry";
        let blob = node.blob;
        let (_, flags) = node.number("the flags of a stream's entry")?;
        let mut difference = || node.number("the id of a stream's entry");
        // Differences are signed, and added as the servers add them: without an overflow check.
        let id = StreamId {
            ms: base.ms.wrapping_add_signed(difference()?.1),
            seq: base.seq.wrapping_add_signed(difference()?.1),
        };
        let live = flags & DELETED == 0;
        let items = if flags & SAME_FIELDS == 0 {
            let fields = node.count("the number of an entry's fields")?;
            if live {
                self.visitor.stream_entry(id, fields);
            }
            for _ in 0..fields {
                let (_, field) = node.next("a field of a stream's entry")?;
                let (_, value) = node.next("a value of a stream's entry")?;
                if live {
                    self.visitor.stream_field(blob.text(field), blob.text(value));
                }
            }
            // Each field was read, so twice their number fits.
            4 + 2 * fields
        } else {
            let fields = self.tools.streams.fields.len() as u64;
            if live {
                self.visitor.stream_entry(id, fields);
            }
            for &field in &self.tools.streams.fields {
                let (_, value) = node.next("a value of a stream's entry")?;
                if live {
                    self.visitor.stream_field(blob.text(field), blob.text(value));
                }
            }
            3 + fields
        };
        let (at, declared) = node.number(READING_COUNT)?;
        if u64::try_from(declared) != Ok(items) {
            let kind = DamageKind::Mismatch {
                declared: u64::try_from(declared).unwrap_or(u64::MAX),
                found: items,
            };
            return Err(blob.fault(at, READING_COUNT, kind).checked_by(LoadCheck::Packed));
        }
        Ok(live)
    }

    fn group(&mut self, version: u8) -> Read<()> {
        const READING: &str = "the name of a group";
        let at = self.cursor.pos();
        let name = self.cursor.text(READING)?;
        self.remember_name(at, name, READING, |streams| &mut streams.groups)?;
        let last_id = self.id("the last id of a group")?;
        let entries_read = match version {
            1 => None,
            // All bits set means -1: unknown.
            _ => Some(self.cursor.length("the entries read by a group")?)
                .filter(|read| *read != u64::MAX),
        };
        self.visitor.group(name, last_id, entries_read);

        let at = self.cursor.pos();
        let pending = self.cursor.length("the number of a group's pending entries")?;
        self.tools.streams.pending.clear();
        for _ in 0..pending {
            let id = self.cursor.fixed("the id of a pending entry")?;
            let id = StreamId::from_bytes(id);
            let delivered = self.cursor.millis("the delivery of a pending entry")?;
            let deliveries = self.cursor.length("the deliveries of a pending entry")?;
            self.visitor.pending(id, delivered, deliveries);
            self.tools.streams.pending.push(id);
        }
        if !ascend_strictly(&mut self.tools.streams.pending) {
            return Err(Fault::new(at, "the pending entries of a group", DamageKind::Duplicate));
        }
        let Streams { owners, pending, .. } = &mut self.tools.streams;
        owners.clear();
        owners.resize(pending.len(), NOBODY);

        let consumers = self.cursor.length("the number of a group's consumers")?;
        self.tools.streams.consumers.begin(consumers);
        for number in 1..=consumers {
            self.consumer(version, number)?;
        }
        if version >= 5 {
            self.nacked()?;
        }
        if self.tools.streams.owners.contains(&NOBODY) {
            let rule = "some are pending for no consumer";
            let fault = Fault::broken(at, "the pending entries of a group", rule);
            self.tolerate(fault.checked_by(LoadCheck::PendingOwner))?;
        }
        Ok(())
    }

    fn consumer(&mut self, version: u8, number: u64) -> Read<()> {
        const READING: &str = "the name of a consumer";
        const READING_PENDING: &str = "an entry that is pending for a consumer";
        let at = self.cursor.pos();
        let name = self.cursor.text(READING)?;
        if let Err(fault) = self.remember_name(at, name, READING, |streams| &mut streams.consumers)
        {
            self.tolerate(fault.checked_by(LoadCheck::Since70))?;
        }
        let seen = self.cursor.millis("the time a consumer was seen")?;
        let active = match version {
            1 | 2 => None,
            _ => Some(self.cursor.millis("the time a consumer was active")?),
        };
        self.visitor.consumer(name, seen, active);
        let pending = self.cursor.length("the number of a consumer's pending entries")?;
        for _ in 0..pending {
            let id = self.own(number, READING_PENDING)?;
            self.visitor.consumer_pending(id);
        }
        Ok(())
    }

    /// Reads the entries that consumers gave back.
    fn nacked(&mut self) -> Read<()> {
        let count = self.cursor.length("the number of a group's entries that no consumer has")?;
        for _ in 0..count {
            let id = self.own(GIVEN_BACK, "an entry that no consumer has")?;
            self.visitor.group_nacked(id);
        }
        Ok(())
    }

    /// Reads the id of an entry that is pending in the group, and notes its owner.
    fn own(&mut self, number: u64, reading: &'static str) -> Read<StreamId> {
        let at = self.cursor.pos();
        let id = StreamId::from_bytes(self.cursor.fixed(reading)?);
        let Ok(index) = self.tools.streams.pending.binary_search(&id) else {
            let rule = "it is not among those of the group";
            return Err(Fault::broken(at, reading, rule));
        };
        let owner = &mut self.tools.streams.owners[index];
        if *owner == number {
            return Err(Fault::new(at, reading, DamageKind::Duplicate));
        }
        if number == GIVEN_BACK && *owner != NOBODY {
            return Err(Fault::broken(at, reading, "a consumer has it"));
        }
        let shared = *owner != NOBODY;
        *owner = number;
        if shared {
            let fault = Fault::broken(at, reading, "another consumer has it");
            self.note(fault.checked_by(LoadCheck::SharedPending));
        }
        Ok(id)
    }

    pub(super) fn remember_name(
        &mut self,
        at: usize,
        name: Text<'a, '_>,
        reading: &'static str,
        names: impl Fn(&mut Streams) -> &mut Unique,
    ) -> Read<()> {
        // The table of members is unused while a stream is read, so the table of names can take its
        // place.
        std::mem::swap(&mut self.tools.unique, names(&mut self.tools.streams));
        let result = self.remember(at, name, reading);
        std::mem::swap(&mut self.tools.unique, names(&mut self.tools.streams));
        result
    }
}

/// The listpack of a node, read item by item.
struct Node<'a, 's> {
    items: Listpack<'s>,
    blob: Blob<'a, 's>,
    /// The check of the items as such.
    items_check: LoadCheck,
}

impl Node<'_, '_> {
    #[inline]
    fn next(&mut self, reading: &'static str) -> Read<(usize, Item)> {
        match self.items.next() {
            Ok(Some(item)) => Ok(item),
            Ok(None) => {
                let at = self.blob.bytes.len() - 1;
                let rule = "the node ends before it";
                Err(self.broken(at, reading, rule))
            }
            Err(fault) => Err(self.blob.place(fault).checked_by(self.items_check)),
        }
    }

    #[cold]
    fn broken(&self, at: usize, reading: &'static str, rule: &'static str) -> Fault {
        self.blob.place(Fault::broken(at, reading, rule)).checked_by(LoadCheck::Packed)
    }

    fn number(&mut self, reading: &'static str) -> Read<(usize, i64)> {
        let (at, item) = self.next(reading)?;
        let number = match item {
            Item::Int(number) => Some(number),
            // No writer stores a number like this, but the servers' loaders accept it.
            Item::Bytes { from, len } => self
                .blob
                .bytes
                .get(from..from + len)
                .and_then(|text| std::str::from_utf8(text).ok())
                .and_then(|text| text.parse().ok()),
        };
        match number {
            Some(number) => Ok((at, number)),
            None => Err(self.broken(at, reading, "it is not a number")),
        }
    }

    fn count(&mut self, reading: &'static str) -> Read<u64> {
        let (at, number) = self.number(reading)?;
        u64::try_from(number).map_err(|_| self.broken(at, reading, "it is negative"))
    }
}

/// Sorts the ids if necessary (servers write them in ascending order), and returns whether they are
/// unique.
fn ascend_strictly(ids: &mut [StreamId]) -> bool {
    if !ids.is_sorted() {
        ids.sort_unstable();
    }
    ids.windows(2).all(|pair| pair[0] < pair[1])
}
