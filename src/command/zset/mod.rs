//! Sorted sets.

pub(super) mod add;
pub(super) mod double;
mod pop;
mod range;
mod remove;
mod replace;
mod store;
mod transfer;

pub(super) use replace::replace;

use super::row::{
    Command, DEST_COUNTED, KEY, TWO_KEYS, counted, plain, range, redis_only, since, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    // Logged as ZMOVE.
    write("BZMOVE",            5, redis_only(8, 12), TWO_KEYS).name_only(),
    write("BZMPOP",           -5, since(7, 0), counted(2)).by(pop::bzmpop),
    write("BZPOPMAX",         -3, since(5, 0), range(1, -2, 1)).by(pop::bzpopmax),
    write("BZPOPMIN",         -3, since(5, 0), range(1, -2, 1)).by(pop::bzpopmin),
    write("ZADD",             -4, since(1, 2), KEY).by(add::zadd),
    plain("ZCARD",             2, since(1, 2), KEY),
    plain("ZCOUNT",            4, since(2, 0), KEY),
    plain("ZDIFF",            -3, since(6, 2), counted(1)),
    write("ZDIFFSTORE",       -4, since(6, 2), DEST_COUNTED).by(store::zdiffstore),
    write("ZINCRBY",           4, since(1, 2), KEY).by(add::zincrby),
    plain("ZINTER",           -3, since(6, 2), counted(1)),
    plain("ZINTERCARD",       -3, since(7, 0), counted(1)),
    write("ZINTERSTORE",      -4, since(2, 0), DEST_COUNTED).by(store::zinterstore),
    plain("ZLEXCOUNT",         4, since(2, 8), KEY),
    write("ZMOVE",             4, redis_only(8, 12), TWO_KEYS).documented().by(transfer::zmove),
    write("ZMOVEMEMBER",       4, redis_only(8, 12), TWO_KEYS).documented().by(transfer::zmovemember),
    write("ZMPOP",            -4, since(7, 0), counted(1)).by(pop::zmpop),
    plain("ZMSCORE",          -3, since(6, 2), KEY),
    write("ZPOPMAX",          -2, since(5, 0), KEY).by(pop::zpopmax),
    write("ZPOPMIN",          -2, since(5, 0), KEY).by(pop::zpopmin),
    plain("ZRANDMEMBER",      -2, since(6, 2), KEY),
    plain("ZRANGE",           -4, since(1, 2), KEY),
    plain("ZRANGEBYLEX",      -4, since(2, 8), KEY),
    plain("ZRANGEBYSCORE",    -4, since(1, 0), KEY),
    write("ZRANGESTORE",      -5, since(6, 2), TWO_KEYS).by(range::zrangestore),
    // WITHSCORE came with 7.2, in ZREVRANK as well.
    plain("ZRANK",            -3, since(2, 0), KEY).until(since(7, 2), 3),
    write("ZREM",             -3, since(1, 2), KEY).by(remove::zrem),
    write("ZREMRANGEBYLEX",    4, since(2, 8), KEY).by(remove::zremrangebylex),
    write("ZREMRANGEBYRANK",   4, since(2, 0), KEY).by(remove::zremrangebyrank),
    write("ZREMRANGEBYSCORE",  4, since(1, 2), KEY).by(remove::zremrangebyscore),
    plain("ZREVRANGE",        -4, since(1, 2), KEY),
    plain("ZREVRANGEBYLEX",   -4, since(2, 8), KEY),
    plain("ZREVRANGEBYSCORE", -4, since(2, 2), KEY),
    plain("ZREVRANK",         -3, since(2, 0), KEY).until(since(7, 2), 3),
    plain("ZSCAN",            -3, since(2, 8), KEY),
    plain("ZSCORE",            3, since(1, 2), KEY),
    plain("ZUNION",           -3, since(6, 2), counted(1)),
    write("ZUNIONSTORE",      -4, since(2, 0), DEST_COUNTED).by(store::zunionstore),
];
