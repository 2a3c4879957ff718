//! The databases, by number.

use bumpalo::Bump;

use super::db::Db;

/// A data set: databases by number, and the arena that holds what is not borrowed from a log.
///
/// `'a` is the life of both the log's bytes and the arena's.
pub struct Keyspace<'a> {
    arena: &'a Bump,
    /// In the order of their numbers.
    databases: Vec<Db<'a>>,
    /// Where the database stands that was asked for last.
    last: usize,
    has_opaque: bool,
    /// How many keys there is room for in the database that comes first.
    expected_keys: usize,
}

impl<'a> Keyspace<'a> {
    /// An empty one.
    pub fn new(arena: &'a Bump) -> Self {
        Keyspace::expecting(arena, 0)
    }

    /// An empty one with room for so many keys in one database. The number must not come from outside unchecked.
    pub fn expecting(arena: &'a Bump, expected_keys: usize) -> Self {
        Keyspace { arena, databases: Vec::new(), last: 0, has_opaque: false, expected_keys }
    }

    /// The arena, for bytes that must live as long as the keyspace.
    pub fn arena(&self) -> &'a Bump {
        self.arena
    }

    /// The database of this number.
    #[inline]
    pub fn db(&mut self, number: u32) -> &mut Db<'a> {
        if self.databases.get(self.last).is_none_or(|db| db.number() != number) {
            self.last = self.place(number);
        }
        &mut self.databases[self.last]
    }

    /// The database of this number, if it is the one that was asked for last.
    #[inline]
    pub fn last_db(&self, number: u32) -> Option<&Db<'a>> {
        self.databases.get(self.last).filter(|db| db.number() == number)
    }

    /// The database of this number, and another one's.
    ///
    /// # Panics
    ///
    /// When the numbers are the same.
    pub fn two(&mut self, one: u32, other: u32) -> (&mut Db<'a>, &mut Db<'a>) {
        self.place(one);
        let (other, one) = (self.place(other), self.place(one));
        let [one, other] = self.databases.get_disjoint_mut([one, other]).expect("two databases");
        (one, other)
    }

    #[cold]
    fn place(&mut self, number: u32) -> usize {
        let found = self.databases.binary_search_by_key(&number, Db::number);
        found.unwrap_or_else(|at| {
            let keys = std::mem::take(&mut self.expected_keys);
            self.databases.insert(at, Db::new(number, self.arena, keys));
            at
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

    /// Whether some key was ever given a value that is not understood.
    #[inline]
    pub fn has_opaque(&self) -> bool {
        self.has_opaque
    }

    /// A key is given a value that is not understood.
    pub fn note_opaque(&mut self) {
        self.has_opaque = true;
    }

    /// The databases in the order of their numbers, empty ones among them.
    pub fn databases(&self) -> impl Iterator<Item = &Db<'a>> {
        self.databases.iter()
    }

    /// Keys in all databases.
    pub fn len(&self) -> usize {
        self.databases.iter().map(Db::len).sum()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
