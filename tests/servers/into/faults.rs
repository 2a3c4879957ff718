//! Servers that refuse keys in the middle of a run, or go away.

use std::thread;
use std::time::Duration;

use libtest_mimic::Trial;
use serde_json::Value;

use super::{empty, into, keys, report};
use crate::support::{Binary, FAMILIES, Running, Setup, UnderWay, on_each, temp_dir, wait_until};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "into::out_of_memory_ends_a_run_that_can_be_repeated", oom);
    trials.extend(on_each(&FAMILIES, "into::killed_connections_are_replaced", client_kill));
    trials.extend(on_each(&FAMILIES, "into::server_that_restarts_ends_a_run", restarted));
    trials.extend(on_each(&FAMILIES, "into::revoked_rights_end_a_run", revoked));
    trials.extend(on_each(&FAMILIES, "into::replicas_are_refused_with_their_primary", replica));
    trials
}

/// The number of keys of the source.
const KEYS: u64 = 4000;

fn source(binary: &Binary) -> Setup {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for number in 0..KEYS {
        let key = format!("key:{number}");
        setup.server.client.call(&["SET", &key, &format!("{number}").repeat(100)]);
    }
    setup
}

/// Starts a slow run, and waits until it has sent some keys.
fn slow(setup: &Setup, server: &mut Running, options: &[&str]) -> UnderWay {
    let mut command = into("compact", setup.data.path(), server, &["--rate", "2000keys", "--json"]);
    let run = UnderWay::start(command.args(options));
    wait_until("the first keys", || server.keys() > 50);
    run
}

fn parsed(run: UnderWay, code: i32) -> Value {
    let run = run.end();
    assert_eq!(run.code, Some(code), "{run:#?}");
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

fn complete(setup: &mut Setup, server: &mut Running, options: &[&str]) {
    let mut command = into("compact", setup.data.path(), server, &["--rate", "unlimited"]);
    let again = report(command.args(options), 0);
    assert_eq!(keys(&again, "conflicting"), 0, "{again}");
    assert_eq!(server.digest(), setup.server.digest());
}

fn oom(binary: &Binary) {
    let mut setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    let info = server.client.call(&["INFO", "memory"]).text();
    let used = info.lines().find_map(|line| line.strip_prefix("used_memory:")).expect("a number");
    let limit = used.trim().parse::<u64>().expect("a number") + 700_000;
    server.client.call(&["CONFIG", "SET", "maxmemory", &limit.to_string()]);
    let run = report(&mut into("compact", setup.data.path(), &server, &["--rate", "unlimited"]), 3);
    let [restored, failed, unsent] =
        ["restored", "failed", "unsent"].map(|outcome| keys(&run, outcome));
    assert!(run["stopped"].as_str().is_some_and(|why| why.starts_with("OOM")), "{run}");
    assert!(failed > 0, "{run}");
    assert_eq!(restored + failed + unsent, KEYS, "{run}");
    assert_eq!(server.keys(), restored, "{run}");
    server.client.call(&["CONFIG", "SET", "maxmemory", "0"]);
    complete(&mut setup, &mut server, &[]);
}

fn client_kill(binary: &Binary) {
    let mut setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    let run = slow(&setup, &mut server, &[]);
    for _ in 0..5 {
        server.client.call(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        thread::sleep(Duration::from_millis(100));
    }
    let run = parsed(run, 0);
    assert_eq!(keys(&run, "restored"), KEYS, "{run}");
    assert_eq!(server.digest(), setup.server.digest());
    complete(&mut setup, &mut server, &[]);
}

fn restarted(binary: &Binary) {
    let mut setup = source(binary);
    let data = temp_dir();
    let config = [("appendonly", "yes"), ("appendfsync", "always")];
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    let run = slow(&setup, &mut server, &["--retry-for", "1s"]);
    drop(server);
    let run = parsed(run, 3);
    let [restored, unsent] = ["restored", "unsent"].map(|outcome| keys(&run, outcome));
    assert!(run["stopped"].is_string() && unsent > 0, "{run}");
    let mut server = Running::start(binary, data.path(), &config).expect("it starts again");
    assert!(server.keys() >= restored, "what is counted was stored: {run}");
    complete(&mut setup, &mut server, &[]);
}

fn revoked(binary: &Binary) {
    let mut setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    server.client.call(&["ACL", "SETUSER", "default", "-restore"]);
    server.client.call(&["ACL", "SETUSER", "default", "+restore"]);
    let run = slow(&setup, &mut server, &[]);
    server.client.call(&["ACL", "SETUSER", "default", "-restore"]);
    let run = parsed(run, 3);
    assert!(run["stopped"].as_str().is_some_and(|why| why.starts_with("NOPERM")), "{run}");
    assert_eq!(server.keys(), keys(&run, "restored"), "{run}");
    server.client.call(&["ACL", "SETUSER", "default", "+restore"]);
    complete(&mut setup, &mut server, &[]);
}

fn replica(binary: &Binary) {
    let setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    server.client.call(&["REPLICAOF", "127.0.0.1", "1"]);
    let run = crate::support::Run::of(&mut into("compact", setup.data.path(), &server, &[]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("--into 127.0.0.1:1 names its primary"), "{run:#?}");
}
