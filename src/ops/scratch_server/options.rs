//! Options of a server of our own.

use std::path::PathBuf;
use std::time::Duration;

/// The server that loads logs.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The executable: a path, or a name that is searched in `PATH`.
    pub binary: PathBuf,
    /// The maximum time for loading a log.
    pub timeout: Duration,
}
