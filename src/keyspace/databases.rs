//! The databases, by index.

use std::collections::BTreeMap;

use bumpalo::Bump;

use super::db::Db;

/// A data set: databases by index, and the arena for everything that is not borrowed from a log.
///
/// `'a` is the lifetime of both the log's bytes and the arena.
pub struct Keyspace<'a> {
    arena: &'a Bump,
    /// In the order in which they were first used.
    databases: Vec<Db<'a>>,
    /// The positions in `databases` by index. A log can have hundreds of thousands of databases, in any order.
    positions: BTreeMap<u32, usize>,
    /// Position in `databases` of the most recently accessed database.
    last: usize,
    has_opaque: bool,
    /// Number of keys for which the first database that is created reserves memory.
    expected_keys: usize,
}

impl<'a> Keyspace<'a> {
    /// Creates an empty data set.
    pub fn new(arena: &'a Bump) -> Self {
        Keyspace::expecting(arena, 0)
    }

    /// Creates an empty data set that reserves memory for `expected_keys` keys in one database. The
    /// number must not come from untrusted input unchecked.
    pub fn expecting(arena: &'a Bump, expected_keys: usize) -> Self {
        Keyspace {
            arena,
            databases: Vec::new(),
            positions: BTreeMap::new(),
            last: 0,
            has_opaque: false,
            expected_keys,
        }
    }

    /// Returns the arena, for bytes that must live as long as the keyspace.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// Returns the database with this index.
    #[inline]
    pub fn db(&mut self, number: u32) -> &mut Db<'a> {
        if self.databases.get(self.last).is_none_or(|db| db.number() != number) {
            self.last = self.place(number);
        }
        &mut self.databases[self.last]
    }

    /// Returns the database with this index, if it is the most recently accessed one.
    #[inline]
    pub fn last_db(&self, number: u32) -> Option<&Db<'a>> {
        self.databases.get(self.last).filter(|db| db.number() == number)
    }

    /// Returns two different databases.
    ///
    /// # Panics
    ///
    /// Panics if the indexes are equal.
    pub fn two(&mut self, one: u32, other: u32) -> (&mut Db<'a>, &mut Db<'a>) {
        self.place(one);
        let (other, one) = (self.place(other), self.place(one));
        let [one, other] = self.databases.get_disjoint_mut([one, other]).expect("two databases");
        (one, other)
    }

    #[cold]
    fn place(&mut self, number: u32) -> usize {
        *self.positions.entry(number).or_insert_with(|| {
            let keys = std::mem::take(&mut self.expected_keys);
            self.databases.push(Db::new(number, self.arena, keys));
            self.databases.len() - 1
        })
    }

    /// Exchanges all keys of two databases.
    pub fn swap(&mut self, one: u32, other: u32) {
        if one != other {
            let (one, other) = self.two(one, other);
            one.swap(other);
        }
    }

    /// Removes every key.
    pub fn clear(&mut self) {
        self.databases.iter_mut().for_each(Db::clear);
    }

    /// Returns whether any key was ever given an opaque value.
    #[inline]
    pub fn has_opaque(&self) -> bool {
        self.has_opaque
    }

    /// Records that a key is given an opaque value.
    pub fn note_opaque(&mut self) {
        self.has_opaque = true;
    }

    /// Returns the databases in the order of their indexes, including empty ones.
    pub fn databases(&self) -> impl Iterator<Item = &Db<'a>> {
        self.positions.values().map(|&position| &self.databases[position])
    }

    /// Returns the databases for modification, in the order of their indexes.
    pub fn databases_mut(&mut self) -> impl Iterator<Item = &mut Db<'a>> {
        let mut databases: Vec<&mut Db<'a>> = self.databases.iter_mut().collect();
        databases.sort_unstable_by_key(|db| db.number());
        databases.into_iter()
    }

    /// Returns the number of keys in all databases.
    pub fn len(&self) -> usize {
        self.databases.iter().map(Db::len).sum()
    }

    /// Returns whether there are no keys.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
