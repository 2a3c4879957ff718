//! The key filter of an archive: the entry `aofkit.keys`.
//!
//! It is a Bloom filter of every key name that the log in the archive names: it answers "not there" for certain, and
//! "there" with about one error in a hundred. It lets a search for a key pass over an archive without unpacking it.
//!
//! A filter is read by later versions, so that its bytes must mean the same forever; and it is made while a log is scanned on
//! many cores, in bounded memory, so that filters must be joinable and, as the number of keys is known only at the end, be
//! reducible to half their size. The filters of `xorf` are built from all keys at once, and those of `fastbloom` never change
//! their size, and do not promise the same positions in a later version.
//!
//! | bytes | content |
//! |---|---|
//! | 8 | `AOFKEYS1`: the version |
//! | 8 | the number of bits, little-endian: a multiple of 64, at most [`MOST_BITS`] |
//! | bits / 8 | the bits, the lowest of each byte first |
//! | 8 | the XXH3-64 of all bytes before, little-endian |
//!
//! A key sets [`PROBES`] bits: with `h` the XXH3-64 of its name, and `step` as in [`positions`], bit
//! `((h + i * step) mod 2^64) * bits / 2^64` for each `i`. Of half the bits, the position is half as large.

use std::collections::HashSet;
use std::hash::{BuildHasherDefault, Hasher};

use xxhash_rust::xxh3::xxh3_64;

/// The name of the entry.
pub(crate) const KEY_FILTER: &str = "aofkit.keys";

/// The version, as the first bytes.
const MAGIC: [u8; 8] = *b"AOFKEYS1";

/// The number of bits that a key sets.
const PROBES: u64 = 7;

/// The number of bits for each key, if the number of keys is known.
const BITS_PER_KEY: u64 = 10;

/// The maximum number of keys that are counted one by one; of more, bits are set at once.
const COUNTED_KEYS: usize = 1 << 20;

/// The maximum number of bits: 32 MiB.
pub(crate) const MOST_BITS: u64 = 1 << 28;

/// The maximum length of the entry in bytes.
pub(crate) const MOST_BYTES: u64 = MOST_BITS / 8 + FRAMING_BYTES as u64;

/// The number of bytes of an entry besides the bits.
const FRAMING_BYTES: usize = 24;

/// Collects the key names of a log, in at most 32 MiB.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeyFilterBuilder(Keys);

#[derive(Debug, Clone)]
enum Keys {
    /// The hashes of the names.
    Counted(HashSet<u64, BuildHasherDefault<Same>>),
    /// The filter of [`MOST_BITS`].
    Filter(Bits),
}

impl Default for Keys {
    fn default() -> Self {
        Keys::Counted(HashSet::default())
    }
}

/// The hash of what is a hash already.
#[derive(Debug, Default, Clone)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, _: &[u8]) {}
}

/// The bits of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn new(bits: u64) -> Bits {
        Bits(vec![0; usize::try_from(bits / 64).unwrap_or(0)])
    }

    fn len(&self) -> u64 {
        self.0.len() as u64 * 64
    }

    fn insert(&mut self, hash: u64) {
        let len = self.len();
        for at in positions(hash, len) {
            if let Some(word) = usize::try_from(at / 64).ok().and_then(|at| self.0.get_mut(at)) {
                *word |= 1 << (at % 64);
            }
        }
    }

    /// Returns the number of bits that are set.
    fn ones(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Returns the filter of the same keys with half as many bits; `None` if their number would not be a multiple of 64.
    fn halved(&self) -> Option<Bits> {
        let (pairs, []) = self.0.as_chunks::<2>() else { return None };
        Some(Bits(pairs.iter().map(|&[low, high]| joined(low) | joined(high) << 32).collect()))
    }
}

/// Returns 32 bits, each of which is set if one of two adjacent bits is.
fn joined(word: u64) -> u64 {
    let either = (word | word >> 1) & 0x5555_5555_5555_5555;
    let pairs = (either | either >> 1) & 0x3333_3333_3333_3333;
    let nibbles = (pairs | pairs >> 2) & 0x0f0f_0f0f_0f0f_0f0f;
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let halves = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    (halves | halves >> 16) & 0xffff_ffff
}

/// Returns the bits of a name with this hash, in a filter of `bits` bits.
fn positions(hash: u64, bits: u64) -> impl Iterator<Item = u64> {
    let step = hash.rotate_left(32).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..PROBES).map(move |probe| {
        let mixed = hash.wrapping_add(probe.wrapping_mul(step));
        let scaled = (u128::from(mixed) * u128::from(bits)) >> 64;
        // It is less than `bits`.
        u64::try_from(scaled).unwrap_or_default()
    })
}

impl KeyFilterBuilder {
    /// Adds a name.
    pub(crate) fn insert(&mut self, name: &[u8]) {
        self.insert_hash(xxh3_64(name));
    }

    fn insert_hash(&mut self, hash: u64) {
        match &mut self.0 {
            Keys::Counted(hashes) => {
                hashes.insert(hash);
                if hashes.len() > COUNTED_KEYS {
                    self.stop_counting();
                }
            }
            Keys::Filter(bits) => bits.insert(hash),
        }
    }

    fn stop_counting(&mut self) {
        let Keys::Counted(hashes) = &self.0 else { return };
        let mut bits = Bits::new(MOST_BITS);
        hashes.iter().for_each(|hash| bits.insert(*hash));
        self.0 = Keys::Filter(bits);
    }

    /// Adds the names of another builder.
    pub(crate) fn join(&mut self, other: KeyFilterBuilder) {
        match other.0 {
            Keys::Counted(hashes) => hashes.into_iter().for_each(|hash| self.insert_hash(hash)),
            Keys::Filter(theirs) => {
                self.stop_counting();
                if let Keys::Filter(mine) = &mut self.0 {
                    mine.0.iter_mut().zip(theirs.0).for_each(|(mine, theirs)| *mine |= theirs);
                }
            }
        }
    }

    /// Returns the bytes of the entry, which depend only on the names; `None` if there are so many names (more than about
    /// 35 million) that the filter would be wrong too often.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        let bits = match self.0 {
            Keys::Counted(hashes) => {
                let wanted = (hashes.len() as u64 * BITS_PER_KEY).next_multiple_of(64).max(64);
                let mut bits = Bits::new(wanted);
                hashes.iter().for_each(|hash| bits.insert(*hash));
                bits
            }
            Keys::Filter(bits) => smallest(bits)?,
        };
        let mut bytes = MAGIC.to_vec();
        bytes.extend(bits.len().to_le_bytes());
        bits.0.iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes.extend(xxh3_64(&bytes).to_le_bytes());
        Some(bytes)
    }
}

/// Returns the smallest filter of the same keys of which at most half the bits are set; `None` if more than three fifths of
/// the bits are.
fn smallest(mut bits: Bits) -> Option<Bits> {
    if bits.ones() > bits.len() / 5 * 3 {
        return None;
    }
    while let Some(half) = bits.halved().filter(|half| half.ones() <= half.len() / 2) {
        bits = half;
    }
    Some(bits)
}

/// A key filter that was read.
pub(crate) struct KeyFilter<'b> {
    bits: &'b [u8],
}

impl<'b> KeyFilter<'b> {
    /// Returns the filter in these bytes; `None` if they are damaged or of another version.
    pub(crate) fn open(bytes: &'b [u8]) -> Option<KeyFilter<'b>> {
        let (content, checksum) = bytes.split_last_chunk::<8>()?;
        let (magic, rest) = content.split_first_chunk::<8>()?;
        let (len, bits) = rest.split_first_chunk::<8>()?;
        let len = u64::from_le_bytes(*len);
        let is_whole = *magic == MAGIC
            && (64..=MOST_BITS).contains(&len)
            && len.is_multiple_of(64)
            && bits.len() as u64 == len / 8
            && xxh3_64(content) == u64::from_le_bytes(*checksum);
        is_whole.then_some(KeyFilter { bits })
    }

    /// Returns whether the log may name the key. If not, the key was never written.
    pub(crate) fn may_have(&self, name: &[u8]) -> bool {
        let is_set = |at: u64| {
            let byte = usize::try_from(at / 8).ok().and_then(|at| self.bits.get(at));
            byte.is_none_or(|byte| byte >> (at % 8) & 1 == 1)
        };
        positions(xxh3_64(name), self.bits.len() as u64 * 8).all(is_set)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(names: std::ops::Range<u32>) -> KeyFilterBuilder {
        let mut builder = KeyFilterBuilder::default();
        names.for_each(|name| builder.insert(format!("key:{name}").as_bytes()));
        builder
    }

    /// Returns how many of a hundred thousand names a filter has that it was not given.
    fn false_answers(bytes: &[u8]) -> usize {
        let filter = KeyFilter::open(bytes).unwrap();
        (0..100_000).filter(|name| filter.may_have(format!("other:{name}").as_bytes())).count()
    }

    #[test]
    fn every_name_is_found_and_few_others_are() {
        for keys in [0, 1, 7, 100, 30_000] {
            let bytes = builder(0..keys).finish().unwrap();
            let filter = KeyFilter::open(&bytes).unwrap();
            assert!((0..keys).all(|name| filter.may_have(format!("key:{name}").as_bytes())));
            assert!(bytes.len() as u64 <= u64::from(keys) * 10 / 8 + 32, "{keys}");
            // Seven bits of ten a key: (1 - e^-0.7)^7 = 0.82 %.
            assert!(false_answers(&bytes) < 1_100, "{keys}: {}", false_answers(&bytes));
        }
    }

    #[test]
    fn a_filter_that_was_not_counted_has_the_same_names() {
        let mut counted = builder(0..30_000);
        counted.stop_counting();
        let bytes = counted.finish().unwrap();
        let filter = KeyFilter::open(&bytes).unwrap();
        assert!((0..30_000).all(|name| filter.may_have(format!("key:{name}").as_bytes())));
        // Between 10 and 20 bits a key.
        assert!((37_500..=75_100).contains(&bytes.len()), "{}", bytes.len());
        assert!(false_answers(&bytes) < 1_100);
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_and_the_segments() {
        let whole = builder(0..1000).finish();
        for uncounted in [[false; 2], [true, false], [false, true]] {
            let mut parts = [builder(300..1000), builder(0..400)];
            for (part, uncounted) in parts.iter_mut().zip(uncounted) {
                if uncounted {
                    part.stop_counting();
                }
            }
            let [mut first, second] = parts;
            first.join(second);
            let mut expected = builder(0..1000);
            if uncounted != [false; 2] {
                expected.stop_counting();
            } else {
                assert_eq!(first.clone().finish(), whole);
            }
            assert_eq!(first.finish(), expected.finish());
        }
    }

    #[test]
    fn damage_and_other_versions_are_refused() {
        let bytes = builder(0..10).finish().unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(KeyFilter::open(&bytes).is_none(), "{bit}");
        }
        for len in 0..bytes.len() {
            assert!(KeyFilter::open(&bytes[..len]).is_none(), "{len}");
        }
        let mut later = bytes[..bytes.len() - 8].to_vec();
        later[7] = b'2';
        later.extend(xxh3_64(&later).to_le_bytes());
        assert!(KeyFilter::open(&later).is_none());
    }

    /// The bytes of a version must not change: filters of earlier releases would hide keys.
    #[test]
    fn the_format_is_frozen() {
        // Of the 64 bits, those of `a`: computed apart from this code, from the definition.
        let bytes = {
            let mut builder = KeyFilterBuilder::default();
            builder.insert(b"a");
            builder.finish().unwrap()
        };
        assert_eq!(bytes.len(), 32);
        assert_eq!(bytes[..16], *b"AOFKEYS1\x40\0\0\0\0\0\0\0");
        assert_eq!(u64::from_le_bytes(*bytes[16..].first_chunk().unwrap()), OF_A);
    }

    const OF_A: u64 = 0x0300_1000_4006_0020;
}
