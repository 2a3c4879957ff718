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

/// Returns whether a hold of the server has changed settings, which are in a journal in the server's data directory or
/// next to the secured log at `hold`.
pub(super) fn has_hold_journal(origin: &HoldOrigin, hold: &Path) -> bool {
    let is_journal =
        |name: &[u8]| name.starts_with(b".aofkit-hold-") && name.ends_with(b".journal");
    [above(&origin.log), above(hold)].iter().any(|directory| {
        let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
        entries.into_iter().any(|entry| is_journal(entry.file_name().as_encoded_bytes()))
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
