//! Decompressing an entry while it is written, for archives that cannot be read back by the one who writes them.

use std::io::{self, Write};

use flate2::write::DeflateDecoder;
use sha2::{Digest as _, Sha256};
use zstd::stream::write::Decoder;

use super::method::Method;

/// A decompressor of which only the hash of the output is retained.
pub(crate) enum Echo {
    Store(Hash),
    Deflate(DeflateDecoder<Hash>),
    Zstd(Decoder<'static, Hash>),
}

/// The SHA-256 of what is written.
#[derive(Default)]
pub(crate) struct Hash(Sha256);

impl Write for Hash {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Echo {
    pub(crate) fn new(method: Method) -> io::Result<Self> {
        Ok(match method {
            Method::Store => Echo::Store(Hash::default()),
            Method::Deflate => Echo::Deflate(DeflateDecoder::new(Hash::default())),
            Method::Zstd => Echo::Zstd(Decoder::new(Hash::default())?),
        })
    }

    /// Takes compressed bytes.
    pub(crate) fn take(&mut self, packed: &[u8]) -> io::Result<()> {
        match self {
            Echo::Store(hash) => hash.write_all(packed),
            Echo::Deflate(decoder) => decoder.write_all(packed),
            Echo::Zstd(decoder) => decoder.write_all(packed),
        }
    }

    /// Fails if the SHA-256 of the decompressed bytes is not the expected one.
    pub(crate) fn check(self, expected: &[u8; 32]) -> io::Result<()> {
        let hash = match self {
            Echo::Store(hash) => hash,
            Echo::Deflate(decoder) => decoder.finish()?,
            Echo::Zstd(mut decoder) => {
                decoder.flush()?;
                decoder.into_inner()
            }
        };
        if <[u8; 32]>::from(hash.0.finalize()) == *expected {
            return Ok(());
        }
        let what = "the compressed bytes were decompressed again and are not those of the file";
        Err(io::Error::new(io::ErrorKind::InvalidData, what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_bytes_than_those_of_the_file_are_noticed() {
        let file = b"a file, a file, a file";
        let sha256: [u8; 32] = Sha256::digest(file).into();
        let mut encoder =
            flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::new(6));
        encoder.write_all(file).unwrap();
        let deflated = encoder.finish().unwrap();
        let zstd = zstd::encode_all(&file[..], 3).unwrap();
        let packed =
            [(Method::Store, file.to_vec()), (Method::Deflate, deflated), (Method::Zstd, zstd)];
        for (method, packed) in packed {
            let echo = |packed: &[u8]| {
                let mut echo = Echo::new(method)?;
                echo.take(packed)?;
                echo.check(&sha256)
            };
            echo(&packed).unwrap();
            assert!(echo(&packed[..packed.len() - 1]).is_err(), "{method}: cut short");
            let mut other = packed.clone();
            other[packed.len() / 2] ^= 1;
            assert!(echo(&other).is_err(), "{method}: a flipped bit");
        }
    }
}
