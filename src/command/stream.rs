//! Streams and their consumer groups.

use super::row::{
    Command, KEY, Keys, NO_KEYS, SECOND, Subcommand, plain, redis_only, since, sub, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("XACK",       -4, since(5, 0),      KEY),
    write("XACKDEL",    -6, redis_only(8, 2), KEY),
    write("XADD",       -5, since(5, 0),      KEY),
    write("XAUTOCLAIM", -6, since(6, 2),      KEY),
    write("XCLAIM",     -6, since(5, 0),      KEY),
    write("XDEL",       -3, since(5, 0),      KEY),
    write("XDELEX",     -5, redis_only(8, 2), KEY),
    write("XGROUP",     -2, since(5, 0),      NO_KEYS).with(XGROUP),
    plain("XINFO",      -2, since(5, 0),      NO_KEYS).with(XINFO),
    plain("XLEN",        2, since(5, 0),      KEY),
    plain("XPENDING",   -3, since(5, 0),      KEY),
    plain("XRANGE",     -4, since(5, 0),      KEY),
    plain("XREAD",      -4, since(5, 0),      Keys::Streams),
    // Never logged as such: the XCLAIM, XGROUP SETID and XGROUP CREATECONSUMER it amounts to are.
    write("XREADGROUP", -7, since(5, 0),      Keys::Streams),
    plain("XREVRANGE",  -4, since(5, 0),      KEY),
    // ENTRIESADDED and MAXDELETEDID came with 7.0.
    write("XSETID",     -3, since(5, 0),      KEY).until(since(7, 0), 3),
    write("XTRIM",      -4, since(5, 0),      KEY).until(since(6, 2), -2),
];

#[rustfmt::skip]
const XGROUP: &[Subcommand] = &[
    sub("CREATE",         -5, since(5, 0), SECOND).writes(),
    sub("CREATECONSUMER",  5, since(6, 2), SECOND).writes(),
    sub("DELCONSUMER",     5, since(5, 0), SECOND).writes(),
    sub("DESTROY",         4, since(5, 0), SECOND).writes(),
    sub("HELP",            2, since(5, 0), NO_KEYS),
    sub("SETID",          -5, since(5, 0), SECOND).writes(),
];

#[rustfmt::skip]
const XINFO: &[Subcommand] = &[
    sub("CONSUMERS",  4, since(5, 0), SECOND),
    sub("GROUPS",     3, since(5, 0), SECOND),
    sub("HELP",       2, since(5, 0), NO_KEYS),
    sub("STREAM",    -3, since(5, 0), SECOND),
];
