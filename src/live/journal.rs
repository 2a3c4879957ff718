//! The journal of settings to restore, which is on disk before they are changed.
//!
//! There is one file for each server in the backup directory, and a copy in the server's data directory if that can be
//! written, so that a run with another backup directory finds it. It is hidden, and synced before the first CONFIG SET. It
//! records the original values and the values that a killed run had set.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::server::ServerSeen;
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::publish::{Existing, NewFile, remove_unfinished};
use crate::disk::{Access, OwnFile, rename};
pub use crate::live::changed_settings::Change;
use crate::live::changed_settings::objection;

/// The changes of one run at one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Journal {
    /// The version of the file format.
    pub schema: u32,
    /// The identity of the log: see [`Files::identity`](super::files::Files::identity).
    pub identity: String,
    /// The address of the server.
    pub address: String,
    /// The run ID of the server.
    pub run_id: String,
    /// The start time of the run.
    pub started: Timestamp,
    /// The process ID of the run.
    pub process: u32,
    /// The changed settings.
    pub changes: Vec<Change>,
    /// The paths of all copies of the journal, this one included.
    #[serde(default)]
    pub copies: Vec<PathBuf>,
}

const SCHEMA: u32 = 1;
/// The maximum size of a journal in bytes.
const LONGEST: u64 = 64 << 10;
const PREFIX: &str = ".aofkit-live-";
const SUFFIX: &str = ".journal";

impl Journal {
    /// Returns the journal of a run that starts now.
    pub(crate) fn begin(identity: &str, server: &ServerSeen, changes: Vec<Change>) -> Self {
        Journal {
            schema: SCHEMA,
            identity: identity.to_string(),
            address: server.address.to_string(),
            run_id: server.run_id.clone(),
            started: Timestamp::now(),
            process: std::process::id(),
            changes,
            copies: Vec::new(),
        }
    }

    /// Returns the path of the journal of a log.
    pub(crate) fn path(state: &Path, identity: &str) -> PathBuf {
        state.join(format!("{PREFIX}{identity}{SUFFIX}"))
    }

    /// Deletes partial journals of runs that were killed while writing them: those runs had changed nothing yet. The
    /// caller holds the lock.
    pub(crate) fn clean(state: &Path, identity: &str) {
        remove_unfinished(state, &format!("{PREFIX}{identity}{SUFFIX}"));
    }

    /// Writes the journal durably. An existing journal is never replaced: its older values are the original ones.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        self.write_as(path, Existing::Keep)
    }

    /// Writes the journal durably in the place of an older one that it continues.
    pub(super) fn replace(&self, path: &Path) -> Result<()> {
        self.write_as(path, Existing::Overwrite)
    }

    fn write_as(&self, path: &Path, existing: Existing) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Error::io("write", path, error.into()))?;
        text.push(b'\n');
        let mut file = NewFile::create(path, existing, Access::PRIVATE)?;
        std::io::Write::write_all(file.file(), &text).map_err(|e| Error::io("write", path, e))?;
        file.publish()
    }

    /// Reads the journal at `path`; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// When it cannot be read, is not a regular file, may belong to another user, or requests changes that no run
    /// makes.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>> {
        let Some(file) = OwnFile::read(path, LONGEST)? else { return Ok(None) };
        file.check()?;
        let journal = Self::parse(&file.bytes, path)?;
        if let Some(objection) = journal.changes.iter().find_map(objection) {
            return Err(Error::new(
                ErrorKind::Refused,
                format!("this journal is not one of aofkit's: {objection}"),
            )
            .at(path)
            .help("nothing was set; find out who wrote it, and remove it"));
        }
        Ok(Some(journal))
    }

    fn parse(text: &[u8], path: &Path) -> Result<Self> {
        let unreadable = |why: String| {
            Error::new(
                ErrorKind::Unrecognised,
                format!("the journal of an earlier run cannot be read: {why}"),
            )
            .at(path)
            .help(
                "an earlier run was stopped and may have left appendfsync, auto-aof-rewrite-percentage or save changed: \
                 set them by hand, then remove the journal",
            )
        };
        let journal: Journal =
            serde_json::from_slice(text).map_err(|error| unreadable(error.to_string()))?;
        if journal.schema != SCHEMA {
            return Err(unreadable(format!("its schema is {}", journal.schema)));
        }
        Ok(journal)
    }

    /// Returns the journal of this server in a directory: by its log, or by its run ID, which works if the log cannot
    /// be accessed.
    pub(crate) fn find(
        state: &Path,
        identity: &str,
        run_id: &str,
    ) -> Result<Option<(PathBuf, Self)>> {
        let path = Self::path(state, identity);
        if let Some(journal) = Self::read(&path)? {
            return Ok(Some((path, journal)));
        }
        let entries = fs::read_dir(state).map_err(|error| Error::io("list", state, error))?;
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if !(name.starts_with(PREFIX) && name.ends_with(SUFFIX)) {
                continue;
            }
            let Some(file) = OwnFile::read(&path, LONGEST)? else { continue };
            // The journal of another server may be unreadable or belong to another user; it is handled by the backups
            // of that server.
            let is_ours = Self::parse(&file.bytes, &path)
                .is_ok_and(|journal| journal.run_id == run_id && !run_id.is_empty());
            if is_ours && let Some(journal) = Self::read(&path)? {
                return Ok(Some((path, journal)));
            }
        }
        Ok(None)
    }

    /// Deletes the journal at `path` durably, and its copies that are the same, after all settings were restored. What
    /// else has the name of a copy stays.
    pub(crate) fn close_copies(&self, path: &Path) -> Result<()> {
        for copy in self.copies.iter().filter(|copy| copy.file_name() == path.file_name()) {
            if Self::read(copy).is_ok_and(|found| found.as_ref() == Some(self)) {
                // Its directory may be read-only now, or not be mounted.
                let _ = Self::close(copy);
            }
        }
        Self::close(path)
    }

    /// Deletes the journal durably, after all settings were restored.
    pub(crate) fn close(path: &Path) -> Result<()> {
        rename::remove_if_exists(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(identity: &str, run_id: &str) -> Journal {
        let change =
            Change { name: "appendfsync".into(), was: "everysec".into(), set: "no".into() };
        Journal {
            schema: SCHEMA,
            identity: identity.into(),
            address: "db:6379".into(),
            run_id: run_id.into(),
            started: Timestamp::now(),
            process: 1,
            changes: vec![change],
            copies: Vec::new(),
        }
    }

    #[test]
    fn a_journal_is_found_by_its_log_or_by_its_server_until_it_is_closed() {
        let state = tempfile::tempdir().unwrap();
        let found = |identity: &str, run_id: &str| {
            Journal::find(state.path(), identity, run_id).unwrap().map(|(_, journal)| journal)
        };
        assert_eq!(found("one", "run1"), None);
        let (one, two) = (journal("one", "run1"), journal("two", "run2"));
        for journal in [&one, &two] {
            journal.write(&Journal::path(state.path(), &journal.identity)).unwrap();
        }
        assert_eq!(found("one", "another run"), Some(one.clone()));
        assert_eq!(found("elsewhere", "run2"), Some(two));
        assert_eq!(found("elsewhere", ""), None);
        Journal::close(&Journal::path(state.path(), "one")).unwrap();
        assert_eq!(found("one", "run1"), None);
    }

    #[test]
    fn older_journal_is_never_replaced() {
        let state = tempfile::tempdir().unwrap();
        let path = Journal::path(state.path(), "one");
        journal("one", "older").write(&path).unwrap();
        assert_eq!(journal("one", "newer").write(&path).unwrap_err().kind(), ErrorKind::Refused);
        assert_eq!(Journal::read(&path).unwrap().unwrap().run_id, "older");
    }

    #[test]
    fn partial_journal_is_deleted() {
        let state = tempfile::tempdir().unwrap();
        let path = Journal::path(state.path(), "one");
        let unfinished = NewFile::create(&path, Existing::Keep, Access::PRIVATE).unwrap();
        let left = unfinished.path().to_path_buf();
        std::mem::forget(unfinished);
        journal("one", "run").write(&path).unwrap();
        Journal::clean(state.path(), "two");
        assert!(left.exists());
        Journal::clean(state.path(), "one");
        assert!(!left.exists() && path.exists());
    }

    fn refused(state: &Path, what: &str) {
        for found in [Journal::find(state, "one", "run"), Journal::find(state, "elsewhere", "run")]
        {
            let error = found.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused);
            assert!(error.to_string().contains(what), "{error}");
            assert_eq!(error.path(), Some(&*Journal::path(state, "one")));
        }
    }

    #[test]
    fn a_journal_with_other_settings_than_a_run_changes_is_refused() {
        let state = tempfile::tempdir().unwrap();
        for (name, was, set) in [
            ("maxclients", "777", "10000"),
            ("dir", "/etc/cron.d", "/data"),
            ("appendfsync", "sometimes", "no"),
        ] {
            let mut planted = journal("one", "run");
            planted.changes.push(Change { name: name.into(), was: was.into(), set: set.into() });
            let path = Journal::path(state.path(), "one");
            planted.write(&path).unwrap();
            refused(state.path(), name);
            fs::remove_file(&path).unwrap();
        }
    }

    #[test]
    fn a_journal_that_others_may_have_written_is_refused() {
        use std::os::unix::fs::{PermissionsExt, chown, symlink};
        let state = tempfile::tempdir().unwrap();
        let path = Journal::path(state.path(), "one");
        journal("one", "run").write(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        refused(state.path(), "other users may write to it");
        // The journal of another server is handled by the backups of that server.
        assert_eq!(Journal::find(state.path(), "elsewhere", "another run").unwrap(), None);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        if chown(&path, Some(4242), None).is_ok() {
            refused(state.path(), "belongs to the user 4242");
        }
        fs::rename(&path, state.path().join("elsewhere")).unwrap();
        symlink("elsewhere", &path).unwrap();
        refused(state.path(), "symbolic link");
    }

    #[test]
    fn unreadable_journal_is_an_error_with_help() {
        let state = tempfile::tempdir().unwrap();
        let path = Journal::path(state.path(), "one");
        for text in ["", "{}", "{\"schema\": 2}"] {
            fs::write(&path, text).unwrap();
            let error = Journal::find(state.path(), "one", "run").unwrap_err();
            assert!(error.next_step().unwrap().contains("set them by hand"), "{error}");
        }
        // It concerns another server.
        assert_eq!(Journal::find(state.path(), "two", "run").unwrap(), None);
    }
}
