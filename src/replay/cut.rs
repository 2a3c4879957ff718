//! What is left out of a log when it is replayed.

use std::ops::Range;

/// Bytes that are left out of a log, part by part. Every range begins and ends where a command does, or covers
/// the RDB that a part begins with from its first byte.
///
/// A database that a SELECT within a range put in force stays in force behind it, so that what follows
/// means what it meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CutList {
    /// By the number of a part: sorted, apart from each other, none empty.
    parts: Vec<Vec<Range<u64>>>,
}

impl CutList {
    /// Leaves nothing out.
    pub fn new() -> Self {
        CutList::default()
    }

    /// Leaves out `range` of a part, counted from 0 in load order; what is left out already stays so.
    pub fn cut(&mut self, part: usize, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Vec::new);
        }
        let cuts = &mut self.parts[part];
        let first = cuts.partition_point(|cut| cut.end < range.start);
        let behind = cuts.partition_point(|cut| cut.start <= range.end);
        let joined = cuts[first..behind]
            .iter()
            .fold(range, |joined, cut| joined.start.min(cut.start)..joined.end.max(cut.end));
        cuts.splice(first..behind, [joined]);
    }

    /// Whether nothing is left out.
    pub fn is_empty(&self) -> bool {
        self.parts.iter().all(Vec::is_empty)
    }

    /// What is left out of a part, in order.
    pub fn of(&self, part: usize) -> &[Range<u64>] {
        self.parts.get(part).map_or(&[], Vec::as_slice)
    }

    /// Whether the byte at `offset` of a part is left out.
    pub fn leaves_out(&self, part: usize, offset: u64) -> bool {
        self.of(part).iter().any(|cut| cut.contains(&offset))
    }

    /// What stays of a part of `len` bytes, in order.
    pub fn kept(&self, part: usize, len: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let cuts = self.of(part);
        let starts = std::iter::once(0).chain(cuts.iter().map(|cut| cut.end));
        let ends = cuts.iter().map(|cut| cut.start).chain(std::iter::once(len));
        starts
            .zip(ends)
            .map(move |(start, end)| start..end.min(len))
            .filter(|kept| kept.start < kept.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_join_where_they_touch_and_what_stays_is_between_them() {
        let mut list = CutList::new();
        for range in [50..60, 10..20, 20..30, 55..70, 0..5, 7..7] {
            list.cut(1, range);
        }
        assert_eq!(list.of(1), [0..5, 10..30, 50..70]);
        let kept: Vec<_> = list.kept(1, 100).collect();
        assert_eq!(kept, [5..10, 30..50, 70..100]);
        assert!(list.of(0).is_empty() && list.of(7).is_empty());
        assert_eq!(list.kept(0, 9).collect::<Vec<_>>(), vec![0..9; 1]);
        assert!(list.leaves_out(1, 10) && !list.leaves_out(1, 30) && !list.leaves_out(0, 10));
        list.cut(1, 0..u64::MAX);
        assert_eq!(list.kept(1, 100).count(), 0);
    }
}
