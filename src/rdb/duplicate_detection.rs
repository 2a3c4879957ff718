//! Detection of duplicates without storing the members or keys themselves.
//!
//! Each member is remembered as 64 bits of hash and its offset. When a hash occurs again, the bytes
//! are compared, so the result is exact. The hash has a new seed for each walk, so no file can be
//! crafted to collide.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A fast hash of bytes for in-memory tables. Hashes must not be stored, because the seed differs
/// from walk to walk.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seed(u64);

impl Seed {
    pub(super) fn random() -> Self {
        Seed(RandomState::new().build_hasher().finish())
    }

    /// Returns the hash of `bytes`, never 0.
    #[inline]
    pub(super) fn hash(self, bytes: &[u8]) -> u64 {
        // Each step multiplies 16 bytes, mixed with secrets, to 128 bits and folds them. That is
        // the core of the wyhash family.
        const A: u64 = 0x9e37_79b9_7f4a_7c15;
        const B: u64 = 0xd1b5_4a32_d192_ed03;
        let mut state = self.0 ^ A.wrapping_mul(bytes.len() as u64);
        let mut rest = bytes;
        while let Some((block, more)) = rest.split_first_chunk::<16>() {
            if more.is_empty() {
                break;
            }
            let [low, high] = halves(block);
            state = fold(low ^ state ^ B, high ^ self.0);
            rest = more;
        }
        let [low, high] = match rest.len() {
            // Two overlapping reads cover the rest; the length mixed in above distinguishes the
            // cases.
            9..=16 => [first_eight(rest), last_eight(rest)],
            8 => [first_eight(rest), 0],
            4..=7 => [u64::from(first_four(rest)) | u64::from(last_four(rest)) << 32, 0],
            _ => {
                let mut low = 0;
                for &byte in rest {
                    low = low << 8 | u64::from(byte);
                }
                [low, 0]
            }
        };
        let state = fold(low ^ state ^ B, high ^ self.0.rotate_left(32) ^ A);
        fold(state ^ B, A) | 1 << 63
    }

    /// Returns the hash of a key in a database.
    #[inline]
    pub(super) fn hash_in(self, db: u64, bytes: &[u8]) -> u64 {
        Seed(self.0 ^ db.wrapping_mul(0x2545_f491_4f6c_dd1d)).hash(bytes)
    }
}

#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    // The truncation is intended: it splits the product into its halves.
    #[allow(clippy::cast_possible_truncation)]
    let (low, high) = (product as u64, (product >> 64) as u64);
    low ^ high
}

#[inline]
fn halves(block: &[u8; 16]) -> [u64; 2] {
    [first_eight(block), last_eight(block)]
}

#[inline]
fn first_eight(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

#[inline]
fn last_eight(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |b| u64::from_le_bytes(*b))
}

#[inline]
fn first_four(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

#[inline]
fn last_four(bytes: &[u8]) -> u32 {
    bytes.last_chunk().map_or(0, |b| u32::from_le_bytes(*b))
}

/// The members of one value: a table of hashes and offsets that is reused for the next value.
#[derive(Debug)]
pub(super) struct Unique {
    seed: Seed,
    /// Hash and offset side by side, so that a lookup touches one cache line. A hash of 0 marks a
    /// free slot. Only the first `mask + 1` slots are in use, a power of two.
    slots: Vec<(u64, u64)>,
    mask: usize,
    len: usize,
}

/// Number of slots of the smallest table.
const SMALLEST: usize = 16;
/// Largest declared count for which the table is sized in advance; beyond it, the table grows as
/// members arrive.
const BELIEVED: usize = 1 << 16;

impl Unique {
    pub(super) fn new(seed: Seed) -> Self {
        Unique { seed, slots: vec![(0, 0); SMALLEST], mask: SMALLEST - 1, len: 0 }
    }

    /// Clears the table and sizes it for about `expected` members.
    pub(super) fn begin(&mut self, expected: u64) {
        let expected = usize::try_from(expected).map_or(BELIEVED, |n| n.min(BELIEVED));
        let slots = (expected + expected / 2 + 1).next_power_of_two().max(SMALLEST);
        if self.slots.len() < slots {
            self.slots = vec![(0, 0); slots];
        } else {
            self.slots[..slots].fill((0, 0));
        }
        self.mask = slots - 1;
        self.len = 0;
    }

    /// Adds `member` with its offset `place`, and returns whether it is new. `same` returns whether
    /// the member at an earlier offset has the same bytes; it is called only if the hashes are
    /// equal.
    #[inline]
    pub(super) fn insert(
        &mut self,
        member: &[u8],
        place: u64,
        mut same: impl FnMut(u64) -> bool,
    ) -> bool {
        let hash = self.seed.hash(member);
        let mut slot = index(hash, self.mask);
        loop {
            match self.slots[slot] {
                (0, _) => break,
                (other, place) if other == hash && same(place) => return false,
                _ => slot = (slot + 1) & self.mask,
            }
        }
        self.slots[slot] = (hash, place);
        self.len += 1;
        if self.len > self.mask / 4 * 3 {
            self.grow();
        }
        true
    }

    #[cold]
    fn grow(&mut self) {
        let mask = self.mask * 2 + 1;
        let mut larger = vec![(0, 0); mask + 1];
        let used = self.slots.iter().take(self.mask + 1);
        for &(hash, place) in used.filter(|(hash, _)| *hash != 0) {
            let mut slot = index(hash, mask);
            while larger[slot] != (0, 0) {
                slot = (slot + 1) & mask;
            }
            larger[slot] = (hash, place);
        }
        self.slots = larger;
        self.mask = mask;
    }
}

#[inline]
fn index(hash: u64, mask: usize) -> usize {
    // Only low bits are used, so the truncation is harmless where usize is narrower.
    #[allow(clippy::cast_possible_truncation)]
    let low = hash as usize;
    low & mask
}

/// The hashes of all keys of the file: 8 bytes per key, and no lookups during the walk.
///
/// They are partitioned by their top bits, so that each partition can be searched for pairs within
/// the cache.
#[derive(Debug)]
pub(super) struct KeyHashes {
    parts: Vec<Vec<u64>>,
}

/// log2 of the number of partitions.
const PART_BITS: u32 = 8;

impl KeyHashes {
    pub(super) fn new() -> Self {
        KeyHashes { parts: vec![Vec::new(); 1 << PART_BITS] }
    }

    #[inline]
    pub(super) fn push(&mut self, hash: u64) {
        // The top bit is always set.
        #[allow(clippy::cast_possible_truncation)]
        let part = (hash << 1 >> (64 - PART_BITS)) as usize;
        if let Some(part) = self.parts.get_mut(part) {
            part.push(hash);
        }
    }

    /// Returns the hashes that occur more than once, in ascending order.
    pub(super) fn repeated(self) -> Vec<u64> {
        let mut repeated = Vec::new();
        let mut table = Vec::new();
        for part in self.parts {
            let mask = (part.len() * 2).next_power_of_two() - 1;
            table.clear();
            table.resize(mask + 1, 0);
            for hash in part {
                let mut slot = index(hash, mask);
                while table[slot] != 0 && table[slot] != hash {
                    slot = (slot + 1) & mask;
                }
                if table[slot] == hash {
                    repeated.push(hash);
                }
                table[slot] = hash;
            }
        }
        repeated.sort_unstable();
        repeated.dedup();
        repeated
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    proptest! {
        #[test]
        fn members_are_new_exactly_when_a_hash_set_inserts_them(
            rounds in prop::collection::vec(
                (0u64..5000, prop::collection::vec(prop::collection::vec(0u8..3, 0..20), 0..300)), 1..4),
        ) {
            let mut unique = Unique::new(Seed::random());
            for (expected, members) in rounds {
                unique.begin(expected);
                let mut set = HashSet::new();
                for (place, member) in members.iter().enumerate() {
                    let new = unique.insert(member, place as u64, |p| members.get(usize::try_from(p).unwrap()) == Some(member));
                    prop_assert_eq!(new, set.insert(member));
                }
            }
        }
    }

    #[test]
    fn equal_hashes_of_different_bytes_are_no_duplicate() {
        let mut unique = Unique::new(Seed::random());
        unique.begin(2);
        assert!(unique.insert(b"a", 0, |_| panic!("nothing to compare with")));
        assert!(unique.insert(b"a", 1, |place| {
            assert_eq!(place, 0);
            false
        }));
    }

    #[test]
    fn hashes_of_short_and_similar_bytes_differ() {
        let seed = Seed::random();
        let mut seen = HashSet::new();
        for len in 0..=70 {
            for at in 0..len {
                let mut bytes = vec![0; len];
                for bit in 0..8 {
                    bytes[at] = 1 << bit;
                    assert!(seen.insert(seed.hash(&bytes)), "{bytes:?}");
                }
            }
            assert!(seen.insert(seed.hash(&vec![0; len])));
        }
        assert_ne!(seed.hash_in(0, b"k"), seed.hash_in(1, b"k"));
    }

    #[test]
    fn repeated_hashes_are_found_once_each() {
        let mut hashes = KeyHashes::new();
        let seed = Seed::random();
        for n in (0..1000u64).chain([7, 500, 7]) {
            hashes.push(seed.hash(&n.to_le_bytes()));
        }
        let mut expected = [7u64, 500].map(|n| seed.hash(&n.to_le_bytes()));
        expected.sort_unstable();
        assert_eq!(hashes.repeated(), expected);
    }
}
