//! What the names of keys look like, from those that were read.

/// The number of names from which it is known what names look like.
const NAMES: u64 = 8;

/// The longest name of a key that is plausible while no name is known, in bytes.
const NAME_BYTES: usize = 64 << 10;

/// The most that a name counts, in bits.
const NAME_BITS: i32 = 40;

/// Counts the bytes of names.
pub(super) struct NameModel {
    names: u64,
    /// The number of names that are plain text.
    plain: u64,
    longest: usize,
    counts: [u32; 256],
    bytes: u64,
    /// What each byte gives, in bits.
    bits: [i32; 256],
}

impl NameModel {
    pub(super) fn new() -> Self {
        let mut counts = [0; 256];
        for byte in 0..=u8::MAX {
            counts[usize::from(byte)] = match byte {
                b'a'..=b'z' | b'0'..=b'9' | b':' => 4,
                b' '..=b'~' => 2,
                _ => 0,
            };
        }
        let bytes = counts.iter().map(|count| u64::from(*count)).sum();
        let mut model = NameModel { names: 0, plain: 0, longest: 0, counts, bytes, bits: [0; 256] };
        model.settle();
        model
    }

    /// Takes note of the name of a key.
    pub(super) fn learn(&mut self, name: &[u8]) {
        self.names += 1;
        self.plain += u64::from(is_plain(name));
        self.longest = self.longest.max(name.len());
        // Long names tell no more than their beginnings, and counts must not overflow.
        if self.bytes < 1 << 24 {
            for byte in name.iter().take(64) {
                self.counts[usize::from(*byte)] += 1;
                self.bytes += 1;
            }
        }
    }

    /// Applies what was learned.
    pub(super) fn settle(&mut self) {
        for byte in 0..=u8::MAX {
            self.bits[usize::from(byte)] = self.bits_of(byte);
        }
    }

    /// Returns how many bits more likely the bytes are as a name than as anything; `None` if they are no plausible
    /// name.
    pub(super) fn bits(&self, name: &[u8]) -> Option<i32> {
        let is_known = self.names >= NAMES;
        let longest = if is_known { self.longest.saturating_mul(4).max(64) } else { NAME_BYTES };
        let is_plausible = (1..=longest.min(NAME_BYTES)).contains(&name.len())
            && (!is_known || self.plain < self.names || is_plain(name));
        let bits: i32 = name.iter().take(64).map(|byte| self.bits[usize::from(*byte)]).sum();
        is_plausible.then_some(bits.min(NAME_BITS))
    }

    /// Returns the binary logarithm of how much more frequent a byte is in names than in bytes of any kind.
    fn bits_of(&self, byte: u8) -> i32 {
        let share = (u64::from(self.counts[usize::from(byte)]) + 1) << 24;
        let log = (share / (self.bytes + 256)).max(1).ilog2();
        // One in 256 is 2^16 of 2^24.
        (i32::try_from(log).unwrap_or(16) - 16).max(-8)
    }
}

pub(super) fn is_plain(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| !name.chars().any(char::is_control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_known_kind_are_likely_and_others_are_not() {
        let mut model = NameModel::new();
        for at in 0..100 {
            model.learn(format!("user:{at}").as_bytes());
        }
        model.settle();
        let likely = model.bits(b"user:4711").unwrap();
        assert!((20..=40).contains(&likely), "{likely}");
        assert!(model.bits(b"QWXYZ%&/~").unwrap() < 0);
        assert_eq!(model.bits(b"\x01\x02\x03"), None);
        assert_eq!(model.bits(&[b'u'; 100]), None);
        assert_eq!(model.bits(b""), None);
    }

    #[test]
    fn binary_names_are_plausible_where_they_occur() {
        let mut model = NameModel::new();
        for at in 0u32..100 {
            model.learn(&at.wrapping_mul(2_654_435_761).to_le_bytes());
        }
        assert!(model.bits(&[0xff, 0, 0x80, 7]).is_some());
    }
}
