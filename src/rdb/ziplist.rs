//! Ziplists: the packed encoding of small collections from Redis 2.4 (lists) and 2.6 (the others)
//! to 6.2.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | total size in bytes |
//! | 4 | offset of the last entry |
//! | 2 | number of entries; 65535: unknown, count them |
//! | | entries |
//! | 1 | `FF` |
//!
//! All fields are little endian, except for two lengths. An entry begins with the size of the
//! previous one (1 byte below 254, or `FE` and 4 bytes), and is
//!
//! | then | which is |
//! |---|---|
//! | `00nnnnnn` | n bytes |
//! | `01nnnnnn`, 1 byte | n·256 + that byte: number of bytes that follow |
//! | `10......`, 4 bytes | length, big endian: number of bytes that follow |
//! | `C0` 2, `D0` 4, `E0` 8, `F0` 3, `FE` 1 byte | a signed number |
//! | `F1` to `FD` | 0 to 12 |
//!
//! Checked against `ziplistValidateIntegrity` and `zipEntrySafe` in `ziplist.c` of Valkey 8.0.

use super::cursor::Item;
use super::fault::{DamageKind, Fault, Read};
use super::items::{END, Items, NOT_COUNTED, expected, overrun, text, unwrapped, widen};
use super::load_check::LoadCheck;

const READING: &str = "a ziplist";
const READING_HEADER: &str = "the header of a ziplist";
const READING_ENTRY: &str = "an entry of a ziplist";
const HEADER_BYTES: usize = 10;

/// An iterator over the entries of a ziplist.
pub(super) struct Ziplist<'s> {
    /// Without the end mark.
    entries: &'s [u8],
    pos: usize,
    /// The size of the entry before `pos`; 0 at the first.
    before: usize,
    tail: u64,
    declared: u16,
    found: u64,
}

impl<'s> Items<'s> for Ziplist<'s> {
    const READING: &'static str = READING;
    const HEADER: LoadCheck = LoadCheck::Header;
    const ITEMS: LoadCheck = LoadCheck::Ziplist;

    fn open(bytes: &'s [u8]) -> Read<Self> {
        let (&[.., e, f, g, h, low, high], entries) =
            unwrapped::<HEADER_BYTES>(bytes, READING, READING_HEADER)?;
        let tail = u64::from(u32::from_le_bytes([e, f, g, h]));
        let left = bytes.len() as u64 - 1;
        if tail > left {
            let kind = DamageKind::Overrun { needed: tail, left };
            return Err(Fault::new(4, READING_HEADER, kind));
        }
        Ok(Ziplist {
            entries,
            pos: HEADER_BYTES,
            before: 0,
            tail,
            declared: u16::from_le_bytes([low, high]),
            found: 0,
        })
    }

    fn expected(&self) -> u64 {
        expected(self.declared, self.entries)
    }

    #[inline]
    fn next(&mut self) -> Read<Option<(usize, Item)>> {
        let at = self.pos;
        if at >= self.entries.len() {
            return self.end();
        }
        let (item, next, before) = entry(self.entries, at)?;
        if before != self.before {
            let (declared, found) = (before as u64, self.before as u64);
            return Err(Fault::new(
                at,
                "the size of the entry before, in a ziplist",
                DamageKind::Mismatch { declared, found },
            ));
        }
        self.before = next - at;
        self.pos = next;
        self.found += 1;
        Ok(Some((at, item)))
    }

    fn again(bytes: &[u8], at: usize) -> Option<Item> {
        entry(bytes, at).ok().map(|(item, ..)| item)
    }
}

impl Ziplist<'_> {
    fn end(&self) -> Read<Option<(usize, Item)>> {
        let last = (self.pos - self.before) as u64;
        if self.found > 0 && self.tail != last {
            let (declared, found) = (self.tail, last);
            return Err(Fault::new(
                4,
                "the place of the last entry, in the header of a ziplist",
                DamageKind::Mismatch { declared, found },
            ));
        }
        let (declared, found) = (u64::from(self.declared), self.found);
        if self.declared != NOT_COUNTED && declared != found {
            return Err(Fault::new(8, READING_HEADER, DamageKind::Mismatch { declared, found }));
        }
        Ok(None)
    }
}

/// Returns the entry at `at`, the offset of the next, and the stored size of the previous one.
#[inline]
fn entry(bytes: &[u8], at: usize) -> Read<(Item, usize, usize)> {
    let (before, head) = match *bytes.get(at..).unwrap_or_default() {
        [before @ ..=0xfd, ..] => (usize::from(before), 1),
        [0xfe, a, b, c, d, ..] => (widen(u32::from_le_bytes([a, b, c, d])), 5),
        [END, ..] => {
            return Err(Fault::broken(at, READING_ENTRY, "the end mark FF is before the end"));
        }
        ref rest => return Err(overrun(at, READING_ENTRY, 5, rest.len())),
    };
    let at = at + head;
    let rest = bytes.get(at..).unwrap_or_default();
    let (item, len) = match *rest {
        [n @ ..=0x3f, ..] => text(at, 1, usize::from(n)),
        [high @ 0x40..=0x7f, low, ..] => {
            text(at, 2, usize::from(high & 0x3f) << 8 | usize::from(low))
        }
        [0x80..=0xbf, a, b, c, d, ..] => text(at, 5, widen(u32::from_be_bytes([a, b, c, d]))),
        [0xc0, a, b, ..] => (Item::Int(i16::from_le_bytes([a, b]).into()), 3),
        [0xd0, a, b, c, d, ..] => (Item::Int(i32::from_le_bytes([a, b, c, d]).into()), 5),
        [0xe0, a, b, c, d, e, f, g, h, ..] => {
            (Item::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h])), 9)
        }
        // The three bytes are the upper ones of four; the arithmetic shift extends their sign.
        [0xf0, a, b, c, ..] => (Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()), 4),
        [0xfe, a, ..] => (Item::Int(i8::from_le_bytes([a]).into()), 2),
        [n @ 0xf1..=0xfd, ..] => (Item::Int(i64::from(n) - 0xf1), 1),
        [0x40..=0xc0 | 0xd0 | 0xe0 | 0xf0 | 0xfe, ..] | [] => {
            return Err(overrun(at, READING_ENTRY, rest.len() + 1, rest.len()));
        }
        [..] => {
            return Err(Fault::broken(at, READING_ENTRY, "its first byte begins no entry"));
        }
    };
    if len > rest.len() {
        return Err(overrun(at, READING_ENTRY, len, rest.len()));
    }
    Ok((item, at + len, before))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::testing::{self, ziplist};

    fn items(bytes: &[u8]) -> Read<Vec<Item>> {
        testing::items::<Ziplist<'_>>(bytes)
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        let numbers = [
            0,
            12,
            13,
            -1,
            127,
            -128,
            128,
            -129,
            32767,
            -32768,
            32768,
            8_388_607,
            -8_388_608,
            8_388_608,
            2_147_483_647,
            -2_147_483_648,
            2_147_483_648,
            i64::MAX,
            i64::MIN,
        ];
        let texts: Vec<_> = numbers.iter().map(i64::to_string).collect();
        let expected: Vec<_> = numbers.into_iter().map(Item::Int).collect();
        assert_eq!(items(&ziplist(&texts)).unwrap(), expected);
    }

    #[test]
    fn texts_around_every_threshold_are_read() {
        for len in [0, 1, 63, 64, 251, 252, 253, 16383, 16384, 70_000] {
            let bytes = ziplist(&["x".repeat(len), "y".into(), "z".into()]);
            let items = items(&bytes).unwrap();
            assert!(matches!(items[0], Item::Bytes { len: l, .. } if l == len), "{len}");
            assert_eq!(items.len(), 3, "{len}");
        }
    }

    #[test]
    fn the_header_is_checked_against_the_content() {
        let sound = ziplist(&["abc", "17", "x"]);
        assert_eq!(items(&sound).unwrap().len(), 3);
        // Size, offset of the last entry, count, size of the previous entry.
        for at in [0, 4, 8, 10, 10 + 5] {
            let mut bytes = sound.clone();
            bytes[at] += 1;
            assert!(items(&bytes).is_err(), "byte {at}");
        }
    }

    #[test]
    fn truncation_and_changed_bytes_do_not_panic() {
        let bytes = ziplist(&["7".to_owned(), "-300".into(), "x".repeat(300), "y".repeat(70)]);
        testing::mangle(&bytes, |bytes| {
            let _ = items(bytes);
        });
    }
}
