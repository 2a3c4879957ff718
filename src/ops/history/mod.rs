//! The history of a key: every write that touched it, through renames and copies, with its content before and after.
//!
//! Only the shard of the key, and of all keys related to it by commands, is replayed, twice: first to find the
//! transfers between places, and thus the places that contained what later became the key; then to report the events of
//! those places. If the key itself is renamed or moved away, its value is followed until it is deleted or overwritten
//! by a rename.

mod event;
mod follow;
mod lineage;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

pub use event::{Event, FinalKey, KeyContent, Touched};

use self::follow::Teller;
use self::lineage::{Carry, Lineage, Pending, Wanted};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::command::Position;
use crate::input::archive::key_filter::lacks_key;
use crate::input::open_log;
use crate::keyspace::Keyspace;
use crate::replay::pair::each_window;
use crate::replay::{
    Observed, Observer, Origin, Outcome, ReplayOptions, RouteOptions, ShardObserver,
    replay_watched, route,
};

/// Options of [`history`].
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct HistoryOptions {
    /// The key name.
    pub key: Vec<u8>,
    /// The databases; empty for all.
    pub dbs: Vec<u32>,
    /// Options for reading the log; dead commands are retained, and only the shard of the key is read.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
}

impl HistoryOptions {
    /// Returns the options for the history of `key` in all databases.
    pub fn new(key: impl Into<Vec<u8>>) -> Self {
        HistoryOptions { key: key.into(), ..HistoryOptions::default() }
    }
}

/// The result of a history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryReport {
    /// The path as given.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// The number of events reported.
    pub events: u64,
    /// The places of the key at the end of the log.
    pub places: Vec<FinalKey>,
    /// The server that wrote the log, as far as the log says.
    /// `None` if the key filter of an archive answered that there is no event, so that the log was not read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) origin: Option<Origin>,
}

/// A function that receives every event, in the order of the log.
pub type Tell<'t> = dyn FnMut(&Event<'_>) -> Result<()> + Send + 't;

/// Reports the history of a key in the log at `path`.
///
/// # Errors
///
/// When the log cannot be opened, is damaged other than by a torn end, or cannot be replayed as far as the key is
/// concerned; and the errors of `tell`.
pub fn history(
    path: &Path,
    options: &HistoryOptions,
    tell: &mut Tell<'_>,
    progress: &dyn Progress,
) -> Result<HistoryReport> {
    if lacks_key(path, &options.key) {
        let path = path.to_owned();
        return Ok(HistoryReport { path, events: 0, places: Vec::new(), origin: None });
    }
    let log = open_log(path, progress)?;
    log.name_archive(history_of(&log, options, tell, progress))
}

/// Like [`history()`], for an opened log.
pub(crate) fn history_of(
    log: &Log,
    options: &HistoryOptions,
    tell: &mut Tell<'_>,
    progress: &dyn Progress,
) -> Result<HistoryReport> {
    let wanted = Wanted { key: options.key.clone(), dbs: options.dbs.clone() };
    let route_options =
        RouteOptions { keep_dead: true, only: Some(options.key.clone()), ..options.route.clone() };
    let routing = route(log, &route_options, progress)?;
    let mut lineage = Lineage::default();
    each_window(&routing, "follow names", progress, |routed| {
        let take = |_, carried: Vec<(Position, Carry)>| {
            lineage = Lineage::new(&wanted, &carried);
            Ok(())
        };
        replay_watched(routed, &options.replay, progress, &Carries, take)
    })?;
    let origin = Some(routing.whole().origin().clone());
    let mut report =
        HistoryReport { path: log.path.clone(), events: 0, places: Vec::new(), origin };
    let telling = Mutex::new((tell, 0_u64));
    // Only one shard is replayed, so that events are in the order of the log.
    let tell = |event: &Event<'_>| {
        let (tell, events) = &mut *telling.lock().unwrap_or_else(PoisonError::into_inner);
        *events += 1;
        tell(event)
    };
    each_window(&routing, "replay", progress, |routed| {
        let teller = Teller {
            log,
            routed,
            wanted: &wanted,
            lineage: &lineage,
            key_specs: &options.route.key_specs,
            report: &tell,
        };
        let take = |_, places: Vec<FinalKey>| {
            report.places.extend(places);
            Ok(())
        };
        replay_watched(routed, &options.replay, progress, &teller, take)
    })?;
    report.events = telling.into_inner().unwrap_or_else(PoisonError::into_inner).1;
    Ok(report)
}

/// Records the transfers between places.
struct Carries;

#[derive(Default)]
struct CarryNotes {
    carried: Vec<(Position, Carry)>,
    pending: Option<Pending>,
}

impl ShardObserver for Carries {
    type Observer<'a> = CarryNotes;
    type Made = Vec<(Position, Carry)>;
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> CarryNotes {
        CarryNotes::default()
    }

    fn finish<'a>(
        &self,
        _: usize,
        notes: CarryNotes,
        _: &mut Keyspace<'a>,
    ) -> Result<Vec<(Position, Carry)>> {
        Ok(notes.carried)
    }
}

impl<'a> Observer<'a> for CarryNotes {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        self.pending = Pending::before(seen, keyspace);
    }

    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, keyspace: &mut Keyspace<'a>) {
        let failed = outcome != Outcome::Done;
        let carry = self.pending.take().and_then(|pending| pending.after(failed, keyspace));
        self.carried.extend(carry.map(|carry| (seen.at, carry)));
    }
}
