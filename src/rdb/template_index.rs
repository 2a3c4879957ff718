//! Where the templates of hashes are in a file; see [`template`](super::template).

use std::collections::HashMap;

/// Where in the file the names of each template begin, by its id.
#[derive(Debug, Default)]
pub(super) struct Templates(HashMap<u64, usize>);

impl Templates {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds template `id`, whose names begin at byte `at`. Returns false if it was there before.
    pub(super) fn insert(&mut self, id: u64, at: usize) -> bool {
        self.0.insert(id, at).is_none()
    }

    /// Returns where the names of template `id` begin.
    pub(super) fn find(&self, id: u64) -> Option<usize> {
        self.0.get(&id).copied()
    }
}
