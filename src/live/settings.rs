//! Changing settings of a server during a run, and restoring them.
//!
//! The settings are restored in every case. On an error, by the owner of a `Hold`; on a panic, when it is dropped; on
//! Ctrl-C and SIGTERM, by [`undo_all`], which finds every one; if the process is killed, by the next run, which finds
//! the [`Journal`].

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::connection::{Connection, Failure};
use super::endpoint::Endpoint;
use super::journal::Journal;
use super::server::ServerSeen;
use crate::base::error::{Error, ErrorKind, Result};
use crate::live::changed_settings::{Change, Setting};

/// The default time for which a restore retries to reach the server.
pub const RESTORE_FOR: Duration = Duration::from_secs(60);

/// The first pause between two attempts; each pause is twice as long as the previous one.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The outcome for a setting that was changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The change.
    #[serde(flatten)]
    pub change: Change,
    /// The outcome of restoring it.
    pub outcome: Outcome,
    /// The current value at the server.
    pub now: String,
}

/// The outcome of restoring a setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It was restored, and the server confirmed it.
    Restored,
    /// It already had its original value: it was never changed, or the server has restarted.
    AsBefore,
    /// Another client set it to another value meanwhile, which was not changed.
    LeftAlone,
}

/// Settings that are changed during a run.
pub(crate) struct Held {
    endpoint: Endpoint,
    journal: PathBuf,
    changes: Vec<Change>,
    /// The outcome of the restore, after it succeeded.
    restored: Mutex<Option<Vec<Restored>>>,
}

static HELD: Mutex<Vec<Arc<Held>>> = Mutex::new(Vec::new());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Restores the settings that runs of this process have changed at servers, each on a new connection and for at most
/// `patience`, and prevents those runs from changing anything else. For the handler of Ctrl-C and SIGTERM.
///
/// Returns an error for each server where that failed.
pub fn undo_all(patience: Duration) -> Vec<Error> {
    INTERRUPTED.store(true, Ordering::SeqCst);
    let held = open(&HELD).clone();
    held.iter().filter_map(|held| held.restore_within(patience).err()).collect()
}

/// Returns whether [`undo_all`] was called, so that the process is about to end.
pub fn is_interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Changed settings, restored on drop unless a restore was already tried.
pub(crate) struct Hold {
    held: Arc<Held>,
    tried: Cell<bool>,
}

impl Hold {
    /// Sets each of `wanted` that has another value. The journal is on disk before the first setting is changed.
    pub(crate) fn take(
        connection: &mut Connection,
        endpoint: &Endpoint,
        server: &ServerSeen,
        identity: &str,
        state: &Path,
        wanted: &[Setting],
        patience: Duration,
    ) -> Result<Self> {
        let mut changes = Vec::new();
        for setting in wanted {
            let name = setting.name;
            let was = connection.setting(name);
            let was = was.map_err(|f| f.into_error(&format!("CONFIG GET {name}"), endpoint))?;
            let Some(was) = was else { continue };
            changes.extend(setting.change_from(was, &endpoint.address)?);
        }
        let held = Arc::new(Held {
            endpoint: endpoint.clone(),
            journal: Journal::path(state, identity),
            changes,
            restored: Mutex::new(None),
        });
        let hold = Hold { held: Arc::clone(&held), tried: Cell::new(false) };
        // The entry is locked and registered before checking for an interruption: a later interruption finds it and
        // waits for the lock.
        let mut restored = open(&held.restored);
        open(&HELD).push(Arc::clone(&held));
        let begun = if is_interrupted() {
            Err(Error::new(ErrorKind::Refused, "interrupted"))
        } else if held.changes.is_empty() {
            Ok(())
        } else {
            Journal::begin(identity, server, held.changes.clone()).write(&held.journal)
        };
        if let Err(error) = begun {
            // Nothing was changed, so that nothing has to be restored.
            *restored = Some(Vec::new());
            drop(restored);
            hold.tried.set(true);
            return Err(error);
        }
        let set = held.changes.iter().try_for_each(|change| {
            let set = connection.set(&change.name, &change.set);
            set.map_err(|failure| {
                failure.into_error(&format!("CONFIG SET {}", change.name), endpoint)
            })
        });
        drop(restored);
        // Settings that were already changed are restored, as on any error.
        set.map_err(|error| hold.undone(error, &mut None, patience))?;
        Ok(hold)
    }

    /// Restores all settings because of an error; returns that error, extended by any failure of the restore.
    pub(crate) fn undone(
        &self,
        error: Error,
        connection: &mut Option<Connection>,
        patience: Duration,
    ) -> Error {
        let Err(second) = self.restore(connection, patience) else { return error };
        let both = Error::new(error.kind(), format!("{error}; and {second}"));
        match second.next_step().or(error.next_step()) {
            Some(help) => both.help(help),
            None => both,
        }
    }

    /// Returns the changed settings.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.held.changes
    }

    /// Restores all settings, on this connection or on a new one, retrying for `patience`.
    pub(crate) fn restore(
        &self,
        connection: &mut Option<Connection>,
        patience: Duration,
    ) -> Result<Vec<Restored>> {
        self.tried.set(true);
        self.held.restore(connection, patience)
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if !self.tried.get() {
            // A panic reports itself.
            let _ = self.held.restore(&mut None, RESTORE_FOR);
        }
        open(&HELD).retain(|held| !Arc::ptr_eq(held, &self.held));
    }
}

impl Held {
    fn restore(
        &self,
        connection: &mut Option<Connection>,
        patience: Duration,
    ) -> Result<Vec<Restored>> {
        self.restore_under(&mut open(&self.restored), connection, patience)
    }

    /// Restores on a new connection, and never for longer than `patience`, even if another thread is restoring.
    fn restore_within(&self, patience: Duration) -> Result<Vec<Restored>> {
        let deadline = Instant::now() + patience;
        loop {
            match self.restored.try_lock() {
                Ok(mut restored) => return self.restore_under(&mut restored, &mut None, patience),
                Err(TryLockError::Poisoned(poisoned)) => {
                    return self.restore_under(&mut poisoned.into_inner(), &mut None, patience);
                }
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let cause = Failure::Lost("the run itself is still trying".into());
                    return Err(not_restored(cause, &self.endpoint, &self.changes));
                }
                Err(TryLockError::WouldBlock) => thread::sleep(FIRST_PAUSE),
            }
        }
    }

    fn restore_under(
        &self,
        restored: &mut Option<Vec<Restored>>,
        connection: &mut Option<Connection>,
        patience: Duration,
    ) -> Result<Vec<Restored>> {
        if let Some(done) = restored {
            return Ok(done.clone());
        }
        let done = put_back(connection, &self.endpoint, &self.changes, patience)?;
        if !self.changes.is_empty() {
            Journal::close(&self.journal)?;
        }
        *restored = Some(done.clone());
        Ok(done)
    }
}

/// Restores the values of `changes`, and verifies each at the server. Retries on a new connection while that can help
/// and `patience` lasts.
pub(crate) fn put_back(
    connection: &mut Option<Connection>,
    endpoint: &Endpoint,
    changes: &[Change],
    patience: Duration,
) -> Result<Vec<Restored>> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let failure = match once(connection, endpoint, changes) {
            Ok(restored) => return Ok(restored),
            Err(failure) => failure,
        };
        *connection = None;
        let now = Instant::now();
        if !failure.may_pass() || now >= deadline {
            return Err(not_restored(failure, endpoint, changes));
        }
        thread::sleep(pause.min(deadline - now));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn once(
    connection: &mut Option<Connection>,
    endpoint: &Endpoint,
    changes: &[Change],
) -> Result<Vec<Restored>, Failure> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(Connection::open(endpoint)?),
    };
    changes.iter().map(|change| one(connection, change)).collect()
}

fn one(connection: &mut Connection, change: &Change) -> Result<Restored, Failure> {
    let now = connection.setting(&change.name)?.unwrap_or_default();
    let restored = |outcome, now| Restored { change: change.clone(), outcome, now };
    if now == change.was {
        return Ok(restored(Outcome::AsBefore, now));
    }
    if now != change.set {
        return Ok(restored(Outcome::LeftAlone, now));
    }
    connection.set(&change.name, &change.was)?;
    let now = connection.setting(&change.name)?.unwrap_or_default();
    let outcome = if now == change.was { Outcome::Restored } else { Outcome::LeftAlone };
    Ok(restored(outcome, now))
}

fn not_restored(failure: Failure, endpoint: &Endpoint, changes: &[Change]) -> Error {
    let cause = failure.into_error("CONFIG SET", endpoint);
    let values: Vec<_> =
        changes.iter().map(|change| format!("CONFIG SET {} {}", change.name, change.was)).collect();
    Error::new(ErrorKind::Io, format!("the settings of the server were not restored: {cause}"))
        .help(format!(
            "when it answers again, `aofkit backup --restore-config` with the same --to and connection does it, as does \
             the next backup; by hand: {}",
            values.join("; ")
        ))
}

/// Restores the settings that an earlier, killed run left changed at this server; `None` if there are none.
///
/// The caller holds the lock, so that run has ended.
pub(crate) fn recover(
    connection: &mut Option<Connection>,
    endpoint: &Endpoint,
    identity: &str,
    run_id: &str,
    state: &Path,
    patience: Duration,
) -> Result<Option<Vec<Restored>>> {
    let Some((path, journal)) = Journal::find(state, identity, run_id)? else { return Ok(None) };
    let restored = put_back(connection, endpoint, &journal.changes, patience)?;
    Journal::close(&path)?;
    Ok(Some(restored))
}
