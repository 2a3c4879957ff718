//! Joining two states of a data set key by key.

use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::unite::{self, UnitedFunctions};
use crate::analysis::data_filter::KeyFilter;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::from_rdb::NonKeyData;
use crate::keyspace::{Entry, Keyspace, StringValue, Value};
use crate::ops::compact::{MakeShare, Source, TakeShare};
use crate::ops::repair::retained_ranges;
use crate::rdb::write::canonical;
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
    /// The number of keys on both sides whose value is a lower number in the result than on the other side, as of a
    /// counter that goes back.
    pub lower: u64,
    /// Some of these keys.
    pub(crate) lower_keys: Vec<LowerNumber>,
}

/// A key whose value is a lower number in the result than on the side that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct LowerNumber {
    /// The database number.
    pub(crate) db: u32,
    /// The key name, escaped for display.
    pub(crate) key: String,
    /// The number in the result.
    pub(crate) result: i64,
    /// The number on the other side.
    pub(crate) other: i64,
}

/// The maximum number of keys of each kind that are named.
const NAMED: usize = 20;

/// Counters that are updated while shards are joined.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The number of keys that only the older side has.
    pub(crate) brought_back: u64,
    /// The number of keys that only the newer side has, if they are counted.
    pub(crate) only_newer: u64,
    pub(crate) on_both_sides: u64,
    /// The number of those on both sides that are equal, if they are compared.
    pub(crate) equal: u64,
    pub(super) expired: u64,
    pub(super) expired_keys: Vec<(u32, String)>,
    lower: u64,
    lower_keys: Vec<LowerNumber>,
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

    /// Notes a key that both sides have, of which the entry of one side is taken.
    pub(super) fn taken(&mut self, db: u32, taken: &Entry<'_>, other: &Entry<'_>) {
        let (Some(result), Some(other)) = (number(taken), number(other)) else { return };
        if result < other {
            self.lower += 1;
            let key = Shown(taken.key()).to_string();
            self.lower_keys.push(LowerNumber { db, key, result, other });
            if self.lower_keys.len() > 2 * NAMED {
                self.settle();
            }
        }
    }

    fn settle(&mut self) {
        self.expired_keys.sort();
        self.expired_keys.truncate(NAMED);
        self.lower_keys.sort();
        self.lower_keys.truncate(NAMED);
    }

    fn join(&mut self, other: Tally) {
        self.brought_back += other.brought_back;
        self.only_newer += other.only_newer;
        self.on_both_sides += other.on_both_sides;
        self.equal += other.equal;
        self.expired += other.expired;
        self.expired_keys.extend(other.expired_keys);
        self.lower += other.lower;
        self.lower_keys.extend(other.lower_keys);
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
            lower: self.lower,
            lower_keys: self.lower_keys,
        }
    }
}

/// Returns the number that a value is.
fn number(entry: &Entry<'_>) -> Option<i64> {
    match &entry.value {
        Value::String(StringValue::Int(number)) => Some(*number),
        Value::String(text) => text.with(canonical),
        _ => None,
    }
}

/// The tally of all shards, which are joined on several threads.
#[derive(Debug, Default)]
pub(crate) struct Tallies(Mutex<Tally>);

impl Tallies {
    /// Resets the tally, because the shards may be built more than once.
    pub(super) fn begin(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Tally::default();
    }

    pub(super) fn join(&self, of_share: Tally) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).join(of_share);
    }

    /// Calls `look` with the tally so far.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Tally) -> T) -> T {
        look(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn into_tally(self) -> Tally {
        self.0.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The treatment of a key of the older side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The key is merged into the newer side.
    Merge(Winner),
    /// Its database is taken from the older side, and all other databases from the newer one.
    Replace,
}

/// The settings for joining two sides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How<'f> {
    pub(crate) rule: Rule,
    /// The database to join; `None` for all databases.
    pub(crate) db: Option<u32>,
    /// The treatment of keys to restore whose expiry has passed; `None` if they are keys like any other.
    pub(crate) expired: Option<Expired>,
    /// The current time, in Unix milliseconds.
    pub(crate) now_ms: i64,
    /// Whether the sides are different logs, of which the result has the functions and the data of modules of both.
    pub(crate) unites: bool,
    /// The only keys to join and to count, each compared with that of the other side; `None` for all keys, not compared.
    pub(crate) compared: Option<&'f KeyFilter>,
}

/// The data set that results from joining two views of a log.
pub(crate) struct JoinedSource<'l> {
    logs: [&'l Log; 2],
    pair: Pair<'l>,
    how: How<'l>,
    pub(crate) tallies: Tallies,
}

impl<'l> JoinedSource<'l> {
    /// Creates the source from the older and the newer side, which are two views of one log or two logs.
    pub(crate) fn new(
        sides: [(&'l Log, &RouteOptions); 2],
        how: How<'l>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let pair = route_together(sides, progress)?;
        let logs = sides.map(|(log, _)| log);
        Ok(JoinedSource { logs, pair, how, tallies: Tallies::default() })
    }

    /// Returns whether the older side wins where both sides have something.
    fn older_wins(&self) -> bool {
        self.how.rule != Rule::Merge(Winner::Newer)
    }

    /// Returns the function libraries of both sides.
    pub(crate) fn functions(&self, server: Server) -> Result<UnitedFunctions> {
        let [older, newer] = self.pair.whole();
        let (older, newer) = (older.non_key(server)?.functions, newer.non_key(server)?.functions);
        Ok(unite::functions(&older, &newer))
    }
}

impl Source for JoinedSource<'_> {
    fn whole(&self) -> &Routed<'_> {
        self.pair.whole()[1]
    }

    fn non_key(&self, server: Server) -> Result<NonKeyData<'_>> {
        let [older, newer] = self.pair.whole();
        let newer = newer.non_key(server)?;
        if !self.how.unites {
            return Ok(newer);
        }
        unite::non_key(older.non_key(server)?, newer, self.older_wins())
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

impl How<'_> {
    /// Moves the entries to restore from `older` to `newer`.
    fn join<'a>(&self, older: &mut Keyspace<'a>, newer: &mut Keyspace<'a>) -> Tally {
        let mut tally = Tally::default();
        let numbers: Vec<u32> = older.databases().map(crate::keyspace::Db::number).collect();
        if let (Rule::Replace, Some(db)) = (self.rule, self.db) {
            newer.db(db).clear();
        }
        if self.compared.is_some() {
            self.compare(older, newer, &mut tally);
        }
        for db in numbers.into_iter().filter(|db| self.db.is_none_or(|only| only == *db)) {
            let keys = older.db(db).entries().map(Entry::key).filter(|key| self.wants(db, key));
            let keys: Vec<&'a [u8]> = keys.collect();
            for entry in keys.into_iter().filter_map(|key| older.db(db).remove(key)) {
                self.join_key(db, entry, newer, &mut tally);
            }
        }
        tally
    }

    fn wants(&self, db: u32, key: &[u8]) -> bool {
        self.compared.is_none_or(|filter| filter.wants_db(db) && filter.wants_name(key))
    }

    /// Counts the keys of the newer side that the older one lacks, and those that are equal on both.
    fn compare(&self, older: &mut Keyspace<'_>, newer: &Keyspace<'_>, tally: &mut Tally) {
        let mut scratch = Fingerprint::default();
        let mut print = |db: u32, entry: &Entry<'_>| scratch.of_entry(db, entry, Detail::default());
        for db in newer.databases() {
            let number = db.number();
            for entry in db.entries().filter(|entry| self.wants(number, entry.key())) {
                match older.db(number).get(entry.key()) {
                    None => tally.only_newer += 1,
                    Some(other) if print(number, other) == print(number, entry) => tally.equal += 1,
                    Some(_) => {}
                }
            }
        }
    }

    fn join_key<'a>(
        &self,
        db: u32,
        mut entry: Entry<'a>,
        newer: &mut Keyspace<'a>,
        tally: &mut Tally,
    ) {
        let other = newer.db(db).get(entry.key());
        let exists = other.is_some();
        let wins = match self.rule {
            Rule::Merge(winner) => !exists || winner == Winner::Older,
            Rule::Replace => true,
        };
        tally.on_both_sides += u64::from(exists);
        if let Some(other) = other {
            match wins {
                true => tally.taken(db, &entry, other),
                false => tally.taken(db, other, &entry),
            }
        }
        let has_passed = entry.expires_ms().is_some_and(|time| time < self.now_ms);
        let expired = self.expired.filter(|_| wins && has_passed && self.rule != Rule::Replace);
        if let Some(expired) = expired {
            tally.expired(db, entry.key());
            match expired {
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

/// Inserts an entry with its expiry and what else is attached to it into a keyspace.
pub(super) fn put<'a>(db: u32, entry: Entry<'a>, keyspace: &mut Keyspace<'a>) {
    if matches!(entry.value, Value::Opaque(_)) {
        keyspace.note_opaque();
    }
    let expires_ms = entry.expires_ms();
    let meta = entry.meta().cloned().map(Box::new);
    let put = keyspace.db(db).set(entry.key(), entry.value);
    put.set_expiry(expires_ms);
    put.set_meta(meta);
}
