//! Streams and their consumer groups.
//!
//! | file | what it knows |
//! |---|---|
//! | `add` | XADD, XTRIM |
//! | `claim` | XCLAIM, XAUTOCLAIM |
//! | `delete` | XDEL, XDELEX, XACKDEL |
//! | `group` | XGROUP, XACK, XSETID |
//! | `id` | how ids are read |
//! | `read` | XREADGROUP |

mod add;
mod claim;
mod delete;
mod group;
mod id;
mod read;

use add::{xadd, xtrim};
use claim::{xautoclaim, xclaim};
use delete::{xackdel, xdel, xdelex};
use group::{xack, xgroup, xsetid};
use read::xreadgroup;

use crate::keyspace::stream::{Stream, StreamId};
use crate::server::{Product, Server};

use super::apply::Unapplied;
use super::row::{
    Command, KEY, Keys, NO_KEYS, SECOND, Subcommand, plain, redis_only, since, sub, write,
};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("XACK",       -4, since(5, 0),      KEY).by(xack),
    write("XACKDEL",    -6, redis_only(8, 2), KEY).by(xackdel),
    write("XADD",       -5, since(5, 0),      KEY).by(xadd),
    write("XAUTOCLAIM", -6, since(6, 2),      KEY).by(xautoclaim),
    write("XCLAIM",     -6, since(5, 0),      KEY).by(xclaim),
    write("XDEL",       -3, since(5, 0),      KEY).by(xdel),
    write("XDELEX",     -5, redis_only(8, 2), KEY).by(xdelex),
    write("XGROUP",     -2, since(5, 0),      NO_KEYS).with(XGROUP).by(xgroup),
    plain("XINFO",      -2, since(5, 0),      NO_KEYS).with(XINFO),
    plain("XLEN",        2, since(5, 0),      KEY),
    plain("XPENDING",   -3, since(5, 0),      KEY),
    plain("XRANGE",     -4, since(5, 0),      KEY),
    plain("XREAD",      -4, since(5, 0),      Keys::Streams),
    // Never logged as such: the XCLAIM, XGROUP SETID and XGROUP CREATECONSUMER it amounts to are.
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

/// What becomes of the references that consumer groups hold to an entry that goes (Redis 8.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum References {
    /// KEEPREF: nothing.
    #[default]
    Keep,
    /// DELREF: they go, too.
    Delete,
    /// ACKED: an entry to which there are any stays.
    Acknowledged,
}

impl References {
    fn of(word: &[u8]) -> Option<References> {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        if is("KEEPREF") {
            Some(References::Keep)
        } else if is("DELREF") {
            Some(References::Delete)
        } else if is("ACKED") {
            Some(References::Acknowledged)
        } else {
            None
        }
    }

    fn known(server: Server) -> bool {
        server.product == Product::Redis && server.has_redis(8, 2)
    }
}

/// Whether all groups have delivered an entry, and it was acknowledged in each.
fn is_acknowledged(stream: &Stream<'_>, id: StreamId) -> Result<bool, Unapplied> {
    if stream.is_referenced(id) {
        return Ok(false);
    }
    unclear(stream, id)?;
    Ok(true)
}

/// Refuses an entry that is not referenced, but may be taken for it.
fn unclear(stream: &Stream<'_>, id: StreamId) -> Result<(), Unapplied> {
    if stream.may_be_held_by_a_gone_group(id) {
        return Err(Unapplied::Refused(
            "whether ACKED spares an entry depends on a group that is gone",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
