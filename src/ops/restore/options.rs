//! Options of `restore`.

use crate::base::server::Server;
use crate::disk::Owner;
use crate::ops::compact;
use std::path::PathBuf;

/// How an archive is restored.
#[derive(Debug, Clone)]
pub struct RestoreOptions {
    /// The server's data directory (`dir` of its configuration); one that is not there is made.
    pub output: PathBuf,
    /// The server that shall load it; without one, the log lies there as it does in the archive.
    pub server: Option<Server>,
    /// Whom the files shall belong to; without one, to whom the directory belongs, if this is run by root.
    pub owner: Option<Owner>,
    /// Whether it is restored beside other files, and in place of a log that is there, which is moved aside.
    pub force: bool,
    /// How the log is replayed, where the server does not load what the archive holds. The form, the server and the
    /// output are the restore's own affair.
    pub compaction: compact::Options,
}
