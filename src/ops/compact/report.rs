//! What a compaction did.

use std::path::PathBuf;

use serde::Serialize;

use super::form::Form;
use crate::analysis::data_filter::LeftOut;
use crate::analysis::keyspace_summary::{Held, HeldKeys};
use crate::analysis::lost_expiry::LostExpiry;
use crate::rdb::Kind;
use crate::replay::Torn;

/// What a compaction did, or would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CompactReport {
    /// The log, as it was given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Where the compacted one is; `None` where none was written.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub output: Option<PathBuf>,
    /// The form in which it was written.
    pub form: Form,
    /// What its data are encoded as: the beginning of the RDB, or the server whose commands they are.
    pub encoding: String,
    /// Commands in the log.
    pub commands_before: u64,
    /// Of these, commands before the last FLUSHALL.
    pub commands_flushed: u64,
    /// Keys in RDBs that the log's parts begin with.
    pub rdb_keys_before: u64,
    /// Bytes of the log.
    pub bytes_before: u64,
    /// Bytes of the compacted log.
    pub bytes_after: u64,
    /// Keys, by database and type.
    pub keys: Vec<Keys>,
    /// How many databases the server needs that loads the result, where that is more than its default of 16.
    pub databases_needed: Option<u64>,
    /// Keys that expire.
    pub keys_with_expiry: u64,
    /// By the first word of keys' names, where most was reclaimed; an estimate from a sixteenth of the keys where
    /// the log has 64 MiB or more.
    pub reclaimed: Vec<Reclaimed>,
    /// Function libraries.
    pub functions: u64,
    /// Keys that a filter left out.
    pub left_out: LeftOut,
    /// Commands that a server answers with an error while it loads the log.
    pub failed: Vec<Failed>,
    /// Commands that no known server has, and that are carried as they are.
    pub carried: Vec<Carried>,
    /// Times that were relative to when a command was run.
    pub relative_times: u64,
    /// Keys and fields whose expiry the log may have lost.
    pub lost_expiries: Vec<LostExpiry>,
    /// How often a command looked at a field of a hash that expires. Redis since 7.4 does not see a field whose
    /// time has passed when it loads the log, Valkey does.
    pub passed_fields: u64,
    /// Whether such fields were not seen, as by Redis.
    pub fields_expire: bool,
    /// Where the log is torn, as a loader sees it.
    pub torn: Option<TornEnd>,
    /// Whether the compacted log was read back and found to hold the same data.
    pub checked: bool,
    /// The fingerprint of the data: 32 hexadecimal digits.
    pub fingerprint: String,
    /// The highest anonymous memory seen, in bytes, where the system tells it.
    pub memory_bytes: Option<u64>,
    /// How long it took in all, in seconds.
    pub elapsed_s: f64,
    /// How long each phase took.
    pub phases: Vec<Phase>,
}

/// How many keys of a type a database has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Keys {
    /// The database.
    pub db: u32,
    /// The type, as TYPE names it.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How many.
    pub keys: u64,
}

/// How much of the log keys with one prefix took before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reclaimed {
    /// The first word of their names, made printable; empty for keys of one word.
    pub prefix: String,
    /// Bytes of commands before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
}

/// A command that a server answers with an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failed {
    /// Its name.
    pub command: &'static str,
    /// The error.
    pub error: &'static str,
    /// How often.
    pub count: u64,
    /// The part in which the first is, by file name.
    pub part: String,
    /// Where it stands there.
    pub offset: u64,
}

/// A command that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// Its name.
    pub command: String,
    /// How often.
    pub count: u64,
    /// The part in which the first is, by file name.
    pub part: String,
    /// Where it stands there.
    pub offset: u64,
}

/// The end of a log that a loader cuts off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct TornEnd {
    /// Where the last part is cut.
    pub offset: u64,
    /// Bytes that are cut off.
    pub bytes: u64,
    /// Whether they begin with a MULTI that no EXEC follows, rather than with a torn command.
    pub transaction: bool,
}

impl From<Torn> for TornEnd {
    fn from(torn: Torn) -> Self {
        TornEnd { offset: torn.at, bytes: torn.bytes, transaction: torn.transaction }
    }
}

/// A phase of the work.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

impl From<&CompactReport> for Held {
    /// What a data set holds that was written anew.
    fn from(report: &CompactReport) -> Held {
        let of = |keys: &Keys| HeldKeys { db: keys.db, kind: keys.kind, keys: keys.keys };
        Held {
            total: report.keys.iter().map(|keys| keys.keys).sum(),
            keys: report.keys.iter().map(of).collect(),
            with_expiry: report.keys_with_expiry,
            fingerprint: Some(report.fingerprint.clone()),
        }
    }
}
