//! `aofkit get`: the value of a key, at the end of a log and at any position.

use super::*;

/// Times: 1700000000 is 2023-11-14 22:13:20 UTC.
fn story() -> Vec<u8> {
    [
        command(&["SET", "k", "one"]),
        b"#TS:1700000000\r\n".to_vec(),
        command(&["SET", "k", "two"]),
        command(&["PEXPIREAT", "k", "1700000060000"]),
        b"#TS:1700000100\r\n".to_vec(),
        command(&["HSET", "h", "name", "Ann", "b\"in", "\u{e9}"]),
        command(&["RPUSH", "l", "x", "y", "x"]),
        command(&["SADD", "s", "m"]),
        command(&["ZADD", "z", "2.5", "b", "-1", "a"]),
        command(&["XADD", "x", "5-1", "f", "v"]),
        command(&["XGROUP", "CREATE", "x", "g", "0"]),
        command(&["SET", "gone", "1"]),
        command(&["DEL", "gone"]),
    ]
    .concat()
}

fn place() -> Place {
    let place = Place::new();
    place.put("a.aof", story());
    place
}

/// Runs `get` and returns its standard output without the line of the fingerprint.
#[track_caller]
fn shows(place: &Place, args: &[&str]) -> String {
    let run = place.run(&[&["get"], args].concat());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
    let lines = run.stdout.lines().filter(|line| !line.trim_start().starts_with("fingerprint"));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_type_is_shown_as_by_redis_cli() {
    let place = place();
    let head = |key: &str, kind: &str| {
        format!(
            "\"{key}\" at the end of a.aof\n  type        {kind}\n  database    0\n  expires     never\n\n"
        )
    };
    for (key, kind, value) in [
        (
            "h",
            "hash, 2 fields, 13 bytes",
            "1) \"name\" => \"Ann\"\n2) \"b\\\"in\" => \"\\xc3\\xa9\"\n",
        ),
        ("l", "list, 3 elements, 3 bytes", "1) \"x\"\n2) \"y\"\n3) \"x\"\n"),
        ("s", "set, 1 member, 1 byte", "1) \"m\"\n"),
        ("z", "zset, 2 members, 2 bytes", "1) \"a\" => -1\n2) \"b\" => 2.5\n"),
        (
            "x",
            "stream, 1 message, 2 bytes",
            "1) 5-1: \"f\" => \"v\"\nlast ID 5-1, 1 message added\ngroup \"g\": last ID 0-0, 0 pending\n",
        ),
    ] {
        assert_eq!(shows(&place, &[key, "a.aof"]), head(key, kind) + value);
    }
}

#[test]
fn an_expired_key_is_shown_as_expired() {
    let place = place();
    let at_end = shows(&place, &["k", "a.aof"]);
    let passed = "  expires     expired at 2023-11-14 22:14:20 +00:00: a server returns nothing\n";
    assert!(at_end.contains(passed) && at_end.ends_with("\n\"two\"\n"), "{at_end}");
    let earlier = shows(&place, &["k", "a.aof", "--now", "2023-11-14T22:14:19Z"]);
    assert!(earlier.contains("  expires     2023-11-14 22:14:20 +00:00\n"), "{earlier}");
    // At a position, the last annotation before it decides: 60 seconds before the expiry, and 40 after it.
    let log = story();
    let second = log.windows(4).rposition(|bytes| bytes == b"#TS:").unwrap();
    for (at, expired) in [(format!("1:{second}"), false), ("#4".to_owned(), true)] {
        let run = place.run(&["get", "--json", "k", "a.aof", "--at", &at]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["found"][0]["expired"], expired, "{at} {report:#}");
    }
}

#[test]
fn a_position_is_that_of_recover_until() {
    let place = place();
    let first = command(&["SET", "k", "one"]).len();
    let raw = |at: &str| {
        let run = place.run(&["get", "--raw", "k", "a.aof", "--at", at]);
        (run.code, run.stdout, run.stderr)
    };
    let value = |text: &str| (Some(0), text.to_owned(), String::new());
    assert_eq!(raw("#2"), value("one"));
    assert_eq!(raw("#3"), value("two"));
    assert_eq!(raw(&format!("1:{first}")), value("one"));
    assert_eq!(raw("2023-11-14T22:13:20Z"), value("one"));
    assert_eq!(raw("2023-11-14T22:13:21Z"), value("two"));
    let (code, stdout, stderr) = raw("#1");
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("there is no key \"k\" in a.aof before 1:0"), "{stderr}");
    for (at, problem) in [
        ("2023-11-14T22:13:19Z", "the log begins after that time"),
        ("2023-11-14T22:15:01Z", "the log ends before that time"),
        ("#99", "the log has only 11 commands"),
        ("1:3", "this is inside the command that begins at byte 0"),
        ("1:99999", "there is no byte 99999"),
        ("3:0", "the log has no part 3"),
    ] {
        let (code, stdout, stderr) = raw(at);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{at}");
        assert!(stderr.contains(problem), "{at}: {stderr}");
    }
    place.put("timeless.aof", sound());
    let run = place.run(&["get", "a", "timeless.aof", "--at", "2023-11-14T22:15:01Z"]);
    assert!(run.stderr.contains("does not tell when its commands were run"), "{run:#?}");
}

#[test]
fn a_transaction_around_the_position_has_not_begun() {
    let place = Place::new();
    let log = [
        command(&["SET", "k", "before"]),
        command(&["MULTI"]),
        command(&["SET", "k", "inside"]),
        command(&["SET", "j", "inside"]),
        command(&["EXEC"]),
    ];
    place.put("a.aof", log.concat());
    for (at, value) in [("#3", "before"), ("#4", "before")] {
        place.run(&["get", "--raw", "k", "a.aof", "--at", at]).ends(0, value, "");
    }
    place.run(&["get", "--raw", "k", "a.aof"]).ends(0, "inside", "");
}

#[test]
fn raw_prints_the_bytes_and_nothing_else() {
    let place = place();
    place.put("b.aof", command(&["SET", "k", "a\tb"]));
    place.run(&["get", "--raw", "k", "b.aof"]).ends(0, "a\tb", "");
    place.run(&["get", "--raw", "l", "a.aof"]).ends(0, "x\ny\nx\n", "");
    place.run(&["get", "--raw", "z", "a.aof"]).ends(0, "a\n-1\nb\n2.5\n", "");
    place.run(&["get", "--raw", "x", "a.aof"]).ends(0, "5-1\nf\nv\n", "");
    let run = place.run(&["get", "--raw", "--json", "l", "a.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
}

#[test]
fn resp_selects_the_database_and_replaces_the_key() {
    let place = place();
    let expected = [
        command(&["SELECT", "0"]),
        command(&["DEL", "l"]),
        command(&["RPUSH", "l", "x", "y", "x"]),
    ];
    let expected = String::from_utf8(expected.concat()).unwrap();
    place.run(&["get", "--resp", "l", "a.aof"]).ends(0, &expected, "");
    let expected = [
        command(&["SELECT", "0"]),
        command(&["SET", "k", "two"]),
        command(&["PEXPIREAT", "k", "1700000060000"]),
    ];
    let expected = String::from_utf8(expected.concat()).unwrap();
    place.run(&["get", "--resp", "k", "a.aof"]).ends(0, &expected, "");
}

#[test]
fn databases_are_shown_together_and_chosen_for_raw() {
    let place = Place::new();
    let log = [
        command(&["SET", "k", "zero"]),
        command(&["SELECT", "3"]),
        command(&["SET", "k", "three"]),
    ];
    place.put("a.aof", log.concat());
    let both = shows(&place, &["k", "a.aof"]);
    assert!(both.contains("database    0") && both.contains("database    3"), "{both}");
    let run = place.run(&["get", "--raw", "k", "a.aof"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""));
    assert!(run.stderr.contains("key \"k\" is in databases 0, 3"), "{run:#?}");
    place.run(&["get", "--raw", "k", "a.aof", "-d", "3"]).ends(0, "three", "");
    let run = place.run(&["get", "k", "a.aof", "-d", "1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""));
    assert!(run.stderr.contains("it is in database 0, 3"), "{run:#?}");
}

#[test]
fn an_absent_key_has_its_last_write_named() {
    let place = place();
    let deleted = story().len() - command(&["DEL", "gone"]).len();
    let run = place.run(&["get", "gone", "a.aof"]);
    let expected = format!(
        "note: there is no key \"gone\" at the end of a.aof\n\
         the last write to it is DEL at 1:{deleted}, 2023-11-14 22:15:00 +00:00\n\
         - show every write to the key:\n       aofkit history gone a.aof\n\n"
    );
    run.ends(1, "", &expected);
    let run = place.run(&["get", "never", "a.aof"]);
    let expected = "note: there is no key \"never\" at the end of a.aof\n\
                    no command before that writes to it\n";
    run.ends(1, "", expected);
    place.run(&["get", "-q", "never", "a.aof"]).ends(1, "", "");
    place.run(&["history", "-q", "never", "a.aof"]).ends(1, "", "");
    place.run(&["history", "-q", "gone", "a.aof"]).ends(0, "", "");
    // The step is typed as printed, also for a key that is no text.
    place.put("b.aof", [command(&["SET", "-\u{1}", "1"]), command(&["DEL", "-\u{1}"])].concat());
    let run = place.run(&["get", r#""-\x01""#, "b.aof"]);
    let step = run.stderr.lines().find_map(|line| line.trim().strip_prefix("aofkit ")).unwrap();
    let again = place.shell(&format!("$0 {step}"));
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert!(again.stdout.ends_with("2 events; the key does not exist at the end\n"), "{again:#?}");
}

#[test]
fn flushed_key_has_the_flush_as_its_last_write() {
    let place = Place::new();
    place.put("a.aof", [command(&["SET", "k", "1"]), command(&["FLUSHALL"])].concat());
    let run = place.run(&["get", "k", "a.aof"]);
    assert!(run.stderr.contains("the last write to it is FLUSHALL at 1:"), "{run:#?}");
}

#[test]
fn long_values_are_shortened_unless_full() {
    let place = Place::new();
    let elements: Vec<String> = (0..150).map(|n| n.to_string()).collect();
    let push: Vec<&str> =
        ["RPUSH", "l"].into_iter().chain(elements.iter().map(String::as_str)).collect();
    let long = "v".repeat(5000);
    place.put("a.aof", [command(&push), command(&["SET", "k", &long])].concat());
    let short = shows(&place, &["l", "a.aof"]);
    assert!(short.ends_with("100) \"99\"\n... 50 more; --full shows all\n"), "{short}");
    assert!(shows(&place, &["l", "a.aof", "--full"]).ends_with("150) \"149\"\n"));
    let short = shows(&place, &["k", "a.aof"]);
    assert!(short.ends_with(&format!("\"{}..\" (5,000 bytes)\n", "v".repeat(4096))), "{short}");
    assert!(shows(&place, &["k", "a.aof", "--full"]).contains(&long));
}

#[test]
fn json_is_typed() {
    let place = place();
    let json = |key: &str| -> serde_json::Value {
        let run = place.run(&["get", "--json", key, "a.aof"]);
        serde_json::from_str(&run.stdout).unwrap()
    };
    let hash = json("h");
    assert_eq!(hash["report"], "get");
    assert_eq!(hash["found"][0]["type"], "hash");
    assert_eq!(hash["found"][0]["hash"][0]["value"]["text"], "Ann");
    let scored = json("z");
    assert_eq!(scored["found"][0]["zset"][1]["score"], "2.5");
    let absent = json("gone");
    assert_eq!(absent["found"], serde_json::json!([]));
    assert_eq!(absent["last_event"]["command"], "DEL");
}

#[test]
fn unknown_and_module_values_are_named() {
    let place = Place::new();
    let log = [command(&["SET", "k", "1"]), command(&["JSON.SET", "k", "$", "1"])];
    place.put("a.aof", log.concat());
    let run = place.run(&["get", "k", "a.aof"]);
    assert!(run.stdout.contains("not understood, 1 command unknown to aofkit"), "{run:#?}");
    assert!(run.stdout.contains("changed by \"JSON.SET\""), "{run:#?}");
    let run = place.run(&["get", "--raw", "k", "a.aof"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("a value that unknown commands changed"), "{run:#?}");
    let run = place.run(&["get", "--resp", "k", "a.aof"]);
    assert!(run.stdout.ends_with(&String::from_utf8(log.concat()).unwrap()), "{run:#?}");
}

#[test]
fn a_value_of_a_module_becomes_a_restore() {
    let place = Place::new();
    place.put("m.rdb", content::rdb("REDIS0012", &[content::key("graphdata")]));
    let run = place.run(&["get", "m", "m.rdb"]);
    assert!(run.stdout.contains("type        value of the module graphdata, "), "{run:#?}");
    let output = place.command().args(["get", "--resp", "m", "m.rdb"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let start = [command(&["SELECT", "0"]), command(&["DEL", "m"])].concat();
    let restore = output.stdout.strip_prefix(&start[..]).unwrap();
    assert!(restore.starts_with(b"*6\r\n$7\r\nRESTORE\r\n$1\r\nm\r\n$1\r\n0\r\n$"), "{output:?}");
    assert!(restore.ends_with(b"\r\n$7\r\nREPLACE\r\n$6\r\nABSTTL\r\n"), "{output:?}");
    let run = place.run(&["get", "--raw", "m", "m.rdb"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
}

#[test]
fn a_key_is_read_from_an_archive() {
    let place = place();
    assert_eq!(place.run(&["compress", "a.aof", "-o", "a.zip"]).code, Some(0));
    place.run(&["get", "--raw", "l", "a.zip"]).ends(0, "x\ny\nx\n", "");
    let run = place.run(&["get", "never", "a.zip"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
}
