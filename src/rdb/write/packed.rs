//! Encoding collections into one string: see [`listpack`](super::super::listpack),
//! [`ziplist`](super::super::ziplist) and [`intset`](super::super::intset) for the formats.

// Numbers are checked to fit before bytes are truncated from them.
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]

use super::number::canonical;

const END: u8 = 0xff;
/// Counts from this value on are not stored.
const NOT_COUNTED: usize = 65535;

/// A builder of a packed encoding. Its memory is reused for the next one.
pub(super) trait Pack {
    /// The number that identifies the encoding before a list node.
    const FORM: Option<u8>;
    /// Clears it.
    fn begin(&mut self);
    /// Adds a text, as a number if it is one.
    fn push(&mut self, text: &[u8]);
    /// Returns the number of items added.
    fn count(&self) -> usize;
    /// Returns the total size in bytes if it ended here.
    fn size(&self) -> usize;
    /// Returns the growth in bytes that a server estimates for a text of this length when it
    /// decides whether the text fits into a list node.
    fn estimate(len: usize) -> usize;
    /// Finishes the encoding and returns its bytes.
    fn end(&mut self) -> &[u8];
}

/// A listpack builder.
#[derive(Default)]
pub(super) struct Listpack {
    bytes: Vec<u8>,
    count: usize,
}

const LISTPACK_HEADER: usize = 6;

impl Pack for Listpack {
    const FORM: Option<u8> = Some(2);

    fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; LISTPACK_HEADER]);
        self.count = 0;
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        match canonical(text) {
            Some(number) => self.push_number(number),
            None => self.push_text(text),
        }
    }

    fn count(&self) -> usize {
        self.count
    }

    fn size(&self) -> usize {
        self.bytes.len() + 1
    }

    fn estimate(len: usize) -> usize {
        len + 8
    }

    fn end(&mut self) -> &[u8] {
        self.bytes.push(END);
        let size = (self.bytes.len() as u32).to_le_bytes();
        let count = (self.count.min(NOT_COUNTED) as u16).to_le_bytes();
        self.bytes[..4].copy_from_slice(&size);
        self.bytes[4..LISTPACK_HEADER].copy_from_slice(&count);
        &self.bytes
    }
}

impl Listpack {
    #[inline]
    pub(super) fn push_number(&mut self, number: i64) {
        let start = self.bytes.len();
        match number {
            0..=127 => self.bytes.push(number as u8),
            -4096..=4095 => {
                self.bytes.extend_from_slice(&[0xc0 | (number >> 8 & 0x1f) as u8, number as u8]);
            }
            -32768..=32767 => self.wide(0xf1, &number.to_le_bytes()[..2]),
            -8_388_608..=8_388_607 => self.wide(0xf2, &number.to_le_bytes()[..3]),
            -2_147_483_648..=2_147_483_647 => self.wide(0xf3, &number.to_le_bytes()[..4]),
            _ => self.wide(0xf4, &number.to_le_bytes()),
        }
        self.back(start);
    }

    fn wide(&mut self, code: u8, bytes: &[u8]) {
        self.bytes.push(code);
        self.bytes.extend_from_slice(bytes);
    }

    fn push_text(&mut self, text: &[u8]) {
        let start = self.bytes.len();
        let len = text.len();
        match len {
            0..64 => self.bytes.push(0x80 | len as u8),
            64..4096 => self.bytes.extend_from_slice(&[0xe0 | (len >> 8) as u8, len as u8]),
            _ => self.wide(0xf0, &(len as u32).to_le_bytes()),
        }
        self.bytes.extend_from_slice(text);
        self.back(start);
    }

    /// Appends the back length of the entry that began at `start`.
    #[inline]
    fn back(&mut self, start: usize) {
        self.count += 1;
        let len = self.bytes.len() - start;
        // The thresholds are one lower than the groups would allow.
        let groups = match len {
            0..128 => {
                self.bytes.push(len as u8);
                return;
            }
            128..16383 => 2,
            16383..2_097_151 => 3,
            2_097_151..268_435_455 => 4,
            _ => 5,
        };
        for group in (0..groups).rev() {
            let more = if group + 1 == groups { 0 } else { 0x80 };
            self.bytes.push((len >> (7 * group) & 0x7f) as u8 | more);
        }
    }

    /// Changes the first entry, which is a number from 0 to 127, to another number of that range.
    pub(super) fn set_first(&mut self, number: u8) {
        debug_assert!(number < 128 && self.bytes[LISTPACK_HEADER] < 128);
        self.bytes[LISTPACK_HEADER] = number;
    }
}

/// A ziplist builder.
#[derive(Default)]
pub(super) struct Ziplist {
    bytes: Vec<u8>,
    count: usize,
    /// Offset of the last entry.
    last: usize,
}

const ZIPLIST_HEADER: usize = 10;

impl Pack for Ziplist {
    const FORM: Option<u8> = None;

    fn begin(&mut self) {
        self.bytes.clear();
        self.bytes.extend_from_slice(&[0; ZIPLIST_HEADER]);
        self.count = 0;
        self.last = ZIPLIST_HEADER;
    }

    #[inline]
    fn push(&mut self, text: &[u8]) {
        let start = self.bytes.len();
        match start - self.last {
            before @ 0..254 => self.bytes.push(before as u8),
            before => self.wide(0xfe, &(before as u32).to_le_bytes()),
        }
        self.last = start;
        self.count += 1;
        match canonical(text) {
            Some(number) => self.number(number),
            None => self.text(text),
        }
    }

    fn count(&self) -> usize {
        self.count
    }

    fn size(&self) -> usize {
        self.bytes.len() + 1
    }

    fn estimate(len: usize) -> usize {
        let before = if len < 254 { 1 } else { 5 };
        let head = match len {
            0..64 => 1,
            64..16384 => 2,
            _ => 5,
        };
        len + before + head
    }

    fn end(&mut self) -> &[u8] {
        self.bytes.push(END);
        let size = (self.bytes.len() as u32).to_le_bytes();
        let count = (self.count.min(NOT_COUNTED) as u16).to_le_bytes();
        self.bytes[..4].copy_from_slice(&size);
        self.bytes[4..8].copy_from_slice(&(self.last as u32).to_le_bytes());
        self.bytes[8..ZIPLIST_HEADER].copy_from_slice(&count);
        &self.bytes
    }
}

impl Ziplist {
    fn number(&mut self, number: i64) {
        match number {
            0..=12 => self.bytes.push(0xf1 + number as u8),
            -128..=127 => self.wide(0xfe, &number.to_le_bytes()[..1]),
            -32768..=32767 => self.wide(0xc0, &number.to_le_bytes()[..2]),
            -8_388_608..=8_388_607 => self.wide(0xf0, &number.to_le_bytes()[..3]),
            -2_147_483_648..=2_147_483_647 => self.wide(0xd0, &number.to_le_bytes()[..4]),
            _ => self.wide(0xe0, &number.to_le_bytes()),
        }
    }

    fn text(&mut self, text: &[u8]) {
        let len = text.len();
        match len {
            0..64 => self.bytes.push(len as u8),
            64..16384 => self.bytes.extend_from_slice(&[0x40 | (len >> 8) as u8, len as u8]),
            _ => self.wide(0x80, &(len as u32).to_be_bytes()),
        }
        self.bytes.extend_from_slice(text);
    }

    fn wide(&mut self, code: u8, bytes: &[u8]) {
        self.bytes.push(code);
        self.bytes.extend_from_slice(bytes);
    }
}

/// Replaces the content of `bytes` with the intset of these numbers, which must be distinct.
pub(super) fn intset(numbers: &mut [i64], bytes: &mut Vec<u8>) {
    numbers.sort_unstable();
    let ends = [numbers.first(), numbers.last()];
    let fits = |low, high| ends.iter().flatten().all(|n| (low..=high).contains(*n));
    let width = if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    };
    bytes.clear();
    bytes.extend_from_slice(&(width as u32).to_le_bytes());
    bytes.extend_from_slice(&(numbers.len() as u32).to_le_bytes());
    for number in numbers {
        bytes.extend_from_slice(&number.to_le_bytes()[..width]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::testing;
    use proptest::prelude::*;

    fn pack<P: Pack + Default>(items: &[Vec<u8>]) -> Vec<u8> {
        let mut pack = P::default();
        pack.begin();
        for item in items {
            pack.push(item);
        }
        assert_eq!(pack.count(), items.len());
        let size = pack.size();
        let bytes = pack.end().to_vec();
        assert_eq!(bytes.len(), size);
        bytes
    }

    fn texts() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            4 => (any::<i64>(), 0u32..64).prop_map(|(n, shift)| (n >> shift).to_string().into()),
            2 => prop::collection::vec(any::<u8>(), 0..70),
            1 => (any::<u8>(), prop_oneof![60usize..70, 120usize..130, 245usize..260, 4090usize..4100, 16370usize..16400])
                .prop_map(|(byte, len)| vec![byte; len]),
        ]
    }

    proptest! {
        #[test]
        fn packed_encodings_match_the_reference_builders(items in prop::collection::vec(texts(), 0..30)) {
            prop_assert_eq!(pack::<Listpack>(&items), testing::listpack(&items));
            prop_assert_eq!(pack::<Ziplist>(&items), testing::ziplist(&items));
        }

        #[test]
        fn an_intset_is_as_wide_as_its_widest_number(
            numbers in prop::collection::btree_set((any::<i64>(), 0u32..64).prop_map(|(n, shift)| n >> shift), 1..40),
        ) {
            let sorted: Vec<i64> = numbers.iter().copied().collect();
            let mut shuffled: Vec<i64> = numbers.iter().rev().copied().collect();
            let width = if sorted.iter().all(|n| i16::try_from(*n).is_ok()) { 2 }
                else if sorted.iter().all(|n| i32::try_from(*n).is_ok()) { 4 } else { 8 };
            let mut bytes = vec![1];
            intset(&mut shuffled, &mut bytes);
            prop_assert_eq!(bytes, testing::intset(width, &sorted));
        }
    }

    #[test]
    fn counts_that_do_not_fit_are_stored_as_unknown() {
        for count in [65534, 65535, 65536] {
            let items = vec![b"1".to_vec(); count];
            assert!(pack::<Listpack>(&items) == testing::listpack(&items), "{count}");
            assert!(pack::<Ziplist>(&items) == testing::ziplist(&items), "{count}");
        }
    }

    #[test]
    fn long_texts_have_long_back_lengths() {
        for len in [2_097_145, 2_097_146, 2_097_147] {
            let items = [vec![b'x'; len], b"y".to_vec()];
            assert!(pack::<Listpack>(&items) == testing::listpack(&items), "{len}");
        }
    }
}
