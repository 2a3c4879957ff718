//! `drill --server`: a real server has what the replay says, expired keys included, and one that does not load a log
//! fails it.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::json_docs::Docs;
use crate::support::{Binary, Run, Running, aofkit, args, log, on_each};

const LINES: [Server; 4] = [redis(6, 2), redis(7, 0), redis(8, 2), valkey(9, 1)];

/// How long after it is written a key or field expires: after the rewrite, and before the drill.
const EXPIRY_MS: u128 = 1500;

pub(crate) fn trials() -> Vec<Trial> {
    let passing = on_each(&LINES, "drill::server_has_what_the_replay_says", passes);
    let failing = on_each(&LINES, "drill::log_that_the_server_refuses_fails", fails);
    passing.into_iter().chain(failing).collect()
}

fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis()
}

/// Writes data of all types to several databases, with a rewrite in between; some keys and fields expire soon.
fn write(binary: &Binary, data: &Path) {
    let config = [("appendonly", "yes"), ("appendfsync", "no"), ("databases", "40")];
    let mut server = Running::start(binary, data, &config).expect("the server starts");
    let soon = now_ms() + EXPIRY_MS;
    for round in 0..2 {
        for n in 0..40 {
            for line in [
                format!("SET string:{round}:{n} {n}"),
                format!("RPUSH list:{} {n} x", n % 7),
                format!("SADD set:{} {n} member", n % 5),
                format!("HSET hash:{} field:{n} {n}", n % 6),
                format!("ZADD zset:{} {n}.5 member:{n}", n % 4),
                format!("XADD stream {}-{} field {n}", round + 1, n + 1),
                format!("PEXPIREAT string:{round}:{n} {}", soon + n * 100_000 % 300_000),
                format!("SELECT {}", [0, 1, 39][n as usize % 3]),
            ] {
                server.client.call(&args(&line));
            }
        }
        let has_expiring_fields = binary.line.has_redis(7, 4) || binary.line.has_valkey(9, 0);
        if has_expiring_fields {
            let line = format!("HPEXPIREAT hash:{} {soon} FIELDS 1 field:39", 39 % 6);
            server.client.call(&args("SELECT 0"));
            server.client.call(&args("HSET hash:3 field:39 x"));
            server.client.call(&args(&line));
        }
        if round == 0 {
            server.rewrite();
        }
    }
    assert!(now_ms() < soon, "nothing has expired yet");
    assert!(server.shut_down().success());
    while now_ms() <= soon {
        thread::sleep(Duration::from_millis(20));
    }
}

/// Runs the drill of the backups in `to` with this server.
fn drill(binary: &Binary, to: &Path) -> (Run, Value) {
    let run =
        Run::of(aofkit().arg("drill").arg(to).arg("--server").arg(&binary.path).arg("--json"));
    assert_eq!(Docs::read().check(&run.stdout), "drill");
    let report = serde_json::from_str(&run.stdout).expect("JSON");
    (run, report)
}

fn back_up(log: &Path, to: &Path) {
    let run = Run::of(aofkit().arg("backup").arg(log).arg("--to").arg(to));
    assert!(run.code.is_some_and(|code| code < 2), "{run:#?}");
}

fn passes(binary: &Binary) {
    let directory = tempfile::tempdir().expect("a directory");
    let (data, to) = (directory.path().join("data"), directory.path().join("to"));
    fs::create_dir(&data).expect("a directory");
    fs::create_dir(&to).expect("a directory");
    write(binary, &data);
    back_up(&data, &to);
    let (run, report) = drill(binary, &to);
    let archive = &report["archives"][0];
    assert_eq!((run.code, &archive["verdict"]), (Some(0), &"passed".into()), "{report:#}");
    let loaded = &archive["loaded"];
    assert_eq!(loaded["keys"], archive["keys"]);
    // 80 strings, some of which have expired, in databases that are not there by default.
    let keys = archive["keys"].as_object().expect("databases");
    assert_eq!(keys.keys().collect::<Vec<_>>(), ["0", "1", "39"]);
    let digest = loaded["digest"].as_str().expect("a digest");
    assert_eq!(loaded["expected_digest"], digest);
    assert!(digest.len() == 40 && digest.bytes().any(|byte| byte != b'0'));
    assert!(
        report["server"].as_str().is_some_and(|it| it.contains(&format!("{}.", binary.line.major)))
    );
}

/// A log that begins with an RDB of Redis 8.6, which none of these servers reads. It is whole, so that only the load fails.
fn fails(binary: &Binary) {
    let directory = tempfile::tempdir().expect("a directory");
    let path = |name: &str| directory.path().join(name);
    fs::create_dir(path("to")).expect("a directory");
    fs::write(path("a.aof"), log("SELECT 0\nSET a 1\nSET b 2")).expect("a log");
    let mut compact = aofkit();
    compact.args(["compact", "--format", "preamble", "--for", "redis-8.6", "--quiet", "--output"]);
    assert_eq!(Run::of(compact.arg(path("new.aof")).arg(path("a.aof"))).code, Some(0));
    back_up(&path("new.aof"), &path("to"));
    let (run, report) = drill(binary, &path("to"));
    let archive = &report["archives"][0];
    assert_eq!((run.code, &archive["verdict"]), (Some(1), &"failed".into()), "{report:#}");
    let steps = archive["steps"].as_array().expect("steps");
    let verdicts: Vec<&str> = steps.iter().filter_map(|step| step["verdict"].as_str()).collect();
    assert_eq!(verdicts, ["passed", "passed", "passed", "not-recorded", "failed"]);
    let message = steps[4]["message"].as_str().expect("a message");
    assert!(message.contains("did not load it: it ended with exit code 1"), "{message}");
    assert!(message.contains("RDB"), "the server's words: {message}");
    // A set, of a server that reads none.
    if !binary.line.reads_multi_part() {
        let mut compact = aofkit();
        compact.args(["compact", "--format", "multipart-aof", "--quiet", "--output"]);
        assert_eq!(Run::of(compact.arg(path("appendonlydir")).arg(path("a.aof"))).code, Some(0));
        fs::create_dir(path("set")).expect("a directory");
        back_up(&path("appendonlydir"), &path("set"));
        let (run, report) = drill(binary, &path("set"));
        let message = report["archives"][0]["steps"][4]["message"].as_str().expect("a message");
        assert!(run.code == Some(1) && message.contains("reads no multi-part log"), "{report:#}");
    }
}
