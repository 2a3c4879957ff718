//! The options of `find`.

use crate::base::glob::Glob;
use crate::replay::{ReplayOptions, RouteOptions};

/// Options of [`find`](super::find).
#[derive(Debug, Clone)]
pub struct FindOptions {
    /// The pattern of the key names.
    pub pattern: Glob,
    /// The databases; empty for all.
    pub dbs: Vec<u32>,
    /// The maximum number of keys that are reported for a backup.
    pub limit: usize,
    /// Options for reading logs.
    pub route: RouteOptions,
    /// Options for replaying their commands.
    pub replay: ReplayOptions,
}
