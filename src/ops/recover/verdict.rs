//! The overall verdict of a recovery report: whether the data can be recovered from the log.

use serde::Serialize;

use super::event_kind::EventKind;
use super::losses::Deletions;
use super::timeline::{Event, Timeline};
use crate::aof::log::{Layout, Log};

/// The overall verdict on a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// The log ends in a FLUSHALL: removing it restores everything.
    EndsInFlush {
        /// The number of the first of the FLUSHALLs that end the log.
        event: u64,
    },
    /// The log contains a FLUSHALL or FLUSHDB with later commands after it.
    FlushWithin {
        /// The number of the flush to undo.
        event: u64,
    },
    /// The log contains a flush, but no keys existed when it ran.
    FlushOfNothing {
        /// The number of the last such flush.
        event: u64,
    },
    /// No flush was replayed, but the log contains a mass deletion.
    Deletions {
        /// The number of the deletions to undo; `None` if they are not within a short span.
        event: Option<u64>,
    },
    /// Other commands removed or replaced many keys within a short span.
    Loss {
        /// The number of the event.
        event: u64,
    },
    /// A flush is in a part of the log that was not read because it is after damage.
    FlushAfterDamage,
    /// No destructive command was found, but part of the log could not be read, or some of its commands are unknown.
    Unclear,
    /// Keys were deleted or overwritten, but there is no mass deletion.
    Ordinary,
    /// No command removed a key, and the log contains data.
    Nothing,
    /// No command removed a key, and the log contains no data: it was rewritten after the loss, or there never was any
    /// data.
    Empty,
}

impl Verdict {
    /// Returns whether no larger loss can be recovered from the log itself.
    pub fn is_not_in_the_log(self) -> bool {
        matches!(
            self,
            Verdict::FlushOfNothing { .. } | Verdict::Ordinary | Verdict::Nothing | Verdict::Empty
        )
    }
}

/// The facts that a verdict is derived from.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f> {
    pub(super) log: &'f Log,
    pub(super) timeline: &'f Timeline,
    /// `None` if keys were not counted.
    pub(super) deletions: Option<&'f Deletions>,
}

impl Facts<'_> {
    pub(super) fn verdict(self) -> Verdict {
        let timeline = self.timeline;
        let trailing = timeline.trailing.first().and_then(|number| timeline.event(*number));
        let main = main_loss(timeline);
        let ends_log = main.is_none_or(|main| timeline.trailing.contains(&main.number));
        if let Some(event) = trailing.filter(|event| ends_log && lost_something(event)) {
            return Verdict::EndsInFlush { event: event.number };
        }
        let flush = match main {
            Some(main) => Some(main).filter(|main| empties(main)),
            None => worst_flush(timeline),
        };
        if let Some(event) = flush {
            return Verdict::FlushWithin { event: event.number };
        }
        if timeline.unread.as_ref().is_some_and(|unread| !unread.flushes.is_empty()) {
            return Verdict::FlushAfterDamage;
        }
        if let Some(verdict) = self.removed_in_number(main) {
            return verdict;
        }
        let flush_of_nothing = trailing.or_else(|| timeline.last(empties));
        match flush_of_nothing {
            // The keys before earlier events were not counted.
            Some(event) if timeline.earlier > 0 => Verdict::FlushOfNothing { event: event.number },
            _ if self.is_empty() => Verdict::Empty,
            _ if self.is_unclear() => Verdict::Unclear,
            Some(event) => Verdict::FlushOfNothing { event: event.number },
            None if self.removed_some() => Verdict::Ordinary,
            None => Verdict::Nothing,
        }
    }

    /// Returns the verdict on a loss other than by a flush, if there is one.
    fn removed_in_number(self, main: Option<&Event>) -> Option<Verdict> {
        let deletes =
            |event: &Event| matches!(event.what, EventKind::Flushslot | EventKind::Delete);
        if let Some(event) = main {
            return Some(match deletes(event) {
                true => Verdict::Deletions { event: Some(event.number) },
                false => Verdict::Loss { event: event.number },
            });
        }
        match self.deletions {
            Some(deletions) => {
                deletions.in_number.then_some(Verdict::Deletions { event: deletions.run })
            }
            None => {
                let last = self.timeline.last(|event| deletes(event) && lost_something(event));
                last.map(|event| Verdict::Deletions { event: Some(event.number) })
            }
        }
    }

    /// Returns whether the log contains no data, read or unread.
    fn is_empty(self) -> bool {
        let timeline = self.timeline;
        let has_rdb = timeline.broken.as_ref().is_some_and(|broken| broken.in_rdb);
        let unread = timeline.unread.as_ref().map_or(0, |unread| unread.commands);
        let nothing_read = timeline.holds_nothing();
        self.log.bytes() == 0 || nothing_read && unread == 0 && !has_rdb
    }

    /// Returns whether unread or unknown content may have destroyed data.
    fn is_unclear(self) -> bool {
        let timeline = self.timeline;
        timeline.broken.is_some()
            || timeline.unread.is_some()
            || !timeline.newer_rdbs.is_empty() && timeline.commands > 0
            || !timeline.unknown.is_empty()
            || !timeline.unknown_forms.is_empty()
            || self.deletions.is_none() && timeline.keys_deleted > 0
    }

    fn removed_some(self) -> bool {
        self.deletions.is_some_and(|deletions| !deletions.none())
            || self.timeline.last(lost_something).is_some()
    }

    /// Returns whether the whole log was read and replayed, and no command removed a key.
    pub(super) fn nothing_lost(self) -> bool {
        let timeline = self.timeline;
        self.deletions.is_some()
            && !self.removed_some()
            && !self.is_unclear()
            && timeline.tail.is_none()
            && timeline.earlier == 0
            && !matches!(self.log.layout, Layout::OnePart { .. })
    }
}

fn lost_something(event: &Event) -> bool {
    event.keys_lost != Some(0)
}

pub(super) fn empties(event: &Event) -> bool {
    matches!(event.what, EventKind::Flushall | EventKind::Flushdb)
}

/// Events that removed at least one in this many of the keys of the largest event are large, too.
const LARGE_ONE_IN: u64 = 10;

/// Returns the loss to undo: the last large one. Routine events, such as a nightly FLUSHDB of a cache, are only chosen if
/// there is no other loss.
pub(super) fn main_loss(timeline: &Timeline) -> Option<&Event> {
    let losses = timeline.events.iter().filter(|event| event.is_loss && !event.never_run);
    let irregular: Vec<&Event> = losses.clone().filter(|event| !event.is_routine).collect();
    let from = if irregular.is_empty() { losses.collect() } else { irregular };
    let most = from.iter().filter_map(|event| event.keys_lost).max()?;
    let is_large = |event: &&&Event| {
        event.keys_lost.is_some_and(|lost| lost.saturating_mul(LARGE_ONE_IN) >= most)
    };
    from.iter().rev().find(is_large).copied()
}

/// Returns the last of the flushes that lost most keys. If keys were not counted, returns the last flush, or the first
/// of several consecutive ones.
pub(super) fn worst_flush(timeline: &Timeline) -> Option<&Event> {
    let flushes = timeline.events.iter().filter(|event| empties(event) && !event.never_run);
    let worst = flushes.clone().max_by_key(|event| (event.keys_lost, event.number))?;
    if worst.keys_lost.is_some() {
        return Some(worst).filter(|worst| worst.keys_lost != Some(0));
    }
    let mut first = worst;
    for event in flushes.rev().skip(1) {
        if event.last_ordinal + 1 != first.ordinal {
            break;
        }
        first = event;
    }
    Some(first)
}

/// Returns the events to remove in order to have at the end of the log what a flush emptied: the flush itself, and
/// later flushes of the same databases.
pub(super) fn to_excise(timeline: &Timeline, number: u64) -> Vec<u64> {
    let Some(first) = timeline.event(number) else { return Vec::new() };
    let again = |event: &&Event| match (first.what, event.what) {
        (_, EventKind::Flushall) | (EventKind::Flushall, EventKind::Flushdb) => true,
        (EventKind::Flushdb, EventKind::Flushdb) => event.db == first.db,
        (EventKind::Delete, EventKind::Flushdb) => true,
        _ => {
            event.number == first.number
                && (first.what.is_flush() || first.what == EventKind::Delete)
                && first.part_index == first.last_part_index
        }
    };
    let is_later = |event: &&Event| {
        (event.part_index, event.offset) >= (first.part_index, first.offset) && !event.never_run
    };
    let later = timeline.events.iter().filter(is_later);
    later.filter(again).map(|event| event.number).collect()
}
