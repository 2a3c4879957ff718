//! Securing the log of a running server after an accident, before a rewrite destroys the data that it still contains.
//!
//! A log with a FLUSHALL contains everything before it until the next rewrite. Therefore automatic rewrites are turned
//! off, and the set is hard-linked into a safe directory at once, *before* it is known whether a rewrite is running,
//! because a running rewrite deletes the old files when it ends. If one was running, the set that it produces is
//! retained as well.

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::live::changed_settings::{Change, NO_REWRITES};
use crate::live::connect::connect;
use crate::live::connection::Connection;
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::hold_origin::HeldFrom;
use crate::live::progress::Watch;
use crate::live::rewrite::{Rewriter, Waiting};
use crate::live::server::{ServerSeen, plain_name};
use crate::live::snapshot;
use crate::live::snapshot::How;

/// Options of [`hold`].
#[derive(Debug, Clone)]
pub struct HoldOptions {
    /// The server's data directory on this machine; `None` for the directory that the server reports.
    pub dir: Option<PathBuf>,
    /// The directory in which the copy is created; `None` for the server's data directory, where hard links are
    /// possible.
    pub to: Option<PathBuf>,
    /// The interval between two checks of a running rewrite.
    pub poll: Duration,
    /// The maximum time to wait for a running rewrite.
    pub timeout: Duration,
}

/// The report of `recover --hold`: what was secured, and how.
#[derive(Debug, Serialize)]
pub struct HoldReport {
    /// The server that was asked.
    pub server: ServerSeen,
    /// The change that turned automatic rewrites off, which stays in effect; `None` if they were off before.
    pub rewrites: Option<Change>,
    /// The command that turns automatic rewrites on again, to be run after the recovery.
    pub turn_on: Option<String>,
    /// The path on this machine of the log that the server loads: the file, or the directory of the set. The recovered
    /// log belongs there.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub log: PathBuf,
    /// The RDB snapshot in the server's data directory, if it exists.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub snapshot: Option<PathBuf>,
    /// Whether a rewrite was running.
    pub rewrite_was_running: bool,
    /// The retained sets, each in a data directory that a server can be started on: the set at the beginning, and the
    /// set that a running rewrite produced.
    pub kept: Vec<Kept>,
}

/// A retained set.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// The path of its data directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether the files were linked or copied. The last file of a linked set keeps growing with the server.
    pub held: How,
    /// The size of the set in bytes at the time it was linked or copied.
    pub bytes: u64,
    /// The number of files in the set.
    pub files: usize,
}

/// Turns automatic rewrites off, saves the current log in a safe directory, and makes sure that no rewrite is running.
/// The setting is not restored: the operator turns rewrites on again after the recovery.
///
/// # Errors
///
/// When the server cannot be reached or refuses a command, has no append-only file, its log is not found or cannot be
/// saved, or the log that was found belongs to another server. The sets saved so far and the setting are left in place,
/// and the error says so.
pub fn hold(endpoint: &Endpoint, options: &HoldOptions, watch: &dyn Watch) -> Result<HoldReport> {
    let (mut connection, server) = connect(endpoint)?;
    let snapshot_name = snapshot_name(&mut connection, endpoint)?;
    let rewrites = rewrites_off(&mut connection, endpoint)?;
    let mut connection = Some(connection);
    let turn_on =
        rewrites.as_ref().map(|change| format!("CONFIG SET {} {}", change.name, change.was));
    let mut kept = Vec::new();
    let name = snapshot_name.as_deref();
    match secure(&mut connection, &server, name, endpoint, options, watch, &mut kept) {
        Ok(Secured { log, snapshot, rewrite_was_running }) => {
            Ok(HoldReport { server, rewrites, turn_on, log, snapshot, rewrite_was_running, kept })
        }
        Err(error) => Err(told(error, &kept, turn_on.as_deref())),
    }
}

struct Secured {
    log: PathBuf,
    snapshot: Option<PathBuf>,
    rewrite_was_running: bool,
}

fn secure(
    connection: &mut Option<Connection>,
    server: &ServerSeen,
    snapshot_name: Option<&str>,
    endpoint: &Endpoint,
    options: &HoldOptions,
    watch: &dyn Watch,
    kept: &mut Vec<Kept>,
) -> Result<Secured> {
    let files = Files::find(server, options.dir.as_deref())?;
    let names = Names::new(options.to.as_deref().unwrap_or(&files.dir))?;
    let snapshot = snapshot_name.map(|name| files.dir.join(name)).filter(|path| path.is_file());
    let log = match &files.appenddirname {
        Some(set) => files.dir.join(set),
        None => files.log.clone(),
    };
    let note = HeldFrom {
        schema: HeldFrom::SCHEMA,
        address: endpoint.address.to_string(),
        version: server.version.clone(),
        client: endpoint.client_args(),
        log: absolute(&log),
        snapshot: snapshot.as_deref().map(absolute),
    };
    let note = note.to_bytes();
    let first = keep(&files, &names, note.as_deref())?;
    let kept_in = ShownPath(&first.path).to_string();
    kept.push(first);
    let mut rewriter = Rewriter { connection, endpoint, run_id: &server.run_id, files: &files };
    let rewrite_was_running = rewriter.is_busy()?;
    if rewrite_was_running {
        watch.warn(&format!(
            "{}: a rewrite is running, and is waited for; the log as it was is kept already, in {kept_in}",
            endpoint.address
        ));
        let HoldOptions { poll, timeout, .. } = *options;
        rewriter.wait(Waiting { poll, timeout, reconnect: Duration::from_secs(30) }, watch)?;
        kept.push(keep(&files, &names, note.as_deref())?);
    }
    // This check is last, so that the right log is saved even if it is mistaken for a wrong one.
    if let Some(connection) = connection {
        files.check(connection, endpoint, server)?;
    }
    Ok(Secured { log, snapshot, rewrite_was_running })
}

/// Adds to an error what was done before it occurred.
fn told(error: Error, kept: &[Kept], turn_on: Option<&str>) -> Error {
    let mut help: Vec<String> = error.next_step().map(String::from).into_iter().collect();
    if let Some(kept) = kept.first() {
        let kept = ShownPath(&kept.path);
        help.push(format!("what was found is kept in {kept}, where `aofkit recover` can look"));
    }
    if let Some(turn_on) = turn_on {
        help.push(format!(
            "automatic rewrites are off now, for one would destroy what the log holds; {turn_on} turns them on again"
        ));
    }
    if help.is_empty() { error } else { error.help(help.join(". ")) }
}

/// Returns the name of the server's RDB snapshot, if the server allows the query. Failure is not an error.
fn snapshot_name(connection: &mut Connection, endpoint: &Endpoint) -> Result<Option<String>> {
    const NAME: &str = "dbfilename";
    let name = connection.setting(NAME).ok().flatten();
    name.map(|name| plain_name(NAME, name, endpoint)).transpose()
}

/// Returns an absolute path, which a reader in another directory needs.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn rewrites_off(connection: &mut Connection, endpoint: &Endpoint) -> Result<Option<Change>> {
    let name = NO_REWRITES.name;
    let was = connection.setting(name);
    let was = was.map_err(|f| f.into_error(&format!("CONFIG GET {name}"), endpoint))?;
    let Some(was) = was else { return Ok(None) };
    let Some(change) = NO_REWRITES.change_from(was, &endpoint.address)? else { return Ok(None) };
    let set = connection.set(name, &change.set);
    set.map_err(|failure| failure.into_error(&format!("CONFIG SET {name}"), endpoint))?;
    Ok(Some(change))
}

/// The directory and the time from which the names of the retained sets are built.
struct Names {
    below: PathBuf,
    time: String,
}

impl Names {
    fn new(below: &Path) -> Result<Self> {
        if !below.is_dir() {
            return Err(Error::new(ErrorKind::NotFound, "no such directory for the secured log")
                .at(below)
                .help("make it first, or let the log be kept in the server's data directory"));
        }
        let now = Timestamp::now().to_zoned(jiff::tz::TimeZone::system());
        Ok(Names { below: below.to_path_buf(), time: now.strftime("%Y%m%d%H%M%S").to_string() })
    }

    fn next(&self) -> PathBuf {
        let first = format!("aofkit-hold-{}", self.time);
        let names = std::iter::once(first.clone()).chain((2..).map(|n| format!("{first}-{n}")));
        let mut paths = names.map(|name| self.below.join(name));
        // The iterator is infinite, so a free name is found.
        paths
            .find(|path| path.symlink_metadata().is_err())
            .unwrap_or_else(|| self.below.join(first))
    }
}

fn keep(files: &Files, names: &Names, note: Option<&[u8]>) -> Result<Kept> {
    for _ in 0..TRIES {
        let path = names.next();
        if let Some((held, bytes, files)) = snapshot::keep(files, &path, note)? {
            return Ok(Kept { path, held, bytes, files });
        }
    }
    Err(Error::new(
        ErrorKind::Changed,
        "the set was rewritten again and again while it was being kept",
    )
    .at(&files.log)
    .help("automatic rewrites are off now; find out what asks for the others, and try again"))
}

/// The maximum number of attempts to save a set when a rewrite interferes.
const TRIES: u32 = 5;
