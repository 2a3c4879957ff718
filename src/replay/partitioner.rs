//! The assignment of keys to shards.

use xxhash_rust::xxh3::xxh3_64;

use crate::replay::union_find::UnionFind;

/// Minimum number of shards.
const FEWEST: u32 = 64;
/// Maximum number of shards.
const MOST: u32 = 4096;
/// Size in bytes of a log per shard, chosen so that the resulting data fits into a cache.
const LOG_BYTES: u64 = 1 << 20;

/// Assigns keys to shards. The assignment is the same on every machine, and must not change: shards
/// that are replayed on several machines are joined.
#[derive(Debug, Clone)]
pub(super) struct Partitioner {
    shards: u32,
    pub(super) groups: UnionFind,
}

impl Partitioner {
    /// Creates the partitioner for a log of this size, without tied keys.
    pub(super) fn of_log(bytes: u64) -> Self {
        let wanted = u32::try_from(bytes / LOG_BYTES).unwrap_or(MOST);
        let shards = wanted.clamp(FEWEST, MOST).next_power_of_two();
        Partitioner { shards, groups: UnionFind::default() }
    }

    /// Returns the number of shards, a power of two.
    pub(super) fn shards(&self) -> usize {
        self.shards as usize
    }

    /// Returns the shard of a key with this hash.
    #[inline]
    pub(super) fn shard_of_hash(&self, hash: u64) -> usize {
        let mask = u64::from(self.shards - 1);
        #[allow(clippy::cast_possible_truncation)] // It is below the number of shards.
        let shard = (self.groups.find(hash) & mask) as usize;
        shard
    }

    /// Returns the shard of a key.
    #[inline]
    pub(super) fn shard_of(&self, key: &[u8]) -> usize {
        self.shard_of_hash(hash(key))
    }
}

/// The hash that determines the shard of a key: XXH3, unseeded.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}
