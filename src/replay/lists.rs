//! The commands of each shard: a list of offsets in the file, two or three bytes per command.
//!
//! The number 0 means that the database changes, and its index follows. The numbers of
//! [`SplitKind`] mean that the next command is of this kind, and concerns only some of its keys in
//! this shard; the distance to it from the previous command follows, and the offset of a key in it.
//! If more of its keys are in the shard, the same number follows, the distance 0, and the offset of
//! the next key. Every other number is the distance to the next command from the previous one, plus
//! 4. Numbers are encoded in groups of seven bits, the lowest first, with the high bit set if more
//! groups follow.

use std::num::NonZeroU32;

use super::prefixes::PrefixCounter;
use crate::aof::argument_at;
use crate::command::CommandId;

/// A command that processes each of its keys independently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SplitKind {
    Mset = 1,
    Del = 2,
    Unlink = 3,
}

impl SplitKind {
    pub(super) fn from_id(id: CommandId) -> Option<SplitKind> {
        match id {
            CommandId::MSET => Some(SplitKind::Mset),
            CommandId::DEL => Some(SplitKind::Del),
            CommandId::UNLINK => Some(SplitKind::Unlink),
            _ => None,
        }
    }

    #[inline]
    fn from_number(number: u64) -> Option<SplitKind> {
        match number {
            1 => Some(SplitKind::Mset),
            2 => Some(SplitKind::Del),
            3 => Some(SplitKind::Unlink),
            _ => None,
        }
    }

    pub(super) fn id(self) -> CommandId {
        match self {
            SplitKind::Mset => CommandId::MSET,
            SplitKind::Del => CommandId::DEL,
            SplitKind::Unlink => CommandId::UNLINK,
        }
    }

    /// Returns the name of the command.
    pub(super) fn name(self) -> &'static str {
        match self {
            SplitKind::Mset => "MSET",
            SplitKind::Del => "DEL",
            SplitKind::Unlink => "UNLINK",
        }
    }

    /// Returns the number of arguments of each key, including the key.
    #[inline]
    pub(super) fn arguments(self) -> usize {
        match self {
            SplitKind::Mset => 2,
            SplitKind::Del | SplitKind::Unlink => 1,
        }
    }
}

/// The keys of a command that are in a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Split<'l> {
    pub(super) kind: SplitKind,
    /// The offset of the first key, and for each further one the number of the kind, 0, and its offset; then the rest of the
    /// list.
    bytes: &'l [u8],
}

impl<'l> Split<'l> {
    /// Returns the offset in the command of the length line of each key.
    #[inline]
    pub(super) fn offsets(self) -> impl Iterator<Item = usize> + Clone + use<'l> {
        let mut bytes = self.bytes;
        std::iter::from_fn(move || {
            let offset = take(&mut bytes)?;
            bytes = bytes.strip_prefix(&[self.kind as u8, 0]).unwrap_or_default();
            usize::try_from(offset).ok()
        })
    }

    /// Adds the bytes of each key and its value in the log.
    pub(super) fn count<'a>(self, args: &[&'a [u8]], prefixes: &mut PrefixCounter<'a>) {
        for key in args.get(1..).unwrap_or_default().chunks(self.kind.arguments()) {
            let bytes = key.iter().map(|argument| encoded_len(argument.len())).sum();
            prefixes.add(key[0], bytes);
        }
    }

    /// Adds the arguments of the keys to `args`. Returns `None` if they are not in `frame`, which begins with the command.
    #[inline]
    pub(super) fn read<'a>(self, frame: &'a [u8], args: &mut Vec<&'a [u8]>) -> Option<()> {
        for offset in self.offsets() {
            let mut at = offset;
            for _ in 0..self.kind.arguments() {
                let argument = argument_at(frame, at)?;
                args.push(frame.get(argument.clone())?);
                at = argument.end + 2;
            }
        }
        Some(())
    }
}

/// The length of an argument in a log, with its length line and line end.
fn encoded_len(len: usize) -> usize {
    let digits = 1 + len.checked_ilog10().unwrap_or(0) as usize;
    b"$\r\n".len() + digits + len + b"\r\n".len()
}

/// A command in the list of a shard.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// Its offset.
    pub(super) at: u64,
    /// The selected database.
    pub(super) db: u32,
    /// Where the list has its keys that are in the shard, if it was split: see [`Segment::split`].
    pub(super) split: Option<SplitAt>,
}

/// The number of the first byte of a command in a segment, from 1.
pub(super) type SplitAt = NonZeroU32;

/// Lists under construction, one for each shard.
pub(super) struct OffsetLists {
    lists: Vec<List>,
    /// Whether a command was split.
    has_splits: bool,
    /// The offset from which distances are counted.
    base: u64,
}

#[derive(Default)]
struct List {
    bytes: Vec<u8>,
    last: u64,
    /// The database that was written last; `None` while it is the one before the first SELECT.
    db: Option<u32>,
}

/// The completed lists of one segment of a file.
pub(super) struct Segment {
    bytes: Box<[u8]>,
    /// The end of each shard's list.
    ends: Box<[u32]>,
    has_splits: bool,
    base: u64,
    /// The database selected at the beginning, if known.
    pub(super) start_db: Option<u32>,
}

impl OffsetLists {
    /// Creates lists for a segment in which every offset is at least `base`.
    pub(super) fn new(shards: usize, base: u64) -> Self {
        let mut lists = Vec::with_capacity(shards);
        lists.resize_with(shards, || List { last: base, ..List::default() });
        OffsetLists { lists, has_splits: false, base }
    }

    /// Adds an offset to a shard's list. Offsets must be added in ascending order.
    #[inline]
    pub(super) fn push(&mut self, shard: usize, place: u64, db: Option<u32>) {
        let list = &mut self.lists[shard];
        if list.db != db {
            list.write_db(db);
        }
        if list.bytes.capacity() - list.bytes.len() < LONGEST_NUMBER {
            list.grow();
        }
        let distance = place - list.last;
        list.last = place;
        put(&mut list.bytes, distance + DISTANCE);
    }

    /// Adds the offset of a command to the list of the shard of one of its keys, which is at `key` in the command. Keys must
    /// be added in the order of the command.
    #[inline]
    pub(super) fn push_split(
        &mut self,
        shard: usize,
        (place, key): (u64, u64),
        kind: SplitKind,
        db: Option<u32>,
    ) {
        let list = &mut self.lists[shard];
        if list.db != db {
            list.write_db(db);
        }
        if list.bytes.capacity() - list.bytes.len() < 1 + 2 * LONGEST_NUMBER {
            list.grow();
        }
        self.has_splits = true;
        list.bytes.push(kind as u8);
        put(&mut list.bytes, place - list.last);
        list.last = place;
        put(&mut list.bytes, key);
    }

    /// Returns whether this offset is the last one that was added to a shard's list.
    pub(super) fn ends_with(&self, shard: usize, place: u64) -> bool {
        self.lists[shard].last == place && !self.lists[shard].bytes.is_empty()
    }

    /// Removes all offsets.
    pub(super) fn clear(&mut self) {
        for list in &mut self.lists {
            *list = List { last: self.base, ..List::default() };
        }
    }

    /// Completes the lists and leaves this object empty. Returns `None` if they are empty.
    pub(super) fn take(&mut self) -> Option<Segment> {
        let bytes: usize = self.lists.iter().map(|list| list.bytes.len()).sum();
        if bytes == 0 {
            return None;
        }
        let mut joined = Vec::with_capacity(bytes);
        let mut ends = Vec::with_capacity(self.lists.len());
        for list in std::mem::take(&mut self.lists) {
            joined.extend_from_slice(&list.bytes);
            ends.push(
                u32::try_from(joined.len()).expect("lists of a segment have fewer than 2^32 bytes"),
            );
        }
        let has_splits = std::mem::take(&mut self.has_splits);
        let (bytes, ends) = (joined.into(), ends.into());
        Some(Segment { bytes, ends, has_splits, base: self.base, start_db: None })
    }
}

/// Added to the distance of a command that was not split.
const DISTANCE: u64 = 4;

/// Maximum length in bytes of a 64-bit number, in groups of seven bits.
const LONGEST_NUMBER: usize = 10;

/// Initial capacity of a list in bytes, which is sufficient for most lists of a segment.
const FIRST_BYTES: usize = 192;

impl List {
    #[cold]
    fn grow(&mut self) {
        self.bytes.reserve(FIRST_BYTES.max(self.bytes.capacity()));
    }

    #[cold]
    fn write_db(&mut self, db: Option<u32>) {
        self.db = db;
        // The database before the first SELECT never recurs.
        put(&mut self.bytes, 0);
        put(&mut self.bytes, u64::from(db.unwrap_or(0)));
    }
}

impl Segment {
    /// Whether a command was split. Without one, the offsets are read faster.
    pub(super) fn has_splits(&self) -> bool {
        self.has_splits
    }

    /// Returns the offsets in a shard's list. `SPLITS`: whether the segment has commands that were split.
    pub(super) fn places<const SPLITS: bool>(&self, shard: usize) -> Places<'_, SPLITS> {
        let start = if shard == 0 { 0 } else { self.ends[shard - 1] as usize };
        let end = self.ends[shard];
        let bytes = &self.bytes[start..end as usize];
        Places { bytes, end, last: self.base, db: self.start_db.unwrap_or(0) }
    }

    /// Returns the keys of a command that was split, which are in this shard.
    #[inline]
    pub(super) fn split(&self, at: SplitAt, shard: usize) -> Option<Split<'_>> {
        let mut bytes = self.bytes.get(at.get() as usize - 1..self.ends[shard] as usize)?;
        let kind = SplitKind::from_number(take(&mut bytes)?)?;
        take(&mut bytes)?;
        Some(Split { kind, bytes })
    }
}

/// An iterator over the offsets of a shard in a segment, each with the selected database.
pub(super) struct Places<'l, const SPLITS: bool> {
    bytes: &'l [u8],
    /// Where they end in the segment.
    end: u32,
    last: u64,
    db: u32,
}

impl<const SPLITS: bool> Iterator for Places<'_, SPLITS> {
    type Item = Place;

    #[inline]
    fn next(&mut self) -> Option<Place> {
        loop {
            let from = self.bytes.len();
            match take(&mut self.bytes)? {
                0 => self.db = u32::try_from(take(&mut self.bytes)?).ok()?,
                number if SPLITS && number < DISTANCE => {
                    let split = self.skip_split(number, from)?;
                    return Some(Place { at: self.last, db: self.db, split: Some(split) });
                }
                distance => {
                    self.last += distance - DISTANCE;
                    return Some(Place { at: self.last, db: self.db, split: None });
                }
            }
        }
    }
}

impl<const SPLITS: bool> Places<'_, SPLITS> {
    /// Reads what follows the number of a kind, which was `from` bytes before the end.
    #[inline]
    fn skip_split(&mut self, kind: u64, from: usize) -> Option<SplitAt> {
        self.last += take(&mut self.bytes)?;
        take(&mut self.bytes)?;
        let kind = u8::try_from(kind).ok()?;
        while let Some(after) = self.bytes.strip_prefix(&[kind, 0]) {
            self.bytes = after;
            take(&mut self.bytes)?;
        }
        SplitAt::new(self.end - u32::try_from(from).ok()? + 1)
    }
}

#[inline]
#[allow(clippy::cast_possible_truncation)] // The lowest seven bits are used.
fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[inline]
fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_round_trip_with_their_databases() {
        let mut lists = OffsetLists::new(3, 100);
        let pushed = [
            (0, 100, None),
            (2, 114, None),
            (0, 350, None),
            (0, 364, Some(7)),
            (2, 1 << 40, Some(7)),
            (0, (1 << 40) + 1, Some(0)),
        ];
        for (shard, place, db) in pushed {
            lists.push(shard, place, db);
            assert!(lists.ends_with(shard, place) && !lists.ends_with(1, place));
        }
        let mut segment = lists.take().expect("offsets");
        segment.start_db = Some(5);
        let of = |shard| {
            segment.places::<false>(shard).map(|place| (place.at, place.db)).collect::<Vec<_>>()
        };
        assert!(!segment.has_splits());
        assert_eq!(of(0), [(100, 5), (350, 5), (364, 7), ((1 << 40) + 1, 0)]);
        assert_eq!(of(1), []);
        assert_eq!(of(2), [(114, 5), (1 << 40, 7)]);
    }

    #[test]
    fn split_commands_round_trip_with_their_keys() {
        let mut lists = OffsetLists::new(2, 0);
        lists.push(0, 0, None);
        // A command at the beginning of a segment, one with several keys in a shard, and one of each kind.
        lists.push_split(1, (0, 20), SplitKind::Mset, None);
        lists.push_split(0, (90, 25), SplitKind::Mset, None);
        lists.push_split(1, (90, 33), SplitKind::Mset, None);
        lists.push_split(0, (90, 70_000), SplitKind::Mset, None);
        lists.push_split(0, (90, 70_100), SplitKind::Mset, None);
        lists.push_split(0, (1 << 40, 19), SplitKind::Del, Some(3));
        lists.push_split(0, ((1 << 40) + 50, 19), SplitKind::Del, Some(3));
        lists.push_split(0, ((1 << 40) + 90, 22), SplitKind::Unlink, Some(3));
        lists.push(0, (1 << 40) + 95, Some(3));
        let segment = lists.take().expect("offsets");
        let of = |shard| {
            let places = segment.places::<true>(shard);
            let keys = |at: SplitAt| {
                let split = segment.split(at, shard).expect("a command that was split");
                (split.kind, split.offsets().collect::<Vec<_>>())
            };
            places.map(|place| (place.at, place.db, place.split.map(keys))).collect::<Vec<_>>()
        };
        let expected = [
            (0, 0, None),
            (90, 0, Some((SplitKind::Mset, vec![25, 70_000, 70_100]))),
            (1 << 40, 3, Some((SplitKind::Del, vec![19]))),
            ((1 << 40) + 50, 3, Some((SplitKind::Del, vec![19]))),
            ((1 << 40) + 90, 3, Some((SplitKind::Unlink, vec![22]))),
            ((1 << 40) + 95, 3, None),
        ];
        assert_eq!(of(0), expected);
        let expected =
            [(0, 0, Some((SplitKind::Mset, vec![20]))), (90, 0, Some((SplitKind::Mset, vec![33])))];
        assert_eq!(of(1), expected);
    }

    #[test]
    fn numbers_round_trip() {
        for number in [0, 1, 127, 128, 16383, 16384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(take(&mut &bytes[..]), Some(number));
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
