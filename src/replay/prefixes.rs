//! Which keys a log is full of: bytes by the first word of their names.
//!
//! Counted in some of the shares only. Shares are made by hash, so that a sixteenth of them is a fair sample of all
//! the keys, and counting costs next to nothing.

use std::collections::{BTreeMap, HashMap};

/// One share in so many is counted, of logs that have more.
const EACH: usize = 16;
/// Logs of fewer bytes are counted in whole.
const SMALL_BYTES: u64 = 64 << 20;
/// Prefixes that are told apart in a share; the rest is counted together.
const MOST: usize = 4096;
/// What ends the first word of a name.
const SEPARATORS: [u8; 4] = *b":./|";

/// Bytes by prefix.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prefixes(pub BTreeMap<Vec<u8>, u64>);

impl Prefixes {
    /// One share in how many is counted, of a log of this length.
    pub fn sampling(log_bytes: u64) -> usize {
        if log_bytes < SMALL_BYTES { 1 } else { EACH }
    }

    /// Adds what was counted elsewhere.
    pub fn join(&mut self, other: Prefixes) {
        for (prefix, bytes) in other.0 {
            *self.0.entry(prefix).or_default() += bytes;
        }
    }
}

/// Counts for one share.
#[derive(Debug, Default)]
pub struct PrefixCounter<'a>(HashMap<&'a [u8], u64>);

impl<'a> PrefixCounter<'a> {
    /// Counts bytes for a key. Keys without a separator are counted together, under an empty prefix.
    pub fn add(&mut self, key: &'a [u8], bytes: usize) {
        let end = key.iter().position(|byte| SEPARATORS.contains(byte)).map_or(0, |at| at + 1);
        let prefix = &key[..end];
        let is_full = self.0.len() >= MOST && !self.0.contains_key(prefix);
        *self.0.entry(if is_full { &[] } else { prefix }).or_default() += bytes as u64;
    }

    /// What was counted.
    pub fn finish(self) -> Prefixes {
        Prefixes(self.0.into_iter().map(|(prefix, bytes)| (prefix.to_vec(), bytes)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_of_a_name_is_its_prefix() {
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
