//! The kinds of events that destroy data.

use serde::Serialize;

use crate::analysis::destruction_scan::Deed;

/// The kind of an event, serialised as `what`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
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
    /// A run of DEL or UNLINK commands that name many keys.
    Delete,
    /// A run of RENAME commands, or of COPY commands with REPLACE, that may have overwritten keys.
    Rename,
}

impl What {
    pub(super) fn of(deed: Deed) -> What {
        match deed {
            Deed::Flushall => What::Flushall,
            Deed::Flushdb => What::Flushdb,
            Deed::Flushslot => What::Flushslot,
            Deed::FunctionFlush => What::FunctionFlush,
            Deed::Swapdb(one, other) => What::Swapdb { one, other },
            Deed::Delete => What::Delete,
            Deed::Rename => What::Rename,
            // Whether it really is a flush is unknown.
            Deed::PossibleFlush => What::Flushall,
        }
    }

    /// Returns whether the event emptied or exchanged databases, as opposed to removing named keys.
    pub fn is_flush(self) -> bool {
        !matches!(self, What::Delete | What::Rename)
    }
}
