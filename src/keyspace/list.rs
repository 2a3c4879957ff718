//! Lists.

use std::collections::VecDeque;

/// A list, head first.
#[derive(Debug, Clone, Default)]
pub struct List<'a> {
    /// The elements.
    pub elements: VecDeque<&'a [u8]>,
}

/// An end of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)] // The names are self-explanatory.
pub enum End {
    Head,
    Tail,
}

impl<'a> List<'a> {
    /// Returns the number of elements.
    #[inline]
    pub fn len(&self) -> usize {
        self.elements.len()
    }

    /// Returns whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }

    /// Adds an element at an end.
    #[inline]
    pub fn push(&mut self, end: End, element: &'a [u8]) {
        match end {
            End::Head => self.elements.push_front(element),
            End::Tail => self.elements.push_back(element),
        }
    }

    /// Returns the element at an end.
    #[inline]
    pub fn peek(&self, end: End) -> Option<&'a [u8]> {
        match end {
            End::Head => self.elements.front().copied(),
            End::Tail => self.elements.back().copied(),
        }
    }

    /// Removes and returns the element at an end. A caller that removes the last element must
    /// remove the key; this also applies to the methods below.
    #[inline]
    pub fn pop(&mut self, end: End) -> Option<&'a [u8]> {
        match end {
            End::Head => self.elements.pop_front(),
            End::Tail => self.elements.pop_back(),
        }
    }

    /// Removes `count` elements at an end, or all if there are fewer.
    pub fn drop_some(&mut self, end: End, count: usize) {
        let count = count.min(self.len());
        match end {
            End::Head => drop(self.elements.drain(..count)),
            End::Tail => self.elements.truncate(self.len() - count),
        }
    }

    /// Removes the first `limit` elements that are equal to this one, counted from an end. The cost
    /// is that of searching for them from there.
    pub fn drop_same(&mut self, end: End, element: &[u8], limit: usize) {
        // Number of elements from that end that have to be checked.
        let mut reach = 0;
        let mut found = 0;
        let mut count_match = |(at, other): (usize, &&[u8])| {
            if *other == element {
                found += 1;
                reach = at + 1;
            }
            found == limit
        };
        match end {
            End::Head => self.elements.iter().enumerate().any(&mut count_match),
            End::Tail => self.elements.iter().rev().enumerate().any(&mut count_match),
        };
        // The remaining elements are moved away from the end, over the removed ones.
        let len = self.len();
        let mut to = reach;
        for from in (0..reach).rev() {
            let place = |from: usize| if end == End::Head { from } else { len - 1 - from };
            let stays = self.elements[place(from)];
            if stays != element {
                to -= 1;
                self.elements[place(to)] = stays;
            }
        }
        self.drop_some(end, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dropped(list: &str, end: End, element: &str, limit: usize) -> String {
        let mut list = List {
            elements: list.split("").filter(|e| !e.is_empty()).map(str::as_bytes).collect(),
        };
        list.drop_same(end, element.as_bytes(), limit);
        list.elements.iter().map(|e| String::from_utf8_lossy(e)).collect()
    }

    #[test]
    fn equal_elements_are_removed_from_the_given_end() {
        let list = "xaxbxcx";
        assert_eq!(dropped(list, End::Head, "x", 1), "axbxcx");
        assert_eq!(dropped(list, End::Head, "x", 3), "abcx");
        assert_eq!(dropped(list, End::Head, "x", usize::MAX), "abc");
        assert_eq!(dropped(list, End::Tail, "x", 1), "xaxbxc");
        assert_eq!(dropped(list, End::Tail, "x", 3), "xabc");
        assert_eq!(dropped(list, End::Tail, "x", usize::MAX), "abc");
        assert_eq!(dropped(list, End::Tail, "c", 2), "xaxbxx");
        assert_eq!(dropped(list, End::Head, "z", 1), list);
        assert_eq!(dropped("xxx", End::Head, "x", usize::MAX), "");
        assert_eq!(dropped("", End::Tail, "x", 1), "");
    }
}
