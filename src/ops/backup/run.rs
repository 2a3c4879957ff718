//! Running a backup: plan it, and apply the plan or, for a dry run, predict what it needs.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::job::Job;
use super::options::BackupOptions;
use super::plan;
use super::report::BackupReport;
use crate::aof::log::{Layout, Log};
use crate::archive::contents::Source;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::input::files::open_files;
use crate::ops::prune::lock_unless;
use crate::store::client::open_at;
use crate::store::url::is_url;

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

/// Returns the source of the log at `path`, of the server at `port` if that is known, without reading the log; `None` if
/// there is no log, and no port is known either.
pub(crate) fn source_of(path: &Path, port: Option<u16>) -> Option<Source> {
    let place = open_files(path).and_then(|log| place_of(&log)).ok();
    let source = Source { host: host(), port, path: place, ..Source::default() };
    (source.port.is_some() || source.path.is_some()).then_some(source)
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
    if is_url(&options.to) {
        // Missing credentials are reported before the log is read.
        open_at(&options.to, progress)?;
    } else {
        check_directory(&options.to)?;
    }
    if let Layout::OnePart { .. } = log.layout {
        return Err(Error::new(
            ErrorKind::Usage,
            "this is one part of a log, and no backup of it alone",
        )
        .at(&log.path)
        .help("give the directory that it is in; `aofkit compress` compresses a single part"));
    }
    let mut job = Job { log, options, steps: Vec::new(), progress };
    let mut report = BackupReport::new(log, options, plan::plan(&mut job, ends)?);
    if !report.plan.damaged || options.archive.damaged {
        if options.dry_run {
            job.predict(&mut report)?;
        } else {
            let wait = (options.lock_wait, progress);
            let lock = lock_unless(false, &options.to, &report.plan.identity, "backup", wait)?;
            match is_url(&options.to) {
                true => job.apply_to_store(&mut report, lock.as_ref())?,
                false => job.apply(&mut report)?,
            }
        }
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
        return Err(Error::new(ErrorKind::Usage, "not a directory")
            .at(to)
            .help("give the directory that contains the archives"));
    }
    Ok(())
}

/// Returns the host name of this machine.
pub fn host() -> Option<String> {
    rustix::system::uname().nodename().to_str().ok().map(str::to_owned)
}
