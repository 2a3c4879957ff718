//! The container for sets and hashes: unique names with a value each.
//!
//! The names are stored in one vector in insertion order, except that the last one replaces a
//! removed one. A few names are searched by their hash tags; more are found through a hash table of
//! indexes.

use std::hash::BuildHasher;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::keyspace::hash_tags::HashTags;
use crate::keyspace::hasher::Hasher;

/// Maximum number of names that are searched by their tags.
const SEARCHED: usize = 16;

/// Unique names, each with a value.
#[derive(Debug, Clone)]
pub(super) struct Members<'a, V> {
    entries: Vec<(&'a [u8], V)>,
    /// Used while there is no table.
    marks: HashTags<SEARCHED>,
    /// Present once there were more than [`SEARCHED`] names.
    table: Option<Box<Table>>,
}

/// Indexes of the entries, by the hash of the name.
#[derive(Debug, Clone, Default)]
struct Table {
    hasher: Hasher,
    places: HashTable<u32>,
}

impl<V> Default for Members<'_, V> {
    fn default() -> Self {
        Members::with_capacity(0)
    }
}

fn small(place: usize) -> u32 {
    u32::try_from(place).expect("fewer than 2^32 members")
}

impl<'a, V> Members<'a, V> {
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Members { entries: Vec::with_capacity(capacity), marks: HashTags::default(), table: None }
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Returns the entries, in their order.
    #[inline]
    pub(super) fn entries(&self) -> &[(&'a [u8], V)] {
        &self.entries
    }

    /// Returns the value at an index for modification.
    #[inline]
    pub(super) fn value_mut(&mut self, place: usize) -> &mut V {
        &mut self.entries[place].1
    }

    /// Returns the index of a name.
    #[inline]
    pub(super) fn find(&self, name: &[u8]) -> Option<usize> {
        match &self.table {
            None => self.find_few(name),
            Some(table) => {
                let hash = table.hasher.hash_one(name);
                let same = |&place: &u32| self.entries[place as usize].0 == name;
                table.places.find(hash, same).map(|&place| place as usize)
            }
        }
    }

    #[inline]
    fn find_few(&self, name: &[u8]) -> Option<usize> {
        let entries = &self.entries;
        self.marks.find(name, entries.len(), |place| entries[place].0 == name)
    }

    /// Returns the index of a name, and whether it is new. A new entry is appended as `make`
    /// creates it.
    #[inline]
    pub(super) fn find_or_add(
        &mut self,
        name: &[u8],
        make: impl FnOnce() -> (&'a [u8], V),
    ) -> (usize, bool) {
        match &mut self.table {
            None => {
                if let Some(place) = self.find_few(name) {
                    return (place, false);
                }
                self.marks.put(self.entries.len(), name);
                self.entries.push(make());
                if self.entries.len() > SEARCHED {
                    self.build();
                }
            }
            Some(table) => {
                let entries = &mut self.entries;
                let Table { hasher, places } = &mut **table;
                let same = |&place: &u32| entries[place as usize].0 == name;
                let rehash = |&place: &u32| hasher.hash_one(entries[place as usize].0);
                match places.entry(hasher.hash_one(name), same, rehash) {
                    Entry::Occupied(found) => return (*found.get() as usize, false),
                    Entry::Vacant(free) => {
                        free.insert(small(entries.len()));
                    }
                }
                entries.push(make());
            }
        }
        (self.entries.len() - 1, true)
    }

    #[cold]
    fn build(&mut self) {
        let hasher = Hasher::default();
        let mut places = HashTable::with_capacity(self.entries.len());
        for (place, (name, _)) in self.entries.iter().enumerate() {
            let rehash = |&place: &u32| hasher.hash_one(self.entries[place as usize].0);
            places.insert_unique(hasher.hash_one(*name), small(place), rehash);
        }
        self.table = Some(Box::new(Table { hasher, places }));
    }

    /// Removes a name, and returns its index and value: the last entry is at this index now, unless
    /// it was the last itself.
    pub(super) fn remove(&mut self, name: &[u8]) -> Option<(usize, V)> {
        let place = match &mut self.table {
            None => self.find_few(name)?,
            Some(table) => {
                let entries = &self.entries;
                let same = |&place: &u32| entries[place as usize].0 == name;
                let found = table.places.find_entry(table.hasher.hash_one(name), same).ok()?;
                let place = found.remove().0;
                let last = small(entries.len() - 1);
                if place != last {
                    let hash = table.hasher.hash_one(entries[last as usize].0);
                    let moved = table.places.find_mut(hash, |&other| other == last);
                    *moved.expect("every entry is in the table") = place;
                }
                place as usize
            }
        };
        self.marks.swap_remove(place, self.entries.len() - 1);
        let (_, value) = self.entries.swap_remove(place);
        Some((place, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Compared with a map of the standard library, around the size from which there is a table.
    #[test]
    fn names_are_found_after_insertions_and_removals() {
        let names: Vec<Vec<u8>> = (0..40).map(|n| format!("{n}").into_bytes()).collect();
        let mut members: Members<'_, usize> = Members::default();
        let mut model: HashMap<&[u8], usize> = HashMap::new();
        let mut state = 1_u64;
        for step in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let range = if step % 2_000 < 1_000 { 10 } else { 40 };
            let name = &names[usize::try_from((state >> 33) % range).expect("small")][..];
            if (state >> 20).is_multiple_of(3) {
                let removed = members.remove(name).map(|(_, value)| value);
                assert_eq!(removed, model.remove(name));
            } else {
                let (place, new) = members.find_or_add(name, || (name, step));
                assert_eq!(new, model.insert(name, step).is_none());
                *members.value_mut(place) = step;
            }
            assert_eq!(members.len(), model.len());
            for name in &names {
                let found = members.find(name).map(|place| members.entries()[place]);
                assert_eq!(found, model.get_key_value(&name[..]).map(|(k, v)| (*k, *v)));
            }
        }
    }

    #[test]
    fn the_order_is_that_of_insertion_and_the_last_entry_fills_gaps() {
        let names: Vec<Vec<u8>> = (0..20).map(|n| vec![n]).collect();
        for count in [5, 20] {
            let mut members: Members<'_, ()> = Members::default();
            for name in &names[..count] {
                members.find_or_add(name, || (name, ()));
            }
            assert_eq!(members.remove(&[1]), Some((1, ())));
            let order: Vec<u8> = members.entries().iter().map(|(name, ())| name[0]).collect();
            let last = u8::try_from(count - 1).expect("small");
            let expected: Vec<u8> = [0, last].into_iter().chain(2..last).collect();
            assert_eq!(order, expected);
        }
    }
}
