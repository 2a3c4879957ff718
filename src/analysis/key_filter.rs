//! Which keys are wanted, by their databases and their names.

use crate::base::glob::Glob;

/// Which keys are wanted; by default all.
#[derive(Debug, Clone, Default)]
pub struct KeyFilter {
    /// Of these databases; empty: of all.
    pub dbs: Vec<u32>,
    /// Whose names match one of these; empty: whatever their names.
    pub patterns: Vec<Glob>,
    /// And none of these.
    pub excluded: Vec<Glob>,
}

impl KeyFilter {
    /// Whether every key is wanted.
    pub fn is_none(&self) -> bool {
        self.dbs.is_empty() && !self.looks_at_names()
    }

    /// Whether the name of a key matters.
    pub fn looks_at_names(&self) -> bool {
        !self.patterns.is_empty() || !self.excluded.is_empty()
    }

    /// Whether keys of a database are wanted.
    #[inline]
    pub fn wants_db(&self, db: u32) -> bool {
        self.dbs.is_empty() || self.dbs.contains(&db)
    }

    /// Whether keys of a name are wanted.
    pub fn wants_name(&self, name: &[u8]) -> bool {
        (self.patterns.is_empty() || self.patterns.iter().any(|glob| glob.matches(name)))
            && !self.excluded.iter().any(|glob| glob.matches(name))
    }
}
