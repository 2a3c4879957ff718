//! Comparing the keys of a running server with those of a log, or of another server.
//!
//! The values of a server are read by DUMP, some keys at a time, and its keys are listed by SCAN. Of each key that was
//! seen, a hash is retained. A server changes while it is compared: keys that differ are asked for a second time.
//!
//! - `with_log`: a log and a server. The log is replayed shard by shard, and the server asked for the keys of each.
//! - `with_server`: two servers.
//! - `judge`: what follows from the two states of a key.
//! - `findings`: what was found so far, and the keys that are asked for again.

mod findings;
mod judge;
mod with_log;
mod with_server;

use std::path::PathBuf;
use std::time::Instant;

use super::{ComparedServer, DiffOptions, DiffReport, OnDifference, Side, diff};
use crate::analysis::data_filter::LeftOut;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::keyspace::Functions;
use crate::keyspace::from_dump::functions_of;
use crate::live::client::Client;
use crate::live::connection::Failure;
use crate::live::endpoint::Endpoint;
use crate::live::running::RunningServer;

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

/// Returns a side that is a server.
fn side_of(server: &RunningServer, left_out: LeftOut) -> Side {
    let nodes = server.slots().map(|slots| slots.nodes()).unwrap_or_default();
    Side {
        path: server.address().to_string().into(),
        server: Some(ComparedServer {
            version: server.version().to_owned(),
            nodes: nodes.iter().map(ToString::to_string).collect(),
        }),
        commands: 0,
        rdb_keys: 0,
        left_out,
        failed: 0,
        torn: None,
    }
}

/// Returns the function libraries of each node; `None` if they cannot be read, for example for lack of a right.
fn functions_of_nodes(server: &RunningServer) -> Result<Option<Vec<Functions>>> {
    if !server.line().has_redis(7, 0) {
        return Ok(Some(vec![Functions::default()]));
    }
    let mut all = Vec::new();
    for node in server.nodes() {
        let mut client = Client::new(&node);
        let reply = client.connection().and_then(|node| node.call(&["FUNCTION", "DUMP"]));
        let payload = match reply {
            Ok(redis::Value::BulkString(payload)) => payload,
            Ok(_) | Err(Failure::Answer { .. }) => return Ok(None),
            Err(failure) => return Err(failure.into_error("FUNCTION DUMP", &node)),
        };
        match functions_of(&payload, server.line()) {
            Ok(functions) => all.push(functions),
            Err(_) => return Ok(None),
        }
    }
    Ok(Some(all))
}
