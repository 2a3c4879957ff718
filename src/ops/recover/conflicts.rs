//! What comes out otherwise when later commands are run again on data that they never saw.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::keyspace_summary::Holdings;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::Progress;
use crate::command::{CommandId, Position};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Entry, Keyspace};
use crate::replay::windows::each_pair;
use crate::replay::{Happened, ReplayOptions, RouteOptions, replay_pair, route_together};

/// How a log with something taken out differs from the log as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conflicts {
    /// Keys that are there only now that it is taken out.
    pub brought_back: u64,
    /// Keys that come out just as they are without it.
    pub unchanged: u64,
    /// Keys of the log as it is that come out with another value: old and new data are mixed in them.
    pub mixed: u64,
    /// Of another type, for later commands failed on the old value.
    pub other_type: u64,
    /// With the same value, and another expiry: mostly that of the old key.
    pub other_expiry: u64,
    /// Keys of the log as it is that are not there.
    pub missing: u64,
    /// Some of the keys that come out otherwise, with how.
    pub examples: Vec<Example>,
    /// Commands that fail now and did not, or the other way round.
    pub commands: Vec<Turned>,
}

/// A key that comes out otherwise.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Example {
    /// Its database.
    pub db: u32,
    /// Its name, made printable.
    pub key: String,
    /// How: `mixed`, `other-type`, `other-expiry`, `missing`.
    pub how: &'static str,
}

/// A sort of command that ends otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turned {
    /// Its name.
    pub command: &'static str,
    /// The error.
    pub error: &'static str,
    /// How many fail with it as the log is.
    pub failed_before: u64,
    /// How many fail with it now.
    pub fail_now: u64,
    /// The part in which the first stands, by file name.
    pub part: String,
    /// Where it stands there.
    pub offset: u64,
}

/// Keys that are named.
const NAMED: usize = 20;

impl Conflicts {
    /// Whether a later command comes out otherwise.
    pub fn any(&self) -> bool {
        let keys = self.mixed + self.other_type + self.other_expiry + self.missing;
        keys > 0 || !self.commands.is_empty()
    }

    fn join(&mut self, other: Conflicts) {
        self.brought_back += other.brought_back;
        self.unchanged += other.unchanged;
        self.mixed += other.mixed;
        self.other_type += other.other_type;
        self.other_expiry += other.other_expiry;
        self.missing += other.missing;
        self.examples.extend(other.examples);
        self.examples.sort();
        self.examples.truncate(NAMED);
    }

    fn example(&mut self, db: u32, key: &[u8], how: &'static str) {
        if self.examples.len() < NAMED {
            self.examples.push(Example { db, key: Shown(key).to_string(), how });
        }
    }

    fn of_share(as_it_is: &mut Keyspace<'_>, cut: &mut Keyspace<'_>) -> Conflicts {
        let mut found = Conflicts::default();
        let mut fingerprint = Fingerprint::default();
        let mut same = |db: u32, one: &Entry<'_>, other: &Entry<'_>| {
            let mut of = |entry: &Entry<'_>| fingerprint.of_entry(db, entry, Detail::All);
            of(one) == of(other)
        };
        let numbers: Vec<u32> = as_it_is.databases().map(crate::keyspace::Db::number).collect();
        for db in numbers {
            for entry in as_it_is.db(db).entries() {
                let key = entry.key();
                let Some(now) = cut.db(db).get(key) else {
                    found.missing += 1;
                    found.example(db, key, "missing");
                    continue;
                };
                if same(db, entry, now) {
                    found.unchanged += 1;
                } else if entry.value.kind() != now.value.kind() {
                    found.other_type += 1;
                    found.example(db, key, "other-type");
                } else {
                    let mut with_expiry = now.clone();
                    with_expiry.set_expiry(entry.expires_ms());
                    if same(db, entry, &with_expiry) {
                        found.other_expiry += 1;
                        found.example(db, key, "other-expiry");
                    } else {
                        found.mixed += 1;
                        found.example(db, key, "mixed");
                    }
                }
            }
        }
        for db in cut.databases() {
            let number = db.number();
            let back = db.entries().filter(|entry| !as_it_is.db(number).contains(entry.key()));
            found.brought_back += back.count() as u64;
        }
        found
    }
}

/// Replays a log as it is and with something left out, side by side. Gives what differs, and what the second holds.
pub(super) fn conflicts(
    log: &Log,
    [as_it_is, cut]: [&RouteOptions; 2],
    replay: &ReplayOptions,
    progress: &dyn Progress,
) -> Result<(Conflicts, Holdings)> {
    let pair = route_together([(log, as_it_is), (log, cut)], progress)?;
    let mut found = Conflicts::default();
    let mut holdings = Holdings::default();
    let happened = each_pair(&pair, "compare", progress, |routed| {
        let make = |_, [one, other]: [&mut Keyspace<'_>; 2]| {
            Ok((Conflicts::of_share(one, other), Holdings::of(other)))
        };
        let take = |_, (more, held): (Conflicts, Holdings)| {
            found.join(more);
            holdings.join(&held);
            Ok(())
        };
        replay_pair(routed, [replay, replay], progress, make, take)
    })?;
    found.commands = turned(log, &happened);
    Ok((found, holdings))
}

/// Errors with which another number of commands ends.
fn turned(log: &Log, [before, now]: &[Happened; 2]) -> Vec<Turned> {
    let mut all: BTreeMap<(CommandId, &'static str), (u64, u64, Position)> = BTreeMap::new();
    for (what, (count, at)) in &before.failed {
        all.insert(*what, (*count, 0, *at));
    }
    for (what, (count, at)) in &now.failed {
        let seen = all.entry(*what).or_insert((0, 0, *at));
        seen.1 = *count;
    }
    let differ = all.into_iter().filter(|(_, (before, now, _))| before != now);
    let turned = differ.map(|((id, error), (failed_before, fail_now, at))| Turned {
        command: id.row().name,
        error,
        failed_before,
        fail_now,
        part: log.part_name(at.part),
        offset: at.offset,
    });
    turned.collect()
}
