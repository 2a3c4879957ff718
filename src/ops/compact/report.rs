//! The report of a compaction.

use std::path::PathBuf;

use serde::Serialize;

use super::form::Form;
use crate::analysis::data_filter::LeftOut;
use crate::analysis::keyspace_summary::{KeysOfType, SummaryReport};
use crate::analysis::lost_expiry::LostExpiry;
use crate::disk::open_writers::Holder;
use crate::rdb::Kind;
use crate::replay::{Origin, Torn};

/// The result of a compaction or of a dry run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompactReport {
    /// The path of the log, as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The path of the compacted log; `None` if none was written.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub output: Option<PathBuf>,
    /// The server that wrote the log, as far as the log says.
    pub origin: Origin,
    /// The form of the compacted log.
    pub form: Form,
    /// The encoding of the data: the magic of the RDB, or the server whose commands are used.
    pub encoding: String,
    /// The number of commands in the log.
    pub commands_before: u64,
    /// The number of those commands before the last FLUSHALL.
    pub commands_flushed: u64,
    /// The number of keys in the RDBs at the beginning of the log's parts.
    pub rdb_keys_before: u64,
    /// The size of the log in bytes.
    pub bytes_before: u64,
    /// The size of the compacted log in bytes.
    pub bytes_after: u64,
    /// The number of keys, by database and type.
    pub keys: Vec<Keys>,
    /// The number of databases that a server needs to load the result, if it exceeds the default of 16.
    pub databases_needed: Option<u64>,
    /// The number of keys with an expiry.
    pub keys_with_expiry: u64,
    /// The key prefixes by reclaimed bytes, largest first; an estimate from a sixteenth of the keys if the log is 64
    /// MiB or larger.
    pub(crate) reclaimed: Vec<Reclaimed>,
    /// The number of function libraries.
    pub functions: u64,
    /// The number of keys excluded by a filter.
    pub left_out: LeftOut,
    /// The number of keys that have expired and are retained without an expiry.
    pub(crate) persisted: u64,
    /// The commands that fail with an error while a server loads the log.
    pub failed: Vec<Failed>,
    /// The commands that no known server has, which are copied unchanged.
    pub carried: Vec<Carried>,
    /// The number of expiry times relative to the time at which a command ran.
    pub relative_times: u64,
    /// The keys and fields whose expiry the log may have lost.
    pub lost_expiries: Vec<LostExpiry>,
    /// The number of accesses by commands to an expired hash field. While loading, Redis since 7.4 does not see fields
    /// whose time has passed, and Valkey does.
    pub passed_fields: u64,
    /// Whether such fields were treated as missing, as in Redis.
    pub fields_expire: bool,
    /// The process that has the log open for writing: what it writes from now on is not in the result.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) writer: Option<Holder>,
    /// The torn end of the log, as a loader sees it.
    pub torn: Option<TornEnd>,
    /// Whether the compacted log was read back and found to contain the same data.
    pub checked: bool,
    /// The fingerprint of the data: 32 hexadecimal digits.
    pub fingerprint: String,
    /// The peak anonymous memory in bytes, if the system reports it.
    pub memory_bytes: Option<u64>,
    /// The total run time in seconds.
    pub elapsed_s: f64,
    /// The run time of each phase.
    pub(crate) phases: Vec<Phase>,
}

/// The number of keys of one type in one database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The database number.
    pub db: u32,
    /// The type, as named by TYPE.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The number of keys.
    pub keys: u64,
}

/// The log space used by keys with one prefix before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reclaimed {
    /// The part of the key name before the first separator, escaped for display; empty for names without one.
    pub prefix: String,
    /// The size of the commands before, in bytes.
    pub bytes_before: u64,
    /// The size after, in bytes.
    pub bytes_after: u64,
}

/// A command that fails with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// The command name.
    pub command: &'static str,
    /// The error.
    pub error: &'static str,
    /// The number of occurrences.
    pub count: u64,
    /// The file name of the part that contains the first occurrence.
    pub part: String,
    /// The byte offset of the first occurrence in that part.
    pub offset: u64,
}

/// A command that is unknown to this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// The command name.
    pub command: String,
    /// The number of occurrences.
    pub count: u64,
    /// The file name of the part that contains the first occurrence.
    pub part: String,
    /// The byte offset of the first occurrence in that part.
    pub offset: u64,
}

/// The end of a log that a loader truncates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TornEnd {
    /// The byte offset at which the last part is truncated.
    pub offset: u64,
    /// The number of truncated bytes.
    pub bytes: u64,
    /// Whether they begin with a MULTI without EXEC, as opposed to a torn command.
    pub transaction: bool,
}

impl TornEnd {
    pub(crate) fn from_replay(torn: Torn) -> Self {
        TornEnd { offset: torn.at, bytes: torn.bytes, transaction: torn.transaction }
    }
}

/// A phase of the compaction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// The name of the phase.
    pub name: &'static str,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

impl From<&CompactReport> for SummaryReport {
    /// Returns the keyspace summary of a data set that was encoded anew.
    fn from(report: &CompactReport) -> SummaryReport {
        let of = |keys: &Keys| KeysOfType { db: keys.db, kind: keys.kind, keys: keys.keys };
        SummaryReport {
            total: report.keys.iter().map(|keys| keys.keys).sum(),
            keys: report.keys.iter().map(of).collect(),
            with_expiry: report.keys_with_expiry,
            fingerprint: Some(report.fingerprint.clone()),
        }
    }
}
