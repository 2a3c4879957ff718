//! The reports: the schema of their JSON, and the only thing that their text is made from.

use std::path::PathBuf;

use serde::Serialize;

use super::contents::{Arrangement, Contents, FileRecord};
use super::method::Method;
pub use crate::base::level::Level;
use crate::rdb::UnknownContent;

/// What came of packing a log.
#[derive(Debug, Clone, Serialize)]
pub struct CompressReport {
    /// The version of this schema.
    pub schema: u32,
    /// `compress`.
    pub report: &'static str,
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// How the files are packed.
    pub method: Method,
    /// At which level; absent of files that are not packed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// The bytes of all files.
    pub bytes: u64,
    /// The length of the archive.
    pub archive_bytes: u64,
    /// How many times as long the files are as the archive.
    pub ratio: f64,
    /// What the archive says of itself.
    pub contents: Contents,
    /// Whether the archive was read back, and found sound, before it appeared.
    pub checked: bool,
    /// How long each phase took.
    pub phases: Vec<Phase>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// A phase of the work.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What is in an archive, and whether it is whole.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether there is no finding of level error.
    pub sound: bool,
    /// Whether aofkit made it: whether it says of itself what it should hold.
    pub own: bool,
    /// The length of the archive.
    pub archive_bytes: u64,
    /// The bytes of all entries, unpacked.
    pub bytes: u64,
    /// Whole commands in all entries.
    pub commands: u64,
    /// Keys in RDBs.
    pub rdb_keys: u64,
    /// What the archive says of itself; `None` of zips that others made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// How the log lies in it, where one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Arrangement>,
    /// The entries, in the order of the directory.
    pub entries: Vec<EntryReport>,
    /// What was found, the worst first.
    pub findings: Vec<ArchiveFinding>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// What was found of one entry.
#[derive(Debug, Clone, Serialize)]
pub struct EntryReport {
    /// Its name, made printable.
    pub name: String,
    /// How it is packed.
    pub method: Method,
    /// What it holds.
    pub kind: EntryKind,
    /// Its bytes as they were unpacked; fewer than it declares where that failed.
    pub bytes: u64,
    /// The bytes that it takes.
    pub packed_bytes: u64,
    /// The CRC-32 of what was unpacked.
    pub crc32: u32,
    /// The SHA-256 of what was unpacked.
    pub sha256: String,
    /// Whole commands.
    pub commands: u64,
    /// Keys of the RDB that it begins with.
    pub rdb_keys: u64,
    /// What this version does not know of that RDB, which is whole by its checksum: its keys are not counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<UnknownContent>,
    /// Whole transactions.
    pub transactions: u64,
    /// The first `#TS:` annotation, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<i64>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<i64>,
}

/// What an entry holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// Commands, with or without an RDB before them.
    Log,
    /// An RDB and nothing else.
    Rdb,
    /// The manifest of a set.
    Manifest,
    /// What the archive says of itself.
    Contents,
    /// A directory.
    Directory,
    /// Nothing that a server loads: only its checksum was held against it.
    Other,
}

/// One thing found in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveFinding {
    /// How much it matters.
    pub level: Level,
    /// What it is: a word that stays the same from version to version.
    pub kind: &'static str,
    /// The entry that it is about, its name made printable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The byte of the unpacked entry; of the archive where no entry is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// What it is, for a person: lower case, without a final stop.
    pub message: String,
    /// What it means and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl ArchiveFinding {
    pub(crate) fn new(level: Level, kind: &'static str, message: impl Into<String>) -> Self {
        ArchiveFinding {
            level,
            kind,
            entry: None,
            offset: None,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn entry(mut self, name: &str) -> Self {
        self.entry = Some(name.to_owned());
        self
    }

    pub(crate) fn offset(mut self, offset: u64) -> Self {
        self.offset = Some(offset);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// What came of extracting an archive.
#[derive(Debug, Clone, Serialize)]
pub struct ExtractReport {
    /// The version of this schema.
    pub schema: u32,
    /// `extract`.
    pub report: &'static str,
    /// The archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The directory that the files were written into.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// What stands directly in it now that did not before.
    pub written: Vec<String>,
    /// What was found while it was unpacked.
    pub archive: ArchiveReport,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// The files of a record, for tests of others.
impl CompressReport {
    /// The record of a file by the name of its entry.
    pub fn file(&self, name: &str) -> Option<&FileRecord> {
        self.contents.files.iter().find(|file| file.name == name)
    }
}
