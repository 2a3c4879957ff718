//! Common parts of the packed encodings that are read item by item.

use super::cursor::Item;
use super::fault::{DamageKind, Fault, Read};
use super::load_check::LoadCheck;

/// A packed encoding that is read item by item. Offsets are relative to its first byte.
pub(super) trait Items<'s>: Sized {
    /// Description of what is being read, for faults.
    const READING: &'static str;
    /// The check of what [`open`](Self::open) reads.
    const HEADER: LoadCheck;
    /// The check of the items.
    const ITEMS: LoadCheck;
    /// The check that items are unique where they have to be.
    const UNIQUE: LoadCheck = Self::ITEMS;
    /// Checks everything that can be checked without reading the items.
    fn open(bytes: &'s [u8]) -> Read<Self>;
    /// Returns the declared number of items.
    fn expected(&self) -> u64;
    /// Returns the next item and its offset. After the last item, checks the declared sizes against
    /// the content.
    fn next(&mut self) -> Read<Option<(usize, Item)>>;
    /// Returns the item that [`next`](Self::next) returned from this offset.
    fn again(bytes: &[u8], at: usize) -> Option<Item>;
}

/// The end mark of listpacks, ziplists and zipmaps; no item of theirs begins with it.
pub(super) const END: u8 = 0xff;

/// The item count of a listpack or a ziplist that means: unknown, count the items.
pub(super) const NOT_COUNTED: u16 = u16::MAX;

/// Returns the `N` bytes of a header that begins with the total size, and everything after it
/// without the end mark. Listpacks and ziplists share this structure.
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

/// Returns an upper estimate of the number of items, for sizing tables: the declared number, or the
/// number that fits into this many bytes.
pub(super) fn expected(declared: u16, entries: &[u8]) -> u64 {
    match declared {
        NOT_COUNTED => entries.len() as u64 / 2,
        declared => declared.into(),
    }
}

/// Returns the text of an item that begins at `at` with a header of `head` bytes, and the total
/// length of the item.
#[inline]
pub(super) fn text(at: usize, head: usize, len: usize) -> (Item, usize) {
    // At most 4 GiB and 5 bytes. On a 32-bit machine the sum saturates, and then exceeds the
    // available bytes.
    (Item::Bytes { from: at + head, len }, head.saturating_add(len))
}

/// Converts a stored length for use as an index.
pub(super) fn widen(len: u32) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}

#[cold]
pub(super) fn overrun(at: usize, reading: &'static str, needed: usize, left: usize) -> Fault {
    let (needed, left) = (needed as u64, left as u64);
    Fault::new(at, reading, DamageKind::Overrun { needed, left })
}
