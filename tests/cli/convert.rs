//! Conversion for other servers: what is lost is named, and nothing is written without leave.

use serde_json::Value;

use super::content::{LUA, aux, key, library, module_id, rdb, string, unbroken};
use super::*;

/// What is lost: the kind, the number of items, and the keys or names.
type Lost = (String, u64, Vec<String>);

fn lost(report: &Value) -> Vec<Lost> {
    let name = |example: &Value| example["name"]["text"].as_str().unwrap().to_owned();
    let of_kind = |loss: &Value| {
        let mut names: Vec<_> = loss["examples"].as_array().unwrap().iter().map(name).collect();
        names.sort();
        (loss["kind"].as_str().unwrap().to_owned(), loss["count"].as_u64().unwrap(), names)
    };
    report["losses"].as_array().unwrap().iter().map(of_kind).collect()
}

fn one(kind: &str, count: u64, names: &[&str]) -> Lost {
    (kind.to_owned(), count, names.iter().map(|name| (*name).to_owned()).collect())
}

/// Converts `input` without and with `--allow-loss`, and returns the output of the second run.
#[track_caller]
fn converted(place: &Place, args: &str, expected: &[Lost]) -> Vec<u8> {
    let args: Vec<&str> = args.split(' ').chain(["-o", "out", "--json"]).collect();
    let before = place.names();
    let refused = place.run(&[&["convert"], &args[..]].concat());
    let report: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(lost(&report), expected, "{refused:#?}");
    let is_lost = !expected.is_empty();
    assert_eq!(refused.code, Some(if is_lost { 2 } else { 0 }), "{refused:#?}");
    assert_eq!(report["refused"], is_lost);
    assert_eq!(place.path("out").exists(), !is_lost);
    if is_lost {
        assert_eq!(report["result"]["output"], Value::Null);
        assert_eq!(place.names(), before, "nothing is left");
        let run = place.run(&[&["convert", "--allow-loss"], &args[..]].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(lost(&report), expected, "{run:#?}");
        assert_eq!(
            (&report["refused"], &report["result"]["checked"]),
            (&false.into(), &true.into())
        );
    }
    let written = place.read("out");
    fs::remove_file(place.path("out")).unwrap();
    written
}

fn lines(lines: &[&str]) -> Vec<u8> {
    lines.iter().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// A place with a log of these commands.
fn log_of(commands: &[&str]) -> Place {
    let place = Place::new();
    place.put("a.aof", lines(commands));
    place
}

fn rdb_of(header: &str, content: &[Vec<u8>]) -> Place {
    let place = Place::new();
    place.put("dump.rdb", rdb(header, content));
    place
}

#[test]
fn what_is_common_goes_without_leave() {
    let place = log_of(&["SET k v", "RPUSH l a b", "XADD s 1-1 f v"]);
    let written = converted(&place, "a.aof --for redis-6.2", &[]);
    let expected =
        ["SELECT 0", "SET k v", "RPUSH l a b", "XADD s 1-1 f v", "XSETID s 1-1"].map(|line| {
            let line = lines(&[line]);
            String::from_utf8(line).unwrap()
        });
    let written = String::from_utf8(written).unwrap();
    assert!(expected.iter().all(|command| written.contains(command)), "{written}");
}

#[test]
fn fields_stay_without_their_expiry_unless_it_has_passed() {
    let place = log_of(&[
        "HSET h a 1 b 2 c 3",
        "HPEXPIREAT h 4102444800000 FIELDS 1 a",
        "HPEXPIREAT h 1500000000000 FIELDS 1 b",
        "HSET gone f v",
        "HPEXPIREAT gone 1500000000000 FIELDS 1 f",
    ]);
    let expected = [one("hash-field-expiry", 1, &["h"]), one("passed-fields", 2, &["gone", "h"])];
    let now = "a.aof --for redis-7.2 --now 1600000000";
    let written = converted(&place, now, &expected);
    let hash = [lines(&["HMSET h a 1 c 3"]), lines(&["HMSET h c 3 a 1"])];
    let written = String::from_utf8_lossy(&written).into_owned();
    assert!(hash.iter().any(|hash| written.contains(&*String::from_utf8_lossy(hash))), "{written}");
    assert!(!written.contains("gone") && !written.contains("HPEXPIREAT"), "{written}");
}

/// Valkey supports times that the commands of Redis refuse, from 2^46 ms on.
#[test]
fn only_the_expiries_beyond_the_limit_of_redis_are_lost() {
    let place = log_of(&[
        "HSETEX h PXAT 70368744177664 FIELDS 1 late v",
        "HSETEX h PXAT 70368744177663 FIELDS 1 soon v",
    ]);
    place.run(&["compact", "a.aof", "--for", "valkey-9.1", "--format", "rdb", "-o", "dump.rdb"]);
    let expected = [one("hash-field-expiry", 1, &["h"])];
    let written = converted(&place, "dump.rdb --for redis-7.4 --format aof", &expected);
    let written = String::from_utf8_lossy(&written).into_owned();
    assert!(written.contains("70368744177663") && !written.contains("70368744177664"), "{written}");
    converted(&place, "dump.rdb --for valkey-9.1 --format aof", &[]);
    // An RDB holds times below 2^48.
    converted(&place, "dump.rdb --for redis-7.4", &[]);
}

#[test]
fn commands_cannot_hold_all_that_an_rdb_can() {
    let stream = &[
        "XADD s 1-1 f v",
        "XADD s 2-1 f v",
        "XGROUP CREATE s g 0",
        "XGROUP CREATECONSUMER s g idle",
        "XCLAIM s g c 0 1-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XCLAIM s g c 0 2-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XDEL s 1-1",
    ];
    let place = log_of(stream);
    let deleted = one("deleted-pending", 1, &["s"]);
    converted(&place, "a.aof --for redis-7.0", std::slice::from_ref(&deleted));
    // The way out that the report names.
    let run = place.run(&["convert", "a.aof", "--for", "redis-7.0", "-n"]);
    assert!(unbroken(&run).contains("--format preamble keeps it"), "{run:#?}");
    converted(&place, "a.aof --for redis-7.0 --format preamble", &[]);
    let counters = one("stream-counters", 1, &["s"]);
    let idle = one("idle-consumers", 1, &["s"]);
    converted(&place, "a.aof --for redis-6.0", &[counters.clone(), idle, deleted]);
    converted(&place, "a.aof --for redis-6.0 --format preamble", &[counters]);
}

#[test]
fn times_of_consumers_are_lost_only_if_a_file_has_them() {
    let log = ["XADD s 1-1 f v", "XGROUP CREATE s g 0", "XGROUP CREATECONSUMER s g idle"];
    let place = log_of(&log);
    converted(&place, "a.aof --for redis-7.0 --format preamble", &[]);
    place.run(&["compact", "a.aof", "--for", "redis-7.2", "--format", "rdb", "-o", "dump.rdb"]);
    let times = one("consumer-times", 1, &["s"]);
    converted(&place, "dump.rdb --for redis-7.0", std::slice::from_ref(&times));
    converted(&place, "dump.rdb --for redis-8.2", &[]);
    converted(&place, "dump.rdb --for redis-8.2 --format aof", &[times]);
}

#[test]
fn what_only_redis_8_8_has_is_named() {
    let place = log_of(&[
        "SET k v",
        "ARSET a 0 x",
        "XADD s 1-1 f v",
        "XGROUP CREATE s g 0",
        "XCLAIM s g c 0 1-1 TIME 1600000000000 RETRYCOUNT 1 FORCE JUSTID",
        "XNACK s g FAIL IDS 1 1-1 FORCE",
    ]);
    let both = [one("array", 1, &["a"]), one("given-back", 1, &["s"])];
    converted(&place, "a.aof --for redis-8.6", &both);
    converted(&place, "a.aof --for valkey-9.1 --format rdb", &both);
    converted(&place, "a.aof --for redis-8.8", &[]);
    // No RDB version with them is written.
    converted(&place, "a.aof --for redis-8.8 --format rdb", &both);
    let run = place.run(&["convert", "a.aof", "--for", "redis-8.8", "--format", "rdb", "-n"]);
    assert!(unbroken(&run).contains("1 array: left out with the whole key; --format aof keeps it"));
}

#[test]
fn ids_of_producers_are_named() {
    let place = log_of(&[
        "XADD s IDMP p i 1-1 f v",
        "XADD t IDMPAUTO p 1-1 f v",
        "XADD u IDMP p i 1-1 f v",
        "XADD u IDMP p i * f v",
    ]);
    converted(&place, "a.aof --for redis-8.2", &[one("stream-producers", 3, &["s", "t", "u"])]);
    converted(&place, "a.aof --for redis-8.6 --format rdb", &[one("computed-ids", 1, &["t"])]);
    // The duplicate is counted in u, which no command can restore.
    converted(&place, "a.aof --for redis-8.6", &[one("producer-counters", 1, &["u"])]);
}

#[test]
fn functions_are_lost_before_redis_7() {
    let place = Place::new();
    let code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    place.put("a.aof", [command(&["FUNCTION", "LOAD", code]), sound()].concat());
    converted(&place, "a.aof --for redis-6.2", &[one("functions", 1, &["lib"])]);
    let written = converted(&place, "a.aof --for valkey-8.0", &[]);
    assert!(String::from_utf8_lossy(&written).contains("register_function"));
    // A library for another engine goes only where that is loaded, and only in an RDB.
    let place = rdb_of("REDIS0011", &[library(&LUA.replace("lua", "js")), string()]);
    let js = [one("functions", 1, &["a"])];
    converted(&place, "dump.rdb --for valkey-9.1", &js);
    converted(&place, "dump.rdb --for valkey-9.1 --module js", &[]);
    converted(&place, "dump.rdb --for valkey-9.1 --module js --format aof", &js);
}

#[test]
fn data_of_modules_goes_where_the_module_is() {
    let place = rdb_of("REDIS0012", &[aux("graphdata"), string(), key("graphdata")]);
    let both = [one("module-value", 1, &["m"]), one("module-aux", 1, &["graphdata"])];
    let written = converted(&place, "dump.rdb --for redis-8.2", &both);
    assert!(!written.windows(9).any(|bytes| bytes == b"graphdata"));
    converted(&place, "dump.rdb --for redis-8.2 --module graphdata", &[]);
    converted(&place, "dump.rdb --for redis-8.2 --module graphdata --format aof", &both);
}

/// The parameters of the first node, as Redis 8.0.2 and 8.2.3 write them: the level of the latter has a version.
fn vectors(level: &[u8]) -> Vec<u8> {
    let start = b"\x02\x02\x02\x01\x02\x50\x01\x02\0\x05\x01e\x05\x02\x7f\x3f\x02\x02\x02\x01\x02";
    [b"\xfe\0\x07\x01v", &module_id("vectorset", 0)[..], start, level, b"\0"].concat()
}

#[test]
fn vector_sets_of_redis_8_2_do_not_go_to_redis_8_0() {
    let place = rdb_of("REDIS0012", &[vectors(b"\x80\x01\0\0\0")]);
    let vector = [one("vector-set", 1, &["v"])];
    converted(&place, "dump.rdb --for redis-8.0", &vector);
    converted(&place, "dump.rdb --for redis-8.2", &[]);
    converted(&place, "dump.rdb --for valkey-9.1", &vector);
    let run = place.run(&["compact", "dump.rdb", "--for", "redis-8.0", "-o", "small"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("key \"v\" of database 0 is a vector set of a newer version"));
    for way in [["--for", "redis-8.2"], ["--exclude", "v"]] {
        let args = [&["compact", "dump.rdb", "--for", "redis-8.0", "-n"][..], &way].concat();
        let args = if way[0] == "--for" { [&args[..2], &args[4..]].concat() } else { args };
        assert_eq!(place.run(&args).code, Some(0), "{args:?}");
    }
    let place = rdb_of("REDIS0012", &[vectors(b"\x01")]);
    converted(&place, "dump.rdb --for redis-8.0", &[]);
}

fn field(name: &str, value: &str) -> Vec<u8> {
    let text = |t: &str| [&[u8::try_from(t.len()).expect("short")], t.as_bytes()].concat();
    [vec![0xfa], text(name), text(value)].concat()
}

/// A set of KeyDB with members a and b, of which these expire at these times.
pub(super) fn of_keydb(members: &[(&str, &str)]) -> Vec<u8> {
    let mut content =
        vec![field("mvcc-tstamp", "1787000000000"), b"\xfe\0\x02\x01s\x02\x01a\x01b".to_vec()];
    for (name, time) in members {
        content.push(field("keydb-subexpire-key", name));
        content.push(field("keydb-subexpire-when", time));
    }
    content.push(b"\0\x01k\x01v".to_vec());
    rdb("REDIS0009", &content)
}

#[test]
fn expiries_that_only_keydb_has_are_never_dropped_in_silence() {
    let place = Place::new();
    place.put("dump.rdb", of_keydb(&[("a", "4102444800000"), ("b", "1500000000000")]));
    for form in ["rdb", "aof"] {
        let run = place.run(&["compact", "dump.rdb", "--format", form, "-o", "small"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("key \"s\" of database 0"), "{run:#?}");
        assert!(run.stderr.contains("members that expire, which only KeyDB has"), "{run:#?}");
        assert!(run.stderr.contains("convert --for VERSION --allow-loss"), "{run:#?}");
        let run = place.run(&["compact", "dump.rdb", "--exclude", "s", "-n", "--format", form]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let kinds = [one("keydb-member-expiry", 1, &["s"]), one("passed-fields", 1, &["s"])];
    let written = converted(&place, "dump.rdb --for redis-7.2 --format aof", &kinds);
    assert_eq!(
        String::from_utf8(written).unwrap(),
        String::from_utf8([lines(&["SELECT 0", "SADD s a", "SET k v"])].concat()).unwrap()
    );
    // Members and keys that are gone have no expiry any more.
    place.put_set(
        "set",
        &[
            ("appendonly.aof.1.base.rdb", &of_keydb(&[("a", "4102444800000")])),
            ("appendonly.aof.1.incr.aof", &lines(&["RENAME s t", "SREM t a"])),
        ],
    );
    assert_eq!(place.run(&["compact", "set", "-n"]).code, Some(0));
    place.put("set/appendonly.aof.1.incr.aof", lines(&["RENAME s t"]));
    let run = place.run(&["compact", "set", "-n"]);
    assert!(run.stderr.contains("key \"t\" of database 0"), "{run:#?}");
}

#[test]
fn access_counters_and_unknown_fields_are_named() {
    let content = [
        field("lua", "return 1"),
        field("redis-ver", "6.2.5"),
        b"\xfe\0\xf9\x07\0\x01k\x01v".to_vec(),
    ];
    let place = rdb_of("REDIS0009", &content);
    let kinds = [one("access-info", 1, &["k"]), one("aux-fields", 1, &["lua"])];
    converted(&place, "dump.rdb --for redis-7.2", &kinds);
}

#[test]
fn keys_that_are_excluded_are_no_loss() {
    let place = log_of(&["HSET h f v", "HPEXPIREAT h 4102444800000 FIELDS 1 f", "SET k v"]);
    converted(&place, "a.aof --for redis-6.2 --exclude h", &[]);
    converted(&place, "a.aof --for redis-6.2 --pattern h", &[one("hash-field-expiry", 1, &["h"])]);
}

#[test]
fn the_form_is_one_that_the_server_reads() {
    let place = Place::new();
    place.put_set("commands", &[("appendonly.aof.1.incr.aof", &sound())]);
    place.run(&["compact", "commands", "--format", "rdb", "-o", "dump.rdb"]);
    place.run(&["compact", "dump.rdb", "-o", "set"]);
    for (input, server, form) in [
        ("commands", "valkey-9.1", "multipart-aof"),
        ("commands", "redis-6.2", "aof"),
        ("set", "valkey-9.1", "multipart"),
        ("set", "redis-6.2", "preamble"),
        ("set", "redis-4.0", "aof"),
        ("dump.rdb", "redis-6.2", "rdb"),
        ("dump.rdb", "redis-4.0", "aof"),
    ] {
        let run = place.run(&["convert", input, "--for", server, "-n", "--json"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let report: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["result"]["form"], form, "{input} for {server}");
    }
    place.put("a.aof", lines(&["XADD s 1-1 f v"]));
    converted(&place, "a.aof --for redis-4.0", &[one("stream", 1, &["s"])]);
}

#[test]
fn a_refusal_leaves_an_output_as_it_is() {
    let place = log_of(&["HSET h f v", "HPEXPIREAT h 4102444800000 FIELDS 1 f"]);
    place.run(&["compress", "a.aof", "-o", "a.zip"]);
    place.put("old.aof", sound());
    place.run(&["compact", "old.aof", "--format", "multipart", "--for", "redis-7.0", "-o", "set"]);
    let before = place.names();
    for (input, output, form) in
        [("a.aof", "old.aof", "aof"), ("a.aof", "set", "multipart"), ("a.zip", "new", "multipart")]
    {
        let args =
            ["convert", input, "--for", "redis-7.0", "--format", form, "-o", output, "--force"];
        let run = place.run(&args);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stdout.contains("NOT CONVERTED"), "{run:#?}");
        assert_eq!(place.names(), before);
    }
    assert_eq!(place.read("old.aof"), sound());
}

#[test]
fn commands_are_read_as_by_the_server_that_logged_them() {
    // Redis 6.2 has none of these commands, which is no reason to lose what they do.
    let place = log_of(&["SET k v", "GETEX k PXAT 4102444800000", "HSETEX h FIELDS 1 f v"]);
    let run = place.run(&["convert", "a.aof", "--for", "redis-6.0", "-o", "out"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = String::from_utf8(place.read("out")).unwrap();
    assert!(written.contains("4102444800000") && written.contains("HMSET"), "{written}");
}

#[test]
fn keys_that_are_not_understood_go_as_commands_only() {
    let place = log_of(&["SET k v", "JSON.SET j $ 1"]);
    let carried = place.run(&["convert", "a.aof", "--for", "redis-8.2", "-o", "out"]);
    assert_eq!(carried.code, Some(0), "{carried:#?}");
    assert!(carried.stdout.contains("carried"), "{carried:#?}");
    fs::remove_file(place.path("out")).unwrap();
    let key = one("unknown-commands", 1, &["j"]);
    converted(&place, "a.aof --for redis-8.2 --format rdb", &[key]);
}

#[test]
fn the_refusal_says_what_to_add() {
    let place = log_of(&["HSET h f v", "HPEXPIREAT h 4102444800000 FIELDS 1 f"]);
    let args = ["convert", "a.aof", "--for", "redis-6.2", "-o", "out"];
    let run = place.run(&args);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let end = "NOT CONVERTED: not everything can go to redis-6.2 as aof; nothing was written\n\
               Add --allow-loss to write the data set without it.\n";
    assert!(run.stdout.ends_with(end), "{run:#?}");
    assert!(run.stdout.contains("key \"h\" of database 0"), "{run:#?}");
    let quiet = place.run(&[&args[..], &["--quiet"]].concat());
    assert!(quiet.stdout.is_empty() && quiet.stderr.ends_with(end), "{quiet:#?}");
    let run = place.run(&[&args[..], &["--allow-loss"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let end = "CONVERTED: written to out for redis-6.2, without what cannot go, read back and identical\n";
    assert!(run.stdout.ends_with(end), "{run:#?}");
    assert_eq!(place.run(&["convert", "a.aof", "-o", "x"]).code, Some(2), "--for is required");
    let run = place.run(&["convert", "a.aof", "--for", "redis-6.2"]);
    assert!(run.stderr.contains("no destination given"), "{run:#?}");
}
