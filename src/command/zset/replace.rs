//! Replacing and changing the sorted set of a key.

use super::super::apply::{Applied, Call};
use crate::keyspace::{Value, Zset};

/// Changes the sorted set of a key, if it exists, and removes the key once it is empty.
pub(super) fn change<'a>(
    call: &mut Call<'_, 'a>,
    key: &[u8],
    change: impl FnOnce(&mut Zset<'a>),
) -> Applied {
    let db = call.db();
    let Some(zset) = db.find_mut::<Zset<'a>>(key)? else { return Ok(()) };
    change(zset);
    if zset.is_empty() {
        db.remove(key);
    }
    Ok(())
}

/// Replaces the value of the key with the result of a command; removes the key if the result is
/// empty.
pub(crate) fn replace<'a>(call: &mut Call<'_, 'a>, key: &[u8], zset: Zset<'a>) {
    let db = call.db();
    if zset.is_empty() {
        db.remove(key);
    } else {
        db.set(key, Value::Zset(Box::new(zset)));
    }
}
