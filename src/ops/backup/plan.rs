//! The plan of a backup: how much of each part is backed up, and the space it needs. Planning writes nothing.

use crate::disk::open_writers::{Holder, writers};
use std::path::PathBuf;

use serde::Serialize;

use super::free_space;
use super::job::Job;
use crate::analysis::survey::{Survey, survey};
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::level::Level;
use crate::ops::list::Identity;
use crate::ops::prune::KeepPolicy;
use crate::ops::verify::beside::warnings;
use crate::ops::verify::findings::{FUNCTION_LIBRARY, Finding};
use crate::ops::verify::{self, report_on};

/// What is backed up. Which older archives are removed is planned once the new one exists.
#[derive(Debug, Serialize)]
pub struct BackupPlan {
    /// The identity of the source, which retention groups archives by.
    pub identity: Identity,
    /// The backup directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
    /// The number of bytes of each part that are backed up, in load order.
    pub ends: Vec<u64>,
    /// The number of bytes of the log that are backed up.
    pub log_bytes: u64,
    /// The number of bytes after the end of an RDB file. Servers ignore them, and they are left out.
    pub(crate) after_rdb: u64,
    /// The part of the log that is being written and is therefore left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub under_way: Option<UnderWay>,
    /// Whether the log is damaged. It is then not backed up unless requested.
    pub damaged: bool,
    /// The findings about the log.
    pub findings: Vec<Finding>,
    /// The files next to the log that may be what a person means: a newer snapshot, the old single file, another set.
    pub(crate) beside: Vec<Finding>,
    /// The estimated maximum number of bytes needed, including temporary files.
    pub needed_bytes: u64,
    /// The retention policy.
    pub keep: KeepPolicy,
}

/// Verifies the log, and plans how much of it is backed up: the first `ends` bytes of each part or, without `ends`,
/// everything up to the last complete command of a server that is writing it.
///
/// # Errors
///
/// [`ErrorKind::Refused`] when the log contains nothing; when it cannot be read.
pub(super) fn plan(job: &mut Job<'_>, ends: Option<&[u64]>) -> Result<BackupPlan> {
    let (log, options) = (job.log, job.options);
    let (mut unfinished, mut after_rdb) = (None, 0);
    let (mut findings, mut damaged) = (Vec::new(), false);
    let ends = match ends {
        // The archive is made from a complete prefix or not at all, which `pack` enforces.
        Some(ends) => ends.to_vec(),
        None => job.step("verify", |job| {
            let mut ends: Vec<u64> = log.parts.iter().map(|part| part.mapping.len()).collect();
            job.progress.phase("verify", log.bytes());
            let surveys = (log.parts.iter())
                .map(|part| survey(part, job.progress))
                .collect::<Result<Vec<_>>>()?;
            if let (Some(last), Some(end)) = (surveys.last(), ends.last_mut()) {
                unfinished = under_way(last);
                after_rdb = last.ignored_bytes();
                if after_rdb > 0 {
                    *end = last.stop.at as u64;
                }
                if let Some(under_way) = &unfinished {
                    *end = under_way.end;
                }
            }
            let others = surveys.len() - usize::from(unfinished.is_some());
            let is_damaged = |survey: &Survey<'_>| !survey.is_whole() || survey.part.is_empty_rdb();
            if surveys[..others].iter().any(is_damaged) {
                findings = errors(log, &surveys);
                damaged = true;
            } else if unfinished.is_none() {
                findings = errors(log, &surveys);
                findings.retain(|finding| PREVENTS_START.contains(&finding.kind));
            }
            Ok(ends)
        })?,
    };
    let stored =
        log.parts.iter().zip(&ends).map(|(part, &end)| part.stored_bytes(end).len() as u64);
    let log_bytes: u64 = stored.sum();
    if log_bytes == 0 && !options.archive.damaged {
        return Err(Error::new(ErrorKind::Refused, "the log holds nothing, and no backup is made of it")
            .at(&log.path)
            .help("it would take the place of an older one that may be needed; --damaged makes it all the same"));
    }
    let needed_bytes = match damaged && !options.archive.damaged {
        true => 0,
        false => {
            let staged = if options.compact.is_some() { log.bytes() } else { 0 };
            free_space::estimate(log, &ends, options.archive.method).saturating_add(staged)
        }
    };
    Ok(BackupPlan {
        identity: Identity::from_source(&options.archive.source),
        to: options.to.clone(),
        ends,
        log_bytes,
        after_rdb,
        under_way: unfinished,
        damaged,
        findings,
        beside: warnings(log),
        needed_bytes,
        keep: options.keep,
    })
}

/// The kinds of findings of a whole log with which servers do not start, or crash. It is backed up, as nothing of it would
/// be lost by that, and they are reported.
const PREVENTS_START: [&str; 3] = ["wrong-arity", "unknown-subcommand", FUNCTION_LIBRARY];

/// Returns the findings of level error, as `verify` reports them.
fn errors(log: &Log, surveys: &[Survey<'_>]) -> Vec<Finding> {
    let mut findings = report_on(log, surveys, &verify::VerifyOptions::default()).findings;
    findings.retain(|finding| finding.level == Level::Error);
    findings
}

/// The end of a log that a server was writing while it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UnderWay {
    /// The file name of the part.
    pub part: String,
    /// The byte offset of the end of the last complete command or transaction.
    pub end: u64,
    /// The number of bytes after it.
    pub bytes: u64,
    /// The process that has the part open for writing.
    pub writer: Holder,
}

/// Returns the unfinished end of the last part if it is torn and a process has it open for writing. Without a writer, a
/// torn end is damage. Damage elsewhere is damage even with a writer.
fn under_way(last: &Survey<'_>) -> Option<UnderWay> {
    let is_torn = !last.is_whole() && !last.is_preamble_broken() && !last.is_damaged();
    if !is_torn {
        return None;
    }
    let writer = writers(&last.part.path).into_iter().next()?;
    let end = last.safe_end();
    let bytes = last.part.mapping.len() - end;
    Some(UnderWay { part: last.part.name.clone(), end, bytes, writer })
}
