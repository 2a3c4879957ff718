//! The log that is recovered, and what planning and applying share.

use super::options::RecoverOptions;
use super::timeline::Timeline;
use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::aof::log::Log;
use crate::base::error::{ErrorKind, Result};
use crate::base::progress::Progress;
use crate::keyspace::Keyspace;
use crate::replay::pair::each_window;
use crate::replay::{RouteOptions, replay, route};

/// The log that is recovered, and how.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    /// The log that was opened.
    pub(super) whole: &'s Log,
    /// The log to recover, which differs from `whole` if a recovery candidate was chosen.
    pub(super) log: &'s Log,
    pub(super) timeline: &'s Timeline,
    pub(super) options: &'s RecoverOptions,
    pub(super) progress: &'s dyn Progress,
}

impl Subject<'_> {
    /// Summarises the keyspace of a server that loads `log`.
    pub(super) fn count(&self, log: &Log, route: &RouteOptions) -> Result<KeyspaceSummary> {
        count(log, route, self.options, self.progress)
    }
}

/// Returns `None` if the log cannot be replayed, for example because it contains scripts.
pub(super) fn unless_refused<T>(counted: Result<T>) -> Result<Option<T>> {
    match counted {
        Ok(counted) => Ok(Some(counted)),
        Err(error) if error.kind() == ErrorKind::Refused => Ok(None),
        Err(error) => Err(error),
    }
}

/// Summarises the keyspace of a server that loads this log.
pub(super) fn count(
    log: &Log,
    route_options: &RouteOptions,
    options: &RecoverOptions,
    progress: &dyn Progress,
) -> Result<KeyspaceSummary> {
    let RouteOptions { key_specs, memory, .. } = options.route.clone();
    let route_options =
        RouteOptions { key_specs, memory, empty_rdb: true, ..route_options.clone() };
    let routing = route(log, &route_options, progress)?;
    let mut holdings = KeyspaceSummary::default();
    each_window(&routing, "count", progress, |routed| {
        let make = |_, keyspace: &mut Keyspace<'_>| Ok(KeyspaceSummary::from_keyspace(keyspace));
        let take = |_, part: KeyspaceSummary| {
            holdings.join(&part);
            Ok(())
        };
        replay(routed, &options.replay, progress, make, take)
    })?;
    Ok(holdings)
}
