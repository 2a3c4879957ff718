//! The plan of a recovery: what is removed, joined or restored. Planning writes nothing.

use serde::Serialize;

use super::conflicts::{self, Conflicts};
use super::cuts::{self, CutPoint, Cuts, Removed};
use super::event_kind::EventKind;
use super::join::{Expired, Winner};
use super::options::Choice;
use super::subject::{Subject, unless_refused};
use super::timeline::Event;
use super::undelete::Within;
use super::verdict::{empties, worst_flush};
use crate::analysis::keyspace_summary::KeyspaceSummary;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::ops::repair::retained_ranges::RetainedRanges;
use crate::replay::{CutList, RouteOptions};

/// What a recovery removes, joins or restores. It does not depend on the destination of the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecoverPlan {
    /// The action: `strip`, `until`, `excise`, `merge`, `undelete` or `whole`.
    pub choice: &'static str,
    /// The number of the database that the action is limited to.
    pub db: Option<u32>,
    /// How the result is made.
    pub method: RecoverMethod,
    /// The byte ranges that are removed.
    pub removed: Vec<Removed>,
    /// The number of removed ranges that are not listed.
    pub removed_more: u64,
    /// The file names of the parts that are no longer in the set.
    pub parts_removed: Vec<String>,
    /// The point that the requested position resolved to.
    pub found: Option<CutPoint>,
    /// The number of bytes copied unchanged; `None` if the data set is encoded anew.
    pub kept_bytes: Option<u64>,
    /// The differences in the outcome of later commands.
    pub conflicts: Option<Conflicts>,
    /// The keyspace that the result must have, if it is known before the result is made.
    #[serde(skip)]
    pub(super) expected: Option<KeyspaceSummary>,
}

/// How the result of a recovery is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum RecoverMethod {
    /// Copy the bytes that are not removed, unchanged.
    Copy {
        /// The retained ranges of each part.
        #[serde(skip)]
        retained: Vec<RetainedRanges>,
    },
    /// Join an older state with the state that the log leads to, key by key.
    Join(JoinPlan),
    /// Restore single keys.
    Undelete(UndeletePlan),
}

/// How two states are joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JoinPlan {
    /// The number of the flush between the two states, if the older one is that before it.
    pub event: Option<u64>,
    /// The side from which a key is taken if both sides have it; `None` if the older state replaces a database.
    pub winner: Option<Winner>,
    /// The only database to join.
    pub only_db: Option<u32>,
    /// The treatment of keys to restore whose expiry has passed.
    pub expired: Expired,
    /// The ranges of each part without which the log leads to the older state.
    #[serde(skip)]
    pub(super) without: CutList,
}

/// Which keys are restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UndeletePlan {
    /// The treatment of keys to restore whose expiry has passed.
    pub expired: Expired,
    /// The patterns of their names.
    #[serde(skip)]
    pub(super) globs: Vec<Glob>,
    /// The event whose keys are restored; `None` for all events.
    #[serde(skip)]
    pub(super) within: Option<Within>,
}

/// The maximum number of removed ranges listed in a plan.
const REMOVED_LISTED: usize = 1000;

/// Plans the choice of the options. Returns `None` if only a report is requested.
///
/// # Errors
///
/// When the log cannot be replayed; [`ErrorKind::Usage`], [`ErrorKind::Refused`] when the choice is not possible.
pub(super) fn plan(subject: &Subject<'_>) -> Result<Option<RecoverPlan>> {
    let Subject { log, timeline, options, progress, .. } = *subject;
    let (choice, cuts) = match &options.choice {
        Choice::Preview => return Ok(None),
        Choice::Strip if options.candidate.is_some() && timeline.trailing.is_empty() => {
            ("whole", cuts::excise(log, timeline, &[])?)
        }
        Choice::Strip => ("strip", cuts::strip(log, timeline)?),
        Choice::Until(position) => ("until", cuts::until(log, timeline, position, progress)?),
        Choice::Excise(numbers) => ("excise", cuts::excise(log, timeline, numbers)?),
        Choice::Merge { winner, event } => return merge(subject, *winner, *event).map(Some),
        Choice::Undelete(globs) => {
            let keys =
                UndeletePlan { expired: options.expired, globs: globs.clone(), within: None };
            let method = RecoverMethod::Undelete(keys);
            return Ok(Some(RecoverPlan::new("undelete", options.db, method)));
        }
    };
    match options.db {
        Some(db) => Ok(Some(replace_db(subject, choice, cuts, db))),
        None => copy(subject, choice, cuts).map(Some),
    }
}

impl RecoverPlan {
    fn new(choice: &'static str, db: Option<u32>, method: RecoverMethod) -> Self {
        RecoverPlan {
            choice,
            db,
            method,
            removed: Vec::new(),
            removed_more: 0,
            parts_removed: Vec::new(),
            found: None,
            kept_bytes: None,
            conflicts: None,
            expected: None,
        }
    }
}

/// Plans to copy the bytes that a choice retains.
fn copy(subject: &Subject<'_>, choice: &'static str, cuts: Cuts) -> Result<RecoverPlan> {
    let retained = cuts.kept(subject.log);
    let (conflicts, expected) = compare(subject, choice, &cuts)?;
    let gone = subject.log.parts.iter().zip(&retained).filter(|(_, kept)| !kept.stays);
    let parts_removed = gone.map(|(part, _)| part.name.clone()).collect();
    let kept_bytes = Some(retained.iter().map(RetainedRanges::bytes).sum());
    let removed_more = cuts.removed.len().saturating_sub(REMOVED_LISTED) as u64;
    let mut removed = cuts.removed;
    removed.truncate(REMOVED_LISTED);
    let plan = RecoverPlan::new(choice, None, RecoverMethod::Copy { retained });
    Ok(RecoverPlan {
        removed,
        removed_more,
        parts_removed,
        found: cuts.found,
        kept_bytes,
        conflicts,
        expected,
        ..plan
    })
}

/// Computes how the removal of events changes the outcome of later commands, and what the result contains.
fn compare(
    subject: &Subject<'_>,
    choice: &'static str,
    cuts: &Cuts,
) -> Result<(Option<Conflicts>, Option<KeyspaceSummary>)> {
    let options = subject.options;
    if !options.preview || choice != "excise" {
        return Ok((None, None));
    }
    let as_it_is = RouteOptions { keep_dead: true, ..options.route.clone() };
    let cut = RouteOptions { cut: cuts.list(), ..as_it_is.clone() };
    let sides = [&as_it_is, &cut];
    let found = conflicts::conflicts(subject.log, sides, &options.replay, subject.progress);
    Ok(unless_refused(found)?.unzip())
}

/// Plans to restore one database to the state given by a choice, and to leave the others unchanged.
fn replace_db(subject: &Subject<'_>, choice: &'static str, cuts: Cuts, db: u32) -> RecoverPlan {
    let method = RecoverMethod::Join(JoinPlan {
        event: None,
        winner: None,
        only_db: Some(db),
        expired: subject.options.expired,
        without: cuts.list(),
    });
    // No range is listed as removed: the other databases still contain them.
    RecoverPlan { found: cuts.found, ..RecoverPlan::new(choice, Some(db), method) }
}

fn merge(subject: &Subject<'_>, winner: Winner, number: Option<u64>) -> Result<RecoverPlan> {
    let Subject { log, timeline, options, .. } = *subject;
    let (event, only_db, cuts) = if options.candidate.is_some() {
        (None, options.db, cuts::excise(log, timeline, &timeline.trailing)?)
    } else {
        let event = event_to_merge(subject, number)?;
        if !empties(event) {
            return Ok(restore_event(subject, event, winner));
        }
        let cuts = cuts::before_event(log, timeline, event)?;
        let db = match (event.what, options.db) {
            (EventKind::Flushdb, Some(db)) if db != event.db => {
                let message = format!("event {} emptied database {} alone", event.number, event.db);
                return Err(Error::new(ErrorKind::Usage, message).at(&log.opened));
            }
            (EventKind::Flushdb, _) => Some(event.db),
            (_, db) => db,
        };
        (Some(event.number), db, cuts)
    };
    let method = RecoverMethod::Join(JoinPlan {
        event,
        winner: Some(winner),
        only_db,
        expired: options.expired,
        without: cuts.list(),
    });
    Ok(RecoverPlan::new("merge", options.db, method))
}

/// Plans to restore the keys that an event other than a flush removed.
fn restore_event(subject: &Subject<'_>, event: &Event, winner: Winner) -> RecoverPlan {
    let method = RecoverMethod::Undelete(UndeletePlan {
        expired: subject.options.expired,
        globs: vec![Glob::new("*")],
        within: Some(Within::new(event, winner)),
    });
    RecoverPlan::new("merge", subject.options.db, method)
}

/// Returns the event to undo.
fn event_to_merge<'s>(subject: &Subject<'s>, number: Option<u64>) -> Result<&'s Event> {
    let undoes =
        |event: &&Event| !matches!(event.what, EventKind::Swapdb { .. } | EventKind::FunctionFlush);
    let found = match number {
        Some(number) => subject.timeline.event(number).filter(undoes),
        None => worst_flush(subject.timeline),
    };
    found.filter(|event| !event.never_run).ok_or_else(|| {
        let message = match number {
            Some(number) => format!("the log has no event {number} that removed keys"),
            None => "there is no FLUSHALL or FLUSHDB in the log".to_owned(),
        };
        Error::new(ErrorKind::Usage, message)
            .at(&subject.log.opened)
            .help("aofkit recover PATH prints the timeline with its numbers")
    })
}
