//! Losses of every kind on real servers: `recover` reports each with the number of keys that the server lost, and the
//! command that it prints restores the data of before.

use std::thread::sleep;
use std::time::Duration;

use aofkit::ops::recover::{Choice, RecoverReport, Winner};
use libtest_mimic::Trial;
use serde_json::Value;

use super::recover::{inspect, recovered, repetitions, with_data};
use crate::support::{Binary, FAMILIES, Reply, Running, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "losses::each_loss_is_counted_and_undone", each_loss);
    trials.extend(on_each(&FAMILIES, "losses::expired_keys_are_counted_and_restored", expired));
    trials
}

/// The number of keys of each type.
const KEYS: u32 = 40;

/// A loss: its name, the commands that lose keys with `@` for the number of the key, and whether the number of keys
/// decreases.
type Loss = (&'static str, &'static str, bool);

const LOSSES: [Loss; 14] = [
    ("delete", "DEL string:@", true),
    ("delete", "UNLINK string:@ none:@", true),
    ("delete", "EXPIREAT hash:@ 1000", true),
    ("delete", "PEXPIRE string:@ -1", true),
    ("rename", "RENAME string:@ hash:@", true),
    ("overwritten", "SET hash:@ v", false),
    ("overwritten", "SUNIONSTORE string:@ set:@", false),
    ("overwritten", "ZUNIONSTORE list:@ 1 zset:@", false),
    ("emptied", "LTRIM list:@ 1 0", true),
    ("emptied", "SREM set:@ m", true),
    ("emptied", "HDEL hash:@ f", true),
    ("emptied", "ZREM zset:@ m", true),
    ("emptied", "LPOP list:@", true),
    ("emptied", "ZREMRANGEBYSCORE zset:@ 0 9", true),
];

fn run_each(server: &mut Running, line: &str) {
    for number in 0..KEYS {
        let line = line.replace('@', &number.to_string());
        server.client.call(&line.split(' ').collect::<Vec<_>>());
    }
}

fn size(server: &mut Running) -> i64 {
    server.client.call(&["DBSIZE"]).int()
}

/// Adds keys of every type to database 0, and keeps those that are there from expiring during the trial.
fn add_keys(server: &mut Running) {
    for db in (0..16).rev() {
        server.client.call(&["SELECT", &db.to_string()]);
        let keys = server.client.call(&["KEYS", "*"]);
        for key in keys.array() {
            if let Reply::Bulk(name) = key {
                server.client.call(&[b"PERSIST".to_vec(), name.clone()]);
            }
        }
    }
    for line in
        ["SET string:@ v", "HSET hash:@ f v", "RPUSH list:@ v", "SADD set:@ m", "ZADD zset:@ 1 m"]
    {
        run_each(server, line);
    }
}

fn losses(report: &RecoverReport, from: u64) -> Vec<Value> {
    let events = report.events.iter().filter(|event| event.is_loss && event.offset >= from);
    events.map(|event| serde_json::to_value(event).expect("an event")).collect()
}

/// Returns the choice that the command for an event makes.
fn choice_of(event: &Value) -> Choice {
    let args = event["undo"]["actions"][0]["args"].as_array().expect("arguments");
    let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
    let after = |option: &str| {
        let at = args.iter().position(|arg| *arg == option);
        args[at.unwrap_or_else(|| panic!("{args:?}")) + 1]
    };
    let winner = match after("--merge") {
        "newer" => Winner::Newer,
        _ => Winner::Older,
    };
    Choice::Merge { winner, event: Some(after("--excise").parse().expect("a number")) }
}

fn each_loss(binary: &Binary) {
    let rounds = repetitions() * 2;
    for (seed, (what, line, decreases)) in (0..rounds).cycle().zip(LOSSES) {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, _) = with_data(binary, data.path(), seed);
        add_keys(&mut server);
        let (before, digest) = (size(&mut server), server.digest());
        run_each(&mut server, line);
        let after = size(&mut server);
        assert!(server.shut_down().success());
        let lost = if decreases { before - after } else { i64::from(KEYS) };
        assert_eq!(lost, i64::from(KEYS), "{line}");
        let report = inspect(binary, data.path());
        let found = losses(&report, 0);
        let event = found.last().unwrap_or_else(|| panic!("{line}: {:#?}", report.events));
        assert_eq!(event["what"], what, "{line} on {}: {event:#}", binary.line);
        assert_eq!(event["keys_lost"], lost, "{line} on {}: {event:#}", binary.line);
        let mut server = recovered(binary, data.path(), seed, choice_of(event), None);
        assert_eq!(server.digest(), digest, "{line} on {}, seed {seed}", binary.line);
    }
}

/// Keys that are given a short expiry by mistake are lost by that command, although the log has DELs of them.
fn expired(binary: &Binary) {
    for seed in 0..2 {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, _) = with_data(binary, data.path(), seed);
        add_keys(&mut server);
        let (before, digest) = (size(&mut server), server.digest());
        run_each(&mut server, "PEXPIRE string:@ 20");
        // The server removes them all at once.
        for _ in 0..200 {
            sleep(Duration::from_millis(20));
            if size(&mut server) + i64::from(KEYS) <= before {
                break;
            }
        }
        assert_eq!(before - size(&mut server), i64::from(KEYS));
        assert!(server.shut_down().success());
        let report = inspect(binary, data.path());
        let found = losses(&report, 0);
        let event = found.last().unwrap_or_else(|| panic!("{:#?}", report.events));
        assert_eq!(event["what"], "expired", "{}: {event:#}", binary.line);
        assert_eq!(event["keys_lost"], KEYS, "{}: {event:#}", binary.line);
        let mut server = recovered(binary, data.path(), seed, choice_of(event), None);
        assert_eq!(server.digest(), digest, "{}, seed {seed}", binary.line);
    }
}
