//! Opening a recovery candidate as a log of its own.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::candidates::{Candidate, CandidateKind};
use super::places::data_directory;
use crate::aof::log::{Layout, Log, ManifestFile};
use crate::aof::manifest::{Entry, Manifest, Role, printable};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::input::files::{PartName, map_parts, open_files, part_role};
use crate::input::{Input, OpenedLog, open};

/// Returns the candidate with this number.
///
/// # Errors
///
/// [`ErrorKind::Usage`] when there is none.
pub(super) fn numbered<'c>(
    candidates: &'c [Candidate],
    number: u64,
    log: &Log,
) -> Result<&'c Candidate> {
    candidates.iter().find(|candidate| candidate.number == number).ok_or_else(|| {
        let message = format!("there is no recovery candidate {number} next to the log");
        Error::new(ErrorKind::Usage, message)
            .at(&log.opened)
            .help("aofkit recover PATH lists what there is, with its numbers")
    })
}

/// Opens a candidate. An archive is verified and extracted.
///
/// # Errors
///
/// When a file cannot be read, or an archive is damaged.
pub(super) fn open_candidate(
    log: &Log,
    candidate: &Candidate,
    progress: &dyn Progress,
) -> Result<OpenedLog> {
    let first =
        candidate.files.first().ok_or_else(|| Error::new(ErrorKind::NotFound, "no file"))?;
    let opened = match candidate.kind {
        CandidateKind::Archive => return open(&first.path)?.into_log(progress),
        CandidateKind::File(_) => single(&first.path)?,
        _ => set(log, candidate, &first.path)?,
    };
    Input::Log(Box::new(opened)).into_log(progress)
}

fn single(path: &Path) -> Result<Log> {
    let mut alone = open_files(path)?;
    if let Layout::OnePart { .. } = alone.layout {
        // The candidate is a complete log, whatever set it once belonged to.
        alone.layout = match alone.parts.first() {
            Some(part) if part.starts_with_rdb() => Layout::RdbFile,
            _ => Layout::SingleFile,
        };
    }
    Ok(alone)
}

fn set(log: &Log, candidate: &Candidate, first: &Path) -> Result<Log> {
    let mut entries = Vec::new();
    let mut files = Vec::new();
    for (index, file) in candidate.files.iter().enumerate() {
        let name = file.path.file_name().unwrap_or_default();
        let numbered = PartName::parse(name);
        let role = match &numbered {
            Some(part) => part.role,
            // The base of a set that was a single file has the name of that file.
            None if index == 0 => Role::Base,
            None => Role::Incr,
        };
        let seq = numbered.and_then(|part| part.seq).unwrap_or(1);
        entries.push(Entry::new(role, name.as_encoded_bytes(), seq));
        files.push((file.path.clone(), part_role(role)));
    }
    let parts = map_parts(files)?;
    let manifest = first.with_file_name(manifest_name(candidate, log));
    Ok(Log {
        path: log.path.clone(),
        opened: manifest.clone(),
        chosen: None,
        layout: layout(log, &manifest),
        parts,
        history: Vec::new(),
        manifest: Some(ManifestFile { path: manifest, manifest: Manifest { entries } }),
        others: Vec::new(),
    })
}

/// Returns the name of the manifest that the set would have.
fn manifest_name(candidate: &Candidate, log: &Log) -> OsString {
    let names = candidate.files.iter().filter_map(|file| file.path.file_name());
    let of_parts =
        names.filter_map(PartName::parse).map(|part| part.appendfilename.to_owned()).next();
    let mut name = of_parts.unwrap_or_else(|| match &log.manifest {
        Some(manifest) => manifest.path.file_stem().unwrap_or_default().to_owned(),
        None => OsString::from("appendonly.aof"),
    });
    name.push(".manifest");
    name
}

/// Returns the layout of the log that the set would replace: the directory is that of the server, and the names of the
/// files are those of the set.
fn layout(log: &Log, manifest: &Path) -> Layout {
    let directory = match &log.layout {
        Layout::MultiPart { directory, .. } => directory.clone(),
        _ => data_directory(log).join("appendonlydir"),
    };
    Layout::MultiPart {
        appenddirname: printable(directory.file_name().unwrap_or_default().as_bytes()),
        appendfilename: printable(manifest.file_stem().unwrap_or_default().as_bytes()),
        directory,
    }
}
