//! Options of `restore`.

use crate::base::server::Server;
use crate::disk::Owner;
use crate::ops::compact;
use std::path::PathBuf;

/// Options of `restore`.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct RestoreOptions {
    /// The server's data directory (`dir` in its configuration), which is created if it does not exist.
    pub output: PathBuf,
    /// The server that will load the log; `None` to keep the layout of the archive.
    pub server: Option<Server>,
    /// The owner of the restored files; `None` for the owner of the directory, if run by root.
    pub owner: Option<Owner>,
    /// Whether to restore next to other files, and in place of an existing log, which is moved aside.
    pub force: bool,
    /// Whether that log is deleted once the restored one is in its place.
    pub no_backup: bool,
    /// Whether the caller knows that no server uses the data directory, where that cannot be determined.
    pub offline: bool,
    /// Whether this is a dry run: the archive is extracted, verified and converted in the directory for temporary files,
    /// and nothing is changed in the data directory.
    pub dry_run: bool,
    /// Options for replaying the log if the server cannot load the content of the archive. The form, the server and the
    /// output are determined by the restore.
    pub compaction: compact::CompactOptions,
}

impl RestoreOptions {
    /// Returns the options to restore into the data directory `output`.
    pub fn new(output: impl Into<PathBuf>) -> Self {
        RestoreOptions { output: output.into(), ..RestoreOptions::default() }
    }
}
