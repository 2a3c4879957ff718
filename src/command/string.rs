//! Strings, and the counters kept in them.

use super::apply::{Applied, Call, Unapplied};
use super::row::{
    COUNTED_PAIRS, Command, KEY, KEYS, Keys, TWO_KEYS, between, plain, range, since, valkey_only,
    write,
};
use crate::keyspace::{StringValue, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("APPEND",       3, since(2, 0),             KEY),
    write("DECR",         2, since(1, 0),             KEY),
    write("DECRBY",       3, since(1, 0),             KEY),
    write("DELIFEQ",      3, valkey_only(9, 0),       KEY),
    plain("GET",          2, since(1, 0),             KEY),
    write("GETDEL",       2, since(6, 2),             KEY),
    write("GETEX",       -2, since(6, 2),             KEY),
    plain("GETRANGE",     4, since(2, 4),             KEY),
    write("GETSET",       3, since(1, 0),             KEY),
    write("INCR",         2, since(1, 0),             KEY),
    write("INCRBY",       3, since(1, 0),             KEY),
    write("INCRBYFLOAT",  3, since(2, 6),             KEY),
    plain("LCS",         -3, since(7, 0),             TWO_KEYS),
    plain("MGET",        -2, since(1, 0),             KEYS),
    write("MSET",        -3, since(1, 0),             range(1, -1, 2)).splits(),
    write("MSETEX",      -4, valkey_only(9, 1),       COUNTED_PAIRS),
    write("MSETNX",      -3, since(1, 0),             range(1, -1, 2)),
    write("PSETEX",       4, since(2, 6),             KEY),
    write("SET",         -3, since(1, 0),             KEY).by(set),
    write("SETEX",        4, since(2, 0),             KEY),
    write("SETNX",        3, since(1, 0),             KEY),
    write("SETRANGE",     4, since(2, 2),             KEY),
    // LCS takes its place since Redis 7.0.
    plain("STRALGO",     -2, between((6, 0), (7, 0)), Keys::Stralgo),
    plain("STRLEN",       2, since(2, 2),             KEY),
    // The old name of GETRANGE.
    plain("SUBSTR",       4, since(1, 0),             KEY),
];

fn set(call: &mut Call<'_, '_>) -> Applied {
    if call.args.len() > 3 {
        return Err(Unapplied::SYNTAX);
    }
    let (key, value) = (call.key(), call.args[2]);
    call.db().set(key, Value::String(StringValue::Borrowed(value)));
    Ok(())
}
