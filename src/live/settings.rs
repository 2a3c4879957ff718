//! Changing settings of a server during a run, and restoring them.
//!
//! The settings are restored in every case. On an error, by the owner of a `SettingsGuard`; on a panic, when it is
//! dropped; when the caller cancels, by the action that is registered with its [`Cancellation`]; if the process is
//! killed, by the next run, which finds the [`Journal`].
//!
//! [`Cancellation`]: crate::base::cancel::Cancellation

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::changed_settings::{Change, Setting};
use super::client::Client;
use super::connection::{Connection, Failure};
use super::endpoint::Endpoint;
use super::journal::Journal;
use super::session::Session;
use crate::base::cancel::UndoGuard;
use crate::base::error::{Error, ErrorKind, Result};

/// The default time for which a restore retries to reach the server.
pub const RESTORE_FOR: Duration = Duration::from_secs(60);

/// The time for which a restore retries to reach the server when the run is cancelled, because a person waits for it.
const CANCELLED_RESTORE_FOR: Duration = Duration::from_secs(10);

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

/// The settings of one server that a run has changed.
struct ChangedSettings {
    endpoint: Endpoint,
    /// The paths of the journal: all but the first are copies, which may be missing.
    journals: Vec<PathBuf>,
    changes: Vec<Change>,
    /// The outcome of the restore, after it succeeded.
    restored: Mutex<Option<Vec<Restored>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Changed settings, restored on drop unless a restore was already tried.
pub(crate) struct SettingsGuard {
    changed: Arc<ChangedSettings>,
    is_restore_tried: Cell<bool>,
    /// The registration with the caller's request to stop, which ends after the restore.
    _undo: Option<UndoGuard>,
}

impl SettingsGuard {
    /// Sets each of `wanted` that has another value. The journal, in the first of the directories `states` and, where that
    /// is possible, in the others, is on disk before the first setting is changed.
    pub(crate) fn change(
        session: &mut Session<'_>,
        identity: &str,
        states: &[PathBuf],
        wanted: &[Setting],
    ) -> Result<Self> {
        let changed = Arc::new(ChangedSettings {
            endpoint: session.endpoint().clone(),
            journals: states.iter().map(|state| Journal::path(state, identity)).collect(),
            changes: differences(session, wanted)?,
            restored: Mutex::new(None),
        });
        // Locked before it is registered: a cancellation that comes later waits until the settings are changed.
        let mut restored = lock(&changed.restored);
        let undo = changed.undo_when_cancelled(session)?;
        let begun = changed.write_journal(session, identity);
        if begun.is_err() {
            // Nothing was changed, so that nothing has to be restored.
            *restored = Some(Vec::new());
        }
        begun?;
        let guard = SettingsGuard {
            changed: Arc::clone(&changed),
            is_restore_tried: Cell::new(false),
            _undo: undo,
        };
        let mut changes = changed.changes.iter();
        let set = changes.try_for_each(|change| session.set(&change.name, &change.set));
        drop(restored);
        // Settings that were already changed are restored, as on any error, but on a new connection.
        set.map_err(|error| {
            session.client().disconnect();
            guard.restore_after(error, session)
        })?;
        Ok(guard)
    }

    /// Restores all settings because of an error; returns that error, extended by any failure of the restore.
    pub(crate) fn restore_after(&self, error: Error, session: &mut Session<'_>) -> Error {
        let Err(second) = self.restore(session) else { return error };
        let both = Error::new(error.kind(), format!("{error}; and {second}"));
        match second.next_step().or(error.next_step()) {
            Some(help) => both.help(help),
            None => both,
        }
    }

    /// Returns the changed settings.
    pub(crate) fn changes(&self) -> &[Change] {
        &self.changed.changes
    }

    /// Restores all settings, on the session's connection or on a new one.
    pub(crate) fn restore(&self, session: &mut Session<'_>) -> Result<Vec<Restored>> {
        self.is_restore_tried.set(true);
        let patience = session.reconnect();
        self.changed.restore(session.client(), patience)
    }
}

impl Drop for SettingsGuard {
    fn drop(&mut self) {
        if !self.is_restore_tried.get() {
            // A panic reports itself.
            let _ = self.changed.restore(&mut Client::new(&self.changed.endpoint), RESTORE_FOR);
        }
    }
}

/// Returns the changes that give each of `wanted` its value during the run.
pub(crate) fn differences(session: &mut Session<'_>, wanted: &[Setting]) -> Result<Vec<Change>> {
    let mut changes = Vec::new();
    for setting in wanted {
        if let Some(was) = session.setting(setting.name)? {
            changes.extend(setting.change_from(was, session.address())?);
        }
    }
    Ok(changes)
}

impl ChangedSettings {
    fn undo_when_cancelled(self: &Arc<Self>, session: &Session<'_>) -> Result<Option<UndoGuard>> {
        let changed = Arc::clone(self);
        let undo = move || changed.restore_within(CANCELLED_RESTORE_FOR).map(drop);
        session.cancellation().map(|cancellation| cancellation.on_cancel(undo)).transpose()
    }

    fn write_journal(&self, session: &Session<'_>, identity: &str) -> Result<()> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let mut journal = Journal::begin(identity, session.server(), self.changes.clone());
        journal.copies.clone_from(&self.journals);
        let Some((first, others)) = self.journals.split_first() else { return Ok(()) };
        journal.write(first)?;
        for other in others.iter().filter(|other| *other != first) {
            // The data directory may belong to another user.
            let _ = journal.write(other);
        }
        Ok(())
    }

    fn restore(&self, client: &mut Client, patience: Duration) -> Result<Vec<Restored>> {
        self.restore_locked(&mut lock(&self.restored), client, patience)
    }

    /// Restores on a new connection, and never for longer than `patience`, even if another thread is restoring.
    fn restore_within(&self, patience: Duration) -> Result<Vec<Restored>> {
        let deadline = Instant::now() + patience;
        let mut client = Client::new(&self.endpoint);
        loop {
            let mut restored = match self.restored.try_lock() {
                Ok(restored) => restored,
                Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
                Err(TryLockError::WouldBlock) if Instant::now() >= deadline => {
                    let cause = Failure::Lost("the run itself is still trying".into());
                    return Err(not_restored(cause, &self.endpoint, &self.changes, BACKUP_AGAIN));
                }
                Err(TryLockError::WouldBlock) => {
                    thread::sleep(FIRST_PAUSE);
                    continue;
                }
            };
            return self.restore_locked(&mut restored, &mut client, patience);
        }
    }

    fn restore_locked(
        &self,
        restored: &mut Option<Vec<Restored>>,
        client: &mut Client,
        patience: Duration,
    ) -> Result<Vec<Restored>> {
        if let Some(done) = restored {
            return Ok(done.clone());
        }
        let done = put_back(client, &self.changes, patience, BACKUP_AGAIN)?;
        if !self.changes.is_empty() {
            self.journals.iter().try_for_each(|journal| Journal::close(journal))?;
        }
        *restored = Some(done.clone());
        Ok(done)
    }
}

/// Restores the values of `changes`, and verifies each at the server. Retries on a new connection while that can help
/// and `patience` lasts. `again` says how to try it later.
fn put_back(
    client: &mut Client,
    changes: &[Change],
    patience: Duration,
    again: &str,
) -> Result<Vec<Restored>> {
    let deadline = Instant::now() + patience;
    let mut pause = FIRST_PAUSE;
    loop {
        let failure = match put_back_once(client, changes) {
            Ok(restored) => return Ok(restored),
            Err(failure) => failure,
        };
        client.disconnect();
        let now = Instant::now();
        if !failure.is_temporary() || now >= deadline {
            return Err(not_restored(failure, client.endpoint(), changes, again));
        }
        thread::sleep(pause.min(deadline - now));
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

fn put_back_once(client: &mut Client, changes: &[Change]) -> Result<Vec<Restored>, Failure> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    let connection = client.connection()?;
    changes.iter().map(|change| restore_one(connection, change)).collect()
}

fn restore_one(connection: &mut Connection, change: &Change) -> Result<Restored, Failure> {
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

/// The ways to restore the settings after a backup failed to.
const BACKUP_AGAIN: &str = "when it answers again, `aofkit backup --restore-config` with the same --to and connection does it, as does the next backup";

fn not_restored(failure: Failure, endpoint: &Endpoint, changes: &[Change], again: &str) -> Error {
    let cause = failure.into_error("CONFIG SET", endpoint);
    let values: Vec<_> = changes.iter().map(set_by_hand).collect();
    Error::new(ErrorKind::Io, format!("the settings of the server were not restored: {cause}"))
        .help(format!("{again}; by hand: {}", values.join("; ")))
}

/// Returns the command that sets a setting back.
pub(crate) fn set_by_hand(change: &Change) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match change.was.bytes().all(is_plain) && !change.was.is_empty() {
        true => format!("CONFIG SET {} {}", change.name, change.was),
        false => format!("CONFIG SET {} \"{}\"", change.name, change.was),
    }
}

/// Sets back what a hold changed. A setting that somebody has changed since is left alone.
pub(crate) fn set_back(session: &mut Session<'_>, changes: &[Change]) -> Result<Vec<Restored>> {
    let again =
        "when it answers again, `aofkit recover --release` with the same connection does it";
    let patience = session.reconnect();
    put_back(session.client(), changes, patience, again)
}

/// Restores the settings that an earlier, killed run left changed at this server, by its journal in one of the directories
/// `states`; `None` if there is none.
///
/// The caller holds the lock, so that run has ended.
pub(crate) fn recover(
    session: &mut Session<'_>,
    identity: &str,
    states: &[PathBuf],
) -> Result<Option<Vec<Restored>>> {
    let mut restored = None;
    for state in states.iter().filter(|state| state.is_dir()) {
        let run_id = session.server().run_id.clone();
        let Some((path, journal)) = Journal::find(state, identity, &run_id)? else { continue };
        let patience = session.reconnect();
        let done = put_back(session.client(), &journal.changes, patience, BACKUP_AGAIN)?;
        journal.close_copies(&path)?;
        restored.get_or_insert(done);
    }
    Ok(restored)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;

    use super::*;
    use crate::base::cancel::Cancellation;
    use crate::base::progress::{Progress, Silent};
    use crate::live::changed_settings::{NO_FSYNC, NO_REWRITES};
    use crate::live::endpoint::Address;
    use crate::live::progress::LiveProgress;

    /// The settings of a simulated server.
    type Settings = Arc<Mutex<BTreeMap<String, String>>>;

    /// A caller that can cancel.
    struct Caller(Cancellation);

    impl Progress for Caller {
        fn cancellation(&self) -> Option<&Cancellation> {
            Some(&self.0)
        }
    }

    impl LiveProgress for Caller {}

    /// Starts a server that knows INFO and CONFIG.
    fn server(place: &Path) -> (Endpoint, Settings) {
        let pairs = [
            ("dir", "/data"),
            ("appendonly", "yes"),
            ("appendfilename", "appendonly.aof"),
            ("appendfsync", "everysec"),
            ("auto-aof-rewrite-percentage", "100"),
        ];
        let pairs = pairs.map(|(name, value)| (name.to_string(), value.to_string()));
        let settings: Settings = Arc::new(Mutex::new(pairs.into()));
        let path = place.join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let known = Arc::clone(&settings);
        thread::spawn(move || {
            for client in listener.incoming() {
                let known = Arc::clone(&known);
                thread::spawn(move || serve(client.unwrap(), &known));
            }
        });
        (Endpoint::new(Address::Unix(path)), settings)
    }

    fn serve(mut client: UnixStream, settings: &Settings) {
        let mut commands = BufReader::new(client.try_clone().unwrap());
        while let Some(args) = command(&mut commands) {
            let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let reply = match args[..] {
                ["INFO", _] => bulk("redis_version:7.0.0\r\nrun_id:one\r\n"),
                ["CONFIG", "GET", name] => match lock(settings).get(name) {
                    Some(value) => format!("*2\r\n{}{}", bulk(name), bulk(value)),
                    None => "*0\r\n".into(),
                },
                ["CONFIG", "SET", name, value] => {
                    lock(settings).insert(name.into(), value.into());
                    "+OK\r\n".into()
                }
                _ => "-ERR unknown command\r\n".into(),
            };
            client.write_all(reply.as_bytes()).unwrap();
        }
    }

    /// Reads a command; `None` at the end of the connection.
    fn command(from: &mut impl BufRead) -> Option<Vec<String>> {
        let number = |from: &mut dyn BufRead| {
            let mut line = String::new();
            from.read_line(&mut line).ok()?;
            line.get(1..)?.trim().parse::<usize>().ok()
        };
        let count = number(from)?;
        (0..count)
            .map(|_| {
                let mut bytes = vec![0; number(from)? + 2];
                from.read_exact(&mut bytes).ok()?;
                bytes.truncate(bytes.len() - 2);
                String::from_utf8(bytes).ok()
            })
            .collect()
    }

    fn values(settings: &Settings) -> [String; 2] {
        let settings = lock(settings);
        ["appendfsync", "auto-aof-rewrite-percentage"].map(|name| settings[name].clone())
    }

    const BOTH: [Setting; 2] = [NO_FSYNC, NO_REWRITES];

    #[test]
    fn cancellation_restores_the_settings_and_deletes_the_journal() {
        let place = tempfile::tempdir().unwrap();
        let (endpoint, settings) = server(place.path());
        let caller = Caller(Cancellation::new());
        let mut session = Session::open(&endpoint, RESTORE_FOR, &caller).unwrap();
        let guard =
            SettingsGuard::change(&mut session, "log", &[place.path().into()], &BOTH).unwrap();
        let journal = Journal::path(place.path(), "log");
        assert_eq!(values(&settings), ["no", "0"]);
        assert!(journal.exists());
        assert!(caller.0.undo_all().is_empty());
        assert_eq!(values(&settings), ["everysec", "100"]);
        assert!(!journal.exists());
        // A restore that comes later has no effect, even if another client has changed a setting.
        lock(&settings).insert("appendfsync".into(), "no".into());
        assert_eq!(guard.restore(&mut session).unwrap().len(), 2);
        assert_eq!(values(&settings), ["no", "100"]);
    }

    #[test]
    fn settings_are_not_changed_after_the_cancellation() {
        let place = tempfile::tempdir().unwrap();
        let (endpoint, settings) = server(place.path());
        let caller = Caller(Cancellation::new());
        let mut session = Session::open(&endpoint, RESTORE_FOR, &caller).unwrap();
        caller.0.cancel();
        let changed = SettingsGuard::change(&mut session, "log", &[place.path().into()], &BOTH);
        assert_eq!(changed.err().map(|error| error.to_string()).as_deref(), Some("interrupted"));
        assert_eq!(values(&settings), ["everysec", "100"]);
        assert!(!Journal::path(place.path(), "log").exists());
    }

    #[test]
    fn a_finished_run_has_nothing_to_undo() {
        let place = tempfile::tempdir().unwrap();
        let (endpoint, settings) = server(place.path());
        let caller = Caller(Cancellation::new());
        let mut session = Session::open(&endpoint, RESTORE_FOR, &caller).unwrap();
        let guard =
            SettingsGuard::change(&mut session, "log", &[place.path().into()], &BOTH).unwrap();
        guard.restore(&mut session).unwrap();
        drop(guard);
        // The value that another client sets is the value during the run.
        lock(&settings).insert("appendfsync".into(), "no".into());
        assert!(caller.0.undo_all().is_empty());
        assert_eq!(values(&settings), ["no", "100"]);
    }

    #[test]
    fn a_journal_is_found_by_a_run_with_another_backup_directory() {
        let place = tempfile::tempdir().unwrap();
        let (endpoint, settings) = server(place.path());
        let mut session = Session::open(&endpoint, RESTORE_FOR, &Silent).unwrap();
        let [first, second, data] = ["first", "second", "data"].map(|name| {
            let path = place.path().join(name);
            std::fs::create_dir(&path).unwrap();
            path
        });
        let killed = |session: &mut Session<'_>| {
            let states = [first.clone(), data.clone()];
            std::mem::forget(SettingsGuard::change(session, "log", &states, &BOTH).unwrap());
            assert_eq!(values(&settings), ["no", "0"]);
        };
        killed(&mut session);
        let restored = recover(&mut session, "log", &[second.clone(), data.clone()]).unwrap();
        assert_eq!(restored.map(|restored| restored.len()), Some(2));
        assert_eq!(values(&settings), ["everysec", "100"]);
        // Also that of the first, which would otherwise set back what somebody sets later.
        for state in [&first, &second, &data] {
            assert!(!Journal::path(state, "log").exists(), "{}", state.display());
        }
        // With the journal of the backup directory alone, as where the data directory is another user's.
        killed(&mut session);
        std::fs::remove_file(Journal::path(&data, "log")).unwrap();
        assert_eq!(recover(&mut session, "log", &[second, data.clone()]).unwrap(), None);
        assert!(recover(&mut session, "log", &[first, data]).unwrap().is_some());
        assert_eq!(values(&settings), ["everysec", "100"]);
    }

    #[test]
    fn settings_are_restored_on_drop_for_a_caller_that_cannot_cancel() {
        let place = tempfile::tempdir().unwrap();
        let (endpoint, settings) = server(place.path());
        let mut session = Session::open(&endpoint, RESTORE_FOR, &Silent).unwrap();
        let guard =
            SettingsGuard::change(&mut session, "log", &[place.path().into()], &BOTH).unwrap();
        assert_eq!(values(&settings), ["no", "0"]);
        drop(guard);
        assert_eq!(values(&settings), ["everysec", "100"]);
    }
}
