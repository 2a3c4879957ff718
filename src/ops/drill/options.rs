//! Options of `drill`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;

use crate::replay::{ReplayOptions, RouteOptions};

/// Options of [`drill`](super::drill()).
#[derive(Debug, Clone)]
pub struct DrillOptions {
    /// Whether every archive of a directory is tried, and not only the newest good backup of each source.
    pub each: bool,
    /// The directory for the restored logs, one at a time; `None` for that of temporary files.
    pub scratch: Option<PathBuf>,
    /// The server that loads each restored log.
    pub server: Option<ServerOptions>,
    /// Options for reading the log.
    pub route: RouteOptions,
    /// Options for replaying its commands.
    pub replay: ReplayOptions,
    /// The current time: an archive with a later one is not the newest.
    pub now: Timestamp,
}

/// The server that loads each restored log.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The executable: a path, or a name that is searched in `PATH`.
    pub binary: PathBuf,
    /// The maximum time for loading a log.
    pub timeout: Duration,
}
