//! Unsigned big integers, limited to what reading and writing a `long double` requires: up to some
//! 70,000 bits.

use std::cmp::Ordering;
use std::fmt;

/// An unsigned integer of any size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural {
    /// 32 bits each, the lowest first; the last is not zero.
    limbs: Vec<u32>,
}

#[allow(clippy::cast_possible_truncation)] // The lower half.
fn low(number: u64) -> u32 {
    number as u32
}

impl From<u128> for Natural {
    #[allow(clippy::cast_possible_truncation)] // A quarter each.
    fn from(number: u128) -> Self {
        let limbs = (0..4).map(|limb| (number >> (32 * limb)) as u32).collect();
        Natural { limbs }.trimmed()
    }
}

impl Natural {
    fn trimmed(mut self) -> Self {
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        self
    }

    /// Creates the number from the values of its digits, the highest first.
    pub(super) fn from_digits(digits: &[u8], radix: u32) -> Natural {
        let mut number = Natural { limbs: Vec::new() };
        for &digit in digits {
            number.multiply_and_add(radix, u32::from(digit));
        }
        number
    }

    /// Returns ten to the given power.
    pub(super) fn ten_to(power: u64) -> Natural {
        let mut number = Natural::from(1);
        for _ in 0..power / 9 {
            number.multiply_and_add(1_000_000_000, 0);
        }
        for _ in 0..power % 9 {
            number.multiply_and_add(10, 0);
        }
        number
    }

    fn multiply_and_add(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for limb in &mut self.limbs {
            carry += u64::from(*limb) * u64::from(factor);
            *limb = low(carry);
            carry >>= 32;
        }
        if carry != 0 {
            self.limbs.push(low(carry));
        }
    }

    pub(super) fn multiply(&mut self, other: &Natural) {
        let mut product = vec![0_u32; self.limbs.len() + other.limbs.len()];
        for (at, &limb) in self.limbs.iter().enumerate() {
            let mut carry = 0;
            let places = product[at..].iter_mut();
            for (place, factor) in places.zip(other.limbs.iter().chain(std::iter::once(&0))) {
                carry += u64::from(*place) + u64::from(limb) * u64::from(*factor);
                *place = low(carry);
                carry >>= 32;
            }
        }
        *self = Natural { limbs: product }.trimmed();
    }

    pub(super) fn add(&mut self, other: &Natural) {
        let longer = self.limbs.len().max(other.limbs.len()) + 1;
        self.limbs.resize(longer, 0);
        let mut carry = 0;
        for (at, limb) in self.limbs.iter_mut().enumerate() {
            carry += u64::from(*limb) + u64::from(other.limbs.get(at).copied().unwrap_or(0));
            *limb = low(carry);
            carry >>= 32;
        }
        *self = std::mem::replace(self, Natural { limbs: Vec::new() }).trimmed();
    }

    /// Subtracts a number that is not greater.
    pub(super) fn subtract(&mut self, other: &Natural) {
        let mut borrow = false;
        for (at, limb) in self.limbs.iter_mut().enumerate() {
            let other = other.limbs.get(at).copied().unwrap_or(0);
            let (rest, one) = limb.overflowing_sub(other);
            let (rest, two) = rest.overflowing_sub(u32::from(borrow));
            *limb = rest;
            borrow = one || two;
        }
        *self = std::mem::replace(self, Natural { limbs: Vec::new() }).trimmed();
    }

    pub(super) fn shift_left(&mut self, by: u64) {
        if self.limbs.is_empty() {
            return;
        }
        let (whole, part) = (by / 32, u32::try_from(by % 32).unwrap_or(0));
        self.multiply_and_add(1 << part, 0);
        let zeros = std::iter::repeat_n(0, usize::try_from(whole).unwrap_or(0));
        self.limbs.splice(..0, zeros);
    }

    fn halve(&mut self) {
        let mut above = 0;
        for limb in self.limbs.iter_mut().rev() {
            let next = *limb << 31;
            *limb = *limb >> 1 | above;
            above = next;
        }
        if self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
    }

    /// Returns the number of bits up to the highest that is set.
    pub(super) fn bits(&self) -> u64 {
        match self.limbs.last() {
            Some(limb) => 32 * self.limbs.len() as u64 - u64::from(limb.leading_zeros()),
            None => 0,
        }
    }

    /// Returns 64 bits starting at bit `lowest`; if that is negative, zeros are appended at the
    /// end.
    pub(super) fn bits_from(&self, lowest: i64) -> u64 {
        let bit = |at: i64| -> u64 {
            let Ok(at) = usize::try_from(at) else { return 0 };
            self.limbs.get(at / 32).map_or(0, |limb| u64::from(limb >> (at % 32) & 1))
        };
        (0..64).fold(0, |bits, at| bits | bit(lowest + at) << at)
    }

    /// Returns whether any of the lowest `bits` bits is set.
    pub(super) fn has_bit_below(&self, bits: u64) -> bool {
        let lowest = self.limbs.iter().position(|limb| *limb != 0);
        lowest.is_some_and(|at| 32 * at as u64 + u64::from(self.limbs[at].trailing_zeros()) < bits)
    }

    /// Returns the quotient, which must be below 2^67, and whether there is a remainder.
    pub(super) fn divide(mut self, mut divisor: Natural) -> (u128, bool) {
        divisor.shift_left(67);
        let mut quotient = 0;
        for _ in 0..67 {
            divisor.halve();
            quotient <<= 1;
            if self.cmp(&divisor) != Ordering::Less {
                self.subtract(&divisor);
                quotient |= 1;
            }
        }
        (quotient, !self.limbs.is_empty())
    }

    pub(super) fn cmp(&self, other: &Natural) -> Ordering {
        let lengths = self.limbs.len().cmp(&other.limbs.len());
        lengths.then_with(|| self.limbs.iter().rev().cmp(other.limbs.iter().rev()))
    }
}

impl fmt::Display for Natural {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NINE_DIGITS: u64 = 1_000_000_000;
        let mut rest = self.clone();
        // Nine digits each, the lowest first.
        let mut parts = Vec::new();
        while !rest.limbs.is_empty() {
            let mut carry = 0;
            for limb in rest.limbs.iter_mut().rev() {
                carry = carry << 32 | u64::from(*limb);
                *limb = low(carry / NINE_DIGITS);
                carry %= NINE_DIGITS;
            }
            parts.push(carry);
            rest = rest.trimmed();
        }
        let mut parts = parts.iter().rev();
        write!(f, "{}", parts.next().unwrap_or(&0))?;
        parts.try_for_each(|part| write!(f, "{part:09}"))
    }
}
