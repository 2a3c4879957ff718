//! The counters of a stream, and the defaults that a server computes for missing ones.

use super::super::visitor::{StreamId, StreamInfo};
use super::view::Stream;

/// The first id that a server computes for a stream without entries.
const HIGHEST: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

/// The counters of a stream, all known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) length: u64,
    pub(super) last_id: StreamId,
    pub(super) first_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) added: u64,
}

impl Counters {
    /// Returns the counters in `info`, with missing ones computed as a server does that loads the
    /// first version of streams.
    pub(super) fn new(info: &StreamInfo, length: u64, first: Option<StreamId>) -> Self {
        Counters {
            length,
            last_id: info.last_id,
            first_id: info.first_id.or(first).unwrap_or(HIGHEST),
            max_deleted_id: info.max_deleted_id.unwrap_or_default(),
            added: info.entries_added.unwrap_or(length),
        }
    }

    /// Returns the counters of the stream, and those that a server would compute from the entries
    /// and the last id alone.
    pub(super) fn stored_and_derived(stream: &dyn Stream) -> (Self, Self) {
        let (mut length, mut first) = (0, None);
        stream.entries(&mut |id, _| {
            length += 1;
            first.get_or_insert(id);
        });
        let info = stream.info();
        let untold = StreamInfo { last_id: info.last_id, ..StreamInfo::default() };
        (Counters::new(&info, length, first), Counters::new(&untold, length, first))
    }

    /// Returns whether nothing is lost if the other counters replace these. The first id of a
    /// stream without entries has no meaning: servers write 0-0, and compute the highest id on
    /// loading.
    pub(super) fn says_as_much_as(&self, other: &Self) -> bool {
        let first_id = if self.length == 0 { other.first_id } else { self.first_id };
        *other == Counters { first_id, ..*self }
    }

    /// Returns the number of entries that a group with this last id has read, if it follows from
    /// the counters of the stream. A server computes it the same way when it loads the first
    /// version of streams.
    pub(super) fn read_up_to(&self, last_id: StreamId) -> Option<u64> {
        let nothing_deleted_ahead =
            self.max_deleted_id == StreamId::default() || self.max_deleted_id < self.first_id;
        if self.added == 0 {
            Some(0)
        } else if last_id == self.last_id || self.length == 0 && last_id < self.last_id {
            Some(self.added)
        } else if last_id > self.last_id || !nothing_deleted_ahead || last_id > self.first_id {
            None
        } else {
            let before_first = self.added.saturating_sub(self.length);
            Some(before_first + u64::from(last_id == self.first_id))
        }
    }
}
