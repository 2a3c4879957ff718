//! The sizes of packed encodings: listpack, ziplist and intset.
//!
//! The formats are documented in the descriptions of both formats and by `redis-rdb-tools`; the sizes were compared with
//! those that servers report.

use crate::keyspace::StringValue;
use crate::rdb::write::canonical as integer;

/// The bytes of a listpack without entries.
pub(super) const LISTPACK: u64 = 7;
/// The bytes of a ziplist without entries.
const ZIPLIST: u64 = 11;

/// What the size of an element depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) len: u64,
    /// The number, if the text is that of an integer.
    pub(super) number: Option<i64>,
}

impl Element {
    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Element {
        Element { len: bytes.len() as u64, number: integer(bytes) }
    }

    #[inline]
    pub(super) fn of_string(value: &StringValue<'_>) -> Element {
        match value {
            StringValue::Int(number) => Element { len: value.len() as u64, number: Some(*number) },
            other => other.with(Element::of),
        }
    }

    #[inline]
    pub(super) fn of_number(number: i64) -> Element {
        Element { len: 0, number: Some(number) }
    }
}

/// A packed encoding that grows.
#[derive(Debug, Clone, Copy)]
pub(super) enum Packed {
    Listpack { bytes: u64 },
    Ziplist { bytes: u64, last: u64 },
}

impl Packed {
    /// Returns one without entries.
    pub(super) fn new(is_ziplist: bool) -> Packed {
        match is_ziplist {
            true => Packed::Ziplist { bytes: ZIPLIST, last: 0 },
            false => Packed::Listpack { bytes: LISTPACK },
        }
    }

    /// Appends an element.
    #[inline]
    pub(super) fn push(&mut self, element: Element) {
        match self {
            Packed::Listpack { bytes } => *bytes += in_listpack(element),
            Packed::Ziplist { bytes, last } => {
                *last = in_ziplist(element, *last);
                *bytes += *last;
            }
        }
    }

    /// Returns the size in bytes.
    pub(super) fn bytes(&self) -> u64 {
        match self {
            Packed::Listpack { bytes } | Packed::Ziplist { bytes, .. } => *bytes,
        }
    }
}

/// Returns the size of an entry of a listpack: its header, its content, and its length once more at the end.
#[inline]
pub(super) fn in_listpack(element: Element) -> u64 {
    let size = match element.number {
        Some(0..=127) => 1,
        Some(-4096..=4095) => 2,
        Some(number) => 1 + integer_bytes(number),
        None => match element.len {
            len @ 0..=63 => 1 + len,
            len @ 64..=4095 => 2 + len,
            len => 5 + len,
        },
    };
    size + match size {
        0..=127 => 1,
        128..=16_382 => 2,
        16_383..=2_097_150 => 3,
        2_097_151..=268_435_454 => 4,
        _ => 5,
    }
}

/// Returns the size of an entry of a ziplist after one of the size `last`.
#[inline]
fn in_ziplist(element: Element, last: u64) -> u64 {
    let size = match element.number {
        Some(0..=12) => 1,
        Some(-128..=127) => 2,
        Some(number) => 1 + integer_bytes(number),
        None => match element.len {
            len @ 0..=63 => 1 + len,
            len @ 64..=16_383 => 2 + len,
            len => 5 + len,
        },
    };
    size + if last < 254 { 1 } else { 5 }
}

/// Returns the number of bytes of an integer that does not fit into the header of its entry.
#[inline]
fn integer_bytes(number: i64) -> u64 {
    match number {
        -32_768..=32_767 => 2,
        -8_388_608..=8_388_607 => 3,
        -2_147_483_648..=2_147_483_647 => 4,
        _ => 8,
    }
}

/// Returns the size of an intset whose widest member needs this number of bytes.
pub(super) fn intset(members: u64, widest: u64) -> u64 {
    8 + members * widest
}

/// Returns the number of bytes of a member of an intset.
#[inline]
pub(super) fn intset_width(number: i64) -> u64 {
    if i16::try_from(number).is_ok() {
        2
    } else if i32::try_from(number).is_ok() {
        4
    } else {
        8
    }
}
