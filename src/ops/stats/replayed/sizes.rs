//! The number of items of a value, and the size of the largest.

use crate::keyspace::{StringValue, Value};

/// The items of a value: elements, members, fields or entries; a string counts as one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Items {
    pub(super) count: u64,
    /// The size of the largest in bytes: for a field, its name and value.
    pub(super) largest: u64,
}

impl Items {
    /// Returns the items of a value. Of a module's value and of one that unknown commands changed, nothing is known: it
    /// counts as one item.
    pub(super) fn of(value: &Value<'_>) -> Items {
        match value {
            Value::String(string) => Items { count: 1, largest: string.len() as u64 },
            Value::List(list) => Items::from(list.elements.iter().map(|element| element.len())),
            Value::Set(set) => Items::from(set.members().map(<[u8]>::len)),
            Value::Zset(zset) => Items::from(zset.members().map(|(member, _)| member.len())),
            Value::Hash(hash) => {
                let len = |(name, value, _): (&[u8], &StringValue<'_>, _)| name.len() + value.len();
                Items::from(hash.fields().map(len))
            }
            Value::Stream(stream) => {
                let len = |fields: crate::keyspace::stream::Fields<'_>| {
                    fields.iter().map(|(field, value)| field.len() + value.len()).sum()
                };
                Items::from(stream.entries().map(|(_, fields)| len(fields)))
            }
            Value::Array(array) => Items { count: array.len() as u64, largest: 0 },
            Value::Module(payload) => Items { count: 1, largest: payload.len() as u64 },
            Value::Opaque(_) => Items { count: 1, largest: 0 },
        }
    }

    fn from(lengths: impl Iterator<Item = usize>) -> Items {
        lengths.fold(Items::default(), |items, len| Items {
            count: items.count + 1,
            largest: items.largest.max(len as u64),
        })
    }
}
