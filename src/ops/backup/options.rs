//! Options of `backup`.

use std::path::PathBuf;
use std::time::Duration;

use crate::ops::compact;
use crate::ops::compress::write::CompressOptions;
use crate::ops::prune::KeepPolicy;

/// Options of a backup.
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct BackupOptions {
    /// The backup directory. It must exist: a missing directory often means that a disk is not mounted.
    pub to: PathBuf,
    /// Options of the archive. Its path and the treatment of existing files are determined by the backup.
    pub archive: CompressOptions,
    /// Options of a preceding compaction, if requested. Its output path is determined by the backup.
    pub compact: Option<compact::CompactOptions>,
    /// The retention policy for archives of this source; an empty policy retains all of them.
    pub keep: KeepPolicy,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// How long another run at the same source is waited for.
    pub lock_wait: Duration,
}

impl BackupOptions {
    /// Returns the options to back up into the directory `to`.
    pub fn new(to: impl Into<PathBuf>) -> Self {
        BackupOptions { to: to.into(), ..BackupOptions::default() }
    }
}
