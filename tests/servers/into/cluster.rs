//! Clusters as the destination.

use std::path::Path;
use std::process::Command;

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;
use serde_json::Value;

use super::{keys, large, report};
use crate::support::{
    Binary, Cluster, FAMILIES, Random, Reply, Setup, UnderWay, aofkit, on_each, wait_until,
};

/// The families, and the other lines that crash if a connection with CLIENT NO-TOUCH names a key of a slot that moves.
const RESHARDED: [Server; 7] =
    [redis(6, 2), redis(7, 0), redis(8, 0), redis(8, 2), redis(8, 6), valkey(8, 1), valkey(9, 1)];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "into::log_is_spread_over_a_cluster", spread);
    trials.extend(on_each(&RESHARDED, "into::cluster_is_resharded_meanwhile", resharded));
    trials.extend(on_each(&FAMILIES, "into::large_keys_are_built_in_their_slots", large_keys));
    trials.extend(on_each(&FAMILIES, "into::databases_are_refused_by_a_cluster", databases));
    trials
}

/// Returns `aofkit compact PATH --into` a node of the cluster with these options.
pub(super) fn into(path: &Path, cluster: &Cluster, options: &[&str]) -> Command {
    let mut command = aofkit();
    command.arg("compact").arg(path).arg("--into").arg(cluster.address(0)).args(options);
    command
}

/// Returns a server with keys of several types, some of which share a slot.
pub(super) fn source(binary: &Binary, count: u32) -> Setup {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for number in 0..count {
        let client = &mut setup.server.client;
        client.call(&["SET", &format!("s:{number}"), &"v".repeat(number as usize % 90)]);
        client.call(&["HSET", &format!("{{user:{}}}:h", number % 50), &format!("f{number}"), "v"]);
        client.call(&["RPUSH", &format!("l:{}", number % 70), &format!("e{number}")]);
        client.call(&["ZADD", &format!("z:{}", number % 30), &number.to_string(), "m"]);
    }
    setup.server.client.call(&["PEXPIREAT", "s:7", "4000000000123"]);
    setup
}

fn spread(binary: &Binary) {
    let mut setup = source(binary, 1500);
    let mut cluster = Cluster::start(binary, 3);
    let run = report(&mut into(setup.data.path(), &cluster, &["--check", "all"]), 0);
    assert_eq!(keys(&run, "restored"), setup.server.keys(), "{run}");
    assert_eq!(run["nodes"].as_array().map(Vec::len), Some(3), "{run}");
    assert_eq!(cluster.digest(), setup.server.digest());
    let Reply::Int(ttl) = cluster.call(&["PTTL", "s:7"]) else { panic!("a number") };
    assert!(ttl > 1_000_000_000, "{ttl}");
    let again = report(&mut into(setup.data.path(), &cluster, &[]), 0);
    assert_eq!(keys(&again, "already_there"), setup.server.keys(), "{again}");
}

fn resharded(binary: &Binary) {
    let mut setup = source(binary, 3000);
    let mut cluster = Cluster::start(binary, 3);
    let mut command = into(setup.data.path(), &cluster, &["--rate", "1500keys", "--json"]);
    let run = UnderWay::start(&mut command);
    wait_until("the first keys", || cluster.keys() > 100);
    let mut random = Random::new(11);
    for _ in 0..60 {
        // The slot of a key that is or will be sent.
        let key = format!("s:{}", random.below(3000));
        let (slot, owner) = (cluster.slot(key.as_bytes()), cluster.owner(key.as_bytes()));
        let to = (owner + 1) % 3;
        cluster.begin_move(slot, to);
        while cluster.move_keys(slot, to, 1) > 0 {}
        std::thread::sleep(std::time::Duration::from_millis(10));
        while cluster.move_keys(slot, to, 1) > 0 {}
        cluster.finish_move(slot, to);
    }
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(keys(&report, "restored"), setup.server.keys(), "{report}");
    assert_eq!(cluster.digest(), setup.server.digest());
}

fn large_keys(binary: &Binary) {
    let mut setup = large::source(binary, 30_000);
    let mut cluster = Cluster::start(binary, 3);
    let options = ["--check", "all", "--rate", "unlimited"];
    let run = report(&mut into(setup.data.path(), &cluster, &options), 0);
    assert_eq!(keys(&run, "restored"), 5, "{run}");
    assert_eq!(cluster.digest(), setup.server.digest());
}

fn databases(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    setup.server.client.call(&["SET", "a", "1"]);
    setup.server.client.call(&["SELECT", "1"]);
    setup.server.client.call(&["SET", "b", "1"]);
    let mut cluster = Cluster::start(binary, 3);
    let run = report(&mut into(setup.data.path(), &cluster, &[]), 3);
    assert_eq!((keys(&run, "restored"), keys(&run, "failed")), (1, 1), "{run}");
    assert!(run["failures"][0]["reason"].to_string().contains("SELECT 1"), "{run}");
    let run = report(&mut into(setup.data.path(), &cluster, &["--map-db", "1:0"]), 0);
    assert_eq!((keys(&run, "restored"), cluster.keys()), (1, 2), "{run}");
}
