//! One command as it lies in the log: bytes borrowed from the file, decoded when asked.

use super::grammar::{self, Shape};

/// A whole frame: the bytes in the file, and where its name is.
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
    /// The frame of `shape` that `bytes` are, at `offset` of its file.
    pub(super) fn new(offset: u64, bytes: &'a [u8], shape: Shape) -> Self {
        let Shape { argc, name_start, name_len, canonical, long_line, .. } = shape;
        Frame { offset, bytes, argc, name_start, name_len, canonical, long_line }
    }

    /// A frame as servers write it.
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

    /// Reads the frame that stands at the start of `bytes`, as a loader since Redis 7.0 would;
    /// `offset` says where in the file that is. `None` when there is no whole frame.
    pub fn read(offset: u64, bytes: &'a [u8]) -> Option<Self> {
        let shape = grammar::tolerated(bytes).ok()?;
        Some(Frame::new(offset, &bytes[..shape.len], shape))
    }

    /// The same frame, `by` bytes further on in its file.
    #[inline]
    pub(super) fn moved(mut self, by: u64) -> Self {
        self.offset += by;
        self
    }

    /// Its first byte's offset in the file.
    #[inline]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The offset of the first byte behind it.
    #[inline]
    pub fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// The frame as it stands in the file.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The number of arguments, the name included; at least 1.
    #[inline]
    pub fn argc(&self) -> u32 {
        self.argc
    }

    /// The command's name, in the case in which it was written.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        &self.bytes[self.name_start..self.name_start + self.name_len]
    }

    /// The bytes from the name to the end of the frame, and how many of them are the name.
    #[inline]
    pub fn name_and_on(&self) -> (&'a [u8], usize) {
        (&self.bytes[self.name_start..], self.name_len)
    }

    /// The argument behind the name, which most often is the key; `None` where there is none.
    #[inline(always)]
    pub fn first_argument(&self) -> Option<&'a [u8]> {
        let behind = self.bytes.get(self.name_start + self.name_len..)?;
        // `\r\n$N\r\n` or `\r\n$NN\r\n`, as most are.
        if self.canonical && self.argc > 1 {
            let digit = |at: usize| usize::from(behind[at].wrapping_sub(b'0'));
            match behind.first_chunk::<7>() {
                Some([_, _, _, _, b'\r', ..]) => return behind.get(6..6 + digit(3)),
                Some([_, _, _, _, _, b'\r', _]) => {
                    return behind.get(7..7 + digit(3) * 10 + digit(4));
                }
                _ => {}
            }
        }
        self.args().nth(1)
    }

    /// Whether it is written as servers write it.
    #[inline]
    pub fn is_canonical(&self) -> bool {
        self.canonical
    }

    /// Whether a header line is longer than loaders up to Redis 6.2 can read.
    #[inline]
    pub fn has_long_line(&self) -> bool {
        self.long_line
    }

    /// The arguments, the name first.
    pub fn args(&self) -> Args<'a> {
        let header = memchr::memchr(b'\n', self.bytes).map_or(self.bytes.len(), |at| at + 1);
        Args { bytes: self.bytes, at: header.min(grammar::LINE_BYTES), left: self.argc }
    }
}

/// The arguments of a frame, in order, borrowed from the file.
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
