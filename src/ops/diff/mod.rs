//! Comparing the keys of two logs, of an RDB and a log, or of two views of one log.
//!
//! Both are routed together, so that a key is in the same shard of both, and replayed in parallel, shard by shard;
//! memory use is therefore that of a few shards of both. Differences are reported in the order of shards: it is the
//! same on every machine but otherwise arbitrary, except that the keys of a shard are sorted.
//!
//! A running server takes the place of a log in `servers`.
//!
//! Callers that have a [`Pair`] already use [`diff_pair`]; callers that have the data sets use [`compare()`].

mod compare;
#[cfg(feature = "live")]
pub(crate) mod servers;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

pub use compare::{Counts, Difference, Numbers, Reason, compare};

use crate::analysis::data_filter::{Filter, LeftOut};
use crate::aof::log::{Log, Part};
use crate::base::error::{Error, Result};
use crate::base::progress::Progress;
use crate::input::open_log;
use crate::keyspace::Keyspace;
use crate::keyspace::fingerprint::Detail;
use crate::ops::compact::TornEnd;
use crate::rdb::Kind;
use crate::replay::pair::each_pair;
use crate::replay::{
    Pair, ReplayOptions, ReplayStats, RouteOptions, Routed, replay_pair, route_together,
};

/// Options of [`diff`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct DiffOptions {
    /// The filter for the keys to compare. If expired keys are dropped, they are treated as missing.
    pub filter: Filter,
    /// Options for reading the logs.
    pub route: RouteOptions,
    /// Options for replaying their commands.
    pub replay: ReplayOptions,
}

/// A function that receives every difference, on one thread at a time.
pub type OnDifference<'f> = dyn FnMut(&Difference) -> Result<()> + Send + 'f;

/// The result of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffReport {
    /// The first side.
    pub a: Side,
    /// The second side.
    pub b: Side,
    /// Whether there is no difference, and every key was compared.
    pub same: bool,
    /// The numbers of keys in all databases and of all types.
    pub keys: Numbers,
    /// The numbers of keys by database and type.
    pub by_type: Vec<OfType>,
    /// The number of different keys that exist on both sides, by difference. A key can be counted for several.
    pub reasons: Vec<OfReason>,
    /// Whether the function libraries differ; `None` if a filter selects keys.
    pub functions_differ: Option<bool>,
    /// What applies to running servers only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) running: Option<RunningComparison>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// The part of a comparison that applies to running servers only, which change while they are compared.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct RunningComparison {
    /// The number of keys that differed at first, and were asked for a second time.
    pub(crate) asked_again: u64,
    /// The number of these keys that were the same then, or gone.
    pub(crate) settled: u64,
    /// The number of keys whose values could not be compared.
    pub(crate) not_compared: u64,
    /// Examples of these keys, at most 10.
    pub(crate) not_compared_keys: Vec<NotCompared>,
    /// Whether cluster slots moved all the time, so that keys which only a server has can be missing.
    pub(crate) slots_moved: bool,
}

/// A key whose value could not be compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct NotCompared {
    /// The database number.
    pub(crate) db: u32,
    /// The key name: an object, `text` if it is UTF-8, otherwise `bytes` in base64.
    #[serde(serialize_with = "compare::text")]
    pub(crate) key: Vec<u8>,
    /// The reason.
    pub(crate) reason: String,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The path as given; the address of a server.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The server, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<ComparedServer>,
    /// The number of commands; 0 for a server, as all other numbers of logs.
    pub commands: u64,
    /// The number of keys in the RDBs at the beginning of its parts.
    pub rdb_keys: u64,
    /// The number of keys that a filter excluded.
    pub left_out: LeftOut,
    /// The number of commands that fail with an error while a server loads the log.
    pub failed: u64,
    /// The torn end, as a loader sees it: what is after that was not compared.
    pub torn: Option<TornEnd>,
}

/// A running server that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ComparedServer {
    /// The version, such as `redis 7.0.15`.
    pub(crate) version: String,
    /// The addresses of the primaries of the cluster; empty if it is in none.
    pub(crate) nodes: Vec<String>,
}

/// The numbers of keys of one database and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfType {
    /// The database number.
    pub db: u32,
    /// The type; for a key with two types, that of the first side.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// The numbers of keys.
    #[serde(flatten)]
    pub keys: Numbers,
}

/// The number of keys with one kind of difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfReason {
    /// The kind of difference.
    pub reason: Reason,
    /// The number of keys.
    pub keys: u64,
}

/// Compares the data of two paths. `found`, if given, is called with every difference.
///
/// # Errors
///
/// When one cannot be opened, is damaged, or cannot be replayed, and the errors of `found`.
pub fn diff(
    paths: [&Path; 2],
    options: &DiffOptions,
    found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let started = Instant::now();
    let logs = [open_log(paths[0], progress)?, open_log(paths[1], progress)?];
    let report = diff_of([&logs[0], &logs[1]], options, found, progress);
    let mut report = logs.iter().fold(report, |report, log| log.name_archive(report))?;
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

fn diff_of(
    logs: [&Log; 2],
    options: &DiffOptions,
    found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let excluded = options.filter.keys.excluded.clone();
    let read = RouteOptions { excluded, ..options.route.clone() };
    let pair = route_together(logs.map(|log| (log, &read)), progress)?;
    let replay = [&options.replay, &options.replay];
    let wanted = Wanted { filter: &options.filter, detail: detail_of(logs) };
    let (counts, stats) = diff_pair(&pair, replay, wanted, found, progress)?;
    let functions_differ =
        if options.filter.is_none() { Some(functions(&pair, replay)?) } else { None };
    let whole = pair.whole();
    let side = |number: usize| {
        Side::new(&logs[number].path, whole[number], &stats[number], counts.left_out[number])
    };
    Ok(DiffReport::new([side(0), side(1)], &counts, functions_differ, None))
}

impl DiffReport {
    fn new(
        [a, b]: [Side; 2],
        counts: &Counts,
        functions_differ: Option<bool>,
        running: Option<RunningComparison>,
    ) -> Self {
        let keys = counts.total();
        let by_type = counts.keys.iter().map(|(&(db, kind), &keys)| OfType { db, kind, keys });
        let reasons = counts.reasons.iter().map(|(&reason, &keys)| OfReason { reason, keys });
        let is_complete = running.as_ref().is_none_or(|running| running.not_compared == 0);
        DiffReport {
            a,
            b,
            same: keys.differing() == 0 && functions_differ != Some(true) && is_complete,
            keys,
            by_type: by_type.collect(),
            reasons: reasons.collect(),
            functions_differ,
            running,
            elapsed_s: 0.0,
        }
    }
}

/// The scope of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// The filter for the keys.
    pub filter: &'w Filter,
    /// The level of detail for streams.
    pub detail: Detail,
}

/// Returns the level of detail for streams that all of these logs support: RDBs up to version 9 do not contain their
/// counters.
pub fn detail_of<'l>(logs: impl IntoIterator<Item = &'l Log>) -> Detail {
    let version = |part: &Part| {
        let digits = part.mapping.bytes().strip_prefix(b"REDIS")?.get(..4)?;
        std::str::from_utf8(digits).ok()?.parse::<u32>().ok()
    };
    let mut parts = logs.into_iter().flat_map(|log| &log.parts);
    let is_old = parts.any(|part| version(part).is_some_and(|version| version <= 9));
    if is_old { Detail::WithoutCounters } else { Detail::All }
}

fn functions(pair: &Pair<'_>, replay: [&ReplayOptions; 2]) -> Result<bool> {
    let [one, other] = pair.whole();
    let functions = |log: &Routed<'_>, replay: &ReplayOptions| {
        let server = replay.server.unwrap_or_else(|| log.origin().reading());
        Ok::<_, Error>(log.non_key(server)?.functions)
    };
    Ok(functions(one, replay[0])? != functions(other, replay[1])?)
}

/// Compares two logs, or views of one, that are routed already. `found`, if given, is called with every difference.
///
/// # Errors
///
/// When a command cannot be replayed, when a log has changed since it was routed, and the errors of `found`.
pub fn diff_pair(
    pair: &Pair<'_>,
    replay: [&ReplayOptions; 2],
    wanted: Wanted<'_>,
    mut found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<(Counts, [ReplayStats; 2])> {
    let mut counts = Counts::default();
    let listing = found.is_some();
    let stats = each_pair(pair, "replay", progress, |routed| {
        let make = |_, [one, other]: [&mut Keyspace<'_>; 2]| {
            let mut list = Vec::new();
            let counts =
                compare([one, other], wanted.filter, wanted.detail, listing.then_some(&mut list));
            Ok((counts, list))
        };
        let take = |_, (of_share, list): (Counts, Vec<Difference>)| {
            counts.join(of_share);
            match &mut found {
                Some(found) => list.iter().try_for_each(&mut **found),
                None => Ok(()),
            }
        };
        replay_pair(routed, replay, progress, make, take)
    })?;
    Ok((counts, stats))
}

impl Side {
    fn new(path: &Path, routed: &Routed<'_>, stats: &ReplayStats, left_out: LeftOut) -> Side {
        Side {
            path: path.to_owned(),
            server: None,
            commands: routed.commands,
            rdb_keys: routed.rdb_keys,
            left_out,
            failed: stats.failed.values().map(|(count, _)| count).sum(),
            torn: routed.torn.map(TornEnd::from_replay),
        }
    }
}
