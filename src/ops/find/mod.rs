//! Which backups have a key, and in which of them it changed.
//!
//! Backups are read from the newest to the oldest. Only the matching keys that are reported are kept, and looked up again in
//! the next older backup of the same source, so that memory does not depend on the number of keys.

mod inputs;
mod options;
pub mod report;
mod search;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::time::Instant;

pub use options::FindOptions;
pub use report::{Change, FindReport, FoundBackup, Hit};

use self::inputs::{Searched, inputs};
use self::search::{Matches, Place, search};
use crate::analysis::key_state::KeyState;
use crate::base::error::{ErrorKind, Result};
use crate::base::failure::Failure;
use crate::base::progress::Progress;
use crate::input::open_log;
use crate::ops::get::short;
use crate::ops::list::Identity;

/// A backup that was searched.
struct Backup {
    input: Searched,
    /// The matching keys; `None` if it could not be read.
    matches: Option<Matches>,
    /// The index of the next newer backup of the same source.
    newer: Option<usize>,
    /// The index of the next older one.
    older: Option<usize>,
}

/// Searches the backups, logs and RDBs that `paths` refer to. Those whose source is not known count as backups of one
/// source.
///
/// # Errors
///
/// When the caller cancels. What cannot be read is in the report.
pub fn find(
    paths: &[PathBuf],
    options: &FindOptions,
    progress: &dyn Progress,
) -> Result<FindReport> {
    let started = Instant::now();
    let key = options.pattern.text();
    let (searched, mut failed) = inputs(paths, key.as_deref());
    progress.check()?;
    let count = searched.len() + failed.len();
    let by_filter = searched.iter().filter(|input| input.lacks_key).count() as u64;
    let mut backups: Vec<Backup> = Vec::new();
    let mut last: HashMap<Option<Identity>, usize> = HashMap::new();
    for input in searched {
        let index = backups.len();
        let newer = last.insert(input.source.clone(), index);
        let nothing = BTreeMap::new();
        let of_newer = newer.and_then(|newer| backups.get(newer)?.matches.as_ref());
        let asked = of_newer.map_or(&nothing, |newer| &newer.first);
        let matches = match read(&input, options, asked, progress) {
            Ok(matches) => Some(matches),
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                failed.push(Failure::new(&input.path, &error));
                None
            }
        };
        if let Some(newer) = newer.and_then(|newer| backups.get_mut(newer)) {
            newer.older = Some(index);
        }
        backups.push(Backup { input, matches, newer, older: None });
    }
    let found: Vec<FoundBackup> =
        (0..backups.len()).filter_map(|index| found(&backups, index)).collect();
    Ok(FindReport {
        inputs: count as u64,
        with_keys: found.len() as u64,
        by_filter,
        failed,
        elapsed_s: started.elapsed().as_secs_f64(),
        backups: found,
    })
}

fn read(
    input: &Searched,
    options: &FindOptions,
    asked: &BTreeMap<Place, (KeyState, u128)>,
    progress: &dyn Progress,
) -> Result<Matches> {
    if input.lacks_key {
        return Ok(Matches::default());
    }
    let log = open_log(&input.path, progress)?;
    log.name_archive(search(&log, options, asked, progress))
}

/// Returns the report on a backup; `None` if it has no matching key.
fn found(backups: &[Backup], index: usize) -> Option<FoundBackup> {
    let backup = backups.get(index)?;
    let matches = backup.matches.as_ref().filter(|matches| matches.count > 0)?;
    let matches_of = |index: Option<usize>| backups.get(index?)?.matches.as_ref();
    let (newer, older) = (matches_of(backup.newer), matches_of(backup.older));
    let hit = |(place, (state, print)): (&Place, &(KeyState, u128))| {
        let change = match (backup.older, older.map(|older| older.asked.get(place))) {
            (None, _) => Some(Change::Oldest),
            (Some(_), None) => None,
            (Some(_), Some(None)) => Some(Change::New),
            (Some(_), Some(Some(before))) if before == print => Some(Change::Same),
            (Some(_), Some(Some(_))) => Some(Change::Changed),
        };
        Hit {
            db: place.0,
            key: place.1.clone(),
            state: *state,
            fingerprint: short(*print),
            change,
            gone_after: newer.and_then(|newer| newer.has(place)).map(|has| !has),
        }
    };
    Some(FoundBackup {
        path: backup.input.path.clone(),
        time: backup.input.time,
        source: backup.input.source.clone(),
        matches: matches.count,
        hits: matches.first.iter().map(hit).collect(),
    })
}
