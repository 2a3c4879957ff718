//! Gathering: the commands of a few shards at a time, copied out of the log and stored
//! contiguously.
//!
//! The commands of a shard are scattered over the whole log. Reading them there costs a page table
//! walk for nearly every command, and so does each access to a key or value that is borrowed from
//! the log. Shards are therefore processed in groups. A segment of the log, small enough for its
//! pages to stay in the TLB, is read once for each shard of the group, and the shard's commands are
//! appended to its buffer. A shard is then replayed from one block of memory that fits into a
//! cache.
//!
//! The buffer contains, for each command, its length in two bytes, little endian, and its bytes. A
//! length of 0 means that the command was left in the log: it is long, or there is no more space. Of a
//! command that was split, a command with the keys of the shard alone is stored.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::lists::{Place, Segment, Split, SplitKind};
use super::route::Routed;
use crate::aof::{argument_at, frame_end};
use crate::base::threads::run_together;
use crate::disk::prefetch;

/// The commands of a group of shards.
#[derive(Default)]
pub(super) struct Gathered {
    /// Consecutive pieces of the log, each copied by one thread.
    pieces: Vec<Piece>,
    first: usize,
}

/// The commands copied from a piece of the log, for each shard of the group.
#[derive(Default)]
struct Piece(Vec<Vec<u8>>);

/// Number of groups in which a log is replayed. A higher number uses less memory, but leaves fewer
/// commands of a group on each page.
const GROUPS: u64 = 16;

/// Range of the memory for a group, in bytes.
const CAPACITY: Range<u64> = 16 << 20..512 << 20;

/// Length in bytes above which a command is left in the log: one page walk is cheap relative to its
/// bytes.
const LONGEST: usize = 4096;

/// Distance in bytes from the previous command below which a command is left in the log, because
/// its page is already accessed. This applies to nearly all commands of a log that `compact` wrote.
const NEAR: u64 = 512;

/// The length that marks a command left in the log.
const LEFT: [u8; 2] = [0; 2];

/// Number of commands for which bytes are prefetched ahead of copying.
const AHEAD: usize = 32;

/// Size of a cache line, in bytes.
const LINE: usize = 64;

/// Maximum number of lines of a command that are prefetched: most commands end there.
const MOST_LINES: usize = 4;

impl Routed<'_> {
    /// Returns the memory for the commands of a group of shards, in bytes.
    fn capacity(&self) -> u64 {
        let wanted = (self.log_bytes() / GROUPS).clamp(CAPACITY.start, CAPACITY.end);
        self.memory.map_or(wanted, |memory| wanted.min(memory / 4))
    }

    /// Returns the window, divided into groups that usually fit into the memory.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let in_a_share = self.log_bytes() / self.shards() as u64 + 1;
        // A quarter is reserved for lengths, and for shards that are larger than others.
        let at_once = usize::try_from(self.capacity() / 4 * 3 / in_a_share).unwrap_or(1).max(1);
        let window = self.window.clone();
        window.clone().step_by(at_once).map(move |start| start..(start + at_once).min(window.end))
    }
}

impl Gathered {
    /// Copies the commands of a group of shards with `threads` threads, replacing the previous
    /// group. With `splits`, only the keys of a shard are copied of commands that were split.
    pub(super) fn fill(
        &mut self,
        routed: &Routed<'_>,
        group: &Range<usize>,
        threads: usize,
        splits: bool,
    ) {
        self.first = group.start;
        let list = group.start - routed.window.start;
        let segments: Vec<(&[u8], &Segment)> = routed.segments().collect();
        let in_a_piece = segments.len().div_ceil(threads.max(1)).max(1);
        let pieces = segments.len().div_ceil(in_a_piece);
        let capacity = usize::try_from(routed.capacity()).unwrap_or(usize::MAX) / pieces.max(1);
        self.pieces.resize_with(pieces, Piece::default);
        let work = Mutex::new(self.pieces.iter_mut().zip(segments.chunks(in_a_piece)));
        let next = || work.lock().unwrap_or_else(PoisonError::into_inner).next();
        run_together(pieces, || {
            while let Some((piece, segments)) = next() {
                piece.fill(segments, (list, group.len()), splits, capacity);
            }
        });
    }

    /// Returns the commands that were copied for a shard.
    pub(super) fn commands_of(&self, shard: usize) -> Copied<'_> {
        Copied { now: &[], later: &self.pieces, list: shard - self.first }
    }
}

impl Routed<'_> {
    /// Returns the segments of all parts, each with the bytes of its part.
    fn segments(&self) -> impl Iterator<Item = (&[u8], &Segment)> {
        self.parts.iter().flat_map(|part| {
            part.segments.iter().map(|segment| (part.part.mapping.bytes(), segment))
        })
    }
}

impl Piece {
    /// Copies the commands of `shards` shards, whose lists begin with `first`.
    fn fill(
        &mut self,
        segments: &[(&[u8], &Segment)],
        (first, shards): (usize, usize),
        splits: bool,
        mut capacity: usize,
    ) {
        self.0.resize_with(shards, Vec::new);
        self.0.iter_mut().for_each(Vec::clear);
        for (bytes, segment) in segments {
            for (list, buffer) in self.0.iter_mut().enumerate() {
                let list = first + list;
                match segment.has_splits() {
                    true => {
                        fill_list::<true>(bytes, (segment, list), splits, buffer, &mut capacity)
                    }
                    false => {
                        fill_list::<false>(bytes, (segment, list), false, buffer, &mut capacity)
                    }
                }
            }
        }
    }
}

/// Copies the commands of a shard. `SPLITS`: whether the segment has commands that were split; `splits`: whether only the keys
/// of the shard are copied of these.
fn fill_list<const SPLITS: bool>(
    bytes: &[u8],
    (segment, list): (&Segment, usize),
    splits: bool,
    buffer: &mut Vec<u8>,
    capacity: &mut usize,
) {
    let split_of = |place: &Place| {
        let at = place.split.filter(|_| SPLITS && splits)?;
        segment.split(at, list)
    };
    let mut ahead = segment.places::<SPLITS>(list);
    // Only the lines of a command as long as those before it: memory fetches few lines at a time.
    let mut ask = move |usual: usize| {
        let Some(place) = ahead.next() else { return };
        let key = split_of(&place).and_then(|it| it.offsets().next());
        let usual = if key.is_some() { USUAL_KEY } else { usual };
        if let Ok(at) = usize::try_from(place.at) {
            let at = at + key.unwrap_or(0);
            let lines = (at % LINE + usual).div_ceil(LINE).clamp(1, MOST_LINES);
            (0..lines).for_each(|line| prefetch(bytes, at + line * LINE));
        }
    };
    let mut usual = 2 * LINE;
    (0..AHEAD).for_each(|_| ask(usual));
    let mut before = 0;
    for place in segment.places::<SPLITS>(list) {
        ask(usual);
        if let Some(split) = split_of(&place) {
            copy_split(bytes, place.at, split, buffer, capacity);
        } else if place.at - before < NEAR {
            buffer.extend_from_slice(&LEFT);
        } else {
            let len = copy(bytes, place.at, buffer, capacity);
            // Rises at once, and falls slowly.
            usual = len.max((7 * usual + len) / 8);
        }
        before = place.at;
    }
}

// Number of bytes from the length line of a key that are prefetched of a command that was split.
const USUAL_KEY: usize = 48;

/// Copies a command unless it is long, and returns its length; 0 if it was not copied.
#[inline(always)]
fn copy(bytes: &[u8], place: u64, buffer: &mut Vec<u8>, capacity: &mut usize) -> usize {
    let frame = usize::try_from(place).ok().and_then(|start| {
        let end = frame_end(bytes, start)?;
        bytes.get(start..end).filter(|frame| frame.len() <= LONGEST.min(*capacity))
    });
    match frame.and_then(|frame| Some((u16::try_from(frame.len()).ok()?, frame))) {
        Some((len, frame)) => {
            *capacity -= frame.len();
            buffer.extend_from_slice(&len.to_le_bytes());
            buffer.extend_from_slice(frame);
            frame.len()
        }
        None => {
            buffer.extend_from_slice(&LEFT);
            0
        }
    }
}

/// Copies the keys of a command that are in the shard, with their values, as a command.
#[inline]
fn copy_split(
    bytes: &[u8],
    place: u64,
    split: Split<'_>,
    buffer: &mut Vec<u8>,
    capacity: &mut usize,
) {
    let start = buffer.len();
    buffer.extend_from_slice(&LEFT);
    let len = try_copy_split(bytes, place, split, buffer, LONGEST.min(*capacity));
    match len.and_then(|len| Some((len, u16::try_from(len).ok()?))) {
        Some((len, stored)) => {
            *capacity -= len;
            buffer[start..start + 2].copy_from_slice(&stored.to_le_bytes());
        }
        None => buffer.truncate(start + 2),
    }
}

/// Returns the number of bytes that were copied; `None` if they are more than `most`.
#[inline]
fn try_copy_split(
    bytes: &[u8],
    place: u64,
    split: Split<'_>,
    buffer: &mut Vec<u8>,
    most: usize,
) -> Option<usize> {
    let start = buffer.len();
    let frame = bytes.get(usize::try_from(place).ok()?..)?;
    let count = split.offsets().count();
    if count == 1 {
        buffer.extend_from_slice(match split.kind {
            SplitKind::Mset => b"*3\r\n$4\r\nMSET\r\n",
            SplitKind::Del => b"*2\r\n$3\r\nDEL\r\n",
            SplitKind::Unlink => b"*2\r\n$6\r\nUNLINK\r\n",
        });
    } else {
        let name = split.kind.name();
        let argc = 1 + count * split.kind.arguments();
        let head = format!("*{argc}\r\n${}\r\n{name}\r\n", name.len());
        buffer.extend_from_slice(head.as_bytes());
    }
    for offset in split.offsets() {
        let mut end = offset;
        for _ in 0..split.kind.arguments() {
            end = argument_at(frame, end)?.end.checked_add(2)?;
        }
        if end - offset > most.checked_sub(buffer.len() - start)? {
            return None;
        }
        buffer.extend_from_slice(frame.get(offset..end)?);
    }
    Some(buffer.len() - start)
}

/// An iterator over the copied commands of a shard, in order.
pub(super) struct Copied<'g> {
    now: &'g [u8],
    later: &'g [Piece],
    list: usize,
}

/// Distances in bytes at which copied commands are prefetched: other shards have been replayed
/// since they were copied.
const BYTES_AHEAD: [usize; 2] = [1024, 1088];

impl<'g> Copied<'g> {
    /// Returns the bytes of the next command; `None` if it was left in the log.
    #[inline(always)]
    pub(super) fn next(&mut self) -> Option<&'g [u8]> {
        while self.now.is_empty() {
            let (piece, later) = self.later.split_first()?;
            self.now = piece.0.get(self.list)?;
            self.later = later;
        }
        BYTES_AHEAD.iter().for_each(|ahead| prefetch(self.now, *ahead));
        let (len, rest) = self.now.split_first_chunk::<2>()?;
        let (frame, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*len)))?;
        self.now = rest;
        if frame.is_empty() { None } else { Some(frame) }
    }
}
