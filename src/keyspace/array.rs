//! Arrays (Redis 8.8 and later): values at indexes, most of which may have none.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::score::{ScoreBuffer, ScoreText};
use crate::base::server::redis;

/// An array. An array without elements does not exist: commands remove the key.
#[derive(Debug, Clone, Default)]
pub struct Array<'a> {
    items: BTreeMap<u64, ArrayValue<'a>>,
    insert_index: Option<u64>,
}

/// An element of an array.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs)] // The names are self-explanatory.
pub enum ArrayValue<'a> {
    Bytes(&'a [u8]),
    Int(i64),
    Double(f64),
}

impl ArrayValue<'_> {
    /// Returns the text that a client reads.
    pub fn text(&self) -> Cow<'_, [u8]> {
        match self {
            ArrayValue::Bytes(bytes) => Cow::Borrowed(bytes),
            ArrayValue::Int(number) => {
                Cow::Owned(itoa::Buffer::new().format(*number).as_bytes().to_vec())
            }
            ArrayValue::Double(number) => {
                let text = ScoreText::of_server(redis(8, 2));
                Cow::Owned(ScoreBuffer::new().format(*number, text).as_bytes().to_vec())
            }
        }
    }
}

impl<'a> Array<'a> {
    /// Returns the number of elements.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Returns whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Returns the elements in the order of their indexes.
    pub fn items(&self) -> impl ExactSizeIterator<Item = (u64, &ArrayValue<'a>)> {
        self.items.iter().map(|(index, value)| (*index, value))
    }

    /// Returns the highest index that has an element.
    pub fn last_index(&self) -> Option<u64> {
        self.items.last_key_value().map(|(index, _)| *index)
    }

    /// Sets the element at an index.
    pub fn set(&mut self, index: u64, value: ArrayValue<'a>) {
        self.items.insert(index, value);
    }

    /// Removes the element at an index, if there is one.
    pub fn remove(&mut self, index: u64) {
        self.items.remove(&index);
    }

    /// Removes the elements from one index to another, which is included.
    pub fn remove_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        // Every index has at most one element, so this takes as long as there are elements.
        let within: Vec<u64> = self.items.range(first..=last).map(|(index, _)| *index).collect();
        for index in within {
            self.items.remove(&index);
        }
    }

    /// Returns the index of the element that was inserted last; `None` if the next one is inserted
    /// at index 0.
    pub fn insert_index(&self) -> Option<u64> {
        self.insert_index
    }

    /// Sets what [`insert_index`](Self::insert_index) returns.
    pub fn set_insert_index(&mut self, index: Option<u64>) {
        self.insert_index = index;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_includes_both_ends_up_to_the_highest_index() {
        let mut array = Array::default();
        for index in [0, 1, 2, 9, u64::MAX] {
            array.set(index, ArrayValue::Int(1));
        }
        array.remove_range(2, 1);
        assert_eq!(array.len(), 5);
        array.remove_range(1, 2);
        array.remove_range(10, u64::MAX);
        let left: Vec<u64> = array.items().map(|(index, _)| index).collect();
        assert_eq!(left, [0, 9]);
    }

    #[test]
    fn numbers_have_the_text_that_a_client_wrote() {
        assert_eq!(&*ArrayValue::Int(-7).text(), b"-7");
        assert_eq!(&*ArrayValue::Double(1.5).text(), b"1.5");
    }
}
