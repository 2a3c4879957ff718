//! The metadata of an archive: the entry `aofkit.json`.
//!
//! It is the last entry. Its content (hashes and statistics of the files) is known only when the others are written, so
//! that an archive is made in one pass; and a listing of archives finds it next to the directory at the end of the
//! file, in one read. It is stored uncompressed, so that it can be read without any tool, and so that a change of any
//! bit of it is detected.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::key_filter::KEY_FILTER;

/// The name of the entry.
pub const CONTENTS: &str = "aofkit.json";

/// The version of the schema that is written; an archive with a higher version is read as far as it is known.
pub const SCHEMA: u32 = 1;

/// The maximum size of the metadata in bytes. That of a set of a thousand files is a tenth of it.
pub(crate) const CONTENTS_BYTES: u64 = 4 << 20;

/// The source of a log, as far as it is known.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Source {
    /// The host of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The port of the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The Unix socket of the server.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub socket: Option<PathBuf>,
    /// The `run_id` of the server's process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The role, `master` or `slave`, as INFO reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The replication offset of the end of the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replication_offset: Option<u64>,
    /// The server and its version, such as `redis 7.0.15`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The path that was read, as given.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub path: Option<PathBuf>,
    /// The replication lag of a replica in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
}

/// The layout of the log on disk and in the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Arrangement {
    /// A single file: `appendonly.aof`.
    SingleFile,
    /// An RDB only.
    RdbFile,
    /// A directory with a manifest: `appendonlydir/`.
    MultiPart,
}

/// The role of a file in the log.
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

/// A file of the archive, with statistics collected when it was compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// The name of its entry: a path as a server expects it relative to its data directory.
    pub name: String,
    /// The role in the log.
    pub role: FileRole,
    /// The length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its bytes, in hexadecimal digits.
    pub sha256: String,
    /// The compressed size in bytes, without headers.
    pub packed_bytes: u64,
    /// The CRC-32 of the compressed bytes. (That of the uncompressed bytes is in the headers of the archive.)
    pub packed_crc32: u32,
    /// The number of complete commands.
    #[serde(default)]
    pub commands: u64,
    /// The number of keys in the RDB at its beginning.
    #[serde(default)]
    pub rdb_keys: u64,
    /// The number of complete transactions.
    #[serde(default)]
    pub transactions: u64,
    /// The time of the first `#TS:` annotation.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any",
        deserialize_with = "crate::base::rfc3339::read_seconds_if_any"
    )]
    pub first_time: Option<i64>,
    /// The time of the last `#TS:` annotation.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any",
        deserialize_with = "crate::base::rfc3339::read_seconds_if_any"
    )]
    pub last_time: Option<i64>,
    /// A description of its damage, as a sentence. Absent if every byte was read and no transaction was open at its
    /// end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub damage: Option<String>,
    /// The content of the RDB at its beginning that was unknown to the version that made the archive, if the checksum
    /// proves the RDB intact: its keys were not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newer_rdb: Option<String>,
}

/// The metadata of an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// The version of this schema.
    pub schema: u32,
    /// The program that wrote it, such as `aofkit 0.1.0`.
    pub tool: String,
    /// Whether it is a backup: an archive that was published only after it was read back and found intact, and that
    /// retention may delete.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub backup: bool,
    /// The time of the data: for a backup, the time when the log was read.
    pub created: Timestamp,
    /// The source of the log.
    pub source: Source,
    /// The layout of the log on disk.
    pub layout: Arrangement,
    /// The files in the order of their entries: in load order, with the manifest last.
    pub files: Vec<FileRecord>,
    /// The fingerprint of the data set, if computed (`aofkit digest` prints the same).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The SHA-256 of the key filter, in hexadecimal digits. Absent if the archive has none: its log may have keys whose
    /// names are not known, as those of scripts and modules, or has too many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_filter_sha256: Option<String>,
}

/// Returns whether an entry belongs to the archive itself, and is no file of the log.
pub(crate) fn is_metadata(name: &str) -> bool {
    name == CONTENTS || name == KEY_FILTER
}

impl Contents {
    /// Returns the total size of all files in bytes.
    pub fn bytes(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }

    /// Returns the total number of commands in all files.
    pub fn commands(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.commands))
    }

    /// Returns the total number of keys in all RDBs.
    pub fn rdb_keys(&self) -> u64 {
        self.files.iter().fold(0, |sum, file| sum.saturating_add(file.rdb_keys))
    }

    /// Returns the time of the first `#TS:` annotation in all files, in Unix seconds.
    pub fn first_time(&self) -> Option<i64> {
        self.files.iter().find_map(|file| file.first_time)
    }

    /// Returns the time of the last `#TS:` annotation in all files, in Unix seconds.
    pub fn last_time(&self) -> Option<i64> {
        self.files.iter().rev().find_map(|file| file.last_time)
    }

    /// Returns the bytes of the entry.
    pub(crate) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }
}
