//! The envelope of a compressed RDB, which Valkey 9.2 writes with `rdbcompression lz4` or `zstd`.
//!
//! | bytes | content |
//! |---|---|
//! | 3 | `VCS` |
//! | 1 | version of the envelope: 1 |
//! | 1 | codec: 1 LZ4, 2 Zstandard |
//! | 1 | flags: 1 if the frame has checksums |
//! | 1 | kind of the content: 1 an RDB |
//! | | a frame of the codec's standard form |
//!
//! The server leaves the checksum of the RDB inside out: those of the frame take its place, if
//! `rdbchecksum` is on. Not observed; as reported (valkey #3531, #3798 and #4754).

use std::fmt;
use std::io::{self, Read, Write};

use lz4_flex::frame::FrameDecoder;

use super::checksum::Checksum;
use super::damage::Damage;
use super::fault::DamageKind;
use super::header::{Header, Magic};
use super::newer::{Newer, Reading, read};
use super::summary::{Counts, RdbSummary};
use super::unknown::Uncheckable;
use super::visitor::Visitor;
use crate::base::progress::Progress;

/// The length of the header before the frame, in bytes.
const HEADER_BYTES: usize = 7;

/// The version byte of the only envelope whose layout is known.
const VERSION: u8 = 1;

/// The kind byte of an RDB.
const RDB: u8 = 1;

/// The only flag that is known: the frame has checksums.
const HAS_CHECKSUMS: u8 = 1;

/// How much is decompressed at once, in bytes.
const STEP_BYTES: usize = 64 << 10;

/// The largest window of a Zstandard frame, as a power of two: 128 MiB, the default of zstd(1). Memory is reserved for
/// it.
const ZSTD_WINDOW_LOG: u32 = 27;

/// The header of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    version: u8,
    codec: u8,
    flags: u8,
    kind: u8,
}

/// A compression method whose frames are decompressed here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// The LZ4 frame format.
    Lz4,
    /// The Zstandard format.
    Zstd,
}

impl Codec {
    /// Returns the name.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Lz4 => "LZ4",
            Codec::Zstd => "Zstandard",
        }
    }

    fn magic(self) -> [u8; 4] {
        match self {
            Codec::Lz4 => [0x04, 0x22, 0x4d, 0x18],
            Codec::Zstd => [0x28, 0xb5, 0x2f, 0xfd],
        }
    }

    /// Returns whether a frame has a checksum of its content, by the byte after its magic. A checksum of each block
    /// counts too.
    fn has_checksum(self, frame: &[u8]) -> bool {
        let Some(descriptor) = frame.get(4) else { return false };
        match self {
            Codec::Lz4 => descriptor & 0b1_0100 != 0,
            Codec::Zstd => descriptor & 0b100 != 0,
        }
    }
}

/// What an envelope holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwrapped {
    /// The compression method.
    pub codec: Codec,
    /// The number of bytes of header and frame. What follows is not compressed.
    pub stored: u64,
    /// The number of bytes that they decompress to.
    pub content: u64,
    /// Whether checksums of the frame prove the content.
    pub checked: bool,
    /// The place in the envelope at which decompressing stopped, and why.
    pub fault: Option<EnvelopeFault>,
}

/// A place at which an envelope cannot be decompressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeFault {
    /// The byte offset in the envelope.
    pub offset: u64,
    /// What is wrong, as a phrase.
    pub what: String,
}

/// Why the content of an envelope was not written.
#[derive(Debug)]
pub enum Unwritten {
    /// It is longer than the limit.
    TooLong,
    /// The system refused.
    Io(io::Error),
}

impl Envelope {
    /// Reads the header that `bytes` begin with; `None` if they begin with none. Printable text does not begin with one.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [b'V', b'C', b'S', version @ 0..=31, codec, flags, kind, ..] => {
                Some(Envelope { version, codec, flags, kind })
            }
            _ => None,
        }
    }

    /// Returns the codec, if all of the header is known; otherwise what is not, as a phrase.
    ///
    /// # Errors
    ///
    /// The envelope, its codec, its flags or the kind of its content is unknown.
    pub fn codec(self) -> Result<Codec, String> {
        let codec = match self.codec {
            1 => Codec::Lz4,
            2 => Codec::Zstd,
            _ => return Err(self.unknown("codec", self.codec)),
        };
        match self {
            Envelope { version, .. } if version != VERSION => Err(self.unknown("version", version)),
            Envelope { flags, .. } if flags & !HAS_CHECKSUMS != 0 => {
                Err(self.unknown("flags", flags))
            }
            Envelope { kind, .. } if kind != RDB => Err(self.unknown("kind of content", kind)),
            _ => Ok(codec),
        }
    }

    fn unknown(self, what: &str, value: u8) -> String {
        format!("{what} {value} is unknown to this version of aofkit")
    }

    /// Returns the damage that stands for an envelope of which nothing can be read: unknown rather than wrong.
    pub fn as_damage(self) -> Box<Damage> {
        let what = self.codec().err().unwrap_or_default();
        let header = Header { magic: Magic::Valkey, version: super::header::VALKEY };
        let before = Counts::default().walk(header, 0, Checksum::Absent);
        damage(DamageKind::UnknownEnvelope { what }, 0, before)
    }
}

/// Decompresses the frame of the envelope that `bytes` begin with, whose codec is known, and writes its content, at most
/// `limit` bytes. Of a broken frame, what precedes the fault is written.
///
/// # Errors
///
/// The content is longer than `limit`, or `out` cannot be written.
pub fn unwrap(
    bytes: &[u8],
    codec: Codec,
    limit: u64,
    out: &mut impl Write,
) -> Result<Unwrapped, Unwritten> {
    let frame = bytes.get(HEADER_BYTES..).unwrap_or_default();
    let mut unwrapped = Unwrapped {
        codec,
        stored: bytes.len() as u64,
        content: 0,
        checked: codec.has_checksum(frame),
        fault: None,
    };
    let mut source = Source { rest: frame, ended: false };
    let fault = if codec.magic().starts_with(frame) {
        Some(io::ErrorKind::UnexpectedEof.into())
    } else if frame.starts_with(&codec.magic()) {
        match codec {
            Codec::Lz4 => copy(FrameDecoder::new(&mut source), limit, out, &mut unwrapped.content)?,
            Codec::Zstd => {
                let decoder = zstd::stream::read::Decoder::with_buffer(&mut source.rest);
                let mut decoder = decoder.map_err(Unwritten::Io)?.single_frame();
                decoder.window_log_max(ZSTD_WINDOW_LOG).map_err(Unwritten::Io)?;
                copy(decoder, limit, out, &mut unwrapped.content)?
            }
        }
    } else {
        Some(io::Error::other(format!("no {} frame begins there", codec.name())))
    };
    let read = (frame.len() - source.rest.len()) as u64;
    let at = HEADER_BYTES as u64 + read;
    // The LZ4 decoder takes the end of the file after a block for the end of the frame.
    let fault = fault.or_else(|| source.ended.then(|| io::ErrorKind::UnexpectedEof.into()));
    match fault {
        None => unwrapped.stored = at,
        Some(error) => {
            unwrapped.checked = false;
            let what = match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    format!("the file ends inside the {} frame", codec.name())
                }
                _ => format!("the {} frame is broken: {}", codec.name(), lower(&error)),
            };
            unwrapped.fault = Some(EnvelopeFault { offset: at, what });
        }
    }
    Ok(unwrapped)
}

/// The text of an error of a decoder, as a part of a phrase.
fn lower(error: &io::Error) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// Copies what `decoder` gives, and returns the error at which it stopped.
fn copy(
    mut decoder: impl Read,
    limit: u64,
    out: &mut impl Write,
    written: &mut u64,
) -> Result<Option<io::Error>, Unwritten> {
    let mut buffer = vec![0; STEP_BYTES];
    loop {
        let piece = match decoder.read(&mut buffer) {
            Ok(0) => return Ok(None),
            Ok(read) => &buffer[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Ok(Some(error)),
        };
        *written = written.saturating_add(piece.len() as u64);
        if *written > limit {
            return Err(Unwritten::TooLong);
        }
        out.write_all(piece).map_err(Unwritten::Io)?;
    }
}

/// The bytes of a frame, and whether a decoder wanted more than there are.
struct Source<'b> {
    rest: &'b [u8],
    ended: bool,
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(buffer)?;
        self.ended |= read == 0 && !buffer.is_empty();
        Ok(read)
    }
}

impl Unwrapped {
    /// Reads the RDB that the content begins with as [`read`] does. `bytes` are the content, and what follows the
    /// envelope.
    ///
    /// # Errors
    ///
    /// As [`read`]; and the fault of the envelope, whatever could be read before it.
    pub fn read<'a, V: Visitor<'a>>(
        &self,
        bytes: &'a [u8],
        visitor: &mut V,
        progress: &dyn Progress,
    ) -> Result<Reading, Box<Damage>> {
        let reading = read(bytes, visitor, progress);
        match (&self.fault, reading) {
            (Some(fault), Ok(reading)) => Err(self.damage(fault, reading.walk().clone())),
            (Some(fault), Err(found)) => Err(self.damage(fault, found.before)),
            (None, Err(found)) => self.proved_by_frame(found),
            (None, Ok(reading)) => Ok(reading),
        }
    }

    fn damage(&self, fault: &EnvelopeFault, before: RdbSummary) -> Box<Damage> {
        damage(DamageKind::Envelope { what: fault.what.clone() }, fault.offset, before)
    }

    /// What cannot be followed is whole if the checksums of the frame cover it.
    fn proved_by_frame(&self, found: Box<Damage>) -> Result<Reading, Box<Damage>> {
        match &found.unproven {
            Some(unproven)
                if self.checked
                    && matches!(unproven.reason, Uncheckable::Off | Uncheckable::Absent) =>
            {
                let content = unproven.content.clone();
                let before = found.before.clone();
                Ok(Reading::Newer(Box::new(Newer { content, len: self.content, before })))
            }
            _ => Err(found),
        }
    }
}

fn damage(kind: DamageKind, offset: u64, before: RdbSummary) -> Box<Damage> {
    Box::new(Damage {
        offset,
        inside: None,
        kind,
        reading: "the envelope of a compressed RDB",
        db: 0,
        key: None,
        stored_as: None,
        before,
        unproven: None,
        can_go_on: false,
        value: None,
    })
}

impl fmt::Display for Unwritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unwritten::TooLong => f.write_str("its content is longer than the limit"),
            Unwritten::Io(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;
    use crate::rdb::Ignore;

    /// `REDIS0011`, key `a` with value `1`, without checksum.
    const PLAIN: &[u8] = b"REDIS0011\xfe\0\0\x01a\x011\xff\0\0\0\0\0\0\0\0";

    fn lz4(content: &[u8]) -> Vec<u8> {
        let info = lz4_flex::frame::FrameInfo::new().content_checksum(true);
        let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(content).unwrap();
        [b"VCS\x01\x01\x01\x01".as_slice(), &encoder.finish().unwrap()].concat()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.include_checksum(true).unwrap();
        encoder.write_all(content).unwrap();
        [b"VCS\x01\x02\x01\x01".as_slice(), &encoder.finish().unwrap()].concat()
    }

    fn unwrapped(bytes: &[u8]) -> (Unwrapped, Vec<u8>) {
        let codec = Envelope::read(bytes).unwrap().codec().unwrap();
        let mut out = Vec::new();
        let unwrapped = unwrap(bytes, codec, u64::MAX, &mut out).unwrap();
        (unwrapped, out)
    }

    #[test]
    fn frame_is_decompressed_up_to_its_end() {
        for envelope in [lz4(PLAIN), zstd(PLAIN)] {
            let (found, out) = unwrapped(&[&envelope, b"*1\r\n".as_slice()].concat());
            assert_eq!((found.stored, found.content), (envelope.len() as u64, 25));
            assert_eq!((found.checked, found.fault, &*out), (true, None, PLAIN));
        }
    }

    #[test]
    fn every_cut_is_a_fault_at_or_before_the_cut() {
        for envelope in [lz4(PLAIN), zstd(PLAIN)] {
            for end in HEADER_BYTES..envelope.len() {
                let (found, _) = unwrapped(&envelope[..end]);
                let fault = found.fault.clone().unwrap_or_else(|| panic!("cut at {end}"));
                assert!(fault.offset <= end as u64 && !found.checked, "{end}: {fault:?}");
                found.read(b"", &mut Ignore, &Silent).unwrap_err();
            }
        }
    }

    #[test]
    fn wrong_checksum_of_the_frame_is_damage_although_the_rdb_reads() {
        for mut envelope in [lz4(PLAIN), zstd(PLAIN)] {
            let last = envelope.len() - 1;
            envelope[last] ^= 1;
            let (found, out) = unwrapped(&envelope);
            assert!(found.fault.is_some() && !found.checked);
            let damage = found.read(&out, &mut Ignore, &Silent).unwrap_err();
            assert!(matches!(damage.kind, DamageKind::Envelope { .. }), "{damage}");
        }
    }

    #[test]
    fn content_beyond_the_limit_is_not_written() {
        let long = vec![b'x'; 8 << 20];
        for envelope in [lz4(&long), zstd(&long)] {
            let codec = Envelope::read(&envelope).unwrap().codec().unwrap();
            let mut out = Vec::new();
            let limit = 1 << 20;
            let failed = unwrap(&envelope, codec, limit, &mut out);
            assert!(matches!(failed, Err(Unwritten::TooLong)));
            assert!(out.len() as u64 <= limit);
            unwrap(&envelope, codec, 8 << 20, &mut io::sink()).unwrap();
        }
    }

    #[test]
    fn unknown_header_is_named_and_text_is_no_envelope() {
        let reason = |header: &[u8; 7]| Envelope::read(header).unwrap().codec().unwrap_err();
        assert!(reason(b"VCS\x01\x09\0\x01").starts_with("codec 9 is unknown"));
        assert!(reason(b"VCS\x02\x01\0\x01").starts_with("version 2 is unknown"));
        assert!(reason(b"VCS\x01\x01\x02\x01").starts_with("flags 2 is unknown"));
        assert!(reason(b"VCS\x01\x01\0\x02").starts_with("kind of content 2 is unknown"));
        assert_eq!(Envelope::read(b"VCS history"), None);
        assert_eq!(Envelope::read(b"VCS\x01\x01"), None);
    }

    #[test]
    fn content_unknown_here_is_proved_by_the_frame_checksum() {
        let newer = b"VALKEY099\xfe\0\x63??\xff\0\0\0\0\0\0\0\0";
        for envelope in [lz4(newer), zstd(newer)] {
            let (mut found, out) = unwrapped(&envelope);
            let reading = found.read(&out, &mut Ignore, &Silent).unwrap();
            assert_eq!((reading.len(), reading.newer().is_some()), (newer.len() as u64, true));
            found.checked = false;
            found.read(&out, &mut Ignore, &Silent).unwrap_err();
        }
    }
}
