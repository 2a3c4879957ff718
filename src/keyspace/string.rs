//! Strings.

/// The value of a string, or of a hash's field.
#[derive(Debug, Clone)]
pub enum StringValue<'a> {
    /// Bytes of the log or the arena.
    Borrowed(&'a [u8]),
    /// Bytes that were changed.
    Owned(Vec<u8>),
    /// The decimal text of this number, without needing room of its own.
    Int(i64),
}

impl Default for StringValue<'_> {
    fn default() -> Self {
        StringValue::Borrowed(&[])
    }
}

impl<'a> StringValue<'a> {
    /// Calls `with` with the bytes.
    #[inline]
    pub fn with<R>(&self, with: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            StringValue::Borrowed(bytes) => with(bytes),
            StringValue::Owned(bytes) => with(bytes),
            StringValue::Int(number) => with(itoa::Buffer::new().format(*number).as_bytes()),
        }
    }

    /// The bytes, to change them.
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        if !matches!(self, StringValue::Owned(_)) {
            *self = StringValue::Owned(self.to_vec());
        }
        match self {
            StringValue::Owned(bytes) => bytes,
            _ => unreachable!("it was made so"),
        }
    }

    /// A copy of the bytes.
    pub fn to_vec(&self) -> Vec<u8> {
        self.with(<[u8]>::to_vec)
    }

    /// The bytes, for the life of the keyspace: what is not borrowed is copied into its arena.
    pub fn in_arena(&self, arena: &'a bumpalo::Bump) -> &'a [u8] {
        match self {
            StringValue::Borrowed(bytes) => bytes,
            other => other.with(|bytes| &*arena.alloc_slice_copy(bytes)),
        }
    }
}
