//! The state of a log at a position: everything before it, by the rules of `recover --until`.

use super::cuts::{CutPoint, until};
use super::timeline::{Timeline, timeline};
use crate::analysis::position::Position;
use crate::aof::log::Log;
use crate::aof::{Frame, Join, Sink, grammar, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::rfc3339;
use crate::replay::CutList;

/// A position in a log, and how to replay the log up to it.
pub(crate) struct StateAt {
    /// What is omitted from the replay.
    pub(crate) cut: CutList,
    /// The cut point that the position resolves to.
    pub(crate) point: CutPoint,
    /// The number of the part of the cut point in load order, from 1.
    pub(crate) number: usize,
    /// The time of the state in Unix milliseconds: the requested one, or that of the last annotation before the cut
    /// point. `None` if no annotation is before it.
    pub(crate) time_ms: Option<i64>,
}

/// Returns the state after all commands before `position`; a transaction that contains it has not begun.
///
/// # Errors
///
/// As `recover --until`; and when the position is a time before the first annotation, because the data from before a log
/// was begun or rewritten is not in it.
pub(crate) fn state_at(log: &Log, position: &Position, progress: &dyn Progress) -> Result<StateAt> {
    let timeline = timeline(log, progress)?;
    if let (Position::Time(ms), Some((first, _))) = (position, timeline.times)
        && *ms < first.saturating_mul(1000)
    {
        let what = "the log begins after that time: the state at that time is not in it";
        return Err(Error::new(ErrorKind::Usage, what).at(&log.opened).help(format!(
            "its first annotation is {}; an older backup may have the key: `aofkit find KEY DIR`",
            rfc3339::from_seconds(first)
        )));
    }
    let cuts = until(log, &timeline, position, progress)?;
    let cut = cuts.list();
    let Some(point) = cuts.found else {
        return Err(Error::new(ErrorKind::Usage, "no such position in the log").at(&log.opened));
    };
    let index = log.parts.iter().position(|part| part.name == point.part).unwrap_or_default();
    let time_ms = match position {
        Position::Time(ms) => Some(*ms),
        Position::Byte { .. } | Position::Ordinal(_) => {
            let last = last_time(log, &timeline, index, point.offset, progress)?;
            last.map(|seconds| seconds.saturating_mul(1000))
        }
    };
    Ok(StateAt { cut, point, number: index + 1, time_ms })
}

/// Returns the time of the last annotation before a byte of a part, in Unix seconds.
fn last_time(
    log: &Log,
    timeline: &Timeline,
    index: usize,
    offset: u64,
    progress: &dyn Progress,
) -> Result<Option<i64>> {
    let read = log.parts.iter().zip(&timeline.parts).take(index + 1).rev();
    for (part, look) in read {
        let place = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
        let end = if part.index == index { offset } else { look.end };
        let bytes = part.mapping.bytes();
        let (start, end) = (place(look.start), place(end).min(bytes.len()));
        if start >= end {
            continue;
        }
        let scanned = scan_parallel(&bytes[..end], start, LastTime::default, |_| {}, progress);
        progress.check()?;
        part.mapping.check()?;
        if scanned.sink.0.is_some() {
            return Ok(scanned.sink.0);
        }
    }
    Ok(None)
}

/// The time of the last annotation, in Unix seconds.
#[derive(Default)]
struct LastTime(Option<i64>);

impl Sink for LastTime {
    fn command(&mut self, _: Frame<'_>) {}

    fn annotation(&mut self, _: u64, line: &[u8]) {
        self.0 = grammar::timestamp(line).or(self.0);
    }
}

impl Join for LastTime {
    fn join(&mut self, later: Self) {
        self.0 = later.0.or(self.0);
    }
}
