//! A server as a side of the report, and its function libraries.

use super::super::{ComparedServer, Side};
use crate::analysis::data_filter::LeftOut;
use crate::base::error::Result;
use crate::keyspace::Functions;
use crate::keyspace::from_dump::functions_of;
use crate::live::client::Client;
use crate::live::connection::Failure;
use crate::live::pipeline::packed;
use crate::live::running::RunningServer;

/// Returns a side that is a server.
pub(super) fn side_of(server: &RunningServer, left_out: LeftOut) -> Side {
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
pub(super) fn functions_of_nodes(server: &RunningServer) -> Result<Option<Vec<Functions>>> {
    if !server.line().has_redis(7, 0) {
        return Ok(Some(vec![Functions::default()]));
    }
    let mut all = Vec::new();
    for node in server.nodes() {
        let mut client = Client::new(&node);
        let reply =
            client.connection().and_then(|node| node.run(&packed(&[&b"FUNCTION"[..], b"DUMP"])));
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
