//! Options of securing the log of a running server.

use std::path::PathBuf;
use std::time::Duration;

/// Options of [`hold`](super::hold()).
#[derive(Debug, Clone)]
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
