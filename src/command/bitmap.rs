//! Bitmaps, which are strings underneath.

use super::row::{Command, KEY, plain, range, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("BITCOUNT",    -2, since(2, 6), KEY),
    write("BITFIELD",    -2, since(3, 2), KEY),
    plain("BITFIELD_RO", -2, since(6, 0), KEY),
    write("BITOP",       -4, since(2, 6), range(2, -1, 1)),
    plain("BITPOS",      -3, since(2, 8), KEY),
    plain("GETBIT",       3, since(2, 2), KEY),
    write("SETBIT",       4, since(2, 2), KEY),
];
