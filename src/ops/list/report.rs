//! The report of `list`, which is the schema of its JSON output and the only source of its text output.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::contents::{Arrangement, Source};
use crate::ops::list::identity::Identity;

/// The archives in a directory.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// The path of the directory, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub directory: PathBuf,
    /// The archives by source, then by time; those of unknown source come last.
    pub archives: Vec<Listed>,
    /// The newest good backups compared with the maximum age, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) age: Option<AgeReport>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The newest good backups compared with a maximum age.
#[derive(Debug, Clone, Serialize)]
pub struct AgeReport {
    /// The maximum age, as given.
    pub max_age: String,
    /// Whether there is a source, and each has a good backup that is not older.
    pub recent: bool,
    /// The sources that have backups, and the one that was asked for.
    pub sources: Vec<SourceAge>,
}

/// The newest good backup of a source.
#[derive(Debug, Clone, Serialize)]
pub struct SourceAge {
    /// The identity of the source.
    pub source: String,
    /// The path of its newest good backup, if it has one.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub archive: Option<PathBuf>,
    /// The time of the data in it.
    pub created: Option<Timestamp>,
    /// Its age in seconds.
    pub age_s: Option<u64>,
    /// Whether it is not older than the maximum age.
    pub recent: bool,
}

/// An archive.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The size in bytes.
    pub archive_bytes: u64,
    /// The modification time of the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Whether it is encrypted. Without an identity, its metadata is what its header says, and not authenticated.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub encrypted: bool,
    /// Its metadata; `None` for ZIP archives made by other programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// The verification state.
    pub state: State,
    /// A description of the problem, as a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// The metadata of an archive.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// The program that wrote it.
    pub tool: String,
    /// Whether it is a backup, which retention may delete.
    pub backup: bool,
    /// The time of its data.
    pub created: Timestamp,
    /// The identity of its source, which retention groups archives by.
    pub identity: Identity,
    /// Its source.
    pub source: Source,
    /// The layout of the log in it.
    pub layout: Arrangement,
    /// The total uncompressed size of its files in bytes.
    pub bytes: u64,
    /// The ratio of the uncompressed size to the size of the archive.
    pub ratio: f64,
    /// The number of complete commands.
    pub commands: u64,
    /// The number of keys in RDBs.
    pub rdb_keys: u64,
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
    /// The fingerprint of the data set, if computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// The verification state of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It was verified in this run and is intact.
    Sound,
    /// It was verified in this run and is damaged, or it contains a log that was damaged when it was archived.
    Damaged,
    /// It is a backup, which was published only after it was read back and found intact. Later changes on disk are not
    /// known.
    ReadBack,
    /// It was not verified.
    Unverified,
    /// It is encrypted and no identity was given: its structure was verified in this run, and its contents were not.
    Encrypted,
    /// It cannot be read.
    Unreadable,
}
