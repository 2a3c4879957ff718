//! Recover: what a look says, what is written, and that the log is never touched.

use std::process::Child;
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use super::*;

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The commands of a log, one a line, arguments separated by blanks.
fn log(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

const SHOP: &str = "SET a 1\nSELECT 2\nRPUSH l x y\nSELECT 0\nSET b 2";

/// Content and time of a file.
fn state(place: &Place, name: &str) -> (Vec<u8>, SystemTime) {
    (place.read(name), fs::metadata(place.path(name)).unwrap().modified().unwrap())
}

#[test]
fn a_look_answers_first_and_changes_nothing() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nFLUSHALL")));
    let before = state(&place, "a.aof");
    let mut run = place.run(&["recover", "a.aof"]);
    // The bars have a test of their own.
    let is_bar = |line: &&str| line.contains('█') || line.starts_with("  event ");
    assert_eq!(run.stdout.lines().filter(is_bar).count(), 3, "{run:#?}");
    let others = run.stdout.lines().filter(|line| !is_bar(line));
    run.stdout = others.map(|line| format!("{line}\n")).collect();
    run.ends(
        1,
        "YES, your data is still there: 3 keys. The log ends in a FLUSHALL; everything
before it is intact. Nothing was changed.

  log         a.aof: 1 part, 154 bytes, 6 commands

  before it   3 keys
              db 0: 2 string
              db 2: 1 list
  now         0 keys

  keys over the log, from its beginning to its end

  what destroyed data, in the order of the log
     1  FLUSHALL, a.aof:136 (#6); lost 3 keys
        undo: aofkit recover a.aof --strip --output recovered.aof

If a server still runs on this log, first, in this order:
  1. Turn off automatic rewrites: a rewrite saves what the server has now and
     deletes the log that has your data. `aofkit recover --hold` does this and
     secures the log.
       redis-cli CONFIG SET auto-aof-rewrite-percentage 0
  2. Stop it without saving: a save overwrites dump.rdb with what the server has
     now, and so does a normal shutdown if save points are set.
       redis-cli SHUTDOWN NOSAVE

Recover it to a new path; nothing here is changed:
       aofkit recover a.aof --strip --output recovered.aof
",
        "",
    );
    assert_eq!((place.names(), state(&place, "a.aof")), (vec!["a.aof".to_owned()], before));
}

/// Every form in which a FLUSHALL can end a log, and what stripping must leave of it.
#[test]
fn every_form_of_a_trailing_flush_is_stripped_and_nothing_else() {
    let cases = [
        ("FLUSHALL", ""),
        ("flushall", ""),
        ("FlushAll ASYNC", ""),
        ("FLUSHALL sync", ""),
        ("FLUSHALL\nFLUSHALL ASYNC", ""),
        ("FLUSHALL\nSELECT 3\nPING", "SELECT 3\nPING"),
        ("FLUSHALL\nFLUSHDB", "FLUSHDB"),
        ("MULTI\nFLUSHALL\nEXEC", ""),
        ("MULTI\nSELECT 1\nFLUSHALL\nEXEC\nPING", "SELECT 1\nPING"),
        ("MULTI\nSET c 3\nFLUSHALL\nEXEC", "MULTI\nSET c 3\nEXEC"),
        ("GET a\nFLUSHALL\nGET a", "GET a\nGET a"),
    ];
    for (end, left) in cases {
        let place = Place::new();
        place.put("a.aof", log(&format!("{SHOP}\n{end}")));
        let look = json(&place.run(&["recover", "a.aof", "--json"]));
        assert_eq!(look["verdict"]["kind"], "ends-in-flush", "{end}: {look:#}");
        let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
        assert_eq!(run.code, Some(0), "{end}: {run:#?}");
        let expected = if left.is_empty() { log(SHOP) } else { log(&format!("{SHOP}\n{left}")) };
        assert_eq!(
            String::from_utf8_lossy(&place.read("b.aof")),
            String::from_utf8_lossy(&expected),
            "{end}"
        );
        let alias = place.run(&["strip-flushall", "a.aof", "-o", "c.aof"]);
        assert_eq!(alias.code, Some(0), "{end}: {alias:#?}");
        assert_eq!(place.read("c.aof"), expected);
    }
}

#[test]
fn an_incomplete_end_and_annotations_hide_no_flush() {
    let place = Place::new();
    let shop = log(SHOP);
    let ends: [&[u8]; 4] = [
        b"#TS:1700000000\r\n",
        b"*3\r\n$3\r\nSET",
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\ny\r\n",
        b"*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSE",
    ];
    for end in ends {
        place.put("a.aof", [&shop[..], &command(&["FLUSHALL"]), end].concat());
        let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof", "--force"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        // What no server reads goes, for a server could refuse it; an annotation stays.
        let kept = if end.starts_with(b"#") { end } else { b"" };
        assert_eq!(place.read("b.aof"), [&shop[..], kept].concat());
    }
}

/// The steps after it would start a server that refuses the log, or crashes on it.
#[test]
fn a_result_that_servers_refuse_is_reported_with_a_way_out() {
    let place = Place::new();
    let bad = [log(SHOP), command(&["SET", "k"]), log("SET c 3")].concat();
    place.put("a.aof", [bad.clone(), command(&["FLUSHALL"])].concat());
    let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let at = format!("error: b.aof: byte {}: a command with a wrong number", log(SHOP).len());
    assert!(run.stdout.contains(&at), "{run:#?}");
    assert_eq!(place.read("b.aof"), bad, "the result is what was asked for");
    let help = "`aofkit repair b.aof --drop-failing --output NEW`";
    assert!(run.stdout.contains(help), "{run:#?}");
    let quiet = place.run(&["-q", "recover", "a.aof", "--strip", "--force", "-o", "b.aof"]);
    assert!(quiet.code == Some(1) && quiet.stderr.contains(&at), "{quiet:#?}");
    let mended = place.run(&["repair", "b.aof", "--drop-failing", "--output", "c.aof"]);
    assert_eq!(mended.code, Some(0), "{mended:#?}");
    assert_eq!(place.read("c.aof"), [log(SHOP), log("SET c 3")].concat());
    assert_eq!(place.run(&["verify", "c.aof"]).code, Some(0));
}

#[test]
fn a_flush_with_writes_behind_it_is_not_stripped_and_the_choices_are_told() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nFLUSHALL\nSET a new\nSET c 3")));
    let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("the log does not end in a FLUSHALL"), "{run:#?}");
    assert!(run.stderr.contains("--excise 1"), "{run:#?}");
    let look = json(&place.run(&["recover", "a.aof", "--json"]));
    assert_eq!(look["verdict"], serde_json::json!({"kind": "flush-within", "event": 1}));
    assert_eq!((&look["before"]["total"], &look["now"]["total"]), (&3.into(), &2.into()));
    assert_eq!(look["events"][0]["keys_since"], 2);
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn excise_keeps_later_writes_and_tells_what_comes_out_otherwise() {
    let place = Place::new();
    let later = "SET a new\nAPPEND b x\nRPUSH n 1\nSELECT 2\nSET l string\nHSET l f v";
    place.put("a.aof", log(&format!("{SHOP}\nFLUSHALL\n{later}")));
    let run = place.run(&["recover", "a.aof", "--excise", "1", "-o", "b.aof", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("b.aof"), log(&format!("{SHOP}\n{later}")));
    let done = &json(&run)["done"];
    let conflicts = &done["conflicts"];
    // `a` and `l` are overwritten, `n` is new; to `b`, old and new are joined.
    assert_eq!((&conflicts["unchanged"], &conflicts["mixed"]), (&3.into(), &1.into()), "{done:#}");
    assert_eq!(conflicts["examples"][0]["key"], "\"b\"");
    assert_eq!(done["holds"]["total"], 4);
}

#[test]
fn later_commands_that_fail_on_old_data_are_told() {
    let place = Place::new();
    place.put(
        "a.aof",
        log(&format!("{SHOP}\nFLUSHALL\nRPUSH a x\nSETNX b 9\nPEXPIREAT b 5\nSET t 1")),
    );
    let run = place.run(&["recover", "a.aof", "--excise", "1", "-o", "b.aof", "--json"]);
    let conflicts = json(&run)["done"]["conflicts"].clone();
    assert_eq!(conflicts["other_type"], 1, "{conflicts:#}");
    assert_eq!(conflicts["commands"][0]["command"], "RPUSH");
    assert_eq!(conflicts["commands"][0]["fail_now"], 1);
}

#[test]
fn a_run_of_deletions_is_told_and_can_be_taken_out() {
    let place = Place::new();
    let keys: Vec<String> = (0..300).map(|n| format!("k{n}")).collect();
    let sets: String = keys.iter().map(|key| format!("SET {key} v\n")).collect();
    let dels: String = keys.iter().map(|key| format!("UNLINK {key}\nPING\n")).collect();
    // A flush of nothing that follows hides nothing.
    place.put("a.aof", log(&format!("{sets}{dels}FLUSHALL")));
    let look = json(&place.run(&["recover", "a.aof", "--json"]));
    assert_eq!(look["verdict"]["kind"], "deletions");
    assert_eq!(look["excise"], serde_json::json!([1, 2]));
    place.put("a.aof", log(&format!("{sets}{dels}SET last 1")));
    let look = json(&place.run(&["recover", "a.aof", "--json"]));
    let event = &look["events"][0];
    assert_eq!((&event["what"], &event["keys_lost"]), (&"delete".into(), &300.into()), "{look:#}");
    assert_eq!(look["verdict"]["kind"], "deletions");
    let run = place.run(&["recover", "a.aof", "--excise", "1", "-o", "b.aof", "--json"]);
    assert_eq!(json(&run)["done"]["holds"]["total"], 301, "{run:#?}");
    let pings = "PING\n".repeat(300);
    assert_eq!(place.read("b.aof"), log(&format!("{sets}{pings}SET last 1")));
}

#[test]
fn renames_are_told_where_they_replaced_a_key() {
    let place = Place::new();
    let filler = "SET x 1\n".repeat(20);
    place.put("a.aof", log(&format!("{SHOP}\nRENAME b c\n{filler}RENAME c a\n{filler}SET d 1")));
    let look = json(&place.run(&["recover", "a.aof", "--json"]));
    let events = look["events"].as_array().unwrap();
    assert_eq!(events.len(), 1, "{look:#}");
    assert_eq!((&events[0]["number"], &events[0]["keys_lost"]), (&2.into(), &1.into()));
}

#[test]
fn a_flush_of_one_database_is_taken_out_of_its_transaction() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nSELECT 2\nMULTI\nFLUSHDB\nSET m 1\nEXEC")));
    let run = place.run(&["recover", "a.aof", "--excise", "1", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("b.aof"), log(&format!("{SHOP}\nSELECT 2\nMULTI\nSET m 1\nEXEC")));
}

#[test]
fn everything_before_a_point_is_kept_and_no_transaction_is_cut_in_two() {
    let place = Place::new();
    let head = log("SET a 1\nSET b 2");
    let timed = [
        &head[..],
        b"#TS:1700000000\r\n",
        &log("SET c 3"),
        b"#TS:1700000060\r\n",
        &log("MULTI\nSET d 4\nSET e 5\nEXEC\nFLUSHALL\nSET f 6"),
    ]
    .concat();
    place.put("a.aof", &timed);
    let multi = timed.len() - log("MULTI\nSET d 4\nSET e 5\nEXEC\nFLUSHALL\nSET f 6").len();
    let behind_exec = multi + log("MULTI\nSET d 4\nSET e 5\nEXEC").len();
    let cases = [
        ("a.aof:27".to_owned(), 27),
        ("1:27".to_owned(), 27),
        ("#2".to_owned(), 27),
        ("#8".to_owned(), behind_exec),
        // Inside the transaction: before its MULTI.
        ("#6".to_owned(), multi),
        (format!("a.aof:{}", multi + 15), multi),
        // The annotation is removed with the commands that it dates.
        ("1700000060".to_owned(), multi - 16),
        ("1700000001".to_owned(), multi - 16),
        ("1700000000".to_owned(), head.len()),
        ("0".to_owned(), head.len()),
    ];
    for (position, kept) in cases {
        let run = place.run(&[
            "recover",
            "a.aof",
            "--until",
            &position,
            "-o",
            "b.aof",
            "--force",
            "--no-backup",
        ]);
        assert_eq!(run.code, Some(0), "{position}: {run:#?}");
        assert_eq!(place.read("b.aof"), timed[..kept], "{position}");
    }
    let refused = [
        ("a.aof:5", "this is inside the command that begins at byte 0"),
        ("a.aof:9999", "there is no byte 9999"),
        ("b.aof:1", "the log has no part b.aof"),
        ("#10", "the log has only 9 commands"),
        ("1800000000", "the log ends before that time"),
    ];
    fs::remove_file(place.path("b.aof")).unwrap();
    for (position, why) in refused {
        let run = place.run(&["recover", "a.aof", "--until", position, "-o", "b.aof"]);
        assert_eq!(run.code, Some(2), "{position}: {run:#?}");
        assert!(run.stderr.contains(why), "{position}: {run:#?}");
        assert_eq!(place.names(), ["a.aof"]);
    }
    place.put("c.aof", &head);
    let run = place.run(&["recover", "c.aof", "--until", "1700000000", "-o", "b.aof"]);
    assert!(run.stderr.contains("the log does not tell when its commands were run"), "{run:#?}");
}

#[test]
fn a_damaged_log_can_be_cut_before_the_damage_and_nowhere_else() {
    let place = Place::new();
    let bytes = [&log(SHOP)[..], b"\0\0noise", &log("SET z 1\nFLUSHALL")].concat();
    place.put("a.aof", &bytes);
    let look = place.run(&["recover", "a.aof"]);
    assert_eq!(look.code, Some(1), "{look:#?}");
    assert!(look.stdout.contains("DAMAGED"), "{look:#?}");
    let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("aofkit repair"), "{run:#?}");
    let run = place.run(&["recover", "a.aof", "--until", "#5", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("b.aof"), log("SET a 1\nSELECT 2\nRPUSH l x y\nSELECT 0"));
}

/// Strings of the databases 0 and 2, as a compaction writes them.
fn strings(place: &Place, name: &str) -> Vec<String> {
    let text = String::from_utf8(place.read(name)).unwrap();
    let words: Vec<&str> =
        text.split("\r\n").filter(|word| !word.starts_with(['*', '$'])).collect();
    let mut found: Vec<String> = words
        .windows(3)
        .filter(|words| words[0] == "SET")
        .map(|words| format!("{}={}", words[1], words[2]))
        .collect();
    found.sort();
    found
}

#[test]
fn both_sides_of_a_flush_are_joined_key_by_key() {
    let place = Place::new();
    let old = "SET a old\nSET b old\nSET gone old\nPEXPIREAT gone 1000";
    place.put("a.aof", log(&format!("{old}\nFLUSHALL\nSET b new\nSET c new")));
    let run = |winner: &str, expired: &str| {
        let args = ["recover", "a.aof", "--merge", winner, "--expired", expired, "-o", "b.aof"];
        let run = place.run(&[&args[..], &["--force", "--json"]].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
        (json(&run)["done"]["joined"].clone(), strings(&place, "b.aof"))
    };
    let (reported, found) = run("newer", "drop");
    assert_eq!(found, ["a=old", "b=new", "c=new"]);
    assert_eq!(
        (&reported["brought_back"], &reported["on_both_sides"]),
        (&1.into(), &1.into()),
        "{reported:#}"
    );
    assert_eq!(
        (&reported["expired"], &reported["expired_keys"][0]),
        (&1.into(), &"\"gone\"".into())
    );
    let (_, found) = run("older", "drop");
    assert_eq!(found, ["a=old", "b=old", "c=new"]);
    let (_, found) = run("newer", "persist");
    assert_eq!(found, ["a=old", "b=new", "c=new", "gone=old"]);
    let log = fs::read(place.path("b.aof")).unwrap();
    assert!(!String::from_utf8_lossy(&log).contains("PEXPIREAT"), "it would expire at once");
}

#[test]
fn numbers_that_go_back_are_listed_before_anything_is_written() {
    let place = Place::new();
    let lines = "SET order 1042\nSET stock 5\nSET name x\nSET same 7\nSET gone 1\nFLUSHALL
INCR order\nSET stock 9\nSET name y\nSET same 7";
    place.put("a.aof", log(lines));
    // Taken from the newer side, the order numbers begin again; from the older one, the stock goes back.
    let cases = [
        (&["--merge", "newer"][..], "order", 1, 1042),
        (&["--merge", "older"], "stock", 5, 9),
        (&["--undelete", "*"], "order", 1, 1042),
    ];
    for (how, key, result, other) in cases {
        let args = [&["recover", "a.aof", "--dry-run"], how].concat();
        let run = place.run(&[&args[..], &["--json"]].concat());
        let joined = json(&run)["done"]["joined"].clone();
        assert_eq!(joined["lower"], 1, "{how:?}: {run:#?}");
        let expected = serde_json::json!([
            { "db": 0, "key": format!("\"{key}\""), "result": result, "other": other }
        ]);
        assert_eq!(joined["lower_keys"], expected, "{how:?}");
        let text = place.run(&args).stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(&format!("\"{key}\" {result} (not {other})")), "{text}");
        assert_eq!(place.names(), ["a.aof"]);
    }
}

#[test]
fn single_keys_are_brought_back_as_they_were_last() {
    let place = Place::new();
    let lines = "SET user:1 first\nSET user:1 last\nSET user:2 x\nSET other 1\nDEL user:1 other
SET user:3 y\nFLUSHALL\nSET user:3 again\nSET z 1";
    place.put("a.aof", log(lines));
    let run = place.run(&["recover", "a.aof", "--undelete", "user:*", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(strings(&place, "b.aof"), ["user:1=last", "user:2=x", "user:3=again", "z=1"]);
}

#[test]
fn one_database_is_recovered_and_the_others_stay() {
    let place = Place::new();
    let old = "SET a old\nSELECT 2\nSET t old\nSELECT 0";
    place.put("a.aof", log(&format!("{old}\nFLUSHALL\nSET b new\nSELECT 2\nSET u new")));
    for choice in [["--until", "#5"], ["--merge", "newer"]] {
        let args =
            ["recover", "a.aof", choice[0], choice[1], "--db", "2", "-o", "b.aof", "--force"];
        let run = place.run(&args);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let expected: &[&str] =
            if choice[0] == "--until" { &["b=new", "t=old"] } else { &["b=new", "t=old", "u=new"] };
        assert_eq!(strings(&place, "b.aof"), expected, "{choice:?}");
    }
}

#[test]
fn a_set_stays_a_set_whichever_part_the_cut_is_in() {
    let place = Place::new();
    let [base, one, two] =
        ["appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"];
    let (first, second) = (log("SET a 1\nFLUSHALL"), log("SELECT 0\nPING"));
    place.put_set("set", &[(base, b""), (one, &first), (two, &second)]);
    let run = place.run(&["recover", "set", "--strip", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read(format!("new/{one}")), log("SET a 1"));
    assert_eq!(place.read(format!("new/{two}")), second);
    let run = place.run(&["recover", "set", "--until", "#1", "-o", "cut"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(
        String::from_utf8(place.read("cut/appendonly.aof.manifest")).unwrap(),
        format!("file {base} seq 1 type b\n")
    );
    assert!(!place.path(format!("cut/{one}")).exists());
    assert_eq!(place.run(&["verify", "cut"]).code, Some(0));
}

#[test]
fn what_a_rewrite_has_replaced_is_found_and_taken() {
    let place = Place::new();
    let [old_base, old, base, incr] = [
        "appendonly.aof.1.base.aof",
        "appendonly.aof.1.incr.aof",
        "appendonly.aof.2.base.aof",
        "appendonly.aof.2.incr.aof",
    ];
    let written = log("SET a 1\nSET b 2\nFLUSHALL");
    place.put_set("set", &[(old_base, b""), (old, &written), (base, b""), (incr, &log("SET c 3"))]);
    place.put(
        "set/appendonly.aof.manifest",
        format!(
            "file {base} seq 2 type b\nfile {old} seq 1 type h\nfile {old_base} seq 1 type h\nfile {incr} seq 2 type i\n"
        ),
    );
    let look = json(&place.run(&["recover", "set", "--json"]));
    assert_eq!(look["verdict"]["kind"], "nothing", "{look:#}");
    let candidate = &look["candidates"][0];
    assert_eq!((&candidate["kind"], &candidate["holds"]["total"]), (&"history".into(), &2.into()));
    assert_eq!(candidate["ends_in_flush"], true);
    let run = place.run(&["recover", "set", "--candidate", "1", "--strip", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read(format!("new/{old}")), log("SET a 1\nSET b 2"));
    assert!(place.run(&["verify", "new"]).stdout.contains("\nSOUND: every byte read: 2 commands"));
    let args = ["recover", "set", "--candidate", "1", "--merge", "newer", "-o", "both", "--json"];
    assert_eq!(json(&place.run(&args))["done"]["holds"]["total"], 3);
}

#[test]
fn snapshots_and_leftovers_are_reported() {
    let place = Place::new();
    place.put("appendonly.aof", b"");
    place.put("dump.rdb", b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0");
    place.put("temp-rewriteaof-7.aof", log("SET a 1"));
    let look = json(&place.run(&["recover", "appendonly.aof", "--json"]));
    let reported: Vec<_> = look["candidates"].as_array().unwrap().iter().collect();
    let totals: Vec<_> =
        reported.iter().map(|candidate| candidate["holds"]["total"].clone()).collect();
    assert_eq!(totals, [1, 1], "{look:#}");
    let run = place.run(&["recover", "appendonly.aof"]);
    assert!(run.stdout.contains("cp -p ./dump.rdb ./dump.rdb.kept"), "{run:#?}");
}

#[test]
fn in_place_the_original_is_saved_next_to_the_result() {
    let place = Place::new();
    let flushed = log(&format!("{SHOP}\nFLUSHALL"));
    place.put("a.aof", &flushed);
    let run = place.run(&["recover", "a.aof", "--strip", "--in-place"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("a.aof"), log(SHOP));
    let names = place.names();
    let [_, backup] = names.as_slice() else { panic!("{names:?}") };
    assert!(backup.starts_with("a.aof.bak-"), "{backup}");
    assert_eq!(place.read(backup), flushed);
}

#[test]
fn in_place_is_refused_while_a_process_writes_to_the_log() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nFLUSHALL")));
    let before = state(&place, "a.aof");
    let run = place.shell("exec 3>>a.aof; \"$0\" recover a.aof --strip --in-place; exit $?");
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("has it open for writing"), "{run:#?}");
    assert_eq!((place.names(), state(&place, "a.aof")), (vec!["a.aof".to_owned()], before));
    let run = place.shell("exec 3>>a.aof; \"$0\" recover a.aof; exit $?");
    assert!(run.stdout.contains("A SERVER IS RUNNING ON THIS LOG"), "{run:#?}");
    let run =
        place.shell("exec 3>>a.aof; \"$0\" recover a.aof --strip --in-place --force; exit $?");
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// A server must be able to open what is in place of its log.
#[test]
fn in_place_the_rights_stay_as_they_were() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let name = "appendonly.aof.1.incr.aof";
    let flushed = log(&format!("{SHOP}\nFLUSHALL"));
    let modes = [("set".to_owned(), 0o750), (format!("set/{name}"), 0o640)];
    for choice in [&["--strip"][..], &["--undelete", "*"]] {
        place.put_set("set", &[("appendonly.aof.1.base.aof", b""), (name, &flushed)]);
        for (path, mode) in &modes {
            fs::set_permissions(place.path(path), fs::Permissions::from_mode(*mode)).unwrap();
        }
        let run = place.run(&[&["recover", "set", "--in-place"], choice].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
        for (path, mode) in &modes {
            let now = fs::metadata(place.path(path)).unwrap().permissions().mode();
            assert_eq!(now & 0o777, *mode, "{path} after {choice:?}");
        }
    }
}

#[test]
fn a_dry_run_tells_what_the_result_holds_and_writes_nothing() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nFLUSHALL\nSET a new\nSELECT 2\nRPUSH l z")));
    let choices = [["--excise", "1"], ["--until", "#6"], ["--merge", "newer"], ["--undelete", "*"]];
    for choice in choices {
        let dry = place.run(&["recover", "a.aof", choice[0], choice[1], "--json", "--dry-run"]);
        assert_eq!((dry.code, place.names()), (Some(1), vec!["a.aof".to_owned()]), "{dry:#?}");
        let done = place.run(&["recover", "a.aof", choice[0], choice[1], "--json", "-o", "b.aof"]);
        assert_eq!(done.code, Some(0), "{done:#?}");
        assert_eq!(json(&dry)["done"]["holds"], json(&done)["done"]["holds"], "{choice:?}");
        fs::remove_file(place.path("b.aof")).unwrap();
    }
}

#[test]
fn what_a_manifest_does_not_list_any_more_is_found() {
    let place = Place::new();
    let [old, base, incr] =
        ["appendonly.aof.1.incr.aof", "appendonly.aof.2.base.aof", "appendonly.aof.2.incr.aof"];
    place.put_set("set", &[(base, b""), (incr, b"")]);
    place.put(format!("set/{old}"), log("SET a 1\nFLUSHALL"));
    place.put("appendonly.aof", log("SET old 1\nSET older 2"));
    let run = place.run(&["recover", "set", "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let look = json(&run);
    assert_eq!(look["verdict"]["kind"], "empty");
    let reported: Vec<_> = look["candidates"].as_array().unwrap().iter().collect();
    let reported: Vec<_> = reported
        .iter()
        .map(|candidate| (&candidate["kind"], &candidate["holds"]["total"]))
        .collect();
    let expected = ["unlisted".into(), serde_json::json!({"file": "old-single-file"})];
    assert_eq!(reported, [(&expected[0], &1.into()), (&expected[1], &2.into())], "{look:#}");
    // A server that has a set loads nothing else, so that the file becomes the base of one.
    let run = place.run(&["recover", "set", "--candidate", "2", "--strip", "-o", "b"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let base = "appendonly.aof.1.base.aof";
    assert_eq!(place.read(format!("b/{base}")), log("SET old 1\nSET older 2"));
    let manifest = format!("file {base} seq 1 type b\n");
    assert_eq!(place.read("b/appendonly.aof.manifest"), manifest.as_bytes());
}

#[test]
fn nonsense_is_refused_with_the_way_out() {
    let place = Place::new();
    place.put("a.aof", log(&format!("{SHOP}\nRENAME a b\nFLUSHALL")));
    let cases: [(&[&str], &str); 6] = [
        (&["a.aof", "--strip"], "no destination given for the recovered log"),
        (&["a.aof", "-o", "b.aof"], "no recovery option given"),
        (&["a.aof", "--excise", "7", "-o", "b.aof"], "the timeline has no event 7"),
        (&["a.aof", "--excise", "1", "-o", "b.aof"], "event 1 is a rename"),
        (
            &["a.aof", "--candidate", "1", "--strip", "-o", "b.aof"],
            "there is no recovery candidate 1",
        ),
        (&["b.aof"], "cannot open b.aof"),
    ];
    for (args, why) in cases {
        let run = place.run(&[&["recover"], args].concat());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.contains(why), "{args:?}: {run:#?}");
        assert_eq!(place.names(), ["a.aof"]);
    }
}

#[test]
fn nothing_is_left_where_the_output_does_not_fit() {
    let place = Place::new();
    let bytes = [log("SET a 1").repeat(20_000), log("FLUSHALL\nSET b 2")].concat();
    place.put("a.aof", &bytes);
    let before = state(&place, "a.aof");
    for choice in ["--excise 1", "--until '#20001'"] {
        for output in ["--output b.aof", "--in-place"] {
            // The signal of a file that grows too large is ignored, so that the write fails as on a full disk.
            let run = place.shell(&format!(
                "trap '' XFSZ; ulimit -f 100; exec \"$0\" recover a.aof {choice} {output}"
            ));
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
            assert!(run.stderr.contains("File too large"), "{run:#?}");
            assert_eq!(place.names(), ["a.aof"], "{output}");
            assert_eq!(state(&place, "a.aof"), before);
        }
    }
}

/// Up to Redis 6.2 scripts could be in a log as they are. What they do is not known.
#[test]
fn a_log_that_cannot_be_replayed_is_recovered_all_the_same() {
    let place = Place::new();
    let kept = [log(SHOP), command(&["EVAL", "redis.call('set', KEYS[1], 1)", "1", "k"])].concat();
    place.put("a.aof", [&kept[..], &command(&["FLUSHALL"])].concat());
    let look = place.run(&["recover", "a.aof"]);
    assert_eq!(look.code, Some(1), "{look:#?}");
    assert!(look.stdout.starts_with("PROBABLY, your data is still there."), "{look:#?}");
    assert!(look.stdout.contains("not counted"), "{look:#?}");
    for choice in [["--strip", "--quiet"], ["--excise", "1"]] {
        let run = place.run(&["recover", "a.aof", "-o", "b.aof", "--force", choice[0], choice[1]]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read("b.aof"), kept);
    }
}

/// On a file system of its own, which goes with the shell.
#[test]
fn in_place_on_a_full_disk_the_log_stays_as_it_is() {
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    place.put("a.aof", [log("SET a 1").repeat(2_000), log("FLUSHALL\nSET b 2")].concat());
    let inside = "mount -t tmpfs -o size=80k none disk 2>/dev/null || exit 99; cp a.aof disk; \
         \"$0\" recover disk/a.aof --excise 1 --in-place; code=$?; ls -A disk; cmp a.aof disk/a.aof; exit $code";
    let run = place.shell(&format!("unshare -m sh -c '{inside}' \"$0\""));
    if run.code == Some(99) || run.stderr.contains("unshare") {
        eprintln!("skipped: a file system cannot be mounted here");
        return;
    }
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), "a.aof\n"), "{run:#?}");
    assert!(run.stderr.contains("No space left on device"), "{run:#?}");
}

#[test]
fn an_event_tells_when_it_was_as_far_as_the_log_does() {
    let place = Place::new();
    let timed = [b"#TS:1700000000\r\n", &log("SET a 1\nFLUSHDB")[..]].concat();
    place.put("a.aof", [&log("SET b 1\nFLUSHDB")[..], &timed].concat());
    let look = json(&place.run(&["recover", "a.aof", "--json"]));
    let time = |event: usize| look["events"][event]["time"].clone();
    assert_eq!((&time(0)["exact"], &time(0)["from"]), (&false.into(), &Value::Null));
    assert!(
        time(0)["until"].as_str() > Some("2023-11-14T22:13:20Z"),
        "when the file was last written"
    );
    let exact = serde_json::json!({"from": "2023-11-14T22:13:20Z", "until": "2023-11-14T22:13:20Z", "exact": true});
    assert_eq!(time(1), exact);
    let run = place.run(&["recover", "a.aof"]);
    assert!(
        run.stdout.contains("a.aof:87 (#4), 2023-11-14 22:13:20 +00:00; lost 1 key"),
        "{run:#?}"
    );
}

/// Kills that are tried; AOFKIT_KILLS has more of them for a run by hand.
const KILLS: u32 = 8;

/// Killed at any instant, the log is the old one or the whole new one, and if it is new, the old one is next to it.
#[test]
fn killed_in_place_the_log_is_the_old_one_or_the_new_one() {
    let kills = std::env::var("AOFKIT_KILLS").map_or(KILLS, |n| n.parse().unwrap());
    let name = "appendonly.aof.1.incr.aof";
    let kept = log("SET a 1").repeat(200_000);
    let old = [&kept[..], &command(&["FLUSHALL"])].concat();
    let whole = run_in_place(&kept, &old, name, None);
    for number in 0..kills {
        // Spread over the time that a whole run takes.
        run_in_place(&kept, &old, name, Some(whole * number / kills));
    }
}

/// Recovers in place and, if asked, kills that after a time. Gives how long it took.
fn run_in_place(kept: &[u8], old: &[u8], name: &str, kill: Option<Duration>) -> Duration {
    let place = Place::new();
    place.put_set("set", &[("appendonly.aof.1.base.aof", b""), (name, old)]);
    let began = Instant::now();
    let args = ["recover", "set", "--strip", "--in-place", "--no-preview"];
    let mut child: Child =
        place.command().args(args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    if let Some(after) = kill {
        while began.elapsed() < after && child.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        let _ = child.kill();
    }
    let status = child.wait().unwrap();
    let took = began.elapsed();
    let now = place.read(format!("set/{name}"));
    let backup = place.names().into_iter().find(|name| name.starts_with("set.bak-"));
    assert!(now == old || now == kept, "it is neither the old one nor the whole new one");
    assert!(place.path("set/appendonly.aof.manifest").exists());
    if now == kept {
        let backup = backup.expect("the original is kept where it was replaced");
        assert!(place.read(format!("{backup}/{name}")) == old);
    }
    assert!(kill.is_some() || status.success());
    took
}

/// A file that is no log at all is not taken for a log that lost everything.
#[test]
fn what_is_no_log_is_not_called_an_empty_one() {
    let place = Place::new();
    place.put("notes.txt", "root:x:0:0:root:/root:/bin/bash\n".repeat(20));
    place.put("empty.aof", "");
    let run = place.run(&["recover", "notes.txt"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stdout
            .starts_with("NOT A SINGLE COMMAND CAN BE READ HERE: this looks like plain text."),
        "{run:#?}"
    );
    let run = place.run(&["recover", "empty.aof"]);
    assert!(run.stdout.starts_with("THE LOG IS EMPTY. No other file"), "{run:#?}");
}

#[test]
fn a_log_in_an_archive_is_recovered_to_a_new_place_alone() {
    let place = Place::new();
    let whole = log(SHOP);
    place.put("a.aof", [whole.clone(), log("FLUSHALL")].concat());
    assert_eq!(place.run(&["compress", "a.aof", "-o", "a.zip", "-q"]).code, Some(0));
    fs::remove_file(place.path("a.aof")).unwrap();
    let before = state(&place, "a.zip");

    let look = place.run(&["recover", "a.zip"]);
    assert_eq!(look.code, Some(1), "{look:?}");
    assert!(look.stdout.starts_with("YES, your data is still there: 3 keys."), "{look:?}");
    assert!(!look.stdout.contains("server"), "no server runs on an archive: {look:?}");
    assert!(
        look.stdout.contains("  log         a.zip: 1 part, 154 bytes, 6 commands\n"),
        "{look:?}"
    );
    assert_eq!(json(&place.run(&["recover", "a.zip", "--json"]))["archived"], true);

    let run = place.run(&["recover", "a.zip", "--strip", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(run.stdout.contains("aofkit restore b.aof.zip --output DIR"), "{run:?}");
    assert_eq!(place.read("b.aof"), whole);

    let run = place.run(&["recover", "a.zip", "--strip", "--in-place"]);
    assert_eq!(run.code, Some(2), "{run:?}");
    assert!(
        run.stderr.contains("an archive cannot be recovered in place\nhelp: use --output NEW"),
        "{run:?}"
    );
    assert_eq!(
        (place.names(), state(&place, "a.zip")),
        (vec!["a.zip".into(), "b.aof".into()], before)
    );
}

#[test]
fn a_script_that_flushed_all_night_is_one_event() {
    let place = Place::new();
    let flushes = log("FLUSHALL").repeat(5000);
    place.put("a.aof", [log(SHOP), flushes].concat());
    let look = place.run(&["recover", "a.aof"]);
    assert_eq!(look.code, Some(1), "{look:?}");
    assert!(look.stdout.starts_with("YES, your data is still there: 3 keys."), "{look:?}");
    // SHOP has five commands and 136 bytes.
    let reported = "     1  FLUSHALL 5,000 times, a.aof:136 (#6 to #5005); lost 3 keys\n";
    assert!(look.stdout.contains(reported), "{look:?}");
    let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), log(SHOP)), "{run:?}");

    // What else a transaction does stays.
    let both = "FLUSHALL\nFLUSHALL";
    place.put("c.aof", log(&format!("{SHOP}\nMULTI\n{both}\nSET c 3\nEXEC")));
    let run = place.run(&["recover", "c.aof", "--excise", "1", "-o", "d.aof"]);
    let expected = log(&format!("{SHOP}\nMULTI\nSET c 3\nEXEC"));
    assert_eq!((run.code, place.read("d.aof")), (Some(0), expected), "{run:?}");

    // With reads between them, as only a script of one's own writes them, they are too many to be counted.
    place.put("e.aof", [log(SHOP), log("FLUSHALL\nGET a").repeat(5000)].concat());
    let look = place.run(&["recover", "e.aof"]);
    assert!(look.stdout.starts_with("VERY MANY FLUSHES ARE IN THE LOG."), "{look:?}");
    let run = place.run(&["recover", "e.aof", "--until", "#6", "-o", "f.aof"]);
    assert_eq!((run.code, place.read("f.aof")), (Some(0), log(SHOP)), "{run:?}");
}
