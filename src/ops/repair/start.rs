//! Whether a server starts with a log: the measure of a repair.

use serde::Serialize;

use super::options::RepairOptions;
use crate::analysis::survey::Survey;
use crate::aof::log::Log;
use crate::base::server::{KNOWN, Server};
use crate::base::units::Count;
use crate::ops::verify::judge::{Outcome, Verdict, judge_all};

/// Which servers start with a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Start {
    /// The servers that start with the log, oldest first.
    pub(crate) servers: Vec<Server>,
    /// The servers of which that is not known, because the log has content that is unknown to this version.
    pub(crate) unknown: Vec<Server>,
    /// A server that does not start, unless it is proved that one does: of several, the one that comes furthest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused_by: Option<Server>,
    /// The reason why it does not start, with the place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// Whether the servers that were asked for start; if none was, whether any known server starts.
    pub(crate) proved: bool,
}

/// Returns which servers start with a log that has been read: those of the options, or else all known ones.
pub(super) fn start(log: &Log, surveys: &[Survey<'_>], options: &RepairOptions) -> Start {
    let servers = if options.servers.is_empty() { KNOWN } else { &options.servers };
    let verdicts = judge_all(log, surveys, servers, &options.modules);
    let of = |wanted: fn(&Outcome) -> bool| {
        let mut found: Vec<Server> = (verdicts.iter())
            .filter(|verdict| wanted(&verdict.outcome))
            .flat_map(|verdict| verdict.servers.iter().copied())
            .collect();
        found.sort_by_key(|server| servers.iter().position(|known| known == server));
        found
    };
    let starting = of(|it| matches!(it, Outcome::Loads | Outcome::LoadsAfterCut { .. }));
    let unknown = of(|it| matches!(it, Outcome::Unknown));
    let proved = match options.servers.is_empty() {
        true => !starting.is_empty(),
        false => starting.len() == servers.len(),
    };
    // The server that the log was written for comes furthest, or lacks a module.
    let refusal = (verdicts.iter())
        .filter(|verdict| {
            !matches!(verdict.outcome, Outcome::Loads | Outcome::LoadsAfterCut { .. })
        })
        .max_by_key(|verdict| (verdict.needs_module.is_some(), verdict.offset, &verdict.servers));
    let refusal = refusal.filter(|_| !proved);
    let refused_by = refusal.and_then(|verdict| verdict.servers.last().copied());
    let reason = refusal.map(|verdict| reason(log, verdict));
    Start { servers: starting, unknown, refused_by, reason, proved }
}

fn reason(log: &Log, verdict: &Verdict) -> String {
    let reason = verdict.reason.as_deref().unwrap_or("it does not read this layout");
    match (&verdict.part, verdict.offset) {
        (Some(_), Some(offset)) if log.parts.len() == 1 => {
            format!("byte {}: {reason}", Count(offset))
        }
        (Some(part), Some(offset)) => format!("{part}, byte {}: {reason}", Count(offset)),
        _ => reason.to_owned(),
    }
}
