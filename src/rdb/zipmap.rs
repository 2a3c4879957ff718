//! Zipmaps: the packed encoding of small hashes in Redis 2.2 and 2.4.
//!
//! | bytes | content |
//! |---|---|
//! | 1 | number of fields; 254: unknown, count them |
//! | | per field: length, field, length, 1 byte n, value, n unused bytes |
//! | 1 | `FF` |
//!
//! A length is 1 byte below 254, or `FE` and 4 bytes in the byte order of the machine that wrote
//! it; this parser assumes little endian. Checked against `zipmapValidateIntegrity` in `zipmap.c`
//! of Valkey 8.0 and the writer of Redis 2.4.

use super::cursor::Item;
use super::fault::{DamageKind, Fault, Read};
use super::items::{END, Items, overrun, widen};
use super::load_check::LoadCheck;

const READING: &str = "a zipmap";
const READING_ITEM: &str = "an item of a zipmap";
const NOT_COUNTED: u8 = 254;

/// An iterator over the fields and values of a zipmap, alternating.
pub(super) struct Zipmap<'s> {
    /// Without the end mark.
    bytes: &'s [u8],
    pos: usize,
    /// Whether the next item is a value.
    value: bool,
    declared: u8,
    /// Number of fields read.
    found: u64,
}

impl<'s> Items<'s> for Zipmap<'s> {
    const READING: &'static str = READING;
    const HEADER: LoadCheck = LoadCheck::Header;
    const ITEMS: LoadCheck = LoadCheck::Header;
    const UNIQUE: LoadCheck = LoadCheck::Elements;

    fn open(bytes: &'s [u8]) -> Read<Self> {
        let [declared, .., last] = *bytes else {
            let left = bytes.len() as u64;
            let kind = DamageKind::Overrun { needed: 2, left };
            return Err(Fault::new(0, READING, kind));
        };
        if last != END {
            return Err(Fault::broken(
                bytes.len() - 1,
                READING,
                "its last byte is not the end mark FF",
            ));
        }
        Ok(Zipmap { bytes: &bytes[..bytes.len() - 1], pos: 1, value: false, declared, found: 0 })
    }

    fn expected(&self) -> u64 {
        u64::from(self.declared) * 2
    }

    fn next(&mut self) -> Read<Option<(usize, Item)>> {
        let at = self.pos;
        if at >= self.bytes.len() && !self.value {
            let (declared, found) = (u64::from(self.declared), self.found);
            if self.declared < NOT_COUNTED && declared != found {
                let kind = DamageKind::Mismatch { declared, found };
                return Err(Fault::new(0, READING, kind));
            }
            return Ok(None);
        }
        let (item, next) = item(self.bytes, at, usize::from(self.value))?;
        self.pos = next;
        if self.value {
            // The length is followed by the number of unused bytes after the value.
            let Item::Bytes { from, .. } = item else {
                return Ok(None);
            };
            let unused = usize::from(self.bytes[from - 1]);
            self.pos += unused;
            if self.pos > self.bytes.len() {
                return Err(overrun(next, READING_ITEM, unused, self.bytes.len() - next));
            }
        } else {
            self.found += 1;
        }
        self.value = !self.value;
        Ok(Some((at, item)))
    }

    fn again(bytes: &[u8], at: usize) -> Option<Item> {
        // Only fields are read again.
        item(bytes, at, 0).ok().map(|(item, _)| item)
    }
}

/// Returns the item at `at`, with `between` bytes between its length and its text, and the offset
/// after it.
fn item(bytes: &[u8], at: usize, between: usize) -> Read<(Item, usize)> {
    let rest = bytes.get(at..).unwrap_or_default();
    let (len, head) = match *rest {
        [len @ ..=0xfd, ..] => (usize::from(len), 1),
        [0xfe, a, b, c, d, ..] => (widen(u32::from_le_bytes([a, b, c, d])), 5),
        [END, ..] => {
            return Err(Fault::broken(at, READING, "the end mark FF is before the end"));
        }
        _ => return Err(overrun(at, READING_ITEM, 5, rest.len())),
    };
    let head = head + between;
    let needed = len.saturating_add(head);
    if needed > rest.len() {
        return Err(overrun(at, READING_ITEM, needed, rest.len()));
    }
    let from = at + head;
    Ok((Item::Bytes { from, len }, from + len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::testing::{self, zipmap};

    fn texts(bytes: &[u8]) -> Read<Vec<&[u8]>> {
        let mut zipmap = Zipmap::open(bytes)?;
        let mut texts = Vec::new();
        while let Some((_, item)) = zipmap.next()? {
            let Item::Bytes { from, len } = item else { panic!("a zipmap has no numbers") };
            texts.push(&bytes[from..from + len]);
        }
        Ok(texts)
    }

    #[test]
    fn short_and_long_texts_and_unused_bytes_are_read() {
        let long = "x".repeat(253);
        let longer = "y".repeat(254);
        let bytes = zipmap(&[("f", "v", 0), (&long, &longer, 3), ("", "", 1)]);
        let expected = ["f", "v", &long, &longer, "", ""].map(str::as_bytes);
        assert_eq!(texts(&bytes).unwrap(), expected);
    }

    #[test]
    fn a_count_that_does_not_match_is_reported() {
        let mut bytes = zipmap(&[("f", "v", 0)]);
        bytes[0] = 2;
        assert!(texts(&bytes).is_err());
        bytes[0] = NOT_COUNTED;
        assert!(texts(&bytes).is_ok());
    }

    #[test]
    fn truncation_and_changed_bytes_do_not_panic() {
        let bytes = zipmap(&[("f", "v", 0), (&"x".repeat(254), "y", 3)]);
        testing::mangle(&bytes, |bytes| {
            let _ = texts(bytes);
        });
    }
}
