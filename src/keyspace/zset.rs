//! Sorted sets.

use indexmap::IndexMap;

use super::Hasher;

/// A sorted set.
#[derive(Debug, Clone, Default)]
pub struct Zset<'a> {
    scores: IndexMap<&'a [u8], f64, Hasher>,
}

impl<'a> Zset<'a> {
    /// How many members it has.
    pub fn len(&self) -> usize {
        self.scores.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Gives a member this score; a new member must live as long as the keyspace. Says whether it is new.
    pub fn insert(&mut self, member: &'a [u8], score: f64) -> bool {
        self.scores.insert(member, score).is_none()
    }

    /// The members and their scores, in an order that depends on what was done alone.
    pub fn members(&self) -> impl Iterator<Item = (&'a [u8], f64)> {
        self.scores.iter().map(|(member, score)| (*member, *score))
    }
}
