//! Mapping a part, decompressed if it begins with a compressed RDB of Valkey 9.2.
//!
//! The content is written to a file without a name in the directory for temporary files, of which nothing is left
//! however the process ends. Memory does not grow with it, and it takes no more than a part of the free space.

use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use crate::aof::log::Compressed;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::Bytes;
use crate::disk::{Mapping, free_bytes};
use crate::rdb::envelope::{Codec, Envelope, Unwrapped, Unwritten, unwrap};
use crate::rdb::{self, Damage, Reading, Visitor};

/// The help for a directory that cannot hold the content.
const TEMPORARY_DIRECTORY: &str =
    "a compressed RDB is decompressed there while it is read; set TMPDIR to use another directory";

/// Maps the file at `path`, and decompresses the RDB that it begins with.
///
/// # Errors
///
/// As [`Mapping::open`]; [`ErrorKind::Refused`] if the content does not fit in the directory for temporary files, and
/// when it cannot be written there. A broken envelope is no error.
pub(crate) fn map_part(path: &Path) -> Result<(Mapping, Option<Box<Compressed>>)> {
    let file = Mapping::open(path)?;
    let Some(envelope) = Envelope::read(file.bytes()) else { return Ok((file, None)) };
    match envelope.codec() {
        Err(_) => Ok((file, Some(Box::new(Compressed::Unknown(envelope))))),
        Ok(codec) => {
            let (content, unwrapped) = decompress(file.bytes(), codec, path)?;
            file.check()?;
            Ok((content, Some(Box::new(Compressed::Read { file, unwrapped }))))
        }
    }
}

/// Decompresses the envelope that `bytes` begin with, and appends what follows it.
fn decompress(bytes: &[u8], codec: Codec, path: &Path) -> Result<(Mapping, Unwrapped)> {
    let place = env::temp_dir();
    let failed = |error| Error::io("decompress an RDB to", &place, error).help(TEMPORARY_DIRECTORY);
    let free = free_bytes(&place).map_err(|error| error.help(TEMPORARY_DIRECTORY))?;
    // Other programs write there too.
    let limit = free / 10 * 9;
    let mut out = tempfile::tempfile().map_err(failed)?;
    let unwrapped = unwrap(bytes, codec, limit, &mut out).map_err(|unwritten| match unwritten {
        Unwritten::Io(error) => failed(error),
        Unwritten::TooLong => {
            let what = format!(
                "the compressed RDB is longer than {}, and {} are free in {}",
                Bytes(limit),
                Bytes(free),
                place.display()
            );
            Error::new(ErrorKind::Refused, what).at(path).help(TEMPORARY_DIRECTORY)
        }
    })?;
    if unwrapped.fault.is_none() {
        append(&mut out, bytes, unwrapped.stored).map_err(failed)?;
    }
    Ok((Mapping::from_file(out, path)?, unwrapped))
}

fn append(out: &mut File, bytes: &[u8], from: u64) -> io::Result<()> {
    let from = usize::try_from(from).unwrap_or(bytes.len());
    out.write_all(bytes.get(from..).unwrap_or_default())
}

/// The content of a file that begins with an RDB, decompressed if it is.
pub(crate) enum Content<'b> {
    /// It is not compressed.
    Plain(&'b [u8]),
    /// The content of the envelope, and what follows it.
    Unwrapped(Mapping, Unwrapped),
    /// The envelope is unknown to this version.
    Unknown(Envelope),
}

impl<'b> Content<'b> {
    /// Returns the content of `bytes`; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As [`map_part`].
    pub(crate) fn of(bytes: &'b [u8], path: &Path) -> Result<Self> {
        let Some(envelope) = Envelope::read(bytes) else { return Ok(Content::Plain(bytes)) };
        match envelope.codec() {
            Err(_) => Ok(Content::Unknown(envelope)),
            Ok(codec) => {
                let (content, unwrapped) = decompress(bytes, codec, path)?;
                Ok(Content::Unwrapped(content, unwrapped))
            }
        }
    }

    /// Returns the bytes: the RDB, and what follows it.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Content::Plain(bytes) => bytes,
            Content::Unwrapped(content, _) => content.bytes(),
            Content::Unknown(_) => &[],
        }
    }

    /// Reads the RDB.
    ///
    /// # Errors
    ///
    /// As [`rdb::read`]; and the fault of the envelope.
    pub(crate) fn read<'a, V: Visitor<'a>>(
        &'a self,
        visitor: &mut V,
        progress: &dyn Progress,
    ) -> Result<Reading, Box<Damage>> {
        match self {
            Content::Plain(bytes) => rdb::read(bytes, visitor, progress),
            Content::Unwrapped(content, unwrapped) => {
                unwrapped.read(content.bytes(), visitor, progress)
            }
            Content::Unknown(envelope) => Err(envelope.as_damage()),
        }
    }

    /// Returns the byte offset in the file at which the RDB ends that `reading` is of.
    pub(crate) fn end_in_file(&self, reading: &Reading) -> u64 {
        match self {
            Content::Unwrapped(_, unwrapped) => unwrapped.stored,
            Content::Plain(_) | Content::Unknown(_) => reading.len(),
        }
    }
}
