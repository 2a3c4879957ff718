//! Comparison of a replay with an event removed against a replay of the log as it is: later commands then run on data
//! that they never saw.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::escape::Shown;
use crate::base::progress::Progress;
use crate::command::{CommandId, Position};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Entry, Keyspace};
use crate::replay::pair::each_pair;
use crate::replay::{ReplayOptions, ReplayStats, RouteOptions, replay_pair, route_together};

/// The differences between the result of a log with something removed and the result of the log as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Conflicts {
    /// The number of keys that exist only after the removal.
    pub brought_back: u64,
    /// The number of keys that are identical with and without the removal.
    pub unchanged: u64,
    /// The number of keys of the unmodified log that get another value: they mix old and new data.
    pub mixed: u64,
    /// The number of keys that get another type, because later commands failed on the old value.
    pub other_type: u64,
    /// The number of keys with the same value but another expiry, mostly that of the old key.
    pub other_expiry: u64,
    /// The number of keys of the unmodified log that are missing after the removal.
    pub missing: u64,
    /// Examples of keys that differ, with the kind of difference.
    pub examples: Vec<Example>,
    /// Commands that fail only after the removal, or only without it.
    pub(crate) commands: Vec<Turned>,
}

/// A key that differs after the removal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Example {
    /// The database number.
    pub db: u32,
    /// The key name, escaped for display.
    pub key: String,
    /// The kind of difference: `mixed`, `other-type`, `other-expiry` or `missing`.
    pub how: &'static str,
}

/// A command whose number of failures with one error differs after the removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Turned {
    /// The command name.
    pub(crate) command: &'static str,
    /// The error.
    pub(crate) error: &'static str,
    /// The number of commands that fail with this error in the unmodified log.
    pub(crate) failed_before: u64,
    /// The number of commands that fail with this error after the removal.
    pub(crate) fail_now: u64,
    /// The file name of the part that contains the first such command.
    pub(crate) part: String,
    /// The byte offset of that command in the part.
    pub(crate) offset: u64,
}

/// The maximum number of keys that are named as examples.
const NAMED: usize = 20;

impl Conflicts {
    /// Returns whether any later command has a different outcome.
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

/// Replays a log as it is and with something removed, side by side. Returns the differences and a summary of the second
/// result.
pub(super) fn conflicts(
    log: &Log,
    [as_it_is, cut]: [&RouteOptions; 2],
    replay: &ReplayOptions,
    progress: &dyn Progress,
) -> Result<(Conflicts, KeyspaceSummary)> {
    let pair = route_together([(log, as_it_is), (log, cut)], progress)?;
    let mut found = Conflicts::default();
    let mut holdings = KeyspaceSummary::default();
    let stats = each_pair(&pair, "compare", progress, |routed| {
        let make = |_, [one, other]: [&mut Keyspace<'_>; 2]| {
            Ok((Conflicts::of_share(one, other), KeyspaceSummary::from_keyspace(other)))
        };
        let take = |_, (more, held): (Conflicts, KeyspaceSummary)| {
            found.join(more);
            holdings.join(&held);
            Ok(())
        };
        replay_pair(routed, [replay, replay], progress, make, take)
    })?;
    found.commands = turned(log, &stats);
    Ok((found, holdings))
}

/// Returns the errors whose number of failing commands differs between the two replays.
fn turned(log: &Log, [before, now]: &[ReplayStats; 2]) -> Vec<Turned> {
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
