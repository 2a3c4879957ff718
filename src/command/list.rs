//! Lists.

use super::row::{Command, KEY, TWO_KEYS, counted, plain, range, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("BLMOVE",      6, since(6, 2), TWO_KEYS),
    write("BLMPOP",     -5, since(7, 0), counted(2)),
    write("BLPOP",      -3, since(2, 0), range(1, -2, 1)),
    write("BRPOP",      -3, since(2, 0), range(1, -2, 1)),
    write("BRPOPLPUSH",  4, since(2, 2), TWO_KEYS),
    plain("LINDEX",      3, since(1, 0), KEY),
    write("LINSERT",     5, since(2, 2), KEY),
    plain("LLEN",        2, since(1, 0), KEY),
    write("LMOVE",       5, since(6, 2), TWO_KEYS),
    write("LMPOP",      -4, since(7, 0), counted(1)),
    // The count came with 6.2, in RPOP as well.
    write("LPOP",       -2, since(1, 0), KEY).until(since(6, 2), 2),
    // Since 6.0.6.
    plain("LPOS",       -3, since(6, 0), KEY),
    write("LPUSH",      -3, since(1, 0), KEY),
    write("LPUSHX",     -3, since(2, 2), KEY),
    plain("LRANGE",      4, since(1, 0), KEY),
    write("LREM",        4, since(1, 0), KEY),
    write("LSET",        4, since(1, 0), KEY),
    write("LTRIM",       4, since(1, 0), KEY),
    write("RPOP",       -2, since(1, 0), KEY).until(since(6, 2), 2),
    write("RPOPLPUSH",   3, since(1, 2), TWO_KEYS),
    write("RPUSH",      -3, since(1, 0), KEY),
    write("RPUSHX",     -3, since(2, 2), KEY),
];
