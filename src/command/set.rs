//! Sets.

use super::row::{Command, KEY, KEYS, TWO_KEYS, counted, plain, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("SADD",        -3, since(1, 0), KEY),
    plain("SCARD",        2, since(1, 0), KEY),
    plain("SDIFF",       -2, since(1, 0), KEYS),
    write("SDIFFSTORE",  -3, since(1, 0), KEYS),
    plain("SINTER",      -2, since(1, 0), KEYS),
    plain("SINTERCARD",  -3, since(7, 0), counted(1)),
    write("SINTERSTORE", -3, since(1, 0), KEYS),
    plain("SISMEMBER",    3, since(1, 0), KEY),
    plain("SMEMBERS",     2, since(1, 0), KEY),
    plain("SMISMEMBER",  -3, since(6, 2), KEY),
    write("SMOVE",        4, since(1, 0), TWO_KEYS),
    write("SPOP",        -2, since(1, 0), KEY),
    plain("SRANDMEMBER", -2, since(1, 0), KEY),
    write("SREM",        -3, since(1, 0), KEY),
    plain("SSCAN",       -3, since(2, 8), KEY),
    plain("SUNION",      -2, since(1, 0), KEYS),
    write("SUNIONSTORE", -3, since(1, 0), KEYS),
];
