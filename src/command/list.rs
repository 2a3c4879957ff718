//! Lists.

use super::apply::{Applied, Call, Unapplied, copy_if_small};
use super::row::{Command, KEY, TWO_KEYS, counted, plain, range, redis_only, since, write};
use super::timeout;
use crate::keyspace::{End, List};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("BLMOVE",      6, since(6, 2), TWO_KEYS).by(blmove),
    write("BLMOVEM",    -6, redis_only(8, 10), TWO_KEYS).documented().by(blmovem),
    write("BLMPOP",     -5, since(7, 0), counted(2)).by(blmpop),
    write("BLPOP",      -3, since(2, 0), range(1, -2, 1)).by(blpop),
    write("BRPOP",      -3, since(2, 0), range(1, -2, 1)).by(brpop),
    write("BRPOPLPUSH",  4, since(2, 2), TWO_KEYS).by(brpoplpush),
    plain("LINDEX",      3, since(1, 0), KEY),
    write("LINSERT",     5, since(2, 2), KEY).by(linsert),
    plain("LLEN",        2, since(1, 0), KEY),
    write("LMOVE",       5, since(6, 2), TWO_KEYS).by(lmove),
    write("LMOVEM",     -5, redis_only(8, 10), TWO_KEYS).documented().by(lmovem),
    write("LMPOP",      -4, since(7, 0), counted(1)).by(lmpop),
    // The count came with 6.2, in RPOP as well.
    write("LPOP",       -2, since(1, 0), KEY).until(since(6, 2), 2).by(lpop),
    // Since 6.0.6.
    plain("LPOS",       -3, since(6, 0), KEY),
    write("LPUSH",      -3, since(1, 0), KEY).by(lpush),
    write("LPUSHX",     -3, since(2, 2), KEY).by(lpushx),
    plain("LRANGE",      4, since(1, 0), KEY),
    write("LREM",        4, since(1, 0), KEY).by(lrem),
    write("LSET",        4, since(1, 0), KEY).by(lset),
    write("LTRIM",       4, since(1, 0), KEY).by(ltrim),
    write("RPOP",       -2, since(1, 0), KEY).until(since(6, 2), 2).by(rpop),
    write("RPOPLPUSH",   3, since(1, 2), TWO_KEYS).by(rpoplpush),
    write("RPUSH",      -3, since(1, 0), KEY).by(rpush),
    write("RPUSHX",     -3, since(2, 2), KEY).by(rpushx),
];

fn lpush(call: &mut Call<'_, '_>) -> Applied {
    push(call, End::Head)
}

fn rpush(call: &mut Call<'_, '_>) -> Applied {
    push(call, End::Tail)
}

#[inline]
fn push(call: &mut Call<'_, '_>, end: End) -> Applied {
    let (key, elements) = (call.key(), &call.args[2..]);
    let arena = call.keyspace.arena();
    let list: &mut List<'_> = call.db().find_or_make(key)?;
    elements.iter().for_each(|element| list.push(end, copy_if_small(arena, element)));
    Ok(())
}

fn lpushx(call: &mut Call<'_, '_>) -> Applied {
    push_if_there(call, End::Head)
}

fn rpushx(call: &mut Call<'_, '_>) -> Applied {
    push_if_there(call, End::Tail)
}

fn push_if_there(call: &mut Call<'_, '_>, end: End) -> Applied {
    let (key, elements) = (call.key(), &call.args[2..]);
    if let Some(list) = call.db().find_mut::<List<'_>>(key)? {
        elements.iter().for_each(|element| list.push(end, element));
    }
    Ok(())
}

/// Changes the list of a key if it exists, and removes it if it is empty afterwards.
#[inline]
fn change<'a>(
    call: &mut Call<'_, 'a>,
    key: &[u8],
    change: impl FnOnce(&mut List<'a>) -> Applied,
) -> Applied {
    let db = call.db();
    let Some(list) = db.find_mut::<List<'a>>(key)? else { return Ok(()) };
    let changed = change(list);
    if list.is_empty() {
        db.remove(key);
    }
    changed
}

fn lpop(call: &mut Call<'_, '_>) -> Applied {
    pop(call, End::Head)
}

fn rpop(call: &mut Call<'_, '_>) -> Applied {
    pop(call, End::Tail)
}

#[inline]
fn pop(call: &mut Call<'_, '_>, end: End) -> Applied {
    let count = match call.args.len() {
        2 => 1,
        3 => count_from(call, 2, 0)?,
        _ => return Err(Unapplied::Failed("ERR wrong number of arguments")),
    };
    // Up to Redis 6.2.5 the key is not accessed if the count is 0.
    if count == 0 && !call.context.server.has_redis(7, 0) {
        return Ok(());
    }
    change(call, call.key(), |list| {
        list.drop_some(end, count);
        Ok(())
    })
}

/// Parses the count at argument `at`, which is at least `least`. Counts that exceed the address
/// space are reduced to its size.
fn count_from(call: &Call<'_, '_>, at: usize, least: i64) -> Result<usize, Unapplied> {
    match call.int(at) {
        Ok(count) if count >= least => Ok(usize::try_from(count).unwrap_or(usize::MAX)),
        _ => Err(Unapplied::Failed("ERR value is out of range, must be positive")),
    }
}

fn blpop(call: &mut Call<'_, '_>) -> Applied {
    blocking_pop(call, End::Head)
}

fn brpop(call: &mut Call<'_, '_>) -> Applied {
    blocking_pop(call, End::Tail)
}

fn blocking_pop(call: &mut Call<'_, '_>, end: End) -> Applied {
    let last = call.args.len() - 1;
    timeout::check(call.args[last])?;
    pop_first(call, 1..last, end, 1)
}

/// Removes elements from the first of the keys that exists.
fn pop_first(
    call: &mut Call<'_, '_>,
    keys: std::ops::Range<usize>,
    end: End,
    count: usize,
) -> Applied {
    let keys = &call.args[keys];
    for key in keys {
        if call.db().find::<List<'_>>(key)?.is_some() {
            return change(call, key, |list| {
                list.drop_some(end, count);
                Ok(())
            });
        }
    }
    Ok(())
}

fn lmpop(call: &mut Call<'_, '_>) -> Applied {
    pop_many(call, 1, false)
}

fn blmpop(call: &mut Call<'_, '_>) -> Applied {
    pop_many(call, 2, true)
}

/// Parses the number of keys at argument `at`, the keys, the end, and optionally COUNT with the
/// number of elements to remove.
fn pop_many(call: &mut Call<'_, '_>, at: usize, blocking: bool) -> Applied {
    let keys = call.int(at).ok().filter(|count| *count > 0);
    let keys = keys.ok_or(Unapplied::Failed("ERR numkeys should be greater than 0"))?;
    let end_at = usize::try_from(keys).ok().and_then(|keys| keys.checked_add(at + 1));
    let end_at = end_at.filter(|end_at| *end_at < call.args.len()).ok_or(Unapplied::SYNTAX)?;
    let end = end_from(call, end_at)?;
    let mut count = None;
    let mut option = end_at + 1;
    while option < call.args.len() {
        if count.is_some() || !call.is(option, "COUNT") || option + 1 == call.args.len() {
            return Err(Unapplied::SYNTAX);
        }
        count = Some(count_from(call, option + 1, 1)?);
        option += 2;
    }
    if blocking {
        timeout::check(call.args[1])?;
    }
    pop_first(call, at + 1..end_at, end, count.unwrap_or(1))
}

/// Parses LEFT or RIGHT.
fn end_from(call: &Call<'_, '_>, at: usize) -> Result<End, Unapplied> {
    if call.is(at, "LEFT") {
        Ok(End::Head)
    } else if call.is(at, "RIGHT") {
        Ok(End::Tail)
    } else {
        Err(Unapplied::SYNTAX)
    }
}

fn rpoplpush(call: &mut Call<'_, '_>) -> Applied {
    shift(call, End::Tail, End::Head)
}

fn brpoplpush(call: &mut Call<'_, '_>) -> Applied {
    timeout::check(call.args[3])?;
    shift(call, End::Tail, End::Head)
}

fn lmove(call: &mut Call<'_, '_>) -> Applied {
    let (from, to) = (end_from(call, 3)?, end_from(call, 4)?);
    shift(call, from, to)
}

fn blmove(call: &mut Call<'_, '_>) -> Applied {
    let (from, to) = (end_from(call, 3)?, end_from(call, 4)?);
    timeout::check(call.args[5])?;
    shift(call, from, to)
}

/// Moves an element from one list to another, or within one list.
fn shift(call: &mut Call<'_, '_>, from: End, to: End) -> Applied {
    let (source, destination) = (call.key(), call.args[2]);
    if source == destination {
        return change(call, source, |list| {
            if let Some(element) = list.pop(from) {
                list.push(to, element);
            }
            Ok(())
        });
    }
    let db = call.db();
    let Some(list) = db.find::<List<'_>>(source)? else { return Ok(()) };
    let Some(element) = list.peek(from) else { return Ok(()) };
    db.find_or_make::<List<'_>>(destination)?.push(to, element);
    change(call, source, |list| {
        list.pop(from);
        Ok(())
    })
}

fn lmovem(call: &mut Call<'_, '_>) -> Applied {
    move_many(call, 5)
}

fn blmovem(call: &mut Call<'_, '_>) -> Applied {
    timeout::check(call.args[5])?;
    move_many(call, 6)
}

/// Moves elements from one list to another, or within one list. The options begin at argument
/// `options`: `COUNT|EXACTLY count OBO|BULK`, or none for a single element.
fn move_many(call: &mut Call<'_, '_>, options: usize) -> Applied {
    let (from, to) = (end_from(call, 3)?, end_from(call, 4)?);
    let (count, exactly, one_by_one) = match call.args.len() - options {
        0 => (1, false, false),
        3 => {
            let exactly = call.is(options, "EXACTLY");
            let one_by_one = call.is(options + 2, "OBO");
            if !exactly && !call.is(options, "COUNT")
                || !one_by_one && !call.is(options + 2, "BULK")
            {
                return Err(Unapplied::SYNTAX);
            }
            (count_from(call, options + 1, 1)?, exactly, one_by_one)
        }
        _ => return Err(Unapplied::SYNTAX),
    };
    let (source, destination) = (call.key(), call.args[2]);
    let db = call.db();
    let Some(list) = db.find::<List<'_>>(source)? else { return Ok(()) };
    if exactly && list.len() < count {
        return Ok(());
    }
    if source != destination {
        db.find::<List<'_>>(destination)?;
    }
    let Some(list) = db.find_mut::<List<'_>>(source)? else { return Ok(()) };
    let mut moved: Vec<&[u8]> = std::iter::from_fn(|| list.pop(from)).take(count).collect();
    let emptied = list.is_empty();
    // In the order in which they are pushed: one by one, or so that their order is preserved.
    if !one_by_one && from == to {
        moved.reverse();
    }
    let list: &mut List<'_> = db.find_or_make(destination)?;
    moved.into_iter().for_each(|element| list.push(to, element));
    if emptied && source != destination {
        db.remove(source);
    }
    Ok(())
}

fn linsert(call: &mut Call<'_, '_>) -> Applied {
    let after = if call.is(2, "AFTER") {
        1
    } else if call.is(2, "BEFORE") {
        0
    } else {
        return Err(Unapplied::SYNTAX);
    };
    let (pivot, element) = (call.args[3], call.args[4]);
    change(call, call.key(), |list| {
        if let Some(place) = list.elements.iter().position(|other| *other == pivot) {
            list.elements.insert(place + after, element);
        }
        Ok(())
    })
}

fn lrem(call: &mut Call<'_, '_>) -> Applied {
    let (count, element) = (call.int(2)?, call.args[3]);
    // Redis up to 7.2 accepts the lowest number. *Observed* on 7.0 (does) and 8.2, Valkey 9.1 (do
    // not).
    let server = call.context.server;
    if count == i64::MIN && (server.has_redis(7, 4) || server.has_valkey(8, 0)) {
        return Err(Unapplied::Failed("ERR value is out of range"));
    }
    let end = if count < 0 { End::Tail } else { End::Head };
    let limit = match count.unsigned_abs() {
        0 => usize::MAX,
        count => usize::try_from(count).unwrap_or(usize::MAX),
    };
    change(call, call.key(), |list| {
        list.drop_same(end, element, limit);
        Ok(())
    })
}

fn lset(call: &mut Call<'_, '_>) -> Applied {
    let (key, index, element) = (call.key(), call.int(2), call.args[3]);
    let cuts_index = call.context.server.has_redis(7, 2);
    let list = call.db().find_mut::<List<'_>>(key)?.ok_or(Unapplied::NO_SUCH_KEY)?;
    let mut index = index?;
    // Since Redis 7.2 a server uses only the lower 32 bits. *Observed* on 8.2 and Valkey 9.1.
    if cuts_index {
        index = index << 32 >> 32;
    }
    let distance = usize::try_from(index.unsigned_abs()).ok();
    let place = match index {
        0.. => distance,
        _ => distance.and_then(|distance| list.len().checked_sub(distance)),
    };
    let place = place.and_then(|place| list.elements.get_mut(place));
    *place.ok_or(Unapplied::OUT_OF_RANGE)? = element;
    Ok(())
}

fn ltrim(call: &mut Call<'_, '_>) -> Applied {
    let (first, last) = (call.int(2)?, call.int(3)?);
    change(call, call.key(), |list| {
        let len = i64::try_from(list.len()).expect("fewer than 2^63 elements");
        let from_head = |index: i64| if index < 0 { len + index } else { index };
        let (first, last) = (from_head(first).max(0), from_head(last).min(len - 1));
        if first > last {
            list.elements.clear();
        } else {
            // Both are below the length.
            let count = |count: i64| usize::try_from(count).expect("within the list");
            list.drop_some(End::Tail, count(len - 1 - last));
            list.drop_some(End::Head, count(first));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::base::server::redis;
    use crate::command::testing::run;
    use crate::keyspace::Value;

    /// The examples of the documentation, and its rule that BULK preserves the order.
    #[test]
    fn several_elements_are_moved_as_documented() {
        for (arguments, expected) in [
            ("a b LEFT LEFT COUNT 2 OBO", "a=3,4 b=2,1,x"),
            ("a b LEFT LEFT COUNT 2 BULK", "a=3,4 b=1,2,x"),
            ("a b LEFT RIGHT COUNT 2 OBO", "a=3,4 b=x,1,2"),
            ("a b LEFT RIGHT COUNT 2 BULK", "a=3,4 b=x,1,2"),
            ("a b RIGHT LEFT COUNT 2 BULK", "a=1,2 b=3,4,x"),
            ("a b RIGHT RIGHT COUNT 2 BULK", "a=1,2 b=x,3,4"),
            ("a b RIGHT RIGHT COUNT 2 OBO", "a=1,2 b=x,4,3"),
            ("a b LEFT LEFT EXACTLY 5 BULK", "a=1,2,3,4 b=x"),
            ("a b LEFT LEFT COUNT 9 BULK", "b=1,2,3,4,x"),
            ("a b LEFT LEFT", "a=2,3,4 b=1,x"),
            ("a a LEFT LEFT EXACTLY 2 OBO", "a=2,1,3,4 b=x"),
            ("a a LEFT LEFT EXACTLY 4 BULK", "a=1,2,3,4 b=x"),
        ] {
            let commands = format!("RPUSH a 1 2 3 4\nRPUSH b x\nLMOVEM {arguments}");
            let ran = run(redis(8, 10), None, &commands, |value| match value {
                Value::List(list) => {
                    let elements = list.elements.iter().map(|text| String::from_utf8_lossy(text));
                    elements.collect::<Vec<_>>().join(",")
                }
                _ => "another".to_string(),
            });
            assert!(ran.ended.iter().all(Result::is_ok), "{arguments}: {:?}", ran.ended);
            let lists = ran.keys.iter().map(|(key, value)| format!("{key}={value}"));
            assert_eq!(lists.collect::<Vec<_>>().join(" "), expected, "{arguments}");
        }
    }
}
