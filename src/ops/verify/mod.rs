//! Verifying a log and predicting how servers load it.
//!
//! Every byte of every part is read: the segments in the report of a part (preamble, commands, bytes after damage) are
//! adjacent and add up to its length. Findings are judged by the behaviour of the servers' loaders ([`judge`]), not by
//! an ideal of the format.

mod archive;
pub(crate) mod beside;
mod broken;
pub mod findings;
pub mod judge;
pub mod report;

use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

pub use report::{ArchiveOutcome, LogOutcome, LogReport, VerifyReport};

use crate::analysis::survey::{Survey, survey};
use crate::aof::log::Log;
use crate::base::error::{ErrorKind, Result};
use crate::base::escape::typed;
use crate::base::failure::Failure;
use crate::base::modules::Modules;
use crate::base::next_step::path_arg;
use crate::base::progress::Progress;
use crate::base::server::{KNOWN, Server};
use crate::input::archive::plain::{has_identities, known_by_store, sealed};
use crate::input::archive::read_contents;
use crate::input::broken_set::BrokenSet;
use crate::input::set_proposal::propose;
use crate::input::{self, Input, open};

/// Options of [`verify`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct VerifyOptions {
    /// The servers that the log is intended for; empty for all known servers.
    pub servers: Vec<Server>,
    /// The modules that are loaded in these servers.
    pub modules: Modules,
}

impl VerifyOptions {
    fn servers(&self) -> &[Server] {
        if self.servers.is_empty() { KNOWN } else { &self.servers }
    }
}

/// Verifies each path separately, several in parallel. The reports are in the order of the paths.
///
/// # Errors
///
/// Only if the caller cancels. Failures of single paths are in the report.
pub fn verify(
    paths: &[PathBuf],
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<VerifyReport> {
    let started = Instant::now();
    let logs: Vec<LogOutcome> = paths
        .par_iter()
        .map(|path| match verify_path(path, options, progress) {
            Ok(outcome) => Ok(outcome),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Ok(LogOutcome::Failed(Failure::new(path, &error))),
        })
        .collect::<Result<_>>()?;
    Ok(VerifyReport::new(logs, started.elapsed()))
}

/// Verifies one path: a log, an RDB, or a ZIP archive that contains a log.
///
/// # Errors
///
/// When the path cannot be opened as a log, or changes while it is read.
pub fn verify_path(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<LogOutcome> {
    match open(path)? {
        Input::Log(log) => {
            verify_log(&log, options, progress).map(|report| LogOutcome::Read(Box::new(report)))
        }
        Input::Broken(broken) => {
            let broken = with_what_is_left(broken);
            let verdicts = broken::judge(&broken, options.servers());
            Ok(LogOutcome::broken(path, broken, verdicts))
        }
        Input::Archive(path) => verify_archive(&path, options, progress),
    }
}

/// Verifies an archive. Of an encrypted one, only the structure is verified if no identity is given.
fn verify_archive(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<LogOutcome> {
    let encrypted = match sealed(path) {
        Ok(None) => return verify_plain(path, options, progress),
        Ok(Some(sealed)) if !has_identities() => match known_by_store(path, progress) {
            Ok(known) => return Ok(LogOutcome::encrypted(path, sealed, known)),
            Err(error) => Err(error),
        },
        found => found,
    };
    match encrypted.and_then(|_| verify_plain(path, options, progress)) {
        Err(error) if error.kind() == ErrorKind::Damaged => {
            let archive = archive::damaged_encryption(path, &error);
            Ok(LogOutcome::Archive(Box::new(ArchiveOutcome { archive, log: None })))
        }
        verified => verified,
    }
}

/// Verifies an archive whose zip can be read.
fn verify_plain(
    path: &Path,
    options: &VerifyOptions,
    progress: &dyn Progress,
) -> Result<LogOutcome> {
    // The log of such an archive was verified when it was compressed: only the entries are checked, as a stream, without
    // temporary files of the size of the log, unless there is something in it that servers refuse.
    if options.servers.is_empty() && is_own_archive(path) {
        let archive = input::archive::verify_archive(path, progress)?;
        if !archive.sound || !archive.has_unloadable {
            return Ok(LogOutcome::Archive(Box::new(ArchiveOutcome { archive, log: None })));
        }
    }
    let verify_log = |log: &Log| verify_log(log, options, progress);
    let judge = |broken| {
        let broken = with_what_is_left(broken);
        let verdicts = broken::judge(&broken, options.servers());
        (broken, verdicts)
    };
    let archive = archive::verify_archive(path, verify_log, judge, progress)?;
    Ok(LogOutcome::Archive(Box::new(archive)))
}

/// Adds what is left of a set that no server loads as it is. If nothing can be proposed, the fault is all there is to
/// report.
fn with_what_is_left(broken: BrokenSet) -> BrokenSet {
    let left = propose(&broken).ok().map(|(_, proposal)| Box::new(proposal));
    BrokenSet { left, ..broken }
}

/// Returns whether this program has made the archive. A damaged one may have lost its metadata.
fn is_own_archive(path: &Path) -> bool {
    read_contents(path).is_ok_and(|contents| contents.is_some())
}

fn verify_log(log: &Log, options: &VerifyOptions, progress: &dyn Progress) -> Result<LogReport> {
    let started = Instant::now();
    progress.phase("verify", log.bytes());
    let surveys =
        log.parts.iter().map(|part| survey(part, progress)).collect::<Result<Vec<_>>>()?;
    let mut report = report_on(log, &surveys, options);
    report.set_elapsed(started.elapsed());
    Ok(report)
}

/// Returns the report on a log that has been read.
pub fn report_on(log: &Log, surveys: &[Survey<'_>], options: &VerifyOptions) -> LogReport {
    let verdicts = judge::judge_all(log, surveys, options.servers(), &options.modules);
    let mut findings =
        findings::findings(surveys, &verdicts, &options.modules, !options.servers.is_empty());
    findings.extend(beside::beside(log));
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.level));
    let path = typed(path_arg(&log.path).as_ref());
    for help in findings.iter_mut().filter_map(|finding| finding.help.as_mut()) {
        // The findings know a part, and not the path that was given.
        for placeholder in [" PATH ", " FILE "] {
            *help = help.replace(placeholder, &format!(" {path} "));
        }
    }
    LogReport::new(log, surveys, verdicts, findings)
}
