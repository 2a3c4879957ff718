//! The server that a data set is sent to: what it is, and what its user may do.

use std::collections::VecDeque;
use std::time::{SystemTime, UNIX_EPOCH};

use redis::Value as Reply;

use super::options::{ExistingKeys, IntoOptions, ReadBack};
use super::read_back::Comparer;
use crate::base::error::{Error, ErrorKind, Result};
use crate::base::modules::Modules;
use crate::base::server::Server;
use crate::live::client::Client;
use crate::live::cluster::SlotMap;
use crate::live::connection::{Connection, Failure};
use crate::live::info::Info;
use crate::live::pipeline::{NO_TOUCH, has_no_touch, packed};
use crate::live::running::{
    ask_slots, clock_difference, is_of_a_cluster, now_ms, refused, version_of,
};
use crate::rdb;

/// A server, as it was when the run began.
#[derive(Debug, Clone)]
pub(super) struct TargetServer {
    /// The version, such as `redis 7.0.15`.
    pub(super) version: String,
    pub(super) line: Server,
    /// The version of the payloads that it is sent.
    pub(super) rdb: rdb::Target,
    /// The nodes, if it is one of a cluster.
    pub(super) slots: Option<SlotMap>,
    pub(super) run_id: String,
    /// The modules that are loaded there, as far as its user may know.
    pub(super) modules: Modules,
    /// Whether commands of a connection can leave the idle time of keys as it is, and the user may ask for that.
    pub(super) has_no_touch: bool,
    /// The difference of its clock from that of this machine, in milliseconds.
    pub(super) clock_ms: i64,
}

impl TargetServer {
    /// Connects to the server of the options and asks what it is. If the run follows the log of the server, it needs the
    /// rights to remove a key again.
    ///
    /// # Errors
    ///
    /// When it cannot be reached, is a replica or too old, or its user lacks a right.
    pub(super) fn connect(options: &IntoOptions, follows_log: bool) -> Result<TargetServer> {
        let endpoint = &options.endpoint;
        let mut client = Client::new(endpoint);
        let asked = client.connection().and_then(|connection| Info::ask(connection, "server"));
        let info = match asked {
            Ok(info) => info,
            // Which rights are missing beside this one is said in the same error.
            Err(Failure::Answer { code, .. }) if code == "NOPERM" => {
                return Err(check_rights(&mut client, options, (None, false, follows_log))
                    .err()
                    .unwrap_or_else(|| refused(&endpoint.address, "INFO is refused")));
            }
            Err(failure) => return Err(failure.into_error("INFO server", endpoint)),
        };
        let (version, line) = version_of(&info, &endpoint.address)?;
        let Some(rdb) = rdb::Target::for_server(line).filter(|_| line.has_redis(5, 0)) else {
            let what = format!("{line} is too old: RESTORE takes a time of expiry since redis-5.0");
            return Err(refused(&endpoint.address, &what));
        };
        let is_cluster = is_of_a_cluster(&info);
        check_rights(&mut client, options, (Some(line), is_cluster, follows_log))?;
        check_primary(&mut client)?;
        let slots = if is_cluster { Some(ask_slots(&mut client)?) } else { None };
        let has_no_touch = !is_cluster
            && has_no_touch(line)
            && client.connection().and_then(|connection| connection.run(&packed(NO_TOUCH))).is_ok();
        Ok(TargetServer {
            version,
            line,
            rdb,
            slots,
            run_id: info.text("run_id").unwrap_or_default().to_owned(),
            modules: loaded_modules(&mut client),
            has_no_touch,
            clock_ms: clock_difference(&mut client).unwrap_or(0),
        })
    }

    /// Returns the time of the server, in Unix milliseconds.
    pub(super) fn now_ms(&self) -> i64 {
        now_ms().saturating_add(self.clock_ms)
    }
}

/// Returns the modules that MODULE LIST reports; none if the user may not run it.
fn loaded_modules(client: &mut Client) -> Modules {
    let listed = client.connection().and_then(|connection| connection.call(&["MODULE", "LIST"]));
    let Ok(Reply::Array(modules)) = listed else { return Modules::default() };
    let names = modules.iter().filter_map(|module| {
        let Reply::Array(fields) = module else { return None };
        fields.chunks(2).find_map(|pair| match pair {
            [Reply::BulkString(field), Reply::BulkString(name)] if field == b"name" => {
                Some(listed_name(&String::from_utf8_lossy(name)))
            }
            _ => None,
        })
    });
    Modules::new(names.collect::<Vec<_>>())
}

/// Returns the name by which a module that MODULE LIST reports is known here.
fn listed_name(name: &str) -> String {
    match name {
        "search" => "RediSearch",
        "timeseries" => "RedisTimeSeries",
        "bf" => "RedisBloom",
        name => name,
    }
    .to_owned()
}

fn check_primary(client: &mut Client) -> Result<()> {
    let info: Info = client.info("replication")?;
    if info.text("role") != Some("slave") {
        return Ok(());
    }
    let (host, port) = (info.text("master_host"), info.text("master_port"));
    let primary = host.zip(port).map(|(host, port)| format!("{host}:{port}"));
    let error = refused(client.address(), "the server is a replica, which takes no writes");
    Err(match primary {
        Some(primary) => error.help(format!("--into {primary} names its primary")),
        None => error,
    })
}

/// A name that no key has.
fn probe_key() -> String {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("aofkit:probe:{}:{nanos}", std::process::id())
}

/// Checks that the user may run the commands that a run needs. Each is run so that it changes nothing.
fn check_rights(
    client: &mut Client,
    options: &IntoOptions,
    (line, is_cluster, follows_log): (Option<Server>, bool, bool),
) -> Result<()> {
    let key = probe_key();
    let has_times = line.is_none_or(Comparer::has_expiry_times);
    let expiry = if has_times { "PEXPIRETIME" } else { "PTTL" };
    let mut commands: Vec<Vec<&str>> = vec![vec!["INFO", "server"]];
    if is_cluster {
        commands.push(vec!["CLUSTER", "SLOTS"]);
    }
    if options.dry_run {
        commands.push(vec!["TYPE", &key]);
    } else {
        // The payload is none, so that nothing is restored.
        commands.push(vec!["RESTORE", &key, "0", "x"]);
        commands.extend([vec!["DUMP", &key], vec![expiry, &key]]);
        if options.read_back != ReadBack::None {
            commands.extend([vec!["MULTI"], vec!["EXEC"]]);
        }
        if options.existing != ExistingKeys::Keep {
            commands.push(vec!["EXISTS", &key]);
        }
        let unites = options.existing == ExistingKeys::Union;
        if follows_log || unites {
            commands.extend([vec!["WATCH", &key], vec!["UNWATCH"]]);
        }
        if follows_log {
            commands.push(vec!["DEL", &key]);
        }
        if unites {
            // None of these has valid arguments. There is no such form of SADD.
            commands.extend([
                vec!["TYPE", &key],
                vec!["HMGET", &key, "f"],
                vec!["HSET", &key, "f", "v", "odd"],
                vec!["ZADD", &key, "no number", "m"],
                vec!["XINFO", "STREAM", &key],
                vec!["XADD", &key, "0-0", "f", "v"],
            ]);
        }
    }
    if options.map_db.iter().any(|(_, to)| *to != 0) {
        commands.push(vec!["SELECT", "0"]);
    }
    let mut missing = Vec::new();
    let mut commands = VecDeque::from(commands);
    while let Some(command) = commands.pop_front() {
        let answer =
            client.connection().and_then(|connection: &mut Connection| connection.call(&command));
        match answer {
            // EXEC is refused with EXECABORT and the same text.
            Err(Failure::Answer { text, .. }) if text.contains("no permissions to run the") => {
                missing.push(match command[0] {
                    "CLUSTER" => "+cluster|slots".to_owned(),
                    name => format!("+{}", name.to_ascii_lowercase()),
                });
            }
            // Before Redis 7.0, if the version is not known yet.
            Err(Failure::Answer { text, .. })
                if command[0] == "PEXPIRETIME" && text.starts_with("unknown command") =>
            {
                commands.push_front(vec!["PTTL", &key]);
            }
            Ok(_) | Err(Failure::Answer { .. }) => {}
            Err(failure) => return Err(failure.into_error(command[0], client.endpoint())),
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let user = options.endpoint.user.as_deref().unwrap_or("default");
    let rules = missing.join(" ");
    Err(Error::new(
        ErrorKind::Permission,
        format!("{}: user {user} may not run all commands that this needs", options.address()),
    )
    .help(format!("grant what is missing: ACL SETUSER {user} {rules}")))
}
