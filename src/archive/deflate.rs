//! Deflate on all cores, as one stream.
//!
//! The bytes are divided into blocks, which are compressed in parallel. Each is primed with the 32 KiB before it, as if
//! one thread had compressed all, and ended by a sync flush, which aligns it to a byte; the joined blocks are therefore
//! one valid stream that every unzip reads. The overhead is five bytes per block. The blocks do not depend on the
//! number of threads.

use std::cell::RefCell;
use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};
use rayon::prelude::*;

/// The size of a block in bytes.
const BLOCK_BYTES: usize = 256 << 10;

/// The maximum distance of a deflate reference in bytes.
const WINDOW_BYTES: usize = 32 << 10;

/// The number of blocks that each thread compresses between two synchronisations.
const BLOCKS_PER_THREAD: usize = 16;

/// Compresses `bytes` and passes the stream to `write` in pieces. Meanwhile `beside` is called with each range of the
/// bytes in order.
pub(crate) fn deflate(
    bytes: &[u8],
    level: u32,
    mut write: impl FnMut(&[u8]) -> io::Result<()> + Send,
    mut beside: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<()> {
    let blocks = bytes.len().div_ceil(BLOCK_BYTES).max(1);
    let wave = BLOCKS_PER_THREAD * rayon::current_num_threads();
    let pack = |from: usize| -> io::Result<Vec<Vec<u8>>> {
        let blocks = from..(from + wave).min(blocks);
        blocks
            .into_par_iter()
            .with_max_len(1)
            .map(|block| pack_block(bytes, block, level))
            .collect()
    };
    let mut packed: Vec<Vec<u8>> = Vec::new();
    let mut from = 0;
    while from < blocks || !packed.is_empty() {
        let chunk = &bytes
            [(from * BLOCK_BYTES).min(bytes.len())..((from + wave) * BLOCK_BYTES).min(bytes.len())];
        // The compressed blocks are written while the next ones are compressed.
        let (next, written) = rayon::join(
            || if from < blocks { pack(from) } else { Ok(Vec::new()) },
            || {
                packed.iter().try_for_each(|piece| write(piece))?;
                beside(chunk)
            },
        );
        written?;
        packed = next?;
        from += wave;
    }
    Ok(())
}

thread_local! {
    /// A compressor and its level, reused because it allocates as much memory as a block.
    static PACKER: RefCell<Option<(u32, Compress)>> = const { RefCell::new(None) };
}

fn pack_block(bytes: &[u8], block: usize, level: u32) -> io::Result<Vec<u8>> {
    let from = block * BLOCK_BYTES;
    let to = (from + BLOCK_BYTES).min(bytes.len());
    let before = &bytes[from.saturating_sub(WINDOW_BYTES)..from];
    let end = if to == bytes.len() { FlushCompress::Finish } else { FlushCompress::Sync };
    PACKER.with_borrow_mut(|packer| {
        let (_, packer) = match packer {
            Some(kept) if kept.0 == level => {
                kept.1.reset();
                kept
            }
            other => other.insert((level, Compress::new(Compression::new(level), false))),
        };
        if !before.is_empty() {
            packer.set_dictionary(before)?;
        }
        pack_all(packer, &bytes[from..to], end)
    })
}

fn pack_all(packer: &mut Compress, mut bytes: &[u8], end: FlushCompress) -> io::Result<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len() / 2 + 64);
    loop {
        let (read, written) = (packer.total_in(), packer.total_out());
        let status = packer.compress_vec(bytes, &mut out, end)?;
        let read = usize::try_from(packer.total_in() - read).unwrap_or(bytes.len());
        bytes = &bytes[read.min(bytes.len())..];
        let has_room = out.len() < out.capacity();
        let is_done = match end {
            FlushCompress::Finish => status == Status::StreamEnd,
            _ => bytes.is_empty() && has_room,
        };
        if is_done {
            return Ok(out);
        }
        if has_room && packer.total_out() == written && read == 0 {
            return Err(io::Error::other("deflate does not go on"));
        }
        out.reserve(out.capacity() / 2 + 64);
    }
}
