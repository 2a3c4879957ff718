//! The commands of each shard: a list of offsets in the file, two or three bytes per command.
//!
//! The number 0 means that the database changes, and its index follows; every other number is the
//! distance to the next command from the previous one, plus 1. Numbers are encoded in groups of
//! seven bits, the lowest first, with the high bit set if more groups follow.

/// Lists under construction, one for each shard.
pub(super) struct OffsetLists {
    lists: Vec<List>,
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
    base: u64,
    /// The database selected at the beginning, if known.
    pub(super) start_db: Option<u32>,
}

impl OffsetLists {
    /// Creates lists for a segment in which every offset is at least `base`.
    pub(super) fn new(shards: usize, base: u64) -> Self {
        let mut lists = Vec::with_capacity(shards);
        lists.resize_with(shards, || List { last: base, ..List::default() });
        OffsetLists { lists, base }
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
        put(&mut list.bytes, distance + 1);
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
        Some(Segment { bytes: joined.into(), ends: ends.into(), base: self.base, start_db: None })
    }
}

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
    /// Returns the offsets in a shard's list.
    pub(super) fn places(&self, shard: usize) -> Places<'_> {
        let start = if shard == 0 { 0 } else { self.ends[shard - 1] as usize };
        let bytes = &self.bytes[start..self.ends[shard] as usize];
        Places { bytes, last: self.base, db: self.start_db.unwrap_or(0) }
    }
}

/// An iterator over the offsets of a shard in a segment, each with the selected database.
pub(super) struct Places<'l> {
    bytes: &'l [u8],
    last: u64,
    db: u32,
}

impl Iterator for Places<'_> {
    type Item = (u64, u32);

    #[inline]
    fn next(&mut self) -> Option<(u64, u32)> {
        loop {
            match take(&mut self.bytes)? {
                0 => self.db = u32::try_from(take(&mut self.bytes)?).ok()?,
                distance => {
                    self.last += distance - 1;
                    return Some((self.last, self.db));
                }
            }
        }
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
        let of = |shard| segment.places(shard).collect::<Vec<_>>();
        assert_eq!(of(0), [(100, 5), (350, 5), (364, 7), ((1 << 40) + 1, 0)]);
        assert_eq!(of(1), []);
        assert_eq!(of(2), [(114, 5), (1 << 40, 7)]);
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
