//! What the packed forms that are read item by item have in common.

use super::cursor::Item;
use super::fault::Read;

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
