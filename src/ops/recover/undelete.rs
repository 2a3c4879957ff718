//! Restoring single keys to their state just before they were last deleted or flushed.

use hashbrown::HashMap;

use super::join::{Expired, Tallies, Tally, Winner, put};
use super::timeline::Event;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::progress::Progress;
use crate::base::units::counted;
use crate::command::{CommandId, Position, lookup};
use crate::keyspace::{Db, Entry, Keyspace};
use crate::ops::compact::{Made, MakeShare, Source, TakeShare};
use crate::ops::repair::retained_ranges;
use crate::replay::pair::each_window;
use crate::replay::{
    Observed, Observer, Outcome, ReplayOptions, ReplayStats, Routed, Routing, ShardObserver,
    replay_watched,
};

/// The keys to restore.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    pub(super) globs: Vec<Glob>,
    /// The database of the keys; `None` for all databases.
    pub(super) db: Option<u32>,
    pub(super) expired: Expired,
    /// The current time, in Unix milliseconds.
    pub(super) now_ms: i64,
    /// Whether patterns leave out keys that were last removed by a command that names them. A name without special
    /// characters does not.
    pub(super) flushed_only: bool,
    /// Whether the data set consists of the restored keys alone, also of those whose expiry has passed.
    pub(super) alone: bool,
    /// The event that removed the keys; `None` for all events.
    pub(super) within: Option<Within>,
}

/// The event whose keys are restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Within {
    /// The number of the event.
    pub(super) event: u64,
    pub(super) winner: Winner,
    /// The command that removed the keys; `None` for commands that remove the keys that they name.
    command: Option<CommandId>,
    start: Position,
    end: Position,
}

impl Within {
    pub(super) fn new(event: &Event, winner: Winner) -> Self {
        let at = |part: usize, offset| Position {
            part: u32::try_from(part).unwrap_or(u32::MAX),
            offset,
        };
        let command = event.command.as_deref().and_then(|name| lookup(name.as_bytes()));
        Within {
            event: event.number,
            winner,
            command,
            start: at(event.part_index, event.offset),
            end: at(event.last_part_index, event.last_end),
        }
    }

    fn contains(&self, seen: &Observed<'_, '_>) -> bool {
        (self.start..self.end).contains(&seen.at)
            && (self.command.is_none() || self.command == seen.id)
    }
}

impl Wanted {
    fn wants(&self, db: u32, key: &[u8]) -> bool {
        self.db.is_none_or(|only| only == db) && self.globs.iter().any(|glob| glob.matches(key))
    }

    /// Returns whether a key is restored that a command removed by its name.
    fn wants_named(&self, key: &[u8]) -> bool {
        let is_named = |glob: &Glob| glob.is_literal() && glob.matches(key);
        !self.flushed_only || self.globs.iter().any(is_named)
    }
}

impl Wanted {
    /// Refuses a result in which no key was restored: it would be the log as it is.
    fn refuse_nothing(&self, tally: &Tally) -> Result<()> {
        if tally.brought_back > 0 {
            return Ok(());
        }
        let message = "no deleted key matches --undelete";
        let error = Error::new(ErrorKind::NoSuchKey, message);
        Err(match (tally.expired, tally.on_both_sides) {
            (0, 0) if self.flushed_only => error.help("nothing was sent; a pattern leaves out keys that a command deleted: --also-deleted takes them, and so does --undelete with the name of a key"),
            (0, 0) => error.help("nothing was written; `aofkit log PATH --command del,unlink` lists what was deleted"),
            (0, exist) => {
                let exist = counted(exist, "key");
                error.help(format!("nothing was written; {exist} that match were created again since, and exist"))
            }
            (expired, _) => {
                let expired = counted(expired, "key");
                error.help(format!("nothing was written; {expired} that match expired in the meantime: --expired persist restores them without an expiry"))
            }
        })
    }
}

/// The data set of a log with the requested keys restored.
pub(super) struct Undeleted<'l> {
    pub(super) log: &'l Log,
    /// The routing of the log, without removal of dead commands.
    pub(super) routing: Routing<'l>,
    pub(super) wanted: Wanted,
    pub(super) tallies: Tallies,
}

impl Source for Undeleted<'_> {
    fn whole(&self) -> &Routed<'_> {
        self.routing.whole()
    }

    fn shards(
        &self,
        options: &ReplayOptions,
        progress: &dyn Progress,
        make: &MakeShare<'_>,
        take: &mut TakeShare<'_>,
    ) -> Result<ReplayStats> {
        self.tallies.begin();
        let watch = Stashing { wanted: &self.wanted, tallies: &self.tallies, make };
        let stats = each_window(&self.routing, "replay", progress, |routed| {
            replay_watched(routed, options, progress, &watch, &mut *take)
        })?;
        self.tallies.look(|tally| self.wanted.refuse_nothing(tally)).map(|()| stats)
    }

    fn logs(&self) -> Vec<&Log> {
        vec![self.log]
    }

    fn may_be_published(&self) -> Result<()> {
        retained_ranges::unchanged(self.log)
    }
}

struct Stashing<'w> {
    wanted: &'w Wanted,
    tallies: &'w Tallies,
    make: &'w MakeShare<'w>,
}

/// The deleted keys of one shard.
struct Stash<'w, 'a> {
    wanted: &'w Wanted,
    deleted: HashMap<(u32, &'a [u8]), Removed<'a>>,
    /// The keys that the current command may delete.
    pending: Vec<(u32, Entry<'a>)>,
}

/// A key that was removed.
struct Removed<'a> {
    entry: Entry<'a>,
    /// Whether the command removed it by its name, rather than with all keys of its database.
    by_name: bool,
}

impl<'w> ShardObserver for Stashing<'w> {
    type Observer<'a> = Stash<'w, 'a>;
    type Made = Made;
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> Stash<'w, 'a> {
        Stash { wanted: self.wanted, deleted: HashMap::new(), pending: Vec::new() }
    }

    fn finish<'a>(
        &self,
        shard: usize,
        observer: Stash<'w, 'a>,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Made> {
        self.tallies.join(observer.bring_back(keyspace));
        (self.make)(shard, keyspace)
    }
}

impl<'a> Stash<'_, 'a> {
    fn may_go(&mut self, db: &Db<'a>) {
        let entries = db.entries().filter(|entry| self.wanted.wants(db.number(), entry.key()));
        self.pending.extend(entries.map(|entry| (db.number(), entry.clone())));
    }

    /// Notes the keys that a command names.
    fn keys_of(&mut self, id: CommandId, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let (args, wanted, pending) = (seen.args, self.wanted, &mut self.pending);
        let db = keyspace.db(seen.db);
        // An invalid command fails on a server, too.
        let _ = id.row().visit_keys(
            args.len(),
            |at| args.get(at).copied().unwrap_or_default(),
            |at| {
                if let Some(key) = args.get(at).filter(|key| wanted.wants(seen.db, key))
                    && let Some(entry) = db.get(key)
                {
                    pending.push((seen.db, entry.clone()));
                }
            },
        );
    }

    /// Retains the keys that the event removed, replaced by another type, or gave an expiry.
    fn changed(&mut self, id: Option<CommandId>, keyspace: &mut Keyspace<'a>) {
        let replaces = matches!(id, Some(CommandId::RENAME | CommandId::COPY));
        for (number, entry) in self.pending.drain(..) {
            let is_same = |now: &Entry<'a>| {
                let is_expiring = entry.expires_ms().is_none() && now.expires_ms().is_some();
                !replaces && now.value.kind() == entry.value.kind() && !is_expiring
            };
            if keyspace.db(number).get(entry.key()).is_some_and(is_same) {
                continue;
            }
            // Its state before the event, although the event may have removed it several times.
            let key = (number, entry.key());
            self.deleted.entry(key).or_insert(Removed { entry, by_name: false });
        }
    }

    fn bring_back(self, keyspace: &mut Keyspace<'a>) -> Tally {
        let mut tally = Tally::default();
        // Sorted, so that the order does not depend on a hash.
        let mut deleted: Vec<_> = self.deleted.into_iter().collect();
        deleted.sort_by_key(|(of, _)| *of);
        let mut restored = Vec::new();
        let older_wins =
            self.wanted.within.as_ref().is_some_and(|within| within.winner == Winner::Older);
        for ((db, key), Removed { mut entry, by_name }) in deleted {
            if let Some(newer) = keyspace.db(db).get(key) {
                // A key that the event gave an expiry is there until a server loads the log.
                let is_expired = newer.expires_ms().is_some_and(|time| time < self.wanted.now_ms);
                if !is_expired || self.wanted.within.is_none() {
                    tally.on_both_sides += 1;
                    if !older_wins {
                        tally.taken(db, newer, &entry);
                        continue;
                    }
                    tally.taken(db, &entry, newer);
                }
            }
            if by_name && !self.wanted.wants_named(key) {
                continue;
            }
            let has_passed = entry.expires_ms().is_some_and(|time| time < self.wanted.now_ms);
            if has_passed && !self.wanted.alone {
                tally.expired(db, key);
                match self.wanted.expired {
                    Expired::Drop => continue,
                    Expired::Persist => entry.set_expiry(None),
                }
            }
            tally.brought_back += 1;
            restored.push((db, entry));
        }
        if self.wanted.alone {
            keyspace.clear();
        }
        for (db, entry) in restored {
            put(db, entry, keyspace);
        }
        tally
    }
}

impl<'a> Observer<'a> for Stash<'_, 'a> {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        if self.wanted.within.as_ref().is_some_and(|within| !within.contains(seen)) {
            return;
        }
        match seen.id {
            Some(CommandId::FLUSHALL | CommandId::CLUSTER) => {
                keyspace.databases().for_each(|db| self.may_go(db));
            }
            Some(CommandId::FLUSHDB) => self.may_go(keyspace.db(seen.db)),
            Some(CommandId::DEL | CommandId::UNLINK | CommandId::GETDEL) => {
                for key in seen.args.iter().skip(1) {
                    if self.wanted.wants(seen.db, key)
                        && let Some(entry) = keyspace.db(seen.db).get(key)
                    {
                        self.pending.push((seen.db, entry.clone()));
                    }
                }
            }
            // The command that an event consists of.
            Some(id) if self.wanted.within.is_some() => self.keys_of(id, seen, keyspace),
            _ => {}
        }
    }

    fn after(&mut self, seen: &Observed<'_, 'a>, _: Outcome, keyspace: &mut Keyspace<'a>) {
        if self.pending.is_empty() {
            return;
        }
        if self.wanted.within.is_some() {
            return self.changed(seen.id, keyspace);
        }
        let by_name =
            matches!(seen.id, Some(CommandId::DEL | CommandId::UNLINK | CommandId::GETDEL));
        for (db, entry) in self.pending.drain(..) {
            if !keyspace.db(db).contains(entry.key()) {
                self.deleted.insert((db, entry.key()), Removed { entry, by_name });
            }
        }
    }
}
