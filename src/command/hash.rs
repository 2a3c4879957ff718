//! Hashes, and the expiry of their fields.
//!
//! Redis introduced field expiry in 7.4; Valkey, independently, in 9.0.

mod expiry;
mod options;

use super::apply::{Applied, Call, Unapplied, copy_if_small};
use super::lost_expiry::{looks_propagated, may_be_sum};
use super::number;
use super::row::{Command, KEY, apart, plain, redis_only, since, valkey_only, write};
use super::string::long_double::{LongDouble, NotFinite};
use crate::keyspace::{Hash, StringValue};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("HDEL",         -3, since(2, 0),           KEY).by(hdel),
    plain("HEXISTS",       3, since(2, 0),           KEY),
    write("HEXPIRE",      -6, apart((7, 4), (9, 0)), KEY).by(expiry::hexpire).relative_time(),
    write("HEXPIREAT",    -6, apart((7, 4), (9, 0)), KEY).by(expiry::hexpireat),
    plain("HEXPIRETIME",  -5, apart((7, 4), (9, 0)), KEY),
    plain("HGET",          3, since(2, 0),           KEY),
    plain("HGETALL",       2, since(2, 0),           KEY),
    write("HGETDEL",      -5, apart((8, 0), (9, 1)), KEY).by(expiry::hgetdel),
    write("HGETEX",       -5, apart((8, 0), (9, 0)), KEY).by(expiry::hgetex),
    write("HINCRBY",       4, since(2, 0),           KEY).by(hincrby),
    write("HINCRBYFLOAT",  4, since(2, 6),           KEY).by(hincrbyfloat),
    plain("HKEYS",         2, since(2, 0),           KEY),
    plain("HLEN",          2, since(2, 0),           KEY),
    plain("HMGET",        -3, since(2, 0),           KEY),
    write("HMSET",        -4, since(2, 0),           KEY).by(hset),
    write("HPERSIST",     -5, apart((7, 4), (9, 0)), KEY).by(expiry::hpersist),
    write("HPEXPIRE",     -6, apart((7, 4), (9, 0)), KEY).by(expiry::hpexpire).relative_time(),
    write("HPEXPIREAT",   -6, apart((7, 4), (9, 0)), KEY).by(expiry::hpexpireat),
    plain("HPEXPIRETIME", -5, apart((7, 4), (9, 0)), KEY),
    plain("HPTTL",        -5, apart((7, 4), (9, 0)), KEY),
    plain("HRANDFIELD",   -2, since(6, 2),           KEY),
    plain("HSCAN",        -3, since(2, 8),           KEY),
    write("HSET",         -4, since(2, 0),           KEY).by(hset),
    // Logged for HIMPORT SET.
    write("HSETC",        -4, redis_only(8, 10),     KEY).name_only(),
    write("HSETEX",       -6, apart((8, 0), (9, 0)), KEY).by(expiry::hsetex),
    write("HSETNX",        4, since(2, 0),           KEY).by(hsetnx),
    plain("HSTRLEN",       3, since(3, 2),           KEY),
    plain("HTTL",         -5, apart((7, 4), (9, 0)), KEY),
    plain("HVALS",         2, since(2, 0),           KEY),
    // Path hashes, a type of their own.
    write("PHDEL",        -2, valkey_only(9, 2),     KEY).name_only(),
    write("PHSET",        -2, valkey_only(9, 2),     KEY).name_only(),
];

/// HSET, and HMSET, which has a different reply.
fn hset(call: &mut Call<'_, '_>) -> Applied {
    let (key, pairs) = (call.key(), &call.args[2..]);
    if !pairs.len().is_multiple_of(2) {
        return Err(Unapplied::Failed("ERR wrong number of arguments"));
    }
    let arena = call.keyspace.arena();
    let suspected = call.warnings.lost_expiries.rules.fields
        && pairs.len() == 2
        && looks_propagated(call.args[0], b"HSET", pairs[1]);
    let hash: &mut Hash<'_> = call.keyspace.db(call.db).find_or_make(key)?;
    for pair in pairs.chunks_exact(2) {
        let (field, new) = hash.find_or_add(pair[0], || arena.alloc_slice_copy(pair[0]));
        // It may have been logged for an HINCRBYFLOAT, which does not remove the expiry.
        if suspected
            && !new
            && hash.expiry(field).is_some()
            && may_be_sum(hash.value(field), pair[1])
        {
            call.warnings.lost_expiries.note(call.db, key, Some(pair[0]), call.at);
        }
        *hash.value_mut(field) = StringValue::Borrowed(copy_if_small(arena, pair[1]));
        hash.set_expiry(field, None);
    }
    Ok(())
}

fn hsetnx(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, value) = (call.key(), call.args[2], call.args[3]);
    let arena = call.keyspace.arena();
    let hash: &mut Hash<'_> = call.keyspace.db(call.db).find_or_make(key)?;
    let (field, new) = hash.find_or_add(name, || arena.alloc_slice_copy(name));
    if new || !sees(call.context, call.warnings, hash, field) {
        *hash.value_mut(field) = StringValue::Borrowed(value);
        hash.set_expiry(field, None);
    }
    Ok(())
}

fn hdel(call: &mut Call<'_, '_>) -> Applied {
    let (key, names) = (call.key(), &call.args[2..]);
    let db = call.db();
    let Some(hash) = db.find_mut::<Hash<'_>>(key)? else { return Ok(()) };
    let mut removed = false;
    for name in names {
        removed |= hash.remove(name);
    }
    // A hash that was empty before remains: see HINCRBYFLOAT.
    if removed && hash.is_empty() {
        db.remove(key);
    }
    Ok(())
}

fn hincrby(call: &mut Call<'_, '_>) -> Applied {
    let (key, name, by) = (call.key(), call.args[2], call.int(3)?);
    let arena = call.keyspace.arena();
    let hash: &mut Hash<'_> = call.keyspace.db(call.db).find_or_make(key)?;
    let (field, new) = hash.find_or_add(name, || arena.alloc_slice_copy(name));
    let before = if new || !sees(call.context, call.warnings, hash, field) {
        0
    } else {
        let number = match hash.value(field) {
            StringValue::Int(number) => Some(*number),
            other => other.with(number::integer),
        };
        number.ok_or(Unapplied::Failed("ERR hash value is not an integer"))?
    };
    let after = before.checked_add(by).ok_or(Unapplied::OVERFLOW)?;
    *hash.value_mut(field) = StringValue::Int(after);
    Ok(())
}

/// Logs contain HSET in its place, except for scripts in old ones.
fn hincrbyfloat(call: &mut Call<'_, '_>) -> Applied {
    const NO_NUMBER: Unapplied = Unapplied::Failed("ERR increment would produce NaN or Infinity");
    let (key, name) = (call.key(), call.args[2]);
    let by = match LongDouble::read(call.args[3]) {
        Ok(by) => by,
        Err(NotFinite::NoNumber) => return Err(Unapplied::NOT_A_FLOAT),
        Err(NotFinite::Infinite) => {
            // Before Redis 7.0 it fails late, and leaves a hash without fields. *Observed* on 6.2.
            if !call.context.server.has_redis(7, 0) {
                call.db().find_or_make::<Hash<'_>>(key)?;
            }
            return Err(NO_NUMBER);
        }
    };
    let arena = call.keyspace.arena();
    let hash: &mut Hash<'_> = call.keyspace.db(call.db).find_or_make(key)?;
    let (field, new) = hash.find_or_add(name, || arena.alloc_slice_copy(name));
    let before = if new || !sees(call.context, call.warnings, hash, field) {
        LongDouble::ZERO
    } else {
        hash.value(field).with(LongDouble::read).map_err(|no_number| match no_number {
            NotFinite::NoNumber => Unapplied::Failed("ERR hash value is not a float"),
            NotFinite::Infinite => NO_NUMBER,
        })?
    };
    let after = before.plus(by).ok_or(NO_NUMBER)?;
    *hash.value_mut(field) = StringValue::Owned(after.to_string().into_bytes());
    Ok(())
}

#[cfg(test)]
mod tests;
mod visible;

use visible::sees;
