//! Comparing the keys of a running server with those of a log, or of another server.
//!
//! The values of a server are read by DUMP, some keys at a time, and its keys are listed by SCAN. Of each key that was
//! seen, a hash is retained. A server changes while it is compared: keys that differ are asked for a second time.
//!
//! - `with_log`: a log and a server. The log is replayed shard by shard, and the server asked for the keys of each.
//! - `with_server`: two servers.
//! - `judge`: what follows from the two states of a key.
//! - `side`: a server as a side of the report, and its function libraries.
//! - `findings`: what was found so far, and the keys that are asked for again.

mod findings;
mod judge;
mod side;
mod with_log;
mod with_server;

use std::path::PathBuf;
use std::time::Instant;

use super::{DiffOptions, DiffReport, OnDifference, diff};
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::live::endpoint::Endpoint;

/// What is compared.
#[derive(Debug, Clone)]
pub(crate) enum DataSource {
    /// A log, an RDB, or an archive of one.
    Log(PathBuf),
    /// A running server, or a cluster by one of its nodes.
    Server(Box<Endpoint>),
}

/// Compares the data of logs and running servers. `found`, if given, is called with every difference.
///
/// # Errors
///
/// When a log cannot be opened or replayed, when a server cannot be read, and the errors of `found`.
pub(crate) fn diff_sources(
    sources: [&DataSource; 2],
    options: &DiffOptions,
    found: Option<&mut OnDifference<'_>>,
    progress: &dyn Progress,
) -> Result<DiffReport> {
    let started = Instant::now();
    let mut report = match sources {
        [DataSource::Log(a), DataSource::Log(b)] => return diff([a, b], options, found, progress),
        [DataSource::Log(log), DataSource::Server(server)] => {
            with_log::diff(log, 0, server, options, found, progress)
        }
        [DataSource::Server(server), DataSource::Log(log)] => {
            with_log::diff(log, 1, server, options, found, progress)
        }
        [DataSource::Server(a), DataSource::Server(b)] => {
            with_server::diff([a, b], options, found, progress)
        }
    }?;
    report.elapsed_s = started.elapsed().as_secs_f64();
    Ok(report)
}
