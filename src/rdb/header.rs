//! The header: the first nine bytes.
//!
//! | bytes | content |
//! |---|---|
//! | 5 | `REDIS` |
//! | 4 | version, decimal digits: `0001` to `0017` |
//!
//! or, since Valkey 9.0:
//!
//! | bytes | content |
//! |---|---|
//! | 6 | `VALKEY` |
//! | 3 | version, decimal digits: `080` |
//!
//! The servers' loaders accept any leading digits, so that `REDIS001a` is version 1 to them.
//! Nothing writes that, and this parser refuses it. Checked against `rdbLoadRioWithLoadingCtx` in
//! `rdb.c` of Redis 2.2 to 7.2 and Valkey 8.0, and files of Redis 6.2, 7.0, 8.2, 8.6 and Valkey 9.1.

use serde::Serialize;

use super::fault::{DamageKind, Fault, Read};

/// The magic at the beginning of the file. It determines the meaning of types from 22 up and of
/// opcodes from 243 down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Magic {
    /// `REDIS`: all versions of Redis, and Valkey before 9.0.
    Redis,
    /// `VALKEY`: Valkey 9.0 and later.
    Valkey,
}

/// Magic and version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Header {
    /// The magic at the beginning of the file.
    pub magic: Magic,
    /// The version after the magic.
    pub version: u32,
}

/// Length of the header in bytes, the same under both magics.
pub(super) const HEADER_BYTES: usize = 9;

/// The highest version under `REDIS` whose records are read. Redis 8.12 writes it, as reported;
/// versions 16 and 17 have types that are not known here.
pub(super) const HIGHEST_REDIS: u32 = 17;
/// The only version under `VALKEY` whose format is supported (Valkey 9.0 and 9.1).
pub(super) const VALKEY: u32 = 80;

/// Returns whether `bytes` begin like an RDB, with the test that the servers' loaders make before
/// they check the version.
pub fn is_rdb(bytes: &[u8]) -> bool {
    bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY")
}

impl Header {
    /// Returns whether a checksum follows the end opcode.
    pub fn has_checksum(self) -> bool {
        self.version >= 5
    }

    /// The highest version under this magic whose format is known here.
    pub fn highest_known(self) -> u32 {
        match self.magic {
            Magic::Redis => HIGHEST_REDIS,
            Magic::Valkey => VALKEY,
        }
    }

    /// The header of a version that is higher than those known here; `None` of any other.
    pub(crate) fn read_newer(bytes: &[u8]) -> Option<Self> {
        let (magic, digits) = match bytes.first_chunk::<HEADER_BYTES>()? {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => (Magic::Redis, &digits[..]),
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => (Magic::Valkey, &digits[..]),
            _ => return None,
        };
        let header = Header { magic, version: version(digits)? };
        (header.version > header.highest_known()).then_some(header)
    }

    pub(super) fn read(bytes: &[u8]) -> Read<Self> {
        const READING: &str = "the header";
        let Some(head) = bytes.first_chunk::<HEADER_BYTES>() else {
            let start = |magic: &[u8]| bytes.iter().zip(magic).all(|(a, b)| a == b);
            return Err(if start(b"REDIS") || start(b"VALKEY") {
                Fault::new(
                    0,
                    READING,
                    DamageKind::Short { needed: HEADER_BYTES as u64, left: bytes.len() as u64 },
                )
            } else {
                Fault::new(0, READING, DamageKind::NotRdb)
            });
        };
        let (magic, digits, lowest, highest) = match head {
            [b'R', b'E', b'D', b'I', b'S', digits @ ..] => {
                (Magic::Redis, &digits[..], 1, HIGHEST_REDIS)
            }
            [b'V', b'A', b'L', b'K', b'E', b'Y', digits @ ..] => {
                (Magic::Valkey, &digits[..], VALKEY, VALKEY)
            }
            _ => return Err(Fault::new(0, READING, DamageKind::NotRdb)),
        };
        match version(digits) {
            Some(version) if (lowest..=highest).contains(&version) => Ok(Header { magic, version }),
            _ => Err(Fault::new(
                HEADER_BYTES - digits.len(),
                "the version",
                DamageKind::Version { found: String::from_utf8_lossy(head).into_owned() },
            )),
        }
    }
}

/// The number that the digits of a version give; `None` where a byte is no digit.
fn version(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |version, digit| {
        digit.is_ascii_digit().then(|| version * 10 + u32::from(digit - b'0'))
    })
}
