//! Scores as servers print them.
//!
//! Redis up to 7.0 prints the result of `%.17g` of C; Redis since 7.2 and Valkey print the digits
//! that Grisu2 finds (`fpconv_dtoa`), which mostly are the fewest that read back as the same
//! number. This text occurs in `DEBUG DIGEST` and in the commands of a rewritten log. Checked
//! against Redis 7.0, 8.2 and Valkey 9.1.

mod grisu2;

use std::fmt::Write as _;

use crate::base::server::{Product, Server};

/// The format in which a server prints a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScoreText {
    /// With 17 digits, as `%.17g` of C: up to Redis 7.0.
    Digits17,
    /// With the digits that Grisu2 finds: since Redis 7.2, and in Valkey.
    Grisu2,
}

impl ScoreText {
    /// Returns the format of a server of this release line.
    pub fn of_server(server: Server) -> ScoreText {
        match server.product {
            Product::Valkey => ScoreText::Grisu2,
            Product::Redis if server.has_redis(7, 2) => ScoreText::Grisu2,
            Product::Redis => ScoreText::Digits17,
        }
    }
}

/// Returns the text of a score. A [`ScoreBuffer`] formats many scores without allocating.
pub fn text(score: f64, how: ScoreText) -> String {
    ScoreBuffer::new().format(score, how).to_string()
}

/// A buffer for the text of a score.
#[derive(Debug, Clone)]
pub struct ScoreBuffer {
    bytes: [u8; LONGEST],
    len: usize,
}

/// The longest texts have 25 bytes: a sign, 17 digits with a point, `e-308`.
const LONGEST: usize = 32;

impl Default for ScoreBuffer {
    fn default() -> Self {
        ScoreBuffer::new()
    }
}

impl ScoreBuffer {
    /// Creates an empty buffer.
    pub fn new() -> Self {
        ScoreBuffer { bytes: [0; LONGEST], len: 0 }
    }

    /// Formats a score. The text is ASCII, and has at most 25 bytes.
    pub fn format(&mut self, score: f64, how: ScoreText) -> &str {
        self.len = 0;
        if score.is_nan() {
            self.push(if score.is_sign_negative() { b"-nan" } else { b"nan" });
        } else if let Some(integer) = short_integer(score) {
            self.push(itoa::Buffer::new().format(integer).as_bytes());
        } else {
            if score.is_sign_negative() {
                self.push(b"-");
            }
            self.positive(score.abs(), how);
        }
        std::str::from_utf8(&self.bytes[..self.len]).expect("ASCII alone")
    }

    fn positive(&mut self, score: f64, how: ScoreText) {
        if score == 0.0 {
            self.push(b"0");
        } else if score.is_infinite() {
            self.push(b"inf");
        } else {
            match how {
                ScoreText::Digits17 => self.digits17(score),
                ScoreText::Grisu2 => self.grisu2(score),
            }
        }
    }

    /// Formats like `%.17g`: in positional notation if the value of the first digit is 10^-4 to
    /// 10^16, without trailing zeros.
    fn digits17(&mut self, score: f64) {
        if let Some((digits, before_point)) = short_digits17(score) {
            let mut buffer = itoa::Buffer::new();
            let digits = buffer.format(digits).trim_end_matches('0');
            self.plain(digits.as_bytes(), before_point);
            return;
        }
        let mut scientific = ScoreBuffer::new();
        write!(scientific, "{score:.16e}").expect("there is room");
        // A digit, a point, sixteen digits, `e`, the exponent.
        let (mantissa, exponent) = scientific.bytes[..scientific.len].split_at(18);
        let exponent: i32 = (std::str::from_utf8(&exponent[1..]).ok())
            .and_then(|exponent| exponent.parse().ok())
            .expect("it was printed as a number");
        let mut digits = [0; 17];
        digits[0] = mantissa[0];
        digits[1..].copy_from_slice(&mantissa[2..]);
        let len = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
        let digits = &digits[..len];
        if (-4..17).contains(&exponent) {
            self.plain(digits, exponent + 1);
        } else {
            self.scientific(digits, exponent, 2);
        }
    }

    /// Formats like `emit_digits` of fpconv.
    fn grisu2(&mut self, score: f64) {
        let decimal = grisu2::digits(score);
        let digits = decimal.digits();
        let count = i32::try_from(digits.len()).expect("at most 18 digits");
        let first = decimal.exponent + count - 1;
        let last = decimal.exponent;
        let is_plain =
            if last >= 0 { first.abs() < count + 7 } else { last > -7 || first.abs() < 4 };
        if is_plain {
            self.plain(digits, first + 1);
        } else {
            self.scientific(digits, first, 1);
        }
    }

    /// Writes digits with `whole` of them before the point, padded with zeros if there are too few.
    fn plain(&mut self, digits: &[u8], whole: i32) {
        match usize::try_from(whole) {
            Ok(whole) if whole >= digits.len() => {
                self.push(digits);
                (digits.len()..whole).for_each(|_| self.push(b"0"));
            }
            Ok(whole) if whole > 0 => {
                self.push(&digits[..whole]);
                self.push(b".");
                self.push(&digits[whole..]);
            }
            _ => {
                self.push(b"0.");
                (whole..0).for_each(|_| self.push(b"0"));
                self.push(digits);
            }
        }
    }

    /// Writes one digit before the point, and a signed exponent of at least `exponent_digits`
    /// digits.
    fn scientific(&mut self, digits: &[u8], exponent: i32, exponent_digits: usize) {
        self.push(&digits[..1]);
        if digits.len() > 1 {
            self.push(b".");
            self.push(&digits[1..]);
        }
        self.push(if exponent < 0 { b"e-" } else { b"e+" });
        let mut buffer = itoa::Buffer::new();
        let exponent = buffer.format(exponent.unsigned_abs()).as_bytes();
        (exponent.len()..exponent_digits).for_each(|_| self.push(b"0"));
        self.push(exponent);
    }

    fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }
}

impl std::fmt::Write for ScoreBuffer {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        if self.len + text.len() > LONGEST {
            return Err(std::fmt::Error);
        }
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Returns the 17 digits of a score from 1 to 10^15, and how many of them are before the point.
/// Such a score is an integer below 2^53 divided by a power of two, so integer arithmetic is
/// sufficient.
fn short_digits17(score: f64) -> Option<(u64, i32)> {
    const FRACTION_BITS: u32 = f64::MANTISSA_DIGITS - 1;
    const LIMIT: u64 = 10_u64.pow(17);
    if !(1.0..1e15).contains(&score) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It was checked to fit.
    let before_point = (score as u64).ilog10() + 1;
    let bits = score.to_bits();
    let fraction = bits & ((1 << FRACTION_BITS) - 1) | 1 << FRACTION_BITS;
    // The exponent, whose bias is 1023, is from 0 to 49.
    let shift = FRACTION_BITS - u32::try_from((bits >> FRACTION_BITS).checked_sub(1023)?).ok()?;
    // Below 2^53 * 10^16, which is below 2^107.
    let scaled = u128::from(fraction) * 10_u128.pow(17 - before_point);
    let (whole, rest) = (scaled >> shift, scaled & ((1 << shift) - 1));
    let half = 1_u128 << shift >> 1;
    // Round to nearest, ties to even.
    let up = rest > half || rest == half && whole & 1 == 1;
    let digits = u64::try_from(whole).ok()? + u64::from(up);
    // All nines, rounded up, would need another digit.
    (digits < LIMIT).then_some((digits, i32::try_from(before_point).ok()?))
}

/// Returns the score as an integer if both formats print it as its digits: it must be exactly
/// representable, and must not end in so many zeros that an exponent would be shorter.
fn short_integer(score: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0; // 2^53
    if !(-EXACT..=EXACT).contains(&score) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)]
    // It was checked to fit; the fraction is compared.
    let integer = score as i64;
    #[allow(clippy::cast_precision_loss)] // It came from a double.
    let same = integer as f64 == score;
    (same && integer % 100_000_000 != 0).then_some(integer)
}

#[cfg(test)]
mod tests;
