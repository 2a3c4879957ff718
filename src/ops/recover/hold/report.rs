//! Options and the report of securing the log of a running server.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::base::next_step::NextStep;
use crate::live::changed_settings::Change;
use crate::live::server::ServerSeen;
use crate::live::snapshot::How;

/// The time for which a lost connection is retried.
pub(super) const RECONNECT: Duration = Duration::from_secs(30);

/// The report of `recover --hold`: what was secured, and how.
#[derive(Debug, Serialize)]
pub struct HoldReport {
    /// The server that was asked.
    pub server: ServerSeen,
    /// The change that turned automatic rewrites off, which stays in effect; `None` if they were off before.
    pub rewrites: Option<Change>,
    /// The command that turns automatic rewrites on again, to be run after the recovery.
    pub turn_on: Option<String>,
    /// The change that held off save points, which stays in effect; `None` if there are none or the server has an
    /// append-only file.
    pub(crate) saves: Option<Change>,
    /// The journal of the changed settings, from which `recover --release` sets them back; `None` if nothing is changed
    /// or no directory allows one.
    #[serde(serialize_with = "crate::base::escape::path_if_any")]
    pub(crate) journal: Option<PathBuf>,
    /// Whether the server has no append-only file, so that only its RDB was secured.
    pub(crate) snapshot_only: bool,
    /// Whether the server refused to change a setting, which is one of the warnings.
    #[serde(skip)]
    pub(crate) is_refused: bool,
    /// The path on this machine of the log that the server loads: the file, or the directory of the set; the RDB of a
    /// server without an append-only file. What is recovered belongs there.
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
    /// What was not possible, or endangers the data.
    pub(crate) warnings: Vec<String>,
    /// The step to take last, after the recovery: setting back what was changed, by this hold and by those before it.
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
    /// The size of the RDB snapshot that was secured with it, in bytes; `None` if there is none.
    pub(crate) snapshot_bytes: Option<u64>,
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
    /// The state directory of the user, for a journal that does not depend on `dir`; `None` for no such journal.
    pub state: Option<PathBuf>,
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
            state: None,
            poll: Duration::from_secs(1),
            timeout: Duration::from_secs(3600),
        }
    }
}
