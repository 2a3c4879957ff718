//! Long values that are mostly zeros, such as those that one SETRANGE or SETBIT makes.
//!
//! Zeroed memory that was never written takes none: the system has one page of zeros for all reads of it. So blocks of zeros
//! are not written into memory that is zero already.

/// The length in bytes from which it is worthwhile to look for zeros.
pub(crate) const LONG: usize = 1 << 20;

/// The length of a block in bytes: the least that a system has as a page.
const BLOCK: usize = 4096;

/// Returns whether all bytes are zero.
pub(crate) fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|word| u128::from_ne_bytes(*word) == 0) && rest.iter().all(|byte| *byte == 0)
}

/// Returns whether more than half of the blocks are zero.
fn is_mostly_zero(bytes: &[u8]) -> bool {
    let blocks = bytes.chunks(BLOCK);
    let all = blocks.len();
    blocks.filter(|block| is_zero(block)).count() > all / 2
}

/// Returns `bytes` followed by zeros, `len` bytes in all, or as many as there are if they are more.
pub(crate) fn padded(bytes: &[u8], len: usize) -> Vec<u8> {
    let mut whole = vec![0; len.max(bytes.len())];
    copy(&mut whole, bytes);
    whole
}

/// Appends `more` to `bytes`. If that is long and mostly zeros, these take no memory.
pub(crate) fn append(bytes: &mut Vec<u8>, more: &[u8]) {
    // All of `bytes` is copied below: too expensive for each of many values that are not sparse.
    if more.len() < LONG || !is_mostly_zero(more) {
        return bytes.extend_from_slice(more);
    }
    let before = bytes.len();
    // What follows usually fits as well.
    let mut whole = vec![0; (before + more.len()).saturating_add(BLOCK)];
    copy(&mut whole, bytes);
    copy(&mut whole[before..], more);
    whole.truncate(before + more.len());
    *bytes = whole;
}

/// Copies `from` to the beginning of `to`, which is zero and at least as long.
fn copy(to: &mut [u8], from: &[u8]) {
    for (to, from) in to.chunks_mut(BLOCK).zip(from.chunks(BLOCK)) {
        if !is_zero(from) {
            to[..from.len()].copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeros_and_others_are_copied_alike() {
        for len in [0, 1, 15, 16, 17, 4095, 4096, 4097, 3 * LONG + 5] {
            for at in [0, len / 2, len.saturating_sub(1)] {
                let mut bytes = vec![0; len];
                assert!(is_zero(&bytes));
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = 7;
                    assert!(!is_zero(&bytes), "{len} {at}");
                }
                assert_eq!(padded(&bytes, 0), bytes);
                let longer = padded(&bytes, len + 9);
                assert!(longer.len() == len + 9 && longer.starts_with(&bytes));
                let mut appended = b"before".to_vec();
                append(&mut appended, &bytes);
                append(&mut appended, b"after");
                assert_eq!(appended, [b"before", &bytes[..], b"after"].concat());
            }
        }
    }
}
