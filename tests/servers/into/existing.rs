//! What becomes of keys that exist in the server.

use libtest_mimic::Trial;

use super::{empty, into, keys, report};
use crate::support::{Binary, FAMILIES, Reply, Run, Running, Setup, on_each, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "into::existing_keys_are_kept_replaced_or_refused", kept);
    trials.extend(on_each(&FAMILIES, "into::collections_are_united", united));
    trials.extend(on_each(&FAMILIES, "into::keys_are_mapped_renamed_and_filtered", mapped));
    trials.extend(on_each(&FAMILIES, "into::expired_keys_are_not_sent", expired));
    trials.extend(on_each(
        &FAMILIES,
        "into::keys_of_one_transaction_have_their_own_outcomes",
        together,
    ));
    trials.extend(on_each(&FAMILIES, "into::missing_rights_are_named_and_sufficient", rights));
    trials
}

/// Returns a server with known keys; the log of it is put into others.
fn source(binary: &Binary) -> Setup {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for command in [
        &["SET", "s", "old"][..],
        &["SET", "same", "value"],
        &["RPUSH", "l", "a", "b"],
        &["SADD", "set", "a", "b"],
        &["ZADD", "z", "1", "a", "2", "b"],
        &["HSET", "h", "f", "old", "g", "1"],
        &["XADD", "x", "1-1", "f", "v"],
        &["XADD", "x", "5-1", "f", "v"],
        &["SET", "ttl", "v", "PX", "4000000000"],
    ] {
        setup.server.client.call(command);
    }
    setup
}

fn changed(server: &mut Running) {
    for command in [
        &["SET", "s", "new"][..],
        &["SET", "same", "value"],
        &["RPUSH", "l", "c"],
        &["SADD", "set", "b", "c"],
        &["ZADD", "z", "7", "b", "3", "c"],
        &["HSET", "h", "f", "new", "h", "2"],
        &["XADD", "x", "3-1", "f", "w"],
    ] {
        server.client.call(command);
    }
}

fn text(server: &mut Running, command: &[&str]) -> String {
    match server.client.call(command) {
        Reply::Array(items) => {
            let mut items: Vec<String> = items.iter().map(Reply::text).collect();
            items.sort();
            items.join(" ")
        }
        Reply::Nil => "nil".to_owned(),
        reply => reply.text(),
    }
}

fn kept(binary: &Binary) {
    let setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    changed(&mut server);
    let digest = server.digest();

    let run = Run::of(&mut into("compact", setup.data.path(), &server, &["--existing", "fail"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("exist there already"), "{run:#?}");
    assert_eq!(server.digest(), digest, "nothing was sent");

    let dry = report(&mut into("compact", setup.data.path(), &server, &["--dry-run"]), 0);
    assert_eq!((keys(&dry, "restored"), keys(&dry, "conflicting")), (1, 7), "{dry}");
    assert_eq!(server.digest(), digest, "a dry run sends nothing");

    let run = report(&mut into("compact", setup.data.path(), &server, &[]), 0);
    let outcomes = ["restored", "already_there", "conflicting"].map(|outcome| keys(&run, outcome));
    assert_eq!(outcomes, [1, 1, 6], "{run}");
    assert_eq!(text(&mut server, &["GET", "s"]), "new");
    let ttl = server.client.call(&["PTTL", "ttl"]).int();
    assert!((3_900_000_000..4_000_000_000).contains(&ttl), "{ttl}");

    let options = ["--existing", "replace", "--check", "all"];
    let run = report(&mut into("compact", setup.data.path(), &server, &options), 0);
    assert_eq!(keys(&run, "replaced"), 8, "{run}");
    let Setup { server: mut original, .. } = setup;
    assert_eq!(server.digest(), original.digest());
}

fn united(binary: &Binary) {
    let setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    changed(&mut server);
    let run = report(&mut into("compact", setup.data.path(), &server, &["--existing", "union"]), 0);
    let outcomes =
        ["restored", "united", "already_there", "conflicting"].map(|outcome| keys(&run, outcome));
    assert_eq!(outcomes, [1, 4, 1, 2], "{run}");
    for (command, expected) in [
        (&["GET", "s"][..], "new"),
        (&["LLEN", "l"], "1"),
        (&["SCARD", "set"], "3"),
        (&["ZSCORE", "z", "a"], "1"),
        (&["ZSCORE", "z", "b"], "7"),
        (&["ZCARD", "z"], "3"),
        (&["HGET", "h", "f"], "new"),
        (&["HGET", "h", "g"], "1"),
        (&["HLEN", "h"], "3"),
        // 1-1 is older than the last entry of the running stream, 3-1.
        (&["XLEN", "x"], "2"),
    ] {
        let found = match server.client.call(command) {
            Reply::Int(number) => number.to_string(),
            reply => reply.text(),
        };
        assert_eq!(found, expected, "{command:?}");
    }
    let again =
        report(&mut into("compact", setup.data.path(), &server, &["--existing", "union"]), 0);
    let outcomes = ["restored", "united", "conflicting"].map(|outcome| keys(&again, outcome));
    assert_eq!(outcomes[0], 0, "{again}");
    let noted = again["conflicts"].to_string();
    assert!(noted.contains("older than its last one"), "{again}");
}

fn mapped(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for (db, key) in [("0", "app:a"), ("0", "app:b"), ("0", "other"), ("1", "app:c")] {
        setup.server.client.call(&["SELECT", db]);
        setup.server.client.call(&["SET", key, db]);
    }
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    let options = ["--map-db", "0:3", "--rename-prefix", "app::new:", "--pattern", "app:*"];
    let run = report(&mut into("compact", setup.data.path(), &server, &options), 0);
    assert_eq!(keys(&run, "restored"), 3, "{run}");
    let all: Vec<String> = (["0", "1", "3"].iter())
        .map(|db| {
            server.client.call(&["SELECT", db]);
            text(&mut server, &["KEYS", "*"])
        })
        .collect();
    assert_eq!(all[0], "");
    assert_eq!(all[1], "new:c");
    assert_eq!(all[2], "new:a new:b");
}

fn expired(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    setup.server.client.call(&["SET", "stays", "v"]);
    // A log keeps the key, with an expiry that has passed.
    setup.server.client.call(&["DEBUG", "SET-ACTIVE-EXPIRE", "0"]);
    setup.server.client.call(&["SET", "goes", "v", "PX", "1"]);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    server.client.call(&["SET", "goes", "running"]);
    let options = ["--existing", "replace"];
    let run = report(&mut into("compact", setup.data.path(), &server, &options), 0);
    assert_eq!((keys(&run, "restored"), keys(&run, "expired")), (1, 1), "{run}");
    assert_eq!(text(&mut server, &["GET", "goes"]), "running", "a past expiry deletes nothing");
    server.client.call(&["DEL", "goes"]);
    let options = ["--expired", "persist", "--check", "all"];
    let run = report(&mut into("compact", setup.data.path(), &server, &options), 0);
    assert_eq!((keys(&run, "restored"), keys(&run, "expired")), (1, 0), "{run}");
    assert_eq!(text(&mut server, &["GET", "goes"]), "v");
    assert_eq!(server.client.call(&["PTTL", "goes"]).int(), -1);
}

fn rights(binary: &Binary) {
    let setup = source(binary);
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    server.client.call(&["ACL", "SETUSER", "alice", "on", ">secret", "~*"]);
    let run = |server: &Running| {
        let mut command = into("compact", setup.data.path(), server, &["--user", "alice"]);
        Run::of(command.env("REDISCLI_AUTH", "secret"))
    };
    let refused = run(&server);
    assert_eq!(refused.code, Some(2), "{refused:#?}");
    let line = refused.stderr.replace('\n', " ");
    let rule = line.split_once("ACL SETUSER alice ").expect("the rule").1;
    let rules: Vec<&str> = rule.split_whitespace().take_while(|it| it.starts_with('+')).collect();
    assert_eq!(server.keys(), 0);
    let grant: Vec<&str> =
        ["ACL", "SETUSER", "alice"].into_iter().chain(rules.iter().copied()).collect();
    server.client.call(&grant);
    let granted = run(&server);
    assert_eq!(granted.code, Some(0), "{granted:#?}");
    assert_eq!(server.keys(), 8);
    // A rule fewer is not enough.
    for rule in rules {
        server.client.call(&["FLUSHALL"]);
        server.client.call(&["ACL", "SETUSER", "alice", &rule.replace('+', "-")]);
        let refused = run(&server);
        assert_eq!(refused.code, Some(2), "without {rule}: {refused:#?}");
        assert!(refused.stderr.contains(rule), "{refused:#?}");
        server.client.call(&["ACL", "SETUSER", "alice", rule]);
    }
}

/// At an unlimited speed several keys are created in one transaction. Some exist there, and some are forbidden.
fn together(binary: &Binary) {
    let mut setup = Setup::with(binary, &[("appendfsync", "no")]);
    for number in 0..100 {
        setup.server.client.call(&["SET", &format!("k:{number}"), &format!("value {number}")]);
    }
    setup.server.client.call(&["PEXPIREAT", "k:7", "4000000000123"]);
    let digest = setup.server.digest();
    for forbidden in ["z:1", "z:2"] {
        setup.server.client.call(&["SET", forbidden, "v"]);
    }
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    server.client.call(&["SET", "k:3", "value 3"]);
    server.client.call(&["SET", "k:50", "other"]);
    server.client.call(&["ACL", "SETUSER", "alice", "on", ">secret", "+@all", "~k:*", "~aofkit*"]);
    let run = |server: &Running, existing: &str, code: i32| {
        let options = ["--rate", "unlimited", "--user", "alice", "--existing", existing];
        let mut command = into("compact", setup.data.path(), server, &options);
        report(command.env("REDISCLI_AUTH", "secret"), code)
    };
    let outcomes = |run: &serde_json::Value| {
        ["restored", "replaced", "already_there", "conflicting", "failed"]
            .map(|outcome| keys(run, outcome))
    };
    let kept = run(&server, "keep", 3);
    assert_eq!(outcomes(&kept), [98, 0, 1, 1, 2], "{kept}");
    assert_eq!((&kept["checked"], &kept["stopped"]), (&98.into(), &().into()), "{kept}");
    assert_eq!(text(&mut server, &["GET", "k:50"]), "other");
    let replaced = run(&server, "replace", 3);
    assert_eq!(outcomes(&replaced), [0, 100, 0, 0, 2], "{replaced}");
    assert_eq!(server.digest(), digest);
}
