//! A client of one server: its address and the connection to it, which is opened again after it was lost.

use super::connection::{CONNECTING, Connection, Failure};
use super::endpoint::{Address, Endpoint};
use super::info::Info;
use crate::base::error::Result;

/// The endpoint of a server and the connection to it, if there is one.
pub(crate) struct Client {
    endpoint: Endpoint,
    connection: Option<Connection>,
}

impl Client {
    /// Returns a client that connects when the first command is sent.
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        Client { endpoint: endpoint.clone(), connection: None }
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn address(&self) -> &Address {
        &self.endpoint.address
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Closes the connection; the next command opens another one.
    pub(crate) fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Returns the connection, and opens it if there is none.
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        match &mut self.connection {
            Some(connection) => Ok(connection),
            none => Ok(none.insert(Connection::open(&self.endpoint)?)),
        }
    }

    /// Runs `ask`; an error names `command`, or the attempt to connect.
    pub(crate) fn ask<T>(
        &mut self,
        command: &str,
        ask: impl FnOnce(&mut Connection) -> Result<T, Failure>,
    ) -> Result<T> {
        let asked = match self.connection() {
            Ok(connection) => ask(connection).map_err(|failure| (command, failure)),
            Err(failure) => Err((CONNECTING, failure)),
        };
        asked.map_err(|(command, failure)| failure.into_error(command, &self.endpoint))
    }

    /// Queries a section of INFO.
    pub(crate) fn info(&mut self, section: &str) -> Result<Info> {
        self.ask(&format!("INFO {section}"), |connection| Info::ask(connection, section))
    }

    /// Returns the value of a setting; `None` if the server does not have it.
    pub(crate) fn setting(&mut self, name: &str) -> Result<Option<String>> {
        self.ask(&format!("CONFIG GET {name}"), |connection| connection.setting(name))
    }

    /// Returns the value of a setting as bytes; `None` if the server does not have it.
    pub(crate) fn setting_bytes(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        self.ask(&format!("CONFIG GET {name}"), |connection| connection.setting_bytes(name))
    }

    /// Changes a setting.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.ask(&format!("CONFIG SET {name}"), |connection| connection.set(name, value))
    }
}
