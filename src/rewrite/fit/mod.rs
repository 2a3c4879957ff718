//! Making a data set fit a server: what the server, or the form of the output, cannot hold is removed from the
//! data set and counted, so that nothing is lost in silence.
//!
//! | file | content |
//! |---|---|
//! | `destination` | the server and the encoding, and what they can hold |
//! | `losses` | the kinds of what cannot be held, and their counts |
//! | `stream` | the properties of streams |
//! | `non_key` | what belongs to no key: functions, data of modules |
//!
//! Whole keys are removed if the server lacks their type. Of other keys, only the property is removed. A hash
//! field that loses its expiry stays, and never expires, unless its time has passed: then it is removed, because
//! it would come back otherwise.

mod destination;
mod losses;
mod non_key;
mod stream;
#[cfg(test)]
mod tests;

pub use destination::{Destination, Encoding, module_that_is_missing};
pub use losses::{LossKind, Losses, Lost};

use destination::VECTOR_SET;

use crate::keyspace::{Entry, Hash, KeyMeta, Keyspace, Value};
use crate::rdb::write::Feature;
use crate::rdb::{HIGHEST_FIELD_EXPIRY, module_of};
use crate::rewrite::commands::CommandWriter;

/// The latest field expiry that HPEXPIREAT takes in Redis, in Unix milliseconds.
const HIGHEST_FIELD_EXPIRY_OF_COMMANDS: i64 = (1 << 46) - 1;

/// Removes what the destination cannot hold from the keys for which `is_wanted` returns true, and returns what
/// that was. The other keys are not changed.
pub fn fit(
    keyspace: &mut Keyspace<'_>,
    to: &Destination<'_>,
    is_wanted: &dyn Fn(u32, &Entry<'_>) -> bool,
) -> Losses {
    let mut losses = Losses::default();
    for db in keyspace.databases_mut() {
        let number = db.number();
        let mut removed = Vec::new();
        for entry in db.entries_mut() {
            // No form holds a value without elements.
            let counts = !entry.value.lacks_elements() && is_wanted(number, entry);
            if counts && !fit_entry(number, entry, to, &mut losses) {
                removed.push(entry.key());
            }
        }
        for key in removed {
            db.remove(key);
        }
    }
    losses
}

/// Makes a key fit. Returns whether something of it is left.
fn fit_entry(db: u32, entry: &mut Entry<'_>, to: &Destination<'_>, losses: &mut Losses) -> bool {
    let place = (db, entry.key());
    if let Some((kind, other)) = whole_key(entry, to) {
        losses.add(kind, place, 1, other);
        return false;
    }
    if entry.meta().is_some() {
        fit_attached(place, entry, to, losses);
    }
    if let Value::Stream(_) = &entry.value {
        stream::fit(place, entry, to, losses);
    }
    if let Value::Hash(hash) = &mut entry.value {
        fit_hash(place, hash, to, losses);
    }
    !entry.value.lacks_elements()
}

/// Returns why a key cannot be held at all, and whether the other encoding holds it.
fn whole_key(entry: &Entry<'_>, to: &Destination<'_>) -> Option<(LossKind, bool)> {
    match &entry.value {
        Value::Array(_) if !to.has(Feature::Arrays) => {
            Some((LossKind::Array, to.other_has(Feature::Arrays)))
        }
        Value::Module(payload) if !to.holds_module_data(payload) => {
            let is_vectors = module_of(payload).is_some_and(|module| module.name() == VECTOR_SET);
            let kind = if is_vectors { LossKind::VectorSet } else { LossKind::ModuleValue };
            Some((kind, to.other().is_some_and(|other| other.holds_module_data(payload))))
        }
        Value::Stream(_) if to.is_commands() && !to.server.has_redis(5, 0) => {
            Some((LossKind::Stream, false))
        }
        // The commands that are not understood are copied, after the value before them.
        Value::Opaque(_) if !to.is_commands() => Some((LossKind::UnknownCommands, true)),
        Value::Opaque(_) if CommandWriter::new(to.server).key(entry).is_err() => {
            Some((LossKind::UnknownCommands, false))
        }
        _ => None,
    }
}

/// Removes metadata of modules, and the expiry of members in KeyDB, neither of which is written.
fn fit_attached(
    place: (u32, &[u8]),
    entry: &mut Entry<'_>,
    to: &Destination<'_>,
    losses: &mut Losses,
) {
    let items = entry.meta().map_or(0, |meta: &KeyMeta<'_>| meta.items.len());
    losses.add(LossKind::KeyMetadata, place, items as u64, false);
    let (mut kept, mut passed) = (0, 0);
    let members: Vec<_> = entry.expiring_members().collect();
    for member in members {
        let is_passed = member.expires_ms < to.now_ms;
        match &mut entry.value {
            Value::Set(set) if is_passed => passed += u64::from(set.remove(member.name)),
            Value::Hash(hash) if is_passed => passed += u64::from(hash.remove(member.name)),
            _ => kept += 1,
        }
    }
    losses.add(LossKind::KeydbMemberExpiry, place, kept, false);
    losses.add(LossKind::PassedFields, place, passed, false);
    entry.set_meta(None);
}

/// Removes the expiries that cannot be held: all, or, in Redis, those beyond its limits.
fn fit_hash(place: (u32, &[u8]), hash: &mut Hash<'_>, to: &Destination<'_>, losses: &mut Losses) {
    if hash.expiring() == 0 || to.has(Feature::FarFieldExpiry) {
        return;
    }
    let has_others = to.has(Feature::FieldExpiry);
    let highest =
        if to.is_commands() { HIGHEST_FIELD_EXPIRY_OF_COMMANDS } else { HIGHEST_FIELD_EXPIRY };
    let is_held = |time: i64| has_others && (1..=highest).contains(&time);
    let lost: Vec<_> = (hash.fields())
        .filter_map(|(name, _, time)| Some((name, time.filter(|time| !is_held(*time))?)))
        .collect();
    let (mut kept, mut passed) = (0, 0);
    for (name, time) in lost {
        if time < to.now_ms {
            passed += u64::from(hash.remove(name));
        } else if let Some(field) = hash.find(name) {
            hash.set_expiry(field, None);
            kept += 1;
        }
    }
    losses.add(LossKind::HashFieldExpiry, place, kept, false);
    losses.add(LossKind::PassedFields, place, passed, false);
}
