//! The envelope of a compressed RDB, which Valkey 9.2 writes with `rdbcompression lz4` or `zstd`.
//!
//! | bytes | content |
//! |---|---|
//! | 3 | `VCS` |
//! | 1 | version of the envelope: 1 |
//! | 1 | codec: 1 LZ4, 2 Zstandard |
//! | 1 | 0 |
//! | 1 | kind of the content: 1 an RDB |
//! | | a frame of the codec's standard form |
//!
//! It is recognised and named; its content is not read. Not observed; as reported (valkey #3531, #3798
//! and #4754).

/// The header of an envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Envelope {
    version: u8,
    codec: u8,
}

impl Envelope {
    /// Reads the header that `bytes` begin with; `None` if they begin with none.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        match *bytes {
            [b'V', b'C', b'S', version, codec, 0, _, ..] => Some(Envelope { version, codec }),
            _ => None,
        }
    }

    /// What the file is, and how to decompress it.
    pub(crate) fn describe(self) -> (&'static str, &'static str) {
        match (self.version, self.codec) {
            (1, 1) => (
                "a compressed RDB (Valkey 9.2 envelope, codec LZ4)",
                "decompress it first: tail -c +8 FILE | lz4 -dc > NEW",
            ),
            (1, 2) => (
                "a compressed RDB (Valkey 9.2 envelope, codec Zstandard)",
                "decompress it first: tail -c +8 FILE | zstd -dc > NEW",
            ),
            (1, _) => (
                "a compressed RDB (Valkey 9.2 envelope, unknown codec)",
                "it is not damaged as far as is known; let its server write it with rdbcompression yes",
            ),
            _ => (
                "a compressed RDB (envelope of Valkey, of a version that is unknown to aofkit)",
                "it is not damaged as far as is known; let its server write it with rdbcompression yes",
            ),
        }
    }
}
