//! What a stream counts beside its entries, and what a server makes up of it that is not told.

use super::super::visitor::{StreamId, StreamInfo};
use super::view::Stream;

/// Stands for the first id of a stream without entries, when a server has to make it up.
const HIGHEST: StreamId = StreamId { ms: u64::MAX, seq: u64::MAX };

/// What a stream counts, with nothing left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) length: u64,
    pub(super) last_id: StreamId,
    pub(super) first_id: StreamId,
    pub(super) max_deleted_id: StreamId,
    pub(super) added: u64,
}

impl Counters {
    /// What is told, or else made up as a server does that loads the first version of streams.
    pub(super) fn new(info: &StreamInfo, length: u64, first: Option<StreamId>) -> Self {
        Counters {
            length,
            last_id: info.last_id,
            first_id: info.first_id.or(first).unwrap_or(HIGHEST),
            max_deleted_id: info.max_deleted_id.unwrap_or_default(),
            added: info.entries_added.unwrap_or(length),
        }
    }

    /// What is told, and what a server would make up that is told only entries and last id.
    pub(super) fn told_and_made_up(stream: &dyn Stream) -> (Self, Self) {
        let (mut length, mut first) = (0, None);
        stream.entries(&mut |id, _| {
            length += 1;
            first.get_or_insert(id);
        });
        let info = stream.info();
        let untold = StreamInfo { last_id: info.last_id, ..StreamInfo::default() };
        (Counters::new(&info, length, first), Counters::new(&untold, length, first))
    }

    /// Whether nothing is lost when the other counters take the place of these. The first id of a stream
    /// without entries means nothing: servers write 0-0, and make up the highest.
    pub(super) fn says_as_much_as(&self, other: &Self) -> bool {
        let first_id = if self.length == 0 { other.first_id } else { self.first_id };
        *other == Counters { first_id, ..*self }
    }

    /// How many entries a group has read whose last id is this, as far as it follows from what the
    /// stream counts. A server reckons so when it loads the first version of streams.
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
