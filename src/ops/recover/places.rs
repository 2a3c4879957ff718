//! The directories that belong to a log.

use std::path::{Component, Path, PathBuf};

use crate::aof::log::{Layout, Log};

/// Returns the directory that contains the log, which is the server's `dir`, as a path that can be typed.
pub(super) fn data_directory(log: &Log) -> PathBuf {
    match &log.layout {
        Layout::MultiPart { directory, .. } => above(directory),
        // There is no log in a directory that was opened itself.
        Layout::Empty if log.parts.is_empty() => log.opened.clone(),
        _ => above(&log.opened),
    }
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
