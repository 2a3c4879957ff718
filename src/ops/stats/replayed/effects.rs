//! What the commands of a log did to its keys.

use std::cmp::Reverse;
use std::sync::LazyLock;

use hashbrown::HashMap;

use crate::analysis::key_course::{Course, KeyCounts};
use crate::base::escape::OwnedText;
use crate::command::{Command, CommandId, Destruction, Keys, TABLE, database_index};
use crate::keyspace::Keyspace;
use crate::ops::stats::report::{Effects, WrittenKey};
use crate::ops::stats::top::{Top, reported_name};
use crate::replay::{Observed, Observer, Outcome};

/// The counts of one shard, or of all.
#[derive(Debug, Default)]
pub(super) struct EffectCounts {
    writes: u64,
    overwrites: u64,
    created: u64,
    deleted: u64,
    short_lived: u64,
    failed: u64,
    most_written: Top<Busy>,
}

/// A key with many writes; ordered by their number, then by database and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Busy {
    writes: u64,
    bytes: u64,
    of: Reverse<(u32, Vec<u8>)>,
    exists: bool,
}

impl EffectCounts {
    pub(super) fn join(&mut self, other: EffectCounts) {
        self.writes += other.writes;
        self.overwrites += other.overwrites;
        self.created += other.created;
        self.deleted += other.deleted;
        self.short_lived += other.short_lived;
        self.failed += other.failed;
        self.most_written.join(other.most_written);
    }

    pub(super) fn finish(self, rewritten_bytes: u64) -> Effects {
        let most_written = self.most_written.into_sorted().into_iter().map(|busy| {
            let Reverse((db, key)) = busy.of;
            WrittenKey {
                db,
                key: OwnedText(key),
                writes: busy.writes,
                bytes: busy.bytes,
                exists: busy.exists,
            }
        });
        Effects {
            writes: self.writes,
            overwrites: self.overwrites,
            created: self.created,
            deleted: self.deleted,
            short_lived: self.short_lived,
            failed: self.failed,
            most_written: most_written.collect(),
            rewritten_bytes,
        }
    }
}

/// Counts the effects in one shard.
pub(in crate::ops::stats) struct EffectObserver<'c, 'a> {
    course: &'c Course,
    /// The number of keys at each point that was reached.
    course_counts: KeyCounts,
    counts: EffectCounts,
    keys: HashMap<(u32, &'a [u8]), KeyWrites>,
    /// The keys of the command that is run, and whether each existed before.
    touched: Vec<Touched<'a>>,
    /// The number of keys that it names, in all shards: they share its bytes.
    named: u64,
    /// The number of keys before a command without keys, which may delete all.
    keys_before: usize,
}

/// A key of the command that is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Touched<'a> {
    db: u32,
    key: &'a [u8],
    /// Whether the command replaces its whole value.
    is_replaced: bool,
    existed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct KeyWrites {
    writes: u64,
    bytes: u64,
    /// Whether a command of the log created it, as it is now.
    is_created: bool,
}

impl<'c, 'a> EffectObserver<'c, 'a> {
    pub(super) fn new(course: &'c Course) -> Self {
        EffectObserver {
            course,
            course_counts: KeyCounts::default(),
            counts: EffectCounts::default(),
            keys: HashMap::new(),
            touched: Vec::new(),
            named: 1,
            keys_before: 0,
        }
    }

    pub(super) fn finish(mut self, keyspace: &mut Keyspace<'a>) -> (EffectCounts, KeyCounts) {
        self.course_counts.finish(self.course, keyspace);
        let mut counts = self.counts;
        for ((db, key), written) in &self.keys {
            let is_small = counts.most_written.least().is_some_and(|it| it.writes > written.writes);
            if written.writes == 0 || is_small {
                continue;
            }
            counts.most_written.offer(Busy {
                writes: written.writes,
                bytes: written.bytes,
                of: Reverse((*db, reported_name(key))),
                exists: keyspace.db(*db).contains(key),
            });
        }
        (counts, self.course_counts)
    }

    fn touch_keys(&mut self, seen: &Observed<'_, 'a>, id: CommandId, keyspace: &mut Keyspace<'a>) {
        let row = id.row();
        let written = WRITTEN_KEYS.get(id.index()).copied().unwrap_or(WrittenKeys::PLAIN);
        // The fast path for by far the most frequent case, for speed alone.
        if let (WrittenKeys::All { replaced }, true) = (written, is_first_argument(row)) {
            self.named = 1;
            if let Some(key) = seen.args.get(1) {
                self.touch(seen, (seen.db, key, replaced), keyspace);
            }
            return;
        }
        let mut places: Vec<usize> = Vec::new();
        // A command with a wrong form fails, and writes nothing.
        let is_whole = row.visit_keys(seen.args.len(), |at| seen.args[at], |at| places.push(at));
        if !is_whole {
            return;
        }
        let last = places.len().saturating_sub(1);
        self.named = (places.len() as u64).max(1);
        for (index, place) in places.iter().enumerate() {
            let (is_written, is_replaced) = match written {
                WrittenKeys::All { replaced } => (true, replaced),
                WrittenKeys::First { replaced } => (index == 0, replaced),
                WrittenKeys::Last => (index == last, true),
                WrittenKeys::Renamed => (true, index == last),
            };
            let Some(key) = seen.args.get(*place).filter(|_| is_written) else { continue };
            self.touch(seen, (seen.db, key, is_replaced), keyspace);
        }
        if let Some(db) = other_db(row.name, seen.args)
            && let Some(key) = places.last().and_then(|place| seen.args.get(*place))
        {
            if row.name == "COPY" {
                self.touched.clear();
            }
            self.touch(seen, (db, key, false), keyspace);
        }
        // A key that is named twice is touched once.
        self.touched.sort_unstable();
        self.touched.dedup_by_key(|touched| (touched.db, touched.key));
    }

    fn touch(
        &mut self,
        seen: &Observed<'_, 'a>,
        (db, key, is_replaced): (u32, &'a [u8], bool),
        keyspace: &mut Keyspace<'a>,
    ) {
        if (seen.owns)(key) {
            let existed = keyspace.db(db).contains(key);
            self.touched.push(Touched { db, key, is_replaced, existed });
        }
    }

    fn deleted_all(&mut self, seen: &Observed<'_, 'a>, id: CommandId, keyspace: &Keyspace<'a>) {
        self.counts.deleted += self.keys_before.saturating_sub(keyspace.len()) as u64;
        let db = match id.row().destruction {
            Some(Destruction::AllDatabases) => None,
            Some(Destruction::Database) => Some(seen.db),
            Some(Destruction::Swap) => return self.swapped(seen.args),
            _ => return,
        };
        let gone = self.keys.iter_mut().filter(|((of, _), _)| db.is_none_or(|db| db == *of));
        for (_, written) in gone {
            self.counts.short_lived += u64::from(std::mem::take(&mut written.is_created));
        }
    }

    fn swapped(&mut self, args: &[&'a [u8]]) {
        let db = |at: usize| args.get(at).copied().and_then(database_index);
        let (Some(one), Some(other)) = (db(1), db(2)) else { return };
        let swapped = |db: u32| match db {
            _ if db == one => other,
            _ if db == other => one,
            _ => db,
        };
        let keys = std::mem::take(&mut self.keys);
        self.keys.extend(keys.into_iter().map(|((db, key), it)| ((swapped(db), key), it)));
    }
}

impl<'a> Observer<'a> for EffectObserver<'_, 'a> {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        while let Some(place) = self.course.place(self.course_counts.taken())
            && place <= seen.at
        {
            self.course_counts.take(keyspace);
        }
        self.touched.clear();
        let Some(id) = seen.id.filter(|id| id.row().writes) else { return };
        let row = id.row();
        if row.subcommands.is_empty() && row.keys == Keys::None {
            self.keys_before = keyspace.len();
        } else {
            self.touch_keys(seen, id, keyspace);
        }
    }

    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        let Some(id) = seen.id.filter(|id| id.row().writes && outcome == Outcome::Done) else {
            return;
        };
        if id.row().destruction.is_some() && id.row().keys == Keys::None {
            self.deleted_all(seen, id, keyspace);
        }
        let bytes = seen.length() as u64 / self.named;
        for touched in self.touched.drain(..) {
            let exists = keyspace.db(touched.db).contains(touched.key);
            let written = self.keys.entry((touched.db, touched.key)).or_default();
            written.writes += 1;
            written.bytes += bytes;
            self.counts.writes += 1;
            match (touched.existed, exists) {
                (false, true) => {
                    written.is_created = true;
                    self.counts.created += 1;
                }
                (true, false) => {
                    self.counts.deleted += 1;
                    self.counts.short_lived += u64::from(std::mem::take(&mut written.is_created));
                }
                (true, true) if touched.is_replaced => self.counts.overwrites += 1,
                _ => {}
            }
        }
    }
}

/// Which of its keys a command writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WrittenKeys {
    All {
        replaced: bool,
    },
    First {
        replaced: bool,
    },
    /// The last, which it replaces.
    Last,
    /// All, of which it replaces the last.
    Renamed,
}

/// What [`WrittenKeys::of`] returns for each command, by its number.
static WRITTEN_KEYS: LazyLock<Vec<WrittenKeys>> =
    LazyLock::new(|| TABLE.iter().map(|row| WrittenKeys::of(row.name)).collect());

/// Returns whether a command has one key, its first argument, in its own database.
fn is_first_argument(row: &Command) -> bool {
    row.subcommands.is_empty()
        && matches!(row.keys, Keys::Range { first: 1, last: 1, .. })
        && row.name != "MOVE"
}

impl WrittenKeys {
    const PLAIN: WrittenKeys = WrittenKeys::All { replaced: false };

    fn of(name: &str) -> WrittenKeys {
        match name {
            "SET" | "SETEX" | "PSETEX" | "GETSET" | "MSET" | "MSETEX" | "RESTORE"
            | "RESTORE-ASKING" => WrittenKeys::All { replaced: true },
            "SUNIONSTORE" | "SINTERSTORE" | "SDIFFSTORE" | "ZUNIONSTORE" | "ZINTERSTORE"
            | "ZDIFFSTORE" | "ZRANGESTORE" | "GEOSEARCHSTORE" | "BITOP" => {
                WrittenKeys::First { replaced: true }
            }
            "PFMERGE" => WrittenKeys::First { replaced: false },
            "COPY" | "SORT" | "GEORADIUS" | "GEORADIUSBYMEMBER" => WrittenKeys::Last,
            "RENAME" => WrittenKeys::Renamed,
            _ => WrittenKeys::PLAIN,
        }
    }
}

/// Returns the database of the destination of MOVE, and of COPY with DB.
fn other_db(name: &str, args: &[&[u8]]) -> Option<u32> {
    match name {
        "MOVE" => database_index(args.get(2)?),
        "COPY" => {
            let option = args.iter().skip(3).position(|arg| arg.eq_ignore_ascii_case(b"DB"))?;
            database_index(args.get(3 + option + 1)?)
        }
        _ => None,
    }
}
