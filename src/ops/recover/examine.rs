//! The keys of a recovery candidate, and what it would add to the data at the end of the log.

use super::candidate_log::open_candidate;
use super::candidates::{Added, Candidate};
use super::cuts;
use super::preview::leave_out_damage;
use super::subject::Subject;
use super::timeline::timeline;
use crate::analysis::data_filter::Filter;
use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::aof::log::Log;
use crate::base::error::{ErrorKind, Result};
use crate::keyspace::Keyspace;
use crate::ops::diff::{Counts, compare, detail_of};
use crate::replay::pair::each_pair;
use crate::replay::{CutList, RouteOptions, replay_pair, route_together};

/// Counts the keys that a recovery candidate would restore, and those of them that the log does not have at its end.
/// The reason why a candidate cannot be read is recorded in it.
pub(super) fn examine(subject: &Subject<'_>, candidate: &mut Candidate) {
    if candidate.problem.is_some() {
        return;
    }
    if let Err(error) = try_examine(subject, candidate) {
        candidate.problem = Some(error.to_string());
    }
}

fn try_examine(subject: &Subject<'_>, candidate: &mut Candidate) -> Result<()> {
    let log = open_candidate(subject.whole, candidate, subject.progress)?;
    let examined = examine_log(subject, &log, candidate);
    log.name_archive(examined)
}

fn examine_log(subject: &Subject<'_>, log: &Log, candidate: &mut Candidate) -> Result<()> {
    let timeline = timeline(log, subject.progress)?;
    candidate.ends_in_flush = !timeline.trailing.is_empty();
    if let Some(unread) = timeline.newer_rdbs.first() {
        candidate.unread = Some(unread.content.clone());
        return Ok(());
    }
    let cut = cuts::excise(log, &timeline, &timeline.trailing)?.list();
    let (holds, adds) = match compared(subject, log, &cut) {
        Ok((holds, adds)) => (holds, Some(adds)),
        // One of the two cannot be replayed. If it is the candidate, counting its keys fails as well.
        Err(error) if error.kind() != ErrorKind::Interrupted => {
            let options = RouteOptions { cut, empty_rdb: true, ..RouteOptions::default() };
            (subject.count(log, &options)?, None)
        }
        Err(error) => return Err(error),
    };
    candidate.holds = Some(holds.to_report());
    candidate.adds = adds;
    Ok(())
}

/// Replays the candidate and the log together, shard by shard, and counts the keys of the candidate.
fn compared(subject: &Subject<'_>, log: &Log, cut: &CutList) -> Result<(KeyspaceSummary, Added)> {
    let Subject { whole, timeline, options, progress, .. } = *subject;
    let mut damaged = CutList::new();
    leave_out_damage(whole, timeline, &mut damaged);
    let RouteOptions { key_specs, memory, .. } = options.route.clone();
    let cut = cut.clone();
    let older = RouteOptions { cut, key_specs, memory, empty_rdb: true, ..RouteOptions::default() };
    let newer = RouteOptions { cut: damaged, ..options.route.clone() };
    let pair = route_together([(log, &older), (whole, &newer)], progress)?;
    let (mut holds, mut counts) = (KeyspaceSummary::default(), Counts::default());
    let detail = detail_of([log, whole]);
    each_pair(&pair, "compare", progress, |routed| {
        let make = |_, [old, new]: [&mut Keyspace<'_>; 2]| {
            let counts = compare([old, new], &Filter::default(), detail, None);
            Ok((KeyspaceSummary::from_keyspace(old), counts))
        };
        let take = |_, (summary, counted): (KeyspaceSummary, Counts)| {
            holds.join(&summary);
            counts.join(counted);
            Ok(())
        };
        replay_pair(routed, [&options.replay; 2], progress, make, take)
    })?;
    let total = counts.total();
    Ok((holds, Added { keys: total.only_a, different: total.different }))
}
