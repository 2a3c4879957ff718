//! The report of list: the schema of its JSON, and the only thing its text is made from.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::Serialize;

use crate::archive::contents::{Arrangement, Source};
use crate::ops::list::identity::Identity;

/// The archives of a directory.
#[derive(Debug, Clone, Serialize)]
pub struct ListReport {
    /// The version of this schema.
    pub schema: u32,
    /// `list`.
    pub report: &'static str,
    /// The directory, as it was given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub directory: PathBuf,
    /// By source, then by time; those of which neither is known come last.
    pub archives: Vec<Listed>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// One archive.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// Where it is.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Its length.
    pub archive_bytes: u64,
    /// When the file was last written, as the file system has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// What it says of itself; `None` of zips that others made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<Made>,
    /// Whether it was verified.
    pub state: State,
    /// What is wrong with it, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What an archive says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct Made {
    /// What wrote it.
    pub tool: String,
    /// Whether it is a backup, which retention may remove one day.
    pub backup: bool,
    /// The time that it is of.
    pub created: Timestamp,
    /// Its source, as retention knows it.
    pub identity: Identity,
    /// Its source.
    pub source: Source,
    /// How the log lies in it.
    pub layout: Arrangement,
    /// The bytes of all files in it.
    pub bytes: u64,
    /// How many times as long the files are as the archive.
    pub ratio: f64,
    /// Whole commands.
    pub commands: u64,
    /// Keys in RDBs.
    pub rdb_keys: u64,
    /// The first `#TS:` annotation, in Unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_time: Option<i64>,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_time: Option<i64>,
    /// The fingerprint of the data set, where it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What is known of an archive's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Verified just now, and whole.
    Sound,
    /// Verified just now, and damaged; or of a log that was damaged when it was packed.
    Damaged,
    /// A backup, which got its name only after it was read back and found whole. What the disk did since is not known.
    ReadBack,
    /// Nobody looked.
    Unverified,
    /// It cannot be read.
    Unreadable,
}
