//! The floating point of INCRBYFLOAT and HINCRBYFLOAT: the `long double` of x86, read and written
//! as the C library does.
//!
//! A number is a 64-bit mantissa without an implied bit, times a power of two from -16445 to 16320.
//! Results are rounded to the nearest number, ties to even. Servers built for other architectures
//! have a different `long double`. The text is that of `%.17Lf` without trailing zeros (`util.c`,
//! `ld2string`).
//!
//! The crate `rustc_apfloat` gives the same digits. It would replace the arithmetic, but neither the grammar of the text
//! nor the rounding of `%.17Lf`, which are most of this file.

use std::cmp::Ordering;
use std::fmt;

use self::natural::Natural;

mod natural;

/// The exponent of the smallest numbers, whose mantissas need not begin with a one.
const LOWEST: i64 = -16445;

/// The exponent of the largest numbers.
const HIGHEST: i64 = 16320;

/// Maximum length in bytes of a text that a server reads: one less than `MAX_LONG_DOUBLE_CHARS`.
const LONGEST_TEXT: usize = 5 * 1024 - 1;

/// Decimal exponents greater than this are out of range, whatever the digits of a text of
/// [`LONGEST_TEXT`] are.
const FAR: i64 = 20_000;

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

/// The reason why a text is not a finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotFinite {
    /// It is not a number, or one that is too large or too small.
    NoNumber,
    /// It denotes infinity.
    Infinite,
}

impl LongDouble {
    /// Zero.
    pub(crate) const ZERO: LongDouble =
        LongDouble { negative: false, mantissa: 0, exponent: LOWEST };

    /// Parses a text as servers do (`util.c`, `string2ld`): decimal or, after `0x`, hexadecimal,
    /// without blanks. Overflow is an error, and so is underflow of a nonzero number to zero.
    pub(crate) fn read(text: &[u8]) -> Result<LongDouble, NotFinite> {
        if text.len() > LONGEST_TEXT {
            return Err(NotFinite::NoNumber);
        }
        let (negative, text) = match text {
            [b'-', text @ ..] => (true, text),
            [b'+', text @ ..] => (false, text),
            text => (false, text),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Err(NotFinite::Infinite);
        }
        let magnitude = match text {
            [b'0', b'x' | b'X', text @ ..] => hexadecimal(text),
            text => decimal(text),
        };
        let magnitude = magnitude.ok_or(NotFinite::NoNumber)?;
        Ok(LongDouble { negative, ..magnitude })
    }

    /// Returns the sum, or `None` if it is too large.
    pub(crate) fn plus(self, other: LongDouble) -> Option<LongDouble> {
        let lowest = self.exponent.min(other.exponent);
        let whole = |number: LongDouble| {
            let mut whole = Natural::from(u128::from(number.mantissa));
            whole.shift_left(number.exponent.abs_diff(lowest));
            whole
        };
        let (mut one, mut two) = (whole(self), whole(other));
        let negative = if self.negative == other.negative {
            one.add(&two);
            self.negative
        } else {
            match one.cmp(&two) {
                Ordering::Less => {
                    two.subtract(&one);
                    one = two;
                    other.negative
                }
                _ => {
                    one.subtract(&two);
                    self.negative
                }
            }
        };
        let sum = rounded(&one, lowest, false)?;
        Some(LongDouble { negative, ..sum })
    }
}

/// Returns the number nearest to `whole` times two to the `exponent`. If `more`, a fraction of less
/// than one is added to `whole`, which must then have over 65 bits. Returns `None` if the result is
/// too large.
fn rounded(whole: &Natural, exponent: i64, more: bool) -> Option<LongDouble> {
    let bits = i64::try_from(whole.bits()).ok()?;
    if bits == 0 {
        return Some(LongDouble::ZERO);
    }
    // Number of bits that are cut off at the end.
    let off = (bits - 64).max(LOWEST - exponent);
    let mut exponent = exponent + off;
    let mut mantissa = whole.bits_from(off);
    if off > 0 {
        let half = whole.bits_from(off - 1) & 1 == 1;
        let above_half = more || whole.has_bit_below(off.unsigned_abs() - 1);
        if half && (above_half || mantissa & 1 == 1) {
            mantissa = match mantissa.checked_add(1) {
                Some(mantissa) => mantissa,
                None => {
                    exponent += 1;
                    1 << 63
                }
            };
        }
    }
    (exponent <= HIGHEST).then_some(LongDouble { negative: false, mantissa, exponent })
}

/// Like `rounded`, for a number that was parsed: a nonzero number must not become
/// zero.
fn read_as(whole: &Natural, exponent: i64, more: bool) -> Option<LongDouble> {
    rounded(whole, exponent, more).filter(|number| number.mantissa != 0)
}

/// Digits with at most one point among them, and the exponent after them.
struct Parts {
    /// The value of each digit, from the first that is not zero.
    digits: Vec<u8>,
    /// Number of digits after the point.
    decimals: i64,
    /// The exponent after `e` or `p`, with large values limited to slightly more than [`FAR`].
    exponent: i64,
}

impl Parts {
    fn read(text: &[u8], radix: u32, mark: u8) -> Option<Parts> {
        let mut parts = Parts { digits: Vec::new(), decimals: 0, exponent: 0 };
        let (mut any, mut point) = (false, false);
        let mut rest = text.iter();
        while let Some(&byte) = rest.next() {
            if let Some(digit) = char::from(byte).to_digit(radix) {
                any = true;
                parts.decimals += i64::from(point);
                if digit != 0 || !parts.digits.is_empty() {
                    parts.digits.push(u8::try_from(digit).ok()?);
                }
            } else if byte == b'.' && !point {
                point = true;
            } else if byte.eq_ignore_ascii_case(&mark) && any {
                parts.exponent = exponent(rest.as_slice())?;
                break;
            } else {
                return None;
            }
        }
        any.then_some(parts)
    }
}

/// Parses the text after the exponent mark.
fn exponent(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let far = 8 * FAR;
    let value =
        digits.iter().fold(0, |value: i64, digit| (value * 10 + i64::from(digit - b'0')).min(far));
    Some(if negative { -value } else { value })
}

fn hexadecimal(text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::read(text, 16, b'p')?;
    if parts.digits.is_empty() {
        return Some(LongDouble::ZERO);
    }
    let whole = Natural::from_digits(&parts.digits, 16);
    read_as(&whole, parts.exponent - 4 * parts.decimals, false)
}

fn decimal(text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::read(text, 10, b'e')?;
    if parts.digits.is_empty() {
        return Some(LongDouble::ZERO);
    }
    let power = parts.exponent - parts.decimals;
    if power.abs() > FAR {
        return None;
    }
    let mut whole = Natural::from_digits(&parts.digits, 10);
    let ten_to_power = Natural::ten_to(power.unsigned_abs());
    if power >= 0 {
        whole.multiply(&ten_to_power);
        return read_as(&whole, 0, false);
    }
    // Both are shifted left until the quotient has 66 or 67 bits.
    let mut divisor = ten_to_power;
    let wanted = divisor.bits() + 66;
    let exponent = match wanted.checked_sub(whole.bits()) {
        Some(missing) => {
            whole.shift_left(missing);
            -i64::try_from(missing).ok()?
        }
        None => {
            let spare = whole.bits() - wanted;
            divisor.shift_left(spare);
            i64::try_from(spare).ok()?
        }
    };
    let (quotient, more) = whole.divide(divisor);
    read_as(&Natural::from(quotient), exponent, more)
}

impl fmt::Display for LongDouble {
    /// Formats the number as INCRBYFLOAT does.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Ten to the number of digits after the point.
        const SCALE: u128 = 100_000_000_000_000_000;
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            let mut whole = Natural::from(u128::from(self.mantissa));
            whole.shift_left(self.exponent.unsigned_abs());
            return write!(f, "{sign}{whole}");
        }
        // Below 2^121; ties are rounded to even.
        let scaled = u128::from(self.mantissa) * SCALE;
        let off = self.exponent.unsigned_abs();
        let mut digits = 0;
        if let (Some(cut), Some(half)) = (shr(scaled, off), shr(scaled, off - 1)) {
            let above_half = scaled & ((1 << (off - 1)) - 1) != 0;
            digits = cut + u128::from(half & 1 == 1 && (above_half || cut & 1 == 1));
        }
        if digits == 0 {
            return f.write_str("0");
        }
        let (before, decimals) = (digits / SCALE, digits % SCALE);
        let decimals = format!(".{decimals:017}");
        write!(f, "{sign}{before}{}", decimals.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// Shifts right; returns `None` if all bits are shifted out.
fn shr(number: u128, by: u64) -> Option<u128> {
    number.checked_shr(u32::try_from(by).ok()?)
}

#[cfg(test)]
mod tests;
