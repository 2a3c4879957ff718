//! `aofkit get --resp`: typed into redis-cli --pipe, its commands create the same key on a server.

use std::path::Path;
use std::process::{Command, Stdio};

use aofkit::base::server::{redis, valkey};
use libtest_mimic::Trial;

use crate::support::{Binary, Running, aofkit, temp_dir, with_program_on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let lines = [redis(6, 2), redis(8, 2), valkey(9, 1)];
    let name = "get::commands_recreate_a_key_of_every_type";
    with_program_on_each(&lines, "redis-cli", name, recreated)
}

/// The keys, each with its database and the commands that create it.
const KEYS: [(&str, &str, &[&str]); 9] = [
    ("string", "0", &["SET string some\\text", "PEXPIREAT string 4102444800000"]),
    ("bits", "3", &["SETBIT bits 7 1", "APPEND bits \u{e9}"]),
    ("list", "0", &["RPUSH list a b 1 -7 a"]),
    ("numbers", "0", &["SADD numbers 1 2 300"]),
    ("set", "3", &["SADD set one two"]),
    ("zset", "0", &["ZADD zset 1.5 a -inf b 1e300 c"]),
    ("hash", "0", &["HSET hash f v g w", "PEXPIREAT hash 4102444800000"]),
    (
        "stream",
        "0",
        &[
            "XADD stream 1-1 a b",
            "XADD stream 2-1 c d e f",
            "XGROUP CREATE stream g 0",
            "XREADGROUP GROUP g alice COUNT 1 STREAMS stream >",
            "XDEL stream 2-1",
        ],
    ),
    ("hyperloglog", "0", &["PFADD hyperloglog a b c"]),
];

/// The field of a hash that expires, which Redis 7.4 and Valkey 9.0 introduced.
const EXPIRING: (&str, &str, &[&str]) =
    ("expiring", "0", &["HSET expiring f v g w", "HPEXPIREAT expiring 4102444800000 FIELDS 1 f"]);

fn keys(
    binary: &Binary,
) -> impl Iterator<Item = (&'static str, &'static str, &'static [&'static str])> {
    let has_expiring = binary.line.has_valkey(9, 0) || binary.line.has_redis(7, 4);
    KEYS.into_iter().chain(has_expiring.then_some(EXPIRING))
}

fn recreated(binary: &Binary, client: &Path) {
    let place = temp_dir();
    let (one, other) = (place.path().join("one"), place.path().join("other"));
    std::fs::create_dir(&one).expect("a directory");
    std::fs::create_dir(&other).expect("a directory");
    let config = [("appendonly", "yes"), ("appendfsync", "always"), ("save", "")];
    let mut source = Running::start(binary, &one, &config).expect("the server starts");
    for (_, db, commands) in keys(binary) {
        source.client.call(&["SELECT", db]);
        for command in commands {
            let words: Vec<&str> = command.split(' ').collect();
            source.client.call(&words);
        }
    }
    let mut target = Running::start(binary, &other, &[("save", "")]).expect("the server starts");
    for (key, db, _) in keys(binary) {
        // A value that is there already is replaced.
        target.client.call(&["SELECT", db]);
        target.client.call(&["RPUSH", key, "another"]);
        let server = binary.line.to_string();
        let got = aofkit()
            .args(["get", "--resp", key, "--for", &server])
            .arg(&one)
            .output()
            .expect("it runs");
        assert_eq!(got.status.code(), Some(0), "{key}: {got:?}");
        let mut pipe = Command::new(client);
        pipe.arg("-s").arg(target.socket()).arg("--pipe");
        let mut pipe = pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let mut input = pipe.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut input, &got.stdout).expect("it reads");
        drop(input);
        let piped = pipe.wait_with_output().expect("it ends");
        let said = String::from_utf8_lossy(&piped.stdout).into_owned();
        assert!(said.contains("errors: 0"), "{key}: {said}");
        for server in [&mut source, &mut target] {
            server.client.call(&["SELECT", db]);
        }
        for question in [&["DEBUG", "DIGEST-VALUE", key][..], &["PEXPIRETIME", key], &["TTL", key]]
        {
            // PEXPIRETIME came with Redis 7.0; elsewhere both give the same error.
            if question[0] == "TTL" && binary.line.has_redis(7, 0) {
                continue;
            }
            let answers =
                [&mut source, &mut target].map(|it| format!("{:?}", it.client.call(question)));
            assert_eq!(answers[0], answers[1], "{question:?} on {}", binary.line);
        }
        let question: &[&str] = match key {
            "stream" => &["XINFO", "GROUPS", key],
            "expiring" => &["HPEXPIRETIME", key, "FIELDS", "2", "f", "g"],
            _ => continue,
        };
        let answers =
            [&mut source, &mut target].map(|it| format!("{:?}", it.client.call(question)));
        assert_eq!(answers[0], answers[1], "{question:?} on {}", binary.line);
    }
    assert_eq!(source.digest(), target.digest(), "{}", binary.line);
}
