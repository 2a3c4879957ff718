//! The order of a larger sorted set: runs of members, each in order, one behind the other.
//!
//! Inserting and removing move the members of one run alone. Finding by score looks at the last member of some runs,
//! finding by rank at the lengths of those before it, from the nearer end.

use std::cmp::Ordering;
use std::ops::Range;

/// A member and its score.
pub type Scored<'a> = (&'a [u8], f64);

/// The order of sorted sets. The two zeros are the same.
pub(super) fn compare(one: &Scored<'_>, other: &Scored<'_>) -> Ordering {
    let by_score = one.1.partial_cmp(&other.1).unwrap_or(Ordering::Equal);
    by_score.then_with(|| one.0.cmp(other.0))
}

pub(super) fn sorted<'a>(scores: &crate::keyspace::zset::scores::Scores<'a>) -> Vec<Scored<'a>> {
    let mut members: Vec<Scored<'a>> = scores.iter().map(|(name, score)| (*name, *score)).collect();
    members.sort_unstable_by(compare);
    members
}

/// The longest run. Half of it is moved to insert a member, on average half of that.
const LONGEST: usize = 512;

/// Runs in order. None is empty.
#[derive(Debug, Clone)]
pub(super) struct Order<'a> {
    runs: Vec<Vec<Scored<'a>>>,
}

impl<'a> Order<'a> {
    /// Of members in order.
    pub(super) fn of(members: Vec<Scored<'a>>) -> Self {
        Order { runs: members.chunks(LONGEST / 2).map(<[_]>::to_vec).collect() }
    }

    pub(super) fn read(&self) -> Ordered<'_, 'a> {
        Ordered { runs: &self.runs }
    }

    pub(super) fn insert(&mut self, member: Scored<'a>) {
        let last = self.runs.len().saturating_sub(1);
        // Behind all others, it goes to the end of the last run.
        let at = self.run_of(&member).min(last);
        let Some(run) = self.runs.get_mut(at) else {
            self.runs.push(vec![member]);
            return;
        };
        let place = run.partition_point(|other| compare(other, &member).is_lt());
        run.insert(place, member);
        if run.len() > LONGEST {
            // What grows at its end leaves full runs behind.
            let keep = if at == last && place == LONGEST { LONGEST } else { LONGEST / 2 };
            let rest = run.split_off(keep);
            self.runs.insert(at + 1, rest);
        }
    }

    /// Removes a member that is there.
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

    /// Removes a range, and tells of each member.
    pub(super) fn remove_range(
        &mut self,
        range: Range<Place>,
        mut removed: impl FnMut(Scored<'a>),
    ) {
        let Range { start, end } = range;
        for run in start.run..=end.run {
            let Some(members) = self.runs.get_mut(run) else { break };
            let from = if run == start.run { start.at } else { 0 };
            let to = if run == end.run { end.at } else { members.len() };
            members.drain(from..to).for_each(&mut removed);
        }
        // Of those touched, the ones between were emptied, and the first and the last may have been.
        let touched = start.run..(end.run + 1).min(self.runs.len());
        let emptied = |run: &usize| self.runs[*run].is_empty();
        let first = touched.clone().find(emptied).unwrap_or(touched.end);
        let count = touched.filter(emptied).count();
        self.runs.drain(first..first + count);
    }

    /// The first run that does not end before this member: the only one that can have it.
    fn run_of(&self, member: &Scored<'_>) -> usize {
        let before =
            |run: &Vec<Scored<'_>>| run.last().is_some_and(|last| compare(last, member).is_lt());
        self.runs.partition_point(before)
    }
}

/// A place in the order of a set, good until the set is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    run: usize,
    at: usize,
}

impl Place {
    /// In a set whose only run this is.
    pub(super) fn rank_in(self, members: &[Scored<'_>]) -> usize {
        if self.run == 0 { self.at } else { members.len() }
    }
}

/// The members of a set in their order.
#[derive(Clone, Copy)]
pub struct Ordered<'z, 'a> {
    runs: &'z [Vec<Scored<'a>>],
}

impl<'z, 'a> Ordered<'z, 'a> {
    pub(super) fn of(runs: &'z [Vec<Scored<'a>>]) -> Self {
        Ordered { runs }
    }

    /// Where the first member is.
    pub fn start(self) -> Place {
        Place { run: 0, at: 0 }
    }

    /// Behind the last member.
    pub fn end(self) -> Place {
        Place { run: self.runs.len(), at: 0 }
    }

    /// The member with the lowest score.
    pub fn first(self) -> Option<Scored<'a>> {
        self.runs.first()?.first().copied()
    }

    /// The member with the highest score.
    pub fn last(self) -> Option<Scored<'a>> {
        self.runs.last()?.last().copied()
    }

    /// Behind those members at the start for which `before` holds. It must hold for none behind one for which it
    /// does not.
    pub fn behind(self, before: impl Fn(Scored<'a>) -> bool) -> Place {
        let run = self.runs.partition_point(|run| run.last().is_some_and(|last| before(*last)));
        let at = self.runs.get(run).map_or(0, |run| run.partition_point(|member| before(*member)));
        Place { run, at }
    }

    /// Behind `count` members, or all.
    pub fn rank(self, count: usize) -> Place {
        let mut left = count;
        for (run, members) in self.runs.iter().enumerate() {
            if left < members.len() {
                return Place { run, at: left };
            }
            left -= members.len();
        }
        self.end()
    }

    /// Behind all but `count` members, or before all.
    pub fn rank_from_end(self, count: usize) -> Place {
        let mut left = count;
        if left == 0 {
            return self.end();
        }
        for (run, members) in self.runs.iter().enumerate().rev() {
            if left <= members.len() {
                return Place { run, at: members.len() - left };
            }
            left -= members.len();
        }
        self.start()
    }

    /// The members from one place up to another.
    pub fn range(
        self,
        range: Range<Place>,
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

    /// All members.
    pub fn all(self) -> impl DoubleEndedIterator<Item = Scored<'a>> + use<'z, 'a> {
        self.runs.iter().flatten().copied()
    }
}
