//! Commands of a few shares at a time, copied out of the log and laid side by side.
//!
//! The commands of a share stand all over the log: read there, nearly each of them costs a walk through the page
//! table, and so does each look at a key or value that stayed where it was. Shares are taken together in groups
//! instead. A stretch of the log, small enough for its pages to be at hand, is read once for each share of the group,
//! and what belongs to the share is copied behind what it has already. A share is then replayed out of one piece of memory that
//! fits a cache.
//!
//! What is copied is for each command its length in two bytes, the lowest first, and its bytes. A length of 0 says that it
//! was left where it stands: it is long, or there is no more room.

use std::ops::Range;

use super::lists::Stretch;
use super::route::Routed;
use crate::aof::frame_end;
use crate::disk::prefetch;

/// The commands of a group of shares.
#[derive(Default)]
pub(super) struct Gathered {
    /// Pieces of the log, one behind the other, each copied by a thread.
    pieces: Vec<Piece>,
    first: usize,
}

/// What was copied out of a piece of the log, for each share of the group.
#[derive(Default)]
struct Piece(Vec<Vec<u8>>);

/// How many groups a log is replayed in: the more, the less memory, and the fewer commands of a group to each page.
const GROUPS: u64 = 16;

/// Room for a group, in bytes.
const ROOM: Range<u64> = 16 << 20..512 << 20;

/// A command that is longer is left where it stands: the bytes of one page cost one walk.
const LONGEST: usize = 4096;

/// So is one that begins less than this behind the one before it, in bytes: its page is at hand. In a log that `compact`
/// wrote they nearly all do.
const NEAR: u64 = 512;

/// Stands for a command that was left.
const LEFT: [u8; 2] = [0; 2];

/// How many commands are looked at ahead, so that their bytes are under way when they are copied.
const AHEAD: usize = 32;

/// How much of a command is asked for ahead, in bytes: most end there.
const LINES: [usize; 3] = [0, 64, 128];

impl Routed<'_> {
    /// Room for the commands of a group of shares, in bytes.
    fn room(&self) -> u64 {
        let wanted = (self.log_bytes() / GROUPS).clamp(ROOM.start, ROOM.end);
        self.memory.map_or(wanted, |memory| wanted.min(memory / 4))
    }

    /// The window, divided into groups that mostly have room.
    pub(super) fn groups(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let in_a_share = self.log_bytes() / self.shares() as u64 + 1;
        // A quarter is left for lengths, and for shares that have more than others.
        let at_once = usize::try_from(self.room() / 4 * 3 / in_a_share).unwrap_or(1).max(1);
        let window = self.window.clone();
        window.clone().step_by(at_once).map(move |start| start..(start + at_once).min(window.end))
    }
}

impl Gathered {
    /// Copies the commands of a group of shares, in place of those that were here, with so many threads.
    pub(super) fn fill(&mut self, routed: &Routed<'_>, group: &Range<usize>, threads: usize) {
        self.first = group.start;
        let list = group.start - routed.window.start;
        let stretches: Vec<(&[u8], &Stretch)> = routed.stretches().collect();
        let in_a_piece = stretches.len().div_ceil(threads.max(1)).max(1);
        let pieces = stretches.len().div_ceil(in_a_piece);
        let room = usize::try_from(routed.room()).unwrap_or(usize::MAX) / pieces.max(1);
        self.pieces.resize_with(pieces, Piece::default);
        std::thread::scope(|scope| {
            let mut work = self.pieces.iter_mut().zip(stretches.chunks(in_a_piece));
            // The last is for this thread.
            let last = work.next_back();
            for (piece, stretches) in work {
                scope.spawn(move || piece.fill(stretches, list, group.len(), room));
            }
            if let Some((piece, stretches)) = last {
                piece.fill(stretches, list, group.len(), room);
            }
        });
    }

    /// What was copied for a share.
    pub(super) fn of(&self, share: usize) -> Copied<'_> {
        Copied { now: &[], later: &self.pieces, list: share - self.first }
    }
}

impl Routed<'_> {
    /// The stretches of all parts, each with the bytes of its part.
    fn stretches(&self) -> impl Iterator<Item = (&[u8], &Stretch)> {
        self.parts.iter().flat_map(|part| {
            part.stretches.iter().map(|stretch| (part.part.mapping.bytes(), stretch))
        })
    }
}

impl Piece {
    /// Copies the commands of so many shares, whose lists begin with `first`.
    fn fill(
        &mut self,
        stretches: &[(&[u8], &Stretch)],
        first: usize,
        shares: usize,
        mut room: usize,
    ) {
        self.0.resize_with(shares, Vec::new);
        self.0.iter_mut().for_each(Vec::clear);
        for (bytes, stretch) in stretches {
            for (list, buffer) in self.0.iter_mut().enumerate() {
                let mut ahead = stretch.places(first + list);
                let mut ask = move || {
                    let at = ahead.next().and_then(|(place, _)| usize::try_from(place).ok());
                    if let Some(at) = at {
                        LINES.iter().for_each(|line| prefetch(bytes, at + line));
                    }
                };
                (0..AHEAD).for_each(|_| ask());
                let mut before = 0;
                for (place, _) in stretch.places(first + list) {
                    ask();
                    if place - before < NEAR {
                        buffer.extend_from_slice(&LEFT);
                    } else {
                        copy(bytes, place, buffer, &mut room);
                    }
                    before = place;
                }
            }
        }
    }
}

#[inline(always)]
fn copy(bytes: &[u8], place: u64, buffer: &mut Vec<u8>, room: &mut usize) {
    let frame = usize::try_from(place).ok().and_then(|start| {
        let end = frame_end(bytes, start)?;
        bytes.get(start..end).filter(|frame| frame.len() <= LONGEST.min(*room))
    });
    match frame.and_then(|frame| Some((u16::try_from(frame.len()).ok()?, frame))) {
        Some((len, frame)) => {
            *room -= frame.len();
            buffer.extend_from_slice(&len.to_le_bytes());
            buffer.extend_from_slice(frame);
        }
        None => buffer.extend_from_slice(&LEFT),
    }
}

/// The commands of a share that were copied and not yet taken, in their order.
pub(super) struct Copied<'g> {
    now: &'g [u8],
    later: &'g [Piece],
    list: usize,
}

/// How far ahead what was copied is asked for, in bytes: it was long ago, and other shares since.
const BYTES_AHEAD: [usize; 2] = [1024, 1088];

impl<'g> Copied<'g> {
    /// The bytes of the next command; `None` where it was left in the log.
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
