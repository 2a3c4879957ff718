//! The largest of many values.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The number of values that a report has of each kind.
pub(super) const SHOWN: usize = 20;

/// The number of bytes that a report has of the name of a key.
const NAME_BYTES: usize = 1024;

/// Returns the name of a key as a report has it.
pub(super) fn reported_name(name: &[u8]) -> Vec<u8> {
    name[..name.len().min(NAME_BYTES)].to_vec()
}

/// The largest values of those that were offered; which they are does not depend on the order.
#[derive(Debug, Clone)]
pub(super) struct Top<T: Ord>(BinaryHeap<Reverse<T>>);

impl<T: Ord> Default for Top<T> {
    fn default() -> Self {
        Top(BinaryHeap::new())
    }
}

impl<T: Ord> Top<T> {
    /// Returns the smallest of the values, if there are as many as a report has.
    #[inline]
    pub(super) fn least(&self) -> Option<&T> {
        self.0.peek().filter(|_| self.0.len() >= SHOWN).map(|Reverse(least)| least)
    }

    /// Offers a value.
    pub(super) fn offer(&mut self, value: T) {
        if self.least().is_none_or(|least| *least < value) {
            if self.0.len() >= SHOWN {
                self.0.pop();
            }
            self.0.push(Reverse(value));
        }
    }

    /// Adds the values of another.
    pub(super) fn join(&mut self, other: Top<T>) {
        other.0.into_iter().for_each(|Reverse(value)| self.offer(value));
    }

    /// Returns the values, the largest first.
    pub(super) fn into_sorted(self) -> Vec<T> {
        self.0.into_sorted_vec().into_iter().map(|Reverse(value)| value).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_values_are_kept() {
        let mut top = Top::default();
        (0..50).for_each(|value| top.offer((value * 7) % 50));
        let expected: Vec<i32> = (30..50).rev().collect();
        assert_eq!(top.into_sorted(), expected);
    }
}
