//! The answer to the first question: is my data still there?

use serde::Serialize;

use super::event_kind::What;
use super::losses::Deletions;
use super::timeline::{Event, Timeline};
use crate::aof::log::{Layout, Log};

/// Is my data still there?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Verdict {
    /// The log ends in a FLUSHALL: cutting that off brings everything back.
    EndsInFlush {
        /// The first of the FLUSHALLs that end it.
        event: u64,
    },
    /// A FLUSHALL or FLUSHDB is in the log, and commands were written behind it.
    FlushWithin {
        /// The last of them.
        event: u64,
    },
    /// There is a flush in the log, and there was nothing to be flushed when it came.
    FlushOfNothing {
        /// The last of them.
        event: u64,
    },
    /// No flush that was replayed, but keys were deleted in number.
    Deletions {
        /// The run of deletions that lost most; `None` where they are not in one run.
        event: Option<u64>,
    },
    /// A flush is in a part of the log that was not read, for it is after a damaged place.
    FlushAfterDamage,
    /// Nothing was found that destroyed data, but not all of the log could be read, or not all of its commands are
    /// understood.
    Unclear,
    /// Keys were deleted or replaced, but not in number.
    Ordinary,
    /// No command of the log removed a key, and it holds data.
    Nothing,
    /// No command of the log removed a key, and it holds no data: a rewrite has followed, or there never was any.
    Empty,
}

impl Verdict {
    /// Whether nothing that was lost in number can be brought back from the log itself.
    pub fn is_not_in_the_log(self) -> bool {
        matches!(
            self,
            Verdict::FlushOfNothing { .. } | Verdict::Ordinary | Verdict::Nothing | Verdict::Empty
        )
    }
}

/// What a verdict is made from.
#[derive(Clone, Copy)]
pub(super) struct Facts<'f> {
    pub(super) log: &'f Log,
    pub(super) timeline: &'f Timeline,
    /// `None` where nothing was counted.
    pub(super) deletions: Option<&'f Deletions>,
}

impl Facts<'_> {
    pub(super) fn verdict(self) -> Verdict {
        let timeline = self.timeline;
        let trailing = timeline.trailing.first().and_then(|number| timeline.event(*number));
        if let Some(event) = trailing.filter(|event| lost_something(event)) {
            return Verdict::EndsInFlush { event: event.number };
        }
        if let Some(event) = worst_flush(timeline) {
            return Verdict::FlushWithin { event: event.number };
        }
        if timeline.unread.as_ref().is_some_and(|unread| !unread.flushes.is_empty()) {
            return Verdict::FlushAfterDamage;
        }
        if let Some(event) = self.deleted_in_number() {
            return Verdict::Deletions { event };
        }
        let flush_of_nothing = trailing.or_else(|| timeline.last(empties));
        match flush_of_nothing {
            // What was before the earlier ones was not counted.
            Some(event) if timeline.earlier > 0 => Verdict::FlushOfNothing { event: event.number },
            _ if self.is_empty() => Verdict::Empty,
            _ if self.is_unclear() => Verdict::Unclear,
            Some(event) => Verdict::FlushOfNothing { event: event.number },
            None if self.removed_some() => Verdict::Ordinary,
            None => Verdict::Nothing,
        }
    }

    /// The event of deletions in number, if there were any.
    fn deleted_in_number(self) -> Option<Option<u64>> {
        let is_slot = |event: &Event| event.what == What::Flushslot && lost_something(event);
        let is_run = |event: &Event| event.what == What::Delete && lost_something(event);
        let number = |event: &Event| event.number;
        let slot = self.timeline.last(is_slot).map(number);
        match self.deletions {
            Some(deletions) if deletions.in_number => Some(deletions.run.or(slot)),
            Some(_) => slot.map(Some),
            None => slot.or(self.timeline.last(is_run).map(number)).map(Some),
        }
    }

    /// Whether there is nothing in the log, read or not.
    fn is_empty(self) -> bool {
        let timeline = self.timeline;
        let has_rdb = timeline.broken.as_ref().is_some_and(|broken| broken.in_rdb);
        let unread = timeline.unread.as_ref().map_or(0, |unread| unread.commands);
        let nothing_read = timeline.holds_nothing();
        self.log.bytes() == 0 || nothing_read && unread == 0 && !has_rdb
    }

    /// Whether something was not read, or not understood, that may have destroyed data.
    fn is_unclear(self) -> bool {
        let timeline = self.timeline;
        timeline.broken.is_some()
            || timeline.unread.is_some()
            || !timeline.newer_rdbs.is_empty() && timeline.commands > 0
            || !timeline.unknown.is_empty()
            || self.deletions.is_none() && timeline.keys_deleted > 0
    }

    fn removed_some(self) -> bool {
        self.deletions.is_some_and(|deletions| !deletions.none())
            || self.timeline.last(lost_something).is_some()
    }

    /// Whether the whole log was read and replayed, and no command of it removed a key.
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
    matches!(event.what, What::Flushall | What::Flushdb)
}

/// The flush that cost most keys, the last of them; where nothing was counted, the last, or the first of several that
/// follow one another.
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

/// The events that have to be taken out so that what a flush emptied is there again at the end: itself, and what
/// would empty the same later.
pub(super) fn to_excise(timeline: &Timeline, number: u64) -> Vec<u64> {
    let Some(first) = timeline.event(number) else { return Vec::new() };
    let again = |event: &&Event| match (first.what, event.what) {
        (_, What::Flushall) | (What::Flushall, What::Flushdb) => true,
        (What::Flushdb, What::Flushdb) => event.db == first.db,
        (What::Delete, What::Flushdb) => true,
        _ => event.number == first.number && first.what != What::Rename,
    };
    let later = timeline.events.iter().filter(|event| event.number >= number && !event.never_run);
    later.filter(again).map(|event| event.number).collect()
}
