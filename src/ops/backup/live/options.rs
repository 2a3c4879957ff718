//! Options of a backup of a running server.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

/// How the log is taken from a running server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// The server rewrites its log first, which makes it small.
    Rewrite,
    /// The log is taken as it is: no rewrite, no fork.
    Link,
}

/// How a running server is backed up.
#[derive(Debug, Clone)]
pub struct LiveOptions {
    /// Where the server's data directory is on this machine, if not where the server says.
    pub dir: Option<PathBuf>,
    /// The backup directory, which also keeps the journal.
    pub to: PathBuf,
    /// How the log is taken.
    pub strategy: Strategy,
    /// Between two steps.
    pub pause: Duration,
    /// Between two looks at a rewrite.
    pub poll: Duration,
    /// Until a rewrite is given up.
    pub timeout: Duration,
    /// How long a lost connection is tried to be made anew, while waiting and for the settings.
    pub reconnect: Duration,
    /// Whether a replica will do.
    pub allow_replica: bool,
    /// Whether the last file, which grows while it is backed up, is copied first: for what reads it by its path.
    pub fixed: bool,
}
