//! What a data set holds, in numbers: keys by database and type, and the fingerprint.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Entry, Keyspace};
use crate::rdb::Kind;

/// What a data set holds, or a share of one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Holdings {
    keys: BTreeMap<(u32, Kind), u64>,
    with_expiry: u64,
    fingerprint: Fingerprint,
}

impl Holdings {
    /// Of all keys.
    pub fn of(keyspace: &Keyspace<'_>) -> Holdings {
        let mut holdings = Holdings::default();
        keyspace.databases().for_each(|db| holdings.add_db(db));
        holdings
    }

    /// Adds the keys of a database.
    pub fn add_db(&mut self, db: &Db<'_>) {
        db.entries().for_each(|entry| self.add(db.number(), entry));
    }

    /// Adds a key. A collection without an element is none: no form of a log carries it.
    pub fn add(&mut self, db: u32, entry: &Entry<'_>) {
        if !entry.value.lacks_elements() {
            self.fingerprint.add(db, entry, Detail::All);
        }
        self.count(db, entry);
    }

    /// Counts the keys of a database, and leaves the fingerprint out, which has to look at all values.
    pub fn count_db(&mut self, db: &Db<'_>) {
        db.entries().for_each(|entry| self.count(db.number(), entry));
    }

    fn count(&mut self, db: u32, entry: &Entry<'_>) {
        if !entry.value.lacks_elements() {
            *self.keys.entry((db, entry.value.kind())).or_default() += 1;
            self.with_expiry += u64::from(entry.expires_ms().is_some());
        }
    }

    /// Adds those of another share.
    pub fn join(&mut self, other: &Holdings) {
        for (of, keys) in &other.keys {
            *self.keys.entry(*of).or_default() += keys;
        }
        self.with_expiry += other.with_expiry;
        self.fingerprint.join(&other.fingerprint);
    }

    /// Keys in all databases.
    pub fn total(&self) -> u64 {
        self.keys.values().sum()
    }

    /// Whether another has as many keys of every type in every database. Their values can differ where an expiry was
    /// given relative to a time that the log does not tell.
    pub fn has_same_keys(&self, other: &Holdings) -> bool {
        self.keys == other.keys
    }

    /// Keys in one database.
    pub fn in_db(&self, db: u32) -> u64 {
        self.keys.iter().filter(|((of, _), _)| *of == db).map(|(_, keys)| keys).sum()
    }

    /// For a report.
    pub fn told(&self) -> Held {
        let of_type = |(&(db, kind), &keys): (&(u32, Kind), &u64)| HeldKeys { db, kind, keys };
        Held {
            total: self.total(),
            keys: self.keys.iter().map(of_type).collect(),
            with_expiry: self.with_expiry,
            fingerprint: Some(self.fingerprint.to_string()),
        }
    }

    /// For a report, where keys were counted and nothing more.
    pub fn told_counted(&self) -> Held {
        Held { fingerprint: None, ..self.told() }
    }
}

/// What a data set holds, as a report tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// Keys in all databases.
    pub total: u64,
    /// Keys by database and type.
    pub keys: Vec<HeldKeys>,
    /// Keys that expire.
    pub with_expiry: u64,
    /// Of everything that a key has: 32 hexadecimal digits. `None` where keys were counted and nothing more.
    pub fingerprint: Option<String>,
}

/// How many keys of a type a database has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HeldKeys {
    /// The database.
    pub db: u32,
    /// The type.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How many.
    pub keys: u64,
}
