//! Options of a backup of a running server.

use crate::live::changed_settings::{NO_FSYNC, NO_REWRITES, Setting};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

use crate::ops::backup::BackupOptions;

/// Options of a backup of a running server.
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct LiveOptions {
    /// The server's data directory on this machine; `None` for the directory that the server reports.
    pub dir: Option<PathBuf>,
    /// The backup directory, which also contains the journal.
    pub to: PathBuf,
    /// The method of taking the log.
    pub strategy: Strategy,
    /// The pause between two steps.
    pub pause: Duration,
    /// The interval between two checks of a running rewrite.
    pub poll: Duration,
    /// The maximum time to wait for a rewrite.
    pub timeout: Duration,
    /// The maximum time to retry a lost connection, while waiting and for restoring the settings.
    pub reconnect: Duration,
    /// Whether a replica may be backed up.
    pub allow_replica: bool,
    /// Whether to copy the last file first, which grows during the backup: needed by consumers that read it by its
    /// path.
    pub fixed: bool,
}

impl Default for LiveOptions {
    /// With a rewrite that may take an hour, and a check of it every second.
    fn default() -> Self {
        LiveOptions {
            dir: None,
            to: PathBuf::new(),
            strategy: Strategy::default(),
            pause: Duration::from_secs(1),
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(3600),
            reconnect: Duration::from_secs(60),
            allow_replica: false,
            fixed: false,
        }
    }
}

/// Options of [`backup_live`](super::backup_live).
#[derive(Debug, Clone, Default)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct BackupLiveOptions {
    /// Options of the run at the server. [`LiveOptions::to`] and [`LiveOptions::fixed`] are determined by `backup`.
    pub server: LiveOptions,
    /// Options of the backup. The source and the time of the archive are determined by the run.
    pub backup: BackupOptions,
}

impl BackupLiveOptions {
    /// Returns the options to back up into the directory `to`, after a rewrite.
    pub fn new(to: impl Into<PathBuf>) -> Self {
        BackupLiveOptions { backup: BackupOptions::new(to), ..BackupLiveOptions::default() }
    }
}

/// The method of taking the log from a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The server rewrites its log first, which makes it small.
    #[default]
    Rewrite,
    /// The log is linked as it is, without a rewrite and without a fork.
    Link,
}

impl Strategy {
    /// Returns the settings that a run changes while it is active.
    pub(super) fn settings(self) -> &'static [Setting] {
        match self {
            Strategy::Rewrite => &[NO_FSYNC, NO_REWRITES],
            Strategy::Link => &[NO_REWRITES],
        }
    }
}
