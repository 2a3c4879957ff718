//! Finding the event of a scan that a command belongs to.

use super::event_kind::EventKind;
use super::timeline::{Event, Timeline};
use crate::command::{CommandId, Position};
use crate::replay::Observed;

/// The events by kind: events of one kind do not overlap.
pub(super) struct EventIndex<'t> {
    pub(super) events: &'t [Event],
    flushes: Vec<usize>,
    deletions: Vec<usize>,
    renames: Vec<usize>,
}

impl<'t> EventIndex<'t> {
    pub(super) fn new(timeline: &'t Timeline) -> Self {
        let of = |wanted: fn(EventKind) -> bool| {
            let events = timeline.events.iter().enumerate();
            events.filter(|(_, event)| wanted(event.what)).map(|(index, _)| index).collect()
        };
        EventIndex {
            events: &timeline.events,
            flushes: of(EventKind::is_flush),
            deletions: of(|what| what == EventKind::Delete),
            renames: of(|what| what == EventKind::Rename),
        }
    }

    /// Returns the event that a command other than a deletion belongs to.
    pub(super) fn event_of(
        &self,
        seen: &Observed<'_, '_>,
        id: CommandId,
    ) -> Option<(usize, &'t Event)> {
        let of_sort = if id == CommandId::RENAME || id == CommandId::COPY {
            &self.renames
        } else {
            &self.flushes
        };
        self.at(of_sort, seen.at).map(|index| (index, &self.events[index]))
    }

    /// Returns the run of deletions that contains a position.
    pub(super) fn deletion_at(&self, at: Position) -> Option<usize> {
        self.at(&self.deletions, at)
    }

    fn at(&self, of_sort: &[usize], at: Position) -> Option<usize> {
        let at = (at.part as usize, at.offset);
        let start = |&index: &usize| {
            let event = &self.events[index];
            (event.part_index, event.offset) <= at
        };
        let index = *of_sort.get(of_sort.partition_point(start).checked_sub(1)?)?;
        let event = &self.events[index];
        (event.part_index == at.0 && at.1 < event.end).then_some(index)
    }
}
