//! A command in the log: bytes borrowed from the file, decoded on demand.

use super::grammar::{self, Shape};

/// A complete frame: its bytes, and the position of its name.
#[derive(Debug, Clone, Copy)]
pub struct Frame<'a> {
    offset: u64,
    bytes: &'a [u8],
    argc: u32,
    name_start: usize,
    name_len: usize,
    canonical: bool,
    long_line: bool,
}

impl<'a> Frame<'a> {
    /// Creates a frame from `bytes` with the given shape, at `offset` in its file.
    pub(super) fn new(offset: u64, bytes: &'a [u8], shape: Shape) -> Self {
        let Shape { argc, name_start, name_len, canonical, long_line, .. } = shape;
        Frame { offset, bytes, argc, name_start, name_len, canonical, long_line }
    }

    /// Creates a canonical frame.
    #[inline(always)]
    pub(super) fn canonical(
        offset: u64,
        bytes: &'a [u8],
        argc: u32,
        name_start: usize,
        name_len: usize,
    ) -> Self {
        Frame { offset, bytes, argc, name_start, name_len, canonical: true, long_line: false }
    }

    /// Reads the frame at the start of `bytes`, as a loader since Redis 7.0 would; `offset` is its
    /// offset in the file. Returns `None` if there is no complete frame.
    pub fn read(offset: u64, bytes: &'a [u8]) -> Option<Self> {
        let shape = grammar::tolerated(bytes).ok()?;
        Some(Frame::new(offset, &bytes[..shape.len], shape))
    }

    /// Returns the same frame with `by` added to its offset in the file.
    #[inline]
    pub(super) fn offset_by(mut self, by: u64) -> Self {
        self.offset += by;
        self
    }

    /// Returns the offset of its first byte in the file.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the offset of the first byte after it.
    #[inline]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Returns the bytes of the frame in the file.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Returns the number of arguments, including the name; at least 1.
    #[inline]
    pub fn argc(&self) -> u32 {
        self.argc
    }

    /// Returns the name of the command, in its original case.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        &self.bytes[self.name_start..self.name_start + self.name_len]
    }

    /// Returns the bytes from the name to the end of the frame, and the length of the name.
    #[inline]
    pub fn bytes_from_name(&self) -> (&'a [u8], usize) {
        (&self.bytes[self.name_start..], self.name_len)
    }

    /// Returns the offset in its bytes of the line after the name.
    #[inline]
    pub(crate) fn after_name(&self) -> usize {
        self.name_start + self.name_len + 2
    }

    /// Returns the argument after the name, which is usually the key; `None` if there is none.
    #[inline(always)]
    pub fn first_argument(&self) -> Option<&'a [u8]> {
        let after = self.bytes.get(self.name_start + self.name_len..)?;
        // `\r\n$N\r\n` or `\r\n$NN\r\n`, like most.
        if self.canonical && self.argc > 1 {
            let digit = |at: usize| usize::from(after[at].wrapping_sub(b'0'));
            match after.first_chunk::<7>() {
                Some([_, _, _, _, b'\r', ..]) => return after.get(6..6 + digit(3)),
                Some([_, _, _, _, _, b'\r', _]) => {
                    return after.get(7..7 + digit(3) * 10 + digit(4));
                }
                _ => {}
            }
        }
        self.args().nth(1)
    }

    /// Returns whether the frame has the form in which servers write it.
    #[inline]
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Returns whether a header line is longer than loaders up to Redis 6.2 can read.
    #[inline]
    pub fn has_long_line(&self) -> bool {
        self.long_line
    }

    /// Returns the arguments, including the name as the first.
    pub fn args(&self) -> Args<'a> {
        let header = memchr::memchr(b'\n', self.bytes).map_or(self.bytes.len(), |at| at + 1);
        Args { bytes: self.bytes, at: header.min(grammar::LINE_BYTES), left: self.argc }
    }
}

/// An iterator over the arguments of a frame, borrowed from the file.
#[derive(Debug, Clone)]
pub struct Args<'a> {
    bytes: &'a [u8],
    at: usize,
    left: u32,
}

impl<'a> Iterator for Args<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let rest = self.bytes.get(self.at..)?;
        let window = &rest[..rest.len().min(grammar::LINE_BYTES)];
        let line = memchr::memchr(b'\n', window).map_or(window.len(), |at| at + 1);
        let length = usize::try_from(grammar::c_strtol(window.get(1..line)?)).ok()?;
        let start = self.at + line;
        let argument = self.bytes.get(start..start.checked_add(length)?)?;
        self.at = start + length + 2;
        Some(argument)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.left as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Args<'_> {}
