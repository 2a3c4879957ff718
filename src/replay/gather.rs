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
//! length of 0 means that the command was left in the log: it is long, or there is no more space.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::lists::Segment;
use super::route::Routed;
use crate::aof::frame_end;
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
    /// group.
    pub(super) fn fill(&mut self, routed: &Routed<'_>, group: &Range<usize>, threads: usize) {
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
                piece.fill(segments, list, group.len(), capacity);
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
        first: usize,
        shards: usize,
        mut capacity: usize,
    ) {
        self.0.resize_with(shards, Vec::new);
        self.0.iter_mut().for_each(Vec::clear);
        for (bytes, segment) in segments {
            for (list, buffer) in self.0.iter_mut().enumerate() {
                let mut ahead = segment.places(first + list);
                // Only the lines of a command as long as those before it: memory fetches few lines at a time.
                let mut ask = move |usual: usize| {
                    let at = ahead.next().and_then(|(place, _)| usize::try_from(place).ok());
                    if let Some(at) = at {
                        let lines = (at % LINE + usual).div_ceil(LINE).clamp(1, MOST_LINES);
                        (0..lines).for_each(|line| prefetch(bytes, at + line * LINE));
                    }
                };
                let mut usual = 2 * LINE;
                (0..AHEAD).for_each(|_| ask(usual));
                let mut before = 0;
                for (place, _) in segment.places(first + list) {
                    ask(usual);
                    if place - before < NEAR {
                        buffer.extend_from_slice(&LEFT);
                    } else {
                        let len = copy(bytes, place, buffer, &mut capacity);
                        // Rises at once, and falls slowly.
                        usual = len.max((7 * usual + len) / 8);
                    }
                    before = place;
                }
            }
        }
    }
}

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
