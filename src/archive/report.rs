//! The reports on archives, which are the schemas of their JSON output and the only source of their text output.

use std::path::PathBuf;

use serde::Serialize;

use super::contents::{Arrangement, Contents, FileRecord};
use super::method::Method;
pub use crate::base::level::Level;
use crate::rdb::UnknownContent;

/// The result of compressing a log.
#[derive(Debug, Clone, Serialize)]
pub struct CompressReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// The compression method.
    pub method: Method,
    /// The compression level; absent for files that are not compressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<i32>,
    /// The total size of all files in bytes.
    pub bytes: u64,
    /// The size of the archive in bytes.
    pub archive_bytes: u64,
    /// The ratio of the size of the files to the size of the archive.
    pub ratio: f64,
    /// The number of bytes after the end of an RDB file. Servers ignore them, and they are left out.
    pub(crate) after_rdb: u64,
    /// The metadata of the archive.
    pub contents: Contents,
    /// Whether the archive is encrypted.
    pub encrypted: bool,
    /// Whether the archive was read back and found valid before it was published.
    pub checked: bool,
    /// What was read back, if anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) read_back: Option<ReadBack>,
    /// Whole commands that servers refuse or crash on, the first of each file.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<ArchiveFinding>,
    /// The run time of each phase.
    pub(crate) phases: Vec<Phase>,
    /// The total run time in seconds.
    pub elapsed_s: f64,
}

/// What was read back of an archive before it was published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReadBack {
    /// Its content: each entry was decompressed from the disk and compared with the file.
    Contents,
    /// Its encrypted bytes: they were compared with those that were written, whose entries had been decompressed and
    /// compared with the files before they were encrypted.
    Ciphertext,
}

/// A phase of the compression.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Phase {
    /// The name of the phase.
    pub name: &'static str,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The content of an archive and the result of its verification.
#[derive(Debug, Clone, Serialize)]
pub struct ArchiveReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether there are no findings of level error.
    pub sound: bool,
    /// Whether aofkit made it, so that its metadata describes the expected content.
    pub own: bool,
    /// The size of the archive in bytes.
    pub archive_bytes: u64,
    /// The total uncompressed size of all entries in bytes.
    pub bytes: u64,
    /// The number of complete commands in all entries.
    pub commands: u64,
    /// The number of keys in RDBs.
    pub rdb_keys: u64,
    /// The metadata of the archive; `None` for ZIP archives made by other programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// The layout of the log in the archive, if a log was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layout: Option<Arrangement>,
    /// The entries, in the order of the directory.
    pub entries: Vec<EntryReport>,
    /// The findings, most severe first.
    pub findings: Vec<ArchiveFinding>,
    /// Whether a file has whole commands that servers refuse or crash on, which is no damage to the archive.
    #[serde(skip)]
    pub(crate) has_unloadable: bool,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

impl ArchiveReport {
    /// Adds findings, in the order of severity, and judges the archive by them.
    pub(crate) fn add(&mut self, findings: Vec<ArchiveFinding>) {
        self.findings.extend(findings);
        self.findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
        self.sound = self.findings.iter().all(|finding| finding.level < Level::Error);
    }
}

/// The result for one entry.
#[derive(Debug, Clone, Serialize)]
pub struct EntryReport {
    /// The name, escaped for display.
    pub name: String,
    /// The compression method.
    pub method: Method,
    /// The kind of content.
    pub kind: EntryKind,
    /// The number of decompressed bytes, which is less than declared if decompression failed.
    pub bytes: u64,
    /// The compressed size in bytes.
    pub packed_bytes: u64,
    /// The CRC-32 of the decompressed bytes.
    pub crc32: u32,
    /// The SHA-256 of the decompressed bytes, in hexadecimal digits.
    pub sha256: String,
    /// The number of complete commands.
    pub commands: u64,
    /// The number of keys in the RDB at its beginning.
    pub rdb_keys: u64,
    /// The content of that RDB that is unknown to this version, if the checksum proves the RDB intact: its keys are not
    /// counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<UnknownContent>,
    /// The number of complete transactions.
    pub transactions: u64,
    /// The time of the first `#TS:` annotation.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub first_time: Option<i64>,
    /// The time of the last `#TS:` annotation.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub last_time: Option<i64>,
}

/// The kind of content of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// Commands, with or without an RDB before them.
    Log,
    /// An RDB only.
    Rdb,
    /// The manifest of a set.
    Manifest,
    /// The metadata of the archive.
    Contents,
    /// A directory.
    Directory,
    /// A file that no server loads: only its checksum was verified.
    Other,
}

/// A finding about an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ArchiveFinding {
    /// The severity.
    pub level: Level,
    /// The kind: an identifier that is stable across versions.
    pub kind: &'static str,
    /// The name of the entry that it concerns, escaped for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<String>,
    /// The byte offset in the decompressed entry, or in the archive if no entry is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
    /// A description for display, in lower case and without a full stop.
    pub message: String,
    /// The consequence and the recommended action.
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

/// The result of extracting an archive.
#[derive(Debug, Clone, Serialize)]
pub struct ExtractReport {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The output directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub output: PathBuf,
    /// The names of the files and directories created directly in it.
    pub written: Vec<String>,
    /// The result of verifying the archive during extraction.
    pub archive: ArchiveReport,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// Access to the records of files, for other modules' tests.
impl CompressReport {
    /// Returns the record of a file by the name of its entry.
    pub fn file(&self, name: &str) -> Option<&FileRecord> {
        self.contents.files.iter().find(|file| file.name == name)
    }
}
