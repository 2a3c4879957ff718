//! Counting what became of the keys.

use std::collections::BTreeMap;

use serde::Serialize;

use super::outgoing::Outgoing;
use crate::base::escape::Shown;
use crate::rdb::Kind;

/// What became of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyOutcome {
    /// It did not exist, and was created.
    Restored,
    /// It existed, and was replaced.
    Replaced,
    /// It existed, and got what it lacked.
    United,
    /// It existed with the same data.
    AlreadyThere,
    /// It existed with other data, and was not changed.
    Conflicting,
    /// Its expiry has passed.
    Expired,
    /// The log shows it written or deleted after the event.
    TouchedSince,
    /// The server refused it.
    Failed,
    /// It was not sent, because every key would have been refused, or the connection was lost.
    Unsent,
}

/// The numbers of keys by what became of them; in a dry run, by what would become of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct OutcomeCounts {
    /// The number of keys that did not exist and were created.
    pub restored: u64,
    /// The number of keys that existed and were replaced.
    pub replaced: u64,
    /// The number of keys that existed and got fields, members or entries that they lacked.
    pub united: u64,
    /// The number of keys that existed with the same data. A dry run does not compare, and counts them as conflicting.
    pub already_there: u64,
    /// The number of keys that existed with other data and were not changed.
    pub conflicting: u64,
    /// The number of keys whose expiry has passed.
    pub expired: u64,
    /// The number of keys that the log shows written or deleted after the event.
    pub touched_since: u64,
    /// The number of keys that the server refused.
    pub failed: u64,
    /// The number of keys that were not sent, or whose reply was lost.
    pub unsent: u64,
}

impl OutcomeCounts {
    fn field(&mut self, outcome: KeyOutcome) -> &mut u64 {
        match outcome {
            KeyOutcome::Restored => &mut self.restored,
            KeyOutcome::Replaced => &mut self.replaced,
            KeyOutcome::United => &mut self.united,
            KeyOutcome::AlreadyThere => &mut self.already_there,
            KeyOutcome::Conflicting => &mut self.conflicting,
            KeyOutcome::Expired => &mut self.expired,
            KeyOutcome::TouchedSince => &mut self.touched_since,
            KeyOutcome::Failed => &mut self.failed,
            KeyOutcome::Unsent => &mut self.unsent,
        }
    }
}

/// The keys of one database and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct OutcomesOfType {
    /// The database in the server.
    pub(crate) db: u32,
    /// The type.
    #[serde(rename = "type")]
    pub(crate) kind: Kind,
    /// The numbers of keys.
    #[serde(flatten)]
    pub(crate) keys: OutcomeCounts,
}

/// A key that is named in the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NamedKey {
    /// The database in the server.
    pub(crate) db: u32,
    /// The name, escaped for display.
    pub(crate) key: String,
    /// What is to be said of it.
    pub(crate) reason: String,
}

/// The most keys of one kind that are named.
const NAMED: usize = 100;

/// The most keys that are named as examples of conflicts.
const EXAMPLES: usize = 10;

/// What became of the keys so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    by_type: BTreeMap<(u32, Kind), OutcomeCounts>,
    pub(super) total: OutcomeCounts,
    pub(super) failures: Vec<NamedKey>,
    pub(super) conflicts: Vec<NamedKey>,
    /// The number of keys that were read back.
    pub(super) checked: u64,
    /// The number of keys that were read back and could not be compared.
    pub(super) not_comparable: u64,
    /// The keys that were read back with other data than was sent.
    pub(super) differing: Vec<NamedKey>,
    pub(super) differing_total: u64,
    pub(super) bytes: u64,
    /// The function libraries: created, existing and refused.
    pub(super) functions: [u64; 3],
}

impl Tally {
    pub(super) fn add(&mut self, db: u32, kind: Kind, outcome: KeyOutcome) {
        *self.by_type.entry((db, kind)).or_default().field(outcome) += 1;
        *self.total.field(outcome) += 1;
    }

    pub(super) fn count(&mut self, key: &Outgoing, outcome: KeyOutcome) {
        self.add(key.db, key.kind, outcome);
    }

    /// A key that was counted as restored was removed again.
    pub(super) fn withdrawn(&mut self, key: &Outgoing) {
        let of_type = self.by_type.entry((key.db, key.kind)).or_default();
        for keys in [of_type, &mut self.total] {
            keys.restored = keys.restored.saturating_sub(1);
            keys.touched_since += 1;
        }
    }

    pub(super) fn failed(&mut self, key: &Outgoing, reason: impl Into<String>) {
        self.count(key, KeyOutcome::Failed);
        name(&mut self.failures, NAMED, key, reason.into());
    }

    pub(super) fn conflict(&mut self, key: &Outgoing, reason: &str) {
        self.count(key, KeyOutcome::Conflicting);
        name(&mut self.conflicts, EXAMPLES, key, reason.to_owned());
    }

    /// Names a key that is counted otherwise as an example of conflicts.
    pub(super) fn note_conflict(&mut self, key: &Outgoing, reason: &str) {
        name(&mut self.conflicts, EXAMPLES, key, reason.to_owned());
    }

    pub(super) fn differs(&mut self, key: &Outgoing, reason: &str) {
        self.differing_total += 1;
        name(&mut self.differing, NAMED, key, reason.to_owned());
    }

    pub(super) fn function_failed(&mut self, reason: String) {
        if self.failures.len() < NAMED {
            self.failures.push(NamedKey { db: 0, key: "a function library".to_owned(), reason });
        }
    }

    pub(super) fn by_type(&self) -> Vec<OutcomesOfType> {
        let of_type = self.by_type.iter();
        of_type.map(|(&(db, kind), &keys)| OutcomesOfType { db, kind, keys }).collect()
    }
}

fn name(list: &mut Vec<NamedKey>, most: usize, key: &Outgoing, reason: String) {
    if list.len() < most {
        list.push(NamedKey { db: key.db, key: Shown(&key.key).to_string(), reason });
    }
}
