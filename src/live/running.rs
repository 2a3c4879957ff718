//! A server whose keys are read: its version, its clock, its databases, and the nodes of its cluster.

use std::time::{SystemTime, UNIX_EPOCH};

use redis::Value;

use super::client::Client;
use super::cluster::{SlotMap, endpoint_of};
use super::connection::{CONNECTING, Failure};
use super::endpoint::{Address, Endpoint};
use super::info::Info;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::server::Server;

/// Returns what reading the keys of a server needs, as ACL rules. Without `memory|usage` keys are read in small groups,
/// without `time` the clock of this machine applies, and without `function|dump` function libraries are not compared.
///
/// A server refuses rules for commands that it does not have.
fn read_rights(line: Option<Server>) -> &'static str {
    match line {
        Some(line) if line.has_redis(7, 0) => {
            "~* +info +time +select +scan +dump +pexpiretime +memory|usage +cluster|slots +function|dump"
        }
        _ => "~* +info +time +select +scan +dump +pttl +memory|usage +cluster|slots",
    }
}

/// A server, as it was when it was asked.
#[derive(Debug, Clone)]
pub(crate) struct RunningServer {
    endpoint: Endpoint,
    version: String,
    line: Server,
    slots: Option<SlotMap>,
    /// The difference of its clock from that of this machine, in milliseconds.
    clock_ms: i64,
}

impl RunningServer {
    /// Connects to a server and asks what it is.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, does not report a version, or its user lacks a right.
    pub(crate) fn connect(endpoint: &Endpoint) -> Result<Self> {
        let mut client = Client::new(endpoint);
        let asked = client.connection().and_then(|server| Info::ask(server, "server"));
        let info = asked.map_err(|failure| match client.is_connected() {
            true => read_error(failure, "INFO server", endpoint, None),
            false => failure.into_error(CONNECTING, endpoint),
        })?;
        let (version, line) = version_of(&info, &endpoint.address)?;
        let slots = if is_of_a_cluster(&info) { Some(ask_slots(&mut client)?) } else { None };
        Ok(RunningServer {
            endpoint: endpoint.clone(),
            version,
            line,
            slots,
            clock_ms: clock_difference(&mut client).unwrap_or(0),
        })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn address(&self) -> &Address {
        &self.endpoint.address
    }

    /// Returns the version, such as `redis 7.0.15`.
    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn line(&self) -> Server {
        self.line
    }

    /// Returns the primary of each slot; `None` if the server is in no cluster.
    pub(crate) fn slots(&self) -> Option<&SlotMap> {
        self.slots.as_ref()
    }

    /// Returns the time of the server, in Unix milliseconds.
    pub(crate) fn now_ms(&self) -> i64 {
        now_ms().saturating_add(self.clock_ms)
    }

    /// Returns the servers that have the keys: the primaries of the cluster, or the server itself.
    pub(crate) fn nodes(&self) -> Vec<Endpoint> {
        match &self.slots {
            None => vec![self.endpoint.clone()],
            Some(slots) => {
                slots.nodes().iter().map(|node| endpoint_of(node, &self.endpoint)).collect()
            }
        }
    }

    /// Asks for the primary of each slot again; `None` if the server is in no cluster.
    ///
    /// # Errors
    ///
    /// When the server does not reply.
    pub(crate) fn ask_slots(&self) -> Result<Option<SlotMap>> {
        let ask = |_: &SlotMap| ask_slots(&mut Client::new(&self.endpoint));
        self.slots.as_ref().map(ask).transpose()
    }

    /// Asks for the primary of each slot again; returns whether a slot has moved since.
    ///
    /// # Errors
    ///
    /// When the server does not reply.
    pub(crate) fn refresh_slots(&mut self) -> Result<bool> {
        let now = self.ask_slots()?;
        let has_moved = now != self.slots;
        self.slots = now;
        Ok(has_moved)
    }
}

/// Returns the version in the reply to INFO server, such as `redis 7.0.15`, and its release line.
///
/// # Errors
///
/// When there is none.
pub(crate) fn version_of(info: &Info, address: &Address) -> Result<(String, Server)> {
    let (name, version) = match info.text("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", info.text("redis_version").unwrap_or_default()),
    };
    let line = format!("{name}-{version}").parse();
    let line = line.map_err(|_| refused(address, "the server does not report its version"))?;
    Ok((format!("{name} {version}"), line))
}

/// Returns whether the server of this reply to INFO server is a node of a cluster.
pub(crate) fn is_of_a_cluster(info: &Info) -> bool {
    [info.text("redis_mode"), info.text("server_mode")].contains(&Some("cluster"))
}

/// Converts the failure of a command that reads keys to an error. `line` is the release line of the server, if it is known.
pub(crate) fn read_error(
    failure: Failure,
    command: &str,
    endpoint: &Endpoint,
    line: Option<Server>,
) -> Error {
    match failure {
        Failure::Answer { code, text } if code == "NOPERM" => {
            let user = endpoint.user.as_deref().unwrap_or("default");
            let message = format!("{}: {command}: {code} {text}", endpoint.address);
            let rights = read_rights(line);
            Error::new(ErrorKind::Permission, message)
                .help(format!("all that reading the keys needs: ACL SETUSER {user} {rights}"))
        }
        failure => failure.into_error(command, endpoint),
    }
}

/// Returns the error for a reply that no server sends.
pub(crate) fn unexpected(command: &str, address: &Address) -> Error {
    let message = format!("{address}: the reply to {command} is not what a server sends");
    Error::new(ErrorKind::Unrecognised, message)
}

pub(crate) fn refused(address: &Address, what: &str) -> Error {
    Error::new(ErrorKind::Refused, format!("{address}: {what}"))
}

pub(crate) fn ask_slots(client: &mut Client) -> Result<SlotMap> {
    let reply = client.ask("CLUSTER SLOTS", |connection| connection.call(&["CLUSTER", "SLOTS"]))?;
    SlotMap::parse(&reply, client.address())
        .ok_or_else(|| unexpected("CLUSTER SLOTS", client.address()))
}

pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// Returns the difference of the server's clock; `None` if its user may not ask for the time.
pub(crate) fn clock_difference(client: &mut Client) -> Option<i64> {
    let reply = client.connection().ok()?.call(&["TIME"]).ok()?;
    let Value::Array(parts) = reply else { return None };
    let [Value::BulkString(seconds), Value::BulkString(micros)] = parts.as_slice() else {
        return None;
    };
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i64>().ok();
    let time = number(seconds)?.checked_mul(1000)?.checked_add(number(micros)? / 1000)?;
    time.checked_sub(now_ms())
}
