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
    /// The length, in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.with(<[u8]>::len)
    }

    /// Whether it has no byte.
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

    /// The bytes, to change them.
    #[inline]
    pub fn to_mut(&mut self) -> &mut Vec<u8> {
        self.owned_with_room(0)
    }

    /// The bytes, to change them, in a place with room for at least so many if they have to be copied.
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

    /// Adds bytes at the end.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        let whole = self.len().saturating_add(bytes.len());
        self.owned_with_room(whole).extend_from_slice(bytes);
    }

    /// The bytes, to change them, with zeros added at the end until there are at least so many.
    ///
    /// The caller answers for the length: memory for it is taken at once.
    pub fn grown_to(&mut self, length: usize) -> &mut Vec<u8> {
        if self.is_empty() {
            // Zeros straight from the system cost nothing until they are touched.
            *self = StringValue::Owned(vec![0; length]);
        }
        let bytes = self.owned_with_room(length);
        if bytes.len() < length {
            bytes.resize(length, 0);
        }
        bytes
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
