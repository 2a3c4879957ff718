//! The output: lengths and strings, buffered and summed. The counterpart of
//! [`cursor`](super::super::cursor).

use std::io::{self, Write};

use crc_fast::{CrcAlgorithm, Digest};

use super::lzf::Compressor;
use super::number::canonical;

/// A byte sink.
pub(super) trait Put {
    fn put(&mut self, bytes: &[u8]);

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Writes a length in as few bytes as possible.
    #[inline]
    fn length(&mut self, length: u64) {
        // Each value was checked to fit before it is truncated.
        #[allow(clippy::cast_possible_truncation)]
        match length {
            0..0x40 => self.byte(length as u8),
            0x40..0x4000 => self.put(&[0x40 | (length >> 8) as u8, length as u8]),
            0x4000..=0xffff_ffff => {
                let [a, b, c, d] = (length as u32).to_be_bytes();
                self.put(&[0x80, a, b, c, d]);
            }
            _ => self.length_wide(length),
        }
    }

    /// Writes a length in nine bytes, whatever its value.
    fn length_wide(&mut self, length: u64) {
        self.byte(0x81);
        self.put(&length.to_be_bytes());
    }

    /// Writes a string without compression.
    #[inline]
    fn plain(&mut self, text: &[u8]) {
        self.length(text.len() as u64);
        self.put(text);
    }
}

impl Put for Vec<u8> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Writes strings, each in the shortest encoding that the format has.
pub(super) struct Strings {
    lzf: Option<Compressor>,
    compressed: Vec<u8>,
}

/// Longer texts are not parsed as numbers: `-2147483648` is the longest of 32 bits.
const LONGEST_NUMBER: usize = 11;
/// Texts up to this length are not compressed.
const NOT_COMPRESSED: usize = 20;

impl Strings {
    pub(super) fn new(compress: bool) -> Self {
        Strings { lzf: compress.then(Compressor::new), compressed: Vec::new() }
    }

    #[inline]
    pub(super) fn write(&mut self, to: &mut impl Put, text: &[u8]) {
        if text.len() <= LONGEST_NUMBER {
            match canonical(text).and_then(|number| i32::try_from(number).ok()) {
                Some(number) => number_as_string(to, number),
                None => to.plain(text),
            }
        } else {
            self.long(to, text);
        }
    }

    fn long(&mut self, to: &mut impl Put, text: &[u8]) {
        if let Some(lzf) = self.lzf.as_mut().filter(|_| text.len() > NOT_COMPRESSED)
            && lzf.compress(text, &mut self.compressed)
        {
            to.byte(0xc3);
            to.length(self.compressed.len() as u64);
            to.length(text.len() as u64);
            to.put(&self.compressed);
            return;
        }
        to.plain(text);
    }
}

fn number_as_string(to: &mut impl Put, number: i32) {
    if let Ok(number) = i8::try_from(number) {
        let [a] = number.to_le_bytes();
        to.put(&[0xc0, a]);
    } else if let Ok(number) = i16::try_from(number) {
        let [a, b] = number.to_le_bytes();
        to.put(&[0xc1, a, b]);
    } else {
        let [a, b, c, d] = number.to_le_bytes();
        to.put(&[0xc2, a, b, c, d]);
    }
}

impl Out<Vec<u8>> {
    /// Returns everything written since the last call.
    pub(super) fn take_bytes(&mut self) -> Vec<u8> {
        self.hand_on();
        std::mem::take(&mut self.target)
    }
}

/// Collects a block, updates the checksum while it is in the cache, and passes it on.
pub(super) struct Out<W> {
    target: W,
    block: Vec<u8>,
    digest: Digest,
    /// Number of bytes passed on.
    handed: u64,
    /// The first failure. All output after it is dropped.
    failed: Option<io::Error>,
}

const BLOCK_BYTES: usize = 256 << 10;

impl<W: Write> Put for Out<W> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > BLOCK_BYTES - self.block.len() {
            self.hand_on();
            if bytes.len() >= BLOCK_BYTES {
                self.digest.update(bytes);
                self.write(bytes);
                return;
            }
        }
        self.block.extend_from_slice(bytes);
    }
}

impl<W: Write> Out<W> {
    pub(super) fn new(target: W) -> Self {
        Out {
            target,
            block: Vec::with_capacity(BLOCK_BYTES),
            digest: Digest::new(CrcAlgorithm::Crc64Redis),
            handed: 0,
            failed: None,
        }
    }

    #[cold]
    fn hand_on(&mut self) {
        let block = std::mem::take(&mut self.block);
        self.digest.update(&block);
        self.write(&block);
        self.block = block;
        self.block.clear();
    }

    fn write(&mut self, bytes: &[u8]) {
        if self.failed.is_none() {
            self.failed = self.target.write_all(bytes).err();
            self.handed += bytes.len() as u64;
        }
    }

    /// Returns the number of bytes written so far, including those in the buffer.
    pub(super) fn len(&self) -> u64 {
        self.handed + self.block.len() as u64
    }

    /// Checks that all output so far was written.
    ///
    /// # Errors
    ///
    /// Returns the first failure, once.
    pub(super) fn check(&mut self) -> io::Result<()> {
        match self.failed.take() {
            None => Ok(()),
            Some(error) => {
                // Keeps the failed state, so that further output is dropped, too.
                self.failed = Some(io::Error::new(error.kind(), "writing failed before"));
                Err(error)
            }
        }
    }

    /// Returns the checksum of everything written.
    pub(super) fn sum(&mut self) -> u64 {
        self.hand_on();
        self.digest.finalize()
    }

    /// Lets `copy` write `len` bytes whose checksum is `sum`.
    pub(super) fn splice(
        &mut self,
        len: u64,
        sum: u64,
        copy: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> io::Result<()> {
        self.hand_on();
        self.check()?;
        copy(&mut self.target)?;
        self.handed += len;
        let before = self.digest.finalize();
        let both = crc_fast::checksum_combine(CrcAlgorithm::Crc64Redis, before, sum, len);
        // The checksum starts at 0 and is not inverted at the end, so the value is also the state.
        self.digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, both);
        Ok(())
    }

    /// Flushes the buffer and returns the inner writer.
    pub(super) fn into_inner(mut self) -> io::Result<W> {
        self.hand_on();
        self.check()?;
        self.target.flush()?;
        Ok(self.target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::checksum::crc64;

    #[test]
    fn the_checksum_covers_spliced_bytes() {
        let bytes: Vec<u8> = (0..1_000_000u32).map(|i| (i % 253).to_le_bytes()[0]).collect();
        let mut out = Out::new(Vec::new());
        out.put(&bytes[..5]);
        out.put(&bytes[5..700_000]);
        let middle = &bytes[700_000..900_000];
        out.splice(200_000, crc64(middle), |target| target.write_all(middle)).unwrap();
        out.put(&bytes[900_000..]);
        assert_eq!(out.len(), 1_000_000);
        assert_eq!(out.sum(), crc64(&bytes));
        assert!(out.into_inner().unwrap() == bytes);
    }

    #[test]
    fn the_first_failure_is_reported_and_nothing_is_written_after_it() {
        struct Full(u32);
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                self.0 += 1;
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let mut full = Full(0);
        let mut out = Out::new(&mut full);
        for _ in 0..5 {
            out.put(&[0; BLOCK_BYTES]);
        }
        assert_eq!(out.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
        out.put(&[0; BLOCK_BYTES]);
        assert_eq!(out.check().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(out.into_inner().is_err());
        assert_eq!(full.0, 1);
    }
}
