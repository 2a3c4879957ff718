//! Backups: verify the log, compress it, read the archive back, and only then publish it and delete old archives.
//!
//! All unfinished files are in one directory, `.aofkit-SOURCE.RANDOM.tmp`, in the backup directory; the lock
//! `.aofkit-SOURCE.lock` admits one backup of a source at a time. A killed run therefore leaves nothing under the name
//! of an archive, and the next run for that source deletes what it left.

pub mod free_space;
mod host;
#[cfg(feature = "live")]
pub mod live;
pub mod report;
mod stage;
#[cfg(test)]
mod tests;

pub use host::host;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use jiff::Timestamp;
use jiff::tz::TimeZone;

pub use report::{BackupReport, Compaction, Step, UnderWay};

use crate::analysis::survey::survey;
use crate::aof::log::{Layout, Log};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::disk::publish::Existing;
use crate::disk::{Scratch, rename};
use crate::input::files::open_files;
use crate::ops::compact;
use crate::ops::compress::write::CompressOptions;
use crate::ops::list::Identity;
use crate::ops::prune::{JustMade, KeepPolicy, PruneOptions, lock_unless, prune_source};
use crate::ops::verify::{self, report_on};

/// Options of a backup.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct BackupOptions {
    /// The backup directory. It must exist: a missing directory often means that a disk is not mounted.
    pub to: PathBuf,
    /// Options of the archive. Its path and the treatment of existing files are determined by the backup.
    pub archive: CompressOptions,
    /// Options of a preceding compaction, if requested. Its output path is determined by the backup.
    pub compact: Option<compact::CompactOptions>,
    /// The retention policy for archives of this source; an empty policy retains all of them.
    pub keep: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
}

impl BackupOptions {
    /// Returns the options to back up into the directory `to`.
    pub fn new(to: impl Into<PathBuf>) -> Self {
        BackupOptions { to: to.into(), ..BackupOptions::default() }
    }
}

/// Backs up the log at `path`. The source is identified by its path and this host unless the options give more.
///
/// If a server is writing the log, everything up to its last complete command or transaction is backed up.
///
/// # Errors
///
/// - [`ErrorKind::Locked`]: another backup of this source is running.
/// - [`ErrorKind::Refused`]: too little space is free, the log contains nothing, or the archive fails the check when it
///   is read back.
/// - When the path cannot be opened as a log, or something cannot be read or written. No archive was then created and
///   none deleted.
pub fn backup_path(
    path: &Path,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    let log = open_files(path)?;
    let mut options = options.clone();
    let source = &mut options.archive.source;
    source.path = Some(place_of(&log)?);
    if source.host.is_none() {
        source.host = host();
    }
    backup(&log, None, &options, progress)
}

/// Returns the location of a log, which is the same for all paths that refer to it.
fn place_of(log: &Log) -> Result<PathBuf> {
    let place = match &log.layout {
        Layout::MultiPart { directory, .. } => directory,
        _ => &log.opened,
    };
    fs::canonicalize(place).map_err(|error| Error::io("find", place, error))
}

/// Backs up an opened log: the first `ends` bytes of each part or, without `ends`, everything up to the last complete
/// command of a server that is writing it.
///
/// # Errors
///
/// - [`ErrorKind::Locked`]: another backup of this source is running.
/// - [`ErrorKind::Refused`]: too little space is free, the log contains nothing, or the archive fails the check when it
///   is read back.
/// - When something cannot be read or written. No archive was then created and none deleted.
///
/// A damaged log is not backed up unless the options request it; the report contains the damage.
pub fn backup(
    log: &Log,
    ends: Option<&[u64]>,
    options: &BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    let started = Instant::now();
    check_directory(&options.to)?;
    if let Layout::OnePart { .. } = log.layout {
        return Err(Error::new(
            ErrorKind::Usage,
            "this is one part of a log, and no backup of it alone",
        )
        .at(&log.path)
        .help("give the directory that it is in; `aofkit compress` compresses a single part"));
    }
    let identity = Identity::from_source(&options.archive.source);
    let mut job = Job { log, options, steps: Vec::new(), progress };
    let (ends, mut report) = job.looked_at(ends, identity)?;
    if !report.damaged || options.archive.damaged {
        let lock = lock_unless(options.dry_run, &options.to, &report.identity, "backup");
        let _lock = lock?;
        job.run(&ends, &mut report)?;
    }
    report.steps = job.steps;
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}

fn check_directory(to: &Path) -> Result<()> {
    let metadata = fs::metadata(to).map_err(|error| {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        let error = Error::io("open", to, error);
        if is_missing { error.help("make it first, or mount what should be there") } else { error }
    })?;
    if !metadata.is_dir() {
        return Err(Error::new(
            ErrorKind::Usage,
            "archives are kept in a directory, and this is none",
        )
        .at(to));
    }
    Ok(())
}

/// A running backup.
struct Job<'j> {
    log: &'j Log,
    options: &'j BackupOptions,
    steps: Vec<Step>,
    progress: &'j dyn Progress,
}

impl Job<'_> {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let (started, since) = (Timestamp::now(), Instant::now());
        let done = work(self)?;
        let elapsed_s = since.elapsed().as_secs_f64();
        self.steps.push(Step { name, started, ended: Timestamp::now(), elapsed_s });
        Ok(done)
    }

    /// Verifies the log and returns how many bytes of each part are backed up.
    fn looked_at(
        &mut self,
        ends: Option<&[u64]>,
        identity: Identity,
    ) -> Result<(Vec<u64>, BackupReport)> {
        let (log, options) = (self.log, self.options);
        let mut under_way = None;
        let mut findings = Vec::new();
        let ends = match ends {
            // The archive is made from a complete prefix or not at all, which pack() enforces.
            Some(ends) => ends.to_vec(),
            None => self.step("verify", |job| {
                let mut ends: Vec<u64> = log.parts.iter().map(|part| part.mapping.len()).collect();
                job.progress.phase("verify", log.bytes());
                let surveys = (log.parts.iter())
                    .map(|part| survey(part, job.progress))
                    .collect::<Result<Vec<_>>>()?;
                if let (Some(last), Some(end)) = (surveys.last(), ends.last_mut()) {
                    under_way = stage::under_way(last);
                    if let Some(under_way) = &under_way {
                        *end = under_way.end;
                    }
                }
                let others = surveys.len() - usize::from(under_way.is_some());
                if surveys[..others].iter().any(|survey| !survey.is_whole()) {
                    let reported = report_on(log, &surveys, &verify::VerifyOptions::default());
                    findings = reported.findings;
                    findings.retain(|finding| finding.level == Level::Error);
                }
                Ok(ends)
            })?,
        };
        let log_bytes = ends.iter().sum();
        if log_bytes == 0 && !options.archive.damaged {
            return Err(Error::new(ErrorKind::Refused, "the log holds nothing, and no backup is made of it")
                .at(&log.path)
                .help("it would take the place of an older one that may be needed; --damaged makes it all the same"));
        }
        let report = BackupReport {
            path: log.path.clone(),
            source: options.archive.source.clone(),
            identity,
            to: options.to.clone(),
            archive: None,
            dry_run: options.dry_run,
            created: options.archive.created,
            log_bytes,
            commands: 0,
            rdb_keys: 0,
            newer_rdb: None,
            bytes: log_bytes,
            archive_bytes: 0,
            ratio: 0.0,
            read_back: false,
            under_way,
            damaged: !findings.is_empty(),
            findings,
            compaction: None,
            needed_bytes: 0,
            free_bytes: 0,
            cleared: Vec::new(),
            keep: options.keep,
            retention: None,
            retention_problem: None,
            steps: Vec::new(),
            elapsed_s: 0.0,
        };
        Ok((ends, report))
    }

    /// Runs all steps after verification, while the lock is held.
    fn run(&mut self, ends: &[u64], report: &mut BackupReport) -> Result<()> {
        let (log, options) = (self.log, self.options);
        let prefix = format!("{}.", report.identity.file_prefix());
        if !options.dry_run {
            let cleared = Scratch::clear_left_over(&options.to, &prefix)?;
            report.cleared = cleared.iter().map(|path| path.display().to_string()).collect();
        }
        let staged = if options.compact.is_some() { log.bytes() } else { 0 };
        let method = options.archive.method;
        report.needed_bytes =
            crate::ops::backup::free_space::estimate(log, ends, method).saturating_add(staged);
        report.free_bytes = self.step("free space", |_| {
            crate::ops::backup::free_space::check(&options.to, report.needed_bytes)
        })?;
        if options.dry_run {
            let upcoming = options.to.join("the one to be made");
            self.retain(report, &upcoming);
            return Ok(());
        }
        let scratch = Scratch::create(&options.to, &prefix)?;
        match &options.compact {
            None => self.pack(log, ends, &scratch, report)?,
            Some(compaction) => {
                let compacted = self.step("compact", |job| {
                    stage::compacted(log, ends, compaction, &scratch, report, job.progress)
                })?;
                let ends: Vec<u64> =
                    compacted.parts.iter().map(|part| part.mapping.len()).collect();
                self.pack(&compacted, &ends, &scratch, report)?;
            }
        }
        if let Some(archive) = report.archive.clone() {
            self.retain(report, &archive);
        }
        Ok(())
    }

    /// Compresses the log, reads the archive back, and publishes it.
    fn pack(
        &mut self,
        log: &Log,
        ends: &[u64],
        scratch: &Scratch,
        report: &mut BackupReport,
    ) -> Result<()> {
        let destination =
            CompressOptions { output: self.options.to.clone(), ..self.options.archive.clone() }
                .destination()?;
        let unseen = scratch.path().join(destination.file_name().unwrap_or_default());
        let mut options = CompressOptions {
            output: unseen.clone(),
            existing: Existing::Keep,
            fingerprint: report.compaction.as_ref().map(|done| done.fingerprint.clone()),
            backup: true,
            ..self.options.archive.clone()
        };
        if let Layout::MultiPart { appenddirname, .. } = &self.log.layout
            && !appenddirname.is_empty()
            && options.appenddirname.is_none()
        {
            options.appenddirname = Some(appenddirname.clone());
        }
        let mut packed = self.step("compress", |job| {
            crate::ops::compress::pack(log, ends, &options, job.progress)
        })?;
        self.step("read back", |job| packed.check(job.progress))?;
        let (done, archive) = self.step("publish", |_| {
            let done = packed.publish()?;
            let archive = publish(&unseen, &destination)?;
            Ok((done, archive))
        })?;
        report.archive = Some(archive);
        report.commands = done.contents.commands();
        report.rdb_keys = done.contents.rdb_keys();
        report.newer_rdb = done.contents.files.iter().find_map(|file| file.newer_rdb.clone());
        report.bytes = done.bytes;
        report.archive_bytes = done.archive_bytes;
        #[allow(clippy::cast_precision_loss)] // Three digits are shown.
        let ratio = report.log_bytes as f64 / done.archive_bytes.max(1) as f64;
        report.ratio = ratio;
        report.read_back = done.checked;
        report.source = done.contents.source;
        Ok(())
    }

    /// Deletes the archives that the policy does not retain. The new archive exists by now, so that a failure here is
    /// reported but does not fail the backup.
    fn retain(&mut self, report: &mut BackupReport, archive: &Path) {
        if self.options.keep.is_empty() {
            return;
        }
        let options = PruneOptions {
            policy: self.options.keep,
            dry_run: self.options.dry_run,
            now: Timestamp::now(),
            zone: TimeZone::system(),
        };
        let made = JustMade { path: archive, created: report.created };
        // A damaged log that was backed up as it is must not replace older archives.
        let made = (!report.damaged).then_some(made);
        let identity = report.identity.clone();
        let done = self.step("retention", |job| {
            prune_source(&job.options.to, &identity, &options, made, job.progress)
        });
        match done {
            Ok(group) => report.retention = Some(group),
            Err(error) => report.retention_problem = Some(error.to_string()),
        }
    }
}

/// Publishes the archive under its name or, if another source took that name in the same second, under the next free
/// name.
fn publish(unseen: &Path, destination: &Path) -> Result<PathBuf> {
    let stem = destination.file_stem().unwrap_or_default();
    let mut archive = destination.to_path_buf();
    let mut number = 1_u32;
    while !rename::put_new(unseen, &archive)? {
        number = number.saturating_add(1);
        let mut name = stem.to_owned();
        name.push(format!("-{number}"));
        if let Some(extension) = destination.extension() {
            name.push(".");
            name.push(extension);
        }
        archive = destination.with_file_name(name);
    }
    Ok(archive)
}
