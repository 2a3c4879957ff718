//! Strings, and the counters stored in them.
//!
//! | file | content |
//! |---|---|
//! | `set` | SET and its variants, such as SETEX; their options and times |
//! | `counter` | INCR and similar commands |
//! | `increx` | INCREX |
//! | `long_double` | the floating point of INCRBYFLOAT |

mod counter;
mod increx;
pub(super) mod long_double;
mod set;

use super::apply::{Applied, Call, Unapplied};
use super::row::{
    COUNTED_PAIRS, Command, Destruction, KEY, KEYS, Keys, TWO_KEYS, apart, between, plain, range,
    redis_only, since, valkey_only, write,
};
use crate::keyspace::{StringValue, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("APPEND",       3, since(2, 0),             KEY).by(append),
    write("DECR",         2, since(1, 0),             KEY).by(counter::decr),
    write("DECRBY",       3, since(1, 0),             KEY).by(counter::decrby),
    write("DELEX",       -2, apart((8, 4), (9, 2)),   KEY).by(set::delex),
    write("DELIFEQ",      3, valkey_only(9, 0),       KEY).by(delifeq),
    plain("DIGEST",       2, redis_only(8, 4),        KEY),
    plain("GET",          2, since(1, 0),             KEY),
    write("GETDEL",       2, since(6, 2),             KEY).by(getdel).destroys(Destruction::ReturnedKey),
    write("GETEX",       -2, since(6, 2),             KEY).by(set::getex),
    plain("GETRANGE",     4, since(2, 4),             KEY),
    write("GETSET",       3, since(1, 0),             KEY).by(set::getset),
    write("INCR",         2, since(1, 0),             KEY).by(counter::incr),
    write("INCRBY",       3, since(1, 0),             KEY).by(counter::incrby),
    write("INCRBYFLOAT",  3, since(2, 6),             KEY).by(counter::incrbyfloat),
    write("INCREX",      -2, apart((8, 8), (9, 2)),   KEY).documented().by(increx::increx),
    plain("LCS",         -3, since(7, 0),             TWO_KEYS),
    plain("MGET",        -2, since(1, 0),             KEYS),
    write("MSET",        -3, since(1, 0),             range(1, -1, 2)).splits().by(set::mset),
    write("MSETEX",      -4, apart((8, 4), (9, 1)),   COUNTED_PAIRS).by(set::msetex),
    write("MSETNX",      -3, since(1, 0),             range(1, -1, 2)).by(set::msetnx),
    write("PSETEX",       4, since(2, 6),             KEY).by(set::psetex).relative_time(),
    write("SET",         -3, since(1, 0),             KEY).by(set::set).relative_time(),
    write("SETEX",        4, since(2, 0),             KEY).by(set::setex).relative_time(),
    write("SETNX",        3, since(1, 0),             KEY).by(set::setnx),
    write("SETRANGE",     4, since(2, 2),             KEY).by(setrange),
    // Replaced by LCS in Redis 7.0.
    plain("STRALGO",     -2, between((6, 0), (7, 0)), Keys::Stralgo),
    plain("STRLEN",       2, since(2, 2),             KEY),
    // The old name of GETRANGE.
    plain("SUBSTR",       4, since(1, 0),             KEY),
];

/// Maximum length in bytes of a string on a server with default configuration:
/// `proto-max-bulk-len`.
pub(super) const LONGEST: u64 = 512 << 20;

/// Returns the result of a command that would create a string longer than [`LONGEST`] from few
/// arguments. The loader enforces the limit up to Redis 6.2 (`t_string.c`, `checkStringLength`);
/// later ones execute the log whatever it contains.
fn too_long(call: &Call<'_, '_>) -> Unapplied {
    if call.context.server.has_redis(7, 0) {
        Unapplied::Refused("it makes a string longer than 512 MB")
    } else {
        Unapplied::Failed("ERR string exceeds maximum allowed size (proto-max-bulk-len)")
    }
}

fn append(call: &mut Call<'_, '_>) -> Applied {
    let (key, more) = (call.key(), call.args[2]);
    let obeyed = call.context.server.has_redis(7, 0);
    let (entry, new) = call.db().entry(key, || Value::String(StringValue::Borrowed(more)));
    if new {
        return Ok(());
    }
    let Value::String(value) = &mut entry.value else {
        return Err(Unapplied::WRONG_TYPE);
    };
    if !obeyed && (value.len() + more.len()) as u64 > LONGEST {
        return Err(too_long(call));
    }
    value.append(more);
    Ok(())
}

fn setrange(call: &mut Call<'_, '_>) -> Applied {
    let (key, bytes) = (call.key(), call.args[3]);
    let Ok(start) = u64::try_from(call.int(2)?) else {
        return Err(Unapplied::Failed("ERR offset is out of range"));
    };
    if bytes.is_empty() {
        // Nothing is created or changed, but the type is checked.
        call.db().find::<StringValue<'_>>(key)?;
        return Ok(());
    }
    let end = start.saturating_add(bytes.len() as u64);
    let (start, end) = match (usize::try_from(start), usize::try_from(end)) {
        (Ok(start), Ok(to)) if end <= LONGEST => (start, to),
        _ => {
            call.db().find::<StringValue<'_>>(key)?;
            return Err(too_long(call));
        }
    };
    let value: &mut StringValue<'_> = call.db().find_or_make(key)?;
    value.grown_to(end)[start..end].copy_from_slice(bytes);
    Ok(())
}

fn getdel(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    if call.db().find::<StringValue<'_>>(key)?.is_some() {
        call.db().remove(key);
    }
    Ok(())
}

fn delifeq(call: &mut Call<'_, '_>) -> Applied {
    let (key, expected) = (call.key(), call.args[2]);
    let found: Option<&StringValue<'_>> = call.db().find(key)?;
    if found.is_some_and(|value| value.with(|bytes| bytes == expected)) {
        call.db().remove(key);
    }
    Ok(())
}

mod integer;
#[cfg(test)]
pub(super) mod testing;
#[cfg(test)]
mod tests;

use integer::integer;
