//! Replaying a log that is repaired, or the result: which of its commands fail while a server loads it, and which
//! cannot be replayed.
//!
//! A server ignores the error of a command that it loads, and some log it as `CRITICAL`: the command has no effect.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Serialize;

use super::decide::{DropReason, Dropped, preview};
use super::options::RepairOptions;
use super::retained_ranges::RetainedRanges;
use crate::aof::log::Log;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;
use crate::base::units::Count;
use crate::command::{CommandId, Position};
use crate::keyspace::Keyspace;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::replay::pair::each_window;
use crate::replay::{
    CutList, Observed, Observer, Outcome, ReplayOptions, RouteOptions, ShardObserver,
    replay_watched, route,
};

/// The number of failing commands that a report names.
const EXAMPLES: usize = 10;

/// What a replay of a log shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Replayed {
    /// The number of keys at the end; absent if the log cannot be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) keys: Option<u64>,
    /// The number of commands that fail while a server loads them.
    pub(crate) failing: u64,
    /// The first of these commands.
    pub(crate) examples: Vec<FailingCommand>,
    /// The names of commands whose effect a replay cannot determine.
    pub(crate) not_proved: Vec<String>,
    /// The reason why the log cannot be replayed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
    /// Whether the deletions of keys found them.
    #[serde(skip)]
    pub(super) deletions: Deletions,
}

/// Deletions of a single key. A server logs one only if the key exists, so that they tell whether the parts of a set belong
/// together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Deletions {
    /// The number of those that found their key.
    pub(super) found: u64,
    /// The number of the others.
    pub(super) missed: u64,
}

/// The fewest deletions that say something.
const FEW_DELETIONS: u64 = 10;

/// What a deletion that misses its key weighs, compared with one that finds it: so many of them do not agree with files
/// that belong together.
const MISSED_WEIGHT: u64 = 9;

impl Deletions {
    fn join(&mut self, other: Deletions) {
        self.found += other.found;
        self.missed += other.missed;
    }

    /// Returns whether they are enough to say something.
    pub(super) fn are_enough(self) -> bool {
        self.found + self.missed >= FEW_DELETIONS
    }

    /// Returns whether they agree with parts that belong together.
    pub(super) fn agrees(self) -> bool {
        self.are_enough() && self.missed * MISSED_WEIGHT <= self.found
    }

    /// Returns how much they say for parts that belong together.
    pub(super) fn weight(self) -> u64 {
        self.found.saturating_sub(self.missed.saturating_mul(MISSED_WEIGHT))
    }

    /// Returns them as a phrase: `20 of 20`.
    pub(super) fn shown(self) -> String {
        format!("{} of {}", Count(self.found), Count(self.found + self.missed))
    }

    /// Returns what they say about parts that were put together; `None` if they are too few.
    pub(super) fn evidence(self) -> Option<String> {
        let all = self.found + self.missed;
        if all < FEW_DELETIONS {
            return None;
        }
        let agrees = if self.agrees() { "agrees" } else { "does not agree" };
        Some(format!(
            "their content {agrees} with that: {} of {} deletions of a key find it, and a server logs only such",
            Count(self.found),
            Count(all)
        ))
    }
}

/// A command that fails while a server loads it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FailingCommand {
    /// The file name of the part.
    pub(crate) part: String,
    /// The byte offset of the command.
    pub(crate) offset: u64,
    /// The name of the command.
    pub(crate) command: String,
    /// The error that a server answers.
    pub(crate) error: &'static str,
}

/// Commands that fail, by position, with their lengths.
type Failing = BTreeMap<Position, (usize, String, &'static str)>;

/// Replays what is retained of a log. With `drop_failing`, the commands that fail are removed from that, and returned.
///
/// # Errors
///
/// When the caller cancels, or the log changes while it is read. That it cannot be replayed is part of the result.
pub(super) fn replay_retained(
    retained: &mut [RetainedRanges],
    log: &Log,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<(Replayed, Vec<Dropped>)> {
    let (replayed, failing) = replay_log(log, cut_of(retained, log), options, progress)?;
    let failing = if options.drop_failing { failing } else { Failing::new() };
    let dropped = failing
        .into_iter()
        .filter_map(|(at, (length, ..))| drop_command(retained, log, at, length as u64));
    let dropped = dropped.collect();
    Ok((replayed, dropped))
}

/// Replays a result.
///
/// # Errors
///
/// As [`replay_retained`].
pub(super) fn replay_result(
    log: &Log,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Replayed> {
    replay_log(log, CutList::new(), options, progress).map(|(replayed, _)| replayed)
}

fn cut_of(retained: &[RetainedRanges], log: &Log) -> CutList {
    let mut cut = CutList::new();
    for (index, (part, retained)) in log.parts.iter().zip(retained).enumerate() {
        let ranges: &[Range<u64>] = if retained.stays { &retained.ranges } else { &[] };
        let mut from = 0;
        for range in ranges {
            cut.cut(index, from..range.start);
            from = range.end;
        }
        cut.cut(index, from..part.mapping.len());
    }
    cut
}

/// Removes a command from what is retained; `None` if it is not retained as a whole.
fn drop_command(
    retained: &mut [RetainedRanges],
    log: &Log,
    at: Position,
    length: u64,
) -> Option<Dropped> {
    let part = log.parts.get(at.part as usize)?;
    let RetainedRanges { ranges, .. } = retained.get_mut(at.part as usize)?;
    let gone = at.offset..at.offset.saturating_add(length);
    let index = ranges.iter().position(|it| it.start <= gone.start && gone.end <= it.end)?;
    let around = ranges.get(index)?.clone();
    let pieces = [around.start..gone.start, gone.end..around.end];
    ranges.splice(index..=index, pieces.into_iter().filter(|piece| !piece.is_empty()));
    let offset = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    let bytes = part.mapping.bytes().get(offset(gone.start)..offset(gone.end));
    Some(Dropped {
        part: part.name.clone(),
        offset: gone.start,
        bytes: length,
        commands: 1,
        begun: false,
        uncounted: false,
        why: DropReason::Failing,
        preview: preview(bytes.unwrap_or_default()),
        database_uncertain: 0,
        databases: Vec::new(),
        looks_like: None,
    })
}

fn replay_log(
    log: &Log,
    cut: CutList,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<(Replayed, Failing)> {
    match try_replay(log, cut, options, progress) {
        Ok(found) => Ok(found),
        Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::Changed) => {
            Err(error)
        }
        Err(error) => {
            let not_proved = command_of(&error).into_iter().collect();
            let problem = Some(error.message().to_owned());
            Ok((Replayed { not_proved, problem, ..Replayed::default() }, Failing::new()))
        }
    }
}

/// Returns the command that an error of a replay is about.
fn command_of(error: &Error) -> Option<String> {
    let (name, _) = error.message().split_once(" cannot be replayed")?;
    Some(name.trim_matches('"').to_owned())
}

fn try_replay(
    log: &Log,
    cut: CutList,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<(Replayed, Failing)> {
    // Commands before a FLUSHALL fail as well while they are loaded.
    let route_options =
        RouteOptions { cut, keep_dead: true, empty_rdb: true, ..RouteOptions::default() };
    let routing = route(log, &route_options, progress)?;
    let server = options.servers.first().copied();
    let replay_options = ReplayOptions { server, ..ReplayOptions::default() };
    let (mut keys, mut failing) = (0_u64, Failing::new());
    let mut deletions = Deletions::default();
    let stats = each_window(&routing, "replay", progress, |routed| {
        let take = |_, (count, found): (u64, OfShard)| {
            keys += count;
            deletions.join(found.deletions);
            for (at, length, name, error) in found.failing {
                failing.insert(at, (length, name, error));
            }
            Ok(())
        };
        replay_watched(routed, &replay_options, progress, &Failures, take)
    })?;
    let examples = failing.iter().take(EXAMPLES).map(|(at, (_, command, error))| FailingCommand {
        part: log.part_name(at.part),
        offset: at.offset,
        command: command.clone(),
        error,
    });
    let replayed = Replayed {
        keys: Some(keys),
        failing: failing.len() as u64,
        examples: examples.collect(),
        not_proved: stats.unknown.keys().map(|name| name.escape_ascii().to_string()).collect(),
        problem: None,
        deletions,
    };
    Ok((replayed, failing))
}

/// Replays what is retained of files that may belong together, and returns whether the deletions of keys find them, and a
/// fingerprint of the data set; `None` if they cannot be replayed.
///
/// # Errors
///
/// When the caller cancels, or the log changes while it is read.
pub(super) fn judge(
    retained: &[RetainedRanges],
    log: &Log,
    options: &RepairOptions,
    progress: &dyn Progress,
) -> Result<Option<(Deletions, Fingerprint)>> {
    let judged = (|| {
        let cut = cut_of(retained, log);
        let route_options = RouteOptions { cut, empty_rdb: true, ..RouteOptions::default() };
        let routing = route(log, &route_options, progress)?;
        let server = options.servers.first().copied();
        let replay_options = ReplayOptions { server, ..ReplayOptions::default() };
        let (mut deletions, mut fingerprint) = (Deletions::default(), Fingerprint::default());
        each_window(&routing, "compare pairings", progress, |routed| {
            let take = |_, (of_shard, part): (Deletions, Fingerprint)| {
                deletions.join(of_shard);
                fingerprint.join(&part);
                Ok(())
            };
            replay_watched(routed, &replay_options, progress, &Judge, take)
        })?;
        Ok((deletions, fingerprint))
    })();
    match judged {
        Ok(found) => Ok(Some(found)),
        Err(error)
            if matches!(Error::kind(&error), ErrorKind::Interrupted | ErrorKind::Changed) =>
        {
            Err(error)
        }
        Err(_) => Ok(None),
    }
}

/// Judges a pairing.
struct Judge;

impl ShardObserver for Judge {
    type Observer<'a> = OfShard;
    type Made = (Deletions, Fingerprint);

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> OfShard {
        OfShard::default()
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: OfShard,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made> {
        let mut fingerprint = Fingerprint::default();
        fingerprint.add_all(keyspace, Detail::Commands);
        Ok((observer.deletions, fingerprint))
    }
}

/// Finds the commands that fail.
struct Failures;

/// What was observed in a shard.
#[derive(Default)]
struct OfShard {
    /// The commands that fail.
    failing: Vec<(Position, usize, String, &'static str)>,
    deletions: Deletions,
}

impl<'a> Observer<'a> for OfShard {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        if let (Some(CommandId::DEL | CommandId::UNLINK), [_, key], false) =
            (seen.id, seen.args, seen.is_split)
        {
            match keyspace.db(seen.db).contains(key) {
                true => self.deletions.found += 1,
                false => self.deletions.missed += 1,
            }
        }
    }

    fn after(&mut self, seen: &Observed<'_, 'a>, outcome: Outcome, _: &mut Keyspace<'a>) {
        if let Outcome::Failed(error) = outcome {
            let name = seen.args.first().copied().unwrap_or_default();
            let name = name.to_ascii_uppercase().escape_ascii().to_string();
            self.failing.push((seen.at, seen.length(), name, error));
        }
    }
}

impl ShardObserver for Failures {
    type Observer<'a> = OfShard;
    type Made = (u64, OfShard);
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> OfShard {
        OfShard::default()
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: OfShard,
        keyspace: &mut Keyspace<'a>,
    ) -> Result<Self::Made> {
        Ok((keyspace.len() as u64, observer))
    }
}
