//! The identity of a server, as it reports it.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::client::Client;
use super::connection::{Connection, Failure};
use super::endpoint::Address;
use super::found_names::FoundNames;
use super::info::Info;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::Shown;
use crate::base::server::Server;

/// The identity of a server.
#[derive(Debug, Clone, Serialize)]
pub struct ServerSeen {
    /// The address of the server.
    pub address: Address,
    /// The version, such as `redis 7.0.15` or `valkey 9.1.2`.
    pub version: String,
    /// The release line, if the server reports one.
    pub line: Option<Server>,
    /// The port that the server reports to listen on; 0 for none. With the port mapping of a container it differs from
    /// the address.
    pub port: u16,
    /// The run ID, which is random for each start.
    pub run_id: String,
    /// The process ID, as the server sees it.
    pub process: u32,
    /// The data directory, as the server sees it.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub dir: PathBuf,
    /// Whether the append-only file is enabled.
    pub appendonly: bool,
    /// The name of the log, or the name prefix of the files of the set.
    pub appendfilename: String,
    /// The name of the set's directory in the data directory; `None` for servers whose log is a single file.
    pub appenddirname: Option<String>,
    /// Whether the server reports its settings. If not, the names were found in the data directory.
    #[serde(skip)]
    pub(crate) has_config: bool,
}

impl ServerSeen {
    /// Queries a server.
    ///
    /// # Errors
    ///
    /// When it does not reply, or the user lacks a permission, which the error names.
    pub(crate) fn ask(client: &mut Client) -> Result<Self> {
        let info = client.info("server")?;
        let dir = required(client, "dir")?;
        Ok(ServerSeen {
            dir: OsString::from_vec(dir).into(),
            appendonly: text(required(client, "appendonly")?) == "yes",
            appendfilename: name(client, "appendfilename")?
                .ok_or_else(|| missing("appendfilename", client.address()))?,
            appenddirname: name(client, "appenddirname")?,
            has_config: true,
            ..ServerSeen::from_info(&info, client.address())
        })
    }

    /// Queries a server whose data directory is known. If it refuses CONFIG, which can be renamed or forbidden, the names
    /// of its files are taken from that directory.
    ///
    /// # Errors
    ///
    /// As [`ServerSeen::ask`], and when the directory contains several logs.
    pub(crate) fn ask_in(client: &mut Client, dir: &Path) -> Result<Self> {
        let asked = client.connection().and_then(|server| server.setting_bytes("dir"));
        if !matches!(asked, Err(Failure::Answer { .. })) {
            return ServerSeen::ask(client);
        }
        let info = client.info("server")?;
        let persistence = client.info("persistence")?;
        let names = FoundNames::find(dir)?;
        Ok(ServerSeen {
            dir: dir.to_path_buf(),
            appendonly: persistence.flag("aof_enabled"),
            appendfilename: names.appendfilename.unwrap_or_else(|| "appendonly.aof".to_owned()),
            appenddirname: names.appenddirname,
            ..ServerSeen::from_info(&info, client.address())
        })
    }

    /// Returns what INFO reports; the settings are left empty.
    fn from_info(info: &Info, address: &Address) -> Self {
        let (product, version) = version(info);
        ServerSeen {
            address: address.clone(),
            line: format!("{product}-{version}").parse().ok(),
            version: format!("{product} {version}"),
            port: info.number("tcp_port").unwrap_or(0),
            run_id: info.text("run_id").unwrap_or_default().to_string(),
            process: info.number("process_id").unwrap_or(0),
            dir: PathBuf::new(),
            appendonly: false,
            appendfilename: String::new(),
            appenddirname: None,
            has_config: false,
        }
    }
}

/// Returns a setting that names a file or a directory in the server's data directory.
fn name(client: &mut Client, setting: &str) -> Result<Option<String>> {
    let found = client.setting_bytes(setting)?.map(text);
    found.map(|name| plain_name(setting, name, client.address())).transpose()
}

/// Refuses a name that leads out of its directory. Servers do not accept such names either.
pub(crate) fn plain_name(setting: &str, name: String, address: &Address) -> Result<String> {
    let is_plain = !["", ".", ".."].contains(&name.as_str()) && !name.contains(['/', '\\', '\0']);
    if is_plain {
        return Ok(name);
    }
    Err(impossible(setting, name.as_bytes(), "is not a plain file name", address))
}

/// Returns an error for a value that no Redis or Valkey server has.
fn impossible(setting: &str, value: &[u8], what: &str, address: &Address) -> Error {
    let message = format!("{address}: {setting} is {}, which {what}", Shown(value));
    Error::new(ErrorKind::Refused, message).help(
        "no Redis and no Valkey accepts such a value: find out what answers at this address. No file was touched",
    )
}

impl ServerSeen {
    /// Returns the data directory as an absolute path.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Refused`] when it is not an absolute path.
    pub(crate) fn data_directory(&self) -> Result<PathBuf> {
        let bytes = self.dir.as_os_str().as_encoded_bytes();
        if self.dir.is_absolute() && !bytes.contains(&0) {
            return Ok(self.dir.clone());
        }
        Err(impossible("dir", bytes, "is not an absolute path", &self.address)
            .help("--dir says where the data directory of the server is on this machine"))
    }
}

/// Queries only the run ID, which shows whether the server is still the same process.
pub(crate) fn run_id(connection: &mut Connection) -> Result<String, Failure> {
    let info = Info::ask(connection, "server")?;
    Ok(info.text("run_id").unwrap_or_default().to_string())
}

/// Valkey reports its own version in addition to the Redis version that it is compatible with.
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

fn required(client: &mut Client, name: &str) -> Result<Vec<u8>> {
    client.setting_bytes(name)?.ok_or_else(|| missing(name, client.address()))
}

fn missing(name: &str, address: &Address) -> Error {
    let message = format!("{address}: the server has no setting {name}");
    Error::new(ErrorKind::Refused, message)
        .help("aofkit knows Redis and Valkey; this seems to be another server, or a service in front of one")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_lead_out_of_the_data_directory_are_refused() {
        let address = Address::Tcp { host: "db".into(), port: 6379 };
        let checked = |name: &str| plain_name("appenddirname", name.to_owned(), &address);
        for plain in ["appendonlydir", "a.aof", "...", ".a", "a b", "\u{e9}"] {
            assert_eq!(checked(plain).unwrap(), plain);
        }
        for other in ["", ".", "..", "/", "/etc", "a/b", "a/", "../a", "a\\b", "a\0", "\x1b/"] {
            let error = checked(other).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Refused, "{other:?}");
            let message = error.to_string();
            assert!(message.starts_with("db:6379: appenddirname is \""), "{message:?}");
            assert!(!message.contains(char::is_control), "{message:?}");
        }
    }
}
