//! Expiries that a log may have lost: see [`lost_expiry`](crate::command::lost_expiry).

use serde::Serialize;

use crate::aof::log::Log;
use crate::replay::ReplayStats;

/// Keys or fields without an expiry that may have had one on the server that wrote the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostExpiry {
    /// The kind of the objects.
    pub of: Owner,
    /// The number of objects.
    pub count: u64,
    /// The file name of the part in which the first object lost its expiry.
    pub part: String,
    /// The byte offset in that part of the command that removed it.
    pub offset: u64,
}

/// The kind of object that an expiry belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// A key.
    Key,
    /// A field of a hash.
    Field,
}

/// Returns the lost expiries that a replay recorded.
pub fn lost_expiries(stats: &ReplayStats, log: &Log) -> Vec<LostExpiry> {
    let both = [(Owner::Key, stats.lost_of_keys), (Owner::Field, stats.lost_of_fields)];
    let some = both.into_iter().filter(|(_, lost)| lost.count > 0);
    some.map(|(of, lost)| LostExpiry {
        of,
        count: lost.count,
        part: log.part_name(lost.first.part),
        offset: lost.first.offset,
    })
    .collect()
}
