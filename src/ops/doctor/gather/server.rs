//! The facts that a running server reports.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::directory::{Names, data_directory, read_directory};
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::escape::ShownPath;
use crate::base::server::Server;
use crate::disk::open_writers::servers_in;
use crate::disk::server_process::{ServerProcess, Supervisor};
use crate::live::client::Client;
use crate::live::endpoint::Endpoint;
use crate::live::info::Info;
use crate::live::running::clock_difference;
use crate::ops::doctor::facts::{DirectoryFacts, Known, ServerFacts, Settings};

/// Asks a running server, and reads its data directory if that is on this machine.
pub(super) fn ask(
    endpoint: &Endpoint,
    directory: Option<&Path>,
) -> Result<(ServerFacts, Known<DirectoryFacts>)> {
    let mut client = Client::new(endpoint);
    let info = match client.info("server") {
        Ok(info) => info,
        // The server answers, and refuses only this command.
        Err(error) if error.kind() == ErrorKind::Refused || error.message().contains("NOPERM") => {
            Info::default()
        }
        Err(error) => return Err(error),
    };
    let program = match info.text("valkey_version") {
        Some(_) => "valkey-cli",
        None => "redis-cli",
    };
    let dir = client.setting_bytes("dir").map_err(|error| reason(&error));
    let place = locate(directory, dir);
    let process = place.as_ref().ok().and_then(|place| servers_in(place).into_iter().next());
    let mut name = |setting: &str| client.setting_bytes(setting).ok().flatten();
    let names = Names {
        log: name("appendfilename"),
        set: name("appenddirname"),
        snapshot: name("dbfilename"),
    };
    let read = |place: PathBuf| {
        read_directory(&place, &names).map_err(|error| Error::io("read", &place, error).to_string())
    };
    let keys =
        client.info("keyspace").map(|info| count_keys(&info)).map_err(|error| reason(&error));
    let clock_ms = clock_difference(&mut client)
        .ok_or_else(|| "the server does not report its time".to_owned());
    let facts = ServerFacts {
        client: [program.to_owned()].into_iter().chain(endpoint.client_args()).collect(),
        line: line_of(&info),
        persistence: client.info("persistence").map_err(|error| reason(&error)),
        replication: client.info("replication").map_err(|error| reason(&error)),
        keys,
        settings: ask_settings(&mut client),
        reports_log: names.log.is_some(),
        clock_ms,
        supervisor: process
            .as_ref()
            .and_then(|it| ServerProcess::of(it).supervisor)
            .map(|it| described(&it)),
        uid: process
            .and_then(|it| fs::metadata(format!("/proc/{}", it.pid)).ok())
            .map(|it| it.uid()),
        info,
    };
    Ok((facts, place.and_then(read)))
}

/// Returns the data directory on this machine, if a server there uses it or it was given.
fn locate(given: Option<&Path>, reported: Known<Option<Vec<u8>>>) -> Known<PathBuf> {
    if let Some(given) = given {
        return data_directory(given).map_err(|error| error.to_string());
    }
    let Some(path) = reported? else { return Err("the server has no setting dir".to_owned()) };
    let path = PathBuf::from(OsString::from_vec(path));
    if path.is_absolute() && !servers_in(&path).is_empty() {
        return Ok(path);
    }
    Err(format!(
        "no process that uses the data directory {} is visible on this machine: give the directory as DIR, or run as root",
        ShownPath(&path)
    ))
}

fn ask_settings(client: &mut Client) -> Settings {
    let mut ask = |name: &str| client.setting(name).map_err(|error| reason(&error));
    Settings {
        appendonly: ask("appendonly"),
        save: ask("save"),
        rewrite_percentage: ask("auto-aof-rewrite-percentage"),
        load_truncated: ask("aof-load-truncated"),
        disable_thp: ask("disable-thp"),
    }
}

fn line_of(info: &Info) -> Option<Server> {
    let (product, version) = match info.text("valkey_version") {
        Some(version) => ("valkey", version),
        None => ("redis", info.text("redis_version")?),
    };
    format!("{product}-{version}").parse().ok()
}

/// Returns the number of keys in the section `keyspace`: `db0:keys=1,expires=0,avg_ttl=0`.
fn count_keys(info: &Info) -> u64 {
    let keys = |db: u32| {
        let value = info.text(&format!("db{db}"))?.strip_prefix("keys=")?;
        value.split(',').next()?.parse::<u64>().ok()
    };
    info.databases().into_iter().filter_map(keys).fold(0, u64::saturating_add)
}

fn described(supervisor: &Supervisor) -> String {
    match supervisor {
        Supervisor::Systemd { unit, .. } => format!("systemd ({unit})"),
        Supervisor::Container { program, id } => format!("{program} (container {id})"),
        Supervisor::Pod { workload, .. } => format!("Kubernetes ({workload})"),
    }
}

/// Returns why a server did not answer a question.
fn reason(error: &Error) -> String {
    error.message().to_owned()
}
