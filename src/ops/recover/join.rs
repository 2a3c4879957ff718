//! Joining two states of a data set key by key.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::Progress;
use crate::keyspace::{Entry, Keyspace, Value};
use crate::ops::compact::{MakeShare, Source, TakeShare};
use crate::ops::repair::retained_ranges;
use crate::replay::pair::each_pair;
use crate::replay::{
    Pair, ReplayOptions, ReplayStats, RouteOptions, Routed, replay_pair, route_together,
};

/// The side from which a key is taken if both sides have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Winner {
    /// The state built after the flush.
    Newer,
    /// The state before the flush.
    Older,
}

/// The treatment of restored keys whose expiry has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expired {
    /// They are omitted: a server would delete them at once.
    #[default]
    Drop,
    /// They are written without an expiry.
    Persist,
}

/// The result of joining two data sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// The number of the flush between the two sides; `None` if single keys were restored.
    pub event: Option<u64>,
    /// The side that took precedence.
    pub winner: Option<Winner>,
    /// The number of keys that were restored.
    pub brought_back: u64,
    /// The number of keys that exist on both sides.
    pub on_both_sides: u64,
    /// The number of keys to restore whose expiry has passed.
    pub expired: u64,
    /// The treatment of those expired keys.
    pub expired_were: Expired,
    /// The names of some of the expired keys, escaped for display.
    pub expired_keys: Vec<String>,
}

/// The maximum number of expired keys that are named.
const NAMED: usize = 20;

/// Counters that are updated while shards are joined.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) brought_back: u64,
    pub(super) on_both_sides: u64,
    pub(super) expired: u64,
    pub(super) expired_keys: Vec<(u32, String)>,
}

impl Tally {
    pub(super) fn expired(&mut self, db: u32, key: &[u8]) {
        self.expired += 1;
        let name = Shown(key).to_string();
        // The first keys by name are chosen, so that the result does not depend on the order of the threads.
        self.expired_keys.push((db, name));
        if self.expired_keys.len() > 2 * NAMED {
            self.settle();
        }
    }

    fn settle(&mut self) {
        self.expired_keys.sort();
        self.expired_keys.truncate(NAMED);
    }

    fn join(&mut self, other: Tally) {
        self.brought_back += other.brought_back;
        self.on_both_sides += other.on_both_sides;
        self.expired += other.expired;
        self.expired_keys.extend(other.expired_keys);
        self.settle();
    }

    pub(super) fn into_report(
        mut self,
        event: Option<u64>,
        winner: Option<Winner>,
        expired: Expired,
    ) -> Joined {
        self.settle();
        Joined {
            event,
            winner,
            brought_back: self.brought_back,
            on_both_sides: self.on_both_sides,
            expired: self.expired,
            expired_were: expired,
            expired_keys: self.expired_keys.into_iter().map(|(_, name)| name).collect(),
        }
    }
}

/// The tally of all shards, which are joined on several threads.
#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<Tally>);

impl Tallies {
    /// Resets the tally, because the shards may be built more than once.
    pub(super) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Tally::default();
    }

    pub(super) fn join(&self, of_share: Tally) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join(of_share);
    }

    pub(super) fn into_tally(self) -> Tally {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The treatment of a key of the older side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The key is merged into the newer side.
    Merge(Winner),
    /// Its database is taken from the older side, and all other databases from the newer one.
    Replace,
}

/// The settings for joining two sides.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    pub(super) rule: Rule,
    /// The database to join; `None` for all databases.
    pub(super) db: Option<u32>,
    pub(super) expired: Expired,
    /// The current time, in Unix milliseconds.
    pub(super) now_ms: i64,
}

/// The data set that results from joining two views of a log.
pub(super) struct JoinedSource<'l> {
    logs: [&'l Log; 2],
    pair: Pair<'l>,
    how: How,
    pub(super) tallies: Tallies,
}

impl<'l> JoinedSource<'l> {
    /// Creates the source from the older and the newer side, which are two views of one log or two logs.
    pub(super) fn new(
        sides: [(&'l Log, &RouteOptions); 2],
        how: How,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let pair = route_together(sides, progress)?;
        let logs = sides.map(|(log, _)| log);
        Ok(JoinedSource { logs, pair, how, tallies: Tallies::default() })
    }
}

impl Source for JoinedSource<'_> {
    fn whole(&self) -> &Routed<'_> {
        self.pair.whole()[1]
    }

    fn shards(
        &self,
        options: &ReplayOptions,
        progress: &dyn Progress,
        make: &MakeShare<'_>,
        take: &mut TakeShare<'_>,
    ) -> Result<ReplayStats> {
        self.tallies.begin();
        let join_and_make = |shard: usize, [older, newer]: [&mut Keyspace<'_>; 2]| {
            self.tallies.join(self.how.join(older, newer));
            make(shard, newer)
        };
        let both = [options, options];
        let [_, newer] = each_pair(&self.pair, "replay both sides", progress, |routed| {
            replay_pair(routed, both, progress, join_and_make, &mut *take)
        })?;
        Ok(newer)
    }

    fn logs(&self) -> Vec<&Log> {
        self.logs.to_vec()
    }

    fn may_be_published(&self) -> Result<()> {
        self.logs.iter().try_for_each(|log| retained_ranges::unchanged(log))
    }
}

impl How {
    /// Moves the entries to restore from `older` to `newer`.
    fn join<'a>(&self, older: &mut Keyspace<'a>, newer: &mut Keyspace<'a>) -> Tally {
        let mut tally = Tally::default();
        let numbers: Vec<u32> = older.databases().map(crate::keyspace::Db::number).collect();
        if let (Rule::Replace, Some(db)) = (self.rule, self.db) {
            newer.db(db).clear();
        }
        for db in numbers.into_iter().filter(|db| self.db.is_none_or(|only| only == *db)) {
            let keys: Vec<&'a [u8]> = older.db(db).entries().map(Entry::key).collect();
            for entry in keys.into_iter().filter_map(|key| older.db(db).remove(key)) {
                self.join_key(db, entry, newer, &mut tally);
            }
        }
        tally
    }

    fn join_key<'a>(
        &self,
        db: u32,
        mut entry: Entry<'a>,
        newer: &mut Keyspace<'a>,
        tally: &mut Tally,
    ) {
        let exists = newer.db(db).contains(entry.key());
        let wins = match self.rule {
            Rule::Merge(winner) => !exists || winner == Winner::Older,
            Rule::Replace => true,
        };
        tally.on_both_sides += u64::from(exists);
        let has_passed = entry.expires_ms().is_some_and(|time| time < self.now_ms);
        if wins && has_passed && self.rule != Rule::Replace {
            tally.expired(db, entry.key());
            match self.expired {
                Expired::Drop => return,
                Expired::Persist => entry.set_expiry(None),
            }
        }
        if wins {
            tally.brought_back += u64::from(!exists);
            put(db, entry, newer);
        }
    }
}

/// Inserts an entry with its expiry into a keyspace.
pub(super) fn put<'a>(db: u32, entry: Entry<'a>, keyspace: &mut Keyspace<'a>) {
    if matches!(entry.value, Value::Opaque(_)) {
        keyspace.note_opaque();
    }
    let expires_ms = entry.expires_ms();
    keyspace.db(db).set(entry.key(), entry.value).set_expiry(expires_ms);
}
