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

    /// The value of a field.
    pub fn get(&self, field: &[u8]) -> Option<&StringValue<'a>> {
        self.fields.get(field)
    }

    /// When a field expires, in Unix milliseconds.
    pub fn expiry(&self, field: &[u8]) -> Option<i64> {
        self.expiries.as_ref()?.get(field).copied()
    }

    /// The lowest and the highest time at which a field expires, in Unix milliseconds. Fields that do not
    /// expire are not looked at.
    pub fn expiry_range(&self) -> Option<(i64, i64)> {
        let times = || self.expiries.iter().flat_map(|expiries| expiries.values().copied());
        Some((times().min()?, times().max()?))
    }

    /// Gives a field this value, and no expiry; a new field must live as long as the keyspace. Says whether
    /// it is new.
    pub fn insert(&mut self, field: &'a [u8], value: StringValue<'a>) -> bool {
        let new = self.fields.insert(field, value).is_none();
        if !new {
            self.set_expiry(field, None);
        }
        new
    }

    /// Sets or removes the expiry of a field, in Unix milliseconds. Says whether the field is there: nothing
    /// is done when it is not.
    pub fn set_expiry(&mut self, field: &[u8], expires_ms: Option<i64>) -> bool {
        let Some((&field, _)) = self.fields.get_key_value(field) else { return false };
        match expires_ms {
            Some(time) => {
                self.expiries.get_or_insert_default().insert(field, time);
            }
            None => {
                if let Some(expiries) = &mut self.expiries {
                    expiries.swap_remove(field);
                    if expiries.is_empty() {
                        self.expiries = None;
                    }
                }
            }
        }
        true
    }

    /// The fields, their values, and when they expire in Unix milliseconds, in an order that depends on what
    /// was done alone.
    pub fn fields(&self) -> impl Iterator<Item = (&'a [u8], &StringValue<'a>, Option<i64>)> {
        let expiry = |field: &[u8]| self.expiries.as_ref()?.get(field).copied();
        self.fields.iter().map(move |(field, value)| (*field, value, expiry(field)))
    }
}
