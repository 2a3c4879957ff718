//! Observing one shard of a replay: which command removed which key.

use hashbrown::HashMap;

use super::bursts::{Cause, CellId, Removal};
use super::event_index::EventIndex;
use super::losses::{Deletions, Losses};
use crate::analysis::key_course::Course;
use crate::command::{COUNT, CommandId, Destruction, Position, TABLE};
use crate::keyspace::{Db, Entry, Keyspace};
use crate::replay::{Observed, Outcome};

/// What has to be known before a command of a kind is run, by command ID.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watch {
    /// Nothing. A key that it removes or replaces is noticed afterwards.
    No,
    /// It is part of an event that the scan finds, such as a FLUSHALL or a RENAME.
    Event,
    /// It removes the keys that it names.
    Deletes,
    /// It sets an expiry.
    Expires,
    /// It gives a key another name or database, and replaces none.
    Moves,
}

/// See [`Watch`].
pub(super) static WATCH: [Watch; COUNT] = {
    let mut watched = [Watch::No; COUNT];
    let mut id = 0;
    while id < COUNT {
        watched[id] = match TABLE[id].destruction {
            Some(Destruction::Keys | Destruction::ReturnedKey) => Watch::Deletes,
            Some(
                Destruction::AllDatabases
                | Destruction::Database
                | Destruction::Slot
                | Destruction::Destination,
            ) => Watch::Event,
            _ => Watch::No,
        };
        id += 1;
    }
    watched[CommandId::named("MOVE").index()] = Watch::Moves;
    watched[CommandId::named("RENAMENX").index()] = Watch::Moves;
    watched[CommandId::named("EXPIRE").index()] = Watch::Expires;
    watched[CommandId::named("PEXPIRE").index()] = Watch::Expires;
    watched[CommandId::named("EXPIREAT").index()] = Watch::Expires;
    watched[CommandId::named("PEXPIREAT").index()] = Watch::Expires;
    watched
};

/// The number of the last commands of a shard whose key is remembered.
const RECENT: usize = 4;

/// The number of bytes within which a key is written and given an expiry that is meant to pass: about a dozen short
/// commands.
const AT_ONCE: u64 = 512;

/// The times that decide whether a key has expired.
pub(super) struct Clock<'c> {
    /// The current time, in Unix milliseconds.
    pub(super) now_ms: i64,
    /// The time at which the log ends, in Unix milliseconds.
    pub(super) end_ms: i64,
    /// Returns the time of the last annotation before a command, in Unix seconds.
    pub(super) recorded: &'c (dyn Fn(Position) -> Option<i64> + Sync),
}

impl Clock<'_> {
    /// Returns the latest time at which a command can have been run, in Unix milliseconds.
    fn at(&self, at: Position) -> i64 {
        let recorded = (self.recorded)(at);
        recorded.map_or(self.end_ms, |seconds| seconds.saturating_add(1).saturating_mul(1000))
    }
}

/// A key that was removed.
#[derive(Debug, Clone, Copy)]
struct Gone {
    at: Position,
    expires_ms: Option<i64>,
    /// Whether DEL, UNLINK or GETDEL removed it.
    is_deleted: bool,
    /// The cell in which it is counted, unless it expired.
    cell: Option<CellId>,
}

/// An expiry that a command set on a key without one.
#[derive(Debug, Clone, Copy)]
struct NewExpiry {
    at: Position,
    end: u64,
    cell: CellId,
    /// Whether a server has removed the key because of it.
    is_removed: bool,
}

/// The counters of one shard during the replay.
pub(super) struct ShardLosses<'c, 'a> {
    course: &'c Course,
    clock: &'c Clock<'c>,
    events: &'c EventIndex<'c>,
    losses: Losses,
    /// The number of keys before the next command.
    keys: usize,
    gone: HashMap<(u32, &'a [u8]), Gone>,
    expiries: HashMap<(u32, &'a [u8]), NewExpiry>,
    /// The keys that the current command may delete.
    pending: Vec<(u32, &'a [u8], Option<i64>)>,
    /// The keys of the last commands, with the positions of these commands, and their lengths if these are known.
    recent: [(&'a [u8], Position, Option<usize>); RECENT],
    next: usize,
    /// The key that the current command gives an expiry, if it has none.
    without_expiry: Option<&'a [u8]>,
}

fn end(seen: &Observed<'_, '_>) -> u64 {
    seen.at.offset.saturating_add(seen.length() as u64)
}

impl<'c, 'a> ShardLosses<'c, 'a> {
    pub(super) fn new(
        course: &'c Course,
        clock: &'c Clock<'c>,
        events: &'c EventIndex<'c>,
    ) -> Self {
        let places = course.len();
        let losses = Losses {
            otherwise: vec![0; places + 1],
            first: vec![None; places + 1],
            ..Losses::default()
        };
        ShardLosses {
            course,
            clock,
            events,
            losses,
            keys: 0,
            gone: HashMap::new(),
            expiries: HashMap::new(),
            pending: Vec::new(),
            recent: [(&[], Position::default(), Some(0)); RECENT],
            next: 0,
            without_expiry: None,
        }
    }

    pub(super) fn part_begins(&mut self, keyspace: &Keyspace<'a>) {
        self.keys = keyspace.len();
    }

    fn has_passed(&self, expires_ms: Option<i64>) -> bool {
        expires_ms.is_some_and(|time| time < self.clock.now_ms)
    }

    #[inline]
    pub(super) fn before(
        &mut self,
        seen: &Observed<'_, 'a>,
        watch: Watch,
        keyspace: &mut Keyspace<'a>,
    ) {
        while let Some(place) = self.course.place(self.losses.counts.taken())
            && place <= seen.at
        {
            self.losses.counts.take(keyspace);
        }
        match watch {
            Watch::Deletes => self.may_go(seen, keyspace),
            Watch::Expires => self.may_expire(seen, keyspace),
            Watch::No | Watch::Event | Watch::Moves => {}
        }
    }

    #[cold]
    fn may_go(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let db = keyspace.db(seen.db);
        for key in seen.args.iter().skip(1) {
            if let Some(entry) = db.get(key) {
                self.pending.push((seen.db, key, entry.expires_ms()));
            }
        }
    }

    fn may_expire(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let Some(&key) = seen.args.get(1) else { return };
        let entry = keyspace.db(seen.db).get(key);
        let lasts = entry.is_some_and(|entry| entry.expires_ms().is_none());
        let is_new = self.recent.iter().any(|(recent, at, length)| {
            *recent == key && at.part == seen.at.part && {
                let length = length.unwrap_or_else(|| seen.length_at(at.offset));
                let distance = seen.at.offset.checked_sub(at.offset + length as u64);
                distance.is_some_and(|distance| distance <= AT_ONCE)
            }
        });
        self.without_expiry = Some(key).filter(|_| lasts && !is_new);
    }

    #[inline]
    pub(super) fn after(
        &mut self,
        seen: &Observed<'_, 'a>,
        watch: Watch,
        outcome: Outcome,
        keyspace: &mut Keyspace<'a>,
    ) {
        let before = std::mem::replace(&mut self.keys, keyspace.len());
        if !self.pending.is_empty() {
            self.went(seen, keyspace);
        } else if self.keys < before {
            self.emptied(seen, watch, (before - self.keys) as u64);
        } else if self.without_expiry.is_some() {
            self.expires(seen, keyspace);
        }
        if matches!(watch, Watch::Event | Watch::Moves) && outcome == Outcome::Done {
            self.may_rename(seen);
        }
        let key = seen.args.get(1).copied().unwrap_or_default();
        let retyped = keyspace.db(seen.db).take_retyped();
        if retyped > 0 && watch == Watch::No && outcome == Outcome::Done {
            self.overwritten(seen, key);
        }
        self.recent[self.next % RECENT] = (key, seen.at, seen.known_length());
        self.next = self.next.wrapping_add(1);
    }

    #[cold]
    fn may_rename(&mut self, seen: &Observed<'_, 'a>) {
        const RENAMES: [CommandId; 3] =
            [CommandId::named("RENAME"), CommandId::named("RENAMENX"), CommandId::named("MOVE")];
        self.losses.counted.renamed += u64::from(seen.id.is_some_and(|id| RENAMES.contains(&id)));
    }

    fn cell(&self, seen: &Observed<'_, '_>, kind: Removal) -> Option<CellId> {
        Some((Cause { db: seen.db, id: seen.id?, kind }, self.losses.counts.taken()))
    }

    /// Counts a key that the current command removed.
    fn lost(&mut self, seen: &Observed<'_, 'a>, kind: Removal, key: &'a [u8]) -> Option<CellId> {
        let cell = self.cell(seen, kind)?;
        self.losses.cells.count(cell, seen.at, end(seen), key);
        Some(cell)
    }

    #[cold]
    fn went(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        for (db, key, expires_ms) in std::mem::take(&mut self.pending) {
            if keyspace.db(db).contains(key) {
                continue;
            }
            let earlier = self.gone.get(&(db, key));
            if earlier.is_some_and(|earlier| earlier.at == seen.at) {
                // The command named the key twice.
                continue;
            }
            // A server logs the removal of a key that expired as a DEL or UNLINK.
            let is_expired = expires_ms.is_some_and(|time| time <= self.clock.at(seen.at));
            let cell = if is_expired {
                if let Some(expiry) = self.expiries.get_mut(&(db, key)) {
                    expiry.is_removed = true;
                }
                None
            } else {
                self.expiries.remove(&(db, key));
                if let Some(event) = self.events.deletion_at(seen.at) {
                    self.losses.runs.count(event, seen.at, end(seen), key);
                }
                self.lost(seen, Removal::Deleted, key)
            };
            self.gone.insert((db, key), Gone { at: seen.at, expires_ms, is_deleted: true, cell });
            self.losses.counted.removed += 1;
            if self.has_passed(expires_ms) {
                let taken = self.losses.counts.taken();
                self.losses.otherwise[taken] += 1;
            }
        }
    }

    #[cold]
    fn emptied(&mut self, seen: &Observed<'_, 'a>, watch: Watch, keys: u64) {
        let taken = self.losses.counts.taken();
        self.losses.otherwise[taken] += keys;
        if watch == Watch::Event {
            return;
        }
        self.losses.counted.emptied += keys;
        let key = seen.args.get(1).copied().unwrap_or_default();
        if let Some(cell) = self.lost(seen, Removal::Emptied, key) {
            let gone = Gone { at: seen.at, expires_ms: None, is_deleted: false, cell: Some(cell) };
            self.gone.insert((seen.db, key), gone);
        }
    }

    #[cold]
    fn overwritten(&mut self, seen: &Observed<'_, 'a>, key: &'a [u8]) {
        if let Some(cell) = self.lost(seen, Removal::Overwritten, key) {
            self.losses.cells.is_gone(cell);
        }
    }

    fn expires(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        let Some(key) = self.without_expiry.take() else { return };
        let expires_ms = keyspace.db(seen.db).get(key).and_then(Entry::expires_ms);
        if expires_ms.is_some_and(|time| time <= self.clock.end_ms)
            && let Some(cell) = self.cell(seen, Removal::Expired)
        {
            let expiry = NewExpiry { at: seen.at, end: end(seen), cell, is_removed: false };
            self.expiries.insert((seen.db, key), expiry);
        }
    }

    pub(super) fn finish(mut self, keyspace: &mut Keyspace<'a>) -> Losses {
        self.losses.counts.finish(self.course, keyspace);
        for ((db, key), gone) in std::mem::take(&mut self.gone) {
            if !keyspace.db(db).contains(key) {
                self.is_gone(gone);
            }
        }
        for ((db, key), expiry) in std::mem::take(&mut self.expiries) {
            let expires_ms = keyspace.db(db).get(key).map(Entry::expires_ms);
            let is_gone = match expires_ms {
                // It was removed, or by another command.
                None => expiry.is_removed,
                Some(expires_ms) => expires_ms.is_some_and(|time| time <= self.clock.end_ms),
            };
            if is_gone || expiry.is_removed {
                self.losses.cells.count(expiry.cell, expiry.at, expiry.end, key);
            }
            if is_gone {
                self.losses.cells.is_gone(expiry.cell);
            }
        }
        let entries = keyspace.databases().flat_map(Db::entries);
        let passed = entries.filter(|entry| self.has_passed(entry.expires_ms())).count();
        self.losses.counted.expired_at_end = passed as u64;
        self.losses
    }

    /// Counts a key that is missing at the end.
    fn is_gone(&mut self, gone: Gone) {
        let Gone { at, expires_ms, is_deleted, cell } = gone;
        if let Some(cell) = cell {
            self.losses.cells.is_gone(cell);
        }
        if !is_deleted {
            return;
        }
        let has_passed = self.has_passed(expires_ms);
        let counted: &mut Deletions = &mut self.losses.counted;
        counted.gone += 1;
        counted.expired += u64::from(has_passed);
        if has_passed {
            return;
        }
        counted.recoverable += 1;
        let first = &mut self.losses.first[self.course.reached(at)];
        *first = first.iter().chain(std::iter::once(&at)).min().copied();
        if let Some(event) = self.events.deletion_at(at) {
            let by_event = &mut self.losses.by_event;
            by_event.resize(by_event.len().max(event + 1), 0);
            by_event[event] += 1;
        }
    }
}
