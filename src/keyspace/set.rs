//! Sets.

use super::members::Members;

/// A set. Its members are in insertion order, except that the last one replaces a removed one.
#[derive(Debug, Clone, Default)]
pub struct Set<'a> {
    members: Members<'a, ()>,
}

impl<'a> Set<'a> {
    /// Creates an empty set with the given capacity. The number must not come from untrusted input
    /// unchecked.
    pub fn with_capacity(capacity: usize) -> Self {
        Set { members: Members::with_capacity(capacity) }
    }

    /// Returns the number of members.
    #[inline]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Returns whether there are no members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Returns whether this is a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        self.members.find(member).is_some()
    }

    /// Adds a member, and returns whether it is new. The bytes are stored as given: see
    /// [`insert_with`](Self::insert_with) for bytes that have to be copied.
    #[inline]
    pub fn insert(&mut self, member: &'a [u8]) -> bool {
        self.insert_with(member, || member)
    }

    /// Adds a member, and returns whether it is new. For a new member, `keep` returns the bytes
    /// with the required lifetime.
    #[inline]
    pub fn insert_with(&mut self, member: &[u8], keep: impl FnOnce() -> &'a [u8]) -> bool {
        self.members.find_or_add(member, || (keep(), ())).1
    }

    /// Removes a member, and returns whether it existed. A caller that removes the last member must
    /// remove the key.
    #[inline]
    pub fn remove(&mut self, member: &[u8]) -> bool {
        self.members.remove(member).is_some()
    }

    /// Returns the members, in an order that depends only on the operations performed.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &'a [u8]> {
        self.members.entries().iter().map(|(member, ())| *member)
    }
}
