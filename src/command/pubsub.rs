//! Publish/subscribe commands. None of them changes the data set.

use super::row::{Command, NO_KEYS, Subcommand, plain, since, sub};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("PSUBSCRIBE",   -2, since(2, 0), NO_KEYS),
    plain("PUBLISH",       3, since(2, 0), NO_KEYS),
    plain("PUBSUB",       -2, since(2, 8), NO_KEYS).with(PUBSUB),
    plain("PUNSUBSCRIBE", -1, since(2, 0), NO_KEYS),
    plain("SPUBLISH",      3, since(7, 0), NO_KEYS),
    // A cluster routes shard channels by slot as if they were keys, but they are not keys.
    plain("SSUBSCRIBE",   -2, since(7, 0), NO_KEYS),
    plain("SUBSCRIBE",    -2, since(2, 0), NO_KEYS),
    plain("SUNSUBSCRIBE", -1, since(7, 0), NO_KEYS),
    plain("UNSUBSCRIBE",  -1, since(2, 0), NO_KEYS),
];

#[rustfmt::skip]
const PUBSUB: &[Subcommand] = &[
    sub("CHANNELS",      -2, since(2, 8), NO_KEYS),
    sub("HELP",           2, since(6, 2), NO_KEYS),
    sub("NUMPAT",         2, since(2, 8), NO_KEYS),
    sub("NUMSUB",        -2, since(2, 8), NO_KEYS),
    sub("SHARDCHANNELS", -2, since(7, 0), NO_KEYS),
    sub("SHARDNUMSUB",   -2, since(7, 0), NO_KEYS),
];
