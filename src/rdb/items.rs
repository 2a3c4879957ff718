//! What the packed forms that are read item by item have in common.

use super::cursor::Item;
use super::fault::{DamageKind, Fault, Read};

/// A packed form that is read item by item. Places are counted from its first byte.
pub(super) trait Items<'s>: Sized {
    /// What is being read.
    const READING: &'static str;
    /// Checks what can be checked without reading the items.
    fn open(bytes: &'s [u8]) -> Read<Self>;
    /// How many items it claims to have.
    fn expected(&self) -> u64;
    /// The next item and where it begins. After the last, whether the whole kept its claims.
    fn next(&mut self) -> Read<Option<(usize, Item)>>;
    /// The item that [`next`](Self::next) gave from this place.
    fn again(bytes: &[u8], at: usize) -> Option<Item>;
}

/// Ends listpacks, ziplists and zipmaps, and begins no item of theirs.
pub(super) const END: u8 = 0xff;

/// In the place of the number of items of a listpack or a ziplist: not known, count them.
pub(super) const NOT_COUNTED: u16 = u16::MAX;

/// The `N` bytes of a header that begins with the size of the whole, and all without the end mark: what a
/// listpack and a ziplist have in common.
pub(super) fn unwrapped<'s, const N: usize>(
    bytes: &'s [u8],
    reading: &'static str,
    reading_header: &'static str,
) -> Read<(&'s [u8; N], &'s [u8])> {
    let fault = |kind| Err(Fault::new(0, reading_header, kind));
    let found = bytes.len() as u64;
    let (Some(header), true) = (bytes.first_chunk::<N>(), bytes.len() > N) else {
        return fault(DamageKind::Overrun { needed: N as u64 + 1, left: found });
    };
    let declared = header.first_chunk().map_or(0, |size| u64::from(u32::from_le_bytes(*size)));
    if declared != found {
        return fault(DamageKind::Mismatch { declared, found });
    }
    match bytes {
        [entries @ .., END] => Ok((header, entries)),
        _ => Err(Fault::broken(bytes.len() - 1, reading, "its last byte is not the end mark FF")),
    }
}

/// How many items there may be, for tables of them: as many as are declared, or as could be in so many bytes.
pub(super) fn expected(declared: u16, entries: &[u8]) -> u64 {
    match declared {
        NOT_COUNTED => entries.len() as u64 / 2,
        declared => declared.into(),
    }
}

/// The text of an item that begins at `at` with `head` bytes, and the bytes that it takes.
#[inline]
pub(super) fn text(at: usize, head: usize, len: usize) -> (Item, usize) {
    // At most 4 GiB and 5 bytes; on a machine of 32 bits it is cut, and then reaches too far.
    (Item::Bytes { from: at + head, len }, head.saturating_add(len))
}

/// A length as it is stored, for indices.
pub(super) fn widen(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

#[cold]
pub(super) fn overrun(at: usize, reading: &'static str, needed: usize, left: usize) -> Fault {
    let (needed, left) = (needed as u64, left as u64);
    Fault::new(at, reading, DamageKind::Overrun { needed, left })
}
