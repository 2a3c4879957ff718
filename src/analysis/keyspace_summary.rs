//! A summary of a keyspace: number of keys by database and type, and fingerprint.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Entry, Keyspace};
use crate::rdb::Kind;

/// The summary of a keyspace or of one shard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeyspaceSummary {
    keys: BTreeMap<(u32, Kind), u64>,
    with_expiry: u64,
    fingerprint: Fingerprint,
}

impl KeyspaceSummary {
    /// Returns the summary of all keys.
    pub(crate) fn from_keyspace(keyspace: &Keyspace<'_>) -> KeyspaceSummary {
        let mut summary = KeyspaceSummary::default();
        keyspace.databases().for_each(|db| summary.add_db(db));
        summary
    }

    /// Adds the keys of a database.
    pub(crate) fn add_db(&mut self, db: &Db<'_>) {
        db.entries().for_each(|entry| self.add(db.number(), entry));
    }

    /// Adds a key. A collection without elements is not counted, because no form of a log can represent it.
    pub(crate) fn add(&mut self, db: u32, entry: &Entry<'_>) {
        if !entry.value.lacks_elements() {
            self.fingerprint.add(db, entry, Detail::All);
        }
        self.count(db, entry);
    }

    /// Counts the keys of a database without computing the fingerprint, which would read all values.
    pub(crate) fn count_db(&mut self, db: &Db<'_>) {
        db.entries().for_each(|entry| self.count(db.number(), entry));
    }

    fn count(&mut self, db: u32, entry: &Entry<'_>) {
        if !entry.value.lacks_elements() {
            *self.keys.entry((db, entry.value.kind())).or_default() += 1;
            self.with_expiry += u64::from(entry.expires_ms().is_some());
        }
    }

    /// Adds the summary of another shard.
    pub(crate) fn join(&mut self, other: &KeyspaceSummary) {
        for (of, keys) in &other.keys {
            *self.keys.entry(*of).or_default() += keys;
        }
        self.with_expiry += other.with_expiry;
        self.fingerprint.join(&other.fingerprint);
    }

    /// Returns the number of keys in all databases.
    pub(crate) fn total(&self) -> u64 {
        self.keys.values().sum()
    }

    /// Returns whether another keyspace has the same number of keys of each type in each database. Values can differ if
    /// an expiry was relative to a time that is not in the log.
    pub(crate) fn has_same_keys(&self, other: &KeyspaceSummary) -> bool {
        self.keys == other.keys
    }

    /// Returns the number of keys in one database.
    pub(crate) fn in_db(&self, db: u32) -> u64 {
        self.keys.iter().filter(|((of, _), _)| *of == db).map(|(_, keys)| keys).sum()
    }

    /// Converts the summary for a report.
    pub(crate) fn to_report(&self) -> SummaryReport {
        let of_type = |(&(db, kind), &keys): (&(u32, Kind), &u64)| KeysOfType { db, kind, keys };
        SummaryReport {
            total: self.total(),
            keys: self.keys.iter().map(of_type).collect(),
            with_expiry: self.with_expiry,
            fingerprint: Some(self.fingerprint.to_string()),
        }
    }

    /// Converts the summary for a report, without a fingerprint.
    pub(crate) fn to_counted_report(&self) -> SummaryReport {
        SummaryReport { fingerprint: None, ..self.to_report() }
    }
}

/// The summary of a keyspace in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SummaryReport {
    /// The number of keys in all databases.
    pub total: u64,
    /// The number of keys by database and type.
    pub keys: Vec<KeysOfType>,
    /// The number of keys with an expiry.
    pub with_expiry: u64,
    /// The fingerprint of all keys, values and expiries: 32 hexadecimal digits; `None` if keys were only counted.
    pub fingerprint: Option<String>,
}

/// The number of keys of one type in one database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KeysOfType {
    /// The database number.
    pub db: u32,
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The number of keys.
    pub keys: u64,
}
