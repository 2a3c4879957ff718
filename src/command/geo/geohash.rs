//! Geohashes: cells of a grid over the earth, halved alternately by longitude and by latitude.
//!
//! A cell at step `n` is one of 2^n by 2^n, and its number interleaves the bits of its column (from
//! -180 degrees of longitude) and its row (from -85.05112878 degrees of latitude), the column's
//! first. The score of a point is its cell at step 26. Checked against `geohash.c` and
//! `geohash_helper.c` of Redis and Valkey.

use crate::command::geo::coordinates::{Coordinates, MOST_LATITUDE, MOST_LONGITUDE};

/// Number of steps of a score, which has two bits for each.
pub(super) const STEPS: u32 = 26;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell {
    bits: u64,
    step: u32,
}

/// A range of coordinates in degrees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) min: f64,
    pub(super) max: f64,
}

/// The area that a cell covers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Area {
    pub(super) longitude: Span,
    pub(super) latitude: Span,
}

/// The bits of rows.
const ROWS: u64 = 0x5555_5555_5555_5555;
/// The bits of columns.
const COLUMNS: u64 = !ROWS;

impl Cell {
    /// Returns the cell of a point. A point on the upper edge of the map is in a cell beyond it.
    pub(super) fn containing(at: Coordinates, step: u32) -> Cell {
        let number = |coordinate: f64, most: f64| {
            let share = (coordinate + most) / (most + most);
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // At most 2^26.
            let number = (share * power_of_two(step)) as u32;
            number
        };
        let row = number(at.latitude, MOST_LATITUDE);
        let column = number(at.longitude, MOST_LONGITUDE);
        Cell { bits: spread(row) | spread(column) << 1, step }
    }

    /// Returns the cell of any score, converting it as the servers' compilers for x86-64 convert a
    /// double to an unsigned integer.
    pub(super) fn of_score(score: f64) -> Cell {
        const HALF: f64 = 9_223_372_036_854_775_808.0; // 2^63
        #[allow(clippy::cast_possible_truncation)] // It was checked to fit.
        let signed = |score: f64| match score {
            _ if (-HALF..HALF).contains(&score) => score as i64,
            _ => i64::MIN,
        };
        let bits = if score < HALF { signed(score) } else { signed(score - HALF) ^ i64::MIN };
        Cell { bits: bits.cast_unsigned(), step: STEPS }
    }

    /// Returns the cell as a score.
    pub(super) fn score(self) -> f64 {
        self.scores().0
    }

    /// Returns the range of scores of the points in the cell; the end is excluded.
    pub(super) fn scores(self) -> (f64, f64) {
        let shift = (STEPS - self.step) * 2;
        #[allow(clippy::cast_precision_loss)] // 53 bits.
        let score = |bits: u64| (bits << shift) as f64;
        (score(self.bits), score(self.bits + 1))
    }

    pub(super) fn area(self) -> Area {
        let span = |number: u32, most: f64| {
            let edge =
                |number: u32| -most + f64::from(number) / power_of_two(self.step) * (most + most);
            Span { min: edge(number), max: edge(number.wrapping_add(1)) }
        };
        Area {
            longitude: span(gather(self.bits >> 1), MOST_LONGITUDE),
            latitude: span(gather(self.bits), MOST_LATITUDE),
        }
    }

    /// Returns the centre of the cell.
    pub(super) fn coordinates(self) -> Coordinates {
        let Area { longitude, latitude } = self.area();
        let middle = |span: Span, most: f64| ((span.min + span.max) / 2.0).clamp(-most, most);
        Coordinates {
            longitude: middle(longitude, MOST_LONGITUDE),
            latitude: middle(latitude, MOST_LATITUDE),
        }
    }

    /// Returns the cell `east` columns to the east and `north` rows to the north, at most one each,
    /// wrapping around the edges of the map.
    pub(super) fn beside(self, east: i8, north: i8) -> Cell {
        let used = u64::MAX >> (64 - self.step * 2);
        let moved = |bits: u64, mine: u64, by: i8| {
            let (own, gaps) = (bits & mine, !mine & used);
            // The bits in between are set, so that the carry passes through them.
            let moved = match by {
                0 => return own,
                1.. => own.wrapping_add(gaps + 1),
                _ => (own | gaps).wrapping_sub(gaps + 1),
            };
            moved & mine & used
        };
        let bits = moved(self.bits, COLUMNS, east) | moved(self.bits, ROWS, north);
        Cell { bits, ..self }
    }
}

fn power_of_two(step: u32) -> f64 {
    f64::from(1_u32 << step)
}

/// Returns the bits with a gap after each.
fn spread(number: u32) -> u64 {
    let mut bits = u64::from(number);
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, ROWS),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Returns every second bit.
fn gather(bits: u64) -> u32 {
    let mut bits = bits & ROWS;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        bits = (bits | bits >> shift) & mask;
    }
    u32::try_from(bits).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scores of the example in the documentation of GEOADD and GEOHASH.
    #[test]
    fn scores_match_the_documentation() {
        let score = |longitude, latitude| {
            Cell::containing(Coordinates { longitude, latitude }, STEPS).score()
        };
        assert_eq!(score(13.361389, 38.115556), 3_479_099_956_230_698.0);
        assert_eq!(score(15.087269, 37.502669), 3_479_447_370_796_909.0);
    }

    #[test]
    fn gather_inverts_spread() {
        for number in [0, 1, 2, 0x8000_0000, u32::MAX, 0x1234_5678] {
            assert_eq!(gather(spread(number)), number);
            assert_eq!(gather(spread(number) << 1 >> 1), number);
        }
        assert_eq!(spread(0b1011), 0b1_00_01_01);
    }

    /// Computed by hand, on a map of four by four: columns and rows 0 to 3.
    #[test]
    fn neighbours_wrap_around_the_edges() {
        let cell = |column, row| Cell { bits: spread(row) | spread(column) << 1, step: 2 };
        for (column, row, east, north, expected) in [
            (1, 1, 1, 0, (2, 1)),
            (1, 1, -1, 0, (0, 1)),
            (1, 1, 0, 1, (1, 2)),
            (1, 1, 0, -1, (1, 0)),
            (3, 3, 1, 1, (0, 0)),
            (0, 0, -1, -1, (3, 3)),
            (2, 1, -1, 1, (1, 2)),
        ] {
            assert_eq!(cell(column, row).beside(east, north), cell(expected.0, expected.1));
        }
    }
}
