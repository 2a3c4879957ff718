//! Estimating whether the archive fits on the disk.
//!
//! A full disk leaves no partial archive, but the disk is often the one that a server writes its log to, and the server
//! then stops accepting writes. Therefore the size of the archive is estimated first from a sample spread evenly over
//! the log. The sample is compressed at the fastest level, which gives a slightly worse ratio than the archive; a tenth
//! is added. A log smaller than the sample is assumed not to be compressible.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::DeflateEncoder;

use crate::aof::log::Log;
use crate::archive::method::Method;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::units::Bytes;
use crate::disk::free_bytes;

/// The number of pieces in the sample. The length of each piece is twice the deflate window.
const PIECES: u64 = 64;
const PIECE_BYTES: u64 = 64 << 10;

/// The size of headers and archive metadata in bytes, which is more than a hundred files need.
const BESIDE_BYTES: u64 = 64 << 10;

/// Returns an upper estimate of the size in bytes of an archive of the first `ends` bytes of each part.
pub(super) fn estimate(log: &Log, ends: &[u64], method: Method) -> u64 {
    let bytes: u64 = ends.iter().sum();
    // Deflate and zstd store incompressible data with a few bytes of overhead for each block.
    let most = bytes.saturating_add(bytes / 1000).saturating_add(BESIDE_BYTES);
    if matches!(method, Method::Store) || bytes <= PIECES * PIECE_BYTES {
        return most;
    }
    let packed = packed_sample(log, ends, bytes);
    let part = u128::from(packed) * u128::from(bytes) / u128::from(PIECES * PIECE_BYTES);
    let estimated = u64::try_from(part + part / 10).unwrap_or(u64::MAX);
    estimated.saturating_add(BESIDE_BYTES).min(most)
}

/// Returns the length of the compressed sample in bytes.
fn packed_sample(log: &Log, ends: &[u64], bytes: u64) -> u64 {
    let mut packed = 0;
    for piece in 0..PIECES {
        let mut at = (bytes - PIECE_BYTES) / (PIECES - 1) * piece;
        let mut encoder = DeflateEncoder::new(Counted(0), Compression::fast());
        let mut left = PIECE_BYTES;
        // A piece may begin in one part and end in the next.
        for (part, &end) in log.parts.iter().zip(ends) {
            if at < end && left > 0 {
                let stop = end.min(at + left);
                let range = usize::try_from(at).unwrap_or(usize::MAX)
                    ..usize::try_from(stop).unwrap_or(usize::MAX);
                let slice = part.mapping.bytes().get(range).unwrap_or_default();
                // The writer only counts bytes and cannot fail.
                let _ = encoder.write_all(slice);
                left -= stop - at;
                at = stop;
            }
            at = at.saturating_sub(end);
        }
        packed += encoder.finish().map_or(PIECE_BYTES, |counted| counted.0);
    }
    packed
}

/// A writer that counts bytes.
struct Counted(u64);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Refuses if less than `needed` bytes are free in `directory`; returns the number of free bytes.
pub(super) fn check(directory: &Path, needed: u64) -> Result<u64> {
    let free = free_bytes(directory)?;
    if free < needed {
        return Err(Error::new(
            ErrorKind::Refused,
            format!("{} are free, and up to {} are needed", Bytes(free), Bytes(needed)),
        )
        .at(directory)
        .help("free space there (`aofkit prune` removes old archives), or write to another file system"));
    }
    Ok(free)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::input::files::open_files;

    /// Returns the estimate for a log of these bytes.
    fn estimated(bytes: &[u8], method: Method) -> u64 {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.aof");
        fs::write(&path, bytes).unwrap();
        let log = open_files(&path).unwrap();
        estimate(&log, &[bytes.len() as u64], method)
    }

    #[test]
    fn estimate_depends_on_compressibility() {
        const LEN: u64 = 8 << 20;
        let even = vec![b'x'; 8 << 20];
        // splitmix64 output, which is incompressible.
        let noise: Vec<u8> = (1..=LEN / 8)
            .flat_map(|n| {
                let mut x = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                (x ^ (x >> 31)).to_le_bytes()
            })
            .collect();
        assert!(estimated(&even, Method::Deflate) < LEN / 20);
        assert!(estimated(&noise, Method::Deflate) >= LEN);
        assert!(estimated(&even, Method::Store) >= LEN);
        let half = [&even[..4 << 20], &noise[..4 << 20]].concat();
        let found = estimated(&half, Method::Zstd);
        assert!((LEN / 2..LEN / 2 * 5 / 4).contains(&found), "{found}");
        // Smaller than the sample.
        assert!(estimated(&even[..1000], Method::Deflate) >= 1000);
    }

    #[test]
    fn too_little_free_space_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        assert!(check(directory.path(), 1).is_ok());
        let error = check(directory.path(), u64::MAX).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
    }
}
