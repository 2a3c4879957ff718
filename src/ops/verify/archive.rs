//! Verifying an archive: its entries, and the log in it as in a directory.

use std::path::Path;

use super::findings::Finding;
use super::judge::Verdict;
use super::report::{ArchiveOutcome, LogOutcome, LogReport};
use crate::aof::log::{Layout, Log};
use crate::archive::report::{ArchiveFinding, ArchiveReport};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::level::Level;
use crate::base::progress::Progress;
use crate::input::archive::contained::{Contained, broken_set};
use crate::input::archive::reading::{ArchiveReading, Extraction, read_archive, unopened};
use crate::input::archive::verify::tell_layout;
use crate::input::broken_set::BrokenSet;

/// Verifies the archive at `path`, and the log in it by `verify_log`.
///
/// # Errors
///
/// When it cannot be opened or changes while it is read, when the temporary directory cannot hold its files, and when it
/// has several logs.
pub(super) fn verify_archive(
    path: &Path,
    verify_log: impl FnOnce(&Log) -> Result<LogReport>,
    judge: impl FnOnce(BrokenSet) -> (BrokenSet, Vec<Verdict>),
    progress: &dyn Progress,
) -> Result<ArchiveOutcome> {
    if path.metadata().is_ok_and(|metadata| metadata.len() == 0) {
        return Ok(ArchiveOutcome { archive: empty_file(path), log: None });
    }
    let ArchiveReading { report: mut archive, damage, log } = read_archive(path, true, progress)?;
    let Some((contained, extraction)) = log else {
        return Ok(ArchiveOutcome { archive, log: None });
    };
    tell_layout(&mut archive, &contained);
    let root = extraction.root();
    let log = match contained {
        Contained::Log(log) => {
            let report = verify_log(&log);
            let mut report = report.map_err(|error| extraction.name_archive(error))?;
            for help in report.findings.iter_mut().filter_map(|finding| finding.help.as_mut()) {
                *help = extraction.shown_text(help);
            }
            archive.add(report.findings.iter().map(|one| of_entry(one, &log, root)).collect());
            name_archive(&mut report, path, &extraction);
            Some(LogOutcome::Read(Box::new(report)))
        }
        Contained::Broken(broken) => {
            archive.add(vec![broken_set(&broken, root, Level::Error)]);
            let (mut broken, verdicts) = judge(broken);
            broken.path = extraction.shown(&broken.path);
            if let Some(proposal) = &mut broken.left {
                proposal.manifest = extraction.shown(&proposal.manifest);
            }
            Some(LogOutcome::broken(path, broken, verdicts))
        }
        Contained::Unopened(error) if error.kind() == ErrorKind::NotFound => {
            archive.add(Contained::Unopened(error).findings(root, damage));
            None
        }
        Contained::Unopened(error) => return Err(unopened(error, &extraction)),
    };
    Ok(ArchiveOutcome { archive, log: log.map(Box::new) })
}

/// Returns a finding about a part as one about its entry.
fn of_entry(finding: &Finding, log: &Log, root: &Path) -> ArchiveFinding {
    let part =
        finding.part.as_ref().and_then(|name| log.parts.iter().find(|part| part.name == *name));
    let inside = part.and_then(|part| part.path.strip_prefix(root).ok());
    ArchiveFinding {
        level: finding.level,
        kind: finding.kind,
        entry: inside.map(|inside| ShownPath(inside).to_string()),
        offset: finding.offset,
        message: match finding.damage {
            Some(_) => format!("the log is damaged: {}", finding.message),
            None => finding.message.clone(),
        },
        help: finding.help.clone(),
    }
}

/// Replaces the paths of the temporary extraction by those in the archive.
fn name_archive(report: &mut LogReport, path: &Path, extraction: &Extraction) {
    report.path = path.to_owned();
    report.opened = extraction.shown(&report.opened);
    match &mut report.layout {
        Layout::MultiPart { directory, .. } => *directory = extraction.shown(directory),
        Layout::OnePart { manifest: Some(manifest) } => *manifest = extraction.shown(manifest),
        _ => {}
    }
    for file in &mut report.history {
        file.path = extraction.shown(&file.path);
    }
    for file in &mut report.others {
        file.path = extraction.shown(&file.path);
    }
}

/// Returns the report on a file of no bytes that is named like an archive.
fn empty_file(path: &Path) -> ArchiveReport {
    let what = "this is no archive: the file is empty";
    let finding = ArchiveFinding::new(Level::Error, "empty", what);
    unread(path, 0, finding.help("nothing was written to it; take another archive"))
}

/// Returns the report on an archive whose encryption is damaged.
pub(super) fn damaged_encryption(path: &Path, error: &Error) -> ArchiveReport {
    let mut finding = ArchiveFinding::new(Level::Error, "encryption", error.message());
    finding.offset = error.offset();
    finding.help = Some("take another copy of the archive".to_owned());
    unread(path, path.metadata().map_or(0, |metadata| metadata.len()), finding)
}

/// Returns the report on an archive of which nothing could be read.
fn unread(path: &Path, archive_bytes: u64, finding: ArchiveFinding) -> ArchiveReport {
    ArchiveReport {
        path: path.to_owned(),
        sound: false,
        own: false,
        archive_bytes,
        bytes: 0,
        commands: 0,
        rdb_keys: 0,
        contents: None,
        layout: None,
        entries: Vec::new(),
        findings: vec![finding],
        has_unloadable: false,
        elapsed_s: 0.0,
    }
}
