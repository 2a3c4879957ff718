//! A file, mapped read-only.
//!
//! # Why the mapping is sound
//!
//! A `&[u8]` promises bytes that do not change, but a mapped file can be changed by other
//! processes. Three things can happen to an AOF while it is mapped, and each is handled:
//!
//! - *it grows* (a live server appends): the mapping keeps the length that it had when opened;
//!   [`Mapping::change`] reports the difference.
//! - *it is replaced* (a rewrite renames over it): the mapping keeps the old file alive.
//! - *it shrinks* (a server truncates a torn tail, a person runs `truncate`): reading past the new
//!   end raises SIGBUS. With [`install_sigbus_guard`] that becomes zeros, and [`Mapping::check`]
//!   turns them into an error; without it, it ends the process, which is not unsound either.
//!
//! Overwriting in place remains: nothing that works with AOFs does it. The callers read each byte
//! through bounds-checked slices and never assume that two reads of a byte are equal, so the worst
//! possible result is a wrong report, not an invalid memory access.
//!
//! [`install_sigbus_guard`]: super::install_sigbus_guard

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use memmap2::Mmap;

use super::guard::Registration;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::units::Bytes;

/// A regular file, mapped read-only with the length that it had when opened.
pub struct Mapping {
    path: PathBuf,
    file: File,
    // Declared before `map`: the registration must end before its pages are unmapped.
    registration: Option<Registration>,
    map: Option<Mmap>,
    /// The length of the file when it was opened, which differs from that of the bytes if they are not those of the
    /// file.
    file_len: u64,
}

/// The difference between a mapped file and its state when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The length is unchanged.
    None,
    /// The file has grown by this number of bytes, which are not mapped.
    Grown(u64),
    /// The file has lost this number of bytes, or part of it could not be read.
    Shrunk(u64),
}

impl Mapping {
    /// Maps the file at `path`.
    ///
    /// # Errors
    ///
    /// Fails if it does not exist, is not readable, is not a regular file (a directory, pipe or
    /// device cannot be mapped), or if the system refuses the mapping.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        // Checked before opening, because opening a pipe for reading would wait for a writer.
        let kind = std::fs::metadata(path).map_err(|e| Error::io("open", path, e))?;
        if !kind.is_file() {
            let what = if kind.is_dir() { "a directory" } else { "a pipe, socket or device" };
            return Err(Error::new(
                ErrorKind::Usage,
                format!("this is {what}, not a regular file"),
            )
            .at(path)
            .help(
                "a log is mapped into memory, which needs a regular file; save it to one first",
            ));
        }
        let file = File::open(path).map_err(|e| Error::io("open", path, e))?;
        Mapping::from_file(file, path)
    }

    /// Maps an open regular file, which may have been unlinked; `path` is for messages.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses the mapping.
    pub fn from_file(file: File, path: &Path) -> Result<Self> {
        let len = file.metadata().map_err(|e| Error::io("read the size of", path, e))?.len();
        let map = if len == 0 {
            None
        } else {
            Some(map(&file, len).map_err(|error| not_mapped(path, len, error))?)
        };
        let registration = map.as_ref().map(|map| Registration::new(map.as_ptr(), map.len()));
        Ok(Mapping { path: path.to_path_buf(), file, registration, map, file_len: len })
    }

    /// Maps the file once more and replaces single bytes, each given with its offset, in this mapping alone: the file
    /// does not change. Only the pages of these bytes take memory of their own.
    ///
    /// # Errors
    ///
    /// Fails if the system refuses the mapping, or an offset is not in the file.
    pub(crate) fn with_bytes(&self, bytes: &[(u64, u8)]) -> Result<Self> {
        let failed = |error| not_mapped(&self.path, self.file_len, error);
        let file = self.file.try_clone().map_err(failed)?;
        let map = map_changed(&file, self.bytes().len(), bytes).map_err(failed)?;
        let registration = Some(Registration::new(map.as_ptr(), map.len()));
        let (path, file_len) = (self.path.clone(), self.file_len);
        Ok(Mapping { path, file, registration, map: Some(map), file_len })
    }

    /// Returns the bytes of `content`, made from this file, as what this mapping of the file has. Changes of the file
    /// are still detected.
    ///
    /// # Errors
    ///
    /// Fails if the system has no file descriptor left.
    pub(crate) fn with_content(&self, content: Mapping) -> Result<Self> {
        let file = self.file.try_clone().map_err(|e| Error::io("map", &self.path, e))?;
        let Mapping { registration, map, .. } = content;
        Ok(Mapping { path: self.path.clone(), file, registration, map, file_len: self.file_len })
    }

    /// Returns the bytes, with the length of the file when it was opened.
    pub fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or_default()
    }

    /// Returns the length in bytes when the file was opened.
    pub fn len(&self) -> u64 {
        self.bytes().len() as u64
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.bytes().is_empty()
    }

    /// Returns the path by which the file was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the mapped file.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Returns the difference between the current length of the file and that when it was opened.
    ///
    /// # Errors
    ///
    /// Fails if the system does not report the length.
    pub fn change(&self) -> Result<Change> {
        let now =
            self.file.metadata().map_err(|e| Error::io("read the size of", &self.path, e))?.len();
        let broken = self.registration.as_ref().is_some_and(Registration::broken);
        Ok(match now.checked_sub(self.file_len) {
            _ if broken => Change::Shrunk(self.file_len.saturating_sub(now)),
            Some(0) => Change::None,
            Some(more) => Change::Grown(more),
            None => Change::Shrunk(self.file_len - now),
        })
    }

    /// Checks that everything read from [`bytes`](Self::bytes) so far was in the file. Must be
    /// called after reading and before reporting what was read.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Changed`] if the file has lost bytes, or some could not be read.
    pub fn check(&self) -> Result<()> {
        match self.change()? {
            Change::None | Change::Grown(_) => Ok(()),
            Change::Shrunk(0) => Err(Error::new(ErrorKind::Io, "some of its pages could not be read from the disk")
                .at(&self.path)
                .help("look at the system's log for errors of the medium, and copy the file away while it can be read")),
            Change::Shrunk(lost) => Err(Error::new(
                ErrorKind::Changed,
                format!("the file was cut by {lost} bytes while it was read"),
            )
            .at(&self.path)
            .help("another process rewrites it: run this again, on a copy or a hard link if it happens again")),
        }
    }

    /// Requests the system to map the pages of `range` (bytes, clipped to the file) at once,
    /// instead of one fault at a time. This is a hint: failure is ignored.
    pub fn prefault(&self, range: std::ops::Range<usize>) {
        #[cfg(target_os = "linux")]
        if let Some(map) = &self.map {
            let start = range.start.min(map.len());
            let end = range.end.min(map.len());
            let _ =
                map.advise_range(memmap2::Advice::PopulateRead, start, end.saturating_sub(start));
        }
        #[cfg(not(target_os = "linux"))]
        let _ = range;
    }
}

/// Returns the error of a mapping that the system refuses. Without room for it, a limit is reached, as disks and memory do
/// not matter for a mapping.
fn not_mapped(path: &Path, len: u64, error: io::Error) -> Error {
    let is_limit = error.kind() == io::ErrorKind::OutOfMemory;
    let error = Error::io("map", path, error);
    if !is_limit {
        return error;
    }
    error.help(format!(
        "the address space of this process seems to be limited (ulimit -v); the file takes {} of it: raise the limit, or use -j 1, \
         because each thread needs some, too",
        Bytes(len)
    ))
}

fn map(file: &File, len: u64) -> io::Result<Mmap> {
    let len = usize::try_from(len).map_err(|_| {
        io::Error::new(io::ErrorKind::FileTooLarge, "larger than the address space")
    })?;
    // SAFETY: the mapping is read-only, and changes of the file by others are handled as described
    // in the module's documentation: growth and replacement do not affect mapped bytes, truncation
    // ends the process unless the guard handles it, and no code relies on two reads of the same byte being equal.
    unsafe { memmap2::MmapOptions::new().len(len).map(file) }
}

fn map_changed(file: &File, len: usize, bytes: &[(u64, u8)]) -> io::Result<Mmap> {
    // SAFETY: the mapping is private, so that writes to it do not reach the file. Changes of the file by others are
    // handled as those under a read-only mapping; the pages that are written here do not change at all.
    let mut map = unsafe { memmap2::MmapOptions::new().len(len).map_copy(file)? };
    for &(offset, byte) in bytes {
        let at = usize::try_from(offset).ok().and_then(|offset| map.get_mut(offset));
        *at.ok_or(io::ErrorKind::InvalidInput)? = byte;
    }
    map.make_read_only()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn truncation_while_mapped_is_an_error_and_not_a_bus_error() {
        super::super::install_sigbus_guard();
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&vec![b'x'; 1 << 20]).unwrap();
        let mapping = Mapping::open(file.path()).unwrap();
        file.as_file().set_len(10).unwrap();
        let seen = mapping.bytes().iter().filter(|&&byte| byte == b'x').count();
        assert!(seen < 1 << 20);
        let error = mapping.check().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Changed);
        assert_eq!(mapping.change().unwrap(), Change::Shrunk((1 << 20) - 10));
    }

    #[test]
    fn a_file_that_grows_keeps_the_length_it_was_opened_at() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12345").unwrap();
        let mapping = Mapping::open(file.path()).unwrap();
        file.write_all(b"678").unwrap();
        assert_eq!(mapping.bytes(), b"12345");
        assert_eq!(mapping.change().unwrap(), Change::Grown(3));
        mapping.check().unwrap();
    }

    #[test]
    fn an_empty_file_is_mapped_and_a_directory_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(Mapping::open(file.path()).unwrap().is_empty());
        let directory = tempfile::tempdir().unwrap();
        let error = Mapping::open(directory.path()).err().unwrap();
        assert!(error.to_string().contains("a directory"), "{error}");
    }

    #[test]
    fn replaced_bytes_are_in_the_mapping_and_not_in_the_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"12345").unwrap();
        let mapping = Mapping::open(file.path()).unwrap();
        let changed = mapping.with_bytes(&[(1, b'b'), (4, b'e')]).unwrap();
        assert_eq!(changed.bytes(), b"1b34e");
        assert_eq!(mapping.bytes(), b"12345");
        assert_eq!(std::fs::read(file.path()).unwrap(), b"12345");
        assert!(mapping.with_bytes(&[(5, b'f')]).is_err());
        // Another content does not hide that the file changes.
        let other = Mapping::open(tempfile::NamedTempFile::new().unwrap().path()).unwrap();
        let made = mapping.with_content(other).unwrap();
        assert_eq!((made.bytes(), made.change().unwrap()), (&b""[..], Change::None));
        file.write_all(b"678").unwrap();
        assert_eq!(made.change().unwrap(), Change::Grown(3));
    }
}
