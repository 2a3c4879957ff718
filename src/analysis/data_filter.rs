//! Selecting keys by database, name and cluster slot, and the keys to retain.

use std::ops::RangeInclusive;

use serde::Serialize;

use crate::base::glob::Glob;
use crate::base::slot::slot_of;
use crate::keyspace::{Entry, Keyspace};

/// The keys of a log to retain; by default all.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The filter by database, name and cluster slot.
    pub keys: KeyFilter,
    /// Excludes keys that have expired at this time, in Unix milliseconds.
    pub drop_expired_ms: Option<i64>,
    /// Removes the expiry of keys that have expired at this time, in Unix milliseconds.
    pub persist_expired_ms: Option<i64>,
}

/// The number of keys that a filter excluded.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The number of keys excluded by database, name or cluster slot.
    pub unwanted: u64,
    /// The number of keys excluded because they have expired.
    pub expired: u64,
}

impl LeftOut {
    /// Adds the counts of another shard.
    pub(crate) fn join(&mut self, other: LeftOut) {
        self.unwanted += other.unwanted;
        self.expired += other.expired;
    }
}

impl Filter {
    /// Returns whether every key is retained.
    pub(crate) fn is_none(&self) -> bool {
        self.keys.is_none() && self.drop_expired_ms.is_none()
    }

    /// Removes the expiry of the retained keys that have expired, if that is requested. Returns their number.
    pub(crate) fn persist_expired(&self, keyspace: &mut Keyspace<'_>) -> u64 {
        let Some(now) = self.persist_expired_ms else { return 0 };
        let mut persisted = 0;
        for db in keyspace.databases_mut() {
            let number = db.number();
            for entry in db.entries_mut() {
                let has_passed = entry.expires_ms().is_some_and(|time| time < now);
                if has_passed && self.keeps(number, entry, &mut LeftOut::default()) {
                    entry.set_expiry(None);
                    persisted += 1;
                }
            }
        }
        persisted
    }

    /// Returns whether a key is retained, and counts it if not.
    pub(crate) fn keeps(&self, db: u32, entry: &Entry<'_>, left_out: &mut LeftOut) -> bool {
        let wanted = self.keys.wants_db(db) && self.keys.wants_name(entry.key());
        let expired = self.drop_expired_ms.is_some_and(|now| {
            // A server deletes a key after its expiry time has passed, not at that time.
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

/// The selected keys; by default all.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// The databases; empty for all.
    pub dbs: Vec<u32>,
    /// Patterns of which a name must match at least one; empty for all names.
    pub patterns: Vec<Glob>,
    /// Patterns of which a name must not match any.
    pub excluded: Vec<Glob>,
    /// The ranges of cluster slots, of which the slot of a name must be in one; empty for all slots.
    pub slots: Vec<RangeInclusive<u16>>,
}

impl KeyFilter {
    /// Returns whether every key is selected.
    pub(crate) fn is_none(&self) -> bool {
        self.dbs.is_empty() && !self.looks_at_names()
    }

    /// Returns whether the name of a key matters.
    pub(crate) fn looks_at_names(&self) -> bool {
        self.asks_for_names() || !self.excluded.is_empty()
    }

    /// Returns whether only names with a property are selected, so that what has no name is not.
    pub(crate) fn asks_for_names(&self) -> bool {
        !self.patterns.is_empty() || !self.slots.is_empty()
    }

    /// Returns whether keys of a database are selected.
    #[inline]
    pub(crate) fn wants_db(&self, db: u32) -> bool {
        self.dbs.is_empty() || self.dbs.contains(&db)
    }

    /// Returns whether keys with this name are selected.
    pub(crate) fn wants_name(&self, name: &[u8]) -> bool {
        (self.patterns.is_empty() || self.patterns.iter().any(|glob| glob.matches(name)))
            && !self.excluded.iter().any(|glob| glob.matches(name))
            && self.wants_slot(name)
    }

    fn wants_slot(&self, name: &[u8]) -> bool {
        if self.slots.is_empty() {
            return true;
        }
        let slot = slot_of(name);
        self.slots.iter().any(|range| range.contains(&slot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The slots are those that Redis 7.0 reports: 12182 for foo, 5061 for bar.
    #[test]
    fn names_are_selected_by_slot_and_pattern() {
        let filter = |slots: &[RangeInclusive<u16>], patterns: &[&str]| KeyFilter {
            slots: slots.to_vec(),
            patterns: patterns.iter().map(|glob| Glob::new(*glob)).collect(),
            ..KeyFilter::default()
        };
        let one = filter(&[5061..=5061], &[]);
        assert!(one.wants_name(b"bar") && !one.wants_name(b"foo"));
        assert!(one.wants_name(b"{bar}foo") && !one.is_none() && one.looks_at_names());
        let two = filter(&[0..=5060, 12182..=16383], &[]);
        assert!(two.wants_name(b"foo") && !two.wants_name(b"bar"));
        let both = filter(&[0..=16383], &["b*"]);
        assert!(both.wants_name(b"bar") && !both.wants_name(b"foo"));
        assert!(filter(&[], &[]).is_none());
    }
}
