//! Lengths and strings, the building blocks of everything else.
//!
//! | first byte | length |
//! |---|---|
//! | `00nnnnnn` | n |
//! | `01nnnnnn`, 1 byte b | n·256 + b |
//! | `80`, 4 bytes | big endian |
//! | `81`, 8 bytes | big endian, since version 8 (Redis 4.0) |
//! | `11nnnnnn` | not a length: a string of special encoding n |
//!
//! | string | content |
//! |---|---|
//! | length, bytes | the bytes |
//! | `C0`, 1 byte | the decimal text of a signed number |
//! | `C1`, 2 bytes; `C2`, 4 bytes | the same, little endian |
//! | `C3`, length c, length n, c bytes | n bytes of text, compressed: see [`lzf`] |
//!
//! Where only a length is valid, the servers' loaders accept `11nnnnnn` as the length n. Nothing
//! writes that, and this parser treats it as damage. Checked against `rdbLoadLenByRef` and
//! `rdbGenericLoadStringObject` in `rdb.c` of Valkey 8.0.

use super::fault::{DamageKind, Fault, Read};
use super::lzf;
use super::text::{Lzf, Text};

/// A position in the file's bytes that only moves forward.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    bytes: &'a [u8],
    /// The current position, never greater than the length of `bytes`.
    pos: usize,
}

impl<'a> Cursor<'a> {
    /// Creates a cursor at byte `pos`, or at the end if `bytes` is shorter.
    pub(super) fn at(bytes: &'a [u8], pos: usize) -> Self {
        Cursor { bytes, pos: pos.min(bytes.len()) }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    #[inline]
    pub(super) fn pos(&self) -> usize {
        self.pos
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.pos..]
    }

    #[cold]
    fn short(&self, needed: u64, reading: &'static str) -> Fault {
        let left = self.rest().len() as u64;
        Fault::new(self.pos, reading, DamageKind::Short { needed, left })
    }

    /// Returns the next `len` bytes.
    #[inline]
    pub(super) fn take(&mut self, len: u64, reading: &'static str) -> Read<&'a [u8]> {
        let taken = usize::try_from(len).ok().and_then(|len| self.rest().get(..len));
        match taken {
            Some(taken) => {
                self.pos += taken.len();
                Ok(taken)
            }
            None => Err(self.short(len, reading)),
        }
    }

    /// Returns the next `N` bytes.
    #[inline]
    pub(super) fn fixed<const N: usize>(&mut self, reading: &'static str) -> Read<[u8; N]> {
        match self.rest().first_chunk::<N>() {
            Some(bytes) => {
                self.pos += N;
                Ok(*bytes)
            }
            None => Err(self.short(N as u64, reading)),
        }
    }

    #[inline]
    pub(super) fn byte(&mut self, reading: &'static str) -> Read<u8> {
        self.fixed::<1>(reading).map(|[byte]| byte)
    }

    /// Reads a time in milliseconds, or another signed number of 8 bytes. Before version 9, it is
    /// in the byte order of the machine that wrote it; this parser assumes little endian.
    #[inline]
    pub(super) fn millis(&mut self, reading: &'static str) -> Read<i64> {
        self.fixed(reading).map(i64::from_le_bytes)
    }

    #[inline]
    pub(super) fn length(&mut self, reading: &'static str) -> Read<u64> {
        let at = self.pos;
        let first = self.byte(reading)?;
        match first {
            0..0x40 => Ok(u64::from(first)),
            0x40..0x80 => {
                let low = self.byte(reading)?;
                Ok(u64::from(first & 0x3f) << 8 | u64::from(low))
            }
            0x80 => self.fixed(reading).map(|b| u64::from(u32::from_be_bytes(b))),
            0x81 => self.fixed(reading).map(u64::from_be_bytes),
            found => Err(Fault::new(at, reading, DamageKind::LengthEncoding { found })),
        }
    }

    /// Reads a string without checking the content of a compressed one.
    #[inline]
    fn stored(&mut self, reading: &'static str) -> Read<Text<'a, 'a>> {
        match self.rest().first() {
            Some(&first @ 0xc0..) => self.special(first, reading),
            _ => {
                let len = self.length(reading)?;
                self.take(len, reading).map(Text::Mapped)
            }
        }
    }

    fn special(&mut self, first: u8, reading: &'static str) -> Read<Text<'a, 'a>> {
        let at = self.pos;
        self.pos += 1;
        Ok(match first {
            0xc0 => Text::Int(i8::from_le_bytes(self.fixed(reading)?).into()),
            0xc1 => Text::Int(i16::from_le_bytes(self.fixed(reading)?).into()),
            0xc2 => Text::Int(i32::from_le_bytes(self.fixed(reading)?).into()),
            0xc3 => {
                let compressed = self.length(reading)?;
                let len = self.length(reading)?;
                let compressed = self.take(compressed, reading)?;
                // The plausibility check refuses a length that exceeds the address space.
                let len = usize::try_from(len).unwrap_or(usize::MAX);
                Text::Lzf(Lzf { compressed, len })
            }
            found => {
                return Err(Fault::new(at, reading, DamageKind::StringEncoding { found }));
            }
        })
    }

    /// Reads a string; a compressed one is checked but not decompressed.
    #[inline]
    pub(super) fn text(&mut self, reading: &'static str) -> Read<Text<'a, 'a>> {
        let text = self.stored(reading)?;
        if let Text::Lzf(lzf) = text {
            lzf::check(lzf.compressed, lzf.len)
                .map_err(|wrong| self.compressed(wrong, lzf, reading))?;
        }
        Ok(text)
    }

    /// Skips a string without checking its content.
    #[inline]
    pub(super) fn skip_text(&mut self, reading: &'static str) -> Read<()> {
        self.stored(reading).map(drop)
    }

    /// Reads a string that contains a packed encoding, decompressed into `buffer` if necessary.
    #[inline]
    pub(super) fn blob<'s>(
        &mut self,
        buffer: &'s mut Vec<u8>,
        reading: &'static str,
    ) -> Read<Blob<'a, 's>>
    where
        'a: 's,
    {
        let start = self.pos;
        Ok(match self.stored(reading)? {
            Text::Mapped(bytes) => {
                Blob { bytes, mapped: Some(bytes), start: self.pos - bytes.len() }
            }
            Text::Lzf(lzf) => {
                lzf::decompress(lzf.compressed, lzf.len, buffer)
                    .map_err(|wrong| self.compressed(wrong, lzf, reading))?;
                Blob { bytes: buffer, mapped: None, start }
            }
            number => Blob { bytes: number.bytes(buffer), mapped: None, start },
        })
    }

    /// Returns the fault of a compressed string that was just read.
    #[cold]
    fn compressed(&self, wrong: lzf::Wrong, lzf: Lzf<'_>, reading: &'static str) -> Fault {
        let start = self.pos - lzf.compressed.len();
        Fault::new(start + wrong.at, reading, DamageKind::Lzf { rule: wrong.rule })
    }
}

/// The content of a string that contains a packed encoding.
#[derive(Debug, Clone, Copy)]
pub(super) struct Blob<'a, 's> {
    pub(super) bytes: &'s [u8],
    /// The same bytes, if they are in the file as they are.
    mapped: Option<&'a [u8]>,
    /// Offset in the file of the content, or of the string if the content is not in the file as it
    /// is.
    start: usize,
}

/// One item of a packed encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Item {
    /// `len` bytes from position `from`.
    Bytes { from: usize, len: usize },
    /// A number.
    Int(i64),
}

impl<'a, 's> Blob<'a, 's> {
    /// Returns the text of an item.
    #[inline]
    pub(super) fn text(&self, item: Item) -> Text<'a, 's> {
        match item {
            Item::Int(number) => Text::Int(number),
            Item::Bytes { from, len } => match self.mapped {
                Some(mapped) => Text::Mapped(slice(mapped, from, len)),
                None => Text::Lent(slice(self.bytes, from, len)),
            },
        }
    }

    /// Converts the offset of a fault, relative to the first byte of the content, to an offset in
    /// the file.
    #[cold]
    pub(super) fn place(&self, mut fault: Fault) -> Fault {
        let start = self.start as u64;
        if self.mapped.is_some() {
            fault.0.offset += start;
        } else {
            fault.0.inside = Some(fault.0.offset);
            fault.0.offset = start;
        }
        fault
    }

    pub(super) fn fault(&self, at: usize, reading: &'static str, kind: DamageKind) -> Fault {
        self.place(Fault::new(at, reading, kind))
    }
}

/// Returns `len` bytes from `from`; the parser has checked that they exist.
#[inline]
fn slice(bytes: &[u8], from: usize, len: usize) -> &[u8] {
    bytes.get(from..from + len).unwrap_or_default()
}
