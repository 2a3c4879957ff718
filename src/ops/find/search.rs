//! The matching keys of one backup.

use std::collections::BTreeMap;

use super::options::FindOptions;
use crate::analysis::key_state::KeyState;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::keyspace::Keyspace;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::replay::pair::each_window;
use crate::replay::{RouteOptions, replay, route};

/// A key of a database.
pub(super) type Place = (u32, Vec<u8>);

/// The matching keys of a backup.
#[derive(Debug, Default)]
pub(super) struct Matches {
    /// The number of matching keys.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: BTreeMap<Place, (KeyState, u128)>,
    /// The fingerprints of the keys that were asked for, as far as the backup has them.
    pub(super) asked: BTreeMap<Place, u128>,
}

impl Matches {
    fn join(&mut self, other: Matches, limit: usize) {
        self.count += other.count;
        self.first.extend(other.first);
        while self.first.len() > limit {
            self.first.pop_last();
        }
        self.asked.extend(other.asked);
    }

    /// Returns whether the backup has a matching key; `None` if it has too many to know that.
    pub(super) fn has(&self, place: &Place) -> Option<bool> {
        let is_complete = self.first.len() as u64 == self.count;
        let is_listed = self.first.contains_key(place);
        let is_before_last = self.first.last_key_value().is_some_and(|(last, _)| place <= last);
        (is_complete || is_listed || is_before_last).then_some(is_listed)
    }
}

/// Searches a log. `asked`: the keys whose fingerprints are needed.
pub(super) fn search(
    log: &Log,
    options: &FindOptions,
    asked: &BTreeMap<Place, (KeyState, u128)>,
    progress: &dyn Progress,
) -> Result<Matches> {
    let read = RouteOptions { only: options.pattern.text(), ..options.route.clone() };
    let routing = route(log, &read, progress)?;
    let mut all = Matches::default();
    each_window(&routing, "search", progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| Ok(in_shard(keyspace, options, asked));
        let take = |_, found: Matches| {
            all.join(found, options.limit);
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take)
    })?;
    Ok(all)
}

fn in_shard(
    keyspace: &Keyspace<'_>,
    options: &FindOptions,
    asked: &BTreeMap<Place, (KeyState, u128)>,
) -> Matches {
    let mut found = Matches::default();
    let mut fingerprint = Fingerprint::default();
    let is_wanted = |db: u32| options.dbs.is_empty() || options.dbs.contains(&db);
    for db in keyspace.databases().filter(|db| is_wanted(db.number())) {
        for entry in db.entries().filter(|entry| options.pattern.matches(entry.key())) {
            let Some(state) = KeyState::from_entry(entry) else { continue };
            found.count += 1;
            let place = (db.number(), entry.key().to_vec());
            let is_asked = asked.contains_key(&place);
            let is_first = found.first.len() < options.limit
                || found.first.last_key_value().is_some_and(|(last, _)| place < *last);
            if !is_asked && !is_first {
                continue;
            }
            let print = fingerprint.of_entry(db.number(), entry, Detail::All);
            if is_asked {
                found.asked.insert(place.clone(), print);
            }
            if is_first {
                found.first.insert(place, (state, print));
                while found.first.len() > options.limit {
                    found.first.pop_last();
                }
            }
        }
    }
    found
}
