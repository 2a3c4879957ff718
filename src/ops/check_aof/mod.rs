//! A compatible replacement for redis-check-aof, with identical messages, that does not lose data.
//!
//! [`check`] returns the lines, the verdict, the offset and the exit code of redis-check-aof 7.0 (Valkey's differs in
//! its name only), for a single file, one with an RDB preamble, and a manifest. Its grammar is its own, neither the
//! loader's nor that of `verify`; observed on 7.0.15, read in `redis-check-aof.c`:
//!
//! - a header is a line of less than 128 bytes: `*` or `$`, what C's `strtol` reads, and at once CR LF;
//! - CR LF must follow every argument;
//! - `*0` and `*-5` are commands without arguments; a negative `$` is refused;
//! - MULTI must not occur inside MULTI, nor EXEC outside; no other name is checked;
//! - a line that begins with `#` is skipped, up to 1023 bytes of it;
//! - the valid end is the last unit boundary outside MULTI, and the line number counts CR LFs of commands only, over
//!   all files of a set.
//!
//! Deliberate differences:
//!
//! - truncated bytes are saved in a file next to the truncated one, which is reported in a line;
//! - a check without `--fix` opens files read-only, so that it works without write permission;
//! - a file counts as a manifest by its first line that is not a comment, as in valkey-check-aof; 7.0 mistakes an AOF
//!   for one if a value has a line that begins with `file`;
//! - an RDB that begins with `VALKEY` and a compressed one are recognised too;
//! - for an RDB, the offset and the verdict are reported, but not its fields and keys;
//! - a length that exceeds the memory of the system is a short read, not a crash;
//! - the lines about a broken manifest have no process number and time, control characters in them are escaped, and
//!   their line number is that of an editor, which is lower after a comment of more than 1024 bytes;
//! - a few messages of redis-check-aof contain a byte from after the end of the data that was read; here it is the one
//!   that redis-check-aof most often prints.

mod ahead;
mod strict;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;

use self::strict::{Scan, Scanned};
use crate::aof::log::starts_with_rdb;
use crate::aof::manifest::{self, Entry, Role};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::disk::truncate::check_writable;
use crate::disk::{Mapping, Stamp, cut_tail, names};
pub use crate::ops::check_aof::messages::{Damage, Event, FileKind, render};

/// The action in addition to checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// No action.
    Check,
    /// `--fix`: offer to truncate a damaged last file at its valid end.
    Fix,
    /// `--truncate-to-timestamp`: truncate the last file before its first annotation with a later time, in Unix
    /// seconds. 0 only checks, as it does in redis-check-aof.
    TruncateTo(i64),
}

/// The result of a check.
#[derive(Debug)]
pub struct Report {
    /// The messages, in order.
    pub events: Vec<Event>,
    /// The end of the check, or the pending truncation.
    pub end: End,
}

/// The end of a check.
#[derive(Debug)]
pub enum End {
    /// The check ends with an exit code: 0 if valid, 1 otherwise.
    Done(u8),
    /// A truncation is to be made, or, if [`Cut::asks`], to be confirmed.
    Cut(Cut),
}

/// A truncation that was determined but not made.
#[derive(Debug)]
pub struct Cut {
    path: PathBuf,
    seen: Stamp,
    keep: u64,
    asks: bool,
    after: Vec<Event>,
}

impl Cut {
    /// Returns whether it must be confirmed by the user; the last event is then the question.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// Returns the path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the number of bytes that are retained.
    pub fn keep_bytes(&self) -> u64 {
        self.keep
    }

    /// Returns the number of bytes that are truncated.
    pub fn cut_bytes(&self) -> u64 {
        self.seen.bytes().saturating_sub(self.keep)
    }

    /// Truncates the file. The truncated bytes are first written to `NAME.cut-YYYYMMDDhhmmss` next to the file, for
    /// which `now` is the local time, and synced. The exit code is 0.
    ///
    /// # Errors
    ///
    /// When the file has changed since the check, or the system refuses to write the copy or to truncate the file.
    pub fn make(self, now: DateTime) -> Result<Vec<Event>> {
        let bytes = self.cut_bytes();
        let copy = names::cut_off(&self.path, now);
        let copy = cut_tail(&self.path, &self.seen, self.keep, &copy)?;
        let mut events = vec![Event::Kept { path: text(&copy), bytes }];
        events.extend(self.after);
        Ok(events)
    }

    /// Leaves the file unchanged. The exit code is 1.
    pub fn decline(self) -> Vec<Event> {
        vec![Event::Aborting]
    }
}

/// Checks the file or manifest at `path`.
///
/// `rdb_end` is called for the end of an RDB, with the bytes of a file that begins with one. It returns the offset
/// after its checksum, or a description of its damage.
///
/// # Errors
///
/// When a file cannot be mapped or changes during the check. What redis-check-aof itself reports, a missing file for
/// example, is an event.
pub fn check(
    path: &Path,
    mode: Mode,
    rdb_end: impl Fn(&[u8]) -> Result<u64, String>,
    progress: &dyn Progress,
) -> Result<Report> {
    let mut run =
        Run { mode, rdb_end, progress, events: Vec::new(), line: 1, header: [0; HEADER_BYTES + 2] };
    let end = match run.check(path)? {
        Stop::End => End::Done(0),
        Stop::Exit => End::Done(1),
        Stop::Cut(cut) => End::Cut(*cut),
    };
    Ok(Report { events: run.events, end })
}

struct Run<'a, R> {
    mode: Mode,
    rdb_end: R,
    progress: &'a dyn Progress,
    events: Vec<Event>,
    /// The line number, which continues from file to file.
    line: u64,
    /// The last `*` header. It is retained after its line: a message may show a byte from after its end.
    header: [u8; HEADER_BYTES + 2],
}

/// The reason why the run stops at a file or altogether.
enum Stop {
    /// The file, or the set, is checked and valid.
    End,
    /// The run ends with exit code 1.
    Exit,
    /// The run ends before a truncation.
    Cut(Box<Cut>),
}

/// A file to check.
struct Checked<'a> {
    what: FileKind,
    name: &'a str,
    path: &'a Path,
    is_last: bool,
    rdb: bool,
}

impl<R: Fn(&[u8]) -> Result<u64, String>> Run<'_, R> {
    fn check(&mut self, path: &Path) -> Result<Stop> {
        let mapping = match open(path) {
            Ok(mapping) => mapping?,
            Err(why) if why.kind() == io::ErrorKind::IsADirectory => {
                self.events.push(Event::CannotRead { path: text(path) });
                return Ok(Stop::Exit);
            }
            Err(why) => return Ok(self.cannot_open(path, &why, false)),
        };
        if is_manifest(mapping.bytes()) {
            self.events.push(Event::StartMultiPart);
            return match manifest::parse(mapping.bytes()) {
                Ok(manifest) => self.check_set(path, &manifest),
                Err(error) => {
                    self.events.push(Event::Manifest { error });
                    Ok(Stop::Exit)
                }
            };
        }
        let rdb = is_rdb(mapping.bytes());
        drop(mapping);
        self.events.push(Event::StartSingle);
        let name = text(path);
        self.check_file(&Checked { what: FileKind::Single, name: &name, path, is_last: true, rdb })
    }

    fn check_set(&mut self, path: &Path, manifest: &manifest::Manifest) -> Result<Stop> {
        let directory = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let entries: Vec<&Entry> = manifest.load_order().collect();
        let mut incr_started = false;
        for (index, entry) in entries.iter().enumerate() {
            let path = directory.join(entry.file_name());
            let mut rdb = false;
            let what = if entry.role == Role::Base {
                match open(&path) {
                    Ok(mapping) => rdb = is_rdb(mapping?.bytes()),
                    Err(why) if why.kind() == io::ErrorKind::IsADirectory => {}
                    Err(why) => return Ok(self.cannot_open(&path, &why, false)),
                }
                self.events.push(Event::StartBase { rdb });
                FileKind::Base
            } else {
                if !incr_started {
                    self.events.push(Event::StartIncr);
                    incr_started = true;
                }
                FileKind::Incr
            };
            let name = String::from_utf8_lossy(&entry.name);
            let is_last = index + 1 == entries.len();
            match self.check_file(&Checked { what, name: &name, path: &path, is_last, rdb })? {
                Stop::End => {}
                Stop::Exit => return Ok(Stop::Exit),
                Stop::Cut(mut cut) => {
                    cut.after.push(Event::AllValid);
                    return Ok(Stop::Cut(cut));
                }
            }
        }
        self.events.push(Event::AllValid);
        Ok(Stop::End)
    }

    fn check_file(&mut self, file: &Checked<'_>) -> Result<Stop> {
        let mapping = match open(file.path) {
            Ok(mapping) => mapping?,
            Err(why) => return Ok(self.cannot_open(file.path, &why, true)),
        };
        if self.mode != Mode::Check
            && let Err(why) = check_writable(file.path)
        {
            return Ok(self.cannot_open(file.path, &why, true));
        }
        let seen = Stamp::from_file(mapping.file())
            .map_err(|e| Error::io("read the size of", file.path, e))?;
        if self.mode != Mode::Check && seen.bytes() != mapping.len() {
            return Err(Error::new(ErrorKind::Changed, "the file changes while it is checked")
                .at(file.path)
                .help("stop the server that writes it, and check again"));
        }
        let bytes = mapping.bytes();
        let name = || file.name.to_string();
        if bytes.is_empty() {
            self.events.push(Event::Empty { what: file.what, name: name() });
            return Ok(Stop::End);
        }
        self.progress.phase(file.name, mapping.len());

        let mut start = 0;
        if file.rdb {
            self.events.push(Event::StartRdb { name: name() });
            match (self.rdb_end)(bytes) {
                Ok(end) => {
                    self.events.push(Event::RdbOk { end });
                    start = usize::try_from(end).unwrap_or(usize::MAX).min(bytes.len());
                }
                Err(why) => {
                    mapping.check()?;
                    self.events.push(Event::RdbBroken { why });
                    return Ok(Stop::Exit);
                }
            }
        }
        let mut scan = Scan {
            path: file.path,
            bytes,
            at: start,
            reported: 0,
            begin: start,
            open_transaction: false,
            line: &mut self.line,
            header: &mut self.header,
            progress: self.progress,
            touch: &|range| mapping.prefault(range),
        };
        let timestamp = match self.mode {
            Mode::TruncateTo(timestamp) if timestamp != 0 => Some(timestamp),
            _ => None,
        };
        let scanned = scan.run(timestamp);
        let ok_up_to = scan.begin as u64;
        // The bytes must have been in the file before any result is reported.
        mapping.check()?;
        let size = mapping.len();
        let cut = |keep, asks, after| {
            let (path, after) = (file.path.to_path_buf(), vec![after]);
            Ok(Stop::Cut(Box::new(Cut { path, seen, keep, asks, after })))
        };
        match scanned {
            Scanned::End => {}
            Scanned::BadAnnotation => {
                self.events.push(Event::BadAnnotation);
                return Ok(Stop::Exit);
            }
            Scanned::Later { offset, timestamp } => {
                let path = text(file.path);
                self.events.push(match (offset, file.is_last) {
                    (0, _) => Event::NothingBefore { path, timestamp },
                    (_, false) => Event::LaterNotLast { path, timestamp, offset },
                    (_, true) => {
                        drop(mapping);
                        let after = Event::TruncatedTo { name: name(), timestamp };
                        return cut(offset, false, after);
                    }
                });
                return Ok(Stop::Exit);
            }
            Scanned::Format => self.events.push(Event::Format { name: name() }),
            Scanned::Damage { offset, damage } => {
                self.events.push(Event::Damage { offset, damage });
            }
        }

        let diff = size - ok_up_to;
        if let (0, Some(timestamp)) = (diff, timestamp) {
            self.events.push(Event::NothingLater { name: name(), timestamp });
            self.events.push(Event::Valid { what: file.what, name: name() });
            return Ok(Stop::End);
        }
        let ok_up_to_line = self.line;
        self.events.push(Event::Analyzed { name: name(), size, ok_up_to, ok_up_to_line, diff });
        if diff == 0 {
            self.events.push(Event::Valid { what: file.what, name: name() });
            return Ok(Stop::End);
        }
        if self.mode != Mode::Fix {
            self.events.push(Event::NotValid { name: name() });
            return Ok(Stop::Exit);
        }
        if !file.is_last {
            self.events.push(Event::NotLast { name: name() });
            return Ok(Stop::Exit);
        }
        self.events.push(Event::Shrink { name: name(), size, diff, to: ok_up_to });
        self.events.push(Event::Question);
        drop(mapping);
        cut(ok_up_to, true, Event::Truncated { name: name() })
    }

    fn cannot_open(&mut self, path: &Path, why: &io::Error, aborting: bool) -> Stop {
        let why = why.to_string();
        // The message of strerror, without the error number.
        let why = why.split(" (os error").next().unwrap_or_default().to_string();
        self.events.push(Event::CannotOpen { path: text(path), why, aborting });
        Stop::Exit
    }
}

/// Opens and maps a file. The outer error is one that redis-check-aof does not encounter, the inner one is reported as
/// it does.
fn open(path: &Path) -> io::Result<Result<Mapping>> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if fs::metadata(path)?.is_file() {
        File::open(path)?;
    }
    Ok(Mapping::open(path))
}

/// Returns whether the file counts as one with an RDB preamble.
fn is_rdb(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && starts_with_rdb(bytes)
}

/// Returns whether the file counts as a manifest.
fn is_manifest(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while !rest.is_empty() {
        let line = manifest::next_chunk(&mut rest);
        if !line.starts_with(b"#") {
            return line.starts_with(b"file");
        }
    }
    false
}

pub mod messages;
#[cfg(test)]
mod tests;

use messages::{HEADER_BYTES, text};
