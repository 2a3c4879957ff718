//! HyperLogLogs, which are strings underneath.

use super::row::{Command, KEY, KEYS, NO_KEYS, SECOND, plain, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("PFADD",      -2, since(2, 8), KEY),
    // No write by its flag, yet it stores the count it computed in the key, and is logged then.
    write("PFCOUNT",    -2, since(2, 8), KEYS),
    // GETREG, too, converts the key to the dense encoding.
    write("PFDEBUG",     3, since(2, 8), SECOND).until(since(7, 0), -3),
    write("PFMERGE",    -2, since(2, 8), KEYS),
    plain("PFSELFTEST",  1, since(2, 8), NO_KEYS),
];
