//! Commands on keys of any type.

use super::apply::{Applied, Call, Unapplied};
use super::database;
use super::expire::{expire, expireat, persist, pexpire, pexpireat};
use super::restore::restore;
use super::row::{
    Command, Destruction, KEY, KEYS, Keys, NO_KEYS, SECOND, Subcommand, TWO_KEYS, plain,
    redis_only, since, sub, write,
};
use super::sort::sort;
use crate::keyspace::{Entry, Value};

#[rustfmt::skip]
pub(super) const ROWS: &[Command] = &[
    write("BLESS",       -2, redis_only(8, 12), KEY).name_only(),
    write("COPY",        -3, since(6, 2), TWO_KEYS).by(copy).destroys(Destruction::Destination),
    write("DEL",         -2, since(1, 0), KEYS).splits().by(del).destroys(Destruction::Keys),
    plain("DUMP",         2, since(2, 6), KEY),
    plain("EXISTS",      -2, since(1, 0), KEYS),
    // The conditions NX, XX, GT and LT came with 7.0, for this command and the three related ones.
    write("EXPIRE",      -3, since(1, 0), KEY).until(since(7, 0), 3).by(expire).relative_time(),
    write("EXPIREAT",    -3, since(1, 2), KEY).until(since(7, 0), 3).by(expireat),
    plain("EXPIRETIME",   2, since(7, 0), KEY),
    plain("KEYS",         2, since(1, 0), NO_KEYS),
    // Logged as DEL on the source server.
    write("MIGRATE",     -6, since(2, 6), Keys::Migrate).by(migrate),
    write("MOVE",         3, since(1, 0), KEY).by(move_key),
    plain("OBJECT",      -2, since(2, 2), NO_KEYS).with(OBJECT),
    write("PERSIST",      2, since(2, 2), KEY).by(persist),
    write("PEXPIRE",     -3, since(2, 6), KEY).until(since(7, 0), 3).by(pexpire).relative_time(),
    write("PEXPIREAT",   -3, since(2, 6), KEY).until(since(7, 0), 3).by(pexpireat),
    plain("PEXPIRETIME",  2, since(7, 0), KEY),
    plain("PTTL",         2, since(2, 6), KEY),
    plain("RANDOMKEY",    1, since(1, 0), NO_KEYS),
    write("RENAME",       3, since(1, 0), TWO_KEYS).by(rename).destroys(Destruction::Destination),
    write("RENAMENX",     3, since(1, 0), TWO_KEYS).by(renamenx),
    write("RESTORE",     -4, since(2, 6), KEY).by(restore).relative_time(),
    plain("SCAN",        -2, since(2, 8), NO_KEYS),
    // Writes with STORE. BY and GET read keys by pattern, which key positions cannot express.
    write("SORT",        -2, since(1, 0), Keys::Sort).by(sort),
    plain("SORT_RO",     -2, since(7, 0), KEY),
    // Redis 4.0 and 5.0 reported the first key only.
    plain("TOUCH",       -2, since(3, 2), KEYS),
    plain("TTL",          2, since(1, 0), KEY),
    plain("TYPE",         2, since(1, 0), KEY),
    write("UNLINK",      -2, since(4, 0), KEYS).splits().by(del).destroys(Destruction::Keys),
    plain("WAIT",         3, since(3, 0), NO_KEYS),
    plain("WAITAOF",      4, since(7, 2), NO_KEYS),
];

#[rustfmt::skip]
const OBJECT: &[Subcommand] = &[
    sub("ENCODING",  3, since(2, 2), SECOND),
    sub("FREQ",      3, since(4, 0), SECOND),
    sub("HELP",      2, since(6, 2), NO_KEYS),
    sub("IDLETIME",  3, since(2, 2), SECOND),
    sub("REFCOUNT",  3, since(2, 2), SECOND),
];

const SAME_OBJECT: Unapplied = Unapplied::Failed("ERR source and destination objects are the same");

/// The carried commands contain the name of the key, and would still contain the old one after a
/// rename.
const CARRIED: Unapplied =
    Unapplied::Refused("the key was changed by commands that are not understood");

/// Whether metadata follows the key depends on the module that attached it.
const WITH_METADATA: Unapplied = Unapplied::Refused("a module attached metadata to the key");

fn del(call: &mut Call<'_, '_>) -> Applied {
    let owns = call.context.owns;
    let keys = &call.args[1..];
    let db = call.keyspace.db(call.db);
    for key in keys {
        if owns(key) {
            db.remove(key);
        }
    }
    Ok(())
}

fn rename(call: &mut Call<'_, '_>) -> Applied {
    rename_generic(call, true)
}

fn renamenx(call: &mut Call<'_, '_>) -> Applied {
    rename_generic(call, false)
}

/// Replaces the destination with the source, including its expiry.
fn rename_generic(call: &mut Call<'_, '_>, over: bool) -> Applied {
    let (from, to) = (call.key(), call.args[2]);
    let db = call.db();
    let Some(entry) = db.get(from) else { return Err(Unapplied::NO_SUCH_KEY) };
    if from == to || !over && db.contains(to) {
        return Ok(());
    }
    if matches!(entry.value, Value::Opaque(_)) {
        return Err(CARRIED);
    }
    if entry.has_metadata() {
        return Err(WITH_METADATA);
    }
    if let Some(entry) = db.remove(from) {
        let (expires_ms, meta) = (entry.expires_ms(), entry.meta().cloned());
        let renamed = db.set(to, entry.value);
        renamed.set_expiry(expires_ms);
        renamed.set_meta(meta.map(Box::new));
    }
    Ok(())
}

fn move_key(call: &mut Call<'_, '_>) -> Applied {
    let key = call.key();
    let to = database::parse(call.args[2], Unapplied::NOT_AN_INTEGER)?;
    if to == call.db {
        return Err(SAME_OBJECT);
    }
    let (from, to) = call.keyspace.two(call.db, to);
    if to.contains(key) {
        return Ok(());
    }
    if from.get(key).is_some_and(Entry::has_metadata) {
        return Err(WITH_METADATA);
    }
    if let Some(entry) = from.remove(key) {
        let (expires_ms, meta) = (entry.expires_ms(), entry.meta().cloned());
        let moved = to.set(key, entry.value);
        moved.set_expiry(expires_ms);
        moved.set_meta(meta.map(Box::new));
    }
    Ok(())
}

fn copy(call: &mut Call<'_, '_>) -> Applied {
    let (from, to) = (call.key(), call.args[2]);
    let (mut db, mut replace) = (call.db, false);
    let mut at = 3;
    while at < call.args.len() {
        if call.is(at, "REPLACE") {
            replace = true;
        } else if call.is(at, "DB") && at + 1 < call.args.len() {
            db = database::parse(call.args[at + 1], Unapplied::NOT_AN_INTEGER)?;
            at += 1;
        } else {
            return Err(Unapplied::SYNTAX);
        }
        at += 1;
    }
    if db == call.db && from == to {
        return Err(SAME_OBJECT);
    }
    if !replace && call.keyspace.db(db).contains(to) {
        return Ok(());
    }
    let Some(entry) = call.db().get(from) else { return Ok(()) };
    if matches!(entry.value, Value::Opaque(_)) && from != to {
        return Err(CARRIED);
    }
    if entry.has_metadata() {
        return Err(WITH_METADATA);
    }
    let (value, expires_ms) = (entry.value.clone(), entry.expires_ms());
    let meta = entry.meta().cloned();
    let copied = call.keyspace.db(db).set(to, value);
    copied.set_expiry(expires_ms);
    copied.set_meta(meta.map(Box::new));
    Ok(())
}

fn migrate(_: &mut Call<'_, '_>) -> Applied {
    Err(Unapplied::Refused("which keys another server took is not in the log"))
}
