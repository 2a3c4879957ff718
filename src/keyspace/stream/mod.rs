//! Streams.
//!
//! A [`Stream`] is its entries in the order of their ids, three things that it remembers of the past (the
//! last id, the highest id deleted, how many entries were ever added), and its consumer groups.
//!
//! | file | what it knows |
//! |---|---|
//! | `entries` | the entries in their order: cheap at both ends, and to look up |
//! | `fields` | the fields of an entry, in the bytes that a log has for them |
//! | `group` | a consumer group: what is pending, and its consumers |

mod entries;
mod fields;
mod group;

use std::collections::BTreeMap;

use bumpalo::Bump;

pub use crate::rdb::{StreamId, StreamInfo};
use entries::Entries;
pub use fields::{Fields, FieldsBuffer};
pub use group::{Claim, Consumer, ConsumerNumber, Deliveries, Group, Pending};

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream<'a> {
    entries: Entries<'a>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    /// By name, in the order of its bytes.
    groups: BTreeMap<&'a [u8], Group<'a>>,
    /// The lowest of the last ids of groups that are gone.
    slowest_gone: Option<StreamId>,
}

/// An entry's id is not above those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder;

impl<'a> Stream<'a> {
    /// How many entries it has. A stream without any stays.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Its entries in the order of ids.
    pub fn entries(&self) -> impl Iterator<Item = (StreamId, Fields<'a>)> {
        self.entries.iter()
    }

    /// Its entries from an id on, in the order of ids.
    pub fn entries_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, Fields<'a>)> {
        self.entries.from(id)
    }

    /// Whether the entry is there.
    pub fn contains(&self, id: StreamId) -> bool {
        self.entries.contains(id)
    }

    /// The lowest id that is there.
    pub fn first_id(&self) -> Option<StreamId> {
        self.entries.first()
    }

    /// The highest id that is there.
    pub fn top_id(&self) -> Option<StreamId> {
        self.entries.last()
    }

    /// The id that the next must be above: the highest that was ever added, unless it was set.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// The highest id that was deleted by name; trimming does not count.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// How many entries were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// All that it says of itself.
    pub fn info(&self) -> StreamInfo {
        StreamInfo {
            length: self.len() as u64,
            last_id: self.last_id,
            first_id: Some(self.first_id().unwrap_or_default()),
            max_deleted_id: Some(self.max_deleted_id),
            entries_added: Some(self.entries_added),
        }
    }

    /// Takes over what an RDB says of the stream, after its entries: the last id and the counters. Where
    /// it says nothing, because it is of Redis 6.2 or before, what a server assumes then: as many entries
    /// were added as there are, and none was deleted. The length and the first id are what they are.
    pub fn set_info(&mut self, info: &StreamInfo) {
        self.last_id = info.last_id;
        self.max_deleted_id = info.max_deleted_id.unwrap_or_default();
        self.entries_added = info.entries_added.unwrap_or(self.len() as u64);
    }

    /// Puts an entry behind all others and counts it. The last id becomes its own.
    ///
    /// # Errors
    ///
    /// When an entry is there whose id is not below, or the last id is not: nothing is added then.
    #[inline]
    pub fn add(&mut self, id: StreamId, fields: Fields<'a>) -> Result<(), OutOfOrder> {
        if id <= self.last_id || self.entries.last().is_some_and(|last| id <= last) {
            return Err(OutOfOrder);
        }
        self.entries.push(id, fields);
        self.last_id = id;
        self.entries_added = self.entries_added.wrapping_add(1);
        Ok(())
    }

    /// Puts an entry of an RDB behind all others; the fields are copied into the arena. To be followed by
    /// [`set_info`](Self::set_info).
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn load_entry(
        &mut self,
        id: StreamId,
        fields: &FieldsBuffer,
        arena: &'a Bump,
    ) -> Result<(), OutOfOrder> {
        self.add(id, fields.in_arena(arena))
    }

    /// Removes an entry by name, which is remembered. Says whether it was there.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let was_there = self.entries.remove(id);
        if was_there {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        was_there
    }

    /// Removes an entry without remembering it, as trimming does. Says whether it was there.
    pub fn trim_entry(&mut self, id: StreamId) -> bool {
        self.entries.remove(id)
    }

    /// Removes the lowest entries until no more than `length` are left.
    pub fn trim_to_length(&mut self, length: usize) {
        if length == 0 {
            self.entries.clear();
        }
        while self.entries.len() > length {
            self.entries.pop_first();
        }
    }

    /// Removes the entries below an id.
    pub fn trim_below(&mut self, id: StreamId) {
        while self.entries.first().is_some_and(|first| first < id) {
            self.entries.pop_first();
        }
    }

    /// Sets what the stream remembers; what is `None` stays as it is. Nothing is checked.
    pub fn set_counters(
        &mut self,
        last_id: StreamId,
        entries_added: Option<u64>,
        max_deleted_id: Option<StreamId>,
    ) {
        self.last_id = last_id;
        self.entries_added = entries_added.unwrap_or(self.entries_added);
        self.max_deleted_id = max_deleted_id.unwrap_or(self.max_deleted_id);
    }

    /// How many entries up to this id were ever added, where a server could tell
    /// (`streamEstimateDistanceFromFirstEverEntry` in `t_stream.c`). It is what a server makes of the group's
    /// last id where an RDB of Redis 6.2 or before does not say how many entries a group has read.
    pub fn entries_up_to(&self, id: StreamId) -> Option<u64> {
        if self.entries_added == 0 {
            return Some(0);
        }
        let Some(first) = self.first_id() else {
            return (id <= self.last_id).then_some(self.entries_added);
        };
        if id == self.last_id {
            return Some(self.entries_added);
        }
        let gaps_ahead = self.max_deleted_id != StreamId::default() && self.max_deleted_id >= first;
        if id > self.last_id || gaps_ahead || id > first {
            return None;
        }
        let before = self.entries_added.wrapping_sub(self.len() as u64);
        Some(if id == first { before.wrapping_add(1) } else { before })
    }

    /// Whether an entry from this id on may have been deleted by name, as far as a server can tell
    /// (`streamRangeHasTombstones`).
    pub fn has_gaps_from(&self, id: StreamId) -> bool {
        self.first_id().is_some_and(|first| {
            self.max_deleted_id != StreamId::default()
                && first <= self.max_deleted_id
                && id <= self.max_deleted_id
        })
    }

    /// Adds a group, unless there is one of this name. `entries_read` is `None` where it is not known.
    pub fn add_group(
        &mut self,
        name: &'a [u8],
        last_id: StreamId,
        entries_read: Option<u64>,
    ) -> Option<&mut Group<'a>> {
        use std::collections::btree_map::Entry;
        match self.groups.entry(name) {
            Entry::Occupied(_) => None,
            Entry::Vacant(free) => Some(free.insert(Group::new(last_id, entries_read))),
        }
    }

    /// Removes a group. Says whether it was there.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Some(group) = self.groups.remove(name) else { return false };
        let last_id = group.last_id();
        self.slowest_gone = Some(self.slowest_gone.map_or(last_id, |slowest| slowest.min(last_id)));
        true
    }

    /// A group.
    pub fn group(&self, name: &[u8]) -> Option<&Group<'a>> {
        self.groups.get(name)
    }

    /// A group, to change it.
    #[inline]
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group<'a>> {
        self.groups.get_mut(name)
    }

    /// Whether an entry is there, and a group to change it.
    #[inline]
    pub fn contains_and_group(
        &mut self,
        id: StreamId,
        name: &[u8],
    ) -> (bool, Option<&mut Group<'a>>) {
        (self.entries.contains(id), self.groups.get_mut(name))
    }

    /// The groups and their names, in the order of the names' bytes.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &Group<'a>)> {
        self.groups.iter().map(|(name, group)| (*name, group))
    }

    /// Whether a group has not delivered the entry yet, or nobody has acknowledged it there.
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.values().any(|group| id > group.last_id() || group.is_pending(id))
    }

    /// Whether Redis 8.2 may take an entry for referenced though it is not. It remembers how far the slowest group
    /// has read, and does not always forget it when that group is removed: then an entry that was new to it
    /// still counts as such, as long as there is another group. *Observed* for 8.2.3.
    pub fn may_be_held_by_a_gone_group(&self, id: StreamId) -> bool {
        !self.groups.is_empty() && self.slowest_gone.is_some_and(|slowest| id > slowest)
    }

    /// Takes the entry off everything that is pending, in all groups.
    pub fn forget_pending(&mut self, id: StreamId) {
        for group in self.groups.values_mut() {
            group.acknowledge(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> StreamId {
        StreamId { ms, seq }
    }

    fn with_entries(ids: &[StreamId]) -> Stream<'static> {
        let mut stream = Stream::default();
        for id in ids {
            stream.add(*id, Fields::default()).expect("ascending");
        }
        stream
    }

    #[test]
    fn ids_ascend() {
        let mut stream = with_entries(&[id(1, 1), id(1, 2)]);
        assert_eq!(stream.add(id(1, 2), Fields::default()), Err(OutOfOrder));
        assert_eq!(stream.add(id(0, 9), Fields::default()), Err(OutOfOrder));
        assert!(stream.delete(id(1, 2)));
        assert_eq!(stream.add(id(1, 2), Fields::default()), Err(OutOfOrder), "its id was used");
        assert_eq!((stream.len(), stream.entries_added()), (1, 2));
        assert_eq!((stream.last_id(), stream.top_id()), (id(1, 2), Some(id(1, 1))));
        assert_eq!(stream.max_deleted_id(), id(1, 2));
    }

    #[test]
    fn trimming_is_not_remembered_as_deletion() {
        let ids: Vec<StreamId> = (1..=10).map(|ms| id(ms, 0)).collect();
        let mut stream = with_entries(&ids);
        stream.trim_to_length(6);
        stream.trim_below(id(7, 0));
        assert!(stream.trim_entry(id(9, 0)));
        let left: Vec<u64> = stream.entries().map(|(id, _)| id.ms).collect();
        assert_eq!(left, [7, 8, 10]);
        assert_eq!(stream.max_deleted_id(), id(0, 0));
        stream.trim_to_length(0);
        assert_eq!((stream.len(), stream.first_id()), (0, None));
        assert_eq!((stream.last_id(), stream.entries_added()), (id(10, 0), 10));
    }

    #[test]
    fn what_is_referenced_is_undelivered_or_pending() {
        let mut stream = with_entries(&[id(1, 0), id(2, 0), id(3, 0)]);
        assert!(!stream.is_referenced(id(1, 0)), "there is no group");
        let group = stream.add_group(b"g", id(2, 0), None).expect("new");
        group.load_pending(id(1, 0), 5, 1);
        assert!(stream.add_group(b"g", id(0, 0), None).is_none());
        let referenced = [1, 2, 3].map(|ms| stream.is_referenced(id(ms, 0)));
        assert_eq!(referenced, [true, false, true]);
        stream.forget_pending(id(1, 0));
        assert!(!stream.is_referenced(id(1, 0)));
    }

    /// The cases of the server's function, one after the other.
    #[test]
    fn entries_up_to_an_id_are_counted_where_that_is_certain() {
        assert_eq!(Stream::default().entries_up_to(id(9, 9)), Some(0));
        let mut stream = with_entries(&[id(1, 0), id(2, 0), id(3, 0), id(4, 0)]);
        stream.trim_to_length(3);
        let up_to =
            |stream: &Stream<'_>| [0, 1, 2, 3, 4, 5].map(|ms| stream.entries_up_to(id(ms, 0)));
        assert_eq!(up_to(&stream), [Some(1), Some(1), Some(2), None, Some(4), None]);
        stream.delete(id(3, 0));
        assert_eq!(up_to(&stream), [None, None, None, None, Some(4), None]);
        stream.trim_to_length(0);
        assert_eq!(up_to(&stream), [Some(4), Some(4), Some(4), Some(4), Some(4), None]);
    }
}
