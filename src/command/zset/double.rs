//! Doubles as servers parse them.

use crate::base::server::{Product, Server};
use crate::command::number;

/// Parses an argument as a double: all of it, as a decimal, as `inf` or `infinity`, or, before
/// Valkey 9.1, in hexadecimal; ignoring case. NaN is refused, and so are overflow and underflow of
/// a nonzero number to zero (`string2d` in `util.c`; all of it *observed*).
#[inline]
pub(in crate::command) fn double(text: &[u8], server: Server) -> Option<f64> {
    if let Some(integer) = number::integer(text) {
        #[allow(clippy::cast_precision_loss)] // Rounded to the nearest, as its text would be.
        return Some(integer as f64);
    }
    match read(text, !server.has_valkey(9, 1))? {
        Read { flow: true, .. } => None,
        Read { double, .. } => Some(double),
    }
}

/// Parses a bound as `strtod` does: the leading part of the C string that is a number, an empty one
/// as zero, with leading blanks if the server used the C library. Overflow gives infinity,
/// underflow zero.
pub(super) fn bound(text: &[u8], server: Server) -> Option<f64> {
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    // Later versions use `fast_float`. Observed for Redis 8.2 and Valkey 9.1.
    let by_c_library = match server.product {
        Product::Redis => !server.has_redis(8, 0),
        Product::Valkey => !server.has_valkey(9, 1),
    };
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t'..=b'\r')).count();
    let text = if by_c_library { &text[blanks..] } else { text };
    read(text, by_c_library).map(|read| read.double)
}

/// The result of parsing.
struct Read {
    double: f64,
    /// Whether the number overflowed to infinity or underflowed to zero.
    flow: bool,
}

fn read(text: &[u8], hexadecimal: bool) -> Option<Read> {
    let unsigned = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if let [b'0', b'x' | b'X', digits @ ..] = unsigned {
        let read = if hexadecimal { read_hexadecimal(digits)? } else { return None };
        let double = if text[0] == b'-' { -read.double } else { read.double };
        return Some(Read { double, ..read });
    }
    let double: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    if double.is_nan() {
        return None;
    }
    let flow = if double == 0.0 {
        let mantissa = unsigned.split(|byte| matches!(byte, b'e' | b'E')).next();
        mantissa.unwrap_or_default().iter().any(|digit| matches!(digit, b'1'..=b'9'))
    } else {
        double.is_infinite() && unsigned.first().is_some_and(|byte| !byte.is_ascii_alphabetic())
    };
    Some(Read { double, flow })
}

/// Parses `1.8p1`: hexadecimal digits, and after `p` a decimal power of two.
fn read_hexadecimal(text: &[u8]) -> Option<Read> {
    let (digits, power) = match text.iter().position(|byte| matches!(byte, b'p' | b'P')) {
        Some(at) => (&text[..at], read_power(&text[at + 1..])?),
        None => (text, 0),
    };
    // The first 64 bits that are not zero, and whether any lower one is set.
    let (mut bits, mut sticky, mut exponent) = (0_u64, false, power);
    let (mut any, mut after_point) = (false, false);
    for &byte in digits {
        if byte == b'.' && !after_point {
            after_point = true;
            continue;
        }
        let digit = char::from(byte).to_digit(16)?;
        any = true;
        if bits >> 60 == 0 {
            bits = bits << 4 | u64::from(digit);
            exponent -= if after_point { 4 } else { 0 };
        } else {
            sticky |= digit != 0;
            exponent += if after_point { 0 } else { 4 };
        }
    }
    if !any {
        return None;
    }
    if bits == 0 {
        return Some(Read { double: 0.0, flow: false });
    }
    let double = round(bits, sticky, exponent);
    Some(Read { double, flow: double == 0.0 || double.is_infinite() })
}

/// An exponent that no number of digits can bring back into range.
const FAR: i64 = 1 << 50;

fn read_power(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").or(text.strip_prefix(b"+")).unwrap_or(text);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let power =
        digits.iter().fold(0_i64, |power, digit| (power * 10 + i64::from(digit - b'0')).min(FAR));
    Some(if text[0] == b'-' { -power } else { power })
}

/// Rounds `bits * 2^exponent`, plus a small remainder if `sticky`, to the nearest double, ties to
/// even.
fn round(bits: u64, sticky: bool, exponent: i64) -> f64 {
    let zeros = i64::from(bits.leading_zeros());
    let (bits, exponent) = (bits << zeros, exponent - zeros);
    // The lowest bit of a double of this magnitude.
    let lowest = (exponent + 63 - 52).max(-1074);
    let shift = lowest - exponent;
    let kept = match u32::try_from(shift) {
        Ok(64) => u64::from(bits > 1 << 63 || sticky),
        Ok(65..) | Err(_) => 0,
        Ok(shift) => {
            let (kept, rest, half) = (bits >> shift, bits & ((1 << shift) - 1), 1 << (shift - 1));
            let up = rest > half || rest == half && (sticky || kept & 1 == 1);
            kept + u64::from(up)
        }
    };
    if lowest > 1023 {
        return f64::INFINITY;
    }
    #[allow(clippy::cast_precision_loss)] // It has at most 53 bits.
    let kept = kept as f64;
    let power = i32::try_from(lowest).expect("from -1074 to 1023");
    // In two steps, because 2^-1074 is out of the range of `powi`.
    kept * 2_f64.powi(power / 2) * 2_f64.powi(power - power / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::server::{redis, valkey};

    /// Observed on Redis 6.2, 7.0, 8.2.
    #[test]
    fn doubles_are_parsed_as_by_servers() {
        for (text, expected) in [
            ("1", 1.0),
            ("+1", 1.0),
            ("1.", 1.0),
            (".5", 0.5),
            ("-.5", -0.5),
            ("5.e1", 50.0),
            ("1E5", 1e5),
            ("+Infinity", f64::INFINITY),
            ("-inf", f64::NEG_INFINITY),
            ("0e-400", 0.0),
            ("0e9999999999999999999", 0.0),
            ("1e-320", 1e-320),
            ("2.4703282292062328e-324", 5e-324),
            ("9223372036854775807", 9_223_372_036_854_775_807.0),
            ("0x10", 16.0),
            ("-0x1p-3", -0.125),
            ("0x.8", 0.5),
            ("0X1P2", 4.0),
            ("0x1.8p+1", 3.0),
            ("0x1p-1074", 5e-324),
            ("0x123456789abcdef12345", 8.596_805_828_370_696e22),
        ] {
            assert_eq!(double(text.as_bytes(), redis(8, 2)), Some(expected), "{text}");
        }
        for text in [
            "",
            " 1",
            "1 ",
            "\t1",
            "++1",
            ".",
            "1e",
            "1e+",
            "1_0",
            "1,0",
            "1f",
            "1\0",
            "infinit",
            "nan",
            "-nan",
            "1e400",
            "-1e400",
            "1e-400",
            "2.4703282292062327e-324",
            "0x",
            "0x.",
            "0x1p",
            "0x1p1024",
            "0x1p-1080",
            "0x0.00001p-1060",
            "0x1p99999999999999999999",
            "0x1p-99999999999999999999",
            "0x1.1.1",
            "0xg",
        ] {
            assert_eq!(double(text.as_bytes(), redis(8, 2)), None, "{text:?}");
        }
        assert_eq!(double(b"0x10", valkey(9, 0)), Some(16.0));
        assert_eq!(double(b"0x10", valkey(9, 1)), None);
    }

    /// Computed by hand: 2^53 + 1 is between two doubles, as is half of the smallest.
    #[test]
    fn hexadecimal_ties_round_to_even() {
        let read = |text: &str| double(text.as_bytes(), redis(7, 0));
        assert_eq!(read("0x20000000000001"), Some(9_007_199_254_740_992.0));
        assert_eq!(read("0x20000000000001.0000001"), Some(9_007_199_254_740_994.0));
        assert_eq!(read("0x20000000000003"), Some(9_007_199_254_740_996.0));
        assert_eq!(read("0x1p-1075"), None);
        assert_eq!(read("0x1.0000000000000000000001p-1075"), Some(5e-324));
        assert_eq!(read("0x3p-1075"), Some(1e-323));
        assert_eq!(read("0x1.fffffffffffffp1023"), Some(f64::MAX));
        assert_eq!(read("0x1.fffffffffffff8p1023"), None);
        assert_eq!(read("0x0.0000000000001p-1022"), Some(5e-324));
    }

    /// Observed.
    #[test]
    fn bounds_are_c_strings() {
        for (text, old, new) in [
            ("", Some(0.0), Some(0.0)),
            ("1\0x", Some(1.0), Some(1.0)),
            (" 1", Some(1.0), None),
            ("\u{b}1", Some(1.0), None),
            ("1 ", None, None),
            (" ", None, None),
            ("0x10", Some(16.0), None),
            ("1e400", Some(f64::INFINITY), Some(f64::INFINITY)),
            ("1e-400", Some(0.0), Some(0.0)),
            ("nan", None, None),
            ("+", None, None),
        ] {
            for (server, expected) in
                [(redis(6, 2), old), (redis(7, 0), old), (redis(8, 2), new), (valkey(9, 1), new)]
            {
                assert_eq!(bound(text.as_bytes(), server), expected, "{text:?} on {server}");
            }
        }
    }
}
