//! The ranges that are omitted from a log when it is replayed.

use std::ops::Range;

/// Byte ranges that are omitted from a log, per part. Every range begins and ends at a command
/// boundary, or covers the RDB at the beginning of a part from its first byte.
///
/// A database selected by a SELECT within a range stays selected after it, so that the commands
/// after it keep their meaning.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CutList {
    /// Indexed by part number: sorted, disjoint, none empty.
    parts: Vec<Vec<Range<u64>>>,
}

impl CutList {
    /// Creates an empty list.
    pub(crate) fn new() -> Self {
        CutList::default()
    }

    /// Omits `range` of a part, counted from 0 in load order, in addition to the ranges already
    /// omitted.
    pub(crate) fn cut(&mut self, part: usize, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if self.parts.len() <= part {
            self.parts.resize_with(part + 1, Vec::new);
        }
        let cuts = &mut self.parts[part];
        let first = cuts.partition_point(|cut| cut.end < range.start);
        let after = cuts.partition_point(|cut| cut.start <= range.end);
        let joined = cuts[first..after]
            .iter()
            .fold(range, |joined, cut| joined.start.min(cut.start)..joined.end.max(cut.end));
        cuts.splice(first..after, [joined]);
    }

    /// Returns the omitted ranges of a part, in order.
    pub(crate) fn in_part(&self, part: usize) -> &[Range<u64>] {
        self.parts.get(part).map_or(&[], Vec::as_slice)
    }

    /// Returns whether the byte at `offset` of a part is omitted.
    #[cfg(test)]
    pub(crate) fn omits(&self, part: usize, offset: u64) -> bool {
        self.in_part(part).iter().any(|cut| cut.contains(&offset))
    }

    /// Returns the retained ranges of a part of `len` bytes, in order.
    pub(crate) fn kept(&self, part: usize, len: u64) -> impl Iterator<Item = Range<u64>> + '_ {
        let cuts = self.in_part(part);
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
    fn touching_cuts_are_merged_and_retained_ranges_are_between_them() {
        let mut list = CutList::new();
        for range in [50..60, 10..20, 20..30, 55..70, 0..5, 7..7] {
            list.cut(1, range);
        }
        assert_eq!(list.in_part(1), [0..5, 10..30, 50..70]);
        let kept: Vec<_> = list.kept(1, 100).collect();
        assert_eq!(kept, [5..10, 30..50, 70..100]);
        assert!(list.in_part(0).is_empty() && list.in_part(7).is_empty());
        assert_eq!(list.kept(0, 9).collect::<Vec<_>>(), vec![0..9; 1]);
        assert!(list.omits(1, 10) && !list.omits(1, 30) && !list.omits(0, 10));
        list.cut(1, 0..u64::MAX);
        assert_eq!(list.kept(1, 100).count(), 0);
    }
}
