//! What the commands of a log write, by one scan of its bytes on all cores.

mod cell;
mod counting;
mod keys;
mod tally;
mod times;
mod transactions;

use std::ops::Range;

use self::counting::Counting;
pub(super) use self::keys::each_key;
use self::tally::{Place, WrittenTally};
use super::pattern::Patterns;
use super::prefixes::{PATTERNS, PatternSums};
use super::report::{Bucket, LargeCommand, Timeline, Written};
use crate::analysis::key_course::CoursePart;
use crate::aof::log::{Log, Part};
use crate::aof::parallel::CHUNK_BYTES;
use crate::aof::{Join, Scanned, Stop, scan_parallel};
use crate::base::error::Result;
use crate::base::escape::OwnedText;
use crate::base::progress::Progress;
use crate::rdb::Ignore;
use crate::replay::{KeySpecs, broken_rdb, refuse_damage};

/// The number of spans of a log without times.
const SPANS: u64 = 240;

/// The number of chunks of a log that are counted before they are joined: the counts of each are in memory until then.
const WINDOW_CHUNKS: usize = 32;
/// The maximum number of patterns of these chunks together.
const WINDOW_PATTERNS: usize = 16_384 * WINDOW_CHUNKS;

/// The commands of a log, and the sums by prefix.
pub(super) struct Counted<'l> {
    pub(super) written: Written,
    /// Where the commands are in each part.
    pub(super) parts: Vec<CoursePart<'l>>,
    pub(super) prefixes: PatternSums,
    pub(super) rdb_bytes: u64,
    pub(super) torn_bytes: u64,
}

/// Counts the commands of a log up to a torn end. `rdb_lens`: the lengths of the RDBs at the beginning of its parts, if they
/// are known; otherwise they are read.
///
/// # Errors
///
/// When the log is damaged, or changed by another process.
pub(super) fn count<'l>(
    log: &'l Log,
    rdb_lens: Option<&[usize]>,
    patterns: &Patterns,
    key_specs: &KeySpecs,
    progress: &dyn Progress,
) -> Result<Counted<'l>> {
    let span = log.bytes().div_ceil(SPANS).max(1);
    let chunks = usize::try_from(log.bytes()).unwrap_or(usize::MAX) / CHUNK_BYTES + 1;
    let segment_patterns = (WINDOW_PATTERNS / chunks.min(WINDOW_CHUNKS)).min(PATTERNS);
    let counting = Counting { patterns, key_specs, segment_patterns, span };
    let mut all = WrittenTally::new(&counting, Place::default());
    let (mut rdb_bytes, mut torn_bytes) = (0, 0);
    let mut before = 0;
    let mut parts = Vec::with_capacity(log.parts.len());
    progress.phase("count", log.bytes());
    for (number, part) in (0_u32..).zip(&log.parts) {
        let bytes = part.mapping.bytes();
        let start = match rdb_lens.and_then(|lens| lens.get(part.index)) {
            Some(len) => *len.min(&bytes.len()),
            None => rdb_len(log, part, progress)?,
        };
        rdb_bytes += start as u64;
        let end = part.read_end(bytes, start);
        let place = Place { part: number, bytes_before: before };
        let (sink, stop) =
            count_part(part, start..end, || WrittenTally::new(&counting, place), progress)?;
        refuse_damage(log, part, &bytes[..end], stop)?;
        if stop.fault.is_some() {
            torn_bytes = (end - stop.at) as u64;
        }
        all.join_part(sink);
        before += part.mapping.len();
        parts.push(CoursePart { name: &part.name, start: start as u64, end: stop.at as u64 });
    }
    let (written, prefixes) = finish(log, all, span);
    Ok(Counted { written, parts, prefixes, rdb_bytes, torn_bytes })
}

/// Counts the commands of a range of a part, window by window.
fn count_part<'c>(
    part: &Part,
    range: Range<usize>,
    new: impl Fn() -> WrittenTally<'c> + Sync,
    progress: &dyn Progress,
) -> Result<(WrittenTally<'c>, Stop)> {
    let bytes = part.mapping.bytes();
    let touch = |range| part.mapping.prefault(range);
    let mut all = new();
    all.prefixes.raise_limit(PATTERNS);
    let (mut at, mut windows) = (range.start, 1_usize);
    loop {
        // A multiple of the chunks of `scan_parallel`.
        let window = CHUNK_BYTES.saturating_mul(WINDOW_CHUNKS).max(range.end / 32);
        let end = at.saturating_add(window.saturating_mul(windows)).min(range.end);
        let Scanned { sink, stop } = scan_parallel(&bytes[..end], at, &new, touch, progress);
        progress.check()?;
        part.mapping.check()?;
        all.join(sink);
        if end == range.end {
            return Ok((all, stop));
        }
        // A command that the end of the window divides is in the next one, which is larger if it has no other. So is damage,
        // and then it is found again at the end of the range.
        windows = if stop.at > at { 1 } else { windows.saturating_mul(2) };
        at = stop.at;
    }
}

/// Returns the length of the RDB at the beginning of a part, by reading it.
fn rdb_len(log: &Log, part: &Part, progress: &dyn Progress) -> Result<usize> {
    if !part.starts_with_rdb() {
        return Ok(0);
    }
    let read = part.read_rdb(&mut Ignore, progress);
    part.mapping.check()?;
    let reading = read.map_err(|damage| broken_rdb(log, part, &damage))?;
    Ok(usize::try_from(reading.len()).unwrap_or(usize::MAX).min(part.mapping.bytes().len()))
}

fn finish(log: &Log, mut tally: WrittenTally<'_>, span: u64) -> (Written, PatternSums) {
    let total = tally.total;
    tally.prefixes.add_keyless(0, tally.annotation_bytes);
    let by_command = tally.by_command();
    let by_type = tally.by_type();
    let by_db = tally.by_db();
    let timeline = match tally.times.finish() {
        Some(over) => {
            // The second of the last annotation has passed, too.
            #[allow(clippy::cast_precision_loss)] // An average.
            let seconds =
                over.last_time.saturating_sub(over.first_time).saturating_add(1).max(1) as f64;
            #[allow(clippy::cast_precision_loss)]
            let rate = |count: u64| Some(count as f64 / seconds);
            Timeline {
                has_times: true,
                first_time: Some(over.first_time),
                last_time: Some(over.last_time),
                untimed_commands: over.untimed.commands,
                untimed_bytes: over.untimed.bytes,
                bucket: over.width,
                buckets: over.buckets,
                commands_per_s: rate(total.commands - over.untimed.commands),
                bytes_per_s: rate(total.bytes - over.untimed.bytes),
                peak: over.peak,
            }
        }
        None => Timeline {
            bucket: span,
            buckets: tally
                .spans
                .iter()
                .map(|(index, cell)| Bucket {
                    start: i64::try_from(index * span).unwrap_or(i64::MAX),
                    commands: cell.commands,
                    bytes: cell.bytes,
                })
                .collect(),
            ..Timeline::default()
        },
    };
    let largest = tally.largest.into_sorted().into_iter().map(|large| LargeCommand {
        name: String::from_utf8_lossy(&large.name).to_uppercase(),
        key: large.key.map(OwnedText),
        bytes: large.bytes,
        arguments: large.arguments,
        part: log.part_name(large.place.0.0),
        offset: large.place.0.1,
    });
    let written = Written {
        commands: total.commands,
        bytes: total.bytes + tally.annotation_bytes,
        annotation_bytes: tally.annotation_bytes,
        by_command,
        by_type,
        by_db,
        prefixes: super::report::PrefixNode::default(),
        timeline,
        largest: largest.collect(),
        transactions: tally.transactions.finish(),
        script_calls: tally.script_calls,
    };
    (written, tally.prefixes)
}
