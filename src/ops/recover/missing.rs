//! A log of which a file is missing, and what is left of it.

use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::places::above;
use super::search::search;
use crate::aof::log::{Layout, Log, ManifestFile, PartRole};
use crate::aof::manifest::{self, Manifest};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::input::broken_set::SetFault;
use crate::input::files::{PartName, map_parts, part_role};
use crate::input::opened::FoundBroken;
use crate::input::set_proposal::layout_of;
use crate::input::{Input, OpenedLog, open};

/// The kind of a set whose base has no bytes; servers load it.
pub(super) const EMPTY_BASE: &str = "empty-base";

/// What is missing of a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Missing {
    /// The identifier of the fault: `no-log`, `empty-base`, or as in `broken` of `verify`.
    pub(crate) kind: &'static str,
    /// The path of the file or directory with the fault.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) path: PathBuf,
    /// The fault, for display.
    pub(crate) what: String,
    /// What servers do with the log as it is.
    pub(crate) servers: String,
}

/// A log, or what is left of it.
pub(super) struct Whole {
    pub(super) log: OpenedLog,
    pub(super) missing: Option<Missing>,
    /// The error for work that needs the whole log.
    error: Option<Error>,
}

impl Whole {
    /// Fails if the log itself cannot be recovered because a file of it is missing.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Manifest`], [`ErrorKind::NotFound`]: which file is missing.
    pub(super) fn refuse_missing(self) -> Result<Self> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }
}

/// What is at a path from which data shall be recovered.
pub(super) enum Found {
    /// A log or an archive, which is not read yet.
    Input(Input),
    /// A directory without a log, in which there are recovery candidates.
    NoLog(Box<Whole>),
}

/// Finds what `path` refers to.
///
/// # Errors
///
/// As [`open`]; that a directory contains no log is an error only if it does not contain a recovery candidate either.
pub(super) fn find(path: &Path, also: &[PathBuf], progress: &dyn Progress) -> Result<Found> {
    let error = match open(path) {
        Ok(input) => {
            // Only where a snapshot is taken for all the data there is.
            let is_rdb = |log: &Log| {
                let is_named = log.opened.extension().is_some_and(|end| end == "aof");
                log.layout == Layout::RdbFile && !is_named
            };
            let is_snapshot = matches!(&input, Input::Log(log) if is_rdb(log)) && path.is_dir();
            return match is_snapshot.then(|| unreadable(path)).flatten() {
                Some(error) => Err(error),
                None => Ok(Found::Input(input)),
            };
        }
        Err(error) => error,
    };
    // Several snapshots are an error of usage elsewhere, and several candidates here.
    let is_without_log = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Usage)
        && path.is_dir()
        && !has_logs(path);
    if !is_without_log {
        return Err(error);
    }
    if let Some(error) = unreadable(path) {
        return Err(error);
    }
    let log = empty(path, Layout::Empty);
    if search(&log, also).is_empty() {
        return Err(error);
    }
    let missing = Missing {
        kind: "no-log",
        path: path.to_path_buf(),
        what: "there is no append-only file in this directory".to_owned(),
        servers: "a server with `appendonly yes` starts without data; one with `appendonly no` loads its dump.rdb".to_owned(),
    };
    let log = Input::Log(Box::new(log)).into_log(progress)?;
    let whole = Whole { log, missing: Some(missing), error: Some(error) };
    Ok(Found::NoLog(Box::new(whole)))
}

/// Returns the error for a directory in `directory` that this user may not list: the log may be in it.
fn unreadable(directory: &Path) -> Option<Error> {
    let failed = |path: &Path, error| Some(Error::io("list", path, error));
    let names = |path: &Path| fs::read_dir(path)?.collect::<io::Result<Vec<_>>>();
    let below = match names(directory) {
        Ok(below) => below,
        Err(error) => return failed(directory, error),
    };
    // That of a file system, in which nothing is a server's.
    let below = below.iter().filter(|entry| entry.file_name() != "lost+found");
    below.map(DirEntry::path).filter(|path| path.is_dir()).find_map(|path| {
        let error = names(&path).err()?;
        failed(&path, error)
    })
}

/// Returns whether a directory has several logs, of which one has to be given.
fn has_logs(directory: &Path) -> bool {
    let is_log = |name: &OsStr| {
        let name = name.as_bytes();
        name.ends_with(b".manifest") || name.ends_with(b".aof") && !name.starts_with(b"temp-")
    };
    let names = |directory: &Path| {
        let entries = fs::read_dir(directory).into_iter().flatten().flatten();
        entries.map(|entry| (entry.file_name(), entry.path())).collect::<Vec<_>>()
    };
    names(directory).iter().any(|(name, path)| {
        is_log(name) || path.is_dir() && names(path).iter().any(|(name, _)| is_log(name))
    })
}

/// Opens an input, also one of which a file is missing. An archive is verified and extracted.
///
/// # Errors
///
/// As [`Input::into_log`], except for a broken set.
pub(super) fn open_whole(path: &Path, input: Input, progress: &dyn Progress) -> Result<Whole> {
    match input.into_set(progress)? {
        Err(found) => what_is_left(path, *found),
        Ok(log) => {
            let missing = empty_base(&log);
            Ok(Whole { log, missing, error: None })
        }
    }
}

/// Returns the fault of a set whose base is an RDB of 0 bytes. Servers write at least a header, and load the rest of the
/// set without an error.
fn empty_base(log: &Log) -> Option<Missing> {
    let base = log.parts.iter().find(|part| part.role == PartRole::Base)?;
    base.is_empty_rdb().then(|| Missing {
        kind: EMPTY_BASE,
        path: base.path.clone(),
        what: format!("`{}` has 0 bytes: the keys of the last rewrite are missing", base.name),
        servers: "a server loads only what was written after that rewrite".to_owned(),
    })
}

fn what_is_left(path: &Path, found: FoundBroken) -> Result<Whole> {
    let broken = &found.broken;
    let left = match &broken.fault {
        SetFault::NoManifest { parts } => {
            let part = parts.first().and_then(|name| PartName::parse(name.as_ref()));
            let name = part.map(|part| part.appendfilename);
            empty(&broken.path, layout_of(&broken.path, name))
        }
        _ => listed(&broken.path)?,
    };
    let missing = Missing {
        kind: broken.fault.kind(),
        path: found.shown(&broken.path),
        what: broken.fault.brief(),
        servers: match &broken.fault {
            SetFault::Manifest(_) => broken.fault.help(),
            SetFault::NoManifest { .. } => "Redis 7.0 and later, and Valkey, start without data, and write a new set next to these files; Redis 6.2 and earlier load only a single file".to_owned(),
            _ => "no server starts with it".to_owned(),
        },
    };
    let error = found.name_archive(broken.clone().into());
    Ok(Whole { log: found.opened(left, path), missing: Some(missing), error: Some(error) })
}

/// Returns the parts of a set that exist, in load order.
fn listed(path: &Path) -> Result<Log> {
    let text = fs::read(path).map_err(|error| Error::io("read", path, error))?;
    // Of a manifest that breaks a rule nothing is known: the parts are paired by their numbers.
    let manifest = manifest::parse(&text).unwrap_or(Manifest { entries: Vec::new() });
    let directory = above(path);
    let listed = manifest
        .load_order()
        .map(|entry| (directory.join(entry.file_name()), part_role(entry.role)));
    let parts = map_parts(listed.filter(|(path, _)| path.is_file()).collect())?;
    let layout = layout_of(&directory, path.file_stem());
    let manifest = Some(ManifestFile { path: path.to_path_buf(), manifest });
    Ok(Log { parts, manifest, ..empty(path, layout) })
}

fn empty(path: &Path, layout: Layout) -> Log {
    Log {
        path: path.to_path_buf(),
        opened: path.to_path_buf(),
        chosen: None,
        layout,
        parts: Vec::new(),
        history: Vec::new(),
        manifest: None,
        others: Vec::new(),
    }
}
