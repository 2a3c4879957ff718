//! Geographic sets, which are sorted sets underneath.

use super::row::{Command, KEY, Keys, TWO_KEYS, plain, since, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Logged as ZADD.
    write("GEOADD",               -5, since(3, 2), KEY),
    plain("GEODIST",              -4, since(3, 2), KEY),
    plain("GEOHASH",              -2, since(3, 2), KEY),
    plain("GEOPOS",               -2, since(3, 2), KEY),
    // Writes with STORE or STOREDIST.
    write("GEORADIUS",            -6, since(3, 2), Keys::Geo { options: 6 }),
    write("GEORADIUSBYMEMBER",    -5, since(3, 2), Keys::Geo { options: 5 }),
    plain("GEORADIUSBYMEMBER_RO", -5, since(3, 2), KEY),
    plain("GEORADIUS_RO",         -6, since(3, 2), KEY),
    plain("GEOSEARCH",            -7, since(6, 2), KEY),
    write("GEOSEARCHSTORE",       -8, since(6, 2), TWO_KEYS),
];
