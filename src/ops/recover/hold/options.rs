//! Options of securing the log of a running server.

use std::path::PathBuf;
use std::time::Duration;

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
