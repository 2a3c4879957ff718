//! Texts that are numbers, and numbers that are written as texts.

use std::io::Write;

/// Parses a canonical decimal: no sign but `-`, no leading zero, no `-0`. Returns `None` for any
/// other text.
#[inline]
pub(crate) fn canonical(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] => return (!negative).then_some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut number: u64 = 0;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Nineteen digits fit.
        number = number * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(number) } else { i64::try_from(number).ok() }
}

/// Writes the text of a score: short, and parsed back to exactly this number by any reader with
/// double precision. Since Redis 7.2, servers write most scores the same way.
pub(super) fn score_text(score: f64, text: &mut Vec<u8>) {
    /// All whole numbers below this limit fit into 64 bits.
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;

    text.clear();
    let size = score.abs();
    let result = if size == f64::INFINITY {
        text.write_all(if score > 0.0 { b"inf" } else { b"-inf" })
    } else if size < LIMIT && score.fract() == 0.0 && (score != 0.0 || score.is_sign_positive()) {
        // The score is whole and fits.
        #[allow(clippy::cast_possible_truncation)]
        let whole = score as i64;
        write!(text, "{whole}")
    } else if size == 0.0 || (1e-5..1e17).contains(&size) {
        write!(text, "{score}")
    } else {
        // In positional notation it could have 300 digits, and old servers read at most 127.
        write!(text, "{score:e}")
    };
    debug_assert!(result.is_ok(), "a vector takes all");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slow(text: &[u8]) -> Option<i64> {
        let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
        (number.to_string().as_bytes() == text).then_some(number)
    }

    proptest! {
        #[test]
        fn canonical_numbers_parse_and_print_the_same(
            text in prop_oneof![
                any::<i64>().prop_map(|n| n.to_string()),
                (any::<i64>(), 0u32..64).prop_map(|(n, shift)| (n >> shift).to_string()),
                any::<u64>().prop_map(|n| n.to_string()),
                "[-+0 ]{0,2}[0-9a]{0,21}",
            ],
        ) {
            prop_assert_eq!(canonical(text.as_bytes()), slow(text.as_bytes()));
        }

        #[test]
        fn scores_round_trip_through_their_short_text(score in any::<f64>()) {
            prop_assume!(!score.is_nan());
            let mut text = Vec::new();
            score_text(score, &mut text);
            prop_assert!(text.len() <= 25, "{}", text.escape_ascii());
            let back = match canonical(&text) {
                Some(number) => number as f64,
                None => std::str::from_utf8(&text).unwrap().parse().unwrap(),
            };
            prop_assert_eq!(back.to_bits(), score.to_bits());
        }
    }

    #[test]
    fn the_limits_of_64_bits_are_numbers_and_larger_values_are_not() {
        assert_eq!(canonical(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(canonical(b"9223372036854775807"), Some(i64::MAX));
        for text in ["9223372036854775808", "-9223372036854775809", "-0", "", "-", "00", "+1"] {
            assert_eq!(canonical(text.as_bytes()), None, "{text}");
        }
    }
}
