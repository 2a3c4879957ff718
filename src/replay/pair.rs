//! Two logs routed for a joint replay.

use super::route::{RouteOptions, Routed, Routing, route_all};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::replay::shards::ReplayStats;

/// Two logs, or two views of one log, in which each key has the same shard.
pub struct Pair<'l>([Routing<'l>; 2]);

/// Routes two logs so that each key, and all keys tied to it in either, is in the same shard of
/// both. The options of the first determine the wanted shards and the memory.
///
/// # Errors
///
/// Fails like [`route`](super::route()).
pub fn route_together<'l>(
    logs: [(&'l Log, &RouteOptions); 2],
    progress: &dyn Progress,
) -> Result<Pair<'l>> {
    route_all(logs, progress).map(Pair)
}

impl<'l> Pair<'l> {
    /// Returns the information on each whole log.
    pub fn whole(&self) -> [&Routed<'l>; 2] {
        self.0.each_ref().map(Routing::whole)
    }

    /// Calls `each` with the same window of both logs, window by window.
    ///
    /// # Errors
    ///
    /// Returns the errors of `each`, and fails like [`route_together`] if a log has changed since.
    pub fn each(
        &self,
        progress: &dyn Progress,
        mut each: impl FnMut([&Routed<'l>; 2]) -> Result<()>,
    ) -> Result<()> {
        let [one, other] = &self.0;
        for number in 0..one.windows() {
            let routed = [one.window(number, progress)?, other.window(number, progress)?];
            each([
                routed[0].as_ref().unwrap_or(one.whole()),
                routed[1].as_ref().unwrap_or(other.whole()),
            ])?;
        }
        Ok(())
    }
}

/// Calls `run`, which replays a window, with each window, and returns the joined statistics.
/// `phase` is the name of the progress phase.
///
/// # Errors
///
/// Returns the errors of `run`, and fails if the log has changed since it was routed.
pub fn each_window<'l>(
    routing: &Routing<'l>,
    phase: &str,
    progress: &dyn Progress,
    mut run: impl FnMut(&Routed<'l>) -> Result<ReplayStats>,
) -> Result<ReplayStats> {
    let mut stats = ReplayStats::default();
    routing.each(progress, |routed| {
        progress.phase(phase, routed.replayed_bytes());
        stats.join(run(routed)?);
        Ok(())
    })?;
    Ok(stats)
}

/// Like [`each_window`], with the same window of two logs.
///
/// # Errors
///
/// Fails like [`each_window`].
pub fn each_pair<'l>(
    pair: &Pair<'l>,
    phase: &str,
    progress: &dyn Progress,
    mut run: impl FnMut([&Routed<'l>; 2]) -> Result<[ReplayStats; 2]>,
) -> Result<[ReplayStats; 2]> {
    let mut stats = <[ReplayStats; 2]>::default();
    pair.each(progress, |routed| {
        progress.phase(phase, routed.map(Routed::replayed_bytes).iter().sum());
        stats.iter_mut().zip(run(routed)?).for_each(|(all, more)| all.join(more));
        Ok(())
    })?;
    Ok(stats)
}
