//! Deflate on all cores, as one stream.
//!
//! The bytes are divided into blocks, which are compressed in parallel, each as a whole. All but the last are made to end
//! at a byte without ending the stream ([`go_on`]); the joined blocks are therefore one valid stream that every unzip reads.
//! The overhead is five bytes per block. The blocks do not depend on the number of threads.
//!
//! A block does not refer to the bytes before it. That costs less than a compressor of whole blocks saves, which at the
//! same level is twice as fast as a streaming one that refers to them, and whose output is smaller.

use std::cell::RefCell;
use std::io;

use libdeflater::{CompressionLvl, Compressor};
use rayon::prelude::*;

use super::deflate_blocks::go_on;

/// The size of a block in bytes.
const BLOCK_BYTES: usize = 2 << 20;

/// The number of blocks that each thread compresses between two synchronisations.
const BLOCKS_PER_THREAD: usize = 2;

/// Compresses `bytes` and passes the stream to `write` in pieces. Meanwhile `beside` is called with each range of the
/// bytes in order.
pub(crate) fn deflate(
    bytes: &[u8],
    level: u32,
    write: impl FnMut(&[u8]) -> io::Result<()> + Send,
    beside: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<()> {
    deflate_in_blocks(bytes, BLOCK_BYTES, level, write, beside)
}

fn deflate_in_blocks(
    bytes: &[u8],
    block_bytes: usize,
    level: u32,
    mut write: impl FnMut(&[u8]) -> io::Result<()> + Send,
    mut beside: impl FnMut(&[u8]) -> io::Result<()> + Send,
) -> io::Result<()> {
    let blocks = bytes.len().div_ceil(block_bytes).max(1);
    let wave = BLOCKS_PER_THREAD * rayon::current_num_threads();
    let range = |from: usize, to: usize| {
        &bytes[(from * block_bytes).min(bytes.len())..(to * block_bytes).min(bytes.len())]
    };
    let pack = |from: usize| -> io::Result<Vec<Vec<u8>>> {
        let wave = from..(from + wave).min(blocks);
        wave.into_par_iter()
            .with_max_len(1)
            .map(|block| pack_block(range(block, block + 1), level, block + 1 == blocks))
            .collect()
    };
    let mut packed: Vec<Vec<u8>> = Vec::new();
    let mut from = 0;
    while from < blocks || !packed.is_empty() {
        // The compressed blocks are written while the next ones are compressed.
        let (next, written) = rayon::join(
            || if from < blocks { pack(from) } else { Ok(Vec::new()) },
            || {
                packed.iter().try_for_each(|piece| write(piece))?;
                beside(range(from, from + wave))
            },
        );
        written?;
        packed = next?;
        from += wave;
    }
    Ok(())
}

/// What a thread reuses for each block.
struct Packer {
    level: u32,
    compressor: Compressor,
    /// Room for the longest block that there can be.
    room: Vec<u8>,
}

thread_local! {
    static PACKER: RefCell<Option<Packer>> = const { RefCell::new(None) };
}

/// Returns the level of the compressor that takes about as much time as zlib's of that number, or less, and whose output is
/// smaller. The one of the same number is faster, and its output about as large from the usual level on.
fn own_level(level: u32) -> i32 {
    let own = if level < 6 { level } else { level + 1 };
    i32::try_from(own).unwrap_or(i32::MAX)
}

fn pack_block(bytes: &[u8], level: u32, is_last: bool) -> io::Result<Vec<u8>> {
    PACKER.with_borrow_mut(|packer| {
        if packer.as_ref().is_none_or(|kept| kept.level != level) {
            let known = CompressionLvl::new(own_level(level)).ok();
            let known = known.ok_or_else(|| io::Error::other("deflate has no such level"))?;
            let compressor = Compressor::new(known);
            *packer = Some(Packer { level, compressor, room: Vec::new() });
        }
        let Some(Packer { compressor, room, .. }) = packer else { return Ok(Vec::new()) };
        room.resize(compressor.deflate_compress_bound(bytes.len()), 0);
        let len = compressor.deflate_compress(bytes, room).map_err(io::Error::other)?;
        let mut packed = Vec::with_capacity(len + 16);
        packed.extend_from_slice(room.get(..len).unwrap_or_default());
        if !is_last && !go_on(&mut packed) {
            return Err(io::Error::other("deflate wrote a stream that cannot be read"));
        }
        Ok(packed)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;

    fn round_trip(bytes: &[u8], block_bytes: usize, level: u32) {
        let (mut packed, mut seen) = (Vec::new(), Vec::new());
        let write = |piece: &[u8]| {
            packed.extend_from_slice(piece);
            Ok(())
        };
        let beside = |piece: &[u8]| {
            seen.extend_from_slice(piece);
            Ok(())
        };
        deflate_in_blocks(bytes, block_bytes, level, write, beside).unwrap();
        assert_eq!(seen, bytes);
        // Another implementation, which stops at the end of the stream.
        let mut decoder = flate2::bufread::DeflateDecoder::new(&packed[..]);
        let mut unpacked = Vec::new();
        decoder.read_to_end(&mut unpacked).unwrap();
        assert!(unpacked == bytes, "level {level}, blocks of {block_bytes}");
        assert_eq!(decoder.total_in(), packed.len() as u64, "bytes after the end");
    }

    /// Bytes of which a compressor makes stored blocks, blocks of fixed codes, and blocks of several dynamic codes.
    fn samples() -> Vec<Vec<u8>> {
        let mut state = 1_u64;
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).to_le_bytes()[0]
        };
        let noise: Vec<u8> = (0..300_000).map(|_| random()).collect();
        let text: Vec<u8> = (0..20_000_u32)
            .flat_map(|n| {
                format!("*3\r\n$3\r\nSET\r\n$9\r\nkey:{n:05}\r\n$4\r\n{:04x}\r\n", n * n % 65521)
                    .into_bytes()
            })
            .collect();
        let mixed = [&text[..100_000], &noise[..50_000], &[0; 100_000], &text[..]].concat();
        vec![Vec::new(), b"a".to_vec(), b"abcabc".to_vec(), vec![0; 200_000], noise, text, mixed]
    }

    #[test]
    fn blocks_join_to_one_stream() {
        for bytes in samples() {
            for level in [1, 2, 6, 9] {
                for block_bytes in [1000, 65_536, bytes.len().max(1), bytes.len() + 1] {
                    round_trip(&bytes, block_bytes, level);
                }
            }
        }
    }

    #[test]
    fn stream_is_the_same_with_any_number_of_threads() {
        let text = samples().remove(5).repeat(8);
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut packed = Vec::new();
            let write = |piece: &[u8]| {
                packed.extend_from_slice(piece);
                Ok(())
            };
            pool.install(|| deflate(&text, 6, write, |_| Ok(()))).unwrap();
            packed
        };
        assert!(with(1) == with(3));
    }

    proptest! {
        #[test]
        fn any_bytes_survive(bytes in proptest::collection::vec(any::<u8>(), 0..2000), block in 1_usize..700, level in 1_u32..=9) {
            round_trip(&bytes, block, level);
        }
    }
}
