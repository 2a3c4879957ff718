//! Options of tables.

use std::path::PathBuf;

/// Which tables are written, and where.
#[derive(Debug, Clone)]
pub(crate) struct TableOptions {
    /// The directory, which is created.
    pub(crate) directory: PathBuf,
    /// Whether there is one of commands.
    pub(crate) commands: bool,
    /// Whether there is one of keys.
    pub(crate) keys: bool,
}
