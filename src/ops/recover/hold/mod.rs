//! Securing the data of a running server after an accident, before the server destroys what its files still contain.
//!
//! A log with a FLUSHALL contains everything before it until the next rewrite. Therefore automatic rewrites are turned
//! off, and the set is hard-linked into a safe directory at once, *before* it is known whether a rewrite is running,
//! because a running rewrite deletes the old files when it ends. If one was running, the set that it produces is
//! retained as well. The RDB snapshot is linked with it: a save would replace it.
//!
//! A server without an append-only file has only its snapshot. That is linked, and save points are held off.
//!
//! | module | contents |
//! |---|---|
//! | `changed` | the settings that a hold changes, and their journal |
//! | `release` | setting them back |
//! | `list` | the secured logs in a directory |
//! | `names` | the names of secured logs |
//! | `report` | options and the report |

mod changed;
mod list;
mod names;
mod release;
mod report;

use std::path::{Path, PathBuf};

use self::changed::Changed;
use self::names::Names;
use self::report::RECONNECT;
use super::client::Client;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::{Shown, ShownPath};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::input::hold_origin::HoldOrigin;
use crate::live::changed_settings::{Change, NO_REWRITES, NO_SAVES};
use crate::live::endpoint::Endpoint;
use crate::live::files::Files;
use crate::live::found_names::FoundNames;
use crate::live::progress::LiveProgress;
use crate::live::rewrite::{Rewriter, Waiting};
use crate::live::server::plain_name;
use crate::live::session::Session;
use crate::live::settings::set_by_hand;
use crate::live::snapshot::{self, Retained};

pub(crate) use list::{HoldsReport, holds};
pub(crate) use release::{ReleaseReport, release};
pub use report::{HoldOptions, HoldReport, Kept};

/// Turns automatic rewrites off, saves the current log and the RDB snapshot in a safe directory, and makes sure that no
/// rewrite is running. Of a server without an append-only file, the snapshot is saved, and save points are held off.
/// The settings are not restored: `recover --release` does that after the recovery.
///
/// # Errors
///
/// When the server cannot be reached or refuses a command, has neither an append-only file nor a snapshot, its log is
/// not found or cannot be saved, or the log that was found belongs to another server. What was saved so far and the
/// settings are left in place, and the error says so.
pub fn hold(
    endpoint: &Endpoint,
    options: &HoldOptions,
    progress: &dyn LiveProgress,
) -> Result<HoldReport> {
    let dir = options.dir.as_deref();
    let opened = Session::open_in(endpoint, dir, RECONNECT, progress);
    let mut session = opened.map_err(|error| without_config(error, dir))?;
    let snapshot_name = snapshot_name(&mut session, dir)?;
    let wanted = if session.server().appendonly { NO_REWRITES } else { NO_SAVES };
    let (changed, mut warnings) = changed::change(&mut session, options, wanted)?;
    let mut hold = Hold { session, options, kept: Vec::new() };
    match hold.secure(snapshot_name.as_deref()) {
        Ok(secured) => {
            warnings.extend(hold.save_points(&secured));
            Ok(hold.into_report(secured, changed, warnings))
        }
        Err(error) => Err(with_what_was_done(error, &hold.kept, &changed.changes)),
    }
}

/// A run that secures the data of one server.
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

impl Hold<'_> {
    fn secure(&mut self, snapshot_name: Option<&str>) -> Result<Secured> {
        let appendonly = self.session.server().appendonly;
        let dir = self.options.dir.as_deref();
        let files = if appendonly {
            Files::find(self.session.server(), dir)?
        } else {
            Files::expected(self.session.server(), dir)?
        };
        let snapshot = snapshot_name.map(|name| files.dir.join(name)).filter(|path| path.is_file());
        if !appendonly {
            return self.secure_snapshot(&files, snapshot);
        }
        let names = Names::new(self.options.to.as_deref().unwrap_or(&files.dir))?;
        let log = match &files.appenddirname {
            Some(set) => files.dir.join(set),
            None => files.log.clone(),
        };
        let origin = self.origin(&log, snapshot.as_deref());
        let note = origin.to_bytes();
        let first = keep(&files, &names, note.as_deref(), snapshot.as_deref())?;
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
            self.kept.push(keep(&files, &names, note.as_deref(), snapshot.as_deref())?);
        }
        // This check is last, so that the right log is saved even if it is mistaken for a wrong one.
        files.check(&mut self.session)?;
        Ok(Secured { log, snapshot, rewrite_was_running, origin })
    }

    /// Secures the RDB of a server without an append-only file.
    fn secure_snapshot(&mut self, files: &Files, snapshot: Option<PathBuf>) -> Result<Secured> {
        let Some(snapshot) = snapshot else {
            let address = self.session.address();
            let message =
                format!("the server at {address} has neither an append-only file nor an RDB");
            return Err(Error::new(ErrorKind::NotFound, message).at(&files.dir).help(
                "its data is only in memory; recover --also DIR searches other directories, such as those of backups",
            ));
        };
        let names = Names::new(self.options.to.as_deref().unwrap_or(&files.dir))?;
        let origin = self.origin(&snapshot, Some(&snapshot));
        let path = names.next();
        let retained = snapshot::keep_snapshot(&snapshot, &path, origin.to_bytes().as_deref())?;
        self.kept.push(Kept::new(path, retained));
        let log = snapshot.clone();
        Ok(Secured { log, snapshot: Some(snapshot), rewrite_was_running: false, origin })
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

    /// Returns a warning if a server with an append-only file would replace its snapshot.
    fn save_points(&mut self, secured: &Secured) -> Option<String> {
        let server = self.session.server();
        if !server.appendonly || !server.has_config || secured.snapshot.is_none() {
            return None;
        }
        let saves =
            self.session.setting("save").ok().flatten().filter(|saves| !saves.is_empty())?;
        let saves = Shown(saves.as_bytes());
        Some(format!(
            "save points are set ({saves}): the server overwrites its RDB at the next save, and when it is shut down without NOSAVE. The secured copy stays as it is"
        ))
    }

    fn into_report(self, secured: Secured, changed: Changed, warnings: Vec<String>) -> HoldReport {
        let Secured { log, snapshot, rewrite_was_running, origin } = secured;
        let next = changed.is_any_in_effect().then(|| self.undo(&origin, &changed));
        let of = |name: &str| changed.changes.iter().find(|change| change.name == name).cloned();
        let rewrites = of(NO_REWRITES.name);
        let turn_on =
            rewrites.as_ref().map(|change| format!("CONFIG SET {} {}", change.name, change.was));
        HoldReport {
            snapshot_only: !self.session.server().appendonly,
            is_refused: changed.is_refused,
            server: self.session.into_server(),
            rewrites,
            turn_on,
            saves: of(NO_SAVES.name),
            journal: changed.journal.map(|path| absolute(&path)),
            log,
            snapshot,
            rewrite_was_running,
            kept: self.kept,
            warnings,
            next: next.into_iter().collect(),
        }
    }

    /// Returns the step that sets back what this hold, and those before it, have changed.
    fn undo(&self, origin: &HoldOrigin, changed: &Changed) -> NextStep {
        const WHY: &str = "After the recovery, set back the settings that were changed.";
        if changed.journal.is_none() {
            let client = Client::of_origin(origin);
            let set = |change: &Change| client.run(&["CONFIG", "SET", &change.name, &change.was]);
            return NextStep::new(WHY, changed.changes.iter().map(set).collect::<Vec<_>>());
        }
        let mut args = vec!["recover".to_owned(), "--release".to_owned()];
        args.extend(origin.client.iter().cloned());
        for (option, value) in [("--dir", &self.options.dir), ("--hold-to", &self.options.to)] {
            if let Some(value) = value {
                args.extend([option.to_owned(), path_arg(&absolute(value))]);
            }
        }
        NextStep::new(WHY, [Action::aofkit(args)])
    }
}

/// Adds to the error of a server that refuses CONFIG how its log can be secured all the same.
fn without_config(error: Error, dir: Option<&Path>) -> Error {
    if dir.is_some() || !error.message().contains("CONFIG GET") {
        return error;
    }
    error.help(
        "where the server refuses CONFIG, --dir DIR gives its data directory on this machine: then --hold works without CONFIG",
    )
}

/// Adds to an error what was done before it occurred.
fn with_what_was_done(error: Error, kept: &[Kept], changes: &[Change]) -> Error {
    let mut help: Vec<String> = error.next_step().map(String::from).into_iter().collect();
    if let Some(kept) = kept.first() {
        let kept = ShownPath(&kept.path);
        help.push(format!("what was found is kept in {kept}, where `aofkit recover` can look"));
    }
    for change in changes {
        let set = set_by_hand(change);
        help.push(if change.name == NO_REWRITES.name {
            format!(
                "automatic rewrites are off now, for one would destroy what the log holds; {set} turns them on again"
            )
        } else {
            format!(
                "save points are held off now, because a save would overwrite the RDB; {set} sets them back"
            )
        });
    }
    if help.is_empty() { error } else { error.help(help.join(". ")) }
}

/// Returns the name of the server's RDB snapshot. That the server refuses the query is not an error.
fn snapshot_name(session: &mut Session<'_>, dir: Option<&Path>) -> Result<Option<String>> {
    const NAME: &str = "dbfilename";
    if let (false, Some(dir)) = (session.server().has_config, dir) {
        return Ok(FoundNames::find(dir)?.dbfilename);
    }
    let name = session.setting(NAME).ok().flatten();
    name.map(|name| plain_name(NAME, name, session.address())).transpose()
}

/// Returns an absolute path, which a reader in another directory needs.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

impl Kept {
    fn new(path: PathBuf, retained: Retained) -> Self {
        let Retained { how, bytes, files, snapshot_bytes } = retained;
        Kept { path, held: how, bytes, files, snapshot_bytes }
    }
}

fn keep(
    files: &Files,
    names: &Names,
    note: Option<&[u8]>,
    snapshot: Option<&Path>,
) -> Result<Kept> {
    for _ in 0..TRIES {
        let path = names.next();
        if let Some(retained) = snapshot::keep(files, &path, note, snapshot)? {
            return Ok(Kept::new(path, retained));
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
