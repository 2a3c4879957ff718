//! Which keys differ between two logs, or an RDB and a log, or two views of one.
//!
//! Both are routed together, so that a key is in the same share of both, and replayed side by side, share after
//! share; so memory is that of a few shares of both. Differences are told in the order of shares: the same
//! on every machine, but in no order that means anything, except that the keys of a share are sorted.
//!
//! Whoever has a [`Pair`] already, calls [`diff_pair`]; whoever has the data sets themselves, [`compare()`].

mod compare;

use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

pub use compare::{Counts, Difference, Numbers, Reason, compare};

use crate::analysis::data_filter::{Filter, LeftOut};
use crate::aof::log::{Log, Part};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::input::open::open;
use crate::keyspace::Keyspace;
use crate::keyspace::fingerprint::Detail;
use crate::ops::compact::TornEnd;
use crate::rdb::Kind;
use crate::replay::windows::each_pair;
use crate::replay::{
    Happened, Pair, ReplayOptions, RouteOptions, Routed, replay_pair, route_together,
};

/// How two logs are compared.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which keys are compared. A key that has expired where that is asked for counts as not there.
    pub filter: Filter,
    /// How they are read.
    pub route: RouteOptions,
    /// How their commands are run.
    pub replay: ReplayOptions,
}

/// Is told every difference, on one thread at a time.
pub type Found<'f> = dyn FnMut(&Difference) -> Result<()> + Send + 'f;

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DiffReport {
    /// The version of this schema.
    pub schema: u32,
    /// `diff`.
    pub report: &'static str,
    /// The first side.
    pub a: Side,
    /// The second side.
    pub b: Side,
    /// Whether nothing differs.
    pub same: bool,
    /// Keys of all databases and types.
    pub keys: Numbers,
    /// The same by database and type.
    pub by_type: Vec<OfType>,
    /// Keys that both have and that differ, by what differs. A key can count for several.
    pub reasons: Vec<OfReason>,
    /// Whether the function libraries differ; `None` where a filter asks for certain keys.
    pub functions_differ: Option<bool>,
    /// How long it took, in seconds.
    pub elapsed_s: f64,
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Side {
    /// The path as it was given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Commands in it.
    pub commands: u64,
    /// Keys in RDBs that its parts begin with.
    pub rdb_keys: u64,
    /// Keys that a filter left out.
    pub left_out: LeftOut,
    /// Commands that a server answers with an error while it loads the log.
    pub failed: u64,
    /// Where it is torn, as a loader sees it: what is behind that was not compared.
    pub torn: Option<TornEnd>,
}

/// Keys of a database and type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfType {
    /// The database.
    pub db: u32,
    /// The type; of a key of two types, that of the first side.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// How many.
    #[serde(flatten)]
    pub keys: Numbers,
}

/// Keys that differ in something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfReason {
    /// In what.
    pub reason: Reason,
    /// How many.
    pub keys: u64,
}

/// Compares what two paths hold. `found`, where given, is told every difference.
///
/// # Errors
///
/// When one cannot be opened, is damaged, or cannot be replayed, and what `found` says.
pub fn diff(
    paths: [&Path; 2],
    options: &Options,
    found: Option<&mut Found<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let started = Instant::now();
    let logs: [Log; 2] = [open(paths[0])?, open(paths[1])?];
    let [one, other] = &logs;
    let pair = route_together([(one, &options.route), (other, &options.route)], progress)?;
    let replay = [&options.replay, &options.replay];
    let wanted = Wanted { filter: &options.filter, detail: detail_of(&logs) };
    let (counts, happened) = diff_pair(&pair, replay, wanted, found, progress)?;
    let functions_differ =
        if options.filter.is_none() { Some(functions(&pair, replay)?) } else { None };
    let whole = pair.whole();
    let side = |number: usize| {
        Side::new(paths[number], whole[number], &happened[number], counts.left_out[number])
    };
    let keys = counts.total();
    let by_type = counts.keys.iter().map(|(&(db, kind), &keys)| OfType { db, kind, keys });
    let reasons = counts.reasons.iter().map(|(&reason, &keys)| OfReason { reason, keys });
    Ok(DiffReport {
        schema: 1,
        report: "diff",
        a: side(0),
        b: side(1),
        same: keys.differing() == 0 && functions_differ != Some(true),
        keys,
        by_type: by_type.collect(),
        reasons: reasons.collect(),
        functions_differ,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}

/// What is compared.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'w> {
    /// Which keys.
    pub filter: &'w Filter,
    /// How much of streams.
    pub detail: Detail,
}

/// How much of streams all of these logs can tell: RDBs up to version 9 do not have their counters.
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
    let one = one.beside(replay[0].server)?.functions;
    Ok(one != other.beside(replay[1].server)?.functions)
}

/// Compares two logs, or views of one, that are routed already. `found`, where given, is told every difference.
///
/// # Errors
///
/// When a command cannot be replayed, when a log has changed since it was routed, and what `found` says.
pub fn diff_pair(
    pair: &Pair<'_>,
    replay: [&ReplayOptions; 2],
    wanted: Wanted<'_>,
    mut found: Option<&mut Found<'_>>,
    progress: &dyn Progress,
) -> Result<(Counts, [Happened; 2])> {
    let mut counts = Counts::default();
    let listing = found.is_some();
    let happened = each_pair(pair, "replay", progress, |routed| {
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
    Ok((counts, happened))
}

impl Side {
    fn new(path: &Path, routed: &Routed<'_>, happened: &Happened, left_out: LeftOut) -> Side {
        Side {
            path: path.to_owned(),
            commands: routed.commands,
            rdb_keys: routed.rdb_keys,
            left_out,
            failed: happened.failed.values().map(|(count, _)| count).sum(),
            torn: routed.torn.map(TornEnd::from),
        }
    }
}
