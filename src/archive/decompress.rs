//! Decompressing one entry in pieces, with memory use independent of the declared size.

use std::io::{self, Read};
use std::sync::mpsc::{channel, sync_channel};
use std::thread;

use crc_fast::{CrcAlgorithm, Digest};
use flate2::{Decompress, FlushDecompress, Status};
use sha2::{Digest as _, Sha256};

use super::method::Method;
use super::read::Located;
use super::writer::low;
use crate::base::threads::may_start;

/// The size of a piece in bytes.
const PIECE_BYTES: usize = 256 << 10;

/// The number of pieces between the decompressing thread and the consumer.
const PIECES_BETWEEN: usize = 4;

/// The declared size in bytes below which a second thread is not worthwhile.
const SECOND_THREAD_BYTES: u64 = 1 << 20;

/// The result of decompressing an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decompressed {
    pub(crate) bytes: u64,
    pub(crate) crc32: u32,
    pub(crate) sha256: [u8; 32],
    /// The reason why decompression stopped before the end.
    pub(crate) fault: Option<String>,
}

/// The reason why decompression stopped.
enum Stopped {
    /// The bytes of the archive are invalid.
    Fault(String),
    /// The consumer of the bytes failed.
    Taker(io::Error),
    /// The consumer of the bytes has ended and reports the reason itself.
    TakerGone,
}

/// Hashes the bytes and passes them on.
struct Taker<F> {
    crc32: Digest,
    sha256: Sha256,
    bytes: u64,
    take: F,
}

impl<F: FnMut(&[u8]) -> io::Result<()>> Taker<F> {
    fn take(&mut self, piece: &[u8]) -> io::Result<()> {
        self.bytes += piece.len() as u64;
        self.crc32.update(piece);
        self.sha256.update(piece);
        (self.take)(piece)
    }
}

/// Decompresses `packed` and passes the bytes to `take`, never more than the entry declares. If there are many,
/// decompression runs on a separate thread in parallel with their consumer.
///
/// # Errors
///
/// The errors of `take`. Invalid bytes in the archive are not an error but a fault of the entry.
pub(crate) fn unpack(
    entry: &Located,
    packed: &[u8],
    take: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<Decompressed> {
    let crc32 = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
    let mut taker = Taker { crc32, sha256: Sha256::new(), bytes: 0, take };
    let stopped = if entry.bytes < SECOND_THREAD_BYTES || !may_start() {
        pieces(entry, packed, |piece| taker.take(piece).map_err(Stopped::Taker))
    } else {
        side_by_side(entry, packed, &mut taker)?
    };
    let fault = match stopped {
        Ok(()) => None,
        Err(Stopped::Fault(what)) => Some(what),
        Err(Stopped::Taker(error)) => return Err(error),
        Err(Stopped::TakerGone) => return Err(io::Error::other("what was unpacked was not taken")),
    };
    let Taker { crc32, sha256, bytes, .. } = taker;
    Ok(Decompressed {
        bytes,
        crc32: low(crc32.finalize()),
        sha256: sha256.finalize().into(),
        fault,
    })
}

fn side_by_side<F: FnMut(&[u8]) -> io::Result<()> + Send>(
    entry: &Located,
    packed: &[u8],
    taker: &mut Taker<F>,
) -> io::Result<Result<(), Stopped>> {
    thread::scope(|scope| {
        let (full, coming) = sync_channel::<Vec<u8>>(PIECES_BETWEEN);
        let (empty, spare) = channel::<Vec<u8>>();
        let taking = thread::Builder::new().spawn_scoped(scope, move || {
            for piece in coming {
                taker.take(&piece)?;
                // After the end nobody receives the last pieces.
                let _ = empty.send(piece);
            }
            Ok(())
        })?;
        let stopped = pieces(entry, packed, |piece| {
            let mut buffer = spare.try_recv().unwrap_or_default();
            buffer.clear();
            buffer.extend_from_slice(piece);
            full.send(buffer).map_err(|_| Stopped::TakerGone)
        });
        drop(full);
        match taking.join() {
            Ok(taken) => taken.map(|()| stopped),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn pieces(
    entry: &Located,
    packed: &[u8],
    mut take: impl FnMut(&[u8]) -> Result<(), Stopped>,
) -> Result<(), Stopped> {
    let mut left = entry.bytes;
    let mut give = |piece: &[u8]| {
        left = left.checked_sub(piece.len() as u64).ok_or_else(|| {
            Stopped::Fault(format!("it holds more than the {} bytes that it declares", entry.bytes))
        })?;
        take(piece)
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

type Give<'g> = &'g mut dyn FnMut(&[u8]) -> Result<(), Stopped>;

fn inflate(mut packed: &[u8], give: Give<'_>) -> Result<(), Stopped> {
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

/// The maximum window of a frame, as a power of two: 128 MiB, which `zstd --long` uses.
const WINDOW_LOG: u32 = 27;

fn unzstd(packed: &[u8], give: Give<'_>) -> Result<(), Stopped> {
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
