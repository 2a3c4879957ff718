//! Selecting keys by database and name.

use crate::base::glob::Glob;

/// The selected keys; by default all.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// The databases; empty for all.
    pub dbs: Vec<u32>,
    /// Patterns of which a name must match at least one; empty for all names.
    pub patterns: Vec<Glob>,
    /// Patterns of which a name must not match any.
    pub excluded: Vec<Glob>,
}

impl KeyFilter {
    /// Returns whether every key is selected.
    pub(crate) fn is_none(&self) -> bool {
        self.dbs.is_empty() && !self.looks_at_names()
    }

    /// Returns whether the name of a key matters.
    pub(crate) fn looks_at_names(&self) -> bool {
        !self.patterns.is_empty() || !self.excluded.is_empty()
    }

    /// Returns whether keys of a database are selected.
    #[inline]
    pub(crate) fn wants_db(&self, db: u32) -> bool {
        self.dbs.is_empty() || self.dbs.contains(&db)
    }

    /// Returns whether keys with this name are selected.
    pub(crate) fn wants_name(&self, name: &[u8]) -> bool {
        (self.patterns.is_empty() || self.patterns.iter().any(|glob| glob.matches(name)))
            && !self.excluded.iter().any(|glob| glob.matches(name))
    }
}
