//! Which share a key is in.

use xxhash_rust::xxh3::xxh3_64;

use crate::replay::union_find::Ties;

/// The lowest number of shares.
const FEWEST: u32 = 64;
/// The highest.
const MOST: u32 = 4096;
/// How much of a log there is to a share, in bytes, so that what is left of it fits a cache.
const LOG_BYTES: u64 = 1 << 20;

/// Which share each key is in. It is the same on every machine, and must stay so: shares that are replayed on
/// several are joined.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    shares: u32,
    pub(super) ties: Ties,
}

impl Placement {
    /// For a log of this size, in which no keys are tied.
    pub(super) fn of_log(bytes: u64) -> Self {
        let wanted = u32::try_from(bytes / LOG_BYTES).unwrap_or(MOST);
        let shares = wanted.clamp(FEWEST, MOST).next_power_of_two();
        Placement { shares, ties: Ties::default() }
    }

    /// How many shares there are: a power of two.
    pub(super) fn shares(&self) -> usize {
        self.shares as usize
    }

    /// The share of a key whose hash this is.
    #[inline]
    pub(super) fn share_of_hash(&self, hash: u64) -> usize {
        let mask = u64::from(self.shares - 1);
        #[allow(clippy::cast_possible_truncation)] // Below the number of shares.
        let share = (self.ties.leader(hash) & mask) as usize;
        share
    }

    /// The share of a key.
    #[inline]
    pub(super) fn share_of(&self, key: &[u8]) -> usize {
        self.share_of_hash(hash(key))
    }
}

/// The hash by which keys are told apart for sharing: XXH3, unseeded.
#[inline]
pub(super) fn hash(key: &[u8]) -> u64 {
    xxh3_64(key)
}
