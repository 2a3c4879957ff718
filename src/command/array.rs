//! Arrays (Redis 8.8 and later), as documented.

use super::apply::{Applied, Call, Unapplied, copy_if_small};
use super::number;
use super::row::{Command, KEY, plain, redis_only, write};
use crate::keyspace::{Array, ArrayValue};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    plain("ARCOUNT",      2, redis_only(8, 8), KEY).documented(),
    write("ARDEL",       -3, redis_only(8, 8), KEY).documented().by(ardel),
    write("ARDELRANGE",  -4, redis_only(8, 8), KEY).documented().by(ardelrange),
    plain("ARGET",        3, redis_only(8, 8), KEY).documented(),
    plain("ARGETRANGE",   4, redis_only(8, 8), KEY).documented(),
    plain("ARGREP",      -6, redis_only(8, 8), KEY).documented(),
    plain("ARINFO",      -2, redis_only(8, 8), KEY).documented(),
    write("ARINSERT",    -3, redis_only(8, 8), KEY).documented().by(arinsert),
    plain("ARLASTITEMS", -3, redis_only(8, 8), KEY).documented(),
    plain("ARLEN",        2, redis_only(8, 8), KEY).documented(),
    plain("ARMGET",      -3, redis_only(8, 8), KEY).documented(),
    write("ARMSET",      -4, redis_only(8, 8), KEY).documented().by(armset),
    plain("ARNEXT",       2, redis_only(8, 8), KEY).documented(),
    plain("AROP",        -5, redis_only(8, 8), KEY).documented(),
    write("ARRING",      -4, redis_only(8, 8), KEY).documented().by(arring),
    plain("ARSCAN",      -4, redis_only(8, 8), KEY).documented(),
    write("ARSEEK",       3, redis_only(8, 8), KEY).documented().by(arseek),
    write("ARSET",       -4, redis_only(8, 8), KEY).documented().by(arset),
];

const BAD_INDEX: Unapplied = Unapplied::Failed("ERR invalid array index");
const OVERFLOW: Unapplied = Unapplied::Failed("ERR array index would overflow");
const WRONG_ARITY: Unapplied = Unapplied::Failed("ERR wrong number of arguments");
const BAD_SIZE: Unapplied = Unapplied::Failed("ERR invalid ring size");

/// The highest index. 2^64-1 means that there is none.
const HIGHEST: u64 = u64::MAX - 1;

fn index(text: &[u8]) -> Result<u64, Unapplied> {
    // Indexes may exceed the range of signed numbers.
    let digits = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    let canonical = digits && (text == b"0" || text[0] != b'0');
    let parsed = std::str::from_utf8(text).ok().filter(|_| canonical);
    let parsed = parsed.and_then(|text| text.parse().ok());
    parsed.filter(|index| *index <= HIGHEST).ok_or(BAD_INDEX)
}

fn arset(call: &mut Call<'_, '_>) -> Applied {
    let (key, values) = (call.key(), &call.args[3..]);
    let first = index(call.args[2])?;
    let last = first.checked_add(values.len() as u64 - 1).filter(|last| *last <= HIGHEST);
    let indexes = first..=last.ok_or(OVERFLOW)?;
    let arena = call.keyspace.arena();
    let array: &mut Array<'_> = call.db().find_or_make(key)?;
    for (index, value) in indexes.zip(values) {
        array.set(index, ArrayValue::Bytes(copy_if_small(arena, value)));
    }
    Ok(())
}

fn armset(call: &mut Call<'_, '_>) -> Applied {
    let (key, pairs) = (call.key(), &call.args[2..]);
    if !pairs.len().is_multiple_of(2) {
        return Err(WRONG_ARITY);
    }
    let indexes = pairs.iter().step_by(2).map(|text| index(text));
    let indexes = indexes.collect::<Result<Vec<u64>, _>>()?;
    let arena = call.keyspace.arena();
    let array: &mut Array<'_> = call.db().find_or_make(key)?;
    for (index, pair) in indexes.into_iter().zip(pairs.chunks_exact(2)) {
        array.set(index, ArrayValue::Bytes(copy_if_small(arena, pair[1])));
    }
    Ok(())
}

fn arinsert(call: &mut Call<'_, '_>) -> Applied {
    let (key, values) = (call.key(), &call.args[2..]);
    let inserted = call.db().find::<Array<'_>>(key)?.and_then(Array::insert_index);
    let first = next(inserted);
    let last = first.checked_add(values.len() as u64 - 1).filter(|last| *last <= HIGHEST);
    let last = last.ok_or(OVERFLOW)?;
    let arena = call.keyspace.arena();
    let array: &mut Array<'_> = call.db().find_or_make(key)?;
    for (index, value) in (first..=last).zip(values) {
        array.set(index, ArrayValue::Bytes(copy_if_small(arena, value)));
    }
    array.set_insert_index(Some(last));
    Ok(())
}

/// The highest index is below the highest number, so this does not overflow for a value of a log.
fn next(inserted: Option<u64>) -> u64 {
    inserted.map_or(0, |index| index.saturating_add(1))
}

fn arring(call: &mut Call<'_, '_>) -> Applied {
    let (key, values) = (call.key(), &call.args[3..]);
    let size = number::integer(call.args[2]).and_then(|size| u64::try_from(size).ok());
    let size = size.filter(|size| *size > 0).ok_or(BAD_SIZE)?;
    let existing = call.db().find::<Array<'_>>(key)?;
    if existing.and_then(Array::last_index).is_some_and(|last| last >= size) {
        return Err(Unapplied::Refused(
            "which elements remain if a ring becomes smaller is not known to this version",
        ));
    }
    let arena = call.keyspace.arena();
    let array: &mut Array<'_> = call.db().find_or_make(key)?;
    for value in values {
        let index = next(array.insert_index()) % size;
        array.set(index, ArrayValue::Bytes(copy_if_small(arena, value)));
        array.set_insert_index(Some(index));
    }
    Ok(())
}

fn arseek(call: &mut Call<'_, '_>) -> Applied {
    let (key, index) = (call.key(), index(call.args[2])?);
    if let Some(array) = call.db().find_mut::<Array<'_>>(key)? {
        array.set_insert_index(index.checked_sub(1));
    }
    Ok(())
}

/// Changes an array if it exists, and removes its key if it is empty afterwards.
fn change(call: &mut Call<'_, '_>, change: impl FnOnce(&mut Array<'_>)) -> Applied {
    let key = call.key();
    let db = call.db();
    let Some(array) = db.find_mut::<Array<'_>>(key)? else { return Ok(()) };
    change(array);
    if array.is_empty() {
        db.remove(key);
    }
    Ok(())
}

fn ardel(call: &mut Call<'_, '_>) -> Applied {
    let indexes = call.args[2..].iter().map(|text| index(text));
    let indexes = indexes.collect::<Result<Vec<u64>, _>>()?;
    change(call, |array| indexes.iter().for_each(|index| array.remove(*index)))
}

fn ardelrange(call: &mut Call<'_, '_>) -> Applied {
    let bounds = &call.args[2..];
    if !bounds.len().is_multiple_of(2) {
        return Err(WRONG_ARITY);
    }
    let bounds = bounds.iter().map(|text| index(text)).collect::<Result<Vec<u64>, _>>()?;
    change(call, |array| {
        for pair in bounds.chunks_exact(2) {
            array.remove_range(pair[0].min(pair[1]), pair[0].max(pair[1]));
        }
    })
}

#[cfg(test)]
mod tests {
    use crate::base::server::redis;
    use crate::command::apply::Unapplied;
    use crate::command::testing::{only_value, run};
    use crate::keyspace::Value;

    fn array(commands: &str) -> String {
        only_value(redis(8, 8), commands, |value| match value {
            Value::Array(array) => {
                let items = array.items().map(|(index, value)| {
                    format!("{index}={}", String::from_utf8_lossy(&value.text()))
                });
                let inserted = array.insert_index().map(|index| format!("^{index}"));
                items.chain(inserted).collect::<Vec<_>>().join(" ")
            }
            _ => "another".to_string(),
        })
    }

    /// The examples of the documentation.
    #[test]
    fn commands_have_the_documented_effects() {
        for (commands, expected) in [
            ("ARSET a 0 hello\nARSET a 2 a b c", "0=hello 2=a 3=b 4=c"),
            ("ARMSET a 0 alpha 5 beta 100 gamma", "0=alpha 5=beta 100=gamma"),
            ("ARINSERT a alpha\nARINSERT a beta gamma", "0=alpha 1=beta 2=gamma ^2"),
            ("ARINSERT a a\nARINSERT a b\nARSEEK a 10\nARINSERT a c", "0=a 1=b 10=c ^10"),
            ("ARINSERT a a b\nARSEEK a 0\nARINSERT a c", "0=c 1=b ^0"),
            ("ARRING a 3 v0 v1 v2\nARRING a 3 v3", "0=v3 1=v1 2=v2 ^0"),
            ("ARMSET a 0 a 1 b 2 c 3 d 4 e\nARDELRANGE a 3 1", "0=a 4=e"),
            ("ARSET a 0 a b c\nARDEL a 1 7", "0=a 2=c"),
            ("ARSET a 0 a b c\nARDEL a 0 1 2", ""),
            ("ARSEEK a 5", ""),
        ] {
            assert_eq!(array(commands), expected, "{commands}");
        }
    }

    #[test]
    fn a_ring_that_becomes_smaller_is_refused() {
        let ran = run(redis(8, 8), None, "ARRING a 3 a b c\nARRING a 2 d", |_| String::new());
        assert!(matches!(ran.ended[1], Err(Unapplied::Refused(_))), "{:?}", ran.ended);
    }
}
