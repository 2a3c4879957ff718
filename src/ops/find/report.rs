//! The report of `find`, which is the schema of its JSON output and the only source of its text output.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::analysis::key_state::KeyState;
use crate::base::escape::Text;
use crate::base::failure::Failure;
use crate::ops::list::Identity;

/// The backups that have matching keys.
#[derive(Debug, Serialize)]
pub struct FindReport {
    /// The number of backups, logs and RDBs that were searched or failed.
    pub inputs: u64,
    /// The number of those with a matching key.
    pub with_keys: u64,
    /// The number of archives that were not unpacked, because their key filter does not have the key.
    pub by_filter: u64,
    /// The inputs that could not be read.
    pub failed: Vec<Failure>,
    /// The run time in seconds.
    pub elapsed_s: f64,
    /// The backups with matching keys, newest first.
    #[serde(skip)]
    pub backups: Vec<FoundBackup>,
}

/// A backup that has matching keys.
#[derive(Debug, Serialize)]
pub struct FoundBackup {
    /// The path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The time of its data: that in the metadata of an archive, otherwise that of the last change of its files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
    /// The source, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Identity>,
    /// The number of matching keys.
    pub matches: u64,
    /// The first of them by database and name.
    #[serde(skip)]
    pub hits: Vec<Hit>,
}

/// A matching key.
#[derive(Debug, Serialize)]
pub struct Hit {
    /// The database number.
    pub db: u32,
    /// The key name: an object, `text` if it is UTF-8, otherwise `bytes` in base64.
    #[serde(serialize_with = "text")]
    pub key: Vec<u8>,
    /// The type, size and expiry.
    #[serde(flatten)]
    pub state: KeyState,
    /// The first 64 bits of the fingerprint of the database, name, type, expiry and value.
    pub fingerprint: String,
    /// The difference from the next older backup of the source; `None` if that could not be read.
    pub change: Option<Change>,
    /// Whether the next newer backup of the source lacks the key; `None` if there is none, or it is not known.
    pub gone_after: Option<bool>,
}

/// The difference of a key from the next older backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// There is no older backup of the source.
    Oldest,
    /// The older backup lacks the key.
    New,
    /// The type, value or expiry differs.
    Changed,
    /// The key is the same.
    Same,
}

fn text<S: Serializer>(key: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    Text(key).serialize(serializer)
}
