//! Preparing a log from an archive for a server, in a hidden directory.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::aof::log::{Layout, Log, PartRole};
use crate::aof::manifest::{Entry, Manifest, Role};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::failure::Failure;
use crate::base::progress::Progress;
use crate::base::server::{Server, redis};
use crate::disk::publish::Existing;
use crate::disk::rename::move_unpublished;
use crate::input::archive::extract;
use crate::input::archive::extract::ExtractOptions;
use crate::input::files::open_files;
use crate::input::overwrite::access_of;
use crate::ops::compact::{self, Form, compact};
use crate::ops::restore::options::RestoreOptions;
use crate::ops::verify::judge::Verdict;
use crate::ops::verify::report::{LogOutcome, LogReport};
use crate::ops::verify::{self, verify_path};

/// The default file names of servers.
pub(super) const APPENDFILENAME: &str = "appendonly.aof";
pub(super) const APPENDDIRNAME: &str = "appendonlydir";

/// The layout of a log in a data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// A single file. Servers since 7.0 move it into a set when they first start.
    SingleFile,
    /// A directory with a manifest.
    MultiPart,
}

/// The conversion of a log for a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Change {
    /// The single file became the base of a set.
    MadeSet,
    /// The log was compacted into this form, because the server cannot load the content of the archive.
    Compacted {
        /// The form.
        form: Form,
        /// A short reason.
        reason: String,
        /// The fingerprint of the data, which is the same before and after.
        fingerprint: String,
        /// The number of commands that fail with an error while a server loads the log.
        failed_commands: u64,
    },
}

/// A log that is ready to be published.
pub(super) struct Ready {
    /// The current path of the file or of the directory of the set.
    pub(super) path: PathBuf,
    /// The final name.
    pub(super) name: String,
    /// The server's `appendfilename`.
    pub(super) appendfilename: String,
    pub(super) shape: Shape,
    pub(super) change: Option<Change>,
    pub(super) bytes: u64,
    pub(super) commands: u64,
    pub(super) rdb_keys: u64,
    /// Whether its keys can be read by this version.
    pub(super) is_known: bool,
}

/// Extracts the archive below `scratch`, verifies the extracted files, and converts them to what the server loads.
pub(super) fn ready(
    archive: &Path,
    options: &RestoreOptions,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<Ready> {
    let extracted = scratch.join("archive");
    let how =
        ExtractOptions { output: extracted.clone(), existing: Existing::Keep, damaged: false };
    extract(archive, &how, progress)?;
    let log = opened(&extracted, archive)?;
    let mut report = verified(&log.opened, options, archive, progress)?;
    let reason = options.server.and_then(|server| {
        reason_to_convert(&log, &report, server, options).map(|reason| (server, reason))
    });
    let (log, change) = match reason {
        Some((server, reason)) => {
            if refused(&report).is_some_and(|verdict| verdict.needs_module.is_some()) {
                refuse_unless_loaded(server, &report, archive)?;
            }
            let (log, change) =
                converted((archive, &log), server, reason, options, scratch, progress)?;
            report = verified(&log.opened, options, archive, progress)?;
            refuse_unless_loaded(server, &report, archive)?;
            (log, Some(change))
        }
        None => (log, None),
    };
    let is_set = log.manifest.is_some() || options.server.is_some_and(Server::reads_multi_part);
    let mut ready = if is_set { set(&log, scratch)? } else { single(&log, scratch)? };
    let became_set = is_set && log.manifest.is_none() && change.is_none();
    ready.change = change.or(became_set.then_some(Change::MadeSet));
    ready.commands = report.commands;
    ready.rdb_keys = report.rdb_keys;
    ready.is_known = report.parts.iter().all(|part| part.newer_rdb.is_none());
    // The parts were only renamed since they were read; opening the set shows that a server finds them all.
    ready.bytes = open_files(&ready.path)?.bytes();
    if ready.bytes != report.bytes {
        return Err(
            Error::new(ErrorKind::Changed, "the extracted log was changed meanwhile").at(archive)
        );
    }
    Ok(ready)
}

/// Returns why the log has to be converted for the server, if it has to.
fn reason_to_convert(
    log: &Log,
    report: &LogReport,
    server: Server,
    options: &RestoreOptions,
) -> Option<String> {
    let rdbs = report.parts.iter().filter_map(|part| part.rdb.as_ref());
    let has_aux = rdbs.flat_map(|rdb| &rdb.modules).any(|module| module.aux > 0);
    match refused(report) {
        Some(_) if log.manifest.is_some() && !server.reads_multi_part() => {
            Some(format!("{server} reads no multi-part log"))
        }
        Some(Verdict { reason: Some(reason), .. }) => {
            Some(format!("{server} does not load it as it is: {reason}"))
        }
        Some(_) => Some(format!("{server} does not load it as it is")),
        None if has_aux && options.compaction.drop_module_aux => {
            Some("data of modules that belongs to no key is left out".to_string())
        }
        None => None,
    }
}

/// Returns the verdict of a server that does not load the log.
fn refused(report: &LogReport) -> Option<&Verdict> {
    report.verdicts.iter().find(|verdict| !verdict.may_load())
}

/// Refuses a log that was prepared for a server and that it would not load.
fn refuse_unless_loaded(server: Server, report: &LogReport, archive: &Path) -> Result<()> {
    match refused(report) {
        None => Ok(()),
        Some(verdict) => {
            let reason = verdict.reason.as_deref().unwrap_or("unknown reason");
            if verdict.needs_module.is_some() {
                let what = format!("{server} does not load it: {reason}");
                return Err(Error::new(ErrorKind::Refused, what).at(archive).help(
                    "--module NAME says that the module is loaded there; without --for the log is restored as it is. Nothing was changed here",
                ));
            }
            let what = format!("{server} would not load what was made of it for it: {reason}");
            Err(Error::new(ErrorKind::Refused, what)
                .at(archive)
                .help("this is a bug in aofkit; please report it. Nothing was changed here"))
        }
    }
}

fn opened(extracted: &Path, archive: &Path) -> Result<Log> {
    open_files(extracted).map_err(|error| {
        Error::new(ErrorKind::Refused, format!("no log that a server could load is in it: {error}"))
            .at(archive)
            .help("`aofkit extract` writes what is there; nothing was changed here")
    })
}

/// Reads the files on disk as a server would.
fn verified(
    path: &Path,
    options: &RestoreOptions,
    archive: &Path,
    progress: &dyn Progress,
) -> Result<Box<LogReport>> {
    let options = verify::VerifyOptions {
        servers: options.server.into_iter().collect(),
        modules: options.compaction.modules.clone(),
    };
    match verify_path(path, &options, progress)? {
        LogOutcome::Read(report) => Ok(report),
        LogOutcome::Archive(_) | LogOutcome::Encrypted { .. } => {
            let what = "what is in it is an archive again, and no log";
            Err(Error::new(ErrorKind::Refused, what).at(archive))
        }
        LogOutcome::BrokenSet { message, .. } | LogOutcome::Failed(Failure { message, .. }) => {
            Err(Error::new(ErrorKind::Refused, format!("the log in it is not whole: {message}"))
                .at(archive))
        }
    }
}

/// Compacts the log to a form that the server loads.
fn converted(
    (archive, log): (&Path, &Log),
    server: Server,
    reason: String,
    options: &RestoreOptions,
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<(Log, Change)> {
    let form = match server {
        server if server.reads_multi_part() => Form::Multipart,
        // The first version whose logs begin with an RDB by default.
        server if server.has_redis(5, 0) => Form::Preamble,
        _ => Form::Aof,
    };
    let output = scratch.join("converted");
    let how = compact::CompactOptions {
        output: Some(output.clone()),
        existing: Existing::Keep,
        form: Some(form),
        server: Some(server),
        ..options.compaction.clone()
    };
    let done = compact(&log.opened, &how, progress).map_err(|error| {
        if error.kind() == ErrorKind::Interrupted {
            return error;
        }
        let help =
            error.next_step().unwrap_or("restore it for the server that wrote it, or a later one");
        let why = error.message();
        Error::new(error.kind(), format!("{reason}; and it cannot be made so: {why}"))
            .at(archive)
            .help(format!("{help}; nothing was changed here"))
    })?;
    let failed_commands = done.failed.iter().map(|failed| failed.count).sum();
    let fingerprint = done.fingerprint;
    Ok((open_files(&output)?, Change::Compacted { form, reason, fingerprint, failed_commands }))
}

/// Prepares the log as a single file.
fn single(log: &Log, scratch: &Path) -> Result<Ready> {
    let part = log.parts.first().ok_or_else(|| {
        Error::new(ErrorKind::Refused, "there is no log in the archive").at(&log.path)
    })?;
    let path = scratch.join(APPENDFILENAME);
    move_unpublished(&part.path, &path)?;
    Ok(Ready {
        path,
        name: APPENDFILENAME.to_owned(),
        appendfilename: APPENDFILENAME.to_owned(),
        shape: Shape::SingleFile,
        change: None,
        bytes: part.mapping.len(),
        commands: 0,
        rdb_keys: 0,
        is_known: true,
    })
}

/// Prepares the log as a set, writing its manifest last.
fn set(log: &Log, scratch: &Path) -> Result<Ready> {
    let (name, appendfilename) = match &log.layout {
        Layout::MultiPart { appenddirname, appendfilename, .. } => {
            // A set that was archived without its directory, or that was converted, gets the default name.
            let is_named =
                !appenddirname.is_empty() && !["archive", "converted"].contains(&&**appenddirname);
            let name = if is_named { appenddirname.as_str() } else { APPENDDIRNAME };
            (name.to_owned(), appendfilename.clone())
        }
        _ => (APPENDDIRNAME.to_owned(), APPENDFILENAME.to_owned()),
    };
    let path = scratch.join("set").join(&name);
    let access = access_of([log]);
    access.create_directories(scratch, &path).map_err(|error| Error::io("create", &path, error))?;
    let listed =
        log.manifest.as_ref().map(|file| file.manifest.entries.as_slice()).unwrap_or_default();
    let mut entries = Vec::new();
    for part in &log.parts {
        let file_name = part.path.file_name().unwrap_or_default();
        let known = listed
            .iter()
            .find(|entry| entry.role != Role::History && entry.file_name() == file_name);
        let entry = known.cloned().unwrap_or_else(|| {
            let extension = if part.starts_with_rdb() { "rdb" } else { "aof" };
            let name = match part.role {
                PartRole::Single => format!("{appendfilename}.1.base.{extension}"),
                PartRole::Base | PartRole::Incr => part.name.clone(),
            };
            Entry::new(Role::Base, name, 1)
        });
        let place = path.join(entry.file_name());
        move_unpublished(&part.path, &place)?;
        entries.push(entry);
    }
    let manifest = path.join(format!("{appendfilename}.manifest"));
    access
        .write(&manifest, &Manifest { entries }.to_bytes())
        .map_err(|error| Error::io("write", &manifest, error))?;
    Ok(Ready {
        path,
        name,
        appendfilename,
        shape: Shape::MultiPart,
        change: None,
        bytes: log.bytes(),
        commands: 0,
        rdb_keys: 0,
        is_known: true,
    })
}

/// The server whose conventions are followed if none is named.
pub(super) const ANY: Server = redis(7, 0);
