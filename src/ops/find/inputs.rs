//! The backups, logs and RDBs that are searched, with the time and the source of each.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use jiff::Timestamp;
use rayon::prelude::*;

use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::failure::Failure;
use crate::base::progress::Silent;
use crate::input::archive::key_filter::lacks_key;
use crate::input::archive::read_contents;
use crate::input::{Input, open};
use crate::ops::list::{Identity, archives_in};
use crate::store::url::{is_archive_url, is_url};

/// A backup, log or RDB.
pub(super) struct Searched {
    pub(super) path: PathBuf,
    /// The time of its data.
    pub(super) time: Option<Timestamp>,
    /// Its source, if it is known.
    pub(super) source: Option<Identity>,
    /// Whether it does not have the key, by the key filter of the archive.
    pub(super) lacks_key: bool,
}

/// Returns what `paths` refer to, newest first, and what cannot be opened. `key` is the key that is searched, if it is one. A
/// directory with archives is searched for these,
/// and any other directory is taken for a log.
pub(super) fn inputs(paths: &[PathBuf], key: Option<&[u8]>) -> (Vec<Searched>, Vec<Failure>) {
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for path in paths {
        match archives_below(path) {
            Ok(archives) if archives.is_empty() => all.push(path.clone()),
            Ok(archives) => all.extend(archives),
            Err(error) => failed.push(Failure::new(path, &error)),
        }
    }
    let mut searched = Vec::new();
    let opened: Vec<_> = all.par_iter().map(|path| (path, look_at(path, key))).collect();
    for (path, looked) in opened {
        match looked {
            Ok(found) => searched.push(found),
            Err(error) => failed.push(Failure::new(path, &error)),
        }
    }
    searched.sort_by(|a, b| b.time.cmp(&a.time).then_with(|| b.path.cmp(&a.path)));
    (searched, failed)
}

fn archives_below(path: &Path) -> Result<Vec<PathBuf>> {
    let is_directory = if is_url(path) { !is_archive_url(path) } else { path.is_dir() };
    let archives = if is_directory { archives_in(path, &Silent)? } else { Vec::new() };
    Ok(archives.into_iter().map(|archive| archive.path).collect())
}

fn look_at(path: &Path, key: Option<&[u8]>) -> Result<Searched> {
    let (time, source) = match open(path)? {
        Input::Archive(archive) => {
            let contents = read_contents(&archive)?;
            let source = contents.as_ref().map(|made| Identity::from_source(&made.source));
            (contents.map(|made| made.created).or_else(|| modified(&archive)), source)
        }
        Input::Log(log) => (last_change(&log), None),
        Input::Broken(broken) => return Err(broken.into()),
    };
    let lacks_key = key.is_some_and(|key| lacks_key(path, key));
    Ok(Searched { path: path.to_owned(), time, source, lacks_key })
}

fn modified(path: &Path) -> Option<Timestamp> {
    time_of(fs::metadata(path).ok()?.modified().ok()?)
}

fn time_of(time: SystemTime) -> Option<Timestamp> {
    Timestamp::try_from(time).ok()
}

/// Returns the time of the last change of any part.
fn last_change(log: &Log) -> Option<Timestamp> {
    log.parts.iter().filter_map(|part| modified(&part.path)).max()
}
