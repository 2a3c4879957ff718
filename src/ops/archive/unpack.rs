//! Unpacking one entry, piece after piece, in memory that does not depend on what it declares.

use std::io::{self, Read};

use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256};

use super::method::Method;
use super::read::Located;
use super::writer::low;

/// Bytes of a piece.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// What came out of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unpacked {
    pub(super) bytes: u64,
    pub(super) crc32: u32,
    pub(super) sha256: [u8; 32],
    /// Why it did not come to its end.
    pub(super) fault: Option<String>,
}

/// Why unpacking stopped.
pub(super) enum Stopped {
    /// The bytes of the archive are wrong.
    Fault(String),
    /// What takes the bytes cannot.
    Taker(io::Error),
}

/// Unpacks `packed` and gives the bytes to `take`, never more than the entry declares.
pub(super) fn unpack(
    entry: &Located,
    packed: &[u8],
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<Unpacked> {
    let mut crc32 = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
    let mut sha256 = Sha256::new();
    let mut bytes = 0_u64;
    let result = pieces(entry, packed, |piece| {
        bytes += piece.len() as u64;
        crc32.update(piece);
        sha256.update(piece);
        take(piece)
    });
    let fault = match result {
        Ok(()) => None,
        Err(Stopped::Fault(what)) => Some(what),
        Err(Stopped::Taker(error)) => return Err(error),
    };
    Ok(Unpacked { bytes, crc32: low(crc32.finalize()), sha256: sha256.finalize().into(), fault })
}

pub(super) fn pieces(
    entry: &Located,
    packed: &[u8],
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<(), Stopped> {
    let mut left = entry.bytes;
    let mut give = |piece: &[u8]| {
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            Stopped::Fault(format!("it holds more than the {} bytes that it declares", entry.bytes))
        })?;
        take(piece).map_err(Stopped::Taker)
    };
    match entry.method {
        Method::Store => packed.chunks(PIECE_BYTES).try_for_each(&mut give)?,
        Method::Deflate => inflate(packed, &mut give)?,
        Method::Zstd => unzstd(packed, &mut give)?,
    }
    if left > 0 {
        return Err(Stopped::Fault(format!("{left} of its bytes are missing")));
    }
    Ok(())
}

fn inflate(
    mut packed: &[u8],
    give: &mut dyn FnMut(&[u8]) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let broken = |what: &str| Stopped::Fault(format!("its deflate stream {what}"));
    let mut engine = Decompress::new(false);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let (read, written) = (engine.total_in(), engine.total_out());
        let status = engine
            .decompress(packed, &mut piece, FlushDecompress::None)
            .map_err(|_| broken("is damaged"))?;
        let read = usize::try_from(engine.total_in() - read).unwrap_or(packed.len());
        packed = packed.get(read..).unwrap_or_default();
        let written = usize::try_from(engine.total_out() - written).unwrap_or(PIECE_BYTES);
        give(&piece[..written.min(PIECE_BYTES)])?;
        match status {
            Status::StreamEnd if packed.is_empty() => return Ok(()),
            Status::StreamEnd => return Err(broken("ends before its bytes do")),
            _ if read == 0 && written == 0 => return Err(broken("has no end")),
            _ => {}
        }
    }
}

/// The window that a frame may ask for, as a power of two: 128 MiB, which `zstd --long` uses.
const WINDOW_LOG: u32 = 27;

fn unzstd(
    packed: &[u8],
    give: &mut dyn FnMut(&[u8]) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let broken = |error: io::Error| Stopped::Fault(format!("its zstd frame is damaged: {error}"));
    let mut decoder = zstd::Decoder::with_buffer(packed).map_err(broken)?;
    decoder.window_log_max(WINDOW_LOG).map_err(broken)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match decoder.read(&mut piece).map_err(broken)? {
            0 => return Ok(()),
            read => give(&piece[..read])?,
        }
    }
}
