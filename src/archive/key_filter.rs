//! The key filter of an archive: the entry `aofkit.keys`.
//!
//! It is a Bloom filter of every key name that the log in the archive names: it answers "not there" for certain, and
//! "there" with about one error in a hundred. It lets a search for a key pass over an archive without unpacking it.
//!
//! A filter is read by later versions, so that its bytes must mean the same forever; and it is made while a log is scanned on
//! many cores, in bounded memory: all threads set bits of one filter, whose size is reduced at the end, when the number of keys
//! is known. The filters of `xorf` are built from all keys at once, and those of `fastbloom` never change
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

use std::sync::atomic::{AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_64;

/// The name of the entry.
pub(crate) const KEY_FILTER: &str = "aofkit.keys";

/// The version, as the first bytes.
const MAGIC: [u8; 8] = *b"AOFKEYS1";

/// The number of bits that a key sets.
const PROBES: u64 = 7;

/// The number of bits for each key of a filter whose size is chosen before the keys are known.
const BITS_PER_KEY: u64 = 10;

/// The size of the smallest command with a key, `*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n`, and of the smallest key of an RDB, in
/// bytes: they limit the number of keys.
const COMMAND_BYTES: u64 = 20;
const RDB_KEY_BYTES: u64 = 4;

/// The maximum number of bits: 32 MiB.
pub(crate) const MOST_BITS: u64 = 1 << 28;

/// The maximum length of the entry in bytes.
pub(crate) const MOST_BYTES: u64 = MOST_BITS / 8 + FRAMING_BYTES as u64;

/// The number of bytes of an entry besides the bits.
const FRAMING_BYTES: usize = 24;

/// Collects the key names of a log, on any number of threads, in at most 32 MiB.
#[derive(Debug)]
pub(crate) struct KeyFilterBuilder(Vec<AtomicU64>);

/// The bits of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bits(Vec<u64>);

impl Bits {
    fn len(&self) -> u64 {
        self.0.len() as u64 * 64
    }

    /// Returns the number of bits that are set.
    fn ones(&self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Returns the filter of the same keys with half as many bits; `None` if their number would not be a multiple of 64.
    fn halved(&self) -> Option<Bits> {
        let (pairs, []) = self.0.as_chunks::<2>() else { return None };
        let halves = pairs.iter().map(|&[low, high]| joined(low) | joined(high) << 32);
        (!pairs.is_empty()).then(|| Bits(halves.collect()))
    }
}

/// Returns the filter of the same keys with a third of the bits; `None` if their number would not be a multiple of 64.
fn third(bits: &Bits) -> Option<Bits> {
    let words = bits.0.len().is_multiple_of(3).then_some(bits.0.len() / 3)?;
    let mut thirds = vec![0_u64; words];
    for (index, &word) in bits.0.iter().enumerate() {
        let mut left = word;
        while left != 0 {
            let at = (index * 64 + left.trailing_zeros() as usize) / 3;
            thirds[at / 64] |= 1 << (at % 64);
            left &= left - 1;
        }
    }
    Some(Bits(thirds))
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
    /// Creates a builder for the keys of files with so many bytes of commands and of RDBs.
    pub(crate) fn for_files(command_bytes: u64, rdb_bytes: u64) -> Self {
        Self::for_keys(command_bytes / COMMAND_BYTES + rdb_bytes / RDB_KEY_BYTES)
    }

    /// Creates a builder for at most so many keys. The number of bits can be divided by two and by three.
    fn for_keys(keys: u64) -> Self {
        let wanted = keys.saturating_mul(BITS_PER_KEY).min(MOST_BITS);
        let bits = 192 * wanted.div_ceil(192).next_power_of_two();
        let words = if bits > MOST_BITS { MOST_BITS } else { bits } / 64;
        KeyFilterBuilder((0..words).map(|_| AtomicU64::new(0)).collect())
    }

    /// Adds a name.
    pub(crate) fn insert(&self, name: &[u8]) {
        let len = self.0.len() as u64 * 64;
        for at in positions(xxh3_64(name), len) {
            if let Some(word) = usize::try_from(at / 64).ok().and_then(|at| self.0.get(at)) {
                // Only the bits themselves are shared, and they are read after all threads have ended.
                word.fetch_or(1 << (at % 64), Ordering::Relaxed);
            }
        }
    }

    /// Returns the bytes of the entry, which depend only on the names and the size of the files; `None` if there are so many
    /// names (more than about 35 million) that the filter would be wrong too often.
    pub(crate) fn finish(self) -> Option<Vec<u8>> {
        let words = self.0.into_iter().map(AtomicU64::into_inner);
        let bits = smallest(Bits(words.collect()))?;
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
    let is_allowed = |fewer: &Bits| fewer.ones() <= fewer.len() / 2;
    let mut twice = None;
    while let Some(half) = bits.halved().filter(is_allowed) {
        twice = Some(std::mem::replace(&mut bits, half));
    }
    // Of 192 bits, there is a third and no half. Between other bits and half of them are two thirds.
    let smallest = Some(&bits).filter(|bits| bits.0.len() == 3).and_then(third);
    let two_thirds = || twice.as_ref().and_then(third);
    let fewer = smallest.filter(is_allowed).or_else(|| two_thirds().filter(is_allowed));
    Some(fewer.unwrap_or(bits))
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
        let builder = KeyFilterBuilder::for_keys(u64::from(names.end));
        add(&builder, names);
        builder
    }

    fn add(builder: &KeyFilterBuilder, names: std::ops::Range<u32>) {
        names.for_each(|name| builder.insert(format!("key:{name}").as_bytes()));
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
            // At most 20 bits a key, and half of them set.
            assert!(bytes.len() as u64 <= u64::from(keys) * 20 / 8 + 40, "{keys}");
            // At ten bits a key, seven of which are set: (1 - e^-0.7)^7 = 0.82 %.
            assert!(false_answers(&bytes) < 1_100, "{keys}: {}", false_answers(&bytes));
        }
    }

    #[test]
    fn a_filter_for_more_keys_than_there_are_becomes_as_small() {
        let few = KeyFilterBuilder::for_keys(1_000_000);
        add(&few, 0..30_000);
        assert_eq!(few.finish(), builder(0..30_000).finish());
    }

    #[test]
    fn the_bytes_do_not_depend_on_the_order_and_the_threads() {
        let shared = KeyFilterBuilder::for_keys(1000);
        std::thread::scope(|scope| {
            scope.spawn(|| add(&shared, 300..1000));
            scope.spawn(|| add(&shared, 0..400));
        });
        assert_eq!(shared.finish(), builder(0..1000).finish());
    }

    #[test]
    fn a_third_of_the_bits_has_the_same_names() {
        // 77 bits are set, some of them twice: at most half of 192 and of 128, and 96 are no multiple of 64.
        let few = KeyFilterBuilder::for_keys(39);
        assert_eq!(few.0.len(), 12);
        add(&few, 0..11);
        let bytes = few.finish().unwrap();
        assert_eq!(bytes.len(), FRAMING_BYTES + 16);
        let filter = KeyFilter::open(&bytes).unwrap();
        assert!((0..11).all(|name| filter.may_have(format!("key:{name}").as_bytes())));
        let words: Vec<u64> = filter
            .bits
            .chunks(8)
            .map(|it| u64::from_le_bytes(*it.first_chunk().unwrap()))
            .collect();
        let mut wanted = [0_u64; 2];
        for name in 0..11 {
            for at in positions(xxh3_64(format!("key:{name}").as_bytes()), 128) {
                wanted[usize::try_from(at).unwrap() / 64] |= 1 << (at % 64);
            }
        }
        assert_eq!(words, wanted);
    }

    #[test]
    fn too_many_names_have_no_filter() {
        let builder = KeyFilterBuilder::for_keys(10);
        add(&builder, 0..1000);
        assert_eq!(builder.finish(), None);
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
            let builder = KeyFilterBuilder::for_keys(1);
            builder.insert(b"a");
            builder.finish().unwrap()
        };
        assert_eq!(bytes.len(), 32);
        assert_eq!(bytes[..16], *b"AOFKEYS1\x40\0\0\0\0\0\0\0");
        assert_eq!(u64::from_le_bytes(*bytes[16..].first_chunk().unwrap()), OF_A);
    }

    const OF_A: u64 = 0x0300_1000_4006_0020;
}
