//! Replaying a shard: its keys in RDBs, and its commands in order.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::UNIX_EPOCH;

use super::gather::{Copied, Gathered};
use super::lists::{Place, Segment, Split, SplitAt};
use super::observe::{Observed, Observer, Outcome, ShardObserver, Unobserved};
use super::prefixes::{PrefixCounter, Prefixes};
use super::route::{Routed, RoutedPart};
use super::router::is_excluded;
use super::workers::{self, Arenas};
use crate::aof::log::PartRole;
use crate::aof::{argument_at, peek_key, read_args};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::command::lost_expiry::{Lost, LostExpiryRules};
use crate::command::{
    Call, CommandId, Context, Group, Position, Unapplied, Warnings, lookup_prefix, run_unknown,
};
use crate::disk::prefetch;
use crate::keyspace::from_rdb::Loader;
use crate::keyspace::{Bump, Keyspace};
use crate::rdb::Records;
use crate::replay::partitioner::Partitioner;

/// Options of a replay.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct ReplayOptions {
    /// The server whose loader is emulated where servers differ; `None` for the one that wrote the log: see
    /// [`Origin::reading`](crate::replay::Origin::reading).
    pub server: Option<Server>,
    /// See `Context::fields_expire_ms`.
    pub fields_expire_ms: Option<i64>,
    /// See `Context::hll_sparse_max_bytes`.
    pub hll_sparse_max_bytes: usize,
    /// The time at which commands before the first time annotation were run, in Unix milliseconds;
    /// `None` for the time at which the part was last modified.
    pub time_ms: Option<i64>,
    /// Number of threads; 0 for one per core.
    pub threads: usize,
}

impl Default for ReplayOptions {
    /// The loader of the server that wrote the log with its default configuration, on all cores.
    fn default() -> Self {
        ReplayOptions {
            server: None,
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 0,
        }
    }
}

/// The statistics of a replay.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReplayStats {
    /// Number of commands that were run.
    pub commands: u64,
    /// Commands that a server answers with an error: the command, the error, the number of
    /// occurrences, and the position of the first.
    pub failed: BTreeMap<(CommandId, &'static str), (u64, Position)>,
    /// Commands that no known server has: the number of occurrences, and the position of the first.
    pub unknown: BTreeMap<Vec<u8>, (u64, Position)>,
    /// The counters of the commands.
    pub warnings: Warnings,
    /// Keys that have no expiry, and may have had one on the server that wrote the log: see
    /// [`lost_expiry`](crate::command::lost_expiry).
    pub lost_of_keys: Lost,
    /// The same for hash fields.
    pub lost_of_fields: Lost,
    /// Number of bytes of commands by the prefix of their first key, in the shards that are
    /// sampled: see [`is_sample`]. Those of a command that was split are counted for each key.
    pub prefixes: Prefixes,
}

/// Returns whether prefixes are counted in a shard.
pub fn is_sample(routed: &Routed<'_>, shard: usize) -> bool {
    shard.is_multiple_of(routed.sampling())
}

impl ReplayStats {
    /// Adds the statistics of another shard.
    pub fn join(&mut self, other: ReplayStats) {
        self.commands += other.commands;
        for (what, seen) in other.failed {
            join_seen(self.failed.entry(what).or_insert((0, seen.1)), seen);
        }
        for (what, seen) in other.unknown {
            join_seen(self.unknown.entry(what).or_insert((0, seen.1)), seen);
        }
        self.prefixes.join(other.prefixes);
        self.warnings.relative_times += other.warnings.relative_times;
        self.warnings.passed_fields += other.warnings.passed_fields;
        self.lost_of_keys.join(other.lost_of_keys);
        self.lost_of_fields.join(other.lost_of_fields);
    }
}

fn join_seen(seen: &mut (u64, Position), other: (u64, Position)) {
    *seen = (seen.0 + other.0, seen.1.min(other.1));
}

/// Replays every shard of a window, and advances `progress` by [`Routed::replayed_bytes`] in total.
/// `make` is called on many threads, with the data set of each shard; `take` on one thread at a
/// time, with the result of `make`, in the order of shards.
///
/// # Errors
///
/// Returns the errors of `make` and `take`, and fails if a command cannot be replayed.
pub fn replay<T: Send>(
    routed: &Routed<'_>,
    options: &ReplayOptions,
    progress: &dyn Progress,
    make: impl Fn(usize, &mut Keyspace<'_>) -> Result<T> + Sync,
    take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<ReplayStats> {
    replay_watched(routed, options, progress, &Unobserved(make), take)
}

/// Like [`replay`], with an observer of every shard.
///
/// # Errors
///
/// Fails like [`replay`].
pub fn replay_watched<W: ShardObserver>(
    routed: &Routed<'_>,
    options: &ReplayOptions,
    progress: &dyn Progress,
    watch: &W,
    take: impl FnMut(usize, W::Made) -> Result<()> + Send,
) -> Result<ReplayStats> {
    let bytes = routed.replayed_bytes() / routed.window.len().max(1) as u64;
    let threads = workers::number(options.threads);
    // Shards are assigned by hash, so most have about as many keys as the previous ones.
    let keys = AtomicUsize::new(0);
    let mut gathered = Gathered::default();
    let arenas = Arenas::default();
    let mut stats = ReplayStats::default();
    let mut take = take;
    for group in routed.groups() {
        gathered.fill(routed, &group, threads, W::SPLITS);
        let work = |arena: &mut Bump, shard: usize| {
            progress.check()?;
            arena.reset();
            let mut keyspace = Keyspace::expecting(arena, keys.load(Ordering::Relaxed));
            let mut observer = watch.begin(shard, &keyspace);
            let copied = gathered.commands_of(shard);
            let shard = (shard, W::SPLITS);
            let stats = run_shard(routed, copied, shard, options, &mut keyspace, &mut observer)?;
            let (shard, _) = shard;
            keys.store(keyspace.len(), Ordering::Relaxed);
            let made = watch.finish(shard, observer, &mut keyspace)?;
            progress.advance(bytes);
            Ok((made, stats))
        };
        stats.join(workers::run(group, threads, &arenas, work, ReplayStats::join, &mut take)?);
    }
    Ok(stats)
}

/// Replays two logs that were routed together, as [`replay`] does one: `make` is called with the
/// data sets of a shard in both.
///
/// # Errors
///
/// Fails like [`replay`].
pub fn replay_pair<T: Send>(
    routed: [&Routed<'_>; 2],
    options: [&ReplayOptions; 2],
    progress: &dyn Progress,
    make: impl for<'a> Fn(usize, [&mut Keyspace<'a>; 2]) -> Result<T> + Sync,
    take: impl FnMut(usize, T) -> Result<()> + Send,
) -> Result<[ReplayStats; 2]> {
    let [one, other] = routed;
    let shards = one.window.len().max(1) as u64;
    let bytes = (one.replayed_bytes() + other.replayed_bytes()) / shards;
    let threads = workers::number(options[0].threads);
    let mut gathered = [Gathered::default(), Gathered::default()];
    let arenas = Arenas::default();
    let mut stats = <[ReplayStats; 2]>::default();
    let mut take = take;
    let join = |all: &mut [ReplayStats; 2], more: [ReplayStats; 2]| {
        all.iter_mut().zip(more).for_each(|(all, more)| all.join(more));
    };
    for group in one.groups() {
        gathered[0].fill(one, &group, threads, true);
        gathered[1].fill(other, &group, threads, true);
        let work = |arena: &mut Bump, shard: usize| {
            progress.check()?;
            arena.reset();
            let (mut first, mut second) = (Keyspace::new(arena), Keyspace::new(arena));
            let (of_one, of_other) =
                (gathered[0].commands_of(shard), gathered[1].commands_of(shard));
            let stats = [
                run_shard(one, of_one, (shard, true), options[0], &mut first, &mut ())?,
                run_shard(other, of_other, (shard, true), options[1], &mut second, &mut ())?,
            ];
            let made = make(shard, [&mut first, &mut second])?;
            progress.advance(bytes);
            Ok((made, stats))
        };
        join(&mut stats, workers::run(group, threads, &arenas, work, join, &mut take)?);
    }
    Ok(stats)
}

/// Number of commands for which bytes are prefetched ahead of execution.
const AHEAD: usize = 20;

/// Distance in commands at which the bytes have arrived and the entry of the key is prefetched;
/// then, at a shorter one, its name and value.
const ENTRY_AHEAD: usize = 10;
const VALUE_AHEAD: usize = 5;

/// Size of the ring of upcoming commands: a power of two.
const RING: usize = 32;

/// Offsets in a command that are prefetched, in bytes: most commands end there.
const LINES: [usize; 3] = [0, 64, 128];

fn run_shard<'a, O: Observer<'a>>(
    routed: &Routed<'a>,
    copied: Copied<'a>,
    (shard, splits): (usize, bool),
    options: &ReplayOptions,
    keyspace: &mut Keyspace<'a>,
    observer: &mut O,
) -> Result<ReplayStats> {
    let mut copied = copied;
    let mut stats = ReplayStats::default();
    let mut prefixes = is_sample(routed, shard).then(PrefixCounter::default);
    let list = shard - routed.window.start;
    let server = options.server.unwrap_or_else(|| routed.origin().reading());
    for (number, part) in routed.parts.iter().enumerate() {
        load_records(routed, part, (list, server), keyspace)?;
        part.keydb_members.attach(list, keyspace);
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        observer.part_begins(number, keyspace);
        let owns = |key: &[u8]| routed.partitioner.shard_of(key) == shard;
        let clock = |at: Position| {
            let annotated = time_at(part, at.offset).or(options.time_ms);
            annotated.or_else(|| written_ms(part)).unwrap_or(0)
        };
        let context = Context {
            server,
            fields_expire_ms: options.fields_expire_ms,
            hll_sparse_max_bytes: options.hll_sparse_max_bytes,
            clock: &clock,
            owns: &owns,
        };
        // The writer of the beginning of the log may have written all of it.
        let writer = routed.parts.first().and_then(|first| first.writer);
        stats.warnings.lost_expiries.rules =
            LostExpiryRules::for_part(part.part.role == PartRole::Incr, writer);
        let mut runner = Runner {
            part,
            bytes: part.part.mapping.bytes(),
            copied: &mut copied,
            number,
            partitioner: &routed.partitioner,
            shard,
            splits,
            context: &context,
            keyspace,
            observer,
            stats: &mut stats,
            prefixes: prefixes.as_mut(),
            args: Vec::with_capacity(64),
        };
        for segment in &part.segments {
            match segment.has_splits() {
                true => runner.run::<true>(segment, list, routed)?,
                false => runner.run::<false>(segment, list, routed)?,
            }
        }
    }
    stats.prefixes = prefixes.map(PrefixCounter::finish).unwrap_or_default();
    let lost = std::mem::take(&mut stats.warnings.lost_expiries);
    (stats.lost_of_keys, stats.lost_of_fields) = lost.left(keyspace);
    Ok(stats)
}

/// Loads the keys of the RDB at the beginning of the part.
fn load_records<'a>(
    routed: &Routed<'a>,
    part: &RoutedPart<'a>,
    (list, server): (usize, Server),
    keyspace: &mut Keyspace<'a>,
) -> Result<()> {
    let Some(segment) = &part.records else { return Ok(()) };
    let damaged = |offset| {
        Error::new(ErrorKind::Changed, "a key of the RDB reads otherwise than before")
            .at(&part.part.path)
            .byte(offset)
            .help("another process is changing the file: work on a copy")
    };
    let mut records = Records::new(part.part.mapping.bytes()).map_err(|d| damaged(d.offset))?;
    let mut loader = Loader::new(keyspace, server, &|_| true);
    if routed.commands == 0 {
        loader.keep_access();
    }
    for Place { at, db, .. } in segment.places::<false>(list) {
        if let Err(damage) = records.read(u64::from(db), at, &mut loader)
            && !is_excluded(damage.key.as_deref(), &routed.may_be_broken)
        {
            return Err(damaged(damage.offset));
        }
    }
    loader.finish().map(drop).map_err(|fault| {
        Error::new(ErrorKind::Refused, format!("no server loads its RDB: {fault}"))
            .at(&part.part.path)
    })
}

/// Returns the time of the last annotation before an offset, in Unix milliseconds.
fn time_at(part: &RoutedPart<'_>, offset: u64) -> Option<i64> {
    let after = part.times.partition_point(|(at, _)| *at < offset);
    part.times.get(after.checked_sub(1)?)?.1.checked_mul(1000)
}

impl Routed<'_> {
    /// Returns the time of the last annotation before a command, in Unix seconds.
    pub fn recorded_time(&self, at: Position) -> Option<i64> {
        let part = self.parts.get(at.part as usize)?;
        time_at(part, at.offset).map(|ms| ms / 1000)
    }
}

/// Returns the time at which the part was last modified, in Unix milliseconds.
fn written_ms(part: &RoutedPart<'_>) -> Option<i64> {
    let modified = part.part.file().file().metadata().ok()?.modified().ok()?;
    i64::try_from(modified.duration_since(UNIX_EPOCH).ok()?.as_millis()).ok()
}

/// A command that will be run soon.
#[derive(Clone, Copy)]
struct Next<'a> {
    place: u64,
    db: u32,
    /// Where the list has its keys in the shard, if only these are run.
    split: Option<SplitAt>,
    /// The bytes that begin with it; of a command that was split and copied, with these keys alone.
    bytes: &'a [u8],
}

struct Runner<'r, 'c, 'a, O> {
    part: &'r RoutedPart<'a>,
    bytes: &'a [u8],
    copied: &'r mut Copied<'a>,
    number: u32,
    partitioner: &'r Partitioner,
    shard: usize,
    /// Whether only the keys of the shard are run of commands that were split.
    splits: bool,
    context: &'c Context<'c>,
    keyspace: &'r mut Keyspace<'a>,
    observer: &'r mut O,
    stats: &'r mut ReplayStats,
    prefixes: Option<&'r mut PrefixCounter<'a>>,
    args: Vec<&'a [u8]>,
}

impl<'a, O: Observer<'a>> Runner<'_, '_, 'a, O> {
    /// `SPLITS`: whether the segment has commands that were split.
    fn run<const SPLITS: bool>(
        &mut self,
        segment: &Segment,
        list: usize,
        routed: &Routed<'_>,
    ) -> Result<()> {
        let mut places = segment.places::<SPLITS>(list);
        let list = (segment, list);
        // A ring: the next command to run, followed by those that are prefetched.
        let mut ahead = [None; RING];
        let mut found = [None; RING];
        ahead[..AHEAD].fill_with(|| self.next::<SPLITS>(places.next(), list));
        let mut at = 0;
        while let Some(next) = ahead[at].take() {
            let at_distance = |distance: usize| (at + distance) % RING;
            ahead[at_distance(AHEAD)] = self.next::<SPLITS>(places.next(), list);
            found[at_distance(ENTRY_AHEAD)] =
                self.ask_entry::<SPLITS>(ahead[at_distance(ENTRY_AHEAD)], list);
            self.ask_value(found[at_distance(VALUE_AHEAD)]);
            at = at_distance(1);
            let split = next.split.filter(|_| SPLITS).and_then(|at| segment.split(at, list.1));
            self.run_one(next, split, routed)?;
        }
        Ok(())
    }

    /// Returns the command at an offset, and prefetches its bytes if they are in the log.
    #[inline(always)]
    fn next<const SPLITS: bool>(
        &mut self,
        place: Option<Place>,
        (segment, list): (&Segment, usize),
    ) -> Option<Next<'a>> {
        let Place { at: place, db, split } = place?;
        let split = split.filter(|_| SPLITS && self.splits);
        let bytes = self.copied.next().unwrap_or_else(|| {
            let bytes = usize::try_from(place).ok().and_then(|at| self.bytes.get(at..));
            let bytes = bytes.unwrap_or_default();
            let keys = split.and_then(|at| segment.split(at, list));
            let first = keys.and_then(|it| it.offsets().next()).unwrap_or(0);
            LINES.iter().for_each(|line| prefetch(bytes, first + *line));
            bytes
        });
        Some(Next { place, db, split, bytes })
    }

    /// Whether the bytes of a command that was split are those of the log, and not of a copy with the keys of the shard.
    fn is_in_log(&self, bytes: &[u8]) -> bool {
        self.bytes.as_ptr_range().contains(&bytes.as_ptr())
    }

    /// Prefetches the entry of a command's key, whose bytes have arrived by now, and returns its
    /// database and index.
    #[inline(always)]
    fn ask_entry<const SPLITS: bool>(
        &self,
        next: Option<Next<'_>>,
        (segment, list): (&Segment, usize),
    ) -> Option<(u32, u32)> {
        let next = next?;
        let key = match next.split.filter(|_| SPLITS) {
            Some(at) if self.is_in_log(next.bytes) => {
                let first = segment.split(at, list)?.offsets().next()?;
                next.bytes.get(argument_at(next.bytes, first)?)?
            }
            _ => peek_key(next.bytes, 0)?,
        };
        Some((next.db, self.keyspace.last_db(next.db)?.ask(key)?))
    }

    /// Prefetches the key and value of an entry that has arrived by now.
    #[inline(always)]
    fn ask_value(&self, found: Option<(u32, u32)>) {
        if let Some((db, place)) = found
            && let Some(db) = self.keyspace.last_db(db)
        {
            db.ask_value(place);
        }
    }

    // There are two callers, and without commands that were split much of this is not needed.
    #[inline(always)]
    fn run_one(
        &mut self,
        next: Next<'a>,
        split: Option<Split<'_>>,
        routed: &Routed<'_>,
    ) -> Result<()> {
        let Next { place, db, bytes, split: _ } = next;
        let end = match split {
            Some(split) if self.is_in_log(bytes) => self.read_split(split, bytes),
            _ => read_args(bytes, 0, &mut self.args),
        };
        let Some(end) = end else {
            self.part.part.mapping.check()?;
            return Err(self.changed(place));
        };
        let frame = &bytes[..end];
        if let Some(prefixes) = &mut self.prefixes {
            match split {
                Some(split) => split.count(&self.args, prefixes),
                None => prefixes.add(self.args.get(1).copied().unwrap_or_default(), end),
            }
        }
        let id = match split {
            Some(split) => Some(split.kind.id()),
            None => {
                // The name is part of the frame; the lookup is faster with the bytes after it.
                let name_start = self.args[0].as_ptr() as usize - frame.as_ptr() as usize;
                lookup_prefix(&frame[name_start..], self.args[0].len())
            }
        };
        let name = self.args[0];
        let at = Position { part: self.number, offset: place };
        let seen = Observed {
            at,
            id,
            db,
            args: &self.args,
            is_split: split.is_some(),
            length: split.is_none().then_some(end),
            part: self.bytes,
            owns: self.context.owns,
        };
        self.observer.before(&seen, self.keyspace);
        let mut call = Call {
            args: &self.args,
            frame,
            at,
            db,
            keyspace: self.keyspace,
            context: self.context,
            warnings: &mut self.stats.warnings,
        };
        self.stats.commands += 1;
        let carried = |id: CommandId| id.row().group == Group::Vector && id.row().writes;
        let applied = match id {
            Some(id) if !carried(id) => id.row().run(&mut call),
            _ => {
                let (count, _) =
                    self.stats.unknown.entry(name.to_ascii_uppercase()).or_insert((0, at));
                *count += 1;
                run_unknown(&mut call, routed.key_specs.key_of(name))
            }
        };
        let outcome = match applied {
            Err(Unapplied::Failed(error)) => Outcome::Failed(error),
            _ => Outcome::Done,
        };
        self.observer.after(&seen, outcome, self.keyspace);
        match applied {
            Ok(()) => Ok(()),
            Err(Unapplied::Failed(error)) => {
                self.failed(id, error, at);
                Ok(())
            }
            Err(Unapplied::Refused(why)) => Err(self.refused(place, why)),
        }
    }

    /// Reads the keys of a command that are in the shard, with their values, instead of all its arguments. Returns 0, because
    /// the end of the command is not read.
    fn read_split(&mut self, split: Split<'_>, frame: &'a [u8]) -> Option<usize> {
        self.args.clear();
        self.args.push(split.kind.name().as_bytes());
        split.read(frame, &mut self.args)?;
        Some(0)
    }

    /// A command that concerns several shards fails in each of them, and is counted in one.
    #[cold]
    fn failed(&mut self, id: Option<CommandId>, error: &'static str, at: Position) {
        let key = self.args.get(1).copied().unwrap_or_default();
        let Some(id) = id else { return };
        let everywhere = id.row().keys == crate::command::Keys::None && self.shard != 0;
        let elsewhere = id.row().splits && self.partitioner.shard_of(key) != self.shard;
        if !everywhere && !elsewhere {
            self.stats.failed.entry((id, error)).or_insert((0, at)).0 += 1;
        }
    }

    #[cold]
    fn refused(&self, place: u64, why: &str) -> Error {
        let name = crate::base::escape::Shown(self.args[0]).to_string();
        Error::new(ErrorKind::Refused, format!("{name} cannot be replayed: {why}"))
            .at(&self.part.part.path)
            .byte(place)
            .help("let the server that wrote the log load it and rewrite it (BGREWRITEAOF), and use that")
    }

    #[cold]
    fn changed(&self, offset: u64) -> Error {
        Error::new(ErrorKind::Changed, "the command reads otherwise than before")
            .at(&self.part.part.path)
            .byte(offset)
            .help("another process is changing the file: work on a copy")
    }
}
