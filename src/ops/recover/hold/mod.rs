//! Securing the log of a running server after an accident, before a rewrite destroys the data that it still contains.
//!
//! A log with a FLUSHALL contains everything before it until the next rewrite. Therefore automatic rewrites are turned
//! off, and the set is hard-linked into a safe directory at once, *before* it is known whether a rewrite is running,
//! because a running rewrite deletes the old files when it ends. If one was running, the set that it produces is
//! retained as well.

mod report;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;

use super::client::Client;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::next_step::NextStep;
use crate::input::hold_origin::HoldOrigin;
use crate::live::changed_settings::{Change, NO_REWRITES};
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::progress::LiveProgress;
use crate::live::rewrite::{Rewriter, Waiting};
use crate::live::server::plain_name;
use crate::live::session::Session;
use crate::live::{settings, snapshot};

pub use report::{HoldOptions, HoldReport, Kept};

/// The time for which a lost connection is retried.
const RECONNECT: Duration = Duration::from_secs(30);

/// Turns automatic rewrites off, saves the current log in a safe directory, and makes sure that no rewrite is running.
/// The setting is not restored: the operator turns rewrites on again after the recovery.
///
/// # Errors
///
/// When the server cannot be reached or refuses a command, has no append-only file, its log is not found or cannot be
/// saved, or the log that was found belongs to another server. The sets saved so far and the setting are left in place,
/// and the error says so.
pub fn hold(
    endpoint: &Endpoint,
    options: &HoldOptions,
    progress: &dyn LiveProgress,
) -> Result<HoldReport> {
    let mut session = Session::open(endpoint, RECONNECT, progress)?;
    let snapshot_name = snapshot_name(&mut session)?;
    let rewrites = turn_rewrites_off(&mut session)?;
    let turn_on =
        rewrites.as_ref().map(|change| format!("CONFIG SET {} {}", change.name, change.was));
    let mut hold = Hold { session, options, kept: Vec::new() };
    match hold.secure(snapshot_name.as_deref()) {
        Ok(Secured { log, snapshot, rewrite_was_running, origin }) => Ok(HoldReport {
            server: hold.session.into_server(),
            next: rewrites.iter().map(|change| turn_on_again(&origin, change)).collect(),
            rewrites,
            turn_on,
            log,
            snapshot,
            rewrite_was_running,
            kept: hold.kept,
        }),
        Err(error) => Err(with_what_was_done(error, &hold.kept, turn_on.as_deref())),
    }
}

/// A run that secures the log of one server.
struct Hold<'r> {
    session: Session<'r>,
    options: &'r HoldOptions,
    kept: Vec<Kept>,
}

struct Secured {
    log: PathBuf,
    snapshot: Option<PathBuf>,
    rewrite_was_running: bool,
    origin: HoldOrigin,
}

/// Returns the step that turns automatic rewrites on again.
fn turn_on_again(origin: &HoldOrigin, change: &Change) -> NextStep {
    let set = Client::of_origin(origin).run(&["CONFIG", "SET", &change.name, &change.was]);
    NextStep::new("After the recovery, turn automatic rewrites on again.", [set])
}

impl Hold<'_> {
    fn secure(&mut self, snapshot_name: Option<&str>) -> Result<Secured> {
        let files = Files::find(self.session.server(), self.options.dir.as_deref())?;
        let names = Names::new(self.options.to.as_deref().unwrap_or(&files.dir))?;
        let snapshot = snapshot_name.map(|name| files.dir.join(name)).filter(|path| path.is_file());
        let log = match &files.appenddirname {
            Some(set) => files.dir.join(set),
            None => files.log.clone(),
        };
        let origin = self.origin(&log, snapshot.as_deref());
        let note = origin.to_bytes();
        let first = keep(&files, &names, note.as_deref())?;
        let kept_in = ShownPath(&first.path).to_string();
        self.kept.push(first);
        let HoldOptions { poll, timeout, .. } = *self.options;
        let waiting = Waiting { poll, timeout };
        let mut rewriter = Rewriter { session: &mut self.session, files: &files, waiting };
        let rewrite_was_running = rewriter.is_busy()?;
        if rewrite_was_running {
            let session = &rewriter.session;
            session.progress().warn(&format!(
                "{}: a rewrite is running, and is waited for; the log as it was is kept already, in {kept_in}",
                session.address()
            ));
            rewriter.wait()?;
            self.kept.push(keep(&files, &names, note.as_deref())?);
        }
        // This check is last, so that the right log is saved even if it is mistaken for a wrong one.
        files.check(&mut self.session)?;
        Ok(Secured { log, snapshot, rewrite_was_running, origin })
    }

    /// Returns the note that is saved next to the log.
    fn origin(&self, log: &Path, snapshot: Option<&Path>) -> HoldOrigin {
        let endpoint = self.session.endpoint();
        HoldOrigin {
            schema: HoldOrigin::SCHEMA,
            address: endpoint.address.to_string(),
            version: self.session.server().version.clone(),
            client: endpoint.client_args(),
            log: absolute(log),
            snapshot: snapshot.map(absolute),
        }
    }
}

/// Adds to an error what was done before it occurred.
fn with_what_was_done(error: Error, kept: &[Kept], turn_on: Option<&str>) -> Error {
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
fn snapshot_name(session: &mut Session<'_>) -> Result<Option<String>> {
    const NAME: &str = "dbfilename";
    let name = session.setting(NAME).ok().flatten();
    name.map(|name| plain_name(NAME, name, session.address())).transpose()
}

/// Returns an absolute path, which a reader in another directory needs.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

fn turn_rewrites_off(session: &mut Session<'_>) -> Result<Option<Change>> {
    let change = settings::differences(session, &[NO_REWRITES])?.pop();
    if let Some(change) = &change {
        session.set(&change.name, &change.set)?;
    }
    Ok(change)
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
