//! A database: keys to entries.

use std::hash::BuildHasher;

use bumpalo::Bump;
use hashbrown::HashTable;

use super::Hasher;
use super::value::{Typed, Value};

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

/// A database. Its keys have the order in which they came, where a place that became free is taken by
/// the next.
pub struct Db<'a> {
    number: u32,
    arena: &'a Bump,
    hasher: Hasher,
    /// Places in `entries`, by the hash of the key.
    table: HashTable<u32>,
    entries: Vec<Option<Entry<'a>>>,
    free: Vec<u32>,
}

impl<'a> Db<'a> {
    pub(super) fn new(number: u32, arena: &'a Bump) -> Self {
        Db {
            number,
            arena,
            hasher: Hasher::default(),
            table: HashTable::new(),
            entries: Vec::new(),
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
    fn place(&self, key: &[u8]) -> Option<usize> {
        let hash = self.hasher.hash_one(key);
        let found = self.table.find(hash, |&place| self.is_at(place, key));
        found.map(|&place| place as usize)
    }

    #[inline]
    fn is_at(&self, place: u32, key: &[u8]) -> bool {
        self.entries[place as usize].as_ref().is_some_and(|entry| entry.key == key)
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
        let hash = self.hasher.hash_one(key);
        let entries = &self.entries;
        let same = |&place: &u32| entries[place as usize].as_ref().is_some_and(|e| e.key == key);
        if let Some(&place) = self.table.find(hash, same) {
            return (self.entries[place as usize].as_mut().expect("it was found"), false);
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
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.table.insert_unique(hash, place, |&place| {
            let entry = entries[place as usize].as_ref().expect("what the table knows is there");
            hasher.hash_one(entry.key)
        });
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
        let hash = self.hasher.hash_one(key);
        let entries = &self.entries;
        let same = |&place: &u32| entries[place as usize].as_ref().is_some_and(|e| e.key == key);
        let found = self.table.find_entry(hash, same).ok()?;
        let (place, _) = found.remove();
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
