//! Which commands belong to which share: a list of places in the file for each, two or three bytes a command.
//!
//! A number 0 says that the commands that follow run in another database, whose number follows; every
//! other is the distance to the next command from the one before it, plus 1. Numbers are in groups of seven
//! bits, the lowest first, with the high bit where more follow.

/// Lists that grow, one for each share.
pub(super) struct Lists {
    lists: Vec<List>,
    /// From where distances count.
    base: u64,
}

#[derive(Default)]
struct List {
    bytes: Vec<u8>,
    last: u64,
    /// The database that was told; `None` while it is the one before the first SELECT.
    db: Option<u32>,
}

/// Lists that are complete: of one stretch of a file.
pub(super) struct Stretch {
    bytes: Box<[u8]>,
    /// Where each share's list ends.
    ends: Box<[u32]>,
    base: u64,
    /// The database in force at the beginning, where that is known.
    pub(super) start_db: Option<u32>,
}

impl Lists {
    /// For a stretch of which every place is at `base` or behind it.
    pub(super) fn new(shares: usize, base: u64) -> Self {
        let mut lists = Vec::with_capacity(shares);
        lists.resize_with(shares, || List { last: base, ..List::default() });
        Lists { lists, base }
    }

    /// Adds a place to a share's list. Places come in their order.
    #[inline]
    pub(super) fn push(&mut self, share: usize, place: u64, db: Option<u32>) {
        let list = &mut self.lists[share];
        if list.db != db {
            list.tell(db);
        }
        if list.bytes.capacity() - list.bytes.len() < LONGEST_NUMBER {
            list.grow();
        }
        let distance = place - list.last;
        list.last = place;
        put(&mut list.bytes, distance + 1);
    }

    /// Whether this place is the last that was pushed to a share's list.
    pub(super) fn ends_with(&self, share: usize, place: u64) -> bool {
        self.lists[share].last == place && !self.lists[share].bytes.is_empty()
    }

    /// Forgets every place.
    pub(super) fn clear(&mut self) {
        for list in &mut self.lists {
            *list = List { last: self.base, ..List::default() };
        }
    }

    /// The lists, complete; nothing is left here. `None` where they are empty.
    pub(super) fn take(&mut self) -> Option<Stretch> {
        let bytes: usize = self.lists.iter().map(|list| list.bytes.len()).sum();
        if bytes == 0 {
            return None;
        }
        let mut joined = Vec::with_capacity(bytes);
        let mut ends = Vec::with_capacity(self.lists.len());
        for list in std::mem::take(&mut self.lists) {
            joined.extend_from_slice(&list.bytes);
            ends.push(
                u32::try_from(joined.len()).expect("lists of a stretch have fewer than 2^32 bytes"),
            );
        }
        Some(Stretch { bytes: joined.into(), ends: ends.into(), base: self.base, start_db: None })
    }
}

/// A number of 64 bits, in groups of seven.
const LONGEST_NUMBER: usize = 10;

/// What a list is given at first, in bytes: most grow no further in a stretch.
const FIRST_BYTES: usize = 192;

impl List {
    #[cold]
    fn grow(&mut self) {
        self.bytes.reserve(FIRST_BYTES.max(self.bytes.capacity()));
    }

    #[cold]
    fn tell(&mut self, db: Option<u32>) {
        self.db = db;
        // The database before the first SELECT never comes back.
        put(&mut self.bytes, 0);
        put(&mut self.bytes, u64::from(db.unwrap_or(0)));
    }
}

impl Stretch {
    /// The places in a share's list.
    pub(super) fn places(&self, share: usize) -> Places<'_> {
        let start = if share == 0 { 0 } else { self.ends[share - 1] as usize };
        let bytes = &self.bytes[start..self.ends[share] as usize];
        Places { bytes, last: self.base, db: self.start_db.unwrap_or(0) }
    }
}

/// The places of a share in a stretch, each with the database in force.
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
#[allow(clippy::cast_possible_truncation)] // Seven bits are kept.
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
    fn places_come_back_with_their_databases() {
        let mut lists = Lists::new(3, 100);
        let pushed = [
            (0, 100, None),
            (2, 114, None),
            (0, 350, None),
            (0, 364, Some(7)),
            (2, 1 << 40, Some(7)),
            (0, (1 << 40) + 1, Some(0)),
        ];
        for (share, place, db) in pushed {
            lists.push(share, place, db);
            assert!(lists.ends_with(share, place) && !lists.ends_with(1, place));
        }
        let mut stretch = lists.take().expect("places");
        stretch.start_db = Some(5);
        let of = |share| stretch.places(share).collect::<Vec<_>>();
        assert_eq!(of(0), [(100, 5), (350, 5), (364, 7), ((1 << 40) + 1, 0)]);
        assert_eq!(of(1), []);
        assert_eq!(of(2), [(114, 5), (1 << 40, 7)]);
    }

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 16383, 16384, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put(&mut bytes, number);
            assert_eq!(take(&mut &bytes[..]), Some(number));
            assert_eq!(take(&mut &bytes[..bytes.len() - 1]), None);
        }
    }
}
