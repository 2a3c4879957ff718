//! How the keys of a shard are counted.

use crate::analysis::key_course::Course;
use crate::base::server::Server;
use crate::ops::stats::memory::Model;
use crate::ops::stats::pattern::Patterns;

/// Counts each shard.
pub(in crate::ops::stats) struct Counter<'c> {
    pub(in crate::ops::stats) patterns: &'c Patterns,
    pub(in crate::ops::stats) server: Server,
    /// What keys take in a server.
    pub(in crate::ops::stats) memory: Model,
    /// The time at which expiries are judged, in Unix milliseconds.
    pub(in crate::ops::stats) now_ms: i64,
    /// The points of the log at which keys are counted.
    pub(in crate::ops::stats) course: &'c Course,
    /// Whether each key is also a row of a table.
    pub(in crate::ops::stats) has_rows: bool,
}
