//! Routing: every part is read once sequentially, and each command is recorded for the shard of its
//! key.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use super::cut::CutList;
use super::damage::{broken_rdb, empty_rdb, refuse_damage, unfinished};
use super::lists::Segment;
use super::origin::{Evidence, Origin, PartEvidence, origin};
use super::prefixes::Prefixes;
use super::rdb_keys::{KeydbMembers, RdbKeys};
use super::router::{KeySpecs, Plan, Router, Skipped, is_excluded};
use crate::aof::log::{Log, Part, PartRole};
use crate::aof::{Join, Scanned, Stop, read_args, scan_parallel};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::progress::{Progress, Silent};
use crate::base::server::Server;
use crate::command::scripting::apply_function;
use crate::keyspace::from_rdb::{NamedKeys, NonKeyData, SlotImport};
use crate::rdb::{self, AuxWhen, Header, Reading};
use crate::replay::partitioner::Partitioner;
use crate::replay::union_find::UnionFind;

/// Options of routing.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct RouteOptions {
    /// The key positions of commands that no known server has.
    pub key_specs: KeySpecs,
    /// Maximum memory in bytes; `None` for no limit.
    pub memory: Option<u64>,
    /// The slice of the keys to replay; `None` for all keys.
    pub slice: Option<Slice>,
    /// The ranges omitted from the log.
    pub(crate) cut: CutList,
    /// Whether commands before the last FLUSHALL are replayed too, to reconstruct the data before
    /// it.
    pub(crate) keep_dead: bool,
    /// The keys that are left out of the result. Those of an RDB whose values are broken are not read.
    pub(crate) excluded: Vec<Glob>,
    /// Replay only this key, and the keys that are tied to it; `None` for all keys.
    pub(crate) only: Option<Vec<u8>>,
    /// Whether an RDB of 0 bytes is replayed as one without keys, and not refused as damage: the caller reports it.
    pub(crate) empty_rdb: bool,
}

/// A log, with the assignment of its commands to shards of the keys.
pub struct Routed<'l> {
    pub(super) partitioner: Partitioner,
    pub(super) parts: Vec<RoutedPart<'l>>,
    /// The shards whose commands were recorded.
    pub(super) window: Range<usize>,
    pub(super) key_specs: KeySpecs,
    /// See [`RouteOptions::memory`].
    pub(super) memory: Option<u64>,
    /// Number of commands in all parts.
    pub commands: u64,
    /// Number of commands without effect, because a FLUSHALL follows them.
    pub dead_commands: u64,
    /// Number of keys of commands that were split, without those without effect.
    pub(super) split_keys: u64,
    /// Number of keys in the RDBs at the beginning of the parts.
    pub rdb_keys: u64,
    /// The end of the last part that a loader truncates, if it is torn.
    pub torn: Option<Torn>,
    /// The keys whose values may be broken, because they are left out of the result.
    pub(super) may_be_broken: Vec<Glob>,
    /// Determined once, because every shard asks for it.
    origin: OnceLock<Origin>,
}

/// The end of a log that a loader does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Torn {
    /// Offset up to which the last part is read.
    pub at: u64,
    /// Number of bytes after that.
    pub bytes: u64,
    /// Whether it begins with a MULTI that no EXEC follows.
    pub transaction: bool,
}

pub(super) struct RoutedPart<'l> {
    pub(super) part: &'l Part,
    /// The offsets of keys in the RDB at the beginning of the part.
    pub(super) records: Option<Segment>,
    /// The writer of that RDB, if it is recorded there.
    pub(super) writer: Option<Server>,
    /// Magic and version of that RDB.
    pub(super) rdb: Option<Header>,
    /// Length of that RDB in bytes.
    rdb_len: usize,
    /// What the commands require of the server.
    pub(super) evidence: Evidence,
    /// The content of that RDB other than keys and functions.
    pub(super) module_aux: Vec<(AuxWhen, &'l [u8])>,
    pub(super) slot_imports: Vec<SlotImport>,
    with_access: NamedKeys,
    aux_fields: BTreeMap<Vec<u8>, u64>,
    /// Members of the keys in that RDB that expire in KeyDB.
    pub(super) keydb_members: KeydbMembers,
    /// Function libraries in that RDB.
    pub(super) libraries: Vec<Vec<u8>>,
    pub(super) segments: Vec<Segment>,
    /// Offsets of the commands for functions.
    pub(super) functions: Vec<u64>,
    /// Offsets of the annotations with a time, and their times.
    pub(super) times: Vec<(u64, i64)>,
}

/// A log that was read once. It can be routed one window of the shards at a time if memory is
/// limited.
pub struct Routing<'l> {
    log: &'l Log,
    options: RouteOptions,
    partitioner: Partitioner,
    /// Information on the whole log; includes the lists of all shards if one window is sufficient.
    whole: Routed<'l>,
    windows: Vec<Range<usize>>,
}

/// Reads a log and routes it completely, unless that would exceed the memory in `options`.
///
/// # Errors
///
/// Fails if the log is damaged other than by a torn end, or was truncated by another process during
/// reading.
pub fn route<'l>(
    log: &'l Log,
    options: &RouteOptions,
    progress: &dyn Progress,
) -> Result<Routing<'l>> {
    let [routing] = route_all([(log, options)], progress)?;
    Ok(routing)
}

/// Routes logs so that each key, and all keys tied to it in any of them, is in the same shard of
/// all. The options of the first determine the wanted shards and the memory.
pub(super) fn route_all<'l, const N: usize>(
    logs: [(&'l Log, &RouteOptions); N],
    progress: &dyn Progress,
) -> Result<[Routing<'l>; N]> {
    let options = logs[0].1;
    let mut partitioner =
        Partitioner::of_log(logs.iter().map(|(log, _)| log.bytes()).max().unwrap_or(0));
    let slice = options
        .slice
        .map_or(0..partitioner.shards(), |slice| slice.shards_of(partitioner.shards()));
    // The lists are created on the first reading of the log, unless the window is only known later.
    let is_later = options.memory.is_some() || options.only.is_some();
    let first = if is_later { slice.start..slice.start } else { slice.clone() };
    let mut groups = UnionFind::default();
    let mut wholes = Vec::with_capacity(N);
    for (log, options) in logs {
        progress.phase("route", log.bytes());
        let pass =
            Pass { log, options, partitioner: &partitioner, window: &first, look_for_ties: true };
        let (whole, found) = pass.run(progress)?;
        groups.join(&found);
        wholes.push(whole);
    }
    if !groups.is_empty() {
        // Only now is it known which keys are tied.
        groups.compress_paths();
        partitioner.groups = groups;
        if !first.is_empty() {
            for (whole, (log, options)) in wholes.iter_mut().zip(logs) {
                progress.phase("route tied keys", log.bytes());
                let window = &first;
                let pass =
                    Pass { log, options, partitioner: &partitioner, window, look_for_ties: false };
                (*whole, _) = pass.run(progress)?;
            }
        }
    }
    let wanted = match &options.only {
        Some(key) => {
            let shard = partitioner.shard_of(key);
            shard.max(slice.start)..(shard + 1).min(slice.end).max(slice.start)
        }
        None => slice,
    };
    let windows = match options.memory {
        None => vec![wanted],
        Some(memory) => windows(&wholes, partitioner.shards(), wanted, memory),
    };
    let mut wholes = wholes.into_iter();
    Ok(logs.map(|(log, options)| {
        let mut whole = wholes.next().expect("as many as there are logs");
        whole.partitioner = partitioner.clone();
        let (partitioner, windows) = (partitioner.clone(), windows.clone());
        Routing { log, options: options.clone(), partitioner, whole, windows }
    }))
}

/// Maximum size in bytes of a command in a list, except in logs of very long commands.
const LIST_BYTES: u64 = 3;

/// The same for a key of a command that was split.
const SPLIT_BYTES: u64 = 7;

/// Divides shards into windows whose lists take at most a third of the memory.
fn windows(
    wholes: &[Routed<'_>],
    shards: usize,
    wanted: Range<usize>,
    memory: u64,
) -> Vec<Range<usize>> {
    let noted: u64 =
        wholes.iter().map(|whole| whole.commands - whole.dead_commands + whole.rdb_keys).sum();
    let split: u64 = wholes.iter().map(|whole| whole.split_keys).sum();
    let bytes = noted.saturating_mul(LIST_BYTES).saturating_add(split.saturating_mul(SPLIT_BYTES));
    let in_a_share = bytes / shards as u64 + 1;
    let most = wanted.len().max(1) as u64;
    let at_once = usize::try_from((memory / 3 / in_a_share).clamp(1, most)).unwrap_or(1);
    let starts = wanted.clone().step_by(at_once);
    starts.map(|start| start..(start + at_once).min(wanted.end)).collect()
}

impl<'l> Routing<'l> {
    /// Returns the information on the whole log.
    pub fn whole(&self) -> &Routed<'l> {
        &self.whole
    }

    /// Returns the number of times that the log is read for routing.
    pub fn windows(&self) -> usize {
        self.windows.len()
    }

    /// Calls `each` with every window in turn.
    ///
    /// # Errors
    ///
    /// Returns the errors of `each`, and fails like [`route`] if the log has changed since.
    pub fn each(
        &self,
        progress: &dyn Progress,
        mut each: impl FnMut(&Routed<'l>) -> Result<()>,
    ) -> Result<()> {
        for number in 0..self.windows.len() {
            match self.window(number, progress)? {
                Some(routed) => each(&routed)?,
                None => each(&self.whole)?,
            }
        }
        Ok(())
    }

    /// Routes a window; returns `None` if the whole log is the window.
    pub(super) fn window(
        &self,
        number: usize,
        progress: &dyn Progress,
    ) -> Result<Option<Routed<'l>>> {
        let window = &self.windows[number];
        if *window == self.whole.window {
            return Ok(None);
        }
        progress.phase("route", self.log.bytes());
        let (log, options, partitioner) = (self.log, &self.options, &self.partitioner);
        let pass = Pass { log, options, partitioner, window, look_for_ties: false };
        let (mut routed, _) = pass.run(progress)?;
        routed.partitioner = self.partitioner.clone();
        Ok(Some(routed))
    }
}

/// One of several equal slices of the shards, to be replayed separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// The number of the slice, from 1.
    pub number: u32,
    /// Number of slices.
    pub of: u32,
}

impl Slice {
    fn shards_of(self, shards: usize) -> Range<usize> {
        let (number, of) = (self.number as usize, self.of as usize);
        (number - 1) * shards / of..number * shards / of
    }
}

impl std::str::FromStr for Slice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is no slice; write the second of four as 2/4");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let (number, of) = (number.parse().ok(), of.parse().ok());
        let (Some(number), Some(of)) = (number, of) else { return Err(wrong()) };
        if number == 0 || number > of {
            return Err(wrong());
        }
        Ok(Slice { number, of })
    }
}

/// One reading of a log.
struct Pass<'p, 'l> {
    log: &'l Log,
    options: &'p RouteOptions,
    partitioner: &'p Partitioner,
    /// The shards whose commands are recorded.
    window: &'p Range<usize>,
    look_for_ties: bool,
}

impl<'l> Pass<'_, 'l> {
    fn run(&self, progress: &dyn Progress) -> Result<(Routed<'l>, UnionFind)> {
        let plan = Plan {
            partitioner: self.partitioner,
            window: self.window.clone(),
            key_specs: &self.options.key_specs,
            look_for_ties: self.look_for_ties,
            keep_dead: self.options.keep_dead,
            excluded: &self.options.excluded,
        };
        let mut routed = Routed {
            partitioner: Partitioner::of_log(0),
            parts: Vec::new(),
            window: self.window.clone(),
            key_specs: self.options.key_specs.clone(),
            memory: self.options.memory,
            commands: 0,
            dead_commands: 0,
            split_keys: 0,
            rdb_keys: 0,
            torn: None,
            may_be_broken: self.options.excluded.clone(),
            origin: OnceLock::new(),
        };
        let mut groups = UnionFind::default();
        for (number, part) in self.log.parts.iter().enumerate() {
            let kept = self.options.cut.kept(number, part.mapping.len());
            let kept = ReadRanges { ranges: kept.collect(), of: part.mapping.len() };
            if part.is_empty_rdb() && !self.options.empty_rdb {
                return Err(empty_rdb(self.log, part));
            }
            route_part((self.log, part), &kept, &plan, &mut routed, &mut groups, progress)?;
        }
        Ok((routed, groups))
    }
}

/// The range of a part that is read.
struct ReadRanges {
    ranges: Vec<Range<u64>>,
    /// Length of the part in bytes.
    of: u64,
}

impl ReadRanges {
    /// Returns whether the part is read from its beginning.
    fn begins(&self) -> bool {
        self.ranges.first().is_none_or(|first| first.start == 0) && !self.skips_all()
    }

    fn skips_all(&self) -> bool {
        self.ranges.is_empty() && self.of > 0
    }

    /// Returns the offset at which reading ends.
    fn end(&self) -> u64 {
        self.ranges.last().map_or(0, |last| last.end)
    }

    /// The same as an index into the bytes of `part`.
    fn end_in(&self, part: &Part) -> usize {
        let len = part.mapping.bytes().len();
        usize::try_from(self.end()).unwrap_or(len).min(len)
    }
}

/// Returns the server that wrote an RDB, according to its auxiliary fields.
fn writer_of(walk: &rdb::RdbSummary) -> Option<Server> {
    let noted = |name, product| {
        let version = std::str::from_utf8(walk.note(name)?).ok()?;
        format!("{product}-{version}").parse().ok()
    };
    noted("valkey-ver", "valkey").or_else(|| noted("redis-ver", "redis"))
}

fn route_part<'l>(
    (log, part): (&Log, &'l Part),
    kept: &ReadRanges,
    plan: &Plan<'_>,
    routed: &mut Routed<'l>,
    groups: &mut UnionFind,
    progress: &dyn Progress,
) -> Result<()> {
    let (mut start, mut end) = (0, part.mapping.bytes().len());
    let (mut writer, mut rdb, mut rdb_len) = (None, None, 0);
    let mut keys = RdbKeys::new(plan);
    progress.check()?;
    if part.starts_with_rdb() && kept.begins() {
        let mut walked = part.read_rdb(&mut keys, progress);
        part.mapping.check()?;
        if walked.as_ref().is_err_and(|damage| is_excluded(damage.key.as_deref(), plan.excluded)) {
            keys = RdbKeys::new(plan);
            keys.steps_over_excluded = true;
            walked = part.read_rdb(&mut keys, &Silent);
            part.mapping.check()?;
        }
        let walk = match walked {
            Ok(Reading::Known(walk)) => walk,
            Ok(Reading::Newer(newer)) => return Err(unreadable(part, newer.content.to_string())),
            Err(damage) => {
                return Err(match damage.unknown() {
                    Some(unknown) => unreadable(part, unknown),
                    None => broken_rdb(log, part, &damage),
                });
            }
        };
        start = usize::try_from(walk.len).unwrap_or(end);
        rdb_len = start;
        end = part.read_end(part.mapping.bytes(), start);
        routed.rdb_keys += walk.keys;
        writer = writer_of(&walk);
        rdb = Some(Header { magic: walk.magic, version: walk.version });
        if let Some(db) = keys.no_database {
            let message = format!("its RDB has keys in database {db}, which no server has");
            return Err(Error::new(ErrorKind::Refused, message).at(&part.path));
        }
    }
    let commands = Commands { part, kept, start, end, plan };
    let scanned = commands.scan(u64::MAX, progress)?;
    let (mut router, stop) = (scanned.sink, scanned.stop.at);
    // What is left out at the end of the part is not read, nor searched.
    refuse_damage(log, part, &part.mapping.bytes()[..kept.end_in(part)], scanned.stop)?;
    let mut read_to = stop as u64;
    if let Some(open) = router.transactions.open() {
        if !part.is_last || open.block != open.multi {
            return Err(unfinished(log, part, open.block));
        }
        // Servers do not execute the commands queued after it.
        read_to = open.multi;
        router = commands.scan(open.multi, &Silent)?.sink;
    }
    let kept_to = kept.end().min(end as u64);
    if read_to < kept_to {
        let transaction = read_to < stop as u64;
        routed.torn = Some(Torn { at: read_to, bytes: kept_to - read_to, transaction });
    }
    if let Some(flush) = router.flush {
        for earlier in &mut routed.parts {
            earlier.records = None;
            earlier.with_access = NamedKeys::default();
            earlier.keydb_members = KeydbMembers::default();
            earlier.segments.clear();
        }
        keys.clear_keys();
        *groups = UnionFind::default();
        routed.dead_commands = routed.commands + flush.commands_before;
        routed.split_keys = 0;
    }
    routed.commands += router.commands;
    routed.split_keys += router.split_keys;
    groups.join(&router.groups);
    let mut segments = router.segments;
    // Each part begins in database 0.
    for segment in &mut segments {
        segment.start_db.get_or_insert(0);
    }
    routed.parts.push(RoutedPart {
        part,
        records: keys.lists.take(),
        writer,
        rdb,
        rdb_len,
        evidence: router.evidence,
        module_aux: keys.module_aux,
        slot_imports: keys.slot_imports,
        with_access: keys.with_access,
        aux_fields: keys.aux_fields,
        keydb_members: keys.keydb_members,
        libraries: keys.libraries,
        segments,
        functions: router.functions,
        times: router.times,
    });
    Ok(())
}

/// The commands of a part that are read.
struct Commands<'c> {
    part: &'c Part,
    kept: &'c ReadRanges,
    /// The lowest possible offset of the first command: the end of the RDB.
    start: usize,
    /// The end of what a server reads: of an RDB file, the end of the RDB.
    end: usize,
    plan: &'c Plan<'c>,
}

impl<'c> Commands<'c> {
    /// Reads the commands before `limit`.
    fn scan(&self, limit: u64, progress: &dyn Progress) -> Result<Scanned<Router<'c>>> {
        let part = self.part;
        let bytes = &part.mapping.bytes()[..self.end];
        let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let touch = |range| part.mapping.prefault(range);
        let mut whole =
            Scanned { sink: Router::new(self.plan), stop: Stop { at: self.start, fault: None } };
        let mut done = self.start;
        for range in &self.kept.ranges {
            let from = index(range.start).max(self.start);
            let to = index(range.end.min(limit));
            if from >= to || whole.stop.fault.is_some() {
                continue;
            }
            if done < from {
                let skipped = || Skipped::default();
                let passed = scan_parallel(&bytes[..from], done, skipped, touch, &Silent).sink;
                whole.sink.skip(passed);
            }
            let scanned =
                scan_parallel(&bytes[..to], from, || Router::new(self.plan), touch, progress);
            part.mapping.check()?;
            progress.check()?;
            whole.sink.join(scanned.sink);
            whole.stop = scanned.stop;
            done = to;
        }
        part.mapping.check()?;
        Ok(whole)
    }
}

/// The error where a part's RDB has content that this version does not know.
fn unreadable(part: &Part, why: String) -> Error {
    Error::new(ErrorKind::Refused, format!("the keys of its RDB cannot be read: {why}"))
        .at(&part.path)
        .help("verify, backup, compress, restore, log, repair, and recover --strip or --until work without them; a newer version of aofkit may read them")
}

impl<'l> Routed<'l> {
    /// Returns the server that wrote the log, as far as the log says.
    pub fn origin(&self) -> &Origin {
        self.origin.get_or_init(|| self.find_origin())
    }

    fn find_origin(&self) -> Origin {
        let several = self.parts.len() > 1;
        let parts: Vec<PartEvidence<'_>> = (self.parts.iter())
            .map(|part| PartEvidence {
                name: several.then_some(&part.part.name),
                writer: part.writer,
                rdb: part.rdb,
                is_of_set: part.part.role != PartRole::Single,
                commands: &part.evidence,
            })
            .collect();
        origin(&parts)
    }

    /// Returns the length of the RDB at the beginning of each part, in bytes; 0 if there is none.
    pub(crate) fn rdb_lens(&self) -> Vec<usize> {
        self.parts.iter().map(|part| part.rdb_len).collect()
    }

    /// Returns n if one of n shards is a sample of all.
    pub fn sampling(&self) -> usize {
        Prefixes::sampling(self.log_bytes())
    }

    pub(super) fn log_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.part.mapping.len()).sum()
    }

    /// Returns the number of bytes of the log that are replayed with these shards, for displaying
    /// progress.
    pub fn replayed_bytes(&self) -> u64 {
        self.log_bytes() / self.shards() as u64 * self.window.len() as u64
    }

    /// Returns the number of shards into which the keys are divided.
    pub fn shards(&self) -> usize {
        self.partitioner.shards()
    }

    /// Returns the content other than keys at the end of the log: function libraries, and the
    /// module data and cluster slot imports of its RDBs. Commands that fail are skipped, as by
    /// loaders.
    ///
    /// # Errors
    ///
    /// Fails if a part was truncated by another process since it was routed.
    pub fn non_key(&self, server: Server) -> Result<NonKeyData<'l>> {
        let mut non_key = NonKeyData::default();
        for part in &self.parts {
            non_key.module_aux.extend(&part.module_aux);
            non_key.slot_imports.extend(part.slot_imports.iter().cloned());
            non_key.with_access.join(&part.with_access);
            for (name, count) in &part.aux_fields {
                *non_key.aux_fields.entry(name.clone()).or_default() += count;
            }
            for library in &part.libraries {
                let _ = non_key.functions.load(library, true);
            }
            let bytes = part.part.mapping.bytes();
            let mut args = Vec::new();
            for offset in &part.functions {
                let at = usize::try_from(*offset).unwrap_or(usize::MAX);
                if read_args(bytes, at, &mut args).is_some() {
                    let _ = apply_function(&args, &mut non_key.functions, server);
                }
            }
            part.part.mapping.check()?;
        }
        Ok(non_key)
    }
}
