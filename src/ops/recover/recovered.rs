//! The data set that a choice recovers, for a destination other than a file: a server that goes on running.
//!
//! Such a server has the later writes already. It is therefore sent the state that was destroyed, and not that state
//! joined with what came later.

use std::path::Path;

use super::apply::cut_list;
use super::candidate_log::{numbered, open_candidate};
use super::join::{Tallies, Winner};
use super::missing::{self, Found};
use super::options::{Choice, RecoverOptions};
use super::plan::{self, RecoverMethod, RecoverPlan};
use super::preview::add_named_events;
use super::search::search;
use super::subject::Subject;
use super::timeline::{Event, Timeline, timeline as read_timeline};
use super::undelete::{Undeleted, Wanted};
use super::verdict::empties;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::glob::Glob;
use crate::base::progress::Progress;
use crate::command::Position;
use crate::ops::compact::Source;
use crate::replay::{RouteOptions, route};

/// What a choice recovers.
pub(crate) struct Recovered<'r> {
    pub(crate) plan: &'r RecoverPlan,
    /// The keys to send.
    pub(crate) source: &'r dyn Source,
    /// The only database to send.
    pub(crate) db: Option<u32>,
    /// Whether keys that exist in the server are meant to be replaced.
    pub(crate) older_wins: bool,
    /// Keys that the log names at or after this position have been written or deleted since.
    pub(crate) since: Option<(&'r Log, Position)>,
    /// The keys that the user has named: they are sent all the same.
    pub(crate) named: Vec<Vec<u8>>,
}

/// Passes what the options choose of the log at `path` to `receive`, and returns its result.
///
/// # Errors
///
/// When the log cannot be opened or replayed, when the choice is not possible, and the errors of `receive`.
pub(crate) fn recover_with<T>(
    path: &Path,
    options: &RecoverOptions,
    also_deleted: bool,
    progress: &dyn Progress,
    receive: &mut dyn FnMut(&Recovered<'_>) -> Result<T>,
) -> Result<T> {
    let whole = match missing::find(path, &options.also, progress)? {
        Found::Input(input) => missing::open_whole(path, input, progress)?,
        Found::NoLog(whole) => *whole,
    };
    let whole = if options.candidate.is_none() { whole.refuse_missing()? } else { whole };
    let whole = whole.log;
    let mut recovered = || {
        let chosen = match options.candidate {
            None => None,
            Some(number) => {
                let candidates = search(&whole, &options.also);
                Some(open_candidate(&whole, numbered(&candidates, number, &whole)?, progress)?)
            }
        };
        let log: &Log = chosen.as_deref().unwrap_or(&whole);
        let mut timeline = read_timeline(log, progress)?;
        add_named_events(log, &mut timeline, options, progress)?;
        let subject = Subject { whole: &whole, log, timeline: &timeline, options, progress };
        let Some(plan) = plan::plan(&subject)? else {
            return Err(Error::new(ErrorKind::Usage, "no recovery option given")
                .help("use --strip, --until, --excise, --merge or --undelete with --into"));
        };
        hand_over(&subject, &plan, also_deleted, receive)
    };
    whole.name_archive(recovered())
}

fn hand_over<T>(
    subject: &Subject<'_>,
    plan: &RecoverPlan,
    also_deleted: bool,
    receive: &mut dyn FnMut(&Recovered<'_>) -> Result<T>,
) -> Result<T> {
    let Subject { log, options, progress, .. } = *subject;
    let since = since(subject, plan)?;
    let (cut, db, older_wins) = match &plan.method {
        RecoverMethod::Copy { retained } => (cut_list(log, retained), None, false),
        RecoverMethod::Join(join) => {
            (join.without.clone(), join.only_db, join.winner == Some(Winner::Older))
        }
        RecoverMethod::Undelete(keys) => {
            let whole = RouteOptions { keep_dead: true, ..options.route.clone() };
            let wanted = Wanted {
                globs: keys.globs.clone(),
                db: options.db,
                expired: keys.expired,
                now_ms: options.now_ms,
                // A pattern means the keys of a flush, not those that single commands deleted in the course of time.
                flushed_only: since.is_some() && !also_deleted && keys.within.is_none(),
                alone: true,
                within: keys.within.clone(),
            };
            let routing = route(log, &whole, progress)?;
            let source = Undeleted { log, routing, wanted, tallies: Tallies::default() };
            return receive(&Recovered {
                plan,
                source: &source,
                db: None,
                older_wins: false,
                since,
                named: keys.globs.iter().filter_map(Glob::text).collect(),
            });
        }
    };
    let source = route(log, &RouteOptions { cut, ..options.route.clone() }, progress)?;
    let named = Vec::new();
    receive(&Recovered { plan, source: &source, db, older_wins, since, named })
}

/// Returns the position of the event that is undone, in the log that shows what was written since.
fn since<'s>(subject: &Subject<'s>, plan: &RecoverPlan) -> Result<Option<(&'s Log, Position)>> {
    let Subject { whole, log, timeline, options, progress } = *subject;
    if options.candidate.is_some() {
        // The candidate ends where the log began, or where the log destroyed what it contained.
        let of_log = read_timeline(whole, progress)?;
        let start = Position { part: 0, offset: 0 };
        return Ok(Some((whole, last_flush(&of_log).map_or(start, position))));
    }
    let first = |numbers: &[u64]| {
        numbers
            .iter()
            .filter_map(|number| timeline.event(*number))
            .min_by_key(|event| (event.part_index, event.offset))
    };
    let at = match &options.choice {
        Choice::Preview => None,
        Choice::Strip => first(&timeline.trailing).map(position),
        Choice::Excise(numbers) => first(numbers).map(position),
        Choice::Until(_) => plan.found.as_ref().map(|found| {
            let part = log.parts.iter().position(|part| part.name == found.part).unwrap_or(0);
            Position { part: u32::try_from(part).unwrap_or(u32::MAX), offset: found.offset }
        }),
        Choice::Merge { .. } => match &plan.method {
            RecoverMethod::Join(join) => {
                join.event.and_then(|number| timeline.event(number)).map(position)
            }
            RecoverMethod::Undelete(keys) => {
                let within = keys.within.as_ref();
                within.and_then(|within| timeline.event(within.event)).map(position)
            }
            RecoverMethod::Copy { .. } => None,
        },
        Choice::Undelete(_) => last_flush(timeline).map(position),
    };
    Ok(at.map(|at| (log, at)))
}

fn last_flush(timeline: &Timeline) -> Option<&Event> {
    timeline.last(|event| empties(event) && !event.never_run)
}

fn position(event: &Event) -> Position {
    Position { part: u32::try_from(event.part_index).unwrap_or(u32::MAX), offset: event.offset }
}
