//! Connection and client commands.

use super::row::{Command, NO_KEYS, Role, Subcommand, plain, since, sub, valkey_only};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // The user name came with 6.0.
    plain("AUTH",   -2, since(1, 0), NO_KEYS).until(since(6, 0), 2),
    plain("CLIENT", -2, since(2, 4), NO_KEYS).with(CLIENT),
    plain("ECHO",    2, since(1, 0), NO_KEYS),
    plain("HELLO",  -1, since(6, 0), NO_KEYS).until(since(6, 2), -2),
    plain("PING",   -1, since(1, 0), NO_KEYS),
    // Clients could always send it, but up to Redis 6.2 it was not in the command table, so a
    // loader did not know it.
    plain("QUIT",   -1, since(7, 0), NO_KEYS),
    plain("RESET",   1, since(6, 2), NO_KEYS),
    plain("SELECT",  2, since(1, 0), NO_KEYS).role(Role::Select),
];

#[rustfmt::skip]
const CLIENT: &[Subcommand] = &[
    sub("CACHING",        3, since(6, 0),       NO_KEYS),
    sub("CAPA",          -3, valkey_only(8, 0), NO_KEYS),
    sub("GETNAME",        2, since(2, 6),       NO_KEYS),
    sub("GETREDIR",       2, since(6, 0),       NO_KEYS),
    sub("HELP",           2, since(5, 0),       NO_KEYS),
    sub("ID",             2, since(5, 0),       NO_KEYS),
    sub("IMPORT-SOURCE",  3, valkey_only(8, 1), NO_KEYS),
    sub("INFO",           2, since(6, 2),       NO_KEYS),
    sub("KILL",          -3, since(2, 4),       NO_KEYS),
    sub("LIST",          -2, since(2, 4),       NO_KEYS),
    sub("NO-EVICT",       3, since(7, 0),       NO_KEYS),
    sub("NO-TOUCH",       3, since(7, 2),       NO_KEYS),
    sub("PAUSE",         -3, since(3, 0),       NO_KEYS),
    sub("REPLY",          3, since(3, 2),       NO_KEYS),
    sub("SETINFO",        4, since(7, 2),       NO_KEYS),
    sub("SETNAME",        3, since(2, 6),       NO_KEYS),
    sub("TRACKING",      -3, since(6, 0),       NO_KEYS),
    sub("TRACKINGINFO",   2, since(6, 2),       NO_KEYS),
    sub("UNBLOCK",       -3, since(5, 0),       NO_KEYS),
    sub("UNPAUSE",        2, since(6, 2),       NO_KEYS),
];
