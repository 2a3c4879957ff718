//! Scripts and functions.

use super::row::{Command, NO_KEYS, Subcommand, counted, plain, since, sub, valkey_only, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // What it changes is up to the script. Logged verbatim up to Redis 6.2, never since 7.0.
    write("EVAL",       -3, since(2, 6), counted(2)),
    write("EVALSHA",    -3, since(2, 6), counted(2)),
    plain("EVALSHA_RO", -3, since(7, 0), counted(2)),
    plain("EVAL_RO",    -3, since(7, 0), counted(2)),
    // What it changes is up to the function; logged as the effects alone.
    write("FCALL",      -3, since(7, 0), counted(2)),
    plain("FCALL_RO",   -3, since(7, 0), counted(2)),
    write("FUNCTION",   -2, since(7, 0), NO_KEYS).with(FUNCTION),
    plain("SCRIPT",     -2, since(2, 6), NO_KEYS).with(SCRIPT),
];

#[rustfmt::skip]
const FUNCTION: &[Subcommand] = &[
    sub("DELETE",   3, since(7, 0), NO_KEYS).writes(),
    sub("DUMP",     2, since(7, 0), NO_KEYS),
    sub("FLUSH",   -2, since(7, 0), NO_KEYS).writes(),
    sub("HELP",     2, since(7, 0), NO_KEYS),
    sub("KILL",     2, since(7, 0), NO_KEYS),
    sub("LIST",    -2, since(7, 0), NO_KEYS),
    sub("LOAD",    -3, since(7, 0), NO_KEYS).writes(),
    sub("RESTORE", -3, since(7, 0), NO_KEYS).writes(),
    sub("STATS",    2, since(7, 0), NO_KEYS),
];

#[rustfmt::skip]
const SCRIPT: &[Subcommand] = &[
    // The name of an engine came with Valkey 9.1.
    sub("DEBUG",  -3, since(3, 2),       NO_KEYS).until(valkey_only(9, 1), 3),
    sub("EXISTS", -3, since(2, 6),       NO_KEYS),
    sub("FLUSH",  -2, since(2, 6),       NO_KEYS),
    sub("HELP",    2, since(5, 0),       NO_KEYS),
    sub("KILL",    2, since(2, 6),       NO_KEYS),
    sub("LOAD",    3, since(2, 6),       NO_KEYS),
    sub("SHOW",    3, valkey_only(8, 0), NO_KEYS),
];
