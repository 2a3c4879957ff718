//! Streams.
//!
//! A [`Stream`] consists of its entries in the order of their ids, three counters of the past (the
//! last id, the highest deleted id, the number of entries ever added), and its consumer groups.
//!
//! | file | content |
//! |---|---|
//! | `entries` | the entries in order, with cheap access at both ends and by id |
//! | `fields` | the fields of an entry, in the format of the log |
//! | `group` | a consumer group: its pending entries and its consumers |
//! | `idmp` | the entries that producers added, to detect one that is added twice |

mod entries;
mod fields;
mod group;
mod idmp;

use std::collections::BTreeMap;

use bumpalo::Bump;

pub use crate::rdb::StreamIdmp;
pub use crate::rdb::{StreamId, StreamInfo};
use entries::Entries;
pub use fields::{Fields, FieldsBuffer};
pub use group::{Claim, Consumer, ConsumerNumber, Deliveries, Group, Pending};
pub use idmp::{DEFAULT as IDMP_DEFAULT, Idmp, Iid, Producer};

/// A stream.
#[derive(Debug, Clone, Default)]
pub struct Stream<'a> {
    entries: Entries<'a>,
    last_id: StreamId,
    max_deleted_id: StreamId,
    entries_added: u64,
    /// By name, in the order of its bytes.
    groups: BTreeMap<&'a [u8], Group<'a>>,
    /// The lowest of the last ids of removed groups.
    slowest_gone: Option<StreamId>,
    /// `None` as long as it is the default.
    idmp: Option<Box<Idmp<'a>>>,
}

/// The id of an entry is not above the existing ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfOrder;

impl<'a> Stream<'a> {
    /// Returns the number of entries. A stream without entries is valid and remains.
    #[inline]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.entries.len() == 0
    }

    /// Returns the entries in the order of ids.
    pub fn entries(&self) -> impl Iterator<Item = (StreamId, Fields<'a>)> {
        self.entries.iter()
    }

    /// Returns the entries from an id on, in the order of ids.
    pub fn entries_from(&self, id: StreamId) -> impl Iterator<Item = (StreamId, Fields<'a>)> {
        self.entries.from(id)
    }

    /// Returns whether the entry exists.
    pub fn contains(&self, id: StreamId) -> bool {
        self.entries.contains(id)
    }

    /// Returns the lowest id that exists.
    pub fn first_id(&self) -> Option<StreamId> {
        self.entries.first()
    }

    /// Returns the highest id that exists.
    pub fn top_id(&self) -> Option<StreamId> {
        self.entries.last()
    }

    /// Returns the id that the next one must exceed: the highest that was ever added, unless it was
    /// set explicitly.
    #[inline]
    pub fn last_id(&self) -> StreamId {
        self.last_id
    }

    /// Returns the highest id that was deleted by name; trimming does not count.
    pub fn max_deleted_id(&self) -> StreamId {
        self.max_deleted_id
    }

    /// Returns the number of entries that were ever added.
    pub fn entries_added(&self) -> u64 {
        self.entries_added
    }

    /// Returns the metadata of the stream.
    pub fn info(&self) -> StreamInfo {
        StreamInfo {
            length: self.len() as u64,
            last_id: self.last_id,
            first_id: Some(self.first_id().unwrap_or_default()),
            max_deleted_id: Some(self.max_deleted_id),
            entries_added: Some(self.entries_added),
        }
    }

    /// Applies the metadata in an RDB, after the entries: the last id and the counters. If the
    /// counters are missing, because the RDB was written by Redis 6.2 or before, they are set as by
    /// a server: the number of entries added is the number of entries, and none was deleted. The
    /// length and the first id are not changed.
    pub fn set_info(&mut self, info: &StreamInfo) {
        self.last_id = info.last_id;
        self.max_deleted_id = info.max_deleted_id.unwrap_or_default();
        self.entries_added = info.entries_added.unwrap_or(self.len() as u64);
    }

    /// Appends an entry and counts it. Its id becomes the last id.
    ///
    /// # Errors
    ///
    /// Fails if the id is not above all existing ids and the last id. Nothing is added in that
    /// case.
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

    /// Appends an entry of an RDB; the fields are copied into the arena.
    /// [`set_info`](Self::set_info) must follow.
    ///
    /// # Errors
    ///
    /// Fails like [`add`](Self::add).
    pub fn load_entry(
        &mut self,
        id: StreamId,
        fields: &FieldsBuffer,
        arena: &'a Bump,
    ) -> Result<(), OutOfOrder> {
        self.add(id, fields.in_arena(arena))
    }

    /// Removes an entry by name, which updates the highest deleted id. Returns whether the entry
    /// existed.
    pub fn delete(&mut self, id: StreamId) -> bool {
        let was_there = self.entries.remove(id);
        if was_there {
            self.max_deleted_id = self.max_deleted_id.max(id);
        }
        was_there
    }

    /// Removes an entry without updating the highest deleted id, as trimming does. Returns whether
    /// the entry existed.
    pub fn trim_entry(&mut self, id: StreamId) -> bool {
        self.entries.remove(id)
    }

    /// Removes the lowest entries until at most `length` remain.
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

    /// Sets the counters of the stream; those that are `None` are unchanged. The values are not
    /// checked.
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

    /// Returns the number of entries up to this id that were ever added, if a server could
    /// determine it (`streamEstimateDistanceFromFirstEverEntry` in `t_stream.c`). Servers use it
    /// for the group's last id if an RDB of Redis 6.2 or before does not contain the number of
    /// entries that a group has read.
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

    /// Returns the groups for modification, in the order of their names' bytes.
    pub fn groups_mut(&mut self) -> impl ExactSizeIterator<Item = (&'a [u8], &mut Group<'a>)> {
        self.groups.iter_mut().map(|(name, group)| (*name, group))
    }

    /// Returns whether an entry from this id on may have been deleted by name, as far as a server
    /// can determine (`streamRangeHasTombstones`).
    pub fn has_gaps_from(&self, id: StreamId) -> bool {
        self.first_id().is_some_and(|first| {
            self.max_deleted_id != StreamId::default()
                && first <= self.max_deleted_id
                && id <= self.max_deleted_id
        })
    }

    /// Adds a group, unless there is one of this name. `entries_read` is `None` if unknown.
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

    /// Removes a group, and returns whether it existed.
    pub fn remove_group(&mut self, name: &[u8]) -> bool {
        let Some(group) = self.groups.remove(name) else { return false };
        let last_id = group.last_id();
        self.slowest_gone = Some(self.slowest_gone.map_or(last_id, |slowest| slowest.min(last_id)));
        true
    }

    /// Returns a group.
    pub fn group(&self, name: &[u8]) -> Option<&Group<'a>> {
        self.groups.get(name)
    }

    /// Returns a group for modification.
    #[inline]
    pub fn group_mut(&mut self, name: &[u8]) -> Option<&mut Group<'a>> {
        self.groups.get_mut(name)
    }

    /// Returns whether an entry exists, and a group for modification.
    #[inline]
    pub fn contains_and_group(
        &mut self,
        id: StreamId,
        name: &[u8],
    ) -> (bool, Option<&mut Group<'a>>) {
        (self.entries.contains(id), self.groups.get_mut(name))
    }

    /// Returns the groups and their names, in the order of the names' bytes.
    pub fn groups(&self) -> impl ExactSizeIterator<Item = (&'a [u8], &Group<'a>)> {
        self.groups.iter().map(|(name, group)| (*name, group))
    }

    /// Returns whether a group has not delivered the entry yet, or the entry was not acknowledged
    /// there.
    pub fn is_referenced(&self, id: StreamId) -> bool {
        self.groups.values().any(|group| id > group.last_id() || group.is_pending(id))
    }

    /// Returns whether Redis 8.2 may treat an entry as referenced although it is not. Redis 8.2
    /// stores the position of the slowest group, and does not always discard it when that group is
    /// removed: then an entry that was new to the removed group still counts as referenced, as long
    /// as there is another group. *Observed* for 8.2.3.
    pub fn may_be_held_by_a_gone_group(&self, id: StreamId) -> bool {
        !self.groups.is_empty() && self.slowest_gone.is_some_and(|slowest| id > slowest)
    }

    /// Returns the entries that producers added; `None` if there were none, and the configuration is
    /// the default.
    pub fn idmp(&self) -> Option<&Idmp<'a>> {
        self.idmp.as_deref()
    }

    /// Returns the entries that producers added, for modification.
    pub fn idmp_mut(&mut self) -> &mut Idmp<'a> {
        self.idmp.get_or_insert_default()
    }

    /// Forgets which entries producers added, and restores the default configuration.
    pub fn clear_idmp(&mut self) {
        self.idmp = None;
    }

    /// Applies the configuration and the counters in an RDB.
    pub fn set_idmp_config(&mut self, config: StreamIdmp) {
        if self.idmp.is_some() || config != idmp::DEFAULT {
            self.idmp_mut().set_config(config);
        }
    }

    /// Returns an entry's fields.
    pub fn fields(&self, id: StreamId) -> Option<Fields<'a>> {
        let (found, fields) = self.entries.from(id).next()?;
        (found == id).then_some(fields)
    }

    /// Removes the entry from the pending entries of all groups.
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
    fn trimming_does_not_count_as_deletion() {
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
    fn referenced_entries_are_undelivered_or_pending() {
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

    /// The cases of the server's function, in order.
    #[test]
    fn entries_up_to_an_id_are_counted_if_certain() {
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
