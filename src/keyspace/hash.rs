//! Hashes, and the expiry of their fields.

use indexmap::IndexMap;

use super::{Hasher, StringValue};

/// A hash.
#[derive(Debug, Clone, Default)]
pub struct Hash<'a> {
    fields: IndexMap<&'a [u8], StringValue<'a>, Hasher>,
    /// Of the fields that expire, in Unix milliseconds. Few hashes have any.
    expiries: Option<Box<IndexMap<&'a [u8], i64, Hasher>>>,
}

impl<'a> Hash<'a> {
    /// How many fields it has.
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields, their values, and when they expire in Unix milliseconds, in an order that depends on what
    /// was done alone.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &StringValue<'a>, Option<i64>)> {
        let expiry = |field: &[u8]| self.expiries.as_ref()?.get(field).copied();
        self.fields.iter().map(move |(field, value)| (*field, value, expiry(field)))
    }
}
