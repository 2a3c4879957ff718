//! What an archive says of itself: the entry `aofkit.json`.
//!
//! It is the last entry. All that it says is known only when the others are written (their hashes, what was found
//! in them), so that an archive is made in one pass; and whoever lists archives finds it beside the directory at
//! the end of the file, in one read. It is stored as it is, not compressed, so that it can be read without any
//! tool, and so that every bit of it counts.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The name of the entry.
pub const CONTENTS: &str = "aofkit.json";

/// The version of what is written; an archive of a higher one is read as far as it is known.
pub const SCHEMA: u32 = 1;

/// The longest that is read, in bytes. One of a set of a thousand files is a tenth of it.
pub(crate) const CONTENTS_BYTES: u64 = 4 << 20;

/// Where a log came from, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The server's host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The server's port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The server's Unix socket.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub socket: Option<PathBuf>,
    /// The `run_id` of the server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// `master` or `slave`, as INFO says it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The replication offset that the log reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_offset: Option<u64>,
    /// The server and its version: `redis 7.0.15`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What was read, as it was given.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub path: Option<PathBuf>,
    /// How far a replica was behind its master, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
}

/// How the log lay on disk, and how it lies in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrangement {
    /// One file: `appendonly.aof`.
    SingleFile,
    /// An RDB and nothing else.
    RdbFile,
    /// A directory with a manifest: `appendonlydir/`.
    MultiPart,
}

/// What a file is to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileRole {
    /// The whole log.
    Single,
    /// The base file of a set.
    Base,
    /// An incremental file of a set.
    Incr,
    /// The manifest of a set.
    Manifest,
}

/// One file of the archive, and what was found in it when it was packed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The name of its entry: a path as a server expects it below its data directory.
    pub name: String,
    /// What it is to the log.
    pub role: FileRole,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// What it takes in the archive, in bytes, without headers.
    pub packed_bytes: u64,
    /// The CRC-32 of these bytes. (That of the file's own bytes is in the headers of the archive.)
    pub packed_crc32: u32,
    /// Whole commands.
    #[serde(default)]
    pub commands: u64,
    /// Keys of the RDB that it begins with.
    #[serde(default)]
    pub rdb_keys: u64,
    /// Whole transactions.
    #[serde(default)]
    pub transactions: u64,
    /// The first `#TS:` annotation, in Unix seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_time: Option<i64>,
    /// The last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_time: Option<i64>,
    /// What was wrong with it: a sentence. Absent where every byte was read and no transaction was open at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// What the version that made the archive did not know of the RDB at its start, which is whole by its checksum: its
    /// keys were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<String>,
}

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The version of this schema.
    pub schema: u32,
    /// What wrote it: `aofkit 0.1.0`.
    pub tool: String,
    /// Whether it is a backup: one that got its name only after it was read back and found whole, and that retention
    /// may remove one day.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// The time that it is of: of a backup, when the log was read.
    pub created: Timestamp,
    /// Where the log came from.
    pub source: Source,
    /// How it lay on disk.
    pub layout: Arrangement,
    /// The files, in the order of their entries: what a server loads in its order, the manifest last.
    pub files: Vec<FileRecord>,
    /// The fingerprint of the data set, where it was taken (`aofkit digest` prints the same).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

impl Contents {
    /// The bytes of all files together.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// The commands of all files together.
    pub fn commands(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.commands))
    }

    /// The keys of all RDBs together.
    pub fn rdb_keys(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.rdb_keys))
    }

    /// The first `#TS:` annotation of all files, in Unix seconds.
    pub fn first_time(&self) -> Option<i64> {
        self.files.iter().find_map(|file| file.first_time)
    }

    /// The last one.
    pub fn last_time(&self) -> Option<i64> {
        self.files.iter().rev().find_map(|file| file.last_time)
    }

    /// The bytes of the entry.
    pub(crate) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
