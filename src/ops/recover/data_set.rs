//! The data set that results from joining two states, or from restoring single keys.

use super::join::{How, Joined, JoinedSource, Rule, Tallies};
use super::plan::{JoinPlan, UndeletePlan};
use super::subject::Subject;
use super::undelete::{Undeleted, Wanted};
use crate::aof::log::Log;
use crate::base::error::Result;
use crate::ops::compact::Source;
use crate::replay::{RouteOptions, route};

/// Calls `write` with the two states joined, and with the log that they replace. Returns the result of `write`, and how
/// the states were joined.
///
/// # Errors
///
/// When a log cannot be replayed, and the errors of `write`.
pub(super) fn join<T>(
    subject: &Subject<'_>,
    plan: &JoinPlan,
    write: impl FnOnce(&Log, &dyn Source) -> Result<T>,
) -> Result<(T, Joined)> {
    let Subject { whole, log, options, progress, .. } = *subject;
    let JoinPlan { event, winner, only_db, expired, .. } = *plan;
    let older = RouteOptions { cut: plan.without.clone(), ..options.route.clone() };
    // A recovery candidate is merged with the log, and else replaces a database of its own.
    let newer_log = if options.candidate.is_some() && winner.is_some() { whole } else { log };
    let rule = winner.map_or(Rule::Replace, Rule::Merge);
    // Two states of one log are its own history, in which the newer one has what is to be kept.
    let unites = !std::ptr::eq(log, newer_log);
    let expired_keys = Some(expired);
    let now_ms = options.now_ms;
    let how = How { rule, db: only_db, expired: expired_keys, now_ms, unites, compared: None };
    let source = JoinedSource::new([(log, &older), (newer_log, &options.route)], how, progress)?;
    let written = write(newer_log, &source)?;
    Ok((written, source.tallies.into_tally().into_report(event, winner, expired)))
}

/// Calls `write` with the data set in which keys are restored, and with the log that it replaces. Returns the result of
/// `write`, and which keys were restored.
///
/// # Errors
///
/// When the log cannot be replayed, and the errors of `write`.
pub(super) fn undelete<T>(
    subject: &Subject<'_>,
    plan: &UndeletePlan,
    write: impl FnOnce(&Log, &dyn Source) -> Result<T>,
) -> Result<(T, Joined)> {
    let Subject { log, options, progress, .. } = *subject;
    let UndeletePlan { expired, globs, within } = plan;
    let route_options = RouteOptions { keep_dead: true, ..options.route.clone() };
    let routing = route(log, &route_options, progress)?;
    let (globs, expired, now_ms) = (globs.clone(), *expired, options.now_ms);
    let wanted = Wanted {
        globs,
        db: options.db,
        expired,
        now_ms,
        flushed_only: false,
        alone: false,
        within: within.clone(),
    };
    let source = Undeleted { log, routing, wanted, tallies: Tallies::default() };
    let written = write(log, &source)?;
    let (event, winner) = within.as_ref().map(|within| (within.event, within.winner)).unzip();
    Ok((written, source.tallies.into_tally().into_report(event, winner, expired)))
}
