//! When and how often keys were used, which decides what a server evicts.

use std::path::{Path, PathBuf};

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;

use super::{into, keys, report};
use crate::support::{Binary, Reply, Running, on_each, temp_dir};

/// A line whose commands always count as uses, and one in which a connection can prevent that.
const SERVERS: [Server; 2] = [redis(7, 0), valkey(9, 1)];

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&SERVERS, "into::idle_times_are_passed_on", idle);
    trials.extend(on_each(&SERVERS, "into::frequencies_are_passed_on", frequency));
    trials
}

fn with_policy(binary: &Binary, data: &Path, policy: &str) -> Running {
    let config = [("appendonly", "no"), ("maxmemory-policy", policy)];
    Running::start(binary, data, &config).expect("the server starts")
}

/// Returns an RDB with three keys that have this option of RESTORE.
fn rdb(binary: &Binary, data: &Path, policy: &str, option: [&str; 2]) -> PathBuf {
    let mut server = with_policy(binary, data, policy);
    server.client.call(&["RPUSH", "made", "a", "b"]);
    let Reply::Bulk(payload) = server.client.call(&["DUMP", "made"]) else { panic!("a payload") };
    for key in ["a", "b", "made"] {
        let options = ["ABSTTL", "REPLACE", option[0], option[1]].map(str::as_bytes);
        let mut command = vec![b"RESTORE".as_slice(), key.as_bytes(), b"0", &payload];
        command.extend(options);
        assert_eq!(server.client.call(&command), Reply::Simple("OK".into()));
    }
    assert_eq!(server.client.call(&["SAVE"]), Reply::Simple("OK".into()));
    data.join("dump.rdb")
}

fn object(server: &mut Running, what: &str, key: &str) -> i64 {
    server.client.call(&["OBJECT", what, key]).int()
}

fn idle(binary: &Binary) {
    let (source, target) = (temp_dir(), temp_dir());
    let rdb = rdb(binary, source.path(), "allkeys-lru", ["IDLETIME", "5000"]);
    let mut server = with_policy(binary, target.path(), "allkeys-lru");
    let can_check = binary.line.has_redis(7, 2);
    for (check, checked, is_passed) in [("none", 0, true), ("all", 3, can_check)] {
        server.client.call(&["FLUSHALL"]);
        for existing in ["keep", "replace"] {
            let options = ["--check", check, "--existing", existing];
            let run = report(&mut into("compact", &rdb, &server, &options), 0);
            assert_eq!(run["checked"].as_u64(), Some(checked), "{run}");
            for key in ["a", "b", "made"] {
                let idle = object(&mut server, "IDLETIME", key);
                assert_eq!((5000..5100).contains(&idle), is_passed, "{check}, {key}: {idle}");
            }
            if existing == "keep" {
                server.client.call(&["DEL", "b"]);
            }
        }
    }
}

fn frequency(binary: &Binary) {
    let (source, target) = (temp_dir(), temp_dir());
    let rdb = rdb(binary, source.path(), "allkeys-lfu", ["FREQ", "99"]);
    let mut server = with_policy(binary, target.path(), "allkeys-lfu");
    let run = report(&mut into("compact", &rdb, &server, &["--check", "all"]), 0);
    assert_eq!((keys(&run, "restored"), &run["checked"]), (3, &3.into()), "{run}");
    for key in ["a", "b", "made"] {
        let uses = object(&mut server, "FREQ", key);
        // The counter of a new key is 5; it grows and falls by chance.
        assert!((95..103).contains(&uses), "{key}: {uses}");
    }
    // A server with another policy ignores it.
    server.client.call(&["FLUSHALL"]);
    server.client.call(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    let run = report(&mut into("compact", &rdb, &server, &["--check", "all"]), 0);
    assert_eq!(keys(&run, "restored"), 3, "{run}");
}
