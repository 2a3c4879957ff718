//! Replacing and changing the sorted set at a key.

use super::super::apply::{Applied, Call};
use crate::keyspace::{Value, Zset};

/// Changes the sorted set of a key, if there is one, and removes the key once it is empty.
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

/// Puts what a command made in place of whatever the key held; nothing, if it is empty.
pub(crate) fn replace<'a>(call: &mut Call<'_, 'a>, key: &[u8], zset: Zset<'a>) {
    let db = call.db();
    if zset.is_empty() {
        db.remove(key);
    } else {
        db.set(key, Value::Zset(Box::new(zset)));
    }
}
