//! What is checked.

use std::path::PathBuf;

use crate::live::endpoint::Endpoint;

/// What is checked.
#[derive(Debug, Clone)]
pub enum Target {
    /// A running server.
    Server {
        /// The server.
        endpoint: Box<Endpoint>,
        /// Its data directory on this machine, if that is not what the server reports.
        directory: Option<PathBuf>,
    },
    /// A data directory.
    Directory(PathBuf),
}

/// Options of [`doctor`](super::doctor).
#[derive(Debug, Clone, Default)]
pub struct DoctorOptions {
    /// The directory of its backups.
    pub backups: Option<PathBuf>,
}
