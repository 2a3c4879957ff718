//! Union-find of keys that commands tie together, and that must be replayed together.
//!
//! RENAME, SUNIONSTORE and similar commands read one key and write another. Their keys are joined,
//! by the hashes of their names, so that each group of tied keys is assigned to one shard. Two keys
//! with equal hashes are in one group, which is harmless.

use std::collections::HashMap;

/// Groups of tied keys. Most logs have none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnionFind {
    /// Maps the hash of a tied key to one closer to the lowest hash of its group.
    towards: HashMap<u64, u64>,
    /// Whether a command may read any key, so that all keys are tied.
    all: bool,
}

impl UnionFind {
    pub(super) fn is_empty(&self) -> bool {
        self.towards.is_empty() && !self.all
    }

    pub(super) fn union_all(&mut self) {
        self.all = true;
    }

    /// Joins the groups of two keys.
    pub(super) fn union(&mut self, one: u64, other: u64) {
        let (one, other) = (self.lowest(one), self.lowest(other));
        let (low, high) = (one.min(other), one.max(other));
        self.towards.insert(low, low);
        self.towards.insert(high, low);
    }

    pub(super) fn join(&mut self, other: &UnionFind) {
        self.all |= other.all;
        other.towards.iter().for_each(|(&key, &towards)| self.union(key, towards));
    }

    fn lowest(&mut self, key: u64) -> u64 {
        let mut at = key;
        while let Some(&next) = self.towards.get(&at).filter(|&&next| next != at) {
            // Path halving.
            let after = self.towards.get(&next).copied().unwrap_or(next);
            self.towards.insert(at, after);
            at = after;
        }
        at
    }

    /// Returns the hash that determines the shard of a key: its own, or the lowest of its group.
    #[inline]
    pub(super) fn find(&self, hash: u64) -> u64 {
        if self.is_empty() { hash } else { self.find_joined(hash) }
    }

    fn find_joined(&self, hash: u64) -> u64 {
        if self.all {
            return 0;
        }
        let mut at = hash;
        while let Some(&next) = self.towards.get(&at).filter(|&&next| next != at) {
            at = next;
        }
        at
    }

    /// Compresses every path to a single step.
    pub(super) fn compress_paths(&mut self) {
        let keys: Vec<u64> = self.towards.keys().copied().collect();
        for key in keys {
            let lowest = self.lowest(key);
            self.towards.insert(key, lowest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_joined_in_any_order() {
        let mut groups = UnionFind::default();
        assert!(groups.is_empty());
        for (one, other) in [(5, 9), (7, 3), (9, 7), (20, 21)] {
            groups.union(one, other);
        }
        let mut later = UnionFind::default();
        later.union(21, 40);
        groups.join(&later);
        groups.compress_paths();
        for key in [3, 5, 7, 9] {
            assert_eq!(groups.find(key), 3);
        }
        for key in [20, 21, 40] {
            assert_eq!(groups.find(key), 20);
        }
        assert_eq!(groups.find(4), 4);
        groups.union_all();
        assert_eq!(groups.find(4), groups.find(20));
    }
}
