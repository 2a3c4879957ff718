//! Checks of values that not every server makes when it loads an RDB.
//!
//! Since Redis 6.2, the setting `sanitize-dump-payload` decides whether a loader reads the content of packed
//! encodings (a *deep* check) or only their headers, which is the default. Redis 7.0 reads ziplists in any case,
//! because it converts them; Valkey 9.1 has no such setting and checks everything, and more. Servers before 6.2
//! check next to nothing.
//!
//! *Observed* with files that have one fault each on Redis 5.0, 6.0, 6.2, 7.0, 7.2, 7.4, 8.0, 8.2 and 8.6 and
//! Valkey 8.0, 8.1, 9.0 and 9.1, with default settings and with `sanitize-dump-payload yes`.

use crate::base::server::{Product, Server};

/// What a loader does with default settings where a value fails a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loading {
    /// It does not make the check, and loads the value as it is.
    Loads,
    /// It makes the check only with `sanitize-dump-payload yes`, and loads the value as it is.
    Deep,
    /// It crashes, or stores what the bytes do not say.
    Undefined,
    /// It crashes.
    Crashes,
    /// It refuses the RDB.
    Refuses,
}

/// A check of a value, by the loaders that make it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoadCheck {
    /// Of collections that are stored element by element: members are unique, and scores begin with a number.
    /// Of streams: the header of a listpack.
    Elements,
    /// A hash that is stored element by element and is small enough for a packed encoding: fields are unique.
    SmallHash,
    /// The same, where the repeated field itself is too long for that.
    LongField,
    /// The same, where a later field or value is too long for that.
    GrowingHash,
    /// All else: every loader makes these checks.
    Always,
    /// Scores are not NaN.
    Nan,
    /// The header of a ziplist, an intset, or a zipmap, and the entries of the latter.
    Header,
    /// The entries of a ziplist.
    Ziplist,
    /// The entries of a list that is one ziplist, which Redis 6.2 converts.
    ListZiplist,
    /// The entries of listpacks and of streams, and the order of intsets.
    Packed,
    /// The same in the first form of streams, which Redis 7.0 reads to find the first id.
    OldStream,
    /// The entries of listpacks that every loader since Redis 7.0 reads: the first of a node of a stream, and the first field
    /// of a packed hash with its value and expiry.
    FirstEntries,
    /// The expiry of the first field of a packed hash is a number.
    FieldExpiry,
    /// The expiries of a packed hash are not negative, and that of its first field is not too high.
    ExpiryRange,
    /// A stream that is not empty has nodes, consumers are unique, and a zipmap is not empty.
    Since70,
    /// Every pending entry has a consumer.
    PendingOwner,
    /// No pending entry has two consumers. Some releases of Redis 7.0 and 8.0 and Valkey 8.1 refuse it, too.
    SharedPending,
    /// The counts of streams match their entries, and packed scores are not NaN.
    Since91,
    /// Packed scores are numbers: no server checks that.
    Never,
}

impl LoadCheck {
    /// Returns what the loader of this line does with default settings.
    pub fn on(self, server: Server) -> Loading {
        use Loading::{Crashes, Deep, Loads, Refuses, Undefined};
        if self == LoadCheck::ExpiryRange
            && server.product == Product::Redis
            && server.has_redis(8, 6)
        {
            return Undefined;
        }
        // Redis before 6.2, 6.2, 7.0 to Valkey 9.0, and Valkey 9.1.
        let row = match self {
            LoadCheck::Elements => [Loads, Refuses, Refuses, Refuses],
            LoadCheck::SmallHash | LoadCheck::Packed | LoadCheck::ExpiryRange => {
                [Loads, Deep, Deep, Refuses]
            }
            LoadCheck::LongField => [Undefined, Undefined, Refuses, Refuses],
            LoadCheck::GrowingHash => [Crashes, Crashes, Crashes, Refuses],
            LoadCheck::Always => [Refuses; 4],
            LoadCheck::Nan => [Crashes, Crashes, Refuses, Refuses],
            LoadCheck::Header => [Undefined, Refuses, Refuses, Refuses],
            LoadCheck::Ziplist => [Loads, Deep, Refuses, Refuses],
            LoadCheck::ListZiplist => [Undefined, Undefined, Refuses, Refuses],
            LoadCheck::OldStream => [Loads, Deep, Undefined, Refuses],
            LoadCheck::FirstEntries => [Loads, Deep, Crashes, Refuses],
            LoadCheck::FieldExpiry => [Crashes, Crashes, Crashes, Refuses],
            LoadCheck::Since70 => [Loads, Loads, Refuses, Refuses],
            LoadCheck::PendingOwner => [Loads, Loads, Deep, Refuses],
            LoadCheck::SharedPending => [Loads, Loads, Undefined, Refuses],
            LoadCheck::Since91 => [Loads, Loads, Loads, Refuses],
            LoadCheck::Never => [Loads; 4],
        };
        let era = match server {
            _ if server.has_valkey(9, 1) => 3,
            _ if server.has_redis(7, 0) => 2,
            _ if server.has_redis(6, 2) => 1,
            _ => 0,
        };
        row[era]
    }

    /// Returns whether a value that fails the check may fail or crash a server that loaded it, or is refused by loaders
    /// with `sanitize-dump-payload yes`.
    pub(crate) fn is_error(self) -> bool {
        !matches!(self, LoadCheck::Since91 | LoadCheck::Never)
    }

    /// Returns whether the loaders of Redis 7.0 and later, apart from Valkey 9.1, let such a value pass with
    /// default settings.
    pub(crate) fn is_deep(self) -> bool {
        use crate::base::server::redis;
        !matches!(self.on(redis(7, 0)), Loading::Refuses | Loading::Crashes)
    }
}

/// A value that keeps loaders of today from loading an RDB of which all else is intact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenValue {
    /// The check that it fails.
    pub check: LoadCheck,
    /// Length of the RDB in bytes, with its checksum.
    pub rdb_bytes: u64,
}
