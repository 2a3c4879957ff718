//! Texts as servers print them: observed on servers, or derived by hand from the C standard.

use super::*;

fn texts(score: f64) -> [String; 2] {
    [text(score, ScoreText::Digits17), text(score, ScoreText::Grisu2)]
}

/// Observed on Redis 7.0, and on Redis 8.2 and Valkey 9.1.
#[test]
fn texts_match_the_servers() {
    for (score, digits17, grisu2) in [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (f64::INFINITY, "inf", "inf"),
        (f64::NEG_INFINITY, "-inf", "-inf"),
        (0.1, "0.10000000000000001", "0.1"),
        (-2.5, "-2.5", "-2.5"),
        (1e7, "10000000", "10000000"),
        (1e8, "100000000", "1e+8"),
        (1e16, "10000000000000000", "1e+16"),
        (1e17, "1e+17", "1e+17"),
        (1.5e-5, "1.5e-05", "0.000015"),
        (1e-7, "9.9999999999999995e-08", "1e-7"),
        (5e-324, "4.9406564584124654e-324", "5e-324"),
        (f64::MAX, "1.7976931348623157e+308", "1.7976931348623157e+308"),
        (f64::MIN_POSITIVE, "2.2250738585072014e-308", "2.2250738585072014e-308"),
        (-5.232854959946713e-188, "-5.2328549599467127e-188", "-5.2328549599467127e-188"),
    ] {
        assert_eq!(texts(score), [digits17, grisu2], "{score:?}");
    }
}

/// The exact value ends in a five after the last digit: C rounds to even.
#[test]
fn seventeen_digits_are_rounded_to_even() {
    let even = 2_f64.powi(50) + 0.25;
    assert_eq!(text(even, ScoreText::Digits17), "1125899906842624.2");
    assert_eq!(text(even + 0.5, ScoreText::Digits17), "1125899906842624.8");
}

#[test]
fn texts_read_back_as_the_same_score() {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..20_000 {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        let score = f64::from_bits(bits);
        if score.is_nan() {
            continue;
        }
        for text in texts(score) {
            assert!(text.len() <= 25, "{text}");
            assert_eq!(text.parse::<f64>().map(f64::to_bits), Ok(bits), "{text}");
        }
    }
}

/// Scores that are printed as integers have the digits that the general method finds.
#[test]
fn short_integers_match_the_general_method() {
    let mut integer = 1_i64;
    while integer < 1 << 53 {
        for near in [integer - 1, integer, integer + 1, integer / 1000 * 1000] {
            #[allow(clippy::cast_precision_loss)] // Below 2^53.
            let score = near as f64;
            if short_integer(score).is_none() {
                continue;
            }
            for how in [ScoreText::Digits17, ScoreText::Grisu2] {
                let mut buffer = ScoreBuffer::new();
                buffer.positive(score, how);
                assert_eq!(&buffer.bytes[..buffer.len], near.to_string().as_bytes());
            }
        }
        integer = integer * 5 / 4 + 1;
    }
}

/// Scores that are formatted with integer arithmetic have the digits that the standard library
/// prints.
#[test]
fn digits_of_common_scores_match_the_standard_library() {
    let mut state = 1_u64;
    let mut found = 0;
    for step in 0..200_000_u32 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        #[allow(clippy::cast_precision_loss)] // Any double will do.
        let random = (state >> 11) as f64 / 10_f64.powi(i32::try_from(step % 16).expect("small"));
        // Quarters have ties to be rounded; repeated nines have a digit to be carried.
        for score in [random, (random * 4.0).round() / 4.0, random.round().next_down(), 0.25] {
            let Some((digits, before_point)) = short_digits17(score) else {
                assert!(!(1.0..1e14).contains(&score), "{score:?}");
                continue;
            };
            found += 1;
            let digits = digits.to_string();
            let (first, rest) = digits.split_at(1);
            assert_eq!(format!("{first}.{rest}e{}", before_point - 1), format!("{score:.16e}"));
        }
    }
    assert!(found > 200_000);
}
