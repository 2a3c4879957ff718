//! Options of `drill`.

use std::path::PathBuf;

use jiff::Timestamp;

use crate::ops::scratch_server::ServerOptions;
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
