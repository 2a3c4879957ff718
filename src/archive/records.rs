//! The headers and the directory of a ZIP archive, as written.
//!
//! | record | bytes |
//! |---|---|
//! | local header | 30, name, extra fields; then the compressed bytes of the entry |
//! | directory header | 46, name, extra fields; one for each entry, after the last entry |
//! | Zip64 end, Zip64 locator | 56 and 20; only if a value does not fit the end record |
//! | end | 22 |
//!
//! Sizes and checksum are in the local header itself, which is filled in once they are known, and not in a descriptor
//! after the bytes: every reader supports that, including one that reads a pipe. Only where nothing can be filled in,
//! because the archive is encrypted while it is written, they are in a descriptor. Zip64 fields are present only where
//! they are needed. All records are functions of the entry, so that verification can compare each of their bytes with
//! the expected one.
//!
//! Checked against APPNOTE.TXT 6.3.10, and tested with Info-ZIP, 7-Zip and Python.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::method::Method;

/// An entry that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The name.
    pub(crate) name: String,
    /// The compression method.
    pub(crate) method: Method,
    /// The CRC-32 of its uncompressed bytes.
    pub(crate) crc32: u32,
    /// The uncompressed size in bytes.
    pub(crate) bytes: u64,
    /// The compressed size in bytes.
    pub(crate) packed_bytes: u64,
    /// The byte offset of its local header.
    pub(crate) offset: u64,
    /// The modification time.
    pub(crate) modified: Timestamp,
    /// Whether checksum and sizes are in a data descriptor after the bytes, and not in the local header.
    pub(crate) streamed: bool,
}

const LOCAL: u32 = 0x0403_4b50;
const DESCRIPTOR: u32 = 0x0807_4b50;
const DIRECTORY: u32 = 0x0201_4b50;
const END_64: u32 = 0x0606_4b50;
const LOCATOR_64: u32 = 0x0706_4b50;
const END: u32 = 0x0605_4b50;

/// The value of a 32-bit field whose number is in a Zip64 field.
const IN_ZIP64: u32 = u32::MAX;

const EXTRA_ZIP64: u16 = 0x0001;
const EXTRA_TIME: u16 = 0x5455;

/// Checksum and sizes follow the bytes.
const FLAG_STREAMED: u16 = 1 << 3;
/// The name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
/// Made on Unix, by the rules of version 6.3.
const MADE_BY: u16 = 3 << 8 | 63;
/// A file that its owner may write and everyone may read, as servers create them.
const MODE: u32 = 0o100_644 << 16;

impl Entry {
    /// Returns whether its sizes are in a Zip64 field. This depends on the length alone, because the local header is
    /// reserved before the compressed size is known: the limit leaves slightly more than compression can add to
    /// incompressible bytes.
    fn is_large(&self) -> bool {
        let longest = self.bytes.saturating_add(self.bytes / 256).saturating_add(1 << 16);
        longest >= u64::from(u32::MAX)
    }

    fn version_needed(&self) -> u16 {
        match self.method {
            Method::Zstd => 63,
            _ if self.is_large() || self.offset >= u64::from(IN_ZIP64) => 45,
            _ => 20,
        }
    }

    /// Appends the fields that local and directory header share, from the version needed to the sizes.
    fn common(&self, crc32: u32, sizes: [u64; 2], out: &mut Vec<u8>) {
        let utf8 = if self.name.is_ascii() { 0 } else { FLAG_UTF8 };
        let flags = utf8 | if self.streamed { FLAG_STREAMED } else { 0 };
        let (time, date) = dos_time(self.modified);
        for field in [flags, self.method.number(), time, date] {
            out.extend(field.to_le_bytes());
        }
        out.extend(crc32.to_le_bytes());
        for size in sizes {
            let field = if self.is_large() { IN_ZIP64 } else { low_half(size) };
            out.extend(field.to_le_bytes());
        }
    }

    /// Returns the local header. Its length does not depend on the checksum and the compressed size.
    pub(crate) fn local_header(&self) -> Vec<u8> {
        let mut extra = Vec::new();
        let (crc32, [packed, bytes]) = match self.streamed {
            true => (0, [0, 0]),
            false => (self.crc32, [self.packed_bytes, self.bytes]),
        };
        if self.is_large() {
            push_extra(
                &mut extra,
                EXTRA_ZIP64,
                &[bytes.to_le_bytes(), packed.to_le_bytes()].concat(),
            );
        }
        self.push_time(&mut extra);
        let mut out = LOCAL.to_le_bytes().to_vec();
        // An offset beyond 32 bits only affects the directory.
        let version = Entry { offset: 0, ..self.clone() }.version_needed();
        out.extend(version.to_le_bytes());
        self.common(crc32, [packed, bytes], &mut out);
        out.extend(short(self.name.len()).to_le_bytes());
        out.extend(short(extra.len()).to_le_bytes());
        out.extend(self.name.bytes());
        out.extend(extra);
        out
    }

    /// Returns the data descriptor after the bytes; nothing if checksum and sizes are in the local header.
    pub(crate) fn descriptor(&self) -> Vec<u8> {
        if !self.streamed {
            return Vec::new();
        }
        let mut out = DESCRIPTOR.to_le_bytes().to_vec();
        out.extend(self.crc32.to_le_bytes());
        for size in [self.packed_bytes, self.bytes] {
            match self.is_large() {
                true => out.extend(size.to_le_bytes()),
                false => out.extend(low_half(size).to_le_bytes()),
            }
        }
        out
    }

    /// Returns the header in the directory.
    pub(crate) fn directory_header(&self) -> Vec<u8> {
        let mut zip64 = Vec::new();
        if self.is_large() {
            zip64.extend(self.bytes.to_le_bytes());
            zip64.extend(self.packed_bytes.to_le_bytes());
        }
        if self.offset >= u64::from(IN_ZIP64) {
            zip64.extend(self.offset.to_le_bytes());
        }
        let mut extra = Vec::new();
        if !zip64.is_empty() {
            push_extra(&mut extra, EXTRA_ZIP64, &zip64);
        }
        self.push_time(&mut extra);
        let mut out = DIRECTORY.to_le_bytes().to_vec();
        out.extend(MADE_BY.to_le_bytes());
        out.extend(self.version_needed().to_le_bytes());
        self.common(self.crc32, [self.packed_bytes, self.bytes], &mut out);
        // No comment, the first disk, no internal attributes.
        for field in [short(self.name.len()), short(extra.len()), 0, 0, 0] {
            out.extend(field.to_le_bytes());
        }
        out.extend(MODE.to_le_bytes());
        out.extend(low_half(self.offset).to_le_bytes());
        out.extend(self.name.bytes());
        out.extend(extra);
        out
    }

    /// Appends the time in UTC, because the other time field has no time zone. It has 32 bits, and is omitted if the
    /// time exceeds them.
    fn push_time(&self, extra: &mut Vec<u8>) {
        const MODIFIED: u8 = 1;
        if let Ok(seconds) = i32::try_from(self.modified.as_second()) {
            push_extra(extra, EXTRA_TIME, &[&[MODIFIED][..], &seconds.to_le_bytes()].concat());
        }
    }
}

/// Returns the records after the directory, which has `count` entries and `bytes` bytes from byte `at` on.
pub(crate) fn end(count: u64, at: u64, bytes: u64) -> Vec<u8> {
    let mut out = Vec::new();
    let is_large =
        count >= u64::from(u16::MAX) || at >= u64::from(IN_ZIP64) || bytes >= u64::from(IN_ZIP64);
    if is_large {
        const BEHIND_SIZE: u64 = 44;
        out.extend(END_64.to_le_bytes());
        out.extend(BEHIND_SIZE.to_le_bytes());
        out.extend(MADE_BY.to_le_bytes());
        out.extend(45_u16.to_le_bytes());
        out.extend([0; 8]); // This disk, and that on which the directory begins.
        for field in [count, count, bytes, at] {
            out.extend(field.to_le_bytes());
        }
        out.extend(LOCATOR_64.to_le_bytes());
        out.extend(0_u32.to_le_bytes());
        out.extend(at.saturating_add(bytes).to_le_bytes());
        out.extend(1_u32.to_le_bytes());
    }
    out.extend(END.to_le_bytes());
    out.extend([0; 4]);
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    for _ in 0..2 {
        out.extend(count.to_le_bytes());
    }
    out.extend(low_half(bytes).to_le_bytes());
    out.extend(low_half(at).to_le_bytes());
    out.extend(0_u16.to_le_bytes());
    out
}

fn push_extra(out: &mut Vec<u8>, id: u16, bytes: &[u8]) {
    out.extend(id.to_le_bytes());
    out.extend(short(bytes.len()).to_le_bytes());
    out.extend(bytes);
}

/// Returns the number, or the marker for a number in a Zip64 field.
fn low_half(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(IN_ZIP64)
}

/// Converts a length that fits 16 bits: that of a file name or of the extra fields above.
fn short(len: usize) -> u16 {
    u16::try_from(len).unwrap_or(u16::MAX)
}

/// Returns the time and the date in the ZIP format, in UTC, with a resolution of two seconds and a range from 1980 to
/// 2107.
fn dos_time(modified: Timestamp) -> (u16, u16) {
    let at = modified.to_zoned(TimeZone::UTC);
    let field = |number: i8| u16::try_from(number).unwrap_or(0);
    match u16::try_from(at.year()) {
        Ok(year @ 1980..=2107) => (
            field(at.hour()) << 11 | field(at.minute()) << 5 | (field(at.second()) / 2),
            (year - 1980) << 9 | field(at.month()) << 5 | field(at.day()),
        ),
        _ => (0, 1 << 5 | 1),
    }
}
