//! Replaying a routed log, or two logs jointly, window by window.

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::replay::pair::Pair;
use crate::replay::route::{Routed, Routing};
use crate::replay::shards::ReplayStats;

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
