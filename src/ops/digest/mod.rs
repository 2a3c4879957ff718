//! Computing the `DEBUG DIGEST` that a server would report for a log, without the server.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;

use crate::analysis::lost_expiry::{LostExpiry, lost_expiries};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::base::server::Server;
use crate::input::open_log;
use crate::keyspace::digest::{Flavour, Sum};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Db, Keyspace, Value};
use crate::replay::pair::each_window;
use crate::replay::{Origin, ReplayOptions, RouteOptions, replay, route};

/// Options of [`digest()`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct DigestOptions {
    /// Options for reading the log.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
    /// Whether to compute what `DEBUG DIGEST` of the server replies; the fingerprint alone is several times faster.
    pub debug_digest: bool,
}

/// The digests of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DigestReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The server that wrote the log, as far as the log says.
    pub origin: Origin,
    /// The server whose digest it is.
    pub server: Server,
    /// The result of `DEBUG DIGEST`; `None` if only the fingerprint was requested.
    pub digest: Option<String>,
    /// The aofkit fingerprint of all keys, values and expiries.
    pub fingerprint: String,
    /// The number of keys in all databases.
    pub keys: u64,
    /// The number of keys by database.
    #[serde(skip)]
    pub(crate) by_database: BTreeMap<u32, u64>,
    /// The number of these keys whose values only a module can interpret, so that a server's digest may differ.
    pub undigested: u64,
    /// The number of commands in the log.
    pub commands: u64,
    /// The number of commands that fail with an error while a server loads the log.
    pub failed: u64,
    /// The keys and fields whose expiry the log may have lost.
    pub lost_expiries: Vec<LostExpiry>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// Computes the digests of the log at `path`, or in the archive there.
///
/// # Errors
///
/// When it cannot be opened, is damaged, or cannot be replayed.
pub fn digest(
    path: &Path,
    options: &DigestOptions,
    progress: &dyn Progress,
) -> Result<DigestReport> {
    digest_at(path, options, None, progress)
}

/// As [`digest()`], for a server whose digest leaves out fields of hashes that had expired by `hidden_until_ms`, in Unix
/// milliseconds, although it has them.
pub(in crate::ops) fn digest_at(
    path: &Path,
    options: &DigestOptions,
    hidden_until_ms: Option<i64>,
    progress: &dyn Progress,
) -> Result<DigestReport> {
    let started = Instant::now();
    let log = open_log(path, progress)?;
    let mut report = log.name_archive(digest_of(&log, options, hidden_until_ms, progress))?;
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

fn digest_of(
    log: &Log,
    options: &DigestOptions,
    hidden_until_ms: Option<i64>,
    progress: &dyn Progress,
) -> Result<DigestReport> {
    let routing = route(log, &options.route, progress)?;
    let origin = routing.whole().origin().clone();
    let server = options.replay.server.unwrap_or_else(|| origin.reading());
    let (mut sum, mut fingerprint) = (Sum::default(), Fingerprint::default());
    let (mut keys, mut undigested) = (0_u64, 0_u64);
    let mut by_database: BTreeMap<u32, u64> = BTreeMap::new();
    let stats = each_window(&routing, "replay", progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| {
            let mut fingerprint = Fingerprint::default();
            fingerprint.add_all(keyspace, Detail::All);
            let sum = options.debug_digest.then(|| {
                let mut sum = Sum::default();
                sum.add_all(keyspace, Flavour { hidden_until_ms, ..Flavour::of_server(server) });
                sum
            });
            let entries = keyspace.databases().flat_map(Db::entries);
            let opaque = entries.filter(|entry| is_a_modules(&entry.value)).count();
            let databases = keyspace.databases().map(|db| (db.number(), db.len() as u64));
            let databases: Vec<(u32, u64)> = databases.filter(|(_, keys)| *keys > 0).collect();
            Ok((databases, opaque as u64, fingerprint, sum))
        };
        type Made = (Vec<(u32, u64)>, u64, Fingerprint, Option<Sum>);
        let take = |_, (databases, opaque, part, part_sum): Made| {
            for (db, more) in databases {
                keys += more;
                *by_database.entry(db).or_default() += more;
            }
            undigested += opaque;
            fingerprint.join(&part);
            if let Some(part) = part_sum {
                sum.join(&part);
            }
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take)
    })?;
    Ok(DigestReport {
        path: log.path.clone(),
        server,
        origin,
        digest: options.debug_digest.then(|| sum.finish().to_string()),
        fingerprint: fingerprint.to_string(),
        keys,
        by_database,
        undigested,
        failed: stats.failed.values().map(|(count, _)| count).sum(),
        lost_expiries: lost_expiries(&stats, log),
        commands: routing.whole().commands,
        elapsed_s: 0.0,
    })
}

fn is_a_modules(value: &Value<'_>) -> bool {
    matches!(value, Value::Module(_) | Value::Opaque(_))
}
