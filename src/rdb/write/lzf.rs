//! LZF compression; see [`lzf`](super::super::lzf) for the format.
//!
//! A hash table stores the last position of each sequence of three bytes. If the bytes at that
//! position match, they are copied. The compressor does not search for longer matches.

/// Maximum distance of a copy in bytes.
const FARTHEST: usize = 1 << 13;
const SHORTEST: usize = 3;
const LONGEST: usize = 264;
const LONGEST_LITERAL: usize = 32;
/// Number of bytes that compression must save for a text to be stored compressed.
const SAVED: usize = 4;
/// log2 of the number of positions in the table.
const BITS: u32 = 13;
/// After 2^this bytes without a match, every second position is tried, then every third.
const PATIENCE: u32 = 8;

/// A compressor for a sequence of texts.
pub(super) struct Compressor {
    /// Positions in the current text are relative to `base`; lower ones belong to earlier texts, so
    /// that the table need not be cleared between texts.
    places: Vec<u32>,
    base: u32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Compressor { places: vec![0; 1 << BITS], base: 1 }
    }

    /// Replaces the content of `out` with the compressed text, and returns whether that saves
    /// enough. If it returns false, the content of `out` is unspecified.
    pub(super) fn compress(&mut self, text: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        let Some(limit) = text.len().checked_sub(SAVED) else {
            return false;
        };
        let Ok(len) = u32::try_from(text.len()) else {
            return false;
        };
        if self.base.checked_add(len).is_none() {
            self.places.fill(0);
            self.base = 1;
        }
        let Some(next_base) = self.base.checked_add(len) else {
            return false;
        };
        // Start of the text that is not in `out` yet.
        let mut start = 0;
        let mut at = 0;
        while let Some(three) = text.get(at..).and_then(|rest| rest.first_chunk::<SHORTEST>()) {
            match self.earlier(three, at).filter(|from| text[*from..].starts_with(three)) {
                None => at += 1 + ((at - start) >> PATIENCE),
                Some(from) => {
                    let same = text[from + SHORTEST..]
                        .iter()
                        .zip(&text[at + SHORTEST..])
                        .take(LONGEST - SHORTEST)
                        .take_while(|(a, b)| a == b);
                    let len = SHORTEST + same.count();
                    literals(&text[start..at], out);
                    copy(at - from, len, out);
                    at += len;
                    start = at;
                    // Allows a run of such texts to be matched from its middle, too.
                    if let Some(last) = text.get(at - 1..).and_then(|rest| rest.first_chunk()) {
                        self.earlier(last, at - 1);
                    }
                }
            }
            if out.len() + (at - start) / (LONGEST_LITERAL + 1) > limit {
                break;
            }
        }
        self.base = next_base;
        if out.len() + (text.len() - start) > limit {
            return false;
        }
        literals(&text[start..], out);
        out.len() <= limit
    }

    /// Returns a candidate position of these three bytes before `at`, and stores `at`.
    #[inline]
    fn earlier(&mut self, three: &[u8; SHORTEST], at: usize) -> Option<usize> {
        let [a, b, c] = *three;
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> (32 - BITS);
        let slot = self.places.get_mut(usize::try_from(hash).unwrap_or_default())?;
        // The length of the text fits, so every position in it does.
        #[allow(clippy::cast_possible_truncation)]
        let here = self.base + at as u32;
        let earlier = std::mem::replace(slot, here);
        let from = usize::try_from(earlier.checked_sub(self.base)?).ok()?;
        (at - from <= FARTHEST).then_some(from)
    }
}

fn literals(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(LONGEST_LITERAL) {
        // The value is at most 31.
        #[allow(clippy::cast_possible_truncation)]
        out.push((chunk.len() - 1) as u8);
        out.extend_from_slice(chunk);
    }
}

fn copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (distance, len) = (distance - 1, len - 2);
    // The distance has 13 bits, split into 5 and 8; the length is at most 262.
    #[allow(clippy::cast_possible_truncation)]
    {
        let high = (distance >> 8) as u8;
        if len < 7 {
            out.push((len as u8) << 5 | high);
        } else {
            out.extend_from_slice(&[7 << 5 | high, (len - 7) as u8]);
        }
        out.push(distance as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::lzf::decompress;
    use proptest::prelude::*;

    fn check(compressor: &mut Compressor, text: &[u8]) -> Option<usize> {
        let mut compressed = Vec::new();
        if !compressor.compress(text, &mut compressed) {
            return None;
        }
        assert!(compressed.len() + SAVED <= text.len());
        let mut back = Vec::new();
        decompress(&compressed, text.len(), &mut back).unwrap();
        assert!(back == text, "{}", text.escape_ascii());
        Some(compressed.len())
    }

    proptest! {
        #[test]
        fn compressed_text_decompresses_to_the_original(
            texts in prop::collection::vec(
                prop_oneof![
                    prop::collection::vec(any::<u8>(), 0..300),
                    prop::collection::vec(0u8..3, 0..20_000),
                    (prop::collection::vec(any::<u8>(), 1..40), 1usize..400)
                        .prop_map(|(piece, times)| piece.repeat(times)),
                ],
                1..5,
            ),
        ) {
            let mut compressor = Compressor::new();
            for text in texts {
                check(&mut compressor, &text);
            }
        }
    }

    #[test]
    fn repetitive_text_shrinks_and_noise_does_not() {
        let mut compressor = Compressor::new();
        assert_eq!(check(&mut compressor, &[b'x'; 265]), Some(5));
        let phrases = "the quick brown fox ".repeat(50);
        assert!(check(&mut compressor, phrases.as_bytes()).unwrap() < 50);
        let noise: Vec<u8> =
            (0..2000u32).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
        assert!(check(&mut compressor, &noise).is_none_or(|len| len > 1000));
        for short in [&b""[..], b"a", b"aaaa", b"aaaaaa"] {
            assert_eq!(check(&mut compressor, short), None);
        }
    }

    #[test]
    fn copies_work_up_to_the_maximum_distance() {
        let mut compressor = Compressor::new();
        for gap in FARTHEST - 40..FARTHEST + 10 {
            let text = [&b"abcdefghijklmnopqrstuvwxyz"[..], &vec![b'.'; gap], b"abcdefghijklmnop"]
                .concat();
            check(&mut compressor, &text);
        }
    }

    #[test]
    fn the_table_is_cleared_before_positions_overflow() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 300;
        for _ in 0..4 {
            assert!(check(&mut compressor, &[b'y'; 100]).is_some());
        }
        assert!(compressor.base < 1000);
    }
}
