//! The digits that Grisu2 finds for a double, computed as in `fpconv_dtoa` of the servers.
//!
//! Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers Quickly and Accurately with Integers",
//! 2010) scales the number and the bounds of its interval by a power of ten known to 64 bits, and
//! generates digits of the upper bound until they denote a number inside the interval. The products
//! are inexact, so that in one case of 170 a shorter text exists. Which cases those are depends on
//! the table, on the chosen power and on the rounding of the product: they are those of
//! `deps/fpconv`. Checked against Redis 8.2 and Valkey 9.1.

/// The digits of a number, and the position of its point.
pub(super) struct Decimal {
    bytes: [u8; MOST_DIGITS],
    len: usize,
    /// The power of ten of the last digit.
    pub(super) exponent: i32,
}

/// More than the maximum number of digits, which is 18.
const MOST_DIGITS: usize = 20;

impl Decimal {
    pub(super) fn digits(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Appends a digit, omitting leading zeros.
    fn push(&mut self, digit: u64) {
        if digit != 0 || self.len != 0 {
            #[allow(clippy::cast_possible_truncation)] // One digit.
            let digit = digit as u8;
            self.bytes[self.len] = b'0' + digit;
            self.len += 1;
        }
    }

    /// Lowers the last digit while that brings the digits nearer to the number.
    ///
    /// All arguments are distances below the upper bound, in the same unit: `rest` that of the
    /// digits, `middle` that of the number, `width` that of the lower bound; `step` is the increase
    /// per decrement of the last digit.
    fn round_toward(&mut self, mut rest: u64, middle: u64, width: u64, step: u64) {
        while rest < middle
            && width.wrapping_sub(rest) >= step
            && (rest.wrapping_add(step) < middle
                || middle - rest > rest.wrapping_add(step).wrapping_sub(middle))
        {
            self.bytes[self.len - 1] -= 1;
            rest = rest.wrapping_add(step);
        }
    }
}

/// `significand * 2^exponent`.
#[derive(Clone, Copy)]
struct Float {
    significand: u64,
    exponent: i32,
}

impl Float {
    /// Returns the same number with the highest bit set.
    fn normal(self) -> Float {
        let zeros = self.significand.leading_zeros();
        Float {
            significand: self.significand << zeros,
            exponent: self.exponent - zeros.cast_signed(),
        }
    }

    /// Returns the upper half of the product, rounded.
    fn times(self, other: Float) -> Float {
        let product = u128::from(self.significand) * u128::from(other.significand) + (1 << 63);
        #[allow(clippy::cast_possible_truncation)] // The upper half of 128 bits.
        let significand = (product >> 64) as u64;
        Float { significand, exponent: self.exponent + other.exponent + 64 }
    }
}

/// The implied bit before the 52 bits of a double.
const HIDDEN: u64 = 1 << 52;

/// Returns the digits of a finite positive number.
pub(super) fn digits(number: f64) -> Decimal {
    let bits = number.to_bits();
    let fraction = bits & (HIDDEN - 1);
    let exponent = i32::try_from((bits >> 52) & 0x7ff).expect("11 bits");
    let float = match exponent {
        0 => Float { significand: fraction, exponent: -1074 },
        _ => Float { significand: fraction | HIDDEN, exponent: exponent - 1075 },
    };
    let upper = Float { significand: (float.significand << 1) + 1, exponent: float.exponent - 1 };
    let upper = upper.normal();
    // Below a power of two the doubles are twice as dense.
    let closer = if float.significand == HIDDEN { 2 } else { 1 };
    let lower = ((float.significand << closer) - 1) << (float.exponent - closer - upper.exponent);
    let lower = Float { significand: lower, exponent: upper.exponent };

    let (power, scale) = power_for(upper.exponent);
    let middle = float.normal().times(scale).significand;
    // The bounds are moved inwards, because the products are inexact.
    let lower = lower.times(scale).significand.wrapping_add(1);
    let upper = upper.times(scale);
    let upper = Float { significand: upper.significand.wrapping_sub(1), ..upper };
    generate(upper, middle, lower, -power)
}

/// Generates digits of `upper` until they are above `lower`; all three have its exponent.
fn generate(upper: Float, middle: u64, lower: u64, exponent: i32) -> Decimal {
    let mut decimal = Decimal { bytes: [0; MOST_DIGITS], len: 0, exponent };
    let mut middle = upper.significand.wrapping_sub(middle);
    let mut width = upper.significand.wrapping_sub(lower);
    let point = -upper.exponent; // 32 to 60 bits are after the point
    let one = 1_u64 << point;
    let mut whole = upper.significand >> point;
    let mut part = upper.significand & (one - 1);
    let mut step = 1_000_000_000_u64;
    for places in (0..10).rev() {
        decimal.push(whole / step);
        whole %= step;
        let rest = (whole << point) + part;
        if rest <= width {
            decimal.exponent += places;
            decimal.round_toward(rest, middle, width, step << point);
            return decimal;
        }
        step /= 10;
    }
    loop {
        part *= 10;
        width = width.wrapping_mul(10);
        middle = middle.wrapping_mul(10);
        decimal.exponent -= 1;
        decimal.push(part >> point);
        part &= one - 1;
        if part < width {
            decimal.round_toward(part, middle, width, one);
            return decimal;
        }
    }
}

const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;
const POWERS: i32 = 87;

/// Returns a power of ten whose product with a normal number of this exponent has 32 to 60 bits
/// after its point. If there are two, it is the one that the estimate finds first.
fn power_for(exponent: i32) -> (i32, Float) {
    #[allow(clippy::cast_possible_truncation)] // The estimate is truncated.
    let estimate = (f64::from(-(exponent + POWERS)) * 0.301_029_995_663_981_14) as i32;
    let mut index = (estimate - FIRST_POWER) / POWER_STEP;
    loop {
        let power = FIRST_POWER + index * POWER_STEP;
        let scale = Float {
            significand: POWERS_OF_TEN[usize::try_from(index).expect("a power in the table")],
            exponent: exponent_of_ten_to(power),
        };
        match exponent + scale.exponent + 64 {
            ..-60 => index += 1,
            -60..=-32 => return (power, scale),
            -31.. => index -= 1,
        }
    }
}

/// Returns the exponent of `10^power` with a significand of 64 bits: 217706 / 2^16 approximates
/// log2(10) closely enough.
fn exponent_of_ten_to(power: i32) -> i32 {
    ((power * 217_706) >> 16) - 63
}

/// The significands of 10^-348, 10^-340 .. 10^340, 64 bits rounded to nearest.
#[rustfmt::skip]
static POWERS_OF_TEN: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d, 0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c, 0x8dd01fad907ffc3c, 0xd3515c2831559a83, 0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57, 0xc21094364dfb5637,
    0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996,
    0xdbac6c247d62a584, 0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b, 0xc9bcff6034c13053, 0x964e858c91ba2655, 0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf, 0x8a08f0f8bf0f156b,
    0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c,
    0x9c40000000000000, 0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984,
    0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70, 0xd5d238a4abe98068, 0x9f4f2726179a2245,
    0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db, 0xc45d1df942711d9a,
    0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3, 0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece,
    0x88fcf317f22241e2, 0xcc20ce9bd35c78a5, 0x98165af37b2153df, 0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410, 0x8bab8eefb6409c1a,
    0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841,
    0x9e19db92b4e31ba9, 0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];
#[cfg(test)]
mod tests {
    use super::*;

    /// Each is the previous one times 10^8, up to the rounding of both.
    #[test]
    fn the_powers_follow_from_each_other() {
        assert_eq!(POWERS_OF_TEN[44], 10_u64.pow(4) << 50, "10^4 is exact");
        assert_eq!(POWERS_OF_TEN[45], 10_u64.pow(12) << 24, "10^12 is exact");
        for (index, pair) in POWERS_OF_TEN.windows(2).enumerate() {
            let power = FIRST_POWER + POWER_STEP * i32::try_from(index).expect("small");
            let grown = exponent_of_ten_to(power + POWER_STEP) - exponent_of_ten_to(power);
            let next = u128::from(pair[1]) << grown;
            let difference = (u128::from(pair[0]) * 100_000_000).abs_diff(next);
            let rounding = 50_000_000 + (1 << (grown - 1));
            assert!(difference <= rounding, "10^{power}: {difference}");
            assert!(pair[0] >> 63 == 1, "10^{power} is not normal");
        }
    }

    /// Including both ends of the range, and asymmetric intervals.
    #[test]
    fn every_exponent_has_a_power() {
        for exponent in 0..0x7ff_u64 {
            for fraction in [0, 1, HIDDEN / 3, HIDDEN - 1] {
                let number = f64::from_bits(exponent << 52 | fraction);
                if number > 0.0 {
                    let decimal = digits(number);
                    let text = String::from_utf8(decimal.digits().to_vec()).expect("digits");
                    let text = format!("{text}e{}", decimal.exponent);
                    assert_eq!(text.parse(), Ok(number), "{text}");
                    assert!(decimal.len <= 18);
                }
            }
        }
    }
}
