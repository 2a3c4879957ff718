//! The log of a running server at one moment, and its backup.

use crate::archive::contents::Source;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::live::endpoint::Address;
use crate::live::replication::Replication;
use crate::live::server::ServerSeen;
use crate::live::snapshot::Snapshot;
use crate::ops::backup::{BackupOptions, BackupReport, backup, host};

/// The input of a backup: the log at one moment, and the server that it belongs to.
pub struct Taken<'a> {
    /// The log.
    pub snapshot: &'a Snapshot,
    /// The server that it belongs to.
    pub server: &'a ServerSeen,
    /// The replication state of the server at that moment.
    pub replication: &'a Replication,
}

impl Taken<'_> {
    /// Returns the source of the log, as recorded in archives.
    ///
    /// A server on this machine is identified by the host name, as is a log that is backed up by its path.
    pub fn source(&self) -> Source {
        let server = source_at(&self.server.address);
        Source {
            port: server.port.or(Some(self.server.port).filter(|&port| port != 0)),
            run_id: Some(self.server.run_id.clone()),
            role: Some(self.replication.role.clone()),
            replication_offset: self.replication.offset,
            server: Some(self.server.version.clone()),
            path: Some(self.snapshot.log.path.clone()),
            lag_bytes: self.replication.lag_bytes,
            ..server
        }
    }
}

/// Returns what the address of a server says of a source, which is enough for its identity.
pub(crate) fn source_at(address: &Address) -> Source {
    match address {
        Address::Unix(path) => {
            Source { host: host(), socket: Some(path.clone()), ..Source::default() }
        }
        Address::Tcp { host: name, port } => {
            let here = ["localhost", "127.0.0.1", "::1"].contains(&name.as_str());
            let host = if here { host() } else { Some(name.clone()) };
            Source { host, port: Some(*port).filter(|&port| port != 0), ..Source::default() }
        }
    }
}

/// Backs up the log of a running server at one moment. The source in the options is replaced by that of the server.
///
/// # Errors
///
/// As [`backup`].
pub fn back_up(
    taken: &Taken<'_>,
    mut options: BackupOptions,
    progress: &dyn Progress,
) -> Result<BackupReport> {
    options.archive.source = taken.source();
    let log = &taken.snapshot.log;
    let mut report = backup(log, Some(&taken.snapshot.ends), &options, progress)?;
    // The path of the log, not that of its links.
    report.path.clone_from(&log.path);
    Ok(report)
}
