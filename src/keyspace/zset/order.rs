//! The order of a larger sorted set: consecutive runs of sorted members.
//!
//! Inserting and removing move the members of one run only. A search by score compares the last
//! member of some runs; a search by rank adds the lengths of the runs from the nearer end.

use std::cmp::Ordering;
use std::ops::Range;

/// A member and its score.
pub type Scored<'a> = (&'a [u8], f64);

/// The order of sorted sets. Zero and negative zero are equal.
pub(super) fn compare(one: &Scored<'_>, other: &Scored<'_>) -> Ordering {
    let by_score = one.1.partial_cmp(&other.1).unwrap_or(Ordering::Equal);
    by_score.then_with(|| one.0.cmp(other.0))
}

pub(super) fn sorted<'a>(scores: &crate::keyspace::zset::scores::Scores<'a>) -> Vec<Scored<'a>> {
    let mut members: Vec<Scored<'a>> = scores.iter().map(|(name, score)| (*name, *score)).collect();
    members.sort_unstable_by(compare);
    members
}

/// Maximum length of a run. Inserting a member moves at most half of it, on average half of that.
const LONGEST: usize = 512;

/// Sorted runs, none of which is empty.
#[derive(Debug, Clone)]
pub(super) struct Order<'a> {
    runs: Vec<Vec<Scored<'a>>>,
}

impl<'a> Order<'a> {
    /// Creates it from sorted members.
    pub(super) fn from_sorted(members: Vec<Scored<'a>>) -> Self {
        Order { runs: members.chunks(LONGEST / 2).map(<[_]>::to_vec).collect() }
    }

    pub(super) fn read(&self) -> Ordered<'_, 'a> {
        Ordered { runs: &self.runs }
    }

    pub(super) fn insert(&mut self, member: Scored<'a>) {
        let last = self.runs.len().saturating_sub(1);
        // A member after all others is appended to the last run.
        let at = self.run_of(&member).min(last);
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(vec![member]);
            return;
        };
        let place = run.partition_point(|other| compare(other, &member).is_lt());
        run.insert(place, member);
        if run.len() > LONGEST {
            // A set that grows at its end leaves full runs.
            let keep = if at == last && place == LONGEST { LONGEST } else { LONGEST / 2 };
            let rest = run.split_off(keep);
            self.runs.insert(at + 1, rest);
        }
    }

    /// Removes an existing member.
    pub(super) fn remove(&mut self, member: Scored<'a>) {
        let at = self.run_of(&member);
        let Some(run) = self.runs.get_mut(at) else { return };
        if let Ok(place) = run.binary_search_by(|other| compare(other, &member)) {
            run.remove(place);
            if run.is_empty() {
                self.runs.remove(at);
            }
        }
    }

    /// Removes a range, and passes each member to the callback.
    pub(super) fn remove_range(
        &mut self,
        range: Range<OrderPosition>,
        mut removed: impl FnMut(Scored<'a>),
    ) {
        let Range { start, end } = range;
        for run in start.run..=end.run {
            let Some(members) = self.runs.get_mut(run) else { break };
            let from = if run == start.run { start.at } else { 0 };
            let to = if run == end.run { end.at } else { members.len() };
            members.drain(from..to).for_each(&mut removed);
        }
        // Of the affected runs, those in the middle are empty now, and the first and the last may
        // be.
        let touched = start.run..(end.run + 1).min(self.runs.len());
        let emptied = |run: &usize| self.runs[*run].is_empty();
        let first = touched.clone().find(emptied).unwrap_or(touched.end);
        let count = touched.filter(emptied).count();
        self.runs.drain(first..first + count);
    }

    /// Returns the first run that does not end before this member: the only one that can contain
    /// it.
    fn run_of(&self, member: &Scored<'_>) -> usize {
        let before =
            |run: &Vec<Scored<'_>>| run.last().is_some_and(|last| compare(last, member).is_lt());
        self.runs.partition_point(before)
    }
}

/// A position in the order of a set, valid until the set is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderPosition {
    run: usize,
    at: usize,
}

impl OrderPosition {
    /// Returns the rank in a set that consists of this run only.
    pub(super) fn rank_in(self, members: &[Scored<'_>]) -> usize {
        if self.run == 0 { self.at } else { members.len() }
    }
}

/// The members of a set in order.
#[derive(Clone, Copy)]
pub struct Ordered<'z, 'a> {
    runs: &'z [Vec<Scored<'a>>],
}

impl<'z, 'a> Ordered<'z, 'a> {
    pub(super) fn new(runs: &'z [Vec<Scored<'a>>]) -> Self {
        Ordered { runs }
    }

    /// Returns the position of the first member.
    pub fn start(self) -> OrderPosition {
        OrderPosition { run: 0, at: 0 }
    }

    /// Returns the position after the last member.
    pub fn end(self) -> OrderPosition {
        OrderPosition { run: self.runs.len(), at: 0 }
    }

    /// Returns the member with the lowest score.
    pub fn first(self) -> Option<Scored<'a>> {
        self.runs.first()?.first().copied()
    }

    /// Returns the member with the highest score.
    pub fn last(self) -> Option<Scored<'a>> {
        self.runs.last()?.last().copied()
    }

    /// Returns the position after the leading members for which `before` returns true. It must not
    /// return true for any member after one for which it returned false.
    pub fn partition_point(self, before: impl Fn(Scored<'a>) -> bool) -> OrderPosition {
        let run = self.runs.partition_point(|run| run.last().is_some_and(|last| before(*last)));
        let at = self.runs.get(run).map_or(0, |run| run.partition_point(|member| before(*member)));
        OrderPosition { run, at }
    }

    /// Returns the position after `count` members, or after all.
    pub fn rank(self, count: usize) -> OrderPosition {
        let mut left = count;
        for (run, members) in self.runs.iter().enumerate() {
            if left < members.len() {
                return OrderPosition { run, at: left };
            }
            left -= members.len();
        }
        self.end()
    }

    /// Returns the position before the last `count` members, or before all.
    pub fn rank_from_end(self, count: usize) -> OrderPosition {
        let mut left = count;
        if left == 0 {
            return self.end();
        }
        for (run, members) in self.runs.iter().enumerate().rev() {
            if left <= members.len() {
                return OrderPosition { run, at: members.len() - left };
            }
            left -= members.len();
        }
        self.start()
    }

    /// Returns the members between two positions.
    pub fn range(
        self,
        range: Range<OrderPosition>,
    ) -> impl DoubleEndedIterator<Item = Scored<'a>> + use<'z, 'a> {
        let Range { start, end } = range;
        let end = end.max(start);
        (start.run..=end.run).flat_map(move |run| {
            let members = self.runs.get(run).map_or(&[][..], Vec::as_slice);
            let from = if run == start.run { start.at } else { 0 };
            let to = if run == end.run { end.at } else { members.len() };
            members[from..to].iter().copied()
        })
    }

    /// Returns all members.
    pub fn all(self) -> impl DoubleEndedIterator<Item = Scored<'a>> + use<'z, 'a> {
        self.runs.iter().flatten().copied()
    }
}
