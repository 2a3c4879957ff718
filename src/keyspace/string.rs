//! Strings.
//!
//! One short command can make a string of 512 MB of zeros. Such strings are kept in memory that the system has not given
//! out yet, and nothing here writes zeros into it.

use crate::base::sparse;

/// The value of a string, or of a hash field.
#[derive(Debug)]
pub enum StringValue<'a> {
    /// Bytes of the log or the arena.
    Borrowed(&'a [u8]),
    /// Bytes that were modified.
    Owned(Vec<u8>),
    /// The decimal text of this number, which needs no allocation.
    Int(i64),
}

impl Clone for StringValue<'_> {
    fn clone(&self) -> Self {
        match self {
            StringValue::Borrowed(bytes) => StringValue::Borrowed(bytes),
            StringValue::Owned(_) => StringValue::Owned(self.to_vec()),
            StringValue::Int(number) => StringValue::Int(*number),
        }
    }
}

impl Default for StringValue<'_> {
    fn default() -> Self {
        StringValue::Borrowed(&[])
    }
}

impl<'a> StringValue<'a> {
    /// Returns the length in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Returns whether the string is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Calls `with` with the bytes.
    #[inline]
    pub fn with<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            StringValue::Borrowed(bytes) => with(bytes),
            StringValue::Owned(bytes) => with(bytes),
            StringValue::Int(number) => with(itoa::Buffer::new().format(*number).as_bytes()),
        }
    }

    /// Returns the bytes for modification.
    #[inline]
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        self.owned_with_room(0)
    }

    /// Returns the bytes for modification, in a buffer of at least this capacity if they have to be
    /// copied.
    #[inline]
    fn owned_with_room(&mut self, capacity: usize) -> &mut Vec<u8> {
        if !matches!(self, StringValue::Owned(_)) {
            *self = StringValue::Owned(self.with(|bytes| {
                let mut copy = Vec::with_capacity(capacity.max(bytes.len()));
                copy.extend_from_slice(bytes);
                copy
            }));
        }
        match self {
            StringValue::Owned(bytes) => bytes,
            _ => unreachable!("it was made so"),
        }
    }

    /// Appends bytes.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        let whole = self.len().saturating_add(bytes.len());
        self.owned_with_room(whole).extend_from_slice(bytes);
    }

    /// Returns the bytes for modification, padded with zeros to at least `length` bytes.
    ///
    /// The caller is responsible for the length: memory for it is allocated at once.
    pub fn grown_to(&mut self, length: usize) -> &mut Vec<u8> {
        // By small steps it grows in place: each would search all of it for zeros.
        if length.saturating_sub(self.len()) >= sparse::LONG {
            *self = StringValue::Owned(self.with(|bytes| sparse::padded(bytes, length)));
        } else if self.is_empty() {
            *self = StringValue::Owned(vec![0; length]);
        }
        let bytes = self.owned_with_room(length);
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        bytes
    }

    /// Returns a copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.with(|bytes| match bytes.len() {
            0..sparse::LONG => bytes.to_vec(),
            _ => sparse::padded(bytes, 0),
        })
    }

    /// Returns the bytes with the lifetime of the keyspace; bytes that are not borrowed are copied
    /// into its arena.
    pub fn in_arena(&self, arena: &'a bumpalo::Bump) -> &'a [u8] {
        match self {
            StringValue::Borrowed(bytes) => bytes,
            other => other.with(|bytes| &*arena.alloc_slice_copy(bytes)),
        }
    }
}
