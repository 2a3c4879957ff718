//! A database: keys to entries.

use std::hash::BuildHasher;

use bumpalo::Bump;
use hashbrown::HashTable;

use super::value::{Typed, Value};
use crate::disk::{prefetch, prefetch_ref};
use crate::keyspace::hasher::Hasher;

/// A key, its value, and when it expires.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    key: &'a [u8],
    expires_ms: i64,
    /// What it holds.
    pub value: Value<'a>,
}

/// Stands for no expiry, as in the servers, which hold a key set to expire at -1 for one that never does.
const NEVER: i64 = -1;

impl<'a> Entry<'a> {
    /// The key's name.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// When it expires, in Unix milliseconds.
    #[inline]
    pub fn expires_ms(&self) -> Option<i64> {
        (self.expires_ms != NEVER).then_some(self.expires_ms)
    }

    /// Sets or removes the expiry.
    #[inline]
    pub fn set_expiry(&mut self, expires_ms: Option<i64>) {
        self.expires_ms = expires_ms.unwrap_or(NEVER);
    }
}

/// The key holds a value of another type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrongType;

/// Where an entry is, with enough of its key's hash that another key's entry is seldom looked at, and none is when
/// the table grows.
#[derive(Debug, Clone, Copy)]
struct Slot {
    place: u32,
    mark: u32,
}

impl Slot {
    /// What the table takes for the hash: it looks at its lowest bits and its highest.
    #[inline]
    fn hash(mark: u32) -> u64 {
        u64::from(mark) << 32 | u64::from(mark)
    }
}

/// A database. Its keys have the order in which they came, where a place that became free is taken by
/// the next.
pub struct Db<'a> {
    number: u32,
    arena: &'a Bump,
    hasher: Hasher,
    /// Places in `entries`, by the hash of the key.
    table: HashTable<Slot>,
    entries: Vec<Option<Entry<'a>>>,
    free: Vec<u32>,
}

impl<'a> Db<'a> {
    /// An empty one with room for so many keys.
    pub(super) fn new(number: u32, arena: &'a Bump, keys: usize) -> Self {
        Db {
            number,
            arena,
            hasher: Hasher::default(),
            table: HashTable::with_capacity(keys),
            entries: Vec::with_capacity(keys),
            free: Vec::new(),
        }
    }

    /// Its number.
    #[inline]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// The arena of the keyspace.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// The entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().flatten()
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Half of it is enough.
    fn mark(&self, key: &[u8]) -> u32 {
        let hash = self.hasher.hash_one(key);
        (hash ^ hash >> 32) as u32
    }

    #[inline]
    fn place(&self, key: &[u8]) -> Option<usize> {
        let mark = self.mark(key);
        let found = self.table.find(Slot::hash(mark), |slot| is_at(&self.entries, slot, mark, key));
        found.map(|slot| slot.place as usize)
    }

    /// Asks for the entry of a key, which will be looked for soon, and gives what [`ask_value`](Self::ask_value) takes
    /// once it is there.
    #[inline]
    pub fn ask(&self, key: &[u8]) -> Option<u32> {
        let mark = self.mark(key);
        let slot = self.table.find(Slot::hash(mark), |slot| slot.mark == mark)?;
        prefetch_ref(self.entries.get(slot.place as usize)?);
        Some(slot.place)
    }

    /// Asks for the name of an entry's key and for the beginning of its value, if it is there still.
    #[inline]
    pub fn ask_value(&self, place: u32) {
        if let Some(Some(entry)) = self.entries.get(place as usize) {
            prefetch(entry.key, 0);
            entry.value.ask_box();
        }
    }

    /// Whether the key exists.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.place(key).is_some()
    }

    /// The entry of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&Entry<'a>> {
        self.entries[self.place(key)?].as_ref()
    }

    /// The entry of a key, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry<'a>> {
        let place = self.place(key)?;
        self.entries[place].as_mut()
    }

    /// The value of a key that holds this type, if it exists.
    ///
    /// # Errors
    ///
    /// When the key holds another type.
    #[inline]
    pub fn find<T: Typed<'a>>(&self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        match self.get(key) {
            Some(entry) => T::of(&entry.value).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// The value of a key that holds this type, if it exists, to change it. Who takes the last element out
    /// of a collection has to [remove](Self::remove) the key.
    ///
    /// # Errors
    ///
    /// When the key holds another type.
    #[inline]
    pub fn find_mut<T: Typed<'a>>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        match self.get_mut(key) {
            Some(entry) => T::of_mut(&mut entry.value).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// The value of a key that holds this type; an empty one is made where the key does not exist.
    ///
    /// # Errors
    ///
    /// When the key holds another type.
    #[inline]
    pub fn find_or_make<T: Typed<'a>>(&mut self, key: &[u8]) -> Result<&mut T, WrongType> {
        let (entry, _) = self.entry(key, T::empty);
        T::of_mut(&mut entry.value).ok_or(WrongType)
    }

    /// The entry of a key, and whether it is new: then it has the value that `make` makes, and no expiry.
    #[inline]
    pub fn entry(
        &mut self,
        key: &[u8],
        make: impl FnOnce() -> Value<'a>,
    ) -> (&mut Entry<'a>, bool) {
        let mark = self.mark(key);
        let same = |slot: &Slot| is_at(&self.entries, slot, mark, key);
        if let Some(slot) = self.table.find(Slot::hash(mark), same) {
            return (self.entries[slot.place as usize].as_mut().expect("it was found"), false);
        }
        let entry =
            Entry { key: self.arena.alloc_slice_copy(key), expires_ms: NEVER, value: make() };
        let place = match self.free.pop() {
            Some(place) => place,
            None => {
                self.entries.push(None);
                u32::try_from(self.entries.len() - 1).expect("fewer than 2^32 keys in a share")
            }
        };
        self.entries[place as usize] = Some(entry);
        let slot = Slot { place, mark };
        self.table.insert_unique(Slot::hash(mark), slot, |slot| Slot::hash(slot.mark));
        (self.entries[place as usize].as_mut().expect("it was put there"), true)
    }

    /// Gives the key this value, whatever it held before, and no expiry.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: Value<'a>) -> &mut Entry<'a> {
        let mut value = Some(value);
        let (entry, new) = self.entry(key, || value.take().expect("it is made once"));
        if !new {
            entry.value = value.take().expect("it was not made");
            entry.expires_ms = NEVER;
        }
        entry
    }

    /// Removes a key, and gives what it held.
    pub fn remove(&mut self, key: &[u8]) -> Option<Entry<'a>> {
        let mark = self.mark(key);
        let same = |slot: &Slot| is_at(&self.entries, slot, mark, key);
        let (Slot { place, .. }, _) = self.table.find_entry(Slot::hash(mark), same).ok()?.remove();
        self.free.push(place);
        self.entries[place as usize].take()
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        self.table.clear();
        self.entries.clear();
        self.free.clear();
    }

    /// Exchanges all keys with another database.
    pub(super) fn swap(&mut self, other: &mut Db<'a>) {
        std::mem::swap(self, other);
        std::mem::swap(&mut self.number, &mut other.number);
    }
}

#[inline]
fn is_at(entries: &[Option<Entry<'_>>], slot: &Slot, mark: u32, key: &[u8]) -> bool {
    slot.mark == mark && entries[slot.place as usize].as_ref().is_some_and(|entry| entry.key == key)
}
