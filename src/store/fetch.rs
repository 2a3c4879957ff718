//! Archives in a store: as files without names, of which nothing is left however the process ends, or read by ranges.

use std::collections::VecDeque;
use std::env;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use super::client::{Client, Head, open_at};
use super::url::StoreUrl;
use crate::archive::contents::is_metadata;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::{Progress, Silent};
use crate::disk::{Mapping, check_temporary_space};

/// The number of bytes that are requested at a time.
const CHUNK_BYTES: u64 = 8 << 20;
/// The number of requests at the same time.
const THREADS: usize = 4;
/// The number of bytes at the end of an archive that are read first: most directories, and the metadata before it.
const TAIL_BYTES: u64 = 256 << 10;
/// The maximum size of a directory that is read.
const DIRECTORY_BYTES: u64 = 64 << 20;
/// The maximum number of bytes of an entry with metadata that are read.
const ENTRY_BYTES: u64 = 64 << 20;

/// The number of bytes at the beginning of an encrypted archive that have its header, if it has few recipients.
const HEADER_BYTES: u64 = 16 << 10;
/// The maximum length of such a header.
const LONG_HEADER_BYTES: u64 = 1 << 20;
/// The number of bytes that are requested at first where few are needed.
const BLOCK_BYTES: u64 = 256 << 10;
/// The number of requests whose bytes are kept.
const BLOCKS: usize = 4;

/// The help for a temporary directory that cannot hold an archive.
const TEMPORARY_DIRECTORY: &str = "an archive in a store is downloaded there while it is read; set TMPDIR to use another directory";

/// An object that is read.
struct Reading {
    client: Client,
    url: StoreUrl,
    head: Head,
    file: File,
}

impl Reading {
    fn begin(path: &Path, progress: &dyn Progress) -> Result<Reading> {
        let (client, url, head) = find(path, progress)?;
        let file = tempfile::tempfile().map_err(failed)?;
        if head.bytes > 0 {
            // The length of the object; what is not read takes no space.
            file.write_all_at(&[0], head.bytes - 1).map_err(failed)?;
        }
        Ok(Reading { client, url, head, file })
    }

    fn read(&self, range: &Range<u64>) -> Result<Vec<u8>> {
        let bytes = self.client.range(
            &self.url.key,
            &self.head.etag,
            range.start,
            range.end - range.start,
        )?;
        self.file.write_all_at(&bytes, range.start).map_err(failed)?;
        Ok(bytes)
    }

    fn mapped(self, path: &Path) -> Result<Mapping> {
        Mapping::from_file(self.file, path)
    }
}

/// Returns what is known of the object at a URL.
fn find(path: &Path, progress: &dyn Progress) -> Result<(Client, StoreUrl, Head)> {
    let (client, url) = open_at(path, progress)?;
    let missing = || {
        let (above, _) = url.split();
        Error::new(ErrorKind::NotFound, "no such archive in the store")
            .at(path)
            .help(format!("`aofkit list {above}` lists those that are there"))
    };
    if url.key.is_empty() {
        return Err(missing());
    }
    let head = client.head(&url.key)?.ok_or_else(missing)?;
    Ok((client, url, head))
}

fn failed(error: std::io::Error) -> Error {
    Error::io("write a temporary file in", env::temp_dir(), error).help(TEMPORARY_DIRECTORY)
}

/// Downloads the whole archive at a URL.
///
/// # Errors
///
/// When it does not exist or changes meanwhile, the store cannot be reached, or too little space is free.
pub(crate) fn whole(path: &Path, progress: &dyn Progress) -> Result<Mapping> {
    let reading = Reading::begin(path, progress)?;
    let bytes = reading.head.bytes;
    check_temporary_space(bytes, TEMPORARY_DIRECTORY)?;
    progress.phase("download", bytes);
    let (next, problem) = (AtomicU64::new(0), Mutex::new(None));
    let work = || {
        loop {
            let start = next.fetch_add(CHUNK_BYTES, Ordering::Relaxed);
            let done = match start < bytes {
                true => progress
                    .check()
                    .and_then(|()| reading.read(&(start..bytes.min(start + CHUNK_BYTES)))),
                false => return,
            };
            match done {
                Ok(read) => progress.advance(read.len() as u64),
                Err(error) => {
                    next.store(bytes, Ordering::Relaxed);
                    problem.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        for _ in 1..THREADS.min(usize::try_from(bytes / CHUNK_BYTES).unwrap_or(THREADS)) {
            // Where the system starts no thread, this one does all.
            let _ = thread::Builder::new().spawn_scoped(scope, work);
        }
        work();
    });
    match problem.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => reading.mapped(path),
    }
}

/// Downloads the header of the encrypted archive at a URL. The rest is zeros.
///
/// # Errors
///
/// As [`whole`].
pub(crate) fn beginning(path: &Path) -> Result<Mapping> {
    let reading = Reading::begin(path, &Silent)?;
    let bytes = reading.head.bytes;
    let first = reading.read(&(0..bytes.min(HEADER_BYTES)))?;
    if memchr::memmem::find(&first, b"\n--- ").is_none_or(|end| first.len() - end < 64) {
        reading.read(&(0..bytes.min(LONG_HEADER_BYTES)))?;
    }
    reading.mapped(path)
}

/// The bytes of an object, which are requested when they are read. Of those that were, the last are kept.
pub(crate) struct Ranges {
    client: Client,
    url: StoreUrl,
    head: Head,
    at: u64,
    /// The last requests: where each begins, and its bytes.
    blocks: VecDeque<(u64, Vec<u8>)>,
    problem: Problem,
}

/// Why bytes of an object could not be read.
#[derive(Clone, Default)]
pub(crate) struct Problem(Arc<Mutex<Option<Error>>>);

impl Problem {
    /// Returns it, if there is one.
    pub(crate) fn take(&self) -> Option<Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn note(&self, error: Error) -> io::Error {
        let text = error.to_string();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        io::Error::other(text)
    }
}

impl Ranges {
    /// Opens the object at a URL.
    ///
    /// # Errors
    ///
    /// As [`whole`].
    pub(crate) fn open(path: &Path) -> Result<Ranges> {
        let (client, url, head) = find(path, &Silent)?;
        let (blocks, problem) = (VecDeque::new(), Problem::default());
        Ok(Ranges { client, url, head, at: 0, blocks, problem })
    }

    /// Returns where it is noted why bytes could not be read: who reads them may not pass it on.
    pub(crate) fn problem(&self) -> Problem {
        self.problem.clone()
    }

    /// Makes the block that has the current byte the last one, and returns the offset in it.
    fn block(&mut self) -> Result<usize> {
        let within = |start: u64, bytes: &[u8]| {
            let offset = usize::try_from(self.at.checked_sub(start)?).ok()?;
            (offset < bytes.len()).then_some(offset)
        };
        let found = self
            .blocks
            .iter()
            .enumerate()
            .find_map(|(index, (start, bytes))| Some((index, within(*start, bytes)?)));
        if let Some((index, offset)) = found {
            if let Some(block) = self.blocks.remove(index) {
                self.blocks.push_back(block);
            }
            return Ok(offset);
        }
        // Who goes on where the last request ended is probably reading on: more is requested at a time.
        let last =
            self.blocks.back().map(|(start, bytes)| (start + bytes.len() as u64, bytes.len()));
        let (start, len) = match last {
            Some((end, len)) if end == self.at => (end, (len as u64).saturating_mul(2)),
            _ => (self.at - self.at % BLOCK_BYTES, BLOCK_BYTES),
        };
        let len = len.min(CHUNK_BYTES).min(self.head.bytes - start);
        let bytes = self.client.range(&self.url.key, &self.head.etag, start, len)?;
        if self.blocks.len() == BLOCKS {
            self.blocks.pop_front();
        }
        self.blocks.push_back((start, bytes));
        Ok(usize::try_from(self.at - start).unwrap_or(usize::MAX))
    }
}

impl Read for Ranges {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.head.bytes || buffer.is_empty() {
            return Ok(0);
        }
        let offset = self.block().map_err(|error| self.problem.note(error))?;
        let block = self.blocks.back().and_then(|(_, bytes)| bytes.get(offset..));
        let block = block.unwrap_or_default();
        let len = block.len().min(buffer.len());
        buffer[..len].copy_from_slice(&block[..len]);
        self.at += len as u64;
        Ok(len)
    }
}

impl Seek for Ranges {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.head.bytes.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

/// Downloads of the archive at a URL what its metadata needs: the directory, and the entries with metadata. The rest is zeros.
///
/// # Errors
///
/// As [`whole`].
pub(crate) fn metadata(path: &Path) -> Result<Mapping> {
    let reading = Reading::begin(path, &Silent)?;
    let bytes = reading.head.bytes;
    let tail = bytes.saturating_sub(TAIL_BYTES)..bytes;
    let end = reading.read(&tail)?;
    if tail.start > 0 {
        // What tells an archive from other files.
        reading.read(&(0..tail.start.min(4)))?;
        for range in wanted(&reading, &tail, &end)? {
            reading.read(&range)?;
        }
    }
    reading.mapped(path)
}

/// Returns the ranges before `tail` that have metadata. What is no archive has none.
fn wanted(reading: &Reading, tail: &Range<u64>, end: &[u8]) -> Result<Vec<Range<u64>>> {
    let Some(directory) = directory(end, tail.start) else { return Ok(Vec::new()) };
    let is_usable = directory.start <= directory.end && directory.end <= reading.head.bytes;
    if !is_usable || directory.end - directory.start > DIRECTORY_BYTES {
        return Ok(Vec::new());
    }
    let headers = if directory.start >= tail.start {
        let at = |offset: u64| usize::try_from(offset - tail.start).unwrap_or(usize::MAX);
        end.get(at(directory.start)..at(directory.end)).unwrap_or_default().to_vec()
    } else {
        reading.read(&directory)?
    };
    let ranges = entries(&headers).into_iter().map(|range| range.start..range.end.min(tail.start));
    Ok(ranges
        .filter(|range| range.start < range.end && range.end - range.start <= ENTRY_BYTES)
        .collect())
}

/// Returns the range of the directory, by the records at the end of an archive. `start`: the offset of `end` in it.
fn directory(end: &[u8], start: u64) -> Option<Range<u64>> {
    let at = memchr::memmem::rfind(end, b"PK\x05\x06")?;
    let record = end.get(at..)?;
    let (len, offset) = (u32_at(record, 12)?, u32_at(record, 16)?);
    if len != u32::MAX && offset != u32::MAX {
        return Some(u64::from(offset)..u64::from(offset).checked_add(u64::from(len))?);
    }
    let locator = end.get(at.checked_sub(20)?..at)?;
    let record = u64_at(locator, 8)?.checked_sub(start)?;
    let record = end.get(usize::try_from(record).ok()?..)?;
    let (len, offset) = (u64_at(record, 40)?, u64_at(record, 48)?);
    (record.starts_with(b"PK\x06\x06")).then_some(offset..offset.checked_add(len)?)
}

/// Returns the ranges of the entries with metadata that a directory lists, each with its local header.
fn entries(mut headers: &[u8]) -> Vec<Range<u64>> {
    /// More than the local header has that the one in the directory has not.
    const SPARE: u64 = 1 << 10;
    let mut found = Vec::new();
    while headers.starts_with(b"PK\x01\x02") {
        let fields = || {
            let len = |at| u16_at(headers, at).map(usize::from);
            let (name, extra, comment) = (len(28)?, len(30)?, len(32)?);
            let (packed, offset) = (u32_at(headers, 20)?, u32_at(headers, 42)?);
            let text = headers.get(46..46 + name)?;
            Some((text, packed, offset, 46 + name + extra + comment))
        };
        let Some((name, packed, offset, len)) = fields() else { break };
        let is_wanted = std::str::from_utf8(name).is_ok_and(is_metadata);
        if is_wanted && packed != u32::MAX {
            // An offset of 4 GiB or more is in the extra field, as the only value there if the sizes are smaller.
            let extra = headers.get(46 + name.len()..).unwrap_or_default();
            let large = u16_at(extra, 0).filter(|&kind| kind == 1).and_then(|_| u64_at(extra, 4));
            let offset = if offset == u32::MAX { large } else { Some(u64::from(offset)) };
            if let Some(offset) = offset {
                let end = offset.saturating_add(u64::from(packed)).saturating_add(SPARE);
                found.push(offset..end);
            }
        }
        headers = headers.get(len..).unwrap_or_default();
    }
    found
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}
