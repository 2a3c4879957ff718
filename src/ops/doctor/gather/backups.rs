//! The facts of a backup directory.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::SystemTime;

use crate::base::error::ErrorKind;
use crate::base::progress::Progress;
use crate::ops::doctor::facts::{BackupFacts, Known};
use crate::ops::list::{ListOptions, State, list};

/// Finds the newest backup of the data directory or of the server at `port`.
pub(super) fn read_backups(
    path: &Path,
    data: Option<&Path>,
    port: Option<u16>,
    progress: &dyn Progress,
) -> Known<BackupFacts> {
    if path.as_os_str().as_bytes().windows(3).any(|bytes| bytes == b"://") {
        return Err("the backups at a URL are not checked".to_owned());
    }
    let mut facts =
        BackupFacts { path: path.to_path_buf(), newest: None, is_damaged: false, others: 0 };
    let listed = match list(path, ListOptions::default(), progress) {
        Ok(listed) => listed,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(facts),
        Err(error) => return Err(error.to_string()),
    };
    let whole = |path: &Path| fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let data = data.map(whole);
    for archive in &listed.archives {
        let Some(made) = archive.made.as_ref().filter(|made| made.backup) else { continue };
        let of_port = port.is_some() && made.source.port == port;
        let of_path = made.source.path.as_deref().map(whole).zip(data.as_ref());
        if !of_port && !of_path.is_some_and(|(path, data)| path.starts_with(data)) {
            facts.others += 1;
            continue;
        }
        let created = SystemTime::from(made.created);
        if facts.newest.is_none_or(|newest| created > newest) {
            facts.newest = Some(created);
            facts.is_damaged = archive.state == State::Damaged;
        }
    }
    Ok(facts)
}
