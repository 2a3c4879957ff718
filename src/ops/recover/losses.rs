//! Keys that were removed one by one, in the whole log and by each event.
//!
//! DEL and UNLINK are routine, and so is a key that is deleted and created again. Therefore only keys that are missing
//! at the end are counted, and the total number of keys is sampled at many points of the log: a mass deletion is one
//! that reduces this number substantially.

use serde::Serialize;

use super::bursts::{CellId, Cells};
use super::event_kind::EventKind;
use super::thresholds::{IN_NUMBER_KEYS, IN_NUMBER_RUN, Thresholds};
use super::timeline::Timeline;
use crate::analysis::key_course::{Course, KeyCounts, add};
use crate::command::Position;

/// Keys that were deleted one by one in the whole log.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Deletions {
    /// The number of times DEL, UNLINK or GETDEL removed a key.
    pub removed: u64,
    /// The number of keys that these commands removed and that are missing at the end.
    pub gone: u64,
    /// The number of those keys whose expiry has passed by now.
    pub expired: u64,
    /// The number of the remaining keys, which `--undelete '*'` restores.
    pub recoverable: u64,
    /// The number of times another command removed a key, such as LPOP taking the last element.
    pub emptied: u64,
    /// The number of times RENAME, RENAMENX or MOVE gave a key another name or database.
    pub(crate) renamed: u64,
    /// The number of keys that exist at the end but whose expiry has passed by now: a server deletes them when it loads
    /// the log.
    pub expired_at_end: u64,
    /// The largest number of keys at any of the points where they were counted.
    pub most_keys: u64,
    /// The largest decrease of the number of keys that was caused by deletions.
    pub fall: u64,
    /// Whether the deletions count as a mass deletion.
    pub in_number: bool,
    /// The number of the run of deletions that removed most keys, if it counts as a mass deletion.
    pub run: Option<u64>,
    /// The start of the decrease: the point before the first deletion of a key that is missing at the end.
    pub before: Option<LossPlace>,
}

/// A point in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LossPlace {
    /// The file name of the part.
    pub part: String,
    /// The byte offset in the part.
    pub offset: u64,
}

impl Deletions {
    /// Returns whether no command other than a flush removed a key, and no key is expired at the end.
    pub fn none(&self) -> bool {
        self.removed == 0 && self.emptied == 0 && self.expired_at_end == 0
    }
}

/// The counters of one shard or of all shards.
#[derive(Debug, Default)]
pub(super) struct Losses {
    /// The sums; fields that are decided at the end are not set.
    pub(super) counted: Deletions,
    /// The number of keys at each point.
    pub(super) counts: KeyCounts,
    /// The number of keys removed other than by a deletion that lost them, for each interval between two points; the
    /// last entry covers the interval after the last point.
    pub(super) otherwise: Vec<u64>,
    /// The first deletion that lost a key, for each of the same intervals.
    pub(super) first: Vec<Option<Position>>,
    /// The number of keys that each run of deletions removed and that `--undelete` restores.
    pub(super) by_event: Vec<u64>,
    /// The keys that each run of deletions removed, by the index of its event.
    pub(super) runs: Cells<usize>,
    /// The keys that other commands removed.
    pub(super) cells: Cells<CellId>,
}

impl Losses {
    pub(super) fn join(&mut self, other: Losses) {
        let (mine, theirs) = (&mut self.counted, &other.counted);
        mine.removed += theirs.removed;
        mine.gone += theirs.gone;
        mine.expired += theirs.expired;
        mine.recoverable += theirs.recoverable;
        mine.emptied += theirs.emptied;
        mine.renamed += theirs.renamed;
        mine.expired_at_end += theirs.expired_at_end;
        self.counts.join(&other.counts);
        self.cells.join(other.cells);
        add(&mut self.otherwise, &other.otherwise);
        self.runs.join(other.runs);
        add(&mut self.by_event, &other.by_event);
        self.first.resize(self.first.len().max(other.first.len()), None);
        for (mine, theirs) in self.first.iter_mut().zip(&other.first) {
            *mine = mine.iter().chain(theirs).min().copied();
        }
    }

    /// Computes the totals and decides whether they form a mass deletion.
    pub(super) fn judge(
        &self,
        course: &Course,
        timeline: &Timeline,
        thresholds: Thresholds,
        is_loss: impl Fn(usize) -> bool,
    ) -> Deletions {
        let mut found = self.counted.clone();
        // The number of keys if those that were removed otherwise had stayed.
        let keys = self.counts.totals();
        let mut height = Vec::with_capacity(keys.len());
        let mut otherwise = 0;
        for (keys, more) in keys.iter().zip(&self.otherwise) {
            otherwise += more;
            height.push(keys + otherwise);
        }
        found.most_keys = keys.iter().max().copied().unwrap_or(0);
        let (fall, top) = largest_fall(&height);
        found.fall = fall;
        let lost = found.recoverable.min(fall);
        let is_share = lost.saturating_mul(100) >= found.most_keys.saturating_mul(thresholds.share)
            && (lost >= IN_NUMBER_KEYS || lost * 2 >= found.most_keys);
        found.run = self.largest_run(course, timeline, &height, is_loss);
        found.in_number = lost > 0 && (is_share || found.run.is_some());
        let first = self.first.iter().skip(top + 1).flatten().next();
        found.before = first.or(self.first.iter().flatten().next()).and_then(|at| {
            let part = timeline.parts.get(at.part as usize)?.name.clone();
            Some(LossPlace { part, offset: at.offset })
        });
        found
    }

    fn largest_run(
        &self,
        course: &Course,
        timeline: &Timeline,
        height: &[u64],
        is_loss: impl Fn(usize) -> bool,
    ) -> Option<u64> {
        let lost = |index: usize| {
            let event =
                timeline.events.get(index).filter(|event| event.what == EventKind::Delete)?;
            let part = u32::try_from(event.part_index).ok()?;
            let at = |offset| {
                let place = course.reached(Position { part, offset }).checked_sub(1)?;
                height.get(place).copied()
            };
            let fall = at(event.offset)?.saturating_sub(at(event.end)?);
            Some((self.by_event.get(index).copied()?.min(fall), event.number))
        };
        let runs = (0..timeline.events.len()).filter(|index| is_loss(*index)).filter_map(lost);
        runs.filter(|(keys, _)| *keys >= IN_NUMBER_RUN).max().map(|(_, number)| number)
    }
}

/// Returns the largest decrease of the heights, and the index of the last maximum from which it starts.
fn largest_fall(height: &[u64]) -> (u64, usize) {
    let (mut best, mut top) = ((0, 0), 0);
    for (at, now) in height.iter().enumerate() {
        if *now >= height[top] {
            top = at;
        }
        best = best.max((height[top] - now, top));
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_fall_is_from_the_last_maximum() {
        assert_eq!(largest_fall(&[]), (0, 0));
        assert_eq!(largest_fall(&[1, 2, 3]), (0, 2));
        assert_eq!(largest_fall(&[5, 5, 2, 4, 1]), (4, 1));
        assert_eq!(largest_fall(&[3, 0, 9, 8]), (3, 0));
    }
}
