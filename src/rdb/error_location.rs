//! Finding the bytes of an RDB that are wrong, from its checksum.
//!
//! The checksum is linear: the *syndrome*, which is the stored checksum XOR the computed one, depends only on the
//! bits that differ and on the number of bytes after them. Changed bits enter the lowest bytes of the register, and
//! each later byte steps the register once. So the syndrome is stepped back, one byte at a time: where nothing but the
//! lowest byte of the register is left, that byte is exactly the bits that would have made the syndrome in the byte at
//! this place; where the lowest two bytes are left, in the two bytes from here on. The content is not read.
//!
//! A register of random content looks like that at a place with a probability of 2^-48. That a place is found proves
//! nothing yet: the bits always fit the checksum. The caller decodes what the RDB would be.

use super::checksum::{POLYNOMIAL, TABLE};
use crate::base::error::Result;
use crate::base::progress::Progress;

/// The bits to flip in a byte and the one after it so that the checksum matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct WrongBits {
    /// The offset of the first wrong byte in the RDB. The eight bytes of the checksum count as well.
    pub(crate) offset: u64,
    /// The bits that are wrong in that byte, and in the next one if it is wrong, too.
    pub(crate) bits: [u8; 2],
}

/// The number of places that are reported at most. With more than one, none is certain.
const PLACES: usize = 8;

/// The number of bytes that are stepped over between two reports of progress.
const BLOCK_BYTES: u64 = 4 << 20;

/// The number of steps that are made at a time. They do not depend on each other, so that a processor overlaps them.
const LANES: usize = 4;

/// The length of the checksum in bytes.
const CHECKSUM_BYTES: u32 = 8;

/// Returns the places at which one wrong byte, or two adjacent ones, explain why the first `content_len` bytes of an
/// RDB have the checksum `computed`, although `stored` follows them. There are none if both are equal.
///
/// # Errors
///
/// When the caller cancels.
pub(crate) fn wrong_bits(
    content_len: u64,
    stored: u64,
    computed: u64,
    progress: &dyn Progress,
) -> Result<Vec<WrongBits>> {
    let syndrome = stored ^ computed;
    let mut places = Vec::new();
    if syndrome == 0 {
        return Ok(places);
    }
    in_checksum(content_len, syndrome, &mut places);
    let mut stepped = 0;
    while stepped < content_len && places.len() < PLACES {
        progress.check()?;
        let steps = BLOCK_BYTES.min(content_len - stepped);
        let from = multiply(syndrome, back_by(stepped));
        step_back(from, steps, |steps_back, bits| {
            let offset = content_len - stepped - steps_back;
            // Nothing of the content follows its last byte.
            if bits[1] == 0 || offset + 1 < content_len {
                places.push(WrongBits { offset, bits });
            }
        });
        stepped += steps;
        progress.advance(steps);
    }
    places.sort_unstable_by_key(|place| place.offset);
    places.truncate(PLACES);
    Ok(places)
}

/// Finds the errors in the eight bytes of the checksum, of which the first may follow one in the last byte of the
/// content.
fn in_checksum(content_len: u64, syndrome: u64, places: &mut Vec<WrongBits>) {
    for byte in 0..CHECKSUM_BYTES {
        let bits = syndrome >> (8 * byte);
        if bits << (8 * byte) == syndrome && bits & 0xff != 0 && bits <= 0xffff {
            places.push(WrongBits { offset: content_len + u64::from(byte), bits: low_bytes(bits) });
        }
    }
    let Some(last) = content_len.checked_sub(1) else { return };
    for (bits, made) in (0..=u8::MAX).zip(&TABLE) {
        let next = (syndrome ^ made).to_le_bytes();
        if bits != 0 && next[0] != 0 && next[1..] == [0; 7] {
            places.push(WrongBits { offset: last, bits: [bits, next[0]] });
        }
    }
}

/// Steps the register back and calls `found` with the number of steps and the bits wherever only its lowest two bytes
/// are left.
fn step_back(from: u64, steps: u64, mut found: impl FnMut(u64, [u8; 2])) {
    let each = steps.div_ceil(LANES as u64);
    let mut lanes = [from; LANES];
    for lane in 1..LANES {
        lanes[lane] = multiply(lanes[lane - 1], back_by(each));
    }
    for step in 1..=each {
        let mut any = false;
        for register in &mut lanes {
            *register = back(*register);
            any |= *register <= 0xffff;
        }
        if any {
            for (lane, register) in (0u64..).zip(lanes) {
                let steps_back = lane * each + step;
                // If the lowest byte is right, this is the next byte alone, which was found a step ago.
                if register <= 0xffff && register & 0xff != 0 && steps_back <= steps {
                    found(steps_back, low_bytes(register));
                }
            }
        }
    }
}

fn low_bytes(register: u64) -> [u8; 2] {
    let [first, second, ..] = register.to_le_bytes();
    [first, second]
}

/// Takes back the step of a byte 0.
#[inline]
fn back(register: u64) -> u64 {
    (register << 8) ^ BACK[usize::from(register.to_le_bytes()[7])]
}

/// What [`back`] adds for each highest byte of the register. The highest bytes of the entries of [`TABLE`] are all
/// different, so that each names the entry that the step had added.
static BACK: [u64; 256] = {
    let mut back = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        back[(TABLE[byte] >> 56) as usize] = (TABLE[byte] << 8) ^ byte as u64;
        byte += 1;
    }
    back
};

/// Takes back the step of a bit 0: multiplies by x modulo the polynomial in the order of bits that makes stepping back
/// a shift to the left.
fn back_by_bit(register: u64) -> u64 {
    // A step forward shifts to the right and adds the polynomial, whose highest bit is 1, for the bit that is shifted
    // out. So the highest bit says whether it was added.
    const REMAINDER: u64 = (POLYNOMIAL << 1) | 1;
    (register << 1) ^ if register >> 63 == 1 { REMAINDER } else { 0 }
}

/// Multiplies two registers as polynomials.
fn multiply(a: u64, b: u64) -> u64 {
    (0..64)
        .rev()
        .fold(0, |product, bit| back_by_bit(product) ^ if b >> bit & 1 == 1 { a } else { 0 })
}

/// The factor that steps a register back by so many bytes.
fn back_by(bytes: u64) -> u64 {
    let (mut power, mut factor, mut left) = (1, 1 << 8, bytes);
    while left > 0 {
        if left & 1 == 1 {
            power = multiply(power, factor);
        }
        factor = multiply(factor, factor);
        left >>= 1;
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::progress::Silent;

    /// The checksum, computed bit by bit from the definition of the polynomial: each bit of the message, lowest first,
    /// enters a register in the usual order of bits, whose content is reflected at the end.
    fn naive(bytes: &[u8]) -> u64 {
        let mut register: u64 = 0;
        for byte in bytes {
            for bit in 0..8 {
                let top = (register >> 63) as u8 ^ (byte >> bit & 1);
                register <<= 1;
                if top == 1 {
                    register ^= 0xad93_d235_94c9_35a9;
                }
            }
        }
        register.reverse_bits()
    }

    fn content(len: usize) -> Vec<u8> {
        let mut state = 0x2545_f491_4f6c_dd1d_u64 ^ len as u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[3]
        };
        (0..len).map(|_| next()).collect()
    }

    /// The places found in a content with its checksum after it, of which bytes were changed.
    fn places(changed: &[u8]) -> Vec<WrongBits> {
        let (content, stored) = changed.split_last_chunk::<8>().unwrap();
        let stored = u64::from_le_bytes(*stored);
        wrong_bits(content.len() as u64, stored, naive(content), &Silent).unwrap()
    }

    #[test]
    fn naive_checksum_has_the_published_check_value() {
        assert_eq!(naive(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
    }

    #[test]
    fn every_bit_is_found_in_its_byte() {
        let mut bytes = content(211);
        bytes.extend(naive(&bytes).to_le_bytes());
        assert_eq!(places(&bytes), []);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                let expected = WrongBits { offset: at as u64, bits: [1 << bit, 0] };
                assert_eq!(places(&changed), [expected], "bit {bit} of byte {at}");
            }
        }
    }

    #[test]
    fn two_adjacent_bytes_are_found() {
        for len in [1, 2, 3, 1000] {
            let mut bytes = content(len);
            bytes.extend(naive(&bytes).to_le_bytes());
            for at in 0..bytes.len() - 1 {
                for bits in [[0x01, 0x80], [0xff, 0xff], [0x10, 0x01], [0x7f, 0x03]] {
                    let mut changed = bytes.clone();
                    changed[at] ^= bits[0];
                    changed[at + 1] ^= bits[1];
                    let expected = WrongBits { offset: at as u64, bits };
                    assert_eq!(places(&changed), [expected], "{bits:?} at {at} of {len}");
                }
            }
        }
    }

    #[test]
    fn bytes_that_are_not_adjacent_are_found_nowhere() {
        let mut bytes = content(5000);
        bytes.extend(naive(&bytes).to_le_bytes());
        for (first, second) in [(0, 2), (17, 4000), (4990, 5003), (3, 5007), (5000, 5002)] {
            let mut changed = bytes.clone();
            changed[first] ^= 0x40;
            changed[second] ^= 0x04;
            assert_eq!(places(&changed), [], "{first} and {second}");
        }
    }

    /// Several blocks and lanes, and a content that does not divide evenly.
    #[test]
    fn places_in_a_long_content_are_exact() {
        let len = 2 * BLOCK_BYTES + 12_345;
        for (offset, syndrome_after) in [(0, len), (1, len), (BLOCK_BYTES, len), (len - 1, len)] {
            // Zeros have the checksum 0, so that one byte alone makes the checksum.
            let mut register = TABLE[0x5a];
            for _ in offset + 1..syndrome_after {
                register = TABLE[usize::from(register.to_le_bytes()[0])] ^ (register >> 8);
            }
            let found = wrong_bits(len, 0, register, &Silent).unwrap();
            assert_eq!(found, [WrongBits { offset, bits: [0x5a, 0] }]);
        }
    }
}
