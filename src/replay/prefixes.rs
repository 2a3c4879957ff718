//! The key prefixes that take most of a log: bytes by the first component of the key names.
//!
//! Only some of the shards are counted. Shards are assigned by hash, so a sixteenth of them is a
//! representative sample of all keys, and counting costs next to nothing.

use std::collections::{BTreeMap, HashMap};

/// One of this many shards is counted, in logs that are not small.
const EACH: usize = 16;
/// Size in bytes below which all shards of a log are counted.
const SMALL_BYTES: u64 = 64 << 20;
/// Maximum number of distinct prefixes per shard; the rest is counted together.
const MOST: usize = 4096;
/// The bytes that end the first component of a name.
const SEPARATORS: [u8; 4] = *b":./|";

/// Number of bytes by prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes(pub BTreeMap<Vec<u8>, u64>);

impl Prefixes {
    /// Returns n if one of n shards is counted, for a log of this size.
    pub fn sampling(log_bytes: u64) -> usize {
        if log_bytes < SMALL_BYTES { 1 } else { EACH }
    }

    /// Adds other counts.
    pub fn join(&mut self, other: Prefixes) {
        for (prefix, bytes) in other.0 {
            *self.0.entry(prefix).or_default() += bytes;
        }
    }
}

/// The counts of one shard.
#[derive(Debug, Default)]
pub struct PrefixCounter<'a>(HashMap<&'a [u8], u64>);

impl<'a> PrefixCounter<'a> {
    /// Adds bytes for a key. Keys without a separator are counted together, under an empty prefix.
    pub fn add(&mut self, key: &'a [u8], bytes: usize) {
        let end = key.iter().position(|byte| SEPARATORS.contains(byte)).map_or(0, |at| at + 1);
        let prefix = &key[..end];
        let is_full = self.0.len() >= MOST && !self.0.contains_key(prefix);
        *self.0.entry(if is_full { &[] } else { prefix }).or_default() += bytes as u64;
    }

    /// Returns the counts.
    pub fn finish(self) -> Prefixes {
        Prefixes(self.0.into_iter().map(|(prefix, bytes)| (prefix.to_vec(), bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_component_of_a_name_is_its_prefix() {
        let mut counter = PrefixCounter::default();
        for (key, bytes) in
            [("user:1", 10), ("user:2", 5), ("a.b:c", 3), ("plain", 7), ("", 1), (":x", 2)]
        {
            counter.add(key.as_bytes(), bytes);
        }
        let counted: Vec<(Vec<u8>, u64)> = counter.finish().0.into_iter().collect();
        let expected = [("", 8), (":", 2), ("a.", 3), ("user:", 15)];
        let expected = expected.map(|(prefix, bytes)| (prefix.as_bytes().to_vec(), bytes));
        assert_eq!(counted, expected);
    }
}
