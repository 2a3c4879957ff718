//! The secured logs in a directory.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;

use super::names::time_of;
use crate::base::error::{Error, Result};
use crate::input::hold_origin::HoldOrigin;

/// The number of levels of directories whose files are counted: a set is in a directory of its own.
const DEPTH: u8 = 3;

/// The report of `recover --holds`.
#[derive(Debug, Serialize)]
pub(crate) struct HoldsReport {
    /// The directory that was searched.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) directory: PathBuf,
    /// The secured logs, from the oldest to the newest.
    pub(crate) holds: Vec<ListedHold>,
}

/// A secured log.
#[derive(Debug, Serialize)]
pub(crate) struct ListedHold {
    /// The path of its directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub(crate) path: PathBuf,
    /// The time at which it was secured, in Unix seconds.
    #[serde(serialize_with = "crate::base::rfc3339::seconds_if_any")]
    pub(crate) made: Option<i64>,
    /// Its age in seconds.
    pub(crate) age_s: Option<u64>,
    /// The total size of its files in bytes. Hard links take no space while the server has the files too.
    pub(crate) bytes: u64,
    /// The number of its files.
    pub(crate) files: u64,
    /// The server that it was secured from; `None` if there is no note of it.
    pub(crate) server: Option<HoldOrigin>,
}

/// Lists the secured logs in a directory.
///
/// # Errors
///
/// When the directory cannot be listed.
pub(crate) fn holds(directory: &Path) -> Result<HoldsReport> {
    let entries = fs::read_dir(directory).map_err(|error| Error::io("list", directory, error))?;
    let now = Timestamp::now().as_second();
    let mut holds: Vec<ListedHold> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| Error::io("list", directory, error))?;
        let time = entry.file_name().to_str().and_then(time_of);
        let (Some(made), true) = (time, entry.path().is_dir()) else { continue };
        let path = entry.path();
        let (files, bytes) = size(&path, DEPTH);
        holds.push(ListedHold {
            made: Some(made),
            age_s: u64::try_from(now.saturating_sub(made)).ok(),
            bytes,
            files,
            server: HoldOrigin::read(&path),
            path,
        });
    }
    holds.sort_by(|a, b| (a.made, &a.path).cmp(&(b.made, &b.path)));
    Ok(HoldsReport { directory: directory.to_path_buf(), holds })
}

/// Returns the number of files in a directory and below, and their bytes. One that cannot be listed counts as empty.
fn size(directory: &Path, depth: u8) -> (u64, u64) {
    let Some(depth) = depth.checked_sub(1) else { return (0, 0) };
    let sizes = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => size(&entry.path(), depth),
            Ok(metadata) if metadata.is_file() => (1, metadata.len()),
            _ => (0, 0),
        }
    });
    sizes.fold((0, 0), |all, one: (u64, u64)| {
        (all.0.saturating_add(one.0), all.1.saturating_add(one.1))
    })
}
