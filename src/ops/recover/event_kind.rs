//! The kinds and times of events that destroy data.

use serde::Serialize;

use crate::analysis::destruction_scan::DestructiveOp;

/// The kind of an event, serialised as `what`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum EventKind {
    /// FLUSHALL: all databases were emptied.
    Flushall,
    /// FLUSHDB: one database was emptied.
    Flushdb,
    /// SWAPDB: two databases were exchanged.
    Swapdb {
        /// The first database.
        one: u32,
        /// The second database.
        other: u32,
    },
    /// CLUSTER FLUSHSLOT: the keys of a slot were deleted.
    Flushslot,
    /// FUNCTION FLUSH: all function libraries were deleted.
    FunctionFlush,
    /// Commands that removed keys by their names, such as DEL and UNLINK.
    Delete,
    /// A run of RENAME commands, or of COPY commands with REPLACE, that may have overwritten keys.
    Rename,
    /// Commands that replaced keys by a value of another type.
    Overwritten,
    /// Commands that gave an expiry, which passed, to keys that had none.
    Expired,
    /// Commands that removed keys with their last elements, or by an empty result.
    Emptied,
}

impl EventKind {
    pub(super) fn from_op(op: DestructiveOp) -> EventKind {
        match op {
            DestructiveOp::Flushall => EventKind::Flushall,
            DestructiveOp::Flushdb => EventKind::Flushdb,
            DestructiveOp::Flushslot => EventKind::Flushslot,
            DestructiveOp::FunctionFlush => EventKind::FunctionFlush,
            DestructiveOp::Swapdb(one, other) => EventKind::Swapdb { one, other },
            DestructiveOp::Delete => EventKind::Delete,
            DestructiveOp::Rename => EventKind::Rename,
            // Whether it really is a flush is unknown.
            DestructiveOp::PossibleFlush => EventKind::Flushall,
        }
    }

    /// Returns whether the event emptied or exchanged databases, as opposed to removing named keys.
    pub fn is_flush(self) -> bool {
        !matches!(
            self,
            EventKind::Delete
                | EventKind::Rename
                | EventKind::Overwritten
                | EventKind::Expired
                | EventKind::Emptied
        )
    }
}

/// Formats Unix seconds in UTC, for use in a sentence.
pub(super) fn shown_time(seconds: i64) -> String {
    match jiff::Timestamp::from_second(seconds) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{seconds} s since 1970"),
    }
}
