//! The kinds of events that destroy data.

use serde::Serialize;

use crate::analysis::destruction_scan::Deed;

/// What an event did. Serialised as `what`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum What {
    /// FLUSHALL: every database was emptied.
    Flushall,
    /// FLUSHDB: one database was emptied.
    Flushdb,
    /// SWAPDB: two databases changed places.
    Swapdb {
        /// One of them.
        one: u32,
        /// The other.
        other: u32,
    },
    /// CLUSTER FLUSHSLOT: the keys of a slot were deleted.
    Flushslot,
    /// FUNCTION FLUSH: all function libraries were deleted.
    FunctionFlush,
    /// A run of DEL or UNLINK commands that name many keys.
    Delete,
    /// A run of RENAME, or COPY with REPLACE, commands, which may have had a key in their way.
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
            // Only if it is one, which is not known.
            Deed::PossibleFlush => What::Flushall,
        }
    }

    /// Whether databases were emptied or exchanged, rather than keys named.
    pub fn is_flush(self) -> bool {
        !matches!(self, What::Delete | What::Rename)
    }
}
