//! Sets.

use super::members::Members;

/// A set. Its members have the order in which they came, where the last takes the place of one that goes.
#[derive(Debug, Clone, Default)]
pub struct Set<'a> {
    members: Members<'a, ()>,
}

impl<'a> Set<'a> {
    /// An empty one with room for so many members. The number must not come from outside unchecked.
    pub fn with_capacity(capacity: usize) -> Self {
        Set { members: Members::with_capacity(capacity) }
    }

    /// How many members it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Whether this is a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.find(member).is_some()
    }

    /// Adds a member, and says whether it is new. The bytes are kept as they are given: see
    /// [`insert_with`](Self::insert_with) for such as have to be copied.
    #[inline]
    pub fn insert(&mut self, member: &'a [u8]) -> bool {
        self.insert_with(member, || member)
    }

    /// Adds a member, and says whether it is new: then `keep` gives its bytes to keep.
    #[inline]
    pub fn insert_with(&mut self, member: &[u8], keep: impl FnOnce() -> &'a [u8]) -> bool {
        self.members.find_or_add(member, || (keep(), ())).1
    }

    /// Takes a member out, and says whether it was one. Who takes the last one out has to remove the key.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.members.remove(member).is_some()
    }

    /// The members, in an order that depends on what was done alone.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.members.entries().iter().map(|(member, ())| *member)
    }
}
