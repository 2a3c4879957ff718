//! A set of keys in bounded memory.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_128_with_seed;

/// A set of keys as hashes of 128 bits: 16 bytes a key, whatever its length, and the free space of a hash table.
///
/// Two different keys are taken for one with a probability of less than one in 10^18, even among 10^10 keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyHashes(HashSet<u128, BuildHasherDefault<LowBits>>);

impl KeyHashes {
    /// Adds a key of a database; returns whether it is new.
    pub(crate) fn insert(&mut self, db: u32, key: &[u8]) -> bool {
        self.0.insert(key_hash(db, key))
    }

    /// Returns the number of keys.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds keys by their [hashes](key_hash).
    pub(crate) fn extend(&mut self, hashes: impl IntoIterator<Item = u128>) {
        self.0.extend(hashes);
    }

    /// Returns whether a key of a database is in the set.
    pub(crate) fn contains(&self, db: u32, key: &[u8]) -> bool {
        !self.0.is_empty() && self.0.contains(&key_hash(db, key))
    }
}

/// Returns the hash of a key of a database.
pub(crate) fn key_hash(db: u32, key: &[u8]) -> u128 {
    xxh3_128_with_seed(key, u64::from(db))
}

/// Takes the low bits of what is a hash already.
#[derive(Debug, Default)]
struct LowBits(u64);

impl Hasher for LowBits {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(low) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*low);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_different_databases_differ() {
        let mut keys = KeyHashes::default();
        assert!(!keys.contains(0, b"a"));
        assert!(keys.insert(0, b"a") && !keys.insert(0, b"a") && keys.insert(1, b"a"));
        keys.extend([key_hash(2, b"b")]);
        for (db, key, expected) in
            [(0, b"a", true), (1, b"a", true), (2, b"b", true), (2, b"a", false)]
        {
            assert_eq!(keys.contains(db, key), expected, "{db}");
        }
    }
}
