//! Listpacks: the packed encoding of Redis 5.0 streams, and of all small collections since 7.0.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | total size in bytes, little endian |
//! | 2 | number of entries, little endian; 65535: unknown, count them |
//! | | entries |
//! | 1 | `FF` |
//!
//! | an entry begins with | and is |
//! |---|---|
//! | `0nnnnnnn` | the number n |
//! | `10nnnnnn` | n bytes |
//! | `110nnnnn`, 1 byte | a signed number of 13 bits, big endian |
//! | `1110nnnn`, 1 byte | n·256 + that byte: number of bytes that follow |
//! | `F0`, 4 bytes | length, little endian: number of bytes that follow |
//! | `F1` 2, `F2` 3, `F3` 4, `F4` 8 bytes | a signed number, little endian |
//!
//! An entry ends with its own length so far, for reading backwards: groups of 7 bits, most
//! significant first, all but the first with the top bit set. Checked against
//! `lpValidateIntegrity`, `lpValidateNext` and `lpEncodeBacklen` in `listpack.c` of Valkey 8.0.

use super::cursor::Item;
use super::fault::{DamageKind, Fault, Read};
use super::items::{END, Items, NOT_COUNTED, expected, overrun, text, unwrapped, widen};
use super::load_check::LoadCheck;

const READING: &str = "a listpack";
const READING_HEADER: &str = "the header of a listpack";
const READING_ENTRY: &str = "an entry of a listpack";
const HEADER_BYTES: usize = 6;

/// An iterator over the entries of a listpack.
pub(super) struct Listpack<'s> {
    /// Without the end mark.
    entries: &'s [u8],
    pos: usize,
    declared: u16,
    found: u64,
}

/// The rule that an end mark before the end breaks.
pub(super) const END_INSIDE: &str = "the end mark FF is before the end";

impl<'s> Items<'s> for Listpack<'s> {
    const READING: &'static str = READING;
    const HEADER: LoadCheck = LoadCheck::Always;
    const ITEMS: LoadCheck = LoadCheck::Packed;

    fn open(bytes: &'s [u8]) -> Read<Self> {
        let (&[.., low, high], entries) =
            unwrapped::<HEADER_BYTES>(bytes, READING, READING_HEADER)?;
        Ok(Listpack {
            entries,
            pos: HEADER_BYTES,
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
            let (declared, found) = (self.declared, self.found);
            if declared != NOT_COUNTED && u64::from(declared) != found {
                let declared = declared.into();
                return Err(Fault::new(
                    4,
                    READING_HEADER,
                    DamageKind::Mismatch { declared, found },
                ));
            }
            return Ok(None);
        }
        let (item, next) = entry(self.entries, at)?;
        self.pos = next;
        self.found += 1;
        Ok(Some((at, item)))
    }

    fn again(bytes: &[u8], at: usize) -> Option<Item> {
        entry(bytes, at).ok().map(|(item, _)| item)
    }
}

/// Returns the entry at `at`, and the offset of the next one.
#[inline(always)] // The caller destructures the result at once; without inlining it would go through memory.
fn entry(bytes: &[u8], at: usize) -> Read<(Item, usize)> {
    let rest = bytes.get(at..).unwrap_or_default();
    let (item, len) = match *rest {
        [n @ ..=0x7f, ..] => (Item::Int(n.into()), 1),
        [n @ 0x80..=0xbf, ..] => text(at, 1, usize::from(n & 0x3f)),
        [high @ 0xc0..=0xdf, low, ..] => {
            let n = i64::from(high & 0x1f) << 8 | i64::from(low);
            (Item::Int(if n >= 1 << 12 { n - (1 << 13) } else { n }), 2)
        }
        [high @ 0xe0..=0xef, low, ..] => {
            text(at, 2, usize::from(high & 0x0f) << 8 | usize::from(low))
        }
        [0xf0, a, b, c, d, ..] => text(at, 5, widen(u32::from_le_bytes([a, b, c, d]))),
        [0xf1, a, b, ..] => (Item::Int(i16::from_le_bytes([a, b]).into()), 3),
        // The three bytes are the upper ones of four; the arithmetic shift extends their sign.
        [0xf2, a, b, c, ..] => (Item::Int((i32::from_le_bytes([0, a, b, c]) >> 8).into()), 4),
        [0xf3, a, b, c, d, ..] => (Item::Int(i32::from_le_bytes([a, b, c, d]).into()), 5),
        [0xf4, a, b, c, d, e, f, g, h, ..] => {
            (Item::Int(i64::from_le_bytes([a, b, c, d, e, f, g, h])), 9)
        }
        [] => return Err(overrun(at, READING_ENTRY, 1, 0)),
        [0xf5..=0xfe, ..] => {
            return Err(Fault::broken(at, READING_ENTRY, "its first byte begins no entry"));
        }
        [END, ..] => {
            return Err(Fault::broken(at, READING_ENTRY, END_INSIDE));
        }
        [..] => return Err(overrun(at, READING_ENTRY, rest.len() + 1, rest.len())),
    };
    let Some(tail) = rest.get(len..).filter(|tail| !tail.is_empty()) else {
        return Err(overrun(at, READING_ENTRY, len.saturating_add(1), rest.len()));
    };
    let back_bytes = if len <= 127 {
        if usize::from(tail[0]) != len {
            return Err(wrong_back_length(at + len));
        }
        1
    } else {
        back_length(len, tail, at)?
    };
    Ok((item, at + len + back_bytes))
}

/// Returns the size in bytes of the back length of an entry of `len` bytes, which `tail` must begin
/// with.
fn back_length(len: usize, tail: &[u8], at: usize) -> Read<usize> {
    // The thresholds are one lower than the groups would allow.
    let bytes = match len {
        0..=127 => 1,
        128..16383 => 2,
        16383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => 5,
    };
    let Some(stored) = tail.get(..bytes) else {
        return Err(overrun(at, READING_ENTRY, len.saturating_add(bytes), len + tail.len()));
    };
    for (index, &byte) in stored.iter().rev().enumerate() {
        let group = (len >> (7 * index)) & 0x7f;
        let more = if index + 1 < bytes { 0x80 } else { 0 };
        if usize::from(byte) != group | more {
            return Err(wrong_back_length(at + len));
        }
    }
    Ok(bytes)
}

#[cold]
fn wrong_back_length(at: usize) -> Fault {
    Fault::broken(at, READING_ENTRY, "the length after it is not that of the entry")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::testing::{self, listpack};

    fn items(bytes: &[u8]) -> Read<Vec<Item>> {
        testing::items::<Listpack<'_>>(bytes)
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        let numbers = [
            0,
            127,
            128,
            -1,
            4095,
            -4096,
            4096,
            -4097,
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
        let bytes = listpack(&texts);
        let expected: Vec<_> = numbers.into_iter().map(Item::Int).collect();
        assert_eq!(items(&bytes).unwrap(), expected);
    }

    #[test]
    fn texts_around_every_threshold_are_read() {
        for len in
            [0, 1, 63, 64, 125, 126, 127, 4095, 4096, 16377, 16378, 16379, 2_097_146, 2_097_147]
        {
            let bytes = listpack(&["x".repeat(len), "y".into()]);
            let items = items(&bytes).unwrap();
            assert!(matches!(items[0], Item::Bytes { len: l, .. } if l == len), "{len}");
            assert_eq!(items.len(), 2, "{len}");
        }
    }

    #[test]
    fn the_header_is_checked_against_the_content() {
        let mut bytes = listpack(&["a", "b"]);
        bytes[4] = 3;
        let fault = items(&bytes).unwrap_err();
        let (declared, found) = (3, 2);
        assert_eq!(fault.0.kind, DamageKind::Mismatch { declared, found });
        bytes[4..6].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(items(&bytes).unwrap().len(), 2);
        bytes[0] += 1;
        assert!(items(&bytes).is_err());
    }

    #[test]
    fn a_wrong_back_length_is_reported_at_its_offset() {
        let mut bytes = listpack(&["abc"]);
        bytes[6 + 4] += 1;
        let fault = items(&bytes).unwrap_err();
        assert_eq!(fault.0.offset, 6 + 4);
    }

    #[test]
    fn truncation_and_changed_bytes_do_not_panic() {
        let bytes = listpack(&["7".to_owned(), "-300".into(), "x".repeat(200), "y".repeat(70)]);
        testing::mangle(&bytes, |bytes| {
            let _ = items(bytes);
        });
    }
}
