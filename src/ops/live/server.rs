//! Which server this is: what it says of itself.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use serde::Serialize;

use super::connection::{Connection, Failure};
use super::endpoint::{Address, Endpoint};
use super::info::Info;
use crate::error::{Error, Result};
use crate::server::Server;

/// What a server says of itself.
#[derive(Debug, Clone, Serialize)]
pub struct ServerSeen {
    /// Where it was reached.
    pub address: Address,
    /// `redis 7.0.15`, `valkey 9.1.2`.
    pub version: String,
    /// Its release line, where it tells one.
    pub line: Option<Server>,
    /// The port that it listens on, by its own account; 0 for none. Behind a container's mapping, another than
    /// in the address.
    pub port: u16,
    /// Drawn anew at each start.
    pub run_id: String,
    /// Its process, as it sees itself.
    pub process: u32,
    /// Its data directory, as it sees it.
    #[serde(serialize_with = "crate::escape::path")]
    pub dir: PathBuf,
    /// Whether the log is on.
    pub appendonly: bool,
    /// The name of the log, or of the files of the set.
    pub appendfilename: String,
    /// The directory of the set below the data directory; `None` of servers whose log is one file.
    pub appenddirname: Option<String>,
}

impl ServerSeen {
    /// Asks a server.
    ///
    /// # Errors
    ///
    /// When it does not answer, or the user lacks the right to ask; the error says which.
    pub fn ask(connection: &mut Connection, endpoint: &Endpoint) -> Result<Self> {
        let info = Info::ask(connection, "server").map_err(|f| f.told("INFO server", endpoint))?;
        let (product, version) = version(&info);
        let dir = required(connection, endpoint, "dir")?;
        Ok(ServerSeen {
            address: endpoint.address.clone(),
            line: format!("{product}-{version}").parse().ok(),
            version: format!("{product} {version}"),
            port: info.number("tcp_port").unwrap_or(0),
            run_id: info.text("run_id").unwrap_or_default().to_string(),
            process: info.number("process_id").unwrap_or(0),
            dir: OsString::from_vec(dir).into(),
            appendonly: text(required(connection, endpoint, "appendonly")?) == "yes",
            appendfilename: text(required(connection, endpoint, "appendfilename")?),
            appenddirname: optional(connection, endpoint, "appenddirname")?.map(text),
        })
    }
}

/// The run id alone: whether it is still the same process that answers.
pub(super) fn run_id(connection: &mut Connection) -> Result<String, Failure> {
    let info = Info::ask(connection, "server")?;
    Ok(info.text("run_id").unwrap_or_default().to_string())
}

/// Valkey tells its own version beside that of the Redis that it passes for.
fn version(info: &Info) -> (&'static str, String) {
    let text = |name: &str| info.text(name).map(String::from);
    match text("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", text("redis_version").unwrap_or_else(|| "unknown".into())),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn optional(
    connection: &mut Connection,
    endpoint: &Endpoint,
    name: &str,
) -> Result<Option<Vec<u8>>> {
    let asked = connection.setting_bytes(name);
    asked.map_err(|failure| failure.told(&format!("CONFIG GET {name}"), endpoint))
}

fn required(connection: &mut Connection, endpoint: &Endpoint, name: &str) -> Result<Vec<u8>> {
    optional(connection, endpoint, name)?.ok_or_else(|| {
        let message = format!("{}: the server has no setting {name}", endpoint.address);
        Error::new(crate::error::ErrorKind::Refused, message)
            .help("aofkit knows Redis and Valkey; this seems to be another server, or a service in front of one")
    })
}
