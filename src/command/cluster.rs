//! The cluster and its slots.

use super::row::{Command, NO_KEYS, Subcommand, apart, plain, since, sub, valkey_only, write};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("ASKING",       1, since(3, 0),       NO_KEYS),
    write("CLUSTER",     -2, since(3, 0),       NO_KEYS).with(CLUSTER),
    plain("CLUSTERSCAN", -2, valkey_only(9, 1), NO_KEYS),
    plain("READONLY",     1, since(3, 0),       NO_KEYS),
    plain("READWRITE",    1, since(3, 0),       NO_KEYS),
];

#[rustfmt::skip]
const CLUSTER: &[Subcommand] = &[
    sub("ADDSLOTS",              -3, since(3, 0),           NO_KEYS),
    sub("ADDSLOTSRANGE",         -4, since(7, 0),           NO_KEYS),
    sub("BUMPEPOCH",              2, since(3, 0),           NO_KEYS),
    sub("CANCELSLOTMIGRATIONS",   2, valkey_only(9, 0),     NO_KEYS),
    sub("COUNT-FAILURE-REPORTS",  3, since(3, 0),           NO_KEYS),
    sub("COUNTKEYSINSLOT",        3, since(3, 0),           NO_KEYS),
    sub("DELSLOTS",              -3, since(3, 0),           NO_KEYS),
    sub("DELSLOTSRANGE",         -4, since(7, 0),           NO_KEYS),
    sub("FAILOVER",              -2, since(3, 0),           NO_KEYS),
    sub("FLUSHSLOT",             -3, valkey_only(9, 0),     NO_KEYS).writes(),
    sub("FLUSHSLOTS",             2, since(3, 0),           NO_KEYS),
    sub("FORGET",                 3, since(3, 0),           NO_KEYS),
    sub("GETKEYSINSLOT",          4, since(3, 0),           NO_KEYS),
    sub("GETSLOTMIGRATIONS",      2, valkey_only(9, 0),     NO_KEYS),
    sub("HELP",                   2, since(5, 0),           NO_KEYS),
    sub("INFO",                   2, since(3, 0),           NO_KEYS),
    sub("KEYSLOT",                3, since(3, 0),           NO_KEYS),
    sub("LINKS",                  2, since(7, 0),           NO_KEYS),
    sub("MEET",                  -4, since(3, 0),           NO_KEYS),
    sub("MIGRATESLOTS",          -4, valkey_only(9, 0),     NO_KEYS),
    sub("MYID",                   2, since(3, 0),           NO_KEYS),
    sub("MYSHARDID",              2, since(7, 2),           NO_KEYS),
    sub("NODES",                  2, since(3, 0),           NO_KEYS),
    sub("REPLICAS",               3, since(5, 0),           NO_KEYS),
    // `NO ONE` came with Valkey 9.0.
    sub("REPLICATE",             -3, since(3, 0),           NO_KEYS).until(valkey_only(9, 0), 3),
    sub("RESET",                 -2, since(3, 0),           NO_KEYS),
    sub("SAVECONFIG",             2, since(3, 0),           NO_KEYS),
    sub("SET-CONFIG-EPOCH",       3, since(3, 0),           NO_KEYS),
    sub("SETSLOT",               -4, since(3, 0),           NO_KEYS),
    sub("SHARDS",                 2, since(7, 0),           NO_KEYS),
    sub("SLAVES",                 3, since(3, 0),           NO_KEYS),
    sub("SLOT-STATS",            -4, apart((8, 2), (8, 0)), NO_KEYS),
    sub("SLOTS",                  2, since(3, 0),           NO_KEYS),
    // No write by its flag; yet a log that ends an import without success drops the keys it
    // brought.
    sub("SYNCSLOTS",             -3, valkey_only(9, 0),     NO_KEYS).writes(),
];
