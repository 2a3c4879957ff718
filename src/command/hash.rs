//! Hashes, and the expiry of their fields.
//!
//! Redis brought field expiry in 7.4, Valkey, on its own, in 9.0.

use super::row::{Command, KEY, apart, plain, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("HDEL",         -3, since(2, 0),           KEY),
    plain("HEXISTS",       3, since(2, 0),           KEY),
    write("HEXPIRE",      -6, apart((7, 4), (9, 0)), KEY),
    write("HEXPIREAT",    -6, apart((7, 4), (9, 0)), KEY),
    plain("HEXPIRETIME",  -5, apart((7, 4), (9, 0)), KEY),
    plain("HGET",          3, since(2, 0),           KEY),
    plain("HGETALL",       2, since(2, 0),           KEY),
    write("HGETDEL",      -5, apart((8, 0), (9, 1)), KEY),
    write("HGETEX",       -5, apart((8, 0), (9, 0)), KEY),
    write("HINCRBY",       4, since(2, 0),           KEY),
    write("HINCRBYFLOAT",  4, since(2, 6),           KEY),
    plain("HKEYS",         2, since(2, 0),           KEY),
    plain("HLEN",          2, since(2, 0),           KEY),
    plain("HMGET",        -3, since(2, 0),           KEY),
    write("HMSET",        -4, since(2, 0),           KEY),
    write("HPERSIST",     -5, apart((7, 4), (9, 0)), KEY),
    write("HPEXPIRE",     -6, apart((7, 4), (9, 0)), KEY),
    write("HPEXPIREAT",   -6, apart((7, 4), (9, 0)), KEY),
    plain("HPEXPIRETIME", -5, apart((7, 4), (9, 0)), KEY),
    plain("HPTTL",        -5, apart((7, 4), (9, 0)), KEY),
    plain("HRANDFIELD",   -2, since(6, 2),           KEY),
    plain("HSCAN",        -3, since(2, 8),           KEY),
    write("HSET",         -4, since(2, 0),           KEY),
    write("HSETEX",       -6, apart((8, 0), (9, 0)), KEY),
    write("HSETNX",        4, since(2, 0),           KEY),
    plain("HSTRLEN",       3, since(3, 2),           KEY),
    plain("HTTL",         -5, apart((7, 4), (9, 0)), KEY),
    plain("HVALS",         2, since(2, 0),           KEY),
];
