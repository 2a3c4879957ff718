//! Hashes, and the expiry of their fields.

use super::members::Members;
use crate::keyspace::string::StringValue;

/// A hash. Its fields are in insertion order, except that the last one replaces a removed one.
#[derive(Debug, Clone, Default)]
pub struct Hash<'a> {
    fields: Members<'a, StringValue<'a>>,
    /// Only present if fields expire or did expire: few hashes have such fields, and those that do
    /// will have them again.
    expiries: Option<Box<Expiries>>,
}

/// The expiry of fields, in Unix milliseconds.
#[derive(Debug, Clone)]
struct Expiries {
    /// One for each field, in the order of the fields; [`NEVER`] if the field does not expire.
    times_ms: Vec<i64>,
    /// Number of fields that expire.
    count: usize,
}

/// Represents no expiry.
const NEVER: i64 = i64::MIN;

/// A reference to an existing field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(usize);

impl<'a> Hash<'a> {
    /// Creates an empty hash with the given capacity. The number must not come from untrusted input
    /// unchecked.
    pub fn with_capacity(capacity: usize) -> Self {
        Hash { fields: Members::with_capacity(capacity), expiries: None }
    }

    /// Returns the number of fields.
    #[inline]
    pub fn len(&self) -> usize {
        self.fields.len()
    }

    /// Returns whether there are no fields.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the fields, their values, and their expiry in Unix milliseconds, in an order that
    /// depends only on the operations performed.
    pub fn fields(
        &self,
    ) -> impl ExactSizeIterator<Item = (&'a [u8], &StringValue<'a>, Option<i64>)> {
        let fields = self.fields.entries().iter().enumerate();
        fields.map(|(place, (name, value))| (*name, value, self.expiry(Field(place))))
    }

    /// Returns the field of this name. It is valid until fields are added or removed.
    #[inline]
    pub fn find(&self, name: &[u8]) -> Option<Field> {
        self.fields.find(name).map(Field)
    }

    /// Returns the field of this name, and whether it is new. For a new field, `keep` returns the
    /// name with the required lifetime, and the value is empty. The field is valid until fields are
    /// added or removed.
    #[inline]
    pub fn find_or_add(&mut self, name: &[u8], keep: impl FnOnce() -> &'a [u8]) -> (Field, bool) {
        let (place, new) = self.fields.find_or_add(name, || (keep(), StringValue::default()));
        if new && let Some(expiries) = &mut self.expiries {
            expiries.times_ms.push(NEVER);
        }
        (Field(place), new)
    }

    /// Sets a field to this value without expiry, replacing any previous value, and returns whether
    /// it is new. The name is stored as given.
    pub fn insert(&mut self, name: &'a [u8], value: StringValue<'a>) -> bool {
        let (field, new) = self.find_or_add(name, || name);
        *self.value_mut(field) = value;
        self.set_expiry(field, None);
        new
    }

    /// Returns the value of a field.
    ///
    /// # Panics
    ///
    /// May panic if fields were removed since the field was looked up, like all methods that take a
    /// [`Field`].
    #[inline]
    pub fn value(&self, field: Field) -> &StringValue<'a> {
        &self.fields.entries()[field.0].1
    }

    /// Returns the value of a field for modification. Its expiry does not change.
    #[inline]
    pub fn value_mut(&mut self, field: Field) -> &mut StringValue<'a> {
        self.fields.value_mut(field.0)
    }

    /// Returns the value of the field of this name.
    pub fn get(&self, name: &[u8]) -> Option<&StringValue<'a>> {
        self.find(name).map(|field| self.value(field))
    }

    /// Returns the expiry of a field, in Unix milliseconds.
    #[inline]
    pub fn expiry(&self, field: Field) -> Option<i64> {
        let time_ms = *self.expiries.as_ref()?.times_ms.get(field.0)?;
        (time_ms != NEVER).then_some(time_ms)
    }

    /// Sets or removes the expiry of a field, in Unix milliseconds.
    #[inline]
    pub fn set_expiry(&mut self, field: Field, expires_ms: Option<i64>) {
        match (&mut self.expiries, expires_ms) {
            (None, None) => {}
            (None, Some(time_ms)) => {
                let mut times_ms = vec![NEVER; self.fields.len()];
                times_ms[field.0] = time_ms;
                self.expiries = Some(Box::new(Expiries { times_ms, count: 1 }));
            }
            (Some(expiries), expires_ms) => {
                let time_ms = &mut expiries.times_ms[field.0];
                expiries.count += usize::from(expires_ms.is_some());
                expiries.count -= usize::from(*time_ms != NEVER);
                *time_ms = expires_ms.unwrap_or(NEVER);
            }
        }
    }

    /// Removes the field of this name with its expiry, and returns whether it existed. A caller
    /// that removes the last field must remove the key.
    pub fn remove(&mut self, name: &[u8]) -> bool {
        let Some((place, _)) = self.fields.remove(name) else { return false };
        if let Some(expiries) = &mut self.expiries {
            let time_ms = expiries.times_ms.swap_remove(place);
            expiries.count -= usize::from(time_ms != NEVER);
        }
        true
    }

    /// Returns the number of fields that expire.
    #[inline]
    pub fn expiring(&self) -> usize {
        self.expiries.as_ref().map_or(0, |expiries| expiries.count)
    }

    /// Returns the earliest and the latest expiry of a field, in Unix milliseconds; `None` if no
    /// field expires. The function iterates over all fields.
    pub fn expiry_range(&self) -> Option<(i64, i64)> {
        let times = self.expiries.as_ref()?.times_ms.iter().copied().filter(|time| *time != NEVER);
        times.fold(None, |range, time| match range {
            None => Some((time, time)),
            Some((first, last)) => Some((first.min(time), last.max(time))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(hash: &Hash<'_>) -> Vec<(String, Option<i64>)> {
        let name = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
        hash.fields().map(|(field, _, expiry)| (name(field), expiry)).collect()
    }

    #[test]
    fn an_expiry_stays_with_its_field() {
        let mut hash = Hash::default();
        for name in ["a", "b", "c", "d"] {
            assert!(hash.insert(name.as_bytes(), StringValue::Int(1)));
        }
        for (name, time) in [("b", 20), ("d", 40)] {
            let field = hash.find(name.as_bytes()).expect("a field");
            hash.set_expiry(field, Some(time));
        }
        hash.insert(b"e", StringValue::Int(1));
        assert_eq!((hash.expiring(), hash.expiry_range()), (2, Some((20, 40))));
        // The last field moves to the position of the first.
        assert!(hash.remove(b"a"));
        assert!(!hash.remove(b"a"));
        let pair = |name: &str, time| (name.to_string(), time);
        assert_eq!(
            times(&hash),
            [pair("e", None), pair("b", Some(20)), pair("c", None), pair("d", Some(40))]
        );
        assert!(hash.remove(b"b"));
        assert_eq!(times(&hash), [pair("e", None), pair("d", Some(40)), pair("c", None)]);
        assert_eq!((hash.expiring(), hash.expiry_range()), (1, Some((40, 40))));
        // A new value has no expiry.
        assert!(!hash.insert(b"d", StringValue::Int(2)));
        assert_eq!((hash.expiring(), hash.expiry_range()), (0, None));
        hash.insert(b"f", StringValue::Int(1));
        assert!(hash.remove(b"e") && hash.remove(b"f"));
        assert_eq!(times(&hash), [pair("c", None), pair("d", None)]);
    }
}
