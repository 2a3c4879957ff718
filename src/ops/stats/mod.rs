//! What is written in a log, and what is there at its end.
//!
//! One scan of the bytes on all cores counts the commands ([`written`]); a replay, shard by shard, finds what they did to
//! the keys, and the keys at the end ([`replayed`]). All sums are exact. Memory is bounded: names are counted by patterns,
//! whose number is limited ([`pattern`], [`prefixes`]), and of keys only the largest are kept ([`top`]).

#[cfg(feature = "live")]
mod load;
pub(crate) mod memory;
mod pattern;
mod prefixes;
mod replayed;
pub(crate) mod report;
mod tables;
mod top;
mod written;

use std::path::{Path, PathBuf};
use std::time::Instant;

use self::memory::{MemoryOptions, Model, assumed};
use self::pattern::Patterns;
pub(crate) use self::pattern::SEPARATORS;
use self::prefixes::PatternSums;
use self::replayed::{Counter, Counts, Finished};
use self::report::{FunctionLibrary, MemoryBasis, MemoryEstimate, StatsReport, StatsRun};
pub(crate) use self::tables::TableOptions;
use self::tables::{Tables, add_commands};
use crate::analysis::key_course::{Course, CoursePart};
use crate::aof::log::Log;
use crate::base::error::{ErrorKind, Result};
use crate::base::escape::OwnedText;
use crate::base::failure::Failure;
use crate::base::progress::Progress;
use crate::base::server::redis;
use crate::input::open_log;
#[cfg(feature = "live")]
use crate::ops::scratch_server::{Binary, ServerOptions};
use crate::replay::pair::each_window;
use crate::replay::{ReplayOptions, RouteOptions, Routing, replay_watched, route};

/// The number of points of a log at which keys are counted.
const COURSE_POINTS: u64 = 240;

/// Options of [`stats`].
#[derive(Debug, Clone)]
pub(crate) struct StatsOptions {
    /// The bytes that separate the components of key names.
    pub(crate) separators: Vec<u8>,
    /// Whether the log is only scanned, and not replayed.
    pub(crate) writes_only: bool,
    /// The time at which expiries are judged, in Unix milliseconds.
    pub(crate) now_ms: i64,
    /// The server whose memory is estimated.
    pub(crate) memory: MemoryOptions,
    /// The tables that are written, of one log.
    pub(crate) tables: Option<TableOptions>,
    /// The server that loads a sample of the log, so that the time for all of it can be estimated, and the size of the sample
    /// in bytes.
    #[cfg(feature = "live")]
    pub(crate) loaded_by: Option<(ServerOptions, u64)>,
    /// Options for reading the log.
    pub(crate) route: RouteOptions,
    /// Options for replaying its commands.
    pub(crate) replay: ReplayOptions,
}

/// Analyses each of several logs, RDBs and archives.
///
/// # Errors
///
/// When none of them can be analysed: the error of the first; and when the server cannot be executed.
pub(crate) fn stats(
    paths: &[PathBuf],
    options: &StatsOptions,
    progress: &dyn Progress,
) -> Result<StatsRun> {
    #[cfg(feature = "live")]
    let server = match &options.loaded_by {
        Some((server, sample_bytes)) => Some((Binary::find(server)?, *sample_bytes)),
        None => None,
    };
    let estimate = |log: &Log, report: &mut StatsReport| {
        #[cfg(feature = "live")]
        if let Some((server, sample_bytes)) = &server {
            match load::estimate(log, report, (server, *sample_bytes), progress)? {
                Ok(estimate) => {
                    report.load_s = Some(estimate.load_s);
                    report.load = Some(estimate);
                }
                Err(reason) => report.load_problem = Some(reason),
            }
        }
        #[cfg(not(feature = "live"))]
        let _ = (log, report);
        Ok(())
    };
    let mut run = StatsRun::default();
    let mut first_error = None;
    for path in paths {
        match stats_of_path(path, options, &estimate, progress) {
            Ok(report) => run.logs.push(report),
            Err(error) => {
                progress.check()?;
                run.failed.push(Failure::new(path, &error));
                first_error.get_or_insert(error);
            }
        }
    }
    match first_error {
        Some(error) if run.logs.is_empty() => Err(error),
        _ => Ok(run),
    }
}

fn stats_of_path(
    path: &Path,
    options: &StatsOptions,
    estimate: &dyn Fn(&Log, &mut StatsReport) -> Result<()>,
    progress: &dyn Progress,
) -> Result<StatsReport> {
    let started = Instant::now();
    let log = open_log(path, progress)?;
    let mut report = log.name_archive(stats_of(&log, options, progress))?;
    estimate(&log, &mut report)?;
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

fn stats_of(log: &Log, options: &StatsOptions, progress: &dyn Progress) -> Result<StatsReport> {
    let patterns = Patterns::new(&options.separators);
    let mut tables = options.tables.as_ref().map(Tables::create).transpose()?;
    // Routing reads every RDB, so that its length is known then. What it refuses may be countable all the same.
    let routing = (!options.writes_only).then(|| {
        let route_options = RouteOptions { keep_dead: true, ..options.route.clone() };
        route(log, &route_options, progress)
    });
    let rdb_lens =
        routing.as_ref().and_then(|routing| Some(routing.as_ref().ok()?.whole().rdb_lens()));
    let key_specs = &options.route.key_specs;
    let counted = written::count(log, rdb_lens.as_deref(), &patterns, key_specs, progress)?;
    let (parts, mut prefixes) = (counted.parts, counted.prefixes);
    let mut report = StatsReport {
        path: log.path.clone(),
        origin: None,
        bytes: log.bytes(),
        rdb_bytes: counted.rdb_bytes,
        torn_bytes: counted.torn_bytes,
        separators: String::from_utf8_lossy(&options.separators).into_owned(),
        written: (counted.written.commands > 0).then_some(counted.written),
        not_replayed: None,
        effects: None,
        course: Vec::new(),
        present: None,
        load_s: None,
        load: None,
        load_problem: None,
        now_ms: options.now_ms,
        elapsed_s: 0.0,
    };
    let mut is_replayed = false;
    if let Some(routing) = routing {
        let replay = |routing| {
            let to = (&mut report, &mut tables);
            add_replayed(&routing, &parts, &patterns, options, to, progress)
        };
        match routing.and_then(replay) {
            Ok(of_keys) => {
                prefixes.join(of_keys);
                is_replayed = true;
            }
            // What cannot be replayed, such as a script, is counted all the same. Damage was refused before.
            Err(error)
                if error.kind() == ErrorKind::Refused
                    && report.written.is_some()
                    && tables.is_none() =>
            {
                report.not_replayed = Some(error.to_string());
            }
            Err(error) => return Err(error),
        }
    }
    let tree = prefixes.tree(is_replayed);
    match (&mut report.written, &mut report.present) {
        (Some(written), _) => written.prefixes = tree,
        (None, Some(present)) => present.prefixes = Some(tree),
        (None, None) => {}
    }
    if let Some(mut tables) = tables {
        if options.tables.as_ref().is_some_and(|tables| tables.commands) {
            add_commands(log, &parts, key_specs, &mut tables, progress)?;
        }
        tables.publish()?;
    }
    Ok(report)
}

/// Replays a log with commands in `parts`, completes the report and the table of keys, and returns the sums of keys by prefix.
fn add_replayed(
    routing: &Routing<'_>,
    parts: &[CoursePart<'_>],
    patterns: &Patterns,
    options: &StatsOptions,
    (report, tables): (&mut StatsReport, &mut Option<Tables>),
    progress: &dyn Progress,
) -> Result<PatternSums> {
    let origin = routing.whole().origin().clone();
    let server = options.replay.server.unwrap_or_else(|| origin.reading());
    let (memory_of, basis) = match options.memory.server {
        Some(server) => (server, MemoryBasis::Given),
        None if origin.is_recorded() => (origin.server, MemoryBasis::Recorded),
        None => (assumed(origin.reading()), MemoryBasis::Assumed),
    };
    report.origin = Some(origin);
    let memory = Model::new(memory_of, options.memory.allocator, report.written.is_none());
    let has_rows = options.tables.as_ref().is_some_and(|tables| tables.keys);
    // An RDB alone has no course.
    let has_commands = report.written.is_some();
    let course =
        if has_commands { Course::new(parts, COURSE_POINTS, []) } else { Course::default() };
    let now_ms = options.now_ms;
    let counter = Counter { patterns, server, memory, now_ms, course: &course, has_rows };
    let mut all = Counts::new();
    let stats = each_window(routing, "replay", progress, |routed| {
        let take = |_, mut counts: Counts| {
            if let Some(tables) = tables.as_mut() {
                tables.add_keys(counts.take_rows())?;
            }
            all.join(counts);
            Ok(())
        };
        replay_watched(routed, &options.replay, progress, &counter, take)
    })?;
    let Finished { mut effects, mut present, prefixes, course: counts } = all.finish();
    effects.failed = stats.failed.values().map(|(count, _)| count).sum();
    present.memory = present.total.memory_bytes.map(|bytes| MemoryEstimate {
        server: memory.server,
        basis,
        allocator: memory.allocator(),
        bytes,
        keys: present.by_encoding.iter().map(|of| of.share.keys).sum(),
        error_percent: memory.error_percent(),
    });
    present.functions = functions(routing.whole())?;
    if has_commands {
        report.course = course.report(parts, &counts, usize::MAX);
        report.effects = Some(effects);
    }
    report.present = Some(present);
    Ok(prefixes)
}

fn functions(routed: &crate::replay::Routed<'_>) -> Result<Vec<FunctionLibrary>> {
    let non_key = routed.non_key(redis(7, 0))?;
    let library =
        |(name, library): (&[u8], &crate::keyspace::functions::Library)| FunctionLibrary {
            name: OwnedText(name.to_vec()),
            engine: OwnedText(library.engine().to_vec()),
            bytes: library.code().len() as u64,
        };
    Ok(non_key.functions.iter().map(library).collect())
}
