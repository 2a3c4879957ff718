//! A run at one server: the connection, the identity of the server, and the progress of the caller.

use std::path::Path;
use std::time::Duration;

use super::client::Client;
use super::connection::{CONNECTING, Connection, Failure};
use super::endpoint::{Address, Endpoint};
use super::info::Info;
use super::progress::LiveProgress;
use super::server::{self, ServerSeen};
use crate::base::cancel::Cancellation;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::progress::Progress;

/// A run at one server. A lost connection is replaced by a new one, as long as the server has not restarted.
pub(crate) struct Session<'p> {
    client: Client,
    server: ServerSeen,
    progress: &'p dyn LiveProgress,
    reconnect: Duration,
}

impl<'p> Session<'p> {
    /// Connects and asks which server it is. A lost connection and a failed restore of settings are retried for
    /// `reconnect`.
    pub(crate) fn open(
        endpoint: &Endpoint,
        reconnect: Duration,
        progress: &'p dyn LiveProgress,
    ) -> Result<Self> {
        Session::open_in(endpoint, None, reconnect, progress)
    }

    /// Like [`Session::open`]. If the data directory is given, the server may refuse CONFIG.
    pub(crate) fn open_in(
        endpoint: &Endpoint,
        dir: Option<&Path>,
        reconnect: Duration,
        progress: &'p dyn LiveProgress,
    ) -> Result<Self> {
        let mut client = Client::new(endpoint);
        let server = match dir {
            Some(dir) => ServerSeen::ask_in(&mut client, dir)?,
            None => ServerSeen::ask(&mut client)?,
        };
        Ok(Session { client, server, progress, reconnect })
    }

    pub(crate) fn address(&self) -> &Address {
        self.client.address()
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        self.client.endpoint()
    }

    /// Returns the server as it was when the session began.
    pub(crate) fn server(&self) -> &ServerSeen {
        &self.server
    }

    /// Ends the session and returns the server.
    pub(crate) fn into_server(self) -> ServerSeen {
        self.server
    }

    pub(crate) fn progress(&self) -> &'p dyn LiveProgress {
        self.progress
    }

    /// Fails if the caller has cancelled.
    pub(crate) fn check(&self) -> Result<()> {
        let progress: &dyn Progress = self.progress;
        progress.check()
    }

    /// Returns the caller's request to stop; `None` if the caller cannot cancel.
    pub(crate) fn cancellation(&self) -> Option<&'p Cancellation> {
        self.progress.cancellation()
    }

    /// Returns the time for which a lost connection is retried.
    pub(crate) fn reconnect(&self) -> Duration {
        self.reconnect
    }

    /// Returns the client, for commands that concern the server even if it has restarted.
    pub(crate) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Returns the connection, or a new one to the same process of the server.
    pub(crate) fn connection(&mut self) -> Result<&mut Connection, Failure> {
        if !self.client.is_connected() {
            let run_id = server::run_id(self.client.connection()?)?;
            if run_id != self.server.run_id {
                self.client.disconnect();
                return Err(self.restarted());
            }
        }
        self.client.connection()
    }

    fn restarted(&self) -> Failure {
        let message = format!("the server at {} was restarted meanwhile", self.address());
        let error = Error::new(ErrorKind::Changed, message);
        Failure::Permanent(error.help("nothing was backed up; run it again"))
    }

    fn same_server(&mut self) -> Result<&mut Client> {
        if let Err(failure) = self.connection() {
            return Err(failure.into_error(CONNECTING, self.endpoint()));
        }
        Ok(&mut self.client)
    }

    /// Queries a section of INFO.
    pub(crate) fn info(&mut self, section: &str) -> Result<Info> {
        self.same_server()?.info(section)
    }

    /// Returns the value of a setting; `None` if the server does not have it.
    pub(crate) fn setting(&mut self, name: &str) -> Result<Option<String>> {
        self.same_server()?.setting(name)
    }

    /// Changes a setting.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<()> {
        self.same_server()?.set(name, value)
    }
}
