//! `DEBUG DIGEST`, computed as a server does: SHA-1, mixed where order matters, and combined by
//! exclusive or where it does not.
//!
//! With `xor(D, x)`: D becomes D ^ SHA1(x); with `mix(D, x)`: D becomes SHA1(D ^ SHA1(x)). The
//! digest of a key begins with 20 zeros and mixes in the key, its type and its value; that of a
//! database is the exclusive or of the SHA-1 of those; and that of the data set mixes in the index
//! of each database that is not empty before adding it. Checked against Redis 6.2, 7.0, 8.2 and
//! Valkey 9.1 (`debug.c`, `computeDatasetDigest`).

use std::collections::BTreeMap;

use sha1::{Digest as _, Sha1};

use super::score::{ScoreBuffer, ScoreText};
use crate::base::server::{Product, Server};
use crate::keyspace::databases::Keyspace;
use crate::keyspace::db::Entry;
use crate::keyspace::value::Value;

/// A digest, formatted by servers as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest([u8; 20]);

impl Digest {
    fn xor(&mut self, bytes: &[u8]) {
        self.add(Sha1::digest(bytes).into());
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.xor(bytes);
        self.0 = Sha1::digest(self.0).into();
    }

    fn add(&mut self, other: [u8; 20]) {
        self.0.iter_mut().zip(other).for_each(|(byte, other)| *byte ^= other);
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// The aspects of the digest that differ between servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flavour {
    /// The format of scores.
    pub scores: ScoreText,
    /// Whether the digest includes that a field of a hash expires.
    pub field_expiry: bool,
    /// The time, in Unix milliseconds, from which a field of a hash has expired that the digest leaves out; `None` if it
    /// has all fields. Valkey leaves them out, also on a replica, where they are until their primary deletes them.
    /// *Observed* on Valkey 9.0 and 9.1; Redis 7.4 to 8.6 do not.
    pub hidden_until_ms: Option<i64>,
}

impl Flavour {
    /// Returns the flavour of a server of this release line.
    pub fn of_server(server: Server) -> Flavour {
        Flavour {
            scores: ScoreText::of_server(server),
            field_expiry: server.product == Product::Redis && server.has_redis(7, 4),
            hidden_until_ms: None,
        }
    }
}

/// Returns the digest of a key with its value, which is added to that of the data set.
pub fn of_entry(entry: &Entry<'_>, flavour: Flavour) -> Digest {
    let mut digest = Digest::default();
    digest.mix(entry.key());
    with_value(digest, entry, flavour)
}

/// Returns the digest of a key's value and expiry, as `DEBUG DIGEST-VALUE` prints it.
pub fn of_value(entry: &Entry<'_>, flavour: Flavour) -> Digest {
    with_value(Digest::default(), entry, flavour)
}

fn with_value(mut digest: Digest, entry: &Entry<'_>, flavour: Flavour) -> Digest {
    let number: u32 = match &entry.value {
        Value::String(_) => 0,
        Value::List(_) => 1,
        Value::Set(_) => 2,
        Value::Zset(_) => 3,
        Value::Hash(_) => 4,
        Value::Module(_) | Value::Opaque(_) => 5,
        Value::Stream(_) => 6,
        // Not known: no server with arrays was available.
        Value::Array(_) => 7,
    };
    digest.mix(&number.to_be_bytes());
    match &entry.value {
        Value::String(value) => value.with(|bytes| digest.mix(bytes)),
        Value::List(list) => list.elements.iter().for_each(|element| digest.mix(element)),
        Value::Set(set) => set.members().for_each(|member| digest.xor(member)),
        Value::Zset(zset) => {
            let mut text = ScoreBuffer::new();
            for (member, score) in zset.members() {
                let mut pair = Digest::default();
                pair.mix(member);
                pair.mix(text.format(score, flavour.scores).as_bytes());
                digest.xor(&pair.0);
            }
        }
        Value::Hash(hash) => {
            let is_hidden = |at: i64| flavour.hidden_until_ms.is_some_and(|until| at <= until);
            let fields =
                hash.fields().filter(|(.., expires_ms)| !expires_ms.is_some_and(is_hidden));
            for (field, value, expires_ms) in fields {
                let mut pair = Digest::default();
                pair.mix(field);
                value.with(|bytes| pair.mix(bytes));
                if expires_ms.is_some() && flavour.field_expiry {
                    pair.xor(b"!!hexpire!!");
                }
                digest.xor(&pair.0);
            }
        }
        Value::Stream(stream) => {
            for (id, fields) in stream.entries() {
                digest.mix(format!("{}.{}", id.ms, id.seq).as_bytes());
                for (field, value) in fields.iter() {
                    digest.mix(field);
                    digest.mix(value);
                }
            }
        }
        Value::Array(array) => {
            for (index, value) in array.items() {
                digest.mix(&index.to_be_bytes());
                digest.mix(&value.text());
            }
        }
        // The digest that a module computes for its values is unknown.
        Value::Module(_) | Value::Opaque(_) => {}
    }
    if entry.expires_ms().is_some() {
        digest.xor(b"!!expire!!");
    }
    digest
}

/// The digest of a data set, from the shards of its keys in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sum {
    databases: BTreeMap<u32, Digest>,
}

impl Sum {
    /// Adds a key of a database.
    pub fn add(&mut self, db: u32, entry: &Entry<'_>, flavour: Flavour) {
        self.databases.entry(db).or_default().xor(&of_entry(entry, flavour).0);
    }

    /// Adds every key of a data set.
    pub fn add_all(&mut self, keyspace: &Keyspace<'_>, flavour: Flavour) {
        for db in keyspace.databases() {
            db.entries().for_each(|entry| self.add(db.number(), entry, flavour));
        }
    }

    /// Adds the keys of another sum.
    pub fn join(&mut self, other: &Sum) {
        for (db, digest) in &other.databases {
            self.databases.entry(*db).or_default().add(digest.0);
        }
    }

    /// Returns the digest of the whole data set.
    pub fn finish(&self) -> Digest {
        let mut whole = Digest::default();
        for (db, digest) in &self.databases {
            whole.mix(&db.to_be_bytes());
            whole.add(digest.0);
        }
        whole
    }
}
