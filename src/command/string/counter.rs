//! INCR and similar commands: numbers stored as their decimal text.

use super::super::apply::{Applied, Call, Unapplied};
use super::integer;
use super::long_double::{self, LongDouble};
use crate::keyspace::{StringValue, Value};

pub(super) fn incr(call: &mut Call<'_, '_>) -> Applied {
    add(call, 1)
}

pub(super) fn decr(call: &mut Call<'_, '_>) -> Applied {
    add(call, -1)
}

pub(super) fn incrby(call: &mut Call<'_, '_>) -> Applied {
    let increment = call.int(2)?;
    add(call, increment)
}

pub(super) fn decrby(call: &mut Call<'_, '_>) -> Applied {
    let decrement = call.int(2)?;
    match decrement.checked_neg() {
        Some(increment) => add(call, increment),
        None if call.context.server.has_redis(7, 0) => {
            Err(Unapplied::Failed("ERR decrement would overflow"))
        }
        // Before, the negation of the lowest number was itself.
        None => add(call, decrement),
    }
}

#[inline]
fn add(call: &mut Call<'_, '_>, increment: i64) -> Applied {
    let key = call.key();
    let (entry, new) = call.db().entry(key, || Value::String(StringValue::Int(increment)));
    if new {
        return Ok(());
    }
    let Value::String(value) = &mut entry.value else {
        return Err(Unapplied::WRONG_TYPE);
    };
    let sum = integer(value)?.checked_add(increment).ok_or(Unapplied::OVERFLOW)?;
    *value = StringValue::Int(sum);
    Ok(())
}

pub(super) fn incrbyfloat(call: &mut Call<'_, '_>) -> Applied {
    const NO_NUMBER: Unapplied = Unapplied::Failed("ERR increment would produce NaN or Infinity");
    let (key, increment) = (call.key(), call.args[2]);
    let old = match call.db().find::<StringValue<'_>>(key)? {
        Some(value) => value.with(LongDouble::read),
        None => Ok(LongDouble::ZERO),
    };
    let sum = match (old, LongDouble::read(increment)) {
        (Ok(old), Ok(increment)) => old.plus(increment).ok_or(NO_NUMBER)?,
        (Err(long_double::NotFinite::NoNumber), _) | (_, Err(long_double::NotFinite::NoNumber)) => {
            return Err(Unapplied::NOT_A_FLOAT);
        }
        _ => return Err(NO_NUMBER),
    };
    let text = StringValue::Owned(sum.to_string().into_bytes());
    let (entry, _) = call.db().entry(key, || Value::String(StringValue::default()));
    entry.value = Value::String(text);
    Ok(())
}
