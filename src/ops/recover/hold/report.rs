//! Options and the report of securing the log of a running server.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::base::next_step::NextStep;
use crate::live::changed_settings::Change;
use crate::live::server::ServerSeen;
use crate::live::snapshot::How;

/// The report of `recover --hold`: what was secured, and how.
#[derive(Debug, Serialize)]
pub struct HoldReport {
    /// The server that was asked.
    pub server: ServerSeen,
    /// The change that turned automatic rewrites off, which stays in effect; `None` if they were off before.
    pub rewrites: Option<Change>,
    /// The command that turns automatic rewrites on again, to be run after the recovery.
    pub turn_on: Option<String>,
    /// The path on this machine of the log that the server loads: the file, or the directory of the set. The recovered
    /// log belongs there.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub log: PathBuf,
    /// The RDB snapshot in the server's data directory, if it exists.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub snapshot: Option<PathBuf>,
    /// Whether a rewrite was running.
    pub rewrite_was_running: bool,
    /// The retained sets, each in a data directory that a server can be started on: the set at the beginning, and the
    /// set that a running rewrite produced.
    pub kept: Vec<Kept>,
    /// The steps to take after the recovery: the command of `turn_on`, with the client that runs it.
    pub next: Vec<NextStep>,
}

/// A retained set.
#[derive(Debug, Clone, Serialize)]
pub struct Kept {
    /// The path of its data directory.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub path: PathBuf,
    /// Whether the files were linked or copied. The last file of a linked set keeps growing with the server.
    pub held: How,
    /// The size of the set in bytes at the time it was linked or copied.
    pub bytes: u64,
    /// The number of files in the set.
    pub files: usize,
}

/// Options of [`hold`](super::hold()).
#[derive(Debug, Clone)]
#[cfg_attr(not(feature = "internals"), non_exhaustive)]
pub struct HoldOptions {
    /// The server's data directory on this machine; `None` for the directory that the server reports.
    pub dir: Option<PathBuf>,
    /// The directory in which the copy is created; `None` for the server's data directory, where hard links are
    /// possible.
    pub to: Option<PathBuf>,
    /// The interval between two checks of a running rewrite.
    pub poll: Duration,
    /// The maximum time to wait for a running rewrite.
    pub timeout: Duration,
}

impl Default for HoldOptions {
    /// In the data directory that the server reports.
    fn default() -> Self {
        HoldOptions {
            dir: None,
            to: None,
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(3600),
        }
    }
}
