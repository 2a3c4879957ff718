//! Compressing; see [`lzf`](super::super::lzf) for the bytes.
//!
//! The last place where each three bytes stood is remembered by their hash, and what stands there
//! is copied when it is the same. No attempt is made to find a longer copy.

/// How far back a copy can reach, in bytes.
const FARTHEST: usize = 1 << 13;
const SHORTEST: usize = 3;
const LONGEST: usize = 264;
const LONGEST_LITERAL: usize = 32;
/// What has to be saved for a text to be stored compressed.
const SAVED: usize = 4;
/// log2 of the number of places that are remembered.
const BITS: u32 = 13;
/// After 2^this bytes without a copy, every second place is tried, then every third.
const PATIENCE: u32 = 8;

/// Compresses one text after the other.
pub(super) struct Compressor {
    /// Places of the text in hand are counted from `base`; lower ones are of texts before it, so
    /// that nothing has to be cleared between texts.
    places: Vec<u32>,
    base: u32,
}

impl Compressor {
    pub(super) fn new() -> Self {
        Compressor { places: vec![0; 1 << BITS], base: 1 }
    }

    /// Replaces what is in `out` by the compressed text, and answers whether that saves enough.
    /// When it does not, `out` holds anything.
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
        // Where the text begins that is not yet in `out`.
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
                    // So that a run of such texts is found from its middle, too.
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

    /// Where these three bytes may have stood before `at`. Remembers `at`.
    #[inline]
    fn earlier(&mut self, three: &[u8; SHORTEST], at: usize) -> Option<usize> {
        let [a, b, c] = *three;
        let hash = u32::from_le_bytes([a, b, c, 0]).wrapping_mul(0x9e37_79b1) >> (32 - BITS);
        let slot = self.places.get_mut(usize::try_from(hash).unwrap_or_default())?;
        // The text's length fits, and so does every place in it.
        #[allow(clippy::cast_possible_truncation)]
        let here = self.base + at as u32;
        let earlier = std::mem::replace(slot, here);
        let from = usize::try_from(earlier.checked_sub(self.base)?).ok()?;
        (at - from <= FARTHEST).then_some(from)
    }
}

fn literals(text: &[u8], out: &mut Vec<u8>) {
    for chunk in text.chunks(LONGEST_LITERAL) {
        // 0 to 31.
        #[allow(clippy::cast_possible_truncation)]
        out.push((chunk.len() - 1) as u8);
        out.extend_from_slice(chunk);
    }
}

fn copy(distance: usize, len: usize, out: &mut Vec<u8>) {
    let (distance, len) = (distance - 1, len - 2);
    // 13 bits, cut into 5 and 8, and at most 262.
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
        fn what_is_compressed_decompresses_to_itself(
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
    fn runs_and_words_shrink_and_noise_does_not() {
        let mut compressor = Compressor::new();
        assert_eq!(check(&mut compressor, &[b'x'; 265]), Some(5));
        let words = "the quick brown fox ".repeat(50);
        assert!(check(&mut compressor, words.as_bytes()).unwrap() < 50);
        let noise: Vec<u8> =
            (0..2000u32).map(|i| i.wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect();
        assert!(check(&mut compressor, &noise).is_none_or(|len| len > 1000));
        for short in [&b""[..], b"a", b"aaaa", b"aaaaaa"] {
            assert_eq!(check(&mut compressor, short), None);
        }
    }

    #[test]
    fn a_copy_reaches_as_far_as_it_can() {
        let mut compressor = Compressor::new();
        for gap in FARTHEST - 40..FARTHEST + 10 {
            let text = [&b"abcdefghijklmnopqrstuvwxyz"[..], &vec![b'.'; gap], b"abcdefghijklmnop"]
                .concat();
            check(&mut compressor, &text);
        }
    }

    #[test]
    fn places_are_forgotten_before_they_are_too_many() {
        let mut compressor = Compressor::new();
        compressor.base = u32::MAX - 300;
        for _ in 0..4 {
            assert!(check(&mut compressor, &[b'y'; 100]).is_some());
        }
        assert!(compressor.base < 1000);
    }
}
