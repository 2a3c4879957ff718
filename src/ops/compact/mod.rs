//! Compaction: writing the smallest log that rebuilds the data set, as BGREWRITEAOF does but without a server.
//!
//! The log is routed and replayed shard by shard ([`replay`](crate::replay)). The encoded shards are appended to the
//! output in the order of shards, so that the bytes depend on the input alone. Before it is published, the output is
//! read back, replayed like any other log, and compared with the replay of the input.

mod form;
mod module_data;
mod output;
mod report;
mod shard;
mod source;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

pub use crate::analysis::data_filter::{Filter, LeftOut};
pub use form::Form;
pub use report::{Carried, CompactReport, Failed, Keys, Phase, Reclaimed, TornEnd};

use self::module_data::ModuleRule;
use self::output::{Output, Style};
use self::shard::{Counted, Encoded, make};
pub(crate) use self::source::{Made, MakeShare, Source, TakeShare, each_shard};
use crate::analysis::lost_expiry::lost_expiries;
use crate::aof::log::{Layout, Log};
use crate::aof::manifest::{Entry, Manifest, Role};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::memory::Memory;
use crate::base::modules::Modules;
use crate::base::progress::Progress;
use crate::base::server::{DEFAULT_DATABASES, Product, Server, redis, valkey};
use crate::base::units::Count;
use crate::disk::Access;
use crate::disk::open_writers::writers;
use crate::disk::publish::{Existing, NewDirectory, NewFile};
use crate::input::files::open_files;
use crate::input::open;
use crate::input::overwrite::access_of;
use crate::input::overwrite::{Shape, check_output, check_shape};
use crate::keyspace::fingerprint::Detail;
use crate::keyspace::from_rdb::NonKeyData;
use crate::keyspace::{Functions, Keyspace};
use crate::rdb::Target;
use crate::rdb::write::{self, Feature, Notes};
use crate::replay::pair::each_window;
use crate::replay::{
    Basis, Origin, ReplayOptions, ReplayStats, RouteOptions, is_sample, replay, route,
};
use crate::rewrite::fit::{Destination, Losses, fit};

/// Options of [`compact`].
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct CompactOptions {
    /// The path of the compacted log; `None` for a dry run.
    pub output: Option<PathBuf>,
    /// The treatment of existing files at the output path.
    pub existing: Existing,
    /// The form of the output; `None` for the form of the input.
    pub form: Option<Form>,
    /// The server to write for; `None` for the server that wrote the input or, if its version cannot represent the
    /// data, the next version that can.
    pub server: Option<Server>,
    /// The filter that selects the keys to retain.
    pub filter: Filter,
    /// Whether the output is read back and compared before it is published.
    pub check: bool,
    /// Options for reading the log.
    pub route: RouteOptions,
    /// Options for replaying its commands, including the server of the output.
    pub replay: ReplayOptions,
    /// The creation time to record in an RDB, in Unix seconds.
    pub ctime: u64,
    /// Whether strings in an RDB are compressed.
    pub compress: bool,
    /// The modules that are loaded in [`server`](CompactOptions::server).
    pub modules: Modules,
    /// Whether data of modules that belongs to no key is left out.
    pub drop_module_aux: bool,
}

impl Default for CompactOptions {
    /// A dry run that keeps every key and checks its result, for the form and the server of the input, at the current
    /// time.
    fn default() -> Self {
        CompactOptions {
            output: None,
            existing: Existing::default(),
            form: None,
            server: None,
            filter: Filter::default(),
            check: true,
            route: RouteOptions::default(),
            replay: ReplayOptions::default(),
            ctime: u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or(0),
            compress: true,
            modules: Modules::default(),
            drop_module_aux: false,
        }
    }
}

/// Compacts the log at `path`.
///
/// # Errors
///
/// When the log cannot be opened or is damaged, a command cannot be replayed, the form or the server cannot represent
/// the data, or the output cannot be written or fails the check. Existing files at the output path are then unchanged.
pub fn compact(
    path: &Path,
    options: &CompactOptions,
    progress: &dyn Progress,
) -> Result<CompactReport> {
    compact_with(path, options, Unheld::Refused, progress).map(|(report, _)| report)
}

/// The treatment of data that the server or the form cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unheld {
    /// It is an error.
    Refused,
    /// It is left out and reported.
    LeftOut {
        /// The time at which expiries have passed, in Unix milliseconds.
        now_ms: i64,
        /// Whether the result is published although something is left out.
        is_published: bool,
    },
}

/// Compacts like [`compact`], and returns also what was left out. If the result is not to be published because of that,
/// the report has no output.
///
/// # Errors
///
/// As [`compact`].
pub(crate) fn compact_with(
    path: &Path,
    options: &CompactOptions,
    unheld: Unheld,
    progress: &dyn Progress,
) -> Result<(CompactReport, Losses)> {
    let started = Instant::now();
    let input = open(path)?;
    if let Some(output) = &options.output {
        check_output(output, options.existing, &input.paths())?;
    }
    let log = input.into_log(progress)?;
    let compacted = || {
        let mut phases = Phases::default();
        let excluded = options.filter.keys.excluded.clone();
        let read = RouteOptions { excluded, ..options.route.clone() };
        let routing = phases.time("route", || route(&log, &read, progress))?;
        write_from(&log, &routing, (options, unheld), (phases, started), progress)
    };
    log.name_archive(compacted())
}

/// Writes the data set of `source`, which was made from `log`, in the form of a compaction of `log`.
///
/// # Errors
///
/// As [`compact`].
pub(crate) fn write_data_set(
    log: &Log,
    source: &dyn Source,
    options: &CompactOptions,
    progress: &dyn Progress,
) -> Result<CompactReport> {
    let timing = (Phases::default(), Instant::now());
    write_from(log, source, (options, Unheld::Refused), timing, progress).map(|(report, _)| report)
}

fn write_from(
    log: &Log,
    source: &dyn Source,
    (options, unheld): (&CompactOptions, Unheld),
    (mut phases, started): (Phases, Instant),
    progress: &dyn Progress,
) -> Result<(CompactReport, Losses)> {
    let memory = Memory::default();
    let routed = source.whole();
    memory.look();
    let form = options.form.unwrap_or_else(|| match (unheld, options.server) {
        (Unheld::LeftOut { .. }, Some(server)) => Form::for_server(log, routed.commands, server),
        _ => Form::matching(log, routed.commands),
    });
    if let Some(output) = &options.output {
        check_shape(output, if form.is_directory() { Shape::Directory } else { Shape::File })?;
    }
    let origin = routed.origin();
    // What is converted is read as the server that wrote it does, and checked as the other reads it.
    let own = (unheld != Unheld::Refused).then(|| origin.reading());
    let reading = own.or(options.server).unwrap_or_else(|| origin.reading());
    let mut server = server_for(origin, form, options)?;
    let has_functions = || Ok::<_, Error>(!source.non_key(redis(7, 0))?.functions.is_empty());
    if options.server.is_none() && !server.has_redis(7, 0) && has_functions()? {
        server = raised(server, Feature::Functions).unwrap_or(server);
    }
    loop {
        let style = style_for(form, server, options, origin)?;
        let destination = match unheld {
            Unheld::Refused => None,
            Unheld::LeftOut { now_ms, .. } => Some(Destination {
                server,
                encoding: style.encoding(),
                modules: &options.modules,
                has_consumer_times: routed.rdb_keys > 0,
                now_ms,
            }),
        };
        let of = (source, if unheld == Unheld::Refused { server } else { reading });
        let (non_key, losses) = non_key(of, form, destination.as_ref(), options)?;
        let job = Job {
            path: &log.path,
            log,
            source,
            form,
            style,
            non_key,
            destination,
            losses,
            reading: options.server.unwrap_or(reading),
            replay: ReplayOptions { server: Some(reading), ..options.replay.clone() },
            origin,
            options,
            is_published: matches!(
                unheld,
                Unheld::Refused | Unheld::LeftOut { is_published: true, .. }
            ),
            memory: &memory,
            unfit: Mutex::default(),
        };
        match job.run(&mut phases, progress) {
            Ok(mut done) => {
                let losses = std::mem::take(&mut done.losses);
                return Ok((job.report(done, phases, started.elapsed()), losses));
            }
            // The version derived from the log may not be able to represent all the data, for example if a newer server
            // continued an old log. Unless the user named a server, the next version that can is used.
            Err(error) => match job.unfit().and_then(|feature| raised(server, feature)) {
                Some(higher) if options.server.is_none() => server = higher,
                _ => return Err(error),
            },
        }
    }
}

/// Returns the server to write for, as given by the user or derived from the log.
fn server_for(origin: &Origin, form: Form, options: &CompactOptions) -> Result<Server> {
    if options.route.slice.is_some() && form != Form::Aof {
        return Err(Error::new(
            ErrorKind::Usage,
            format!("slices of the form {form} cannot be joined"),
        )
        .help("--format aof writes slices that can: cat them in any order"));
    }
    let reads_sets = |server: Server| server.has_redis(7, 0);
    match options.server {
        Some(server) if form.is_directory() && !reads_sets(server) => {
            Err(Error::new(ErrorKind::Usage, format!("{server} reads no multi-part log"))
                .help("--format aof or preamble writes one file, which it reads"))
        }
        Some(server) => Ok(server),
        None if form.is_directory() && !reads_sets(origin.writing()) => Ok(redis(7, 0)),
        None => Ok(origin.writing()),
    }
}

/// Returns the first version after `server` that supports a feature.
fn raised(server: Server, feature: Feature) -> Option<Server> {
    let higher = match (feature, server.product) {
        (Feature::Functions | Feature::StreamCounters, _) => redis(7, 0),
        (Feature::ConsumerActivity, _) => redis(7, 2),
        (Feature::FieldExpiry, Product::Redis) => redis(7, 4),
        (Feature::FieldExpiry | Feature::FarFieldExpiry | Feature::SlotImport, _) => valkey(9, 0),
        (Feature::StreamProducers | Feature::KeyMetadata, _) => redis(8, 6),
        (Feature::GivenBackEntries | Feature::Arrays, _) => redis(8, 8),
    };
    (higher != server).then_some(higher)
}

/// Returns the data to write other than keys.
fn non_key<'l>(
    (source, reading): (&'l dyn Source, Server),
    form: Form,
    destination: Option<&Destination<'_>>,
    options: &CompactOptions,
) -> Result<(NonKeyData<'l>, Losses)> {
    let mut non_key = source.non_key(reading)?;
    if options.route.slice.is_some_and(|slice| slice.number > 1) {
        // Functions are in the first slice.
        non_key.functions = Functions::default();
    }
    if options.drop_module_aux {
        non_key.module_aux.clear();
    }
    let losses = destination.map(|to| to.fit_non_key(&mut non_key)).unwrap_or_default();
    module_rule(options).check_aux(&non_key)?;
    module_rule(options).check_libraries(&non_key)?;
    let lost = !non_key.module_aux.is_empty() || !non_key.slot_imports.is_empty();
    if lost && !form.is_rdb() {
        let what = if non_key.module_aux.is_empty() {
            "imports of cluster slots that were under way"
        } else {
            "data of modules that belong to no key"
        };
        return Err(Error::new(ErrorKind::Refused, format!("commands cannot carry {what}"))
            .help("write an RDB, which can: --format preamble, multipart or rdb"));
    }
    Ok((non_key, losses))
}

fn module_rule(options: &CompactOptions) -> ModuleRule<'_> {
    ModuleRule { server: options.server, modules: &options.modules }
}

fn style_for(
    form: Form,
    server: Server,
    options: &CompactOptions,
    origin: &Origin,
) -> Result<Style> {
    if !form.is_rdb() {
        return Ok(Style::Commands(server));
    }
    let target = Target::for_server(server).ok_or_else(|| {
        Error::new(ErrorKind::Usage, format!("no RDB is written for {server}, which is too old"))
            .help("choose redis-5.0 or later with --for, or --format aof")
    })?;
    let options_for = write::Options {
        compress: options.compress,
        checksum: true,
        // A server of that version never had this bookkeeping. If the version is only the lowest that is possible, the
        // bookkeeping decides.
        drop_bookkeeping: options.server.is_some() || origin.basis == Basis::Recorded,
    };
    let notes = Notes { ctime: options.ctime, ..Notes::new(target, form != Form::Rdb) };
    Ok(Style::Rdb { target, options: options_for, notes })
}

/// A compaction into one form for one server.
struct Job<'j> {
    path: &'j Path,
    log: &'j Log,
    source: &'j dyn Source,
    form: Form,
    style: Style,
    non_key: NonKeyData<'j>,
    /// What the data set is made to fit; `None` if what does not fit is an error.
    destination: Option<Destination<'j>>,
    /// What was removed of the data that belongs to no key.
    losses: Losses,
    /// Whether the output is published although something was removed.
    is_published: bool,
    /// The server whose loader is emulated when the output is checked.
    reading: Server,
    replay: ReplayOptions,
    origin: &'j Origin,
    options: &'j CompactOptions,
    memory: &'j Memory,
    /// The feature that the server lacks.
    unfit: Mutex<Option<Feature>>,
}

/// The result of a compaction.
struct Done {
    counted: Counted,
    stats: ReplayStats,
    bytes: u64,
    losses: Losses,
    is_written: bool,
}

impl Done {
    fn written(self) -> Done {
        Done { is_written: true, ..self }
    }
}

impl Job<'_> {
    fn run(&self, phases: &mut Phases, progress: &dyn Progress) -> Result<Done> {
        match &self.options.output {
            None => self.fill(None, self.path, phases, progress),
            Some(output) if self.form.is_directory() => {
                let access = self.access();
                let directory = NewDirectory::create(output, self.options.existing, access)?;
                let names = Names::for_output(self.log, self.form);
                let base = directory.path().join(&names.base);
                let file = access.create(&base).map_err(|e| Error::io("create", &base, e))?;
                let done = self.fill(Some(&file), &base, phases, progress)?;
                if !self.may_publish(&done) {
                    return Ok(done);
                }
                names.write_beside(directory.path(), access)?;
                self.check(directory.path(), &done, phases, progress)?;
                self.source.may_be_published()?;
                progress.check()?;
                phases.time("publish", || directory.publish())?;
                Ok(done.written())
            }
            Some(output) => {
                let mut file = NewFile::create(output, self.options.existing, self.access())?;
                let path = file.path().to_owned();
                let done = self.fill(Some(file.file()), &path, phases, progress)?;
                if !self.may_publish(&done) {
                    return Ok(done);
                }
                self.check(&path, &done, phases, progress)?;
                self.source.may_be_published()?;
                progress.check()?;
                phases.time("publish", || file.publish())?;
                Ok(done.written())
            }
        }
    }

    fn may_publish(&self, done: &Done) -> bool {
        self.is_published || done.losses.is_empty()
    }

    /// Returns the access mode of the output.
    fn access(&self) -> Access {
        access_of(std::iter::once(self.log).chain(self.source.logs()))
    }

    /// Replays the source and writes to `file`, whose path is `path`; without a file, only counts.
    fn fill(
        &self,
        file: Option<&File>,
        path: &Path,
        phases: &mut Phases,
        progress: &dyn Progress,
    ) -> Result<Done> {
        let mut output = Output::new(file, path, &self.style, &self.non_key);
        let mut counted = Counted::default();
        let whole = self.source.whole();
        let made = |shard, keyspace: &mut Keyspace<'_>| {
            let (filter, is_sample) = (&self.options.filter, is_sample(whole, shard));
            let rule = module_rule(self.options);
            let persisted = filter.persist_expired(keyspace);
            let losses = self.fit(keyspace);
            let mut made =
                make(keyspace, filter, self.detail(), &self.style, rule, &self.unfit, is_sample)?;
            made.counted.losses = losses;
            made.counted.persisted = persisted;
            Ok(made)
        };
        let take = |shard: usize, made: Encoded| {
            if shard.is_multiple_of(LOOK_EACH) {
                self.memory.look();
            }
            counted.join(made.counted);
            output.add(made.pieces)
        };
        let stats = phases
            .time("replay", || each_shard(self.source, &self.replay, progress, made, take))?;
        let bytes = phases.time("join", || output.finish())?;
        let mut losses = self.losses.clone();
        losses.join(std::mem::take(&mut counted.losses));
        Ok(Done { counted, stats, bytes, losses, is_written: false })
    }

    /// Removes from the keys that are retained what does not fit the destination.
    fn fit(&self, keyspace: &mut Keyspace<'_>) -> Losses {
        let filter = &self.options.filter;
        let Some(destination) = &self.destination else { return Losses::default() };
        fit(keyspace, destination, &|db, entry| {
            filter.is_none() || filter.keeps(db, entry, &mut LeftOut::default())
        })
    }

    /// Returns how much of the data the form can represent.
    fn detail(&self) -> Detail {
        match &self.style {
            Style::Commands(server) => Detail::of_commands(*server),
            Style::Rdb { target, .. } => Detail::of_rdb(*target),
        }
    }

    /// Reads the output like any other log and compares the data.
    fn check(
        &self,
        path: &Path,
        done: &Done,
        phases: &mut Phases,
        progress: &dyn Progress,
    ) -> Result<()> {
        if !self.options.check {
            return Ok(());
        }
        let (found, functions) = phases.time("check", || {
            let log = open_files(path)?;
            let read = RouteOptions {
                key_specs: self.options.route.key_specs.clone(),
                memory: self.options.route.memory,
                ..RouteOptions::default()
            };
            let routing = route(&log, &read, progress)?;
            let mut found = Counted::default();
            let everything = Filter::default();
            let count =
                |_, keyspace: &mut Keyspace<'_>| shard::count(keyspace, &everything, self.detail());
            let mut take = |_, counted: Counted| {
                found.join(counted);
                Ok(())
            };
            let options = ReplayOptions { server: Some(self.reading), ..self.replay.clone() };
            each_window(&routing, "check", progress, |routed| {
                replay(routed, &options, progress, count, &mut take)
            })?;
            Ok::<_, Error>((found, routing.whole().non_key(self.reading)?.functions))
        })?;
        let same = found.fingerprint == done.counted.fingerprint
            && found.keys == done.counted.keys
            && functions == self.non_key.functions;
        if same {
            return Ok(());
        }
        let (ours, theirs) = (found.total(), done.counted.total());
        Err(Error::new(
            ErrorKind::Refused,
            format!(
                "what was written does not hold the same data ({} keys against {}), and \
                 was removed again",
                Count(ours),
                Count(theirs)
            ),
        )
        .at(self.path)
        .help(
            "this is a bug in aofkit; please report it with the log, or with what you know of it",
        ))
    }

    fn unfit(&self) -> Option<Feature> {
        *self.unfit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The number of shards between two measurements of memory use.
const LOOK_EACH: usize = 16;

/// The run time of each phase.
#[derive(Default)]
struct Phases(Vec<Phase>);

impl Phases {
    fn time<T>(&mut self, name: &'static str, work: impl FnOnce() -> T) -> T {
        let started = Instant::now();
        let done = work();
        self.0.push(Phase { name, elapsed_s: started.elapsed().as_secs_f64() });
        done
    }
}

/// The file names of a set.
struct Names {
    appendfilename: String,
    base: String,
}

impl Names {
    fn for_output(log: &Log, form: Form) -> Names {
        let appendfilename = match &log.layout {
            Layout::MultiPart { appendfilename, .. } => appendfilename.clone(),
            _ => "appendonly.aof".to_owned(),
        };
        let extension = if form == Form::Multipart { "rdb" } else { "aof" };
        let base = format!("{appendfilename}.1.base.{extension}");
        Names { appendfilename, base }
    }

    /// Writes an incremental file without commands, and the manifest.
    fn write_beside(&self, directory: &Path, access: Access) -> Result<()> {
        let incr = format!("{}.1.incr.aof", self.appendfilename);
        let manifest = Manifest {
            entries: vec![
                Entry::new(Role::Base, self.base.as_str(), 1),
                Entry::new(Role::Incr, incr.as_str(), 1),
            ],
        };
        let files = [
            (incr, Vec::new()),
            (format!("{}.manifest", self.appendfilename), manifest.to_bytes()),
        ];
        for (name, bytes) in files {
            let path = directory.join(name);
            access.write(&path, &bytes).map_err(|e| Error::io("write", &path, e))?;
        }
        Ok(())
    }
}

impl Job<'_> {
    fn report(&self, done: Done, phases: Phases, elapsed: Duration) -> CompactReport {
        let Done { counted, stats, bytes, is_written, .. } = done;
        let failed = stats.failed.iter().map(|((id, error), (count, at))| Failed {
            command: id.row().name,
            error,
            count: *count,
            part: self.log.part_name(at.part),
            offset: at.offset,
        });
        let carried = stats.unknown.iter().map(|(name, (count, at))| Carried {
            command: Shown(name).to_string(),
            count: *count,
            part: self.log.part_name(at.part),
            offset: at.offset,
        });
        CompactReport {
            path: self.path.to_owned(),
            output: self.options.output.clone().filter(|_| is_written),
            origin: self.origin.clone(),
            form: self.form,
            encoding: match &self.style {
                Style::Commands(server) => server.to_string(),
                Style::Rdb { target, .. } => target.to_string(),
            },
            commands_before: self.source.whole().commands,
            commands_flushed: self.source.whole().dead_commands,
            rdb_keys_before: self.source.whole().rdb_keys,
            bytes_before: self.log.bytes(),
            bytes_after: bytes,
            keys: (counted.keys.iter())
                .map(|((db, kind), keys)| Keys { db: *db, kind: *kind, keys: *keys })
                .collect(),
            databases_needed: (counted.keys.keys().map(|(db, _)| u64::from(*db) + 1).max())
                .filter(|needed| *needed > DEFAULT_DATABASES),
            keys_with_expiry: counted.with_expiry,
            reclaimed: reclaimed(&stats, &counted, self.source.whole().sampling()),
            functions: self.non_key.functions.len() as u64,
            left_out: counted.left_out,
            persisted: counted.persisted,
            failed: failed.collect(),
            carried: carried.collect(),
            relative_times: stats.warnings.relative_times,
            lost_expiries: lost_expiries(&stats, self.log),
            passed_fields: stats.warnings.passed_fields,
            fields_expire: self.replay.fields_expire_ms.is_some(),
            writer: self.log.parts.last().and_then(|last| writers(&last.path).into_iter().next()),
            torn: self.source.whole().torn.map(TornEnd::from_replay),
            checked: self.options.check && is_written,
            fingerprint: counted.whole.to_string(),
            memory_bytes: self.memory.highest(),
            elapsed_s: elapsed.as_secs_f64(),
            phases: phases.0,
        }
    }
}

/// The maximum number of prefixes in the report.
const PREFIXES: usize = 10;

/// Returns the prefixes by reclaimed bytes, largest first.
fn reclaimed(stats: &ReplayStats, counted: &Counted, sampling: usize) -> Vec<Reclaimed> {
    let after = |prefix: &[u8]| counted.prefixes.0.get(prefix).copied().unwrap_or(0);
    let whole = |bytes: u64| bytes.saturating_mul(sampling as u64);
    let mut all: Vec<Reclaimed> = (stats.prefixes.0.iter())
        .map(|(prefix, before)| Reclaimed {
            prefix: prefix.escape_ascii().to_string(),
            bytes_before: whole(*before),
            bytes_after: whole(after(prefix)),
        })
        .collect();
    all.sort_by_key(|one| {
        (std::cmp::Reverse(one.bytes_before.saturating_sub(one.bytes_after)), one.prefix.clone())
    });
    all.truncate(PREFIXES);
    all
}
