//! Where the bytes of an archive go while it is written.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// A destination to which an archive is appended.
pub(crate) trait Sink: Send {
    /// Appends bytes.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Returns whether [`Sink::patch`] is possible. If not, sizes and checksum of an entry follow it in a data descriptor.
    fn can_patch(&self) -> bool;

    /// Replaces bytes that were appended before, from byte `at` on.
    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()>;
}

/// A file, which is empty at first.
pub(crate) struct FileSink<'f> {
    file: &'f File,
    at: u64,
}

impl<'f> FileSink<'f> {
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

    fn can_patch(&self) -> bool {
        true
    }

    fn patch(&mut self, at: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, at)
    }
}
