//! The entries of a stream in the order of their ids.

use std::collections::VecDeque;

use crate::keyspace::stream::fields::Fields;
use crate::rdb::StreamId;

/// Maximum number of entries of a chunk. Removing one from the middle moves at most half as many.
const CHUNK: usize = 256;

type Entry<'a> = (StreamId, Fields<'a>);

/// Entries in chunks, none of which is empty. Ids ascend within and across chunks.
#[derive(Debug, Clone, Default)]
pub(super) struct Entries<'a> {
    chunks: VecDeque<VecDeque<Entry<'a>>>,
    len: usize,
}

impl<'a> Entries<'a> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Entry<'a>> {
        self.chunks.iter().flatten().copied()
    }

    /// Returns the entries from an id on.
    pub(super) fn from(&self, id: StreamId) -> impl Iterator<Item = Entry<'a>> {
        let chunk = self.chunk_of(id);
        let within = self.chunks.get(chunk);
        let skipped = within.map_or(0, |entries| entries.partition_point(|entry| entry.0 < id));
        self.chunks.range(chunk..).flatten().skip(skipped).copied()
    }

    pub(super) fn first(&self) -> Option<StreamId> {
        Some(self.chunks.front()?.front()?.0)
    }

    pub(super) fn last(&self) -> Option<StreamId> {
        Some(self.chunks.back()?.back()?.0)
    }

    /// Returns the first chunk that does not end below the id; it contains the id if it exists.
    fn chunk_of(&self, id: StreamId) -> usize {
        self.chunks.partition_point(|chunk| chunk.back().is_some_and(|last| last.0 < id))
    }

    pub(super) fn contains(&self, id: StreamId) -> bool {
        let chunk = self.chunks.get(self.chunk_of(id));
        chunk.is_some_and(|entries| entries.binary_search_by_key(&id, |entry| entry.0).is_ok())
    }

    /// Appends an entry; its id must be above all others.
    #[inline]
    pub(super) fn push(&mut self, id: StreamId, fields: Fields<'a>) {
        self.len += 1;
        match self.chunks.back_mut() {
            Some(chunk) if chunk.len() < CHUNK => chunk.push_back((id, fields)),
            last => {
                // A stream that fills one chunk will probably fill the next, too.
                let capacity = if last.is_some() { CHUNK } else { 1 };
                let mut chunk = VecDeque::with_capacity(capacity);
                chunk.push_back((id, fields));
                self.chunks.push_back(chunk);
            }
        }
    }

    #[inline]
    pub(super) fn pop_first(&mut self) {
        let Some(chunk) = self.chunks.front_mut() else { return };
        chunk.pop_front();
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.pop_front();
        }
    }

    /// Removes an entry, and returns whether it existed.
    pub(super) fn remove(&mut self, id: StreamId) -> bool {
        let at = self.chunk_of(id);
        let Some(chunk) = self.chunks.get_mut(at) else { return false };
        let Ok(place) = chunk.binary_search_by_key(&id, |entry| entry.0) else { return false };
        chunk.remove(place);
        self.len -= 1;
        if chunk.is_empty() {
            self.chunks.remove(at);
        } else if chunk.len() * 4 < chunk.capacity() && chunk.capacity() > 16 {
            chunk.shrink_to(chunk.len() * 2);
        }
        true
    }

    pub(super) fn clear(&mut self) {
        *self = Entries::default();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn id(ms: u64) -> StreamId {
        StreamId { ms, seq: 0 }
    }

    /// Compared with a set of the standard library, across chunk borders.
    #[test]
    fn entries_match_a_sorted_set() {
        let mut entries = Entries::default();
        let mut model = BTreeSet::new();
        let mut state = 7_u64;
        let mut random = |end: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % end
        };
        let mut next = 0;
        for step in 0..40_000 {
            // It grows first, then shrinks to nothing, then grows again.
            let grows = !(15_000..33_000).contains(&step);
            match random(10) {
                0..=6 if grows => {
                    next += 1 + random(3);
                    entries.push(id(next), Fields::default());
                    model.insert(next);
                }
                0..=2 => {
                    entries.pop_first();
                    model.pop_first();
                }
                _ => {
                    let ms = random(next + 2);
                    assert_eq!(entries.remove(id(ms)), model.remove(&ms));
                }
            }
            assert_eq!(entries.len(), model.len());
            assert_eq!(entries.first(), model.first().copied().map(id));
            assert_eq!(entries.last(), model.last().copied().map(id));
            let probe = random(next + 2);
            assert_eq!(entries.contains(id(probe)), model.contains(&probe));
            let from = entries.from(id(probe)).next().map(|entry| entry.0);
            assert_eq!(from, model.range(probe..).next().copied().map(id));
            if step % 1000 == 0 {
                assert!(entries.iter().map(|entry| entry.0.ms).eq(model.iter().copied()));
                assert!(entries.chunks.iter().all(|chunk| !chunk.is_empty()));
            }
        }
        assert!(model.len() > CHUNK);
        entries.clear();
        assert_eq!((entries.len(), entries.first()), (0, None));
    }
}
