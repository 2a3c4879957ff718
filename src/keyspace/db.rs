//! A database: a map from keys to entries.

use std::hash::BuildHasher;
use std::mem::discriminant;

use bumpalo::Bump;
use hashbrown::HashTable;

use super::value::{Typed, Value};
use crate::disk::{prefetch, prefetch_ref};
use crate::keyspace::hasher::Hasher;

/// A key, its value, and its expiry.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    key: &'a [u8],
    expires_ms: i64,
    /// What is attached; `None` if there is nothing.
    meta: Option<Box<KeyMeta<'a>>>,
    /// The value.
    pub value: Value<'a>,
}

/// What is attached to a key besides its value and its expiry. It stays with the key until the key is
/// removed.
#[derive(Debug, Clone, Default)]
pub struct KeyMeta<'a> {
    /// The metadata that modules attached (Redis 8.6 and later): the class and the payload of each, as
    /// in an RDB, in the order of the file.
    pub items: Vec<(u32, &'a [u8])>,
    /// The members of a set or fields of a hash that expire in KeyDB. Some may have been removed since.
    pub members: Vec<ExpiringMember<'a>>,
    /// When or how often the key was used.
    pub(crate) access: Option<Access>,
}

/// When or how often a key was used, which decides what a server evicts. An RDB has one of both, if the `maxmemory-policy`
/// of its server asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// The seconds since it was last used.
    Idle(u64),
    /// The logarithmic counter of its uses.
    Frequency(u8),
}

/// A member of a set, or a field of a hash, that expires in KeyDB. Other servers have no such expiry:
/// what Redis 7.4 and Valkey 9.0 have is part of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpiringMember<'a> {
    /// The member.
    pub name: &'a [u8],
    /// The expiry, in Unix milliseconds.
    pub expires_ms: i64,
}

/// Represents no expiry, as in the servers, which treat a key whose expiry is set to -1 as one that
/// never expires.
const NEVER: i64 = -1;

impl<'a> Entry<'a> {
    /// Returns the name of the key.
    pub fn key(&self) -> &'a [u8] {
        self.key
    }

    /// Returns the expiry, in Unix milliseconds.
    #[inline]
    pub fn expires_ms(&self) -> Option<i64> {
        (self.expires_ms != NEVER).then_some(self.expires_ms)
    }

    /// Returns what is attached to the key.
    pub fn meta(&self) -> Option<&KeyMeta<'a>> {
        self.meta.as_deref()
    }

    /// Returns when or how often the key was used, if that is known.
    pub(crate) fn access(&self) -> Option<Access> {
        self.meta().and_then(|meta| meta.access)
    }

    /// Returns whether modules attached metadata.
    pub fn has_metadata(&self) -> bool {
        self.meta().is_some_and(|meta| !meta.items.is_empty())
    }

    /// Returns the members that expire in KeyDB and that the value still has.
    pub fn expiring_members(&self) -> impl Iterator<Item = ExpiringMember<'a>> {
        let members = self.meta().into_iter().flat_map(|meta| &meta.members).copied();
        members.filter(|member| match &self.value {
            Value::Set(set) => set.contains(member.name),
            Value::Hash(hash) => hash.find(member.name).is_some(),
            _ => false,
        })
    }

    /// Adds a member that expires in KeyDB.
    pub fn add_expiring_member(&mut self, member: ExpiringMember<'a>) {
        self.meta.get_or_insert_default().members.push(member);
    }

    /// Sets what is attached to the key.
    pub fn set_meta(&mut self, meta: Option<Box<KeyMeta<'a>>>) {
        self.meta = meta;
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

/// The index of an entry, with enough of its key's hash that the entries of other keys are rarely
/// accessed, and none is when the table grows.
#[derive(Debug, Clone, Copy)]
struct Slot {
    place: u32,
    mark: u32,
}

impl Slot {
    /// Expands the stored part to the hash of the table, which uses its lowest and its highest
    /// bits.
    #[inline]
    fn hash(mark: u32) -> u64 {
        u64::from(mark) << 32 | u64::from(mark)
    }
}

/// A database. Its keys are in insertion order, except that new keys reuse free slots.
pub struct Db<'a> {
    number: u32,
    arena: &'a Bump,
    hasher: Hasher,
    /// Indexes in `entries`, by the hash of the key.
    table: HashTable<Slot>,
    entries: Vec<Option<Entry<'a>>>,
    free: Vec<u32>,
    /// See [`take_retyped`](Self::take_retyped).
    retyped: u32,
}

impl<'a> Db<'a> {
    /// Creates an empty database that reserves memory for `keys` keys.
    pub(super) fn new(number: u32, arena: &'a Bump, keys: usize) -> Self {
        Db {
            number,
            arena,
            hasher: Hasher::default(),
            table: HashTable::with_capacity(keys),
            entries: Vec::with_capacity(keys),
            free: Vec::new(),
            retyped: 0,
        }
    }

    /// Returns the index of the database.
    #[inline]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Returns the arena of the keyspace.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Returns whether the database has no keys.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Returns the entries, in their order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry<'a>> {
        self.entries.iter().flatten()
    }

    /// Returns the entries for modification, in their order.
    pub fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry<'a>> {
        self.entries.iter_mut().flatten()
    }

    #[inline]
    #[allow(clippy::cast_possible_truncation)] // Half of it is sufficient.
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

    /// Prefetches the entry of a key that will be accessed soon, and returns the argument for
    /// [`ask_value`](Self::ask_value), to be called once the entry has arrived.
    #[inline]
    pub fn ask(&self, key: &[u8]) -> Option<u32> {
        let mark = self.mark(key);
        let slot = self.table.find(Slot::hash(mark), |slot| slot.mark == mark)?;
        prefetch_ref(self.entries.get(slot.place as usize)?);
        Some(slot.place)
    }

    /// Prefetches the name of an entry's key and the beginning of its value, if the entry still
    /// exists.
    #[inline]
    pub fn ask_value(&self, place: u32) {
        if let Some(Some(entry)) = self.entries.get(place as usize) {
            prefetch(entry.key, 0);
            entry.value.ask_box();
        }
    }

    /// Returns whether the key exists.
    pub fn contains(&self, key: &[u8]) -> bool {
        self.place(key).is_some()
    }

    /// Returns the entry of a key.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&Entry<'a>> {
        self.entries[self.place(key)?].as_ref()
    }

    /// Returns the entry of a key for modification.
    #[inline]
    pub fn get_mut(&mut self, key: &[u8]) -> Option<&mut Entry<'a>> {
        let place = self.place(key)?;
        self.entries[place].as_mut()
    }

    /// Returns the value of a key that holds this type, if the key exists.
    ///
    /// # Errors
    ///
    /// Fails if the key holds another type.
    #[inline]
    pub fn find<T: Typed<'a>>(&self, key: &[u8]) -> Result<Option<&T>, WrongType> {
        match self.get(key) {
            Some(entry) => T::as_type(&entry.value).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// Returns the value of a key that holds this type for modification, if the key exists. A
    /// caller that removes the last element of a collection must [remove](Self::remove) the key.
    ///
    /// # Errors
    ///
    /// Fails if the key holds another type.
    #[inline]
    pub fn find_mut<T: Typed<'a>>(&mut self, key: &[u8]) -> Result<Option<&mut T>, WrongType> {
        match self.get_mut(key) {
            Some(entry) => T::of_mut(&mut entry.value).map(Some).ok_or(WrongType),
            None => Ok(None),
        }
    }

    /// Returns the value of a key that holds this type; creates an empty one if the key does not
    /// exist.
    ///
    /// # Errors
    ///
    /// Fails if the key holds another type.
    #[inline]
    pub fn find_or_make<T: Typed<'a>>(&mut self, key: &[u8]) -> Result<&mut T, WrongType> {
        let (entry, _) = self.entry(key, T::empty);
        T::of_mut(&mut entry.value).ok_or(WrongType)
    }

    /// Returns the entry of a key, and whether it is new. A new entry has the value that `make`
    /// creates, and no expiry.
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
        (self.insert(mark, key, make()), true)
    }

    /// Inserts a key that does not exist, without expiry.
    #[inline]
    fn insert(&mut self, mark: u32, key: &[u8], value: Value<'a>) -> &mut Entry<'a> {
        let entry =
            Entry { key: self.arena.alloc_slice_copy(key), expires_ms: NEVER, meta: None, value };
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
        self.entries[place as usize].as_mut().expect("it was put there")
    }

    /// Sets the key to this value without expiry, replacing any previous value.
    #[inline]
    pub fn set(&mut self, key: &[u8], value: Value<'a>) -> &mut Entry<'a> {
        let mark = self.mark(key);
        let same = |slot: &Slot| is_at(&self.entries, slot, mark, key);
        if let Some(slot) = self.table.find(Slot::hash(mark), same) {
            let entry = self.entries[slot.place as usize].as_mut().expect("it was found");
            self.retyped += u32::from(discriminant(&entry.value) != discriminant(&value));
            entry.value = value;
            entry.expires_ms = NEVER;
            return entry;
        }
        self.insert(mark, key, value)
    }

    /// Records that the value of a key was replaced by one of another type.
    pub(crate) fn note_retyped(&mut self) {
        self.retyped += 1;
    }

    /// Returns the number of values that were replaced by one of another type since the last call. Setting a key has
    /// its old value at hand, so that an observer need not search for it before each command.
    #[inline]
    pub(crate) fn take_retyped(&mut self) -> u32 {
        std::mem::take(&mut self.retyped)
    }

    /// Removes a key, and returns its entry.
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
