//! Options of `recover`.

use std::path::PathBuf;

use super::join::{Expired, Winner};
use crate::analysis::position::Position;
use crate::base::glob::Glob;
use crate::base::server::Server;
use crate::ops::repair::retained_ranges::Output;
use crate::replay::{ReplayOptions, RouteOptions};

/// The action to perform on a log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// Only reports what can be recovered; nothing is written.
    #[default]
    Preview,
    /// Removes the FLUSHALL that ends the log.
    Strip,
    /// Retains everything before a position.
    Until(Position),
    /// Removes these events of the timeline and retains later writes.
    Excise(Vec<u64>),
    /// Joins the state before a flush and the state built after it, key by key.
    Merge {
        /// The side from which a key is taken if both sides have it.
        winner: Winner,
        /// The number of the flush; `None` for the flush that lost most keys, or for a recovery candidate.
        event: Option<u64>,
    },
    /// Restores the keys that match any of these patterns to their state at their last deletion.
    Undelete(Vec<Glob>),
}

/// Options of [`recover`](super::recover()).
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct RecoverOptions {
    /// The action to perform.
    pub choice: Choice,
    /// The destination of the result.
    pub output: Output,
    /// The only database to recover; all others are left unchanged.
    pub db: Option<u32>,
    /// The treatment of restored keys whose expiry has passed.
    pub expired: Expired,
    /// The current time, in Unix milliseconds.
    pub now_ms: i64,
    /// The number of the recovery candidate to use instead of the log, or, with [`Choice::Merge`], as its older side.
    pub candidate: Option<u64>,
    /// Other directories in which recovery candidates are searched: logs, RDBs and archives.
    pub also: Vec<PathBuf>,
    /// The server to write a newly encoded data set for; `None` for the server that wrote the log.
    pub server: Option<Server>,
    /// Whether keys are counted, which requires a replay.
    pub preview: bool,
    /// The share of the keys of a database, in percent, from which removed keys count as a loss.
    pub loss_share: u64,
    /// The multiple of the log's own rate of deletion from which deleted keys count as a loss.
    pub loss_rate: u64,
    /// Whether to replace the output, and to proceed although a process writes to the input.
    pub force: bool,
    /// Whether what was at the output is lost then, instead of being kept as `NAME.bak-<time>`.
    pub no_backup: bool,
    /// Whether the caller knows that no server uses a log that is replaced in place, where that cannot be determined.
    pub offline: bool,
    /// Options for reading the log.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
}

impl RecoverOptions {
    /// Returns the options to make `choice` and write the result to `output`.
    pub fn new(choice: Choice, output: Output) -> Self {
        RecoverOptions { choice, output, ..RecoverOptions::default() }
    }
}

impl Default for RecoverOptions {
    /// A preview that counts keys, and writes nothing.
    fn default() -> Self {
        RecoverOptions {
            choice: Choice::default(),
            output: Output::default(),
            db: None,
            expired: Expired::default(),
            now_ms: jiff::Timestamp::now().as_millisecond(),
            candidate: None,
            also: Vec::new(),
            server: None,
            preview: true,
            loss_share: 10,
            loss_rate: 10,
            force: false,
            no_backup: false,
            offline: false,
            // What is missing is reported, and other files are offered.
            route: RouteOptions { empty_rdb: true, ..RouteOptions::default() },
            replay: ReplayOptions::default(),
        }
    }
}
