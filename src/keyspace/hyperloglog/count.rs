//! The estimate, by the method of Otmar Ertl (arXiv:1702.01284) that servers use since Redis 5.0.
//!
//! The operations and their order are those of the servers, because the result is stored in the
//! bytes of the key. Older servers used a different estimate; their logs, too, get these numbers
//! when a newer server loads them.

use crate::keyspace::hyperloglog::layout::REGISTERS;

/// 0.5 / ln 2.
const ALPHA: f64 = 0.721_347_520_444_481_7;

/// The highest register value that the estimate supports, less one.
const HIGHEST: usize = 50;

/// Estimates the number of elements from the number of registers with each value. A result that
/// does not fit into 63 bits sets the highest bit, as it does on x86.
pub(super) fn estimate(histogram: &[u32; 64]) -> u64 {
    #[allow(clippy::cast_precision_loss)] // It has 15 bits.
    let m = REGISTERS as f64;
    let mut z = m * tau((m - f64::from(histogram[HIGHEST + 1])) / m);
    for value in (1..=HIGHEST).rev() {
        z += f64::from(histogram[value]);
        z *= 0.5;
    }
    z += m * sigma(f64::from(histogram[0]) / m);
    // Ties are rounded away from zero.
    let count = (ALPHA * m * m / z).round();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // It was checked.
    if count < 9_223_372_036_854_775_808.0 { count as u64 } else { 1 << 63 }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if before == z {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        let rest = 1.0 - x;
        z -= rest * rest * y;
        if before == z {
            return z / 3.0;
        }
    }
}
