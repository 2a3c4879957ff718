//! ZPOPMIN, ZPOPMAX, ZMPOP, and their blocking variants (`genericZpopCommand`,
//! `zmpopGenericCommand` in `t_zset.c`).
//!
//! Blocking variants are logged under the names of the others. A loader runs them as if their
//! timeout had expired.

use crate::command::apply::{Applied, Call, Unapplied};
use crate::command::timeout;
use crate::command::zset::replace::change;
use crate::keyspace::Zset;

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Min,
    Max,
}

pub(super) fn zpopmin(call: &mut Call<'_, '_>) -> Applied {
    zpop(call, End::Min)
}

pub(super) fn zpopmax(call: &mut Call<'_, '_>) -> Applied {
    zpop(call, End::Max)
}

pub(super) fn bzpopmin(call: &mut Call<'_, '_>) -> Applied {
    bzpop(call, End::Min)
}

pub(super) fn bzpopmax(call: &mut Call<'_, '_>) -> Applied {
    bzpop(call, End::Max)
}

pub(super) fn zmpop(call: &mut Call<'_, '_>) -> Applied {
    let from = Several::read(call.args, 1)?;
    pop_first(call, from.keys, from.end, from.count)
}

pub(super) fn bzmpop(call: &mut Call<'_, '_>) -> Applied {
    let from = Several::read(call.args, 2)?;
    timeout::check(call.args[1])?;
    pop_first(call, from.keys, from.end, from.count)
}

const NOT_POSITIVE: Unapplied = Unapplied::Failed("ERR value is out of range, must be positive");

fn zpop(call: &mut Call<'_, '_>, end: End) -> Applied {
    let count = match call.args.len() {
        2 => 1,
        3 => call.int(2)?,
        _ => return Err(Unapplied::SYNTAX),
    };
    if count < 0 && call.context.server.has_redis(7, 0) {
        return Err(NOT_POSITIVE);
    }
    // Before Redis 7.0 the key is not accessed in this case.
    if count <= 0 && !call.context.server.has_redis(7, 0) {
        return Ok(());
    }
    pop_first(call, &call.args[1..2], end, count)
}

fn bzpop(call: &mut Call<'_, '_>, end: End) -> Applied {
    let last = call.args.len() - 1;
    timeout::check(call.args[last])?;
    pop_first(call, &call.args[1..last], end, 1)
}

/// Removes `count` members from the first key that exists.
fn pop_first(call: &mut Call<'_, '_>, keys: &[&[u8]], end: End, count: i64) -> Applied {
    let db = call.db();
    let Some(key) = keys.iter().find(|key| db.contains(key)) else { return Ok(()) };
    // Negative counts were refused before.
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    change(call, key, |zset: &mut Zset<'_>| {
        let ordered = zset.ordered();
        let places = match end {
            End::Min => ordered.start()..ordered.rank(count),
            End::Max => ordered.rank_from_end(count)..ordered.end(),
        };
        zset.remove_range(places);
    })
}

/// The arguments of ZMPOP from `numkeys` on.
struct Several<'c, 'a> {
    keys: &'c [&'a [u8]],
    end: End,
    count: i64,
}

impl<'c, 'a> Several<'c, 'a> {
    /// Parses the arguments, with `numkeys` at index `at`.
    fn read(args: &'c [&'a [u8]], at: usize) -> Result<Self, Unapplied> {
        let positive = |arg: &[u8], why| {
            let number = crate::command::number::integer(arg).filter(|number| *number > 0);
            number.ok_or(Unapplied::Failed(why))
        };
        let numkeys = positive(args[at], "ERR numkeys should be greater than 0")?;
        let rest = &args[at + 1..];
        let numkeys = usize::try_from(numkeys).ok().filter(|keys| *keys < rest.len());
        let (keys, options) = rest.split_at(numkeys.ok_or(Unapplied::SYNTAX)?);
        let is = |arg: &[u8], option: &str| arg.eq_ignore_ascii_case(option.as_bytes());
        let end = match options[0] {
            end if is(end, "MIN") => End::Min,
            end if is(end, "MAX") => End::Max,
            _ => return Err(Unapplied::SYNTAX),
        };
        let count = match &options[1..] {
            [] => 1,
            [option, count] if is(option, "COUNT") => {
                positive(count, "ERR count should be greater than 0")?
            }
            _ => return Err(Unapplied::SYNTAX),
        };
        Ok(Several { keys, end, count })
    }
}
