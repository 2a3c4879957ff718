//! Connecting to a server and asking which server it is.

use super::connection::{CONNECTING, Connection};
use super::endpoint::Endpoint;
use super::server::ServerSeen;
use crate::base::error::Result;

/// Connects, and returns the connection and the identity of the server.
pub(crate) fn connect(endpoint: &Endpoint) -> Result<(Connection, ServerSeen)> {
    let opened = Connection::open(endpoint);
    let mut connection = opened.map_err(|failure| failure.into_error(CONNECTING, endpoint))?;
    let server = ServerSeen::ask(&mut connection, endpoint)?;
    Ok((connection, server))
}
