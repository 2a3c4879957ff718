//! Expiries that a log may have lost: see [`lost_expiry`](crate::command::lost_expiry).

use serde::Serialize;

use crate::aof::log::Log;
use crate::replay::Happened;

/// Keys or fields without an expiry that may have had one on the server that wrote the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LostExpiry {
    /// What they are.
    pub of: Owner,
    /// How many.
    pub count: u64,
    /// The part in which the first lost its expiry, by file name.
    pub part: String,
    /// Where the command that took it stands there.
    pub offset: u64,
}

/// What has an expiry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Owner {
    /// A key.
    Key,
    /// A field of a hash.
    Field,
}

/// What a replay noted of them.
pub fn lost_expiries(happened: &Happened, log: &Log) -> Vec<LostExpiry> {
    let both = [(Owner::Key, happened.lost_of_keys), (Owner::Field, happened.lost_of_fields)];
    let some = both.into_iter().filter(|(_, lost)| lost.count > 0);
    some.map(|(of, lost)| LostExpiry {
        of,
        count: lost.count,
        part: log.part_name(lost.first.part),
        offset: lost.first.offset,
    })
    .collect()
}
