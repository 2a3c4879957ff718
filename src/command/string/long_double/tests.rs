//! Tests of `long_double`.

use super::*;

fn sum(one: &str, two: &str) -> String {
    let [one, two] = [one, two].map(|text| LongDouble::read(text.as_bytes()).expect(text));
    one.plus(two).expect("in range").to_string()
}

#[test]
fn small_decimals_round_trip() {
    assert_eq!(sum("0.1", "0.2"), "0.3");
    assert_eq!(sum("10.50", "0.1"), "10.6");
    assert_eq!(sum("5.0e3", "2.0e2"), "5200");
    assert_eq!(sum("3", "-3"), "0");
    assert_eq!(sum("-0", "-0.0"), "0");
    assert_eq!(sum("-1e-30", "0"), "0");
    assert_eq!(sum("0x1.8p1", "0X10"), "19");
    assert_eq!(sum(".5", "+5."), "5.5");
}

/// Between 2^64 and 2^65 only every other integer is representable: ties go to the one whose half
/// is even.
#[test]
fn ties_round_to_even() {
    assert_eq!(sum("18446744073709551616", "1"), "18446744073709551616");
    assert_eq!(sum("18446744073709551618", "1"), "18446744073709551620");
    assert_eq!(sum("18446744073709551616", "1.001"), "18446744073709551618");
    assert_eq!(sum("18446744073709551615", "0"), "18446744073709551615");
    assert_eq!(sum("36893488147419103231", "0"), "36893488147419103232");
}

/// 2.5 times 10^-17 is below the nearest number by less than half a unit, so that two digits are
/// significant.
#[test]
fn seventeen_digits_are_written() {
    // 2^-17 has seventeen digits after the point, and 2^-18 one more, a five, after an even two.
    assert_eq!(sum("0x1p-17", "0"), "0.00000762939453125");
    assert_eq!(sum("0x1p-18", "0"), "0.00000381469726562");
    assert_eq!(sum("0x3p-18", "0"), "0.00001144409179688");
    assert_eq!(sum("-0x1p-18", "0"), "-0.00000381469726562");
}

#[test]
fn the_range_equals_that_of_x86() {
    let read = |text: &str| LongDouble::read(text.as_bytes());
    let greatest = LongDouble { negative: false, mantissa: u64::MAX, exponent: HIGHEST };
    let smallest = LongDouble { negative: false, mantissa: 1, exponent: LOWEST };
    assert_eq!(read("0x1.fffffffffffffffep16383"), Ok(greatest));
    assert_eq!(read("1.18973149535723176502e4932"), Ok(greatest));
    assert_eq!(read("0x1p16384"), Err(NotFinite::NoNumber));
    assert_eq!(read("1.19e4932"), Err(NotFinite::NoNumber));
    assert_eq!(greatest.plus(greatest), None);
    assert_eq!(read("0x1p-16445"), Ok(smallest));
    assert_eq!(read("3.6e-4951"), Ok(smallest));
    // Half of the smallest number is a tie between it and zero, which is even.
    assert_eq!(read("0x1p-16446"), Err(NotFinite::NoNumber));
    assert_eq!(read("0x1.8p-16446"), Ok(smallest));
    assert_eq!(read("1e-4952"), Err(NotFinite::NoNumber));
    for far in ["1e99999999999999999999", "1e-99999999999999999999", "0x1p99999999999999999999"] {
        assert_eq!(read(far), Err(NotFinite::NoNumber), "{far}");
    }
    assert_eq!(read("0e99999999999999999999"), Ok(LongDouble::ZERO));
    assert_eq!(
        smallest.plus(LongDouble { negative: true, ..smallest }).map(|n| n.mantissa),
        Some(0)
    );
}

#[test]
fn other_texts_are_refused() {
    let long = "1".repeat(LONGEST_TEXT + 1);
    for text in [
        "", " 1", "1 ", "1e", "1e+", "e5", ".", "-", "--1", "+-1", "1.2.3", "0x", "0x.", "0xg",
        "0x1p", "nan", "1\0", "infinit", "1,5", &long,
    ] {
        assert_eq!(LongDouble::read(text.as_bytes()), Err(NotFinite::NoNumber), "{text}");
    }
    assert!(LongDouble::read(&long.as_bytes()[1..]).is_err(), "it is above the range");
    assert!(LongDouble::read("0".repeat(LONGEST_TEXT).as_bytes()).is_ok());
    for text in ["inf", "-INF", "+Infinity"] {
        assert_eq!(LongDouble::read(text.as_bytes()), Err(NotFinite::Infinite), "{text}");
    }
}
