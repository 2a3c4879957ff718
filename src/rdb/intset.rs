//! Intsets: the packed encoding of small sets of integers, since Redis 2.4.
//!
//! | bytes | content |
//! |---|---|
//! | 4 | width of a number in bytes: 2, 4 or 8 |
//! | 4 | count of numbers |
//! | | the numbers, signed, ascending |
//!
//! All fields are little endian. Checked against `intsetValidateIntegrity` in `intset.c` of Valkey
//! 8.0.

use super::fault::{DamageKind, Fault, Read};
use super::load_check::LoadCheck;

const READING: &str = "an intset";
const READING_HEADER: &str = "the header of an intset";
const HEADER_BYTES: usize = 8;

/// Calls `each` with every number of the intset.
///
/// # Errors
///
/// Fails if the size differs from the declared one, the intset is empty, or its numbers do not
/// ascend.
pub(super) fn intset(bytes: &[u8], mut each: impl FnMut(i64)) -> Read<()> {
    let Some((&[a, b, c, d, e, f, g, h], numbers)) = bytes.split_first_chunk::<HEADER_BYTES>()
    else {
        let (needed, left) = (HEADER_BYTES as u64, bytes.len() as u64);
        let kind = DamageKind::Overrun { needed, left };
        return Err(wrong_header(Fault::new(0, READING_HEADER, kind)));
    };
    let width = u32::from_le_bytes([a, b, c, d]);
    let count = u64::from(u32::from_le_bytes([e, f, g, h]));
    if !matches!(width, 2 | 4 | 8) {
        let rule = "its numbers are not 2, 4 or 8 bytes wide";
        return Err(wrong_header(Fault::broken(0, READING_HEADER, rule)));
    }
    let (declared, found) = (count * u64::from(width), numbers.len() as u64);
    if declared != found {
        let kind = DamageKind::Mismatch { declared, found };
        return Err(wrong_header(Fault::new(4, READING_HEADER, kind)));
    }
    if count == 0 {
        return Err(wrong_header(Fault::broken(4, READING_HEADER, "it is empty")));
    }
    match width {
        2 => ascending(numbers, |n: [u8; 2]| i16::from_le_bytes(n).into(), each),
        4 => ascending(numbers, |n: [u8; 4]| i32::from_le_bytes(n).into(), each),
        _ => ascending(numbers, i64::from_le_bytes, &mut each),
    }
}

#[cold]
fn wrong_header(fault: Fault) -> Fault {
    fault.checked_by(LoadCheck::Header)
}

fn ascending<const WIDTH: usize>(
    numbers: &[u8],
    number: impl Fn([u8; WIDTH]) -> i64,
    mut each: impl FnMut(i64),
) -> Read<()> {
    let mut before = None;
    for (index, bytes) in numbers.as_chunks::<WIDTH>().0.iter().enumerate() {
        let number = number(*bytes);
        if before.is_some_and(|before| number <= before) {
            let at = HEADER_BYTES + index * WIDTH;
            let fault = Fault::broken(at, READING, "its numbers do not ascend");
            return Err(fault.checked_by(LoadCheck::Packed));
        }
        before = Some(number);
        each(number);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rdb::testing::{self, intset as build};

    fn numbers(bytes: &[u8]) -> Read<Vec<i64>> {
        let mut numbers = Vec::new();
        intset(bytes, |number| numbers.push(number))?;
        Ok(numbers)
    }

    #[test]
    fn numbers_of_every_width_are_read() {
        for (width, list) in [
            (2, vec![-32768, -1, 0, 1, 32767]),
            (4, vec![i32::MIN.into(), 5, i32::MAX.into()]),
            (8, vec![i64::MIN, 0, i64::MAX]),
        ] {
            assert_eq!(numbers(&build(width, &list)).unwrap(), list);
        }
    }

    #[test]
    fn numbers_that_do_not_ascend_are_reported_at_their_offset() {
        for list in [[1, 3, 2], [1, 3, 3]] {
            let fault = numbers(&build(4, &list)).unwrap_err();
            assert_eq!(fault.0.offset, 8 + 2 * 4);
        }
    }

    #[test]
    fn truncation_and_changed_bytes_do_not_panic() {
        testing::mangle(&build(2, &[1, 2, 3]), |bytes| {
            let _ = numbers(bytes);
        });
        assert!(numbers(&build(2, &[])).is_err());
    }
}
