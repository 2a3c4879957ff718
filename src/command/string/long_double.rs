//! The floating point of INCRBYFLOAT: the `long double` of x86, read and written as the C library does.
//!
//! A number is 64 bits of mantissa, none of them implied, times a power of two from -16445 to 16320; what lies
//! between two numbers goes to the nearer, and half-way to the even one. Servers built for other machines have
//! another `long double`. The text is that of `%.17Lf` without zeros at its end (`util.c`, `ld2string`).

use std::cmp::Ordering;
use std::fmt;

use self::natural::Natural;

mod natural;

/// The exponent of the smallest numbers, whose mantissas need not begin with a one.
const LOWEST: i64 = -16445;

/// The exponent of the greatest numbers.
const HIGHEST: i64 = 16320;

/// The longest text that a server reads, in bytes: one less than `MAX_LONG_DOUBLE_CHARS`.
const LONGEST_TEXT: usize = 5 * 1024 - 1;

/// Decimal exponents beyond this lead out of the range, whatever the digits of a text of [`LONGEST_TEXT`] are.
const FAR: i64 = 20_000;

/// A finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LongDouble {
    negative: bool,
    mantissa: u64,
    exponent: i64,
}

/// Why a text is no finite number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotFinite {
    /// It is no number, or one that is too great or too small.
    NoNumber,
    /// It says that it is infinite.
    Infinite,
}

impl LongDouble {
    /// Nothing.
    pub(super) const ZERO: LongDouble =
        LongDouble { negative: false, mantissa: 0, exponent: LOWEST };

    /// Reads a text as servers do (`util.c`, `string2ld`): decimal or, after `0x`, hexadecimal; no blanks; what
    /// overflows is no number, and neither is what is not zero and too small to be anything else.
    pub(super) fn read(text: &[u8]) -> Result<LongDouble, NotFinite> {
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

    /// The sum, unless it is too great.
    pub(super) fn plus(self, other: LongDouble) -> Option<LongDouble> {
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

/// The number nearest to `whole` times two to the `exponent`, to which less than one is to be added where there is
/// `more`; then `whole` must have over 65 bits. `None` if it is too great.
fn rounded(whole: &Natural, exponent: i64, more: bool) -> Option<LongDouble> {
    let bits = i64::try_from(whole.bits()).ok()?;
    if bits == 0 {
        return Some(LongDouble::ZERO);
    }
    // How many bits fall off at the end.
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

/// The same, of a number that was read: one that is not zero must not become zero.
fn read_as(whole: &Natural, exponent: i64, more: bool) -> Option<LongDouble> {
    rounded(whole, exponent, more).filter(|number| number.mantissa != 0)
}

/// Digits with at most one point among them, and the exponent behind them.
struct Parts {
    /// The value of each digit, from the first that is not zero.
    digits: Vec<u8>,
    /// How many of them stood behind the point.
    behind: i64,
    /// What is written after `e` or `p`, far values cut to [`FAR`] and a bit.
    exponent: i64,
}

impl Parts {
    fn read(text: &[u8], radix: u32, mark: u8) -> Option<Parts> {
        let mut parts = Parts { digits: Vec::new(), behind: 0, exponent: 0 };
        let (mut any, mut point) = (false, false);
        let mut rest = text.iter();
        while let Some(&byte) = rest.next() {
            if let Some(digit) = char::from(byte).to_digit(radix) {
                any = true;
                parts.behind += i64::from(point);
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

/// What is written behind the mark of the exponent.
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
    read_as(&whole, parts.exponent - 4 * parts.behind, false)
}

fn decimal(text: &[u8]) -> Option<LongDouble> {
    let parts = Parts::read(text, 10, b'e')?;
    if parts.digits.is_empty() {
        return Some(LongDouble::ZERO);
    }
    let power = parts.exponent - parts.behind;
    if power.abs() > FAR {
        return None;
    }
    let mut whole = Natural::from_digits(&parts.digits, 10);
    let ten_to_power = Natural::ten_to(power.unsigned_abs());
    if power >= 0 {
        whole.multiply(&ten_to_power);
        return read_as(&whole, 0, false);
    }
    // Both get so many zeros behind them that the quotient has 66 or 67 bits.
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
    /// As INCRBYFLOAT writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Ten to the number of digits behind the point.
        const SCALE: u128 = 100_000_000_000_000_000;
        let sign = if self.negative { "-" } else { "" };
        if self.exponent >= 0 {
            let mut whole = Natural::from(u128::from(self.mantissa));
            whole.shift_left(self.exponent.unsigned_abs());
            return write!(f, "{sign}{whole}");
        }
        // Below 2^121, and rounded to the even one half-way.
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
        let (before, behind) = (digits / SCALE, digits % SCALE);
        let behind = format!(".{behind:017}");
        write!(f, "{sign}{before}{}", behind.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A shift to the right, if not all bits go.
fn shr(number: u128, by: u64) -> Option<u128> {
    number.checked_shr(u32::try_from(by).ok()?)
}

#[cfg(test)]
mod tests;
