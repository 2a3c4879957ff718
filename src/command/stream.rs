//! Streams and their consumer groups.
//!
//! | file | content |
//! |---|---|
//! | `add` | XADD, XTRIM |
//! | `claim` | XCLAIM, XAUTOCLAIM |
//! | `delete` | XDEL, XDELEX, XACKDEL |
//! | `group` | XGROUP, XACK, XSETID |
//! | `id` | parsing of ids |
//! | `idmp` | IDMP and IDMPAUTO of XADD, XCFGSET, XIDMPRECORD |
//! | `nack` | XNACK |
//! | `read` | XREADGROUP |

mod add;
mod claim;
mod delete;
mod group;
mod id;
mod idmp;
mod nack;
mod read;

use add::{xadd, xtrim};
use claim::{xautoclaim, xclaim};
use delete::{xackdel, xdel, xdelex};
use group::{xack, xgroup, xsetid};
use idmp::{xcfgset, xidmprecord};
use nack::xnack;
use read::xreadgroup;

use super::row::{
    Command, KEY, Keys, NO_KEYS, SECOND, Subcommand, plain, redis_only, since, sub, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("XACK",       -4, since(5, 0),      KEY).by(xack),
    write("XACKDEL",    -6, redis_only(8, 2), KEY).by(xackdel),
    write("XADD",       -5, since(5, 0),      KEY).by(xadd),
    write("XAUTOCLAIM", -6, since(6, 2),      KEY).by(xautoclaim),
    write("XCFGSET",    -2, redis_only(8, 6), KEY).by(xcfgset),
    write("XCLAIM",     -6, since(5, 0),      KEY).by(xclaim),
    write("XDEL",       -3, since(5, 0),      KEY).by(xdel),
    write("XDELEX",     -5, redis_only(8, 2), KEY).by(xdelex),
    write("XGROUP",     -2, since(5, 0),      NO_KEYS).with(XGROUP).by(xgroup),
    write("XIDMPRECORD", 5, redis_only(8, 6), KEY).by(xidmprecord),
    plain("XINFO",      -2, since(5, 0),      NO_KEYS).with(XINFO),
    plain("XLEN",        2, since(5, 0),      KEY),
    write("XNACK",      -7, redis_only(8, 8), KEY).documented().by(xnack),
    plain("XPENDING",   -3, since(5, 0),      KEY),
    plain("XRANGE",     -4, since(5, 0),      KEY),
    plain("XREAD",      -4, since(5, 0),      Keys::Streams),
    // Never logged under this name: the equivalent XCLAIM, XGROUP SETID and XGROUP CREATECONSUMER
    // are logged.
    write("XREADGROUP", -7, since(5, 0),      Keys::Streams).by(xreadgroup),
    plain("XREVRANGE",  -4, since(5, 0),      KEY),
    // ENTRIESADDED and MAXDELETEDID came with 7.0.
    write("XSETID",     -3, since(5, 0),      KEY).until(since(7, 0), 3).by(xsetid),
    write("XTRIM",      -4, since(5, 0),      KEY).until(since(6, 2), -2).by(xtrim),
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

mod references;
#[cfg(test)]
mod tests;
