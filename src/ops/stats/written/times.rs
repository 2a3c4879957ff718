//! Commands over time, by the `#TS:` annotations of a log.

use std::collections::BTreeMap;

use super::cell::Cell;
use crate::ops::stats::report::{Bucket, Peak};

/// The lengths of buckets in seconds. Each is a multiple of the one before, so that buckets can be joined exactly.
const WIDTHS: [i64; 11] = [1, 5, 15, 60, 300, 900, 3600, 10_800, 21_600, 86_400, 604_800];
/// The maximum number of buckets.
const BUCKETS: usize = 400;

/// The commands of a segment of a log by time. The commands before its first annotation belong to the time of the last
/// annotation of the segment before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Times {
    before_first: Cell,
    first: Option<Run>,
    /// The last run, if it is not the first.
    last: Option<Run>,
    closed: Buckets,
    peak: Option<Run>,
}

/// The commands between the annotations of one second and the next one.
#[derive(Debug, Clone, Copy)]
struct Run {
    time: i64,
    cell: Cell,
}

impl Times {
    /// Returns the sums that the next command belongs to.
    #[inline(always)]
    pub(super) fn current(&mut self) -> &mut Cell {
        match (&mut self.last, &mut self.first) {
            (Some(run), _) | (None, Some(run)) => &mut run.cell,
            (None, None) => &mut self.before_first,
        }
    }

    /// An annotation with this time, in Unix seconds.
    pub(super) fn annotated(&mut self, time: i64) {
        let current = self.last.or(self.first);
        if current.is_none_or(|run| run.time != time) {
            self.begin(Run { time, cell: Cell::default() });
        }
    }

    fn begin(&mut self, run: Run) {
        if self.first.is_none() {
            self.first = Some(run);
        } else if let Some(last) = self.last.replace(run) {
            self.close(last);
        }
    }

    fn close(&mut self, run: Run) {
        self.closed.add(run.time, run.cell);
        self.offer_peak(run);
    }

    fn offer_peak(&mut self, run: Run) {
        if self.peak.is_none_or(|peak| run.cell.bytes > peak.cell.bytes) {
            self.peak = Some(run);
        }
    }

    /// Adds the commands of the next segment.
    pub(super) fn join(&mut self, later: Times) {
        *self.current() += later.before_first;
        let Some(first) = later.first else { return };
        self.annotated(first.time);
        *self.current() += first.cell;
        let Some(last) = later.last else { return };
        self.closed.join(later.closed);
        self.begin(last);
        if let Some(peak) = later.peak {
            self.offer_peak(peak);
        }
    }

    /// Returns the commands of the whole log; `None` without annotations.
    pub(super) fn finish(mut self) -> Option<OverTime> {
        let first_time = self.first?.time;
        let last_time = self.last.or(self.first)?.time;
        let runs = [self.first.take(), self.last.take()];
        runs.into_iter().flatten().for_each(|run| self.close(run));
        let width = self.closed.width();
        let bucket = |(index, cell): (&i64, &Cell)| Bucket {
            start: index.saturating_mul(width),
            commands: cell.commands,
            bytes: cell.bytes,
        };
        Some(OverTime {
            first_time,
            last_time,
            untimed: self.before_first,
            width: width.unsigned_abs(),
            buckets: self.closed.cells.iter().map(bucket).collect(),
            peak: self.peak.map(|Run { time, cell }| Peak {
                time,
                commands: cell.commands,
                bytes: cell.bytes,
            }),
        })
    }
}

/// The commands of a log by time.
#[derive(Debug)]
pub(super) struct OverTime {
    pub(super) first_time: i64,
    pub(super) last_time: i64,
    /// The commands before the first annotation.
    pub(super) untimed: Cell,
    /// The length of buckets in seconds.
    pub(super) width: u64,
    pub(super) buckets: Vec<Bucket>,
    pub(super) peak: Option<Peak>,
}

/// The commands in spans of equal length, which grows with their number.
#[derive(Debug, Clone, Default)]
struct Buckets {
    /// The index of the length in [`WIDTHS`], and beyond them the number of times that the last is doubled.
    step: usize,
    cells: BTreeMap<i64, Cell>,
}

impl Buckets {
    fn width(&self) -> i64 {
        width(self.step)
    }

    fn add(&mut self, time: i64, cell: Cell) {
        *self.cells.entry(time.div_euclid(self.width())).or_default() += cell;
        while self.cells.len() > BUCKETS {
            self.widen();
        }
    }

    fn widen(&mut self) {
        let old = self.width();
        self.step += 1;
        let factor = (self.width() / old).max(1);
        let cells = std::mem::take(&mut self.cells);
        for (index, cell) in cells {
            *self.cells.entry(index.div_euclid(factor)).or_default() += cell;
        }
    }

    fn join(&mut self, mut later: Buckets) {
        while self.step < later.step {
            self.widen();
        }
        while later.step < self.step {
            later.widen();
        }
        for (index, cell) in later.cells {
            *self.cells.entry(index).or_default() += cell;
        }
        while self.cells.len() > BUCKETS {
            self.widen();
        }
    }
}

fn width(step: usize) -> i64 {
    let longest = WIDTHS.len() - 1;
    let doubled = u32::try_from(step.saturating_sub(longest)).unwrap_or(u32::MAX).min(40);
    WIDTHS[step.min(longest)] << doubled
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Annotations (`Err`) and commands by size.
    fn times(events: &[Result<u64, i64>]) -> Times {
        let mut times = Times::default();
        for event in events {
            match event {
                Ok(bytes) => *times.current() += Cell::of(*bytes),
                Err(time) => times.annotated(*time),
            }
        }
        times
    }

    /// The start, the commands and the bytes of buckets; the time and the bytes of the peak; the bytes without a time.
    type Shown = (Vec<(i64, u64, u64)>, Option<(i64, u64)>, u64);

    fn shown(times: Times) -> Shown {
        let over = times.finish().unwrap();
        let buckets = over.buckets.iter().map(|b| (b.start, b.commands, b.bytes)).collect();
        (buckets, over.peak.map(|peak| (peak.time, peak.bytes)), over.untimed.bytes)
    }

    #[test]
    fn any_split_of_a_log_has_the_same_times() {
        let events = [
            Ok(3),
            Err(10),
            Ok(5),
            Ok(6),
            Err(10),
            Ok(1),
            Err(12),
            Ok(11),
            Err(13),
            Err(10),
            Ok(2),
            Err(20),
        ];
        let expected = (vec![(10, 4, 14), (12, 1, 11), (13, 0, 0), (20, 0, 0)], Some((10, 12)), 3);
        assert_eq!(shown(times(&events)), expected);
        for one in 0..=events.len() {
            for two in one..=events.len() {
                let mut joined = times(&events[..one]);
                joined.join(times(&events[one..two]));
                joined.join(times(&events[two..]));
                assert_eq!(shown(joined), expected, "split at {one} and {two}");
            }
        }
    }

    #[test]
    fn buckets_grow_with_their_number() {
        let mut times = Times::default();
        for time in 0..=4000 {
            times.annotated(time);
            *times.current() += Cell::of(2);
        }
        let over = times.finish().unwrap();
        assert_eq!((over.width, over.buckets.len()), (15, 267));
        assert_eq!(over.buckets.iter().map(|bucket| bucket.bytes).sum::<u64>(), 8002);
        assert_eq!(over.buckets[1].start, 15);
    }

    #[test]
    fn times_of_any_size_are_counted() {
        let mut times = Times::default();
        for power in 0..62 {
            for sign in [1, -1] {
                for near in 0..5 {
                    times.annotated(sign * ((1_i64 << power) + near));
                    *times.current() += Cell::of(1);
                }
            }
        }
        times.annotated(i64::MAX);
        times.annotated(i64::MIN);
        let over = times.finish().unwrap();
        assert_eq!(over.buckets.iter().map(|bucket| bucket.bytes).sum::<u64>(), 620);
    }
}
