//! redis-check-aof, to the word: what its users and their scripts rely on, minus the loss.
//!
//! [`check`] gives the lines, the verdict, the offset and the exit code of redis-check-aof 7.0
//! (Valkey's differs in its name only), for a single file, one with an RDB preamble, and a
//! manifest. Its grammar is its own, neither the loader's nor that of `verify`; observed on 7.0.15,
//! read in `redis-check-aof.c`:
//!
//! - a header is a line of less than 128 bytes: `*` or `$`, what C's `strtol` reads, and at once CR
//!   LF;
//! - CR LF must follow every argument;
//! - `*0` and `*-5` are commands without arguments; a negative `$` is refused;
//! - MULTI must not stand inside MULTI, nor EXEC outside; no other name is looked at;
//! - a line that begins with `#` is skipped, up to 1023 bytes of it;
//! - the good end is the last unit boundary outside MULTI, and the line number counts CR LFs of
//!   commands only, over all files of a set.
//!
//! Where it departs, on purpose:
//!
//! - what is cut off stays, in a file beside the one that was cut, and a line says so;
//! - a check without `--fix` opens files for reading only, so it works without the right to write;
//! - a file counts as a manifest by its first line that is no comment, as in valkey-check-aof; 7.0
//!   takes an AOF for one if a value has a line that begins with `file`;
//! - an RDB that begins with `VALKEY` is known too;
//! - of an RDB, offset and verdict are told, but not its fields and keys;
//! - a length that the system has no memory for is a short read, not a crash;
//! - the lines about a broken manifest come without process number and time, with control
//!   characters escaped, and with an editor's line number, which is lower behind a comment of more
//!   than 1024 bytes;
//! - a few messages there contain a byte from behind the end of what was read; here it is what
//!   redis-check-aof most often has there.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use serde::Serialize;

use crate::aof::manifest::{self, Entry, ManifestError, Role, Rule, strtol};
use crate::disk::{Mapping, Stamp, cut_tail};
use crate::error::{Error, ErrorKind, Result};
use crate::progress::Progress;

/// What to do besides checking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing.
    Check,
    /// `--fix`: offer to cut a damaged last file at its good end.
    Fix,
    /// `--truncate-to-timestamp`: cut the last file before its first annotation with a later time,
    /// in Unix seconds. 0 only checks, as it does in redis-check-aof.
    TruncateTo(i64),
}

/// What a check came to.
#[derive(Debug)]
pub struct Report {
    /// What there is to say, in order.
    pub events: Vec<Event>,
    /// Whether that is all.
    pub end: End,
}

/// How a check ends.
#[derive(Debug)]
pub enum End {
    /// With an exit code: 0 valid, 1 anything else.
    Done(u8),
    /// With a cut that is to be made, or, if [`Cut::asks`], to be decided on.
    Cut(Cut),
}

/// A cut that has been found but not made.
#[derive(Debug)]
pub struct Cut {
    path: PathBuf,
    seen: Stamp,
    keep: u64,
    asks: bool,
    after: Vec<Event>,
}

impl Cut {
    /// Whether it is made only if a person agrees; the last event is the question then.
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes stay.
    pub fn keep_bytes(&self) -> u64 {
        self.keep
    }

    /// How many bytes are cut off.
    pub fn cut_bytes(&self) -> u64 {
        self.seen.bytes().saturating_sub(self.keep)
    }

    /// Makes the cut. What is cut off is first written to `NAME.cut-YYYYMMDDhhmmss` beside the
    /// file, for which `now` is the local time, and synced. The exit code is 0.
    ///
    /// # Errors
    ///
    /// When the file has changed since the check, or the system refuses to write the copy or to
    /// shorten the file.
    pub fn make(self, now: DateTime) -> Result<Vec<Event>> {
        let mut copy = self.path.clone().into_os_string();
        copy.push(now.strftime(".cut-%Y%m%d%H%M%S").to_string());
        let bytes = self.cut_bytes();
        let copy = cut_tail(&self.path, &self.seen, self.keep, Path::new(&copy))?;
        let mut events = vec![Event::Kept { path: text(&copy), bytes }];
        events.extend(self.after);
        Ok(events)
    }

    /// Leaves the file as it is. The exit code is 1.
    pub fn decline(self) -> Vec<Event> {
        vec![Event::Aborting]
    }
}

/// One thing that is told. [`render`] has the words.
///
/// `name` is a file as the manifest or the command line has it, `path` with the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the fields are those of the lines that render() writes")]
#[non_exhaustive]
pub enum Event {
    /// A single file is checked.
    StartSingle,
    /// A set is checked.
    StartMultiPart,
    /// The manifest breaks a rule.
    Manifest { error: ManifestError },
    /// The base file comes.
    StartBase { rdb: bool },
    /// The incremental files come.
    StartIncr,
    /// A file cannot be opened.
    CannotOpen { path: String, why: String, aborting: bool },
    /// A directory was given.
    CannotRead { path: String },
    /// The file begins with an RDB.
    StartRdb { name: String },
    /// The RDB is whole; it ends at byte `end`.
    RdbOk { end: u64 },
    /// The RDB is not whole.
    RdbBroken { why: String },
    /// Neither command nor annotation stands where one must begin.
    Format { name: String },
    /// A command is damaged.
    Damage {
        /// Where the reading of what is damaged began, in bytes.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// How far a file is good.
    Analyzed { name: String, size: u64, ok_up_to: u64, ok_up_to_line: u64, diff: u64 },
    /// Only the last file may be cut.
    NotLast { name: String },
    /// What a cut would do.
    Shrink { name: String, size: u64, diff: u64, to: u64 },
    /// The question; it does not end its line.
    Question,
    /// The answer was no.
    Aborting,
    /// The file is damaged, and nobody asked to cut it.
    NotValid { name: String },
    /// No annotation is later than the time.
    NothingLater { name: String, timestamp: i64 },
    /// An annotation is no time.
    BadAnnotation,
    /// The first annotation is later than the time.
    NothingBefore { path: String, timestamp: i64 },
    /// A later annotation, but not in the last file.
    LaterNotLast { path: String, timestamp: i64, offset: u64 },
    /// What was cut off is kept.
    Kept { path: String, bytes: u64 },
    /// The damage was cut off.
    Truncated { name: String },
    /// What is later was cut off.
    TruncatedTo { name: String, timestamp: i64 },
    /// The file is good.
    Valid { what: What, name: String },
    /// The file has no bytes.
    Empty { what: What, name: String },
    /// All files of the set are good.
    AllValid,
}

/// What a file is, in the words of redis-check-aof.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum What {
    /// `AOF`
    Single,
    /// `BASE AOF`
    Base,
    /// `INCR AOF`
    Incr,
}

/// What is wrong with a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Damage {
    /// No CR LF where it must be.
    Newline {
        /// The two bytes there.
        got: [u8; 2],
    },
    /// A header begins with the wrong byte.
    Prefix {
        /// `*` or `$`.
        expected: char,
        /// The byte there.
        got: u8,
    },
    /// A length that no argument can have.
    Length {
        /// The length.
        length: i64,
    },
    /// The file ends inside an argument.
    Short {
        /// Its length with the CR LF, in bytes.
        expected: u64,
        /// How many there are.
        got: u64,
    },
    /// MULTI inside MULTI.
    Multi {
        /// The file.
        path: String,
    },
    /// EXEC outside MULTI.
    Exec {
        /// The file.
        path: String,
    },
    /// MULTI without EXEC.
    Open,
}

/// The words of redis-check-aof for an event, with the line end where there is one.
///
/// Bytes, because a message may quote a byte of the file as it is.
pub fn render(event: &Event) -> Vec<u8> {
    let line = match event {
        Event::StartSingle => "Start checking Old-Style AOF".into(),
        Event::StartMultiPart => "Start checking Multi Part AOF".into(),
        Event::Manifest { error } => {
            let mut lines = String::from("*** FATAL AOF MANIFEST FILE ERROR ***\n");
            let has_line = !matches!(
                error.rule,
                Rule::Empty | Rule::LineTooLong | Rule::NoNewline | Rule::ZeroByte
            );
            if has_line {
                lines += &format!(
                    "Reading the manifest file, at line {}\n>>> '{}'\n",
                    error.line, error.text
                );
            }
            lines + error.rule.server_message()
        }
        Event::StartBase { rdb } => {
            format!("Start to check BASE AOF ({} format).", if *rdb { "RDB" } else { "RESP" })
        }
        Event::StartIncr => "Start to check INCR files.".into(),
        Event::CannotOpen { path, why, aborting } => {
            format!(
                "Cannot open file {path}: {why}{}",
                if *aborting { ", aborting..." } else { "" }
            )
        }
        Event::CannotRead { path } => format!("Cannot read file: {path}"),
        Event::StartRdb { name } => format!("[offset 0] Checking RDB file {name}"),
        Event::RdbOk { end } => format!(
            "[offset {end}] \\o/ RDB looks OK! \\o/\nRDB preamble is OK, proceeding with AOF tail..."
        ),
        Event::RdbBroken { why } => format!(
            "--- RDB ERROR DETECTED ---\n{why}\nRDB preamble of AOF file is not sane, aborting."
        ),
        Event::Format { name } => format!("AOF {name} format error"),
        Event::Damage { offset, damage } => return render_damage(*offset, damage),
        Event::Analyzed { name, size, ok_up_to, ok_up_to_line, diff } => format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={ok_up_to}, ok_up_to_line={ok_up_to_line}, diff={diff}"
        ),
        Event::NotLast { name } => {
            format!("Failed to truncate AOF {name} because it is not the last file")
        }
        Event::Shrink { name, size, diff, to } => format!(
            "This will shrink the AOF {name} from {size} bytes, with {diff} bytes, to {to} bytes"
        ),
        Event::Question => return b"Continue? [y/N]: ".to_vec(),
        Event::Aborting => "Aborting...".into(),
        Event::NotValid { name } => {
            format!("AOF {name} is not valid. Use the --fix option to try fixing it.")
        }
        Event::NothingLater { name, timestamp } => {
            format!("Truncate nothing in AOF {name} to timestamp {timestamp}")
        }
        Event::BadAnnotation => "Invalid timestamp annotation".into(),
        Event::NothingBefore { path, timestamp } => {
            format!("AOF {path} has nothing before timestamp {timestamp}, aborting...")
        }
        Event::LaterNotLast { path, timestamp, offset } => format!(
            "Failed to truncate AOF {path} to timestamp {timestamp} to offset {offset} because it is not the last file.\nIf you insist, please delete all files after this file according to the manifest file and delete the corresponding records in manifest file manually. Then re-run redis-check-aof."
        ),
        Event::Kept { path, bytes } => format!("Kept the {bytes} bytes that are cut off in {path}"),
        Event::Truncated { name } => format!("Successfully truncated AOF {name}"),
        Event::TruncatedTo { name, timestamp } => {
            format!("Successfully truncated AOF {name} to timestamp {timestamp}")
        }
        Event::Valid { what, name } => format!("{} {name} is valid", what.words()),
        Event::Empty { what, name } => format!("{} {name} is empty", what.words()),
        Event::AllValid => "All AOF files and manifest are valid".into(),
    };
    format!("{line}\n").into_bytes()
}

impl What {
    fn words(self) -> &'static str {
        match self {
            What::Single => "AOF",
            What::Base => "BASE AOF",
            What::Incr => "INCR AOF",
        }
    }
}

fn render_damage(offset: u64, damage: &Damage) -> Vec<u8> {
    /// Bytes that a message has room for there.
    const ROOM_BYTES: usize = 1023;
    let mut message = match damage {
        Damage::Newline { got: [first, second] } => {
            // C's `char` has a sign, and `%02x` shows it.
            let hex = |byte: u8| {
                if byte < 0x80 { format!("{byte:02x}") } else { format!("ffffff{byte:02x}") }
            };
            format!("Expected \\r\\n, got: {}{}", hex(*first), hex(*second)).into_bytes()
        }
        // A zero byte ends the message there.
        Damage::Prefix { expected, got: 0 } => {
            format!("Expected prefix '{expected}', got: '").into_bytes()
        }
        Damage::Prefix { expected, got } => {
            let mut message = format!("Expected prefix '{expected}', got: '").into_bytes();
            message.extend([*got, b'\'']);
            message
        }
        Damage::Length { length } => {
            format!("Expected to read string of {length} bytes, which is not in the suitable range")
                .into_bytes()
        }
        Damage::Short { expected, got } => {
            format!("Expected to read {expected} bytes, got {got} bytes").into_bytes()
        }
        Damage::Multi { path } => format!("Unexpected MULTI in AOF {path}").into_bytes(),
        Damage::Exec { path } => format!("Unexpected EXEC in AOF {path}").into_bytes(),
        Damage::Open => b"Reached EOF before reading EXEC for MULTI".to_vec(),
    };
    message.truncate(ROOM_BYTES);
    let mut line = format!("0x{offset:>16x}: ").into_bytes();
    line.extend(message);
    line.push(b'\n');
    line
}

/// Checks the file or manifest at `path`.
///
/// `rdb_end` is asked for the end of an RDB, given the bytes of a file that begins with one: the
/// offset behind its checksum, or what is wrong with it.
///
/// # Errors
///
/// When a file cannot be mapped or changes under the check. What redis-check-aof itself reports, a
/// missing file for example, is an event.
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

/// The size of the buffer for headers, in bytes, with the zero byte at its end.
const HEADER_BYTES: usize = 128;
/// The same for annotations.
const ANNOTATION_BYTES: usize = 1024;

struct Run<'a, R> {
    mode: Mode,
    rdb_end: R,
    progress: &'a dyn Progress,
    events: Vec<Event>,
    /// The line number, which goes on from file to file.
    line: u64,
    /// The last `*` header. It outlives its line: a message may show a byte from behind the end.
    header: [u8; HEADER_BYTES + 2],
}

/// Why the run stops, here or for good.
enum Stop {
    /// This file, or all, is done and good.
    End,
    /// With exit code 1.
    Exit,
    /// Before a cut.
    Cut(Box<Cut>),
}

/// One file to check.
struct Checked<'a> {
    what: What,
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
        self.check_file(&Checked { what: What::Single, name: &name, path, is_last: true, rdb })
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
                What::Base
            } else {
                if !incr_started {
                    self.events.push(Event::StartIncr);
                    incr_started = true;
                }
                What::Incr
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
            && let Err(why) = OpenOptions::new().read(true).write(true).open(file.path)
        {
            return Ok(self.cannot_open(file.path, &why, true));
        }
        let seen =
            Stamp::of(mapping.file()).map_err(|e| Error::io("read the size of", file.path, e))?;
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
            told: 0,
            begin: start,
            open_transaction: false,
            line: &mut self.line,
            header: &mut self.header,
            progress: self.progress,
        };
        let timestamp = match self.mode {
            Mode::TruncateTo(timestamp) if timestamp != 0 => Some(timestamp),
            _ => None,
        };
        let scanned = scan.run(timestamp);
        let ok_up_to = scan.begin as u64;
        // What was read must have been in the file, before anybody is told about it.
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
        // As strerror says it.
        let why = why.split(" (os error").next().unwrap_or_default().to_string();
        self.events.push(Event::CannotOpen { path: text(path), why, aborting });
        Stop::Exit
    }
}

/// Opens and maps a file: outside what redis-check-aof reports, inside what it would not meet.
fn open(path: &Path) -> io::Result<Result<Mapping>> {
    if fs::metadata(path)?.is_dir() {
        return Err(io::Error::from_raw_os_error(libc::EISDIR));
    }
    if fs::metadata(path)?.is_file() {
        File::open(path)?;
    }
    Ok(Mapping::open(path))
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Whether the file counts as one with an RDB in front.
fn is_rdb(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && (bytes.starts_with(b"REDIS") || bytes.starts_with(b"VALKEY"))
}

/// Whether the file counts as a manifest.
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

/// What stopped the scan of a file.
enum Scanned {
    /// Its end; or a torn header or argument count, of which nothing is said.
    End,
    Format,
    Damage {
        offset: u64,
        damage: Damage,
    },
    BadAnnotation,
    Later {
        offset: u64,
        timestamp: i64,
    },
}

/// The scan of one file.
struct Scan<'a> {
    path: &'a Path,
    bytes: &'a [u8],
    at: usize,
    /// Up to where progress has been told.
    told: usize,
    /// Where the last unit outside MULTI begins, or the end.
    begin: usize,
    open_transaction: bool,
    line: &'a mut u64,
    header: &'a mut [u8; HEADER_BYTES + 2],
    progress: &'a dyn Progress,
}

/// A command that could not be read: what is wrong and where, or nothing at the end of the file.
type Torn = Option<(usize, Damage)>;

impl<'a> Scan<'a> {
    fn run(&mut self, timestamp: Option<i64>) -> Scanned {
        const TELL_BYTES: usize = 1 << 20;
        let mut last_read = 0;
        loop {
            if !self.open_transaction {
                self.begin = self.at;
            }
            if self.at - self.told >= TELL_BYTES {
                self.progress.advance((self.at - self.told) as u64);
                self.told = self.at;
            }
            match self.bytes.get(self.at) {
                None => break,
                Some(b'#') => {
                    last_read = self.at;
                    let line = self.take_line(ANNOTATION_BYTES);
                    let Some(timestamp) = timestamp else { continue };
                    match later(line, timestamp) {
                        Some(false) => {}
                        None => return Scanned::BadAnnotation,
                        Some(true) => {
                            return Scanned::Later { offset: last_read as u64, timestamp };
                        }
                    }
                }
                Some(b'*') => match self.command(&mut last_read) {
                    Ok(()) => {}
                    Err(None) => break,
                    Err(Some((offset, damage))) => {
                        return Scanned::Damage { offset: offset as u64, damage };
                    }
                },
                Some(_) => return Scanned::Format,
            }
        }
        self.progress.advance((self.at - self.told) as u64);
        if self.open_transaction {
            return Scanned::Damage { offset: last_read as u64, damage: Damage::Open };
        }
        Scanned::End
    }

    /// Reads one command. `last_read` becomes where the last line or argument that was read begins.
    fn command(&mut self, last_read: &mut usize) -> Result<(), Torn> {
        let arguments = self.number('*', last_read)?;
        for index in 0..arguments {
            let length = self.number('$', last_read)?;
            let wanted = u64::try_from(length).ok().filter(|&length| length <= MAX_LENGTH);
            let Some(wanted) = wanted.map(|length| length + 2) else {
                return Err(Some((*last_read, Damage::Length { length })));
            };
            *last_read = self.at;
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let argument = usize::try_from(wanted).ok().and_then(|wanted| rest.get(..wanted));
            let Some((argument, &end)) = argument.and_then(<[u8]>::split_last_chunk) else {
                self.at = self.bytes.len();
                let got = rest.len() as u64;
                return Err(Some((*last_read, Damage::Short { expected: wanted, got })));
            };
            self.at += argument.len() + end.len();
            self.newline(end, *last_read)?;
            if index == 0 {
                self.transaction(argument).map_err(|damage| Some((*last_read, damage)))?;
            }
        }
        Ok(())
    }

    /// Follows MULTI and EXEC. A name ends at its first zero byte.
    fn transaction(&mut self, name: &[u8]) -> Result<(), Damage> {
        let head = name.get(..6).unwrap_or(name);
        let name = head.split(|&byte| byte == 0).next().unwrap_or_default();
        if name.eq_ignore_ascii_case(b"multi") {
            if self.open_transaction {
                return Err(Damage::Multi { path: text(self.path) });
            }
            self.open_transaction = true;
        } else if name.eq_ignore_ascii_case(b"exec") {
            if !self.open_transaction {
                return Err(Damage::Exec { path: text(self.path) });
            }
            self.open_transaction = false;
        }
        Ok(())
    }

    /// Reads a header line: a prefix, a number, CR LF.
    fn number(&mut self, prefix: char, last_read: &mut usize) -> Result<i64, Torn> {
        *last_read = self.at;
        let line = self.take_line(HEADER_BYTES);
        let Some(&first) = line.first() else { return Err(None) };
        let mut fresh = [0; HEADER_BYTES + 2];
        let buffer = if prefix == '*' { &mut *self.header } else { &mut fresh };
        for (to, from) in buffer.iter_mut().zip(line.iter().chain([&0])) {
            *to = *from;
        }
        if char::from(first) != prefix {
            return Err(Some((*last_read, Damage::Prefix { expected: prefix, got: first })));
        }
        let number = strtol(line.get(1..).unwrap_or_default());
        let end = 1 + number.used;
        let end = [end, end + 1].map(|at| buffer.get(at).copied().unwrap_or_default());
        self.newline(end, *last_read)?;
        Ok(number.value)
    }

    fn newline(&mut self, got: [u8; 2], last_read: usize) -> Result<(), Torn> {
        if got != *b"\r\n" {
            return Err(Some((last_read, Damage::Newline { got })));
        }
        *self.line += 1;
        Ok(())
    }

    /// Takes a line as `fgets` does with a buffer of so many bytes: cut if it is too long, without
    /// its newline at the end of the file, empty behind that.
    fn take_line(&mut self, buffer_bytes: usize) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let rest = rest.get(..buffer_bytes - 1).unwrap_or(rest);
        let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
        self.at += len;
        rest.get(..len).unwrap_or_default()
    }
}

/// The longest argument, in bytes.
const MAX_LENGTH: u64 = i64::MAX.unsigned_abs() - 2;

/// Whether a line is an annotation of a time after `timestamp`; nothing, if what should be a time
/// is none.
fn later(line: &[u8], timestamp: i64) -> Option<bool> {
    let Some(text) = line.strip_prefix(b"#TS:") else { return Some(false) };
    let number = strtol(text);
    if number.overflow || text.get(number.used) != Some(&b'\r') {
        return None;
    }
    Some(number.value > timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;
    use std::os::unix::fs::PermissionsExt;

    const PING: &str = "*1\r\n$4\r\nPING\r\n";

    fn run(path: &Path, mode: Mode) -> Report {
        check(path, mode, |_| Err("no RDB expected".into()), &Silent).unwrap()
    }

    fn words(events: &[Event], directory: &Path) -> String {
        let bytes: Vec<u8> = events.iter().flat_map(render).collect();
        String::from_utf8(bytes).unwrap().replace(&format!("{}/", directory.display()), "")
    }

    #[test]
    fn a_torn_file_is_told_offered_to_be_cut_and_cut_with_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.aof");
        fs::write(&path, format!("{PING}*2\r\n$4\r\nEC")).unwrap();
        let damage = "Start checking Old-Style AOF\n\
            0x              16: Expected to read 6 bytes, got 2 bytes\n\
            AOF analyzed: filename=a.aof, size=24, ok_up_to=14, ok_up_to_line=6, diff=10\n";
        let report = run(&path, Mode::Check);
        assert!(matches!(report.end, End::Done(1)));
        assert_eq!(
            words(&report.events, directory.path()),
            format!("{damage}AOF a.aof is not valid. Use the --fix option to try fixing it.\n")
        );

        let report = run(&path, Mode::Fix);
        assert_eq!(
            words(&report.events, directory.path()),
            format!(
                "{damage}This will shrink the AOF a.aof from 24 bytes, with 10 bytes, to 14 bytes\nContinue? [y/N]: "
            )
        );
        let End::Cut(cut) = report.end else { panic!("no cut") };
        assert!(cut.asks());
        assert_eq!((cut.keep_bytes(), cut.cut_bytes()), (14, 10));
        let events = cut.make("2026-01-02T03:04:05".parse().unwrap()).unwrap();
        assert_eq!(
            words(&events, directory.path()),
            "Kept the 10 bytes that are cut off in a.aof.cut-20260102030405\nSuccessfully truncated AOF a.aof\n"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), PING);
        let copy = directory.path().join("a.aof.cut-20260102030405");
        assert_eq!(fs::read_to_string(copy).unwrap(), "*2\r\n$4\r\nEC");
    }

    #[test]
    fn a_file_that_grew_after_the_check_is_not_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.aof");
        fs::write(&path, format!("{PING}*")).unwrap();
        let End::Cut(cut) = run(&path, Mode::Fix).end else { panic!("no cut") };
        fs::write(&path, format!("{PING}{PING}")).unwrap();
        let error = cut.make("2026-01-02T03:04:05".parse().unwrap()).unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Changed);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{PING}{PING}"));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_the_last_file_of_a_set_is_offered_to_be_cut() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.manifest");
        fs::write(&path, "file b seq 1 type b\nfile i seq 1 type i\n").unwrap();
        fs::write(directory.path().join("b"), "*").unwrap();
        fs::write(directory.path().join("i"), PING).unwrap();
        let report = run(&path, Mode::Fix);
        assert!(matches!(report.end, End::Done(1)));
        assert_eq!(
            words(&report.events, directory.path()),
            "Start checking Multi Part AOF\nStart to check BASE AOF (RESP format).\n\
             0x               0: Expected \\r\\n, got: 0000\n\
             AOF analyzed: filename=b, size=1, ok_up_to=0, ok_up_to_line=1, diff=1\n\
             Failed to truncate AOF b because it is not the last file\n"
        );
    }

    #[test]
    fn a_check_needs_no_right_to_write() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a.aof");
        fs::write(&path, PING).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(matches!(run(&path, Mode::Check).end, End::Done(0)));
    }
}
