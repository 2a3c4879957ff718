//! LZF, the compression of long strings.
//!
//! | control byte | what follows |
//! |---|---|
//! | `000nnnnn` | n + 1 bytes of text |
//! | `nnnddddd` | 1 byte e: n + 2 bytes of text, copied from d·256 + e + 1 bytes before the end of the text so far |
//! | `111ddddd` | 1 byte m, 1 byte e: the same with n = 7 + m |
//!
//! A copy may overlap its own target. LZF is part of every version since 2.2. Checked against
//! `lzf_d.c` of Valkey 8.0, and strings of all four servers.

use crate::base::sparse::{LONG, is_zero};

/// Maximum number of bytes of text per byte of input: 264 from 3.
const HIGHEST_RATIO: usize = 88;
/// The longest text that is decompressed: packed encodings store their size in 32 bits, and strings
/// are limited to 512 MiB by default.
const HIGHEST_LEN: usize = u32::MAX as usize;

/// Offset in the compressed bytes at which they are invalid, and the rule that they violate.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) rule: &'static str,
}

const TOO_LONG: &str = "it declares more text than so few bytes can hold";
const CUT: &str = "it ends inside an instruction";
const TOO_MUCH_TEXT: &str = "it gives more text than it declares";
const BEFORE: &str = "it copies from before the text's start";
const LESS: &str = "it gives less text than it declares";

enum Step {
    /// Copies `len` bytes of text from this position of the input.
    Literal { from: usize, len: usize },
    /// Copies `len` bytes from `distance` bytes before the end of the text.
    Copy { distance: usize, len: usize },
}

/// Returns the instruction at `at` and the position after it. `done` of the `expected` bytes of
/// text have been produced.
#[inline(always)]
fn step(input: &[u8], at: usize, done: usize, expected: usize) -> Result<(Step, usize), Wrong> {
    let wrong = |rule| Err(Wrong { at, rule });
    let Some(&control) = input.get(at) else {
        return wrong(CUT);
    };
    let control = usize::from(control);
    if control < 32 {
        let len = control + 1;
        let next = at + 1 + len;
        if next > input.len() {
            return wrong(CUT);
        }
        if len > expected - done {
            return wrong(TOO_MUCH_TEXT);
        }
        return Ok((Step::Literal { from: at + 1, len }, next));
    }
    let mut len = (control >> 5) + 2;
    let mut next = at + 1;
    if len == 9 {
        let Some(&more) = input.get(next) else {
            return wrong(CUT);
        };
        len += usize::from(more);
        next += 1;
    }
    let Some(&low) = input.get(next) else {
        return wrong(CUT);
    };
    let distance = ((control & 31) << 8 | usize::from(low)) + 1;
    if distance > done {
        return wrong(BEFORE);
    }
    if len > expected - done {
        return wrong(TOO_MUCH_TEXT);
    }
    Ok((Step::Copy { distance, len }, next + 1))
}

fn plausible(input: &[u8], expected: usize) -> Result<(), Wrong> {
    if expected / HIGHEST_RATIO > input.len() || expected > HIGHEST_LEN {
        return Err(Wrong { at: 0, rule: TOO_LONG });
    }
    Ok(())
}

/// Checks that `input` decompresses to exactly `expected` bytes of text. Only the instructions are
/// read, which is much faster than executing them.
pub(super) fn check(input: &[u8], expected: usize) -> Result<(), Wrong> {
    plausible(input, expected)?;
    let (mut at, mut done) = (0, 0);
    while at < input.len() {
        let (step, next) = step(input, at, done, expected)?;
        done += match step {
            Step::Literal { len, .. } | Step::Copy { len, .. } => len,
        };
        at = next;
    }
    whole(input, done, expected)
}

/// Decompresses `input` into `text`, replacing its content and reusing its memory.
///
/// Memory is allocated as text is produced, not according to the declared length.
pub(super) fn decompress(input: &[u8], expected: usize, text: &mut Vec<u8>) -> Result<(), Wrong> {
    /// Block size of copies, where the text after the target is not written yet.
    const BLOCK: usize = 16;
    /// Maximum number of bytes that one instruction writes, including the rest of its last block.
    const SPARE: usize = 264 + BLOCK;

    plausible(input, expected)?;
    if expected >= LONG {
        return decompress_long(input, expected, text);
    }
    // The spare bytes after the text allow whole blocks to be written; the excess is overwritten or
    // truncated. The vector is not cleared first, so that reusing it does not fill it again.
    let (mut at, mut done) = (0, 0);
    while at < input.len() {
        if text.len() - done.min(text.len()) < SPARE {
            let more = text.len().max(4096).min(expected.saturating_sub(done)) + SPARE;
            text.resize(done + more, 0);
        }
        let (step, next) = step(input, at, done, expected)?;
        match step {
            Step::Literal { from, len } => {
                match (text[done..].first_chunk_mut::<32>(), input[from..].first_chunk::<32>()) {
                    (Some(target), Some(source)) => *target = *source,
                    _ => text[done..done + len].copy_from_slice(&input[from..from + len]),
                }
                done += len;
            }
            Step::Copy { distance, len } => {
                let end = done + len;
                if distance >= BLOCK {
                    while done < end {
                        text.copy_within(done - distance..done - distance + BLOCK, done);
                        done += BLOCK;
                    }
                } else {
                    for to in done..end {
                        text[to] = text[to - distance];
                    }
                }
                done = end;
            }
        }
        at = next;
    }
    text.truncate(done);
    whole(input, done, expected)
}

/// Decompresses a long text, which may be mostly zeros: they are not written, so that they take no memory. Neither does the
/// declared length, until its bytes are written.
fn decompress_long(input: &[u8], expected: usize, text: &mut Vec<u8>) -> Result<(), Wrong> {
    *text = vec![0; expected];
    let (mut at, mut done) = (0, 0);
    while at < input.len() {
        let (step, next) = step(input, at, done, expected)?;
        match step {
            Step::Literal { from, len } => {
                let source = &input[from..from + len];
                if !is_zero(source) {
                    text[done..done + len].copy_from_slice(source);
                }
                done += len;
            }
            Step::Copy { distance, len } => {
                let start = done - distance;
                if !is_zero(&text[start..done.min(start + len)]) {
                    for to in done..done + len {
                        text[to] = text[to - distance];
                    }
                }
                done += len;
            }
        }
        at = next;
    }
    text.truncate(done);
    whole(input, done, expected)
}

fn whole(input: &[u8], done: usize, expected: usize) -> Result<(), Wrong> {
    if done == expected {
        return Ok(());
    }
    Err(Wrong { at: input.len(), rule: LESS })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The reference implementation, one byte at a time.
    fn slow(input: &[u8]) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut input = input.iter().copied();
        while let Some(control) = input.next() {
            let n = usize::from(control >> 5);
            if n == 0 {
                for _ in 0..=control {
                    text.push(input.next()?);
                }
                continue;
            }
            let len = if n == 7 { 9 + usize::from(input.next()?) } else { n + 2 };
            let distance = usize::from(control & 31) * 256 + usize::from(input.next()?) + 1;
            for _ in 0..len {
                text.push(*text.get(text.len().checked_sub(distance)?)?);
            }
        }
        Some(text)
    }

    proptest! {
        #[test]
        fn any_input_decompresses_as_the_reference_implementation_does(
            input in prop::collection::vec(prop_oneof![0u8..8, 32u8..34, 224u8..226, any::<u8>()], 0..80),
            off in 0usize..2,
        ) {
            let expected = slow(&input);
            let len = expected.as_ref().map_or(100, Vec::len) + off;
            let mut text = b"left over from before".to_vec();
            let result = decompress(&input, len, &mut text);
            prop_assert_eq!(&check(&input, len), &result);
            match expected {
                Some(expected) if off == 0 => {
                    prop_assert_eq!(result, Ok(()));
                    prop_assert_eq!(text, expected);
                }
                _ => prop_assert!(result.is_err()),
            }
        }
    }

    #[test]
    fn an_unreachable_declared_length_allocates_no_memory() {
        let mut text = Vec::new();
        let wrong = decompress(&[0, b'x'], 1 << 40, &mut text).unwrap_err();
        assert_eq!((wrong.rule, text.capacity()), (TOO_LONG, 0));
    }

    #[test]
    fn a_long_text_decompresses_as_the_reference_implementation_does() {
        // Literals, zeros, copies of zeros from near and far, and of others with zeros among them.
        let mut input = vec![1, b'a', b'b', 2, 0, 0, 0];
        let zeros = [0xe0, 255, 0].repeat(5000);
        input.extend_from_slice(&zeros);
        input.extend_from_slice(&[2, 7, 0, 9, 0x60, 2, 0xe0, 40, 1]);
        input.extend_from_slice(&zeros);
        input.extend_from_slice(&[0xff, 30, 255, 0x20, 0, 0, b'z']);
        let expected = slow(&input).unwrap();
        assert!(expected.len() > LONG);
        let mut text = b"left over from before".to_vec();
        decompress(&input, expected.len(), &mut text).unwrap();
        assert!(text == expected);
        assert!(decompress(&input, expected.len() + 1, &mut text).is_err());
        assert!(decompress(&input, expected.len() - 1, &mut text).is_err());
    }

    #[test]
    fn the_longest_copy_repeats_one_byte_264_times() {
        let mut text = Vec::new();
        decompress(&[0, b'x', 0xe0, 255, 0], 265, &mut text).unwrap();
        assert_eq!(text, [b'x'; 265]);
    }
}
