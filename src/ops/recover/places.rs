//! The directories that belong to a log.

use std::path::{Component, Path, PathBuf};

use crate::aof::log::{Layout, Log};
use crate::input::hold_origin::HoldOrigin;

/// Returns the directory that contains the log, which is the server's `dir`, as a path that can be typed.
pub(super) fn data_directory(log: &Log) -> PathBuf {
    match &log.layout {
        Layout::MultiPart { directory, .. } => above(directory),
        // There is no log in a directory that was opened itself.
        Layout::Empty if log.parts.is_empty() => log.opened.clone(),
        _ => above(&log.opened),
    }
}

/// Returns the directory with the journal of the settings that holds of the server have changed: the server's data
/// directory, or that of the secured log at `hold`. `None` if there is no journal.
pub(super) fn hold_journal_directory(origin: &HoldOrigin, hold: &Path) -> Option<PathBuf> {
    let is_journal = |entry: std::fs::DirEntry| {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        name.starts_with(b".aofkit-hold-") && name.ends_with(b".journal")
    };
    [above(&origin.log), above(hold)].into_iter().find(|directory| {
        std::fs::read_dir(directory).into_iter().flatten().flatten().any(is_journal)
    })
}

/// Returns the directory that contains `place`, as a path that can be typed.
pub(super) fn above(place: &Path) -> PathBuf {
    match (place.components().next_back(), place.parent()) {
        (Some(Component::Normal(_)), Some(parent)) if parent.as_os_str().is_empty() => {
            PathBuf::from(".")
        }
        (Some(Component::Normal(_)), Some(parent)) => parent.to_path_buf(),
        _ => place.join(".."),
    }
}
