//! Sets.

use indexmap::IndexSet;

use super::Hasher;

/// A set.
#[derive(Debug, Clone, Default)]
pub struct Set<'a> {
    members: IndexSet<&'a [u8], Hasher>,
}

impl<'a> Set<'a> {
    /// How many members it has.
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Adds a member, which must live as long as the keyspace. Says whether it is new.
    pub fn insert(&mut self, member: &'a [u8]) -> bool {
        self.members.insert(member)
    }

    /// The members, in an order that depends on what was done alone.
    pub fn members(&self) -> impl Iterator<Item = &'a [u8]> {
        self.members.iter().copied()
    }
}
