//! Writing a ZIP archive: the entries in sequence, then the directory.

use std::io;

use crc_fast::{CrcAlgorithm, Digest};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::deflate::deflate;
use super::echo::Echo;
use super::method::Method;
use super::records::{Entry, end};
use super::sink::Sink;
use crate::base::threads::can_start;

/// The number of bytes passed on at a time if they are stored, or compressed by a library with threads of its own.
const CHUNK_BYTES: usize = 4 << 20;

/// The compression settings of an entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    pub(crate) method: Method,
    pub(crate) level: i32,
    pub(crate) threads: u32,
}

/// The properties of an entry's bytes that are known after writing them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) packed_bytes: u64,
    pub(crate) packed_crc32: u32,
    pub(crate) sha256: [u8; 32],
}

/// A ZIP archive that is being written.
pub(crate) struct Writer<'s> {
    sink: &'s mut (dyn Sink + 's),
    at: u64,
    modified: Timestamp,
    entries: Vec<Entry>,
}

impl<'s> Writer<'s> {
    /// Creates a writer to `sink`, which is empty. All entries get the time `modified`.
    pub(crate) fn new(sink: &'s mut (dyn Sink + 's), modified: Timestamp) -> Self {
        Writer { sink, at: 0, modified, entries: Vec::new() }
    }

    /// Writes an entry. If the sink only appends, its compressed bytes are decompressed again at the same time, and have
    /// to be those of the file: whoever writes such an archive may be unable to read it back. `progress` is advanced by the
    /// uncompressed bytes as they are processed; its error ends the writing.
    pub(crate) fn add(
        &mut self,
        name: &str,
        bytes: &[u8],
        packing: Packing,
        progress: impl Fn(u64) -> io::Result<()> + Send + Sync,
    ) -> io::Result<Written> {
        let mut entry = Entry {
            name: name.to_owned(),
            method: packing.method,
            crc32: 0,
            bytes: bytes.len() as u64,
            packed_bytes: 0,
            offset: self.at,
            modified: self.modified,
            streamed: !self.sink.can_keep_open(),
        };
        let room = entry.local_header();
        let start = self.at + room.len() as u64;
        let crc32 = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        let echo = entry.streamed.then(|| Echo::new(packing.method)).transpose()?;
        if entry.streamed {
            self.sink.append(&room)?;
        } else {
            self.sink.append_open(&room)?;
        }
        let mut out = Counted { sink: &mut *self.sink, at: start, crc32, echo };
        let mut crc32 = Digest::new(CrcAlgorithm::Crc32IsoHdlc);
        let mut sha256 = Sha256::new();
        let mut hash = |chunk: &[u8]| {
            crc32.update(chunk);
            sha256.update(chunk);
            progress(chunk.len() as u64)
        };
        match packing.method {
            Method::Deflate => {
                let level = u32::try_from(packing.level).unwrap_or(0);
                deflate(bytes, level, |piece| out.write(piece), &mut hash)?;
            }
            Method::Store => {
                for chunk in bytes.chunks(CHUNK_BYTES) {
                    out.write(chunk)?;
                    hash(chunk)?;
                }
            }
            Method::Zstd => zstd(bytes, packing, &mut out, &mut hash)?,
        }
        let written = Written {
            packed_bytes: out.at - start,
            packed_crc32: low(out.crc32.finalize()),
            sha256: sha256.finalize().into(),
        };
        self.at = out.at;
        if let Some(echo) = out.echo {
            echo.check(&written.sha256)?;
        }
        entry.crc32 = low(crc32.finalize());
        entry.packed_bytes = written.packed_bytes;
        if entry.streamed {
            let descriptor = entry.descriptor();
            self.sink.append(&descriptor)?;
            self.at += descriptor.len() as u64;
        } else {
            self.sink.close(&entry.local_header(), entry.offset)?;
        }
        self.entries.push(entry);
        Ok(written)
    }

    /// Writes the directory and returns the length of the archive in bytes.
    pub(crate) fn finish(self) -> io::Result<u64> {
        let records = directory(&self.entries, self.at);
        self.sink.append(&records)?;
        Ok(self.at + records.len() as u64)
    }
}

/// Returns the directory and the records after it, for `entries` that end at byte `at`.
pub(crate) fn directory(entries: &[Entry], at: u64) -> Vec<u8> {
    let mut records: Vec<u8> = entries.iter().flat_map(Entry::directory_header).collect();
    let bytes = records.len() as u64;
    records.extend(end(entries.len() as u64, at, bytes));
    records
}

/// The bytes of an entry, counted and checked as they are written.
struct Counted<'s> {
    sink: &'s mut dyn Sink,
    at: u64,
    crc32: Digest,
    echo: Option<Echo>,
}

impl Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.sink.append(bytes)?;
        if let Some(echo) = &mut self.echo {
            echo.take(bytes)?;
        }
        self.crc32.update(bytes);
        self.at += bytes.len() as u64;
        Ok(())
    }
}

impl io::Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Counted::write(self, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes a single frame whose bytes do not depend on the number of worker threads, as long as there is at least one.
fn zstd(
    bytes: &[u8],
    packing: Packing,
    out: &mut Counted<'_>,
    mut hash: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    use std::io::Write as _;
    let mut encoder = zstd::Encoder::new(out, packing.level)?;
    // Where the system starts no thread, the frame has other bytes, and the same content.
    encoder.multithread(if can_start() { packing.threads.max(1) } else { 0 })?;
    encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
    for chunk in bytes.chunks(CHUNK_BYTES) {
        encoder.write_all(chunk)?;
        hash(chunk)?;
    }
    encoder.finish()?;
    Ok(())
}

/// Converts a CRC-32 from the type that the crate uses.
#[allow(clippy::cast_possible_truncation)] // It has 32 bits.
pub(crate) fn low(crc32: u64) -> u32 {
    crc32 as u32
}
