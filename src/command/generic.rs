//! Keys, whatever they hold.

use super::row::{
    Command, KEY, KEYS, Keys, NO_KEYS, SECOND, Subcommand, TWO_KEYS, plain, since, sub, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("COPY",        -3, since(6, 2), TWO_KEYS),
    write("DEL",         -2, since(1, 0), KEYS).splits(),
    plain("DUMP",         2, since(2, 6), KEY),
    plain("EXISTS",      -2, since(1, 0), KEYS),
    // The conditions NX, XX, GT and LT came with 7.0, here and in the three like it.
    write("EXPIRE",      -3, since(1, 0), KEY).until(since(7, 0), 3),
    write("EXPIREAT",    -3, since(1, 2), KEY).until(since(7, 0), 3),
    plain("EXPIRETIME",   2, since(7, 0), KEY),
    plain("KEYS",         2, since(1, 0), NO_KEYS),
    // Logged as DEL on the side that gives the keys away.
    write("MIGRATE",     -6, since(2, 6), Keys::Migrate),
    write("MOVE",         3, since(1, 0), KEY),
    plain("OBJECT",      -2, since(2, 2), NO_KEYS).with(OBJECT),
    write("PERSIST",      2, since(2, 2), KEY),
    write("PEXPIRE",     -3, since(2, 6), KEY).until(since(7, 0), 3),
    write("PEXPIREAT",   -3, since(2, 6), KEY).until(since(7, 0), 3),
    plain("PEXPIRETIME",  2, since(7, 0), KEY),
    plain("PTTL",         2, since(2, 6), KEY),
    plain("RANDOMKEY",    1, since(1, 0), NO_KEYS),
    write("RENAME",       3, since(1, 0), TWO_KEYS),
    write("RENAMENX",     3, since(1, 0), TWO_KEYS),
    write("RESTORE",     -4, since(2, 6), KEY),
    plain("SCAN",        -2, since(2, 8), NO_KEYS),
    // Writes with STORE. BY and GET read keys by pattern, which no key position can name.
    write("SORT",        -2, since(1, 0), Keys::Sort),
    plain("SORT_RO",     -2, since(7, 0), KEY),
    // Redis 4.0 and 5.0 reported the first key alone.
    plain("TOUCH",       -2, since(3, 2), KEYS),
    plain("TTL",          2, since(1, 0), KEY),
    plain("TYPE",         2, since(1, 0), KEY),
    write("UNLINK",      -2, since(4, 0), KEYS).splits(),
    plain("WAIT",         3, since(3, 0), NO_KEYS),
    plain("WAITAOF",      4, since(7, 2), NO_KEYS),
];

#[rustfmt::skip]
const OBJECT: &[Subcommand] = &[
    sub("ENCODING",  3, since(2, 2), SECOND),
    sub("FREQ",      3, since(4, 0), SECOND),
    sub("HELP",      2, since(6, 2), NO_KEYS),
    sub("IDLETIME",  3, since(2, 2), SECOND),
    sub("REFCOUNT",  3, since(2, 2), SECOND),
];
