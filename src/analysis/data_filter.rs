//! Which keys are kept.

use serde::Serialize;

use crate::analysis::key_filter::KeyFilter;
use crate::keyspace::Entry;

/// Which keys of a log are wanted; by default all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// By their databases and names.
    pub keys: KeyFilter,
    /// Without those that have expired at this time, in Unix milliseconds.
    pub drop_expired_ms: Option<i64>,
}

/// Keys that were left out because a filter said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Of databases that were not wanted, or with names that were not.
    pub unwanted: u64,
    /// Expired.
    pub expired: u64,
}

impl LeftOut {
    /// Adds those of another share.
    pub fn join(&mut self, other: LeftOut) {
        self.unwanted += other.unwanted;
        self.expired += other.expired;
    }
}

impl Filter {
    /// Whether every key is kept.
    pub fn is_none(&self) -> bool {
        self.keys.is_none() && self.drop_expired_ms.is_none()
    }

    /// Whether a key is kept; counts it if not.
    pub fn keeps(&self, db: u32, entry: &Entry<'_>, left_out: &mut LeftOut) -> bool {
        let wanted = self.keys.wants_db(db) && self.keys.wants_name(entry.key());
        let expired = self.drop_expired_ms.is_some_and(|now| {
            // A server deletes a key when its time has passed, not when it has come.
            entry.expires_ms().is_some_and(|time| time < now)
        });
        if !wanted {
            left_out.unwanted += 1;
        } else if expired {
            left_out.expired += 1;
        }
        wanted && !expired
    }
}
