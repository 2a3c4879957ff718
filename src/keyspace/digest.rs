//! `DEBUG DIGEST`, computed as a server does: SHA-1, mixed where order matters, and combined by
//! exclusive or where it does not.
//!
//! With `xor(D, x)`: D becomes D ^ SHA1(x); with `mix(D, x)`: D becomes SHA1(D ^ SHA1(x)). The
//! digest of a key begins with 20 zeros and mixes in the key, its type and its value; that of a
//! database is the exclusive or of the SHA-1 of those; and that of the data set mixes in the index
//! of each database that is not empty before adding it. Checked against Redis 6.2, 7.0, 8.2 and
//! Valkey 9.1 (`debug.c`, `computeDatasetDigest`).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sha1::digest::core_api::Block;
use sha1::{Digest as _, Sha1, Sha1Core, compress};

use super::score::{ScoreBuffer, ScoreText};
use crate::base::server::{Product, Server};
use crate::keyspace::databases::Keyspace;
use crate::keyspace::db::Entry;
use crate::keyspace::value::Value;

/// A digest, formatted by servers as 40 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Digest(Words);

/// The words of a SHA-1, as the algorithm has them.
type Words = [u32; 5];

/// The state in which SHA-1 begins.
const START: Words = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// Maximum length in bytes of a text that is one block with its padding.
const SHORT: usize = 55;

/// Returns the SHA-1 of a text of up to [`SHORT`] bytes, which `write` writes to the beginning of the block.
#[inline]
fn hash_short(len: usize, write: impl FnOnce(&mut [u8])) -> Words {
    let mut block = Block::<Sha1Core>::default();
    write(&mut block);
    block[len] = 0x80;
    let bits = u16::try_from(len * 8).unwrap_or_default();
    block[62..].copy_from_slice(&bits.to_be_bytes());
    let mut words = START;
    compress(&mut words, std::slice::from_ref(&block));
    words
}

fn hash(bytes: &[u8]) -> Words {
    if bytes.len() <= SHORT {
        return hash_short(bytes.len(), |block| block[..bytes.len()].copy_from_slice(bytes));
    }
    let hash: [u8; 20] = Sha1::digest(bytes).into();
    let mut words = Words::default();
    for (word, bytes) in words.iter_mut().zip(hash.as_chunks::<4>().0) {
        *word = u32::from_be_bytes(*bytes);
    }
    words
}

impl Digest {
    fn xor(&mut self, bytes: &[u8]) {
        self.add(hash(bytes));
    }

    fn mix(&mut self, bytes: &[u8]) {
        self.mix_hash(hash(bytes));
    }

    /// As [`mix`](Self::mix), of a text with this SHA-1.
    fn mix_hash(&mut self, hash: Words) {
        self.add(hash);
        self.0 = self.hash();
    }

    fn add(&mut self, other: Words) {
        self.0.iter_mut().zip(other).for_each(|(word, other)| *word ^= other);
    }

    /// Returns the SHA-1 of its bytes.
    fn hash(&self) -> Words {
        hash_short(20, |block| {
            for (bytes, word) in block.as_chunks_mut::<4>().0.iter_mut().zip(self.0) {
                *bytes = word.to_be_bytes();
            }
        })
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|word| write!(f, "{word:08x}"))
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

/// The SHA-1 of the number of each type.
static NUMBERS: LazyLock<[Words; 8]> = LazyLock::new(|| {
    let mut number = 0_u32;
    [(); 8].map(|()| {
        number += 1;
        hash(&(number - 1).to_be_bytes())
    })
});

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
    let number: usize = match &entry.value {
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
    digest.mix_hash(NUMBERS[number]);
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
                digest.add(pair.hash());
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
                digest.add(pair.hash());
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
        self.databases.entry(db).or_default().add(of_entry(entry, flavour).hash());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_length_have_their_sha1() {
        let bytes: Vec<u8> = (0..200).collect();
        for len in 0..bytes.len() {
            let mut digest = Digest::default();
            digest.xor(&bytes[..len]);
            let expected: [u8; 20] = Sha1::digest(&bytes[..len]).into();
            let text: String = expected.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(digest.to_string(), text, "{len}");
            let again: [u8; 20] = Sha1::digest(expected).into();
            assert_eq!(digest.hash().map(u32::to_be_bytes).concat(), again, "{len}");
        }
    }
}
