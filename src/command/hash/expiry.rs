//! The expiry of fields.
//!
//! While a log is loaded nothing expires, and a time in the past is set as it is. Servers differ in
//! whether a field whose time has passed is still visible: it is in Valkey. Redis 8 treats the
//! field as missing and yet retains it, and HPEXPIREAT still finds it. *Observed* on 8.2 and 9.1.

use super::options::{self, Expiry, Wanted};
use crate::command::apply::{Applied, Call};
use crate::command::expiry::Unit;
use crate::command::hash::visible::sees;
use crate::keyspace::{Hash, StringValue};

pub(super) fn hexpire(call: &mut Call<'_, '_>) -> Applied {
    expire(call, Unit { seconds: true, relative: true })
}

pub(super) fn hpexpire(call: &mut Call<'_, '_>) -> Applied {
    expire(call, Unit { seconds: false, relative: true })
}

pub(super) fn hexpireat(call: &mut Call<'_, '_>) -> Applied {
    expire(call, Unit { seconds: true, relative: false })
}

pub(super) fn hpexpireat(call: &mut Call<'_, '_>) -> Applied {
    expire(call, Unit { seconds: false, relative: false })
}

fn expire(call: &mut Call<'_, '_>, unit: Unit) -> Applied {
    let (conditions, names) = options::expiring(call)?;
    let (key, names, at_ms) = (call.key(), &call.args[names], options::time(call, 2, unit)?);
    let Some(hash) = call.db().find_mut::<Hash<'_>>(key)? else { return Ok(()) };
    for name in names {
        // Also if its time has passed.
        if let Some(field) = hash.find(name)
            && conditions.allow(hash.expiry(field), at_ms)
        {
            hash.set_expiry(field, Some(at_ms));
        }
    }
    Ok(())
}

pub(super) fn hpersist(call: &mut Call<'_, '_>) -> Applied {
    let names = options::only_fields(call)?;
    change(call, names, Expiry::Goes)
}

/// The reply does not matter for a replay.
pub(super) fn hgetex(call: &mut Call<'_, '_>) -> Applied {
    let (given, names) = options::getting(call)?;
    let expiry = given.read(call)?;
    change(call, names, expiry)
}

/// Changes the expiry of the given fields that are visible.
fn change(call: &mut Call<'_, '_>, names: std::ops::Range<usize>, expiry: Expiry) -> Applied {
    let (key, names) = (call.key(), &call.args[names]);
    let Some(hash) = call.keyspace.db(call.db).find_mut::<Hash<'_>>(key)? else { return Ok(()) };
    for name in names {
        let field = match hash.find(name) {
            Some(field) if sees(call.context, call.warnings, hash, field) => field,
            _ => continue,
        };
        match expiry {
            Expiry::Stays => {}
            Expiry::Goes => hash.set_expiry(field, None),
            Expiry::At(at_ms) => hash.set_expiry(field, Some(at_ms)),
        }
    }
    Ok(())
}

pub(super) fn hgetdel(call: &mut Call<'_, '_>) -> Applied {
    let names = options::only_fields(call)?;
    let (key, names) = (call.key(), &call.args[names]);
    let db = call.keyspace.db(call.db);
    let Some(hash) = db.find_mut::<Hash<'_>>(key)? else { return Ok(()) };
    for name in names {
        if let Some(field) = hash.find(name)
            && sees(call.context, call.warnings, hash, field)
        {
            hash.remove(name);
        }
    }
    if hash.is_empty() {
        db.remove(key);
    }
    Ok(())
}

pub(super) fn hsetex(call: &mut Call<'_, '_>) -> Applied {
    let setting = options::setting(call)?;
    let (key, pairs) = (call.key(), &call.args[setting.pairs]);
    let arena = call.keyspace.arena();
    if let Some(wanted) = setting.key {
        let there = call.db().find::<Hash<'_>>(key)?.is_some();
        if there != (wanted == Wanted::There) {
            return Ok(());
        }
    }
    // Parsed here, because the time is not checked if the key is not as it should be.
    let expiry = setting.expiry.read(call)?;
    let db = call.keyspace.db(call.db);
    let there = db.find::<Hash<'_>>(key)?;
    if let Some(wanted) = setting.fields {
        for pair in pairs.chunks_exact(2) {
            let found = there.is_some_and(|hash| {
                hash.find(pair[0])
                    .is_some_and(|field| sees(call.context, call.warnings, hash, field))
            });
            if found != (wanted == Wanted::There) {
                return Ok(());
            }
        }
    }
    let hash: &mut Hash<'_> = db.find_or_make(key)?;
    for pair in pairs.chunks_exact(2) {
        let (field, _) = hash.find_or_add(pair[0], || arena.alloc_slice_copy(pair[0]));
        *hash.value_mut(field) = StringValue::Borrowed(pair[1]);
        match expiry {
            Expiry::Stays => {}
            Expiry::Goes => hash.set_expiry(field, None),
            Expiry::At(at_ms) => hash.set_expiry(field, Some(at_ms)),
        }
    }
    Ok(())
}
