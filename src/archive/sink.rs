//! Where an archive is written to.
//!
//! What an entry's local header says is known only after the entry. The header is therefore written twice: first as room for
//! it, which stays open, and then as it is. Nothing else is written twice, so that a sink may pass on all bytes but those of
//! the header that is open. A sink that passes on every byte at once has the same facts after the entry instead.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Receives the bytes of an archive in order.
pub(crate) trait Sink: Send {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns whether a header can stay open. If not, sizes and checksum of an entry follow it in a data descriptor.
    fn can_keep_open(&self) -> bool {
        true
    }

    /// Appends the room of a header, which [`Sink::close`] will fill.
    fn append_open(&mut self, room: &[u8]) -> io::Result<()>;

    /// Replaces the room at `offset`, where [`Sink::append_open`] wrote it, by a header of the same length.
    fn close(&mut self, header: &[u8], offset: u64) -> io::Result<()>;
}

/// An archive that is written to a file.
pub(crate) struct FileSink<'f> {
    file: &'f File,
    at: u64,
}

impl<'f> FileSink<'f> {
    /// Creates a sink for `file`, which is empty.
    pub(crate) fn new(file: &'f File) -> Self {
        FileSink { file, at: 0 }
    }
}

impl Sink for FileSink<'_> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn append_open(&mut self, room: &[u8]) -> io::Result<()> {
        self.append(room)
    }

    fn close(&mut self, header: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(header, offset)
    }
}
