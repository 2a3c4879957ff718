//! The journal of the settings that holds of one server have changed, which survives several holds.
//!
//! It is in the server's data directory, or else in that of the secured logs, and in the state directory of the user: the
//! data directory of a server in a container may be unknown to one of two runs. A backup neither reads nor writes it: a hold
//! stays in effect until it is released.

use std::path::{Path, PathBuf};

use xxhash_rust::xxh3::xxh3_64;

use super::changed_settings::Change;
use super::journal::Journal;
use super::server::ServerSeen;
use crate::base::error::{Error, Result};
use crate::disk::Access;
use crate::disk::publish::remove_unfinished;

/// The journal of the holds of one server in one directory.
pub(crate) struct HoldJournal {
    path: PathBuf,
    identity: String,
    /// Whether its directory is that of the user, which is created when it is missing.
    of_user: bool,
}

impl HoldJournal {
    /// Returns the journal in `directory` of the server with this identity.
    pub(crate) fn new(directory: &Path, identity: &str) -> Self {
        let path = directory.join(format!(".aofkit-hold-{identity}.journal"));
        HoldJournal { path, identity: identity.to_owned(), of_user: false }
    }

    /// Returns the journal of this server in the state directory of the user, where the server is known by its run ID: after
    /// a restart, it has the settings of its configuration file again. `None` if the server reports none.
    pub(crate) fn of_user(state: &Path, server: &ServerSeen) -> Option<Self> {
        if server.run_id.is_empty() {
            return None;
        }
        let identity = format!("{:016x}", xxh3_64(server.run_id.as_bytes()));
        Some(HoldJournal { of_user: true, ..Self::new(state, &identity) })
    }

    /// Whether it is in the state directory of the user.
    pub(crate) fn is_of_user(&self) -> bool {
        self.of_user
    }

    /// Returns the path of the journal.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the recorded changes, with the values from before the first hold; `None` if there is no journal.
    ///
    /// # Errors
    ///
    /// As [`Journal::read`].
    pub(crate) fn changes(&self) -> Result<Option<Vec<Change>>> {
        Ok(Journal::read(&self.path)?.map(|journal| journal.changes))
    }

    /// Records the changes that a hold is about to make. A setting that an earlier hold changed, and that is still so,
    /// is not among them, and keeps its recorded value. A setting that somebody has set since is recorded anew.
    ///
    /// # Errors
    ///
    /// When the existing journal cannot be read, or the new one cannot be written.
    pub(crate) fn record(&self, server: &ServerSeen, changes: &[Change]) -> Result<()> {
        let older = self.changes()?.unwrap_or_default();
        if changes.is_empty() {
            return Ok(());
        }
        if let (Some(directory), Some(name)) = (self.path.parent(), self.path.file_name()) {
            if self.of_user {
                let top = directory.ancestors().find(|above| above.is_dir()).unwrap_or(directory);
                let created = Access::PRIVATE.create_directories(top, directory);
                created.map_err(|error| Error::io("create", directory, error))?;
            }
            remove_unfinished(directory, &name.to_string_lossy());
        }
        let changes = merged(older, changes);
        Journal::begin(&self.identity, server, changes).replace(&self.path)
    }

    /// Deletes the journal durably, after the settings were set back.
    ///
    /// # Errors
    ///
    /// When it cannot be removed.
    pub(crate) fn close(&self) -> Result<()> {
        Journal::close(&self.path)
    }
}

fn merged(mut changes: Vec<Change>, newer: &[Change]) -> Vec<Change> {
    for change in newer {
        match changes.iter_mut().find(|older| older.name == change.name) {
            Some(older) => older.clone_from(change),
            None => changes.push(change.clone()),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str, was: &str) -> Change {
        let set = if name == "save" { "" } else { "0" };
        Change { name: name.into(), was: was.into(), set: set.into() }
    }

    #[test]
    fn settings_of_several_holds_are_joined() {
        let rewrites = change("auto-aof-rewrite-percentage", "100");
        let saves = change("save", "3600 1");
        // The second hold finds the rewrites turned off, so that it changes only the other setting.
        let joined = merged(vec![rewrites.clone()], std::slice::from_ref(&saves));
        assert_eq!(joined, [rewrites.clone(), saves]);
        assert_eq!(merged(vec![rewrites.clone()], &[]), [rewrites]);
    }

    #[test]
    fn setting_that_somebody_has_set_between_two_holds_is_recorded_anew() {
        let (older, newer) = (change("save", "900 1"), change("save", "60 1"));
        assert_eq!(merged(vec![older], std::slice::from_ref(&newer)), [newer]);
    }
}
