//! The last eight bytes of an RDB: the CRC-64 of everything before them.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | CRC-64, little endian; all zero if the server was configured with `rdbchecksum no` |
//!
//! The polynomial is Jones' 0xad93d23594c935a9, reflected, starting at 0 and not inverted at the
//! end. The checksum exists since version 5 (Redis 2.6). Checked against `crc64.c` of Valkey 8.0,
//! and files of all four servers.

use crc_fast::{CrcAlgorithm, Digest};
use serde::Serialize;

use crate::base::progress::Progress;

/// The state of the checksum at the end of an RDB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Checksum {
    /// The version has no checksum.
    Absent,
    /// The file was written without a checksum: the field is zero, and no server verifies it.
    Off,
    /// The stored checksum equals the computed one, which is this value.
    Verified(#[serde(serialize_with = "hexadecimal")] u64),
}

fn hexadecimal<S: serde::Serializer>(sum: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{sum:016x}"))
}

/// The running checksum of the bytes that were walked. It is computed in blocks, some distance
/// after the walk: late enough to process whole blocks, early enough to find them in the cache. It
/// also reports progress.
pub(super) struct Running<'p> {
    digest: Digest,
    /// Number of bytes in the digest.
    done: usize,
    /// Number of bytes reported to the progress.
    reported: usize,
    progress: &'p dyn Progress,
}

/// Block size; fits into the second-level cache together with what the walk itself uses.
const BLOCK_BYTES: usize = 256 << 10;
/// Number of bytes between two progress reports.
const TELL_BYTES: usize = 1 << 20;

impl<'p> Running<'p> {
    pub(super) fn new(progress: &'p dyn Progress) -> Self {
        Running { digest: Digest::new(CrcAlgorithm::Crc64Redis), done: 0, reported: 0, progress }
    }

    /// Notes that the walk has reached byte `pos`.
    #[inline]
    pub(super) fn reached(&mut self, bytes: &[u8], pos: usize) {
        if pos - self.done >= BLOCK_BYTES {
            self.catch_up(bytes, pos);
        }
    }

    #[cold]
    fn catch_up(&mut self, bytes: &[u8], pos: usize) {
        while self.done < pos {
            let end = pos.min(self.done + TELL_BYTES);
            self.digest.update(bytes.get(self.done..end).unwrap_or_default());
            self.done = end;
            if self.done - self.reported >= TELL_BYTES {
                self.progress.advance((self.done - self.reported) as u64);
                self.reported = self.done;
            }
        }
    }

    /// Returns the checksum of the first `pos` bytes.
    pub(super) fn finish(&mut self, bytes: &[u8], pos: usize) -> u64 {
        self.catch_up(bytes, pos);
        self.digest.finalize()
    }

    /// Reports the remaining progress, up to byte `pos`.
    pub(super) fn tell_rest(&mut self, pos: usize) {
        self.progress.advance(pos.saturating_sub(self.reported) as u64);
        self.reported = pos;
    }
}

/// A checksum that is asked for again and again, after few bytes each time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum(u64);

/// From so many bytes on, they are processed by the block.
const LONG_BYTES: usize = 96;

impl Sum {
    /// Takes the next bytes.
    #[inline]
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if bytes.len() >= LONG_BYTES {
            let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc64Redis, self.0);
            digest.update(bytes);
            self.0 = digest.get_state();
            return;
        }
        for byte in bytes {
            self.0 = TABLE[usize::from(self.0.to_le_bytes()[0] ^ byte)] ^ (self.0 >> 8);
        }
    }

    /// The checksum of all bytes so far. The polynomial is neither started nor ended with another number, so that
    /// it is the state itself.
    #[inline]
    pub(super) fn value(self) -> u64 {
        self.0
    }
}

/// The polynomial, in the order of bits of the checksum.
pub(super) const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9_u64.reverse_bits();

/// What each byte adds to the checksum.
pub(super) static TABLE: [u64; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u64;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ POLYNOMIAL } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

/// The CRC-64 that RDB files and `DUMP` payloads end with.
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;
    use std::sync::atomic::{AtomicU64, Ordering};

    #[test]
    fn the_check_value_matches_the_polynomial() {
        assert_eq!(crc64(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        assert_eq!(crc64(b""), 0);
    }

    #[test]
    fn blocks_give_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..3_000_000u32).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let mut running = Running::new(&Silent);
        for pos in [1, 2, 300_000, 300_001, 2_900_000] {
            running.reached(&bytes, pos);
        }
        assert_eq!(running.finish(&bytes, bytes.len()), crc64(&bytes));
    }

    #[test]
    fn pieces_of_every_length_give_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..40_000u32).map(|i| (i % 251).to_le_bytes()[0]).collect();
        let mut sum = Sum::default();
        let mut at = 0;
        for len in (0..2 * LONG_BYTES).cycle() {
            let end = (at + len).min(bytes.len());
            sum.add(&bytes[at..end]);
            assert_eq!(sum.value(), crc64(&bytes[..end]), "up to byte {end}");
            at = end;
            if end == bytes.len() {
                break;
            }
        }
    }

    #[test]
    fn progress_is_advanced_by_each_byte_once() {
        #[derive(Default)]
        struct Sum(AtomicU64);
        impl Progress for Sum {
            fn advance(&self, bytes: u64) {
                self.0.fetch_add(bytes, Ordering::Relaxed);
            }
        }
        let bytes = vec![7; 5_000_000];
        let sum = Sum::default();
        let mut running = Running::new(&sum);
        running.reached(&bytes, 4_000_000);
        running.finish(&bytes, 4_999_992);
        running.tell_rest(5_000_000);
        assert_eq!(sum.0.into_inner(), 5_000_000);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn carry_less_multiplication_is_used_where_available() {
        if std::arch::is_x86_feature_detected!("pclmulqdq") {
            let way = crc_fast::get_calculator_target(CrcAlgorithm::Crc64Redis);
            assert!(way.contains("pclmulqdq"), "{way}");
        }
    }
}
