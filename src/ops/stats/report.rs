//! The report of `stats`, which is the schema of its JSON output and the only source of its text and HTML output.

use std::path::PathBuf;

use serde::Serialize;

use crate::analysis::key_course::KeysAt;
use crate::base::escape::OwnedText;
use crate::base::failure::Failure;
use crate::base::server::Server;
use crate::ops::stats::memory::Allocator;
use crate::rdb::Kind;
use crate::replay::Origin;

/// The reports of several logs.
#[derive(Debug, Default, Serialize)]
pub(crate) struct StatsRun {
    /// The logs that were analysed.
    pub(crate) logs: Vec<StatsReport>,
    /// The paths that could not be analysed.
    pub(crate) failed: Vec<Failure>,
}

/// What is written in a log, and what is there at its end.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StatsReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) path: PathBuf,
    /// The server that wrote the log, as far as the log says; `None` without a replay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
    /// The size of all parts in bytes.
    pub(crate) bytes: u64,
    /// The size of the RDBs at the beginning of parts in bytes.
    pub(crate) rdb_bytes: u64,
    /// The size of the torn end, which servers do not load and which is not counted, in bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) torn_bytes: u64,
    /// The bytes that separate the components of key names.
    pub(crate) separators: String,
    /// The commands of the log; `None` if it has none.
    pub(crate) written: Option<Written>,
    /// The reason why the log was not replayed although that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) not_replayed: Option<String>,
    /// What the commands did, by a replay; `None` without a replay or without commands.
    pub(crate) effects: Option<Effects>,
    /// The number of keys at evenly distributed points of the log and at its end; empty without a replay or without commands.
    pub(crate) course: Vec<KeysAt>,
    /// The keys at the end; `None` without a replay.
    pub(crate) present: Option<Present>,
    /// How long a server would load the log, in seconds; `None` if it was not estimated.
    pub(crate) load_s: Option<f64>,
    /// How that was estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) load: Option<LoadEstimate>,
    /// The reason why it was not estimated although that was requested.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) load_problem: Option<String>,
    /// The time at which expiries are judged, in Unix milliseconds.
    #[serde(rename = "judged_at", serialize_with = "crate::base::rfc3339::milliseconds")]
    pub(crate) now_ms: i64,
    /// The run time in seconds.
    pub(crate) elapsed_s: f64,
}

/// How long a server would load a log, by a sample of it that the server has loaded.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct LoadEstimate {
    /// The version of the server, such as `redis 7.2.5`.
    pub(crate) server: String,
    /// The time of the whole log in seconds, with that of the start.
    #[serde(skip)]
    pub(crate) load_s: f64,
    /// The time in which the server starts with an empty log, in seconds.
    pub(crate) startup_s: f64,
    /// The size of the sample in bytes.
    pub(crate) sample_bytes: u64,
    /// The time in which the server has loaded the sample, in seconds.
    pub(crate) sample_s: f64,
}

/// The commands of a log.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Written {
    /// The number of commands, including SELECT, MULTI and EXEC.
    pub(crate) commands: u64,
    /// The size of commands and annotations in bytes.
    pub(crate) bytes: u64,
    /// The size of lines that are no commands, such as `#TS:` annotations, in bytes.
    pub(crate) annotation_bytes: u64,
    /// By command, the largest first.
    pub(crate) by_command: Vec<WrittenBy<String>>,
    /// By the type of value that the commands write, the largest first.
    pub(crate) by_type: Vec<WrittenBy<WrittenType>>,
    /// By database.
    pub(crate) by_db: Vec<WrittenBy<u32>>,
    /// The tree of key name prefixes. The bytes of its root are those of the log.
    pub(crate) prefixes: PrefixNode,
    /// The commands over the log.
    pub(crate) timeline: Timeline,
    /// The largest commands.
    pub(crate) largest: Vec<LargeCommand>,
    /// Transactions.
    pub(crate) transactions: TransactionCounts,
    /// The number of EVAL, EVALSHA, FCALL and their variants.
    pub(crate) script_calls: u64,
}

/// The commands and bytes of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WrittenBy<T> {
    /// The group.
    pub(crate) name: T,
    /// The number of commands.
    pub(crate) commands: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// The type of value that commands write.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WrittenType {
    /// Strings, including bitmaps and HyperLogLogs.
    String,
    /// Lists.
    List,
    /// Sets.
    Set,
    /// Sorted sets, including geospatial indexes.
    Zset,
    /// Hashes.
    Hash,
    /// Streams.
    Stream,
    /// Arrays.
    Array,
    /// Vector sets.
    VectorSet,
    /// Commands for keys of any type, such as DEL, EXPIRE and RENAME.
    Generic,
    /// EVAL, FCALL, FUNCTION.
    Script,
    /// MULTI and EXEC.
    Transaction,
    /// Commands for the server or the connection, such as SELECT and FLUSHALL.
    #[default]
    Server,
    /// Commands that no known server has.
    Unknown,
}

impl WrittenType {
    /// Returns the name for people.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            WrittenType::String => "string",
            WrittenType::List => "list",
            WrittenType::Set => "set",
            WrittenType::Zset => "zset",
            WrittenType::Hash => "hash",
            WrittenType::Stream => "stream",
            WrittenType::Array => "array",
            WrittenType::VectorSet => "vector set",
            WrittenType::Generic => "keys of any type",
            WrittenType::Script => "scripts and functions",
            WrittenType::Transaction => "MULTI and EXEC",
            WrittenType::Server => "server and connection",
            WrittenType::Unknown => "unknown commands",
        }
    }
}

/// A node of the tree of key name prefixes.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct PrefixNode {
    /// The component, with the separator after it, if there is one; empty for the root.
    pub(crate) name: OwnedText,
    /// What the node represents.
    pub(crate) kind: PrefixKind,
    /// The number of commands that name a key below it. A command with several keys is counted once for each.
    pub(crate) commands: u64,
    /// The size of the commands in bytes. The bytes of a command with several keys are divided among them.
    pub(crate) bytes: u64,
    /// The number of keys at the end, if the log was replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<u64>,
    /// The size of these keys in bytes, as an uncompressed log would contain them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key_bytes: Option<u64>,
    /// The estimated memory of these keys in a server in bytes, if there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    /// The bytes of the log that a rewrite saves; negative if it takes more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reclaimable_bytes: Option<i64>,
    /// The nodes below, the largest first. Their bytes and those of keys that end here add up to the bytes of this node.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<PrefixNode>,
}

/// What a node of the tree of prefixes represents.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum PrefixKind {
    /// A component of key names as it is.
    #[default]
    Literal,
    /// Components that differ from key to key: identifiers, shown as `*`.
    Wildcard,
    /// Names that are not distinguished, because there are too many.
    Others,
    /// Commands without a key, and annotations.
    Keyless,
}

/// The commands over a log.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Timeline {
    /// Whether `#TS:` annotations tell the time. Without them, buckets are spans of the log.
    pub(crate) has_times: bool,
    /// The time of the first annotation, in Unix seconds.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub(crate) first_time: Option<i64>,
    /// The time of the last annotation, in Unix seconds.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::seconds_if_any"
    )]
    pub(crate) last_time: Option<i64>,
    /// The number of commands before the first annotation, which are in no bucket.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) untimed_commands: u64,
    /// Their size in bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) untimed_bytes: u64,
    /// The length of each bucket: in seconds with times, otherwise in bytes of the log.
    pub(crate) bucket: u64,
    /// The buckets, in the order of the log or of time.
    pub(crate) buckets: Vec<Bucket>,
    /// The average number of commands per second; `None` without times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) commands_per_s: Option<f64>,
    /// The average number of bytes per second; `None` without times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes_per_s: Option<f64>,
    /// The second with the most bytes; `None` without times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) peak: Option<Peak>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A span of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Bucket {
    /// Its beginning: a time in Unix seconds, or the number of bytes of the log before it.
    pub(crate) start: i64,
    /// The number of commands.
    pub(crate) commands: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// The second with the most bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Peak {
    /// The time in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds")]
    pub(crate) time: i64,
    /// The number of commands in this second.
    pub(crate) commands: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// A large command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LargeCommand {
    /// The name of the command, in upper case.
    pub(crate) name: String,
    /// Its first key, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) key: Option<OwnedText>,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// The number of arguments, including the name.
    pub(crate) arguments: u32,
    /// The file name of the part.
    pub(crate) part: String,
    /// Its byte offset in the part.
    pub(crate) offset: u64,
}

/// The transactions of a log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TransactionCounts {
    /// The number of complete transactions.
    pub(crate) count: u64,
    /// The number of commands in them, without MULTI and EXEC.
    pub(crate) commands: u64,
    /// The number of commands in the largest.
    pub(crate) largest: u64,
}

/// What the commands of a log did to its keys.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Effects {
    /// The number of writes to a key: a command with several keys is counted once for each.
    pub(crate) writes: u64,
    /// The number of writes that replaced the whole value of a key that existed.
    pub(crate) overwrites: u64,
    /// The number of keys that were created, including those of an RDB that were created again.
    pub(crate) created: u64,
    /// The number of keys that were deleted, other than by being replaced.
    pub(crate) deleted: u64,
    /// The number of keys that were both created and deleted by the log.
    pub(crate) short_lived: u64,
    /// The number of commands that fail on a server.
    pub(crate) failed: u64,
    /// The keys with the most writes.
    pub(crate) most_written: Vec<WrittenKey>,
    /// The size of the smallest log of the same data in bytes, uncompressed and as commands.
    pub(crate) rewritten_bytes: u64,
}

/// A key with many writes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct WrittenKey {
    /// The database number.
    pub(crate) db: u32,
    /// The name.
    pub(crate) key: OwnedText,
    /// The number of writes.
    pub(crate) writes: u64,
    /// The size of the commands in bytes. The keys of a command share its bytes equally.
    pub(crate) bytes: u64,
    /// Whether it exists at the end.
    pub(crate) exists: bool,
}

/// The keys at the end of a log.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Present {
    /// All keys.
    pub(crate) total: Share,
    /// By type.
    pub(crate) by_type: Vec<ShareOf<Kind>>,
    /// By encoding, as `OBJECT ENCODING` of the server names it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) by_encoding: Vec<ShareOf<String>>,
    /// By database.
    pub(crate) by_db: Vec<ShareOf<u32>>,
    /// The tree of key name prefixes, if no command of the log is counted: otherwise it is with those.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) prefixes: Option<PrefixNode>,
    /// The time to live of keys, from none to the longest.
    pub(crate) ttl: Vec<TtlBucket>,
    /// The sizes of keys in bytes, by powers of two.
    pub(crate) sizes: Vec<SizeBucket>,
    /// The minutes in which the most keys expire.
    pub(crate) expiry_peaks: Vec<ExpiryPeak>,
    /// The largest keys in bytes.
    pub(crate) largest_by_bytes: Vec<LargeKey>,
    /// The keys with the most items.
    pub(crate) largest_by_items: Vec<LargeKey>,
    /// The streams with the most entries.
    pub(crate) streams: Vec<StreamFacts>,
    /// The number of streams.
    pub(crate) stream_count: u64,
    /// The libraries of functions.
    pub(crate) functions: Vec<FunctionLibrary>,
    /// The memory in a server; `None` if it cannot be estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<MemoryEstimate>,
    /// The distribution over the slots of a cluster.
    pub(crate) slots: SlotSkew,
}

/// A number of keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Share {
    /// The number of keys.
    pub(crate) keys: u64,
    /// The number of those with an expiry.
    pub(crate) expiring: u64,
    /// The number of items: elements, members, fields, entries; 1 for a string.
    pub(crate) items: u64,
    /// The size of names, items and expiries in bytes, as an uncompressed log of commands would contain them.
    pub(crate) bytes: u64,
    /// The estimated memory in a server in bytes; `None` if it cannot be estimated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
}

/// A number of keys of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ShareOf<T> {
    /// The group.
    pub(crate) name: T,
    /// Its keys.
    #[serde(flatten)]
    pub(crate) share: Share,
}

/// The keys whose time to live is within a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct TtlBucket {
    /// The range.
    pub(crate) ttl: TtlRange,
    /// The number of keys.
    pub(crate) keys: u64,
}

/// A range of times to live.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum TtlRange {
    /// No expiry.
    #[default]
    None,
    /// The expiry has passed.
    Past,
    /// Below a minute.
    Minute,
    /// Below an hour.
    Hour,
    /// Below a day.
    Day,
    /// Below a week.
    Week,
    /// Below 30 days.
    Month,
    /// Longer.
    Longer,
}

impl TtlRange {
    /// Returns the name for people.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            TtlRange::None => "no expiry",
            TtlRange::Past => "expired",
            TtlRange::Minute => "less than a minute",
            TtlRange::Hour => "less than an hour",
            TtlRange::Day => "less than a day",
            TtlRange::Week => "less than a week",
            TtlRange::Month => "less than 30 days",
            TtlRange::Longer => "30 days or more",
        }
    }
}

/// The keys whose size is within a range.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SizeBucket {
    /// The upper bound in bytes, a power of two, exclusive.
    pub(crate) below: u64,
    /// The number of keys.
    pub(crate) keys: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}

/// A minute in which many keys expire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct ExpiryPeak {
    /// Its beginning in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds")]
    pub(crate) time: i64,
    /// The number of keys.
    pub(crate) keys: u64,
}

/// A large key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LargeKey {
    /// The database number.
    pub(crate) db: u32,
    /// The name.
    pub(crate) key: OwnedText,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The number of items.
    pub(crate) items: u64,
    /// The size in bytes, as an uncompressed log of commands would contain it.
    pub(crate) bytes: u64,
    /// The size of the largest item in bytes.
    pub(crate) largest_item: u64,
    /// The estimated memory in a server in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory_bytes: Option<u64>,
    /// The time of its expiry, in Unix milliseconds.
    #[serde(
        rename = "expires_at",
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::rfc3339::milliseconds_if_any"
    )]
    pub(crate) expires_ms: Option<i64>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct StreamFacts {
    /// The database number.
    pub(crate) db: u32,
    /// The name.
    pub(crate) key: OwnedText,
    /// The number of entries.
    pub(crate) entries: u64,
    /// The number of consumer groups.
    pub(crate) groups: u64,
    /// The number of consumers of all groups.
    pub(crate) consumers: u64,
    /// The number of pending entries of all groups.
    pub(crate) pending: u64,
}

/// A library of functions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FunctionLibrary {
    /// The name.
    pub(crate) name: OwnedText,
    /// The engine.
    pub(crate) engine: OwnedText,
    /// The size of its code in bytes.
    pub(crate) bytes: u64,
}

/// The estimated memory of keys in a server.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MemoryEstimate {
    /// The server whose memory is estimated.
    pub(crate) server: Server,
    /// The reason why it is this one.
    pub(crate) basis: MemoryBasis,
    /// Its allocator.
    pub(crate) allocator: Allocator,
    /// The sum of `MEMORY USAGE key SAMPLES 0` in bytes.
    pub(crate) bytes: u64,
    /// The number of keys whose memory is in it: all but arrays, values of modules, and those that unknown commands changed.
    pub(crate) keys: u64,
    /// The error in percent that the bytes of each type stay within; `None` if no server of the line was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error_percent: Option<u32>,
}

/// The reason why the memory in a server of some line is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum MemoryBasis {
    /// It was requested.
    Given,
    /// The log records that such a server wrote it.
    Recorded,
    /// The log does not record its server.
    Assumed,
}

/// The distribution of keys over the slots of a cluster.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct SlotSkew {
    /// The number of slots with keys, of 16,384.
    pub(crate) used: u32,
    /// The number of keys in the slot with the most keys.
    pub(crate) most_keys: u64,
    /// The slots with the most bytes.
    pub(crate) largest: Vec<SlotShare>,
    /// The bytes of the largest of three nodes with equal ranges of slots, divided by the average of the three.
    pub(crate) three_nodes: f64,
}

/// The keys of a slot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub(crate) struct SlotShare {
    /// The slot.
    pub(crate) slot: u16,
    /// The number of keys.
    pub(crate) keys: u64,
    /// Their size in bytes.
    pub(crate) bytes: u64,
}
