//! Recover: every loss is one event, by whatever command, with the number of its keys and a command that undoes it.

use serde_json::Value;

use super::losses::{each, json, log};
use super::*;

fn digest(place: &Place, path: &str) -> Value {
    let run = place.run(&["digest", path, "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    found["fingerprint"].clone()
}

fn losses(report: &Value) -> Vec<&Value> {
    let events = report["events"].as_array().unwrap();
    events.iter().filter(|event| event["is_loss"] == true).collect()
}

/// Runs the command that undoes an event, as it is printed, and returns the name of the result.
#[track_caller]
fn undone(place: &Place, event: &Value) -> String {
    let args = event["undo"]["actions"][0]["args"].as_array().unwrap();
    let args: Vec<&str> = args.iter().map(|arg| arg.as_str().unwrap()).collect();
    let run = place.run(&args);
    assert_eq!(run.code, Some(0), "{args:?}: {run:#?}");
    (*args.last().unwrap()).to_owned()
}

#[test]
fn a_loss_by_any_command_is_one_event_and_its_undo_restores_the_data_before() {
    let strings = each(0..40, "SET user:@ v@");
    let lists = each(0..40, "RPUSH user:@ v");
    let sets = each(0..40, "SADD user:@ v");
    let hashes = each(0..40, "HSET user:@ f v");
    let zsets = each(0..40, "ZADD user:@ 1 v");
    // The keys, the commands that lose them, and the event that they are.
    let cases = [
        (&strings, each(0..40, "DEL user:@"), "delete", "DEL"),
        (&strings, each(0..40, "UNLINK user:@ none"), "delete", "UNLINK"),
        (&strings, each(0..40, "GETDEL user:@"), "delete", "GETDEL"),
        (&strings, each(0..40, "DEL user:@\nSET other @\nSET other @"), "delete", "DEL"),
        (&strings, each(0..40, "PEXPIREAT user:@ 1000"), "expired", "PEXPIREAT"),
        (&strings, each(0..40, "EXPIREAT user:@ 1"), "expired", "EXPIREAT"),
        (&hashes, each(0..40, "SET user:@ v"), "overwritten", "SET"),
        (&hashes, each(0..40, "SET user:@ v KEEPTTL"), "overwritten", "SET"),
        (&strings, each(0..40, "SUNIONSTORE user:@ some"), "overwritten", "SUNIONSTORE"),
        (&sets, each(0..40, "SINTERSTORE user:@ none some"), "emptied", "SINTERSTORE"),
        (&sets, each(0..40, "SREM user:@ v"), "emptied", "SREM"),
        (&sets, each(0..40, "SPOP user:@"), "emptied", "SPOP"),
        (&hashes, each(0..40, "HDEL user:@ f"), "emptied", "HDEL"),
        (&zsets, each(0..40, "ZREMRANGEBYRANK user:@ 0 -1"), "emptied", "ZREMRANGEBYRANK"),
        (&lists, each(0..40, "LTRIM user:@ 1 0"), "emptied", "LTRIM"),
        (&lists, each(0..40, "LPOP user:@"), "emptied", "LPOP"),
    ];
    for (keys, commands, what, command) in cases {
        // Like every log that may be here, it was written some time ago.
        let place = Place::new();
        let before = format!("SET other 39\nSADD some m\n{keys}{}", each(0..40, "SET other 39"));
        place.put("before.aof", log(&before));
        place.put("a.aof", log(&format!("{before}{commands}SET other 39")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{commands}: {run:#?}");
        assert!(run.stdout.contains("keys over the log"), "{run:#?}");
        let report = json(&place, "a.aof");
        let found = losses(&report);
        assert_eq!(found.len(), 1, "{commands}: {report:#}");
        let event = found[0];
        assert_eq!(
            (&event["what"], &event["command"]),
            (&what.into(), &command.into()),
            "{event:#}"
        );
        assert_eq!((&event["keys_lost"], &event["keys_before"]), (&40.into(), &42.into()));
        assert_eq!(event["offset"], log(&before).len(), "{event:#}");
        assert_eq!(event["ordinal"], before.lines().count() + 1, "{event:#}");
        assert_eq!(event["prefixes"], serde_json::json!([{"pattern": "user:*", "keys": 40}]));
        assert_eq!(report["answer"], "yes");
        let result = undone(&place, event);
        assert_eq!(digest(&place, &result), digest(&place, "before.aof"), "{commands}: {event:#}");
    }
}

#[test]
fn ten_thousand_deletions_among_other_commands_are_one_event() {
    let place = Place::new();
    let keys = each(0..9800, "SET user:@ v") + &each(0..200, "SET session:@ v");
    let mut deletions = each(0..9800, "DEL user:@");
    deletions.push_str(&each(0..200, "UNLINK session:@"));
    // Another client interrupts the script.
    let interrupted: String = (deletions.lines().enumerate())
        .map(|(at, line)| match at % 500 {
            0 => format!("{}{line}\n", each(0..20, "SET other @")),
            _ => format!("{line}\n"),
        })
        .collect();
    place.put("a.aof", log(&format!("{keys}{interrupted}")));
    let report = json(&place, "a.aof");
    let found = losses(&report);
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!((&found[0]["keys_lost"], &found[0]["commands"]), (&10_000.into(), &10_000.into()));
    let prefixes = [("user:*", 9800), ("session:*", 200)];
    let prefixes =
        prefixes.map(|(pattern, keys)| serde_json::json!({"pattern": pattern, "keys": keys}));
    assert_eq!(found[0]["prefixes"], serde_json::json!(prefixes));
    // It is also one that is found without a replay.
    assert_eq!(place.run(&["recover", "a.aof", "--excise", "1", "-o", "b.aof"]).code, Some(0));
    assert_eq!(place.run(&["digest", "b.aof", "--json"]).code, Some(0));
}

#[test]
fn a_loss_in_a_log_with_other_deletions_has_its_own_keys() {
    let place = Place::new();
    let base = each(0..300, "SET base@ v");
    let churn = |from: u32| each(from..from + 1000, "SET job@ v\nDEL job@");
    let deleted = each(0..60, "DEL base@");
    place.put("a.aof", log(&format!("{base}{}{deleted}{}", churn(0), churn(1000))));
    let report = json(&place, "a.aof");
    let found = losses(&report);
    assert_eq!(found.len(), 1, "{found:#?}");
    let keys = found[0]["keys_lost"].as_u64().unwrap();
    // The other deletions next to it cannot be told apart.
    assert!((60..=64).contains(&keys), "{report:#}");
    place.put("a.aof", log(&format!("{base}{}", churn(0))));
    assert_eq!(place.run(&["recover", "a.aof"]).code, Some(0));
}

#[test]
fn expiries_and_queues_are_ordinary() {
    let base = each(0..100, "SET base@ v");
    let ordinary = [
        // Sessions, which are meant to expire.
        each(0..100, "HSET s@ f v\nPEXPIREAT s@ 1000"),
        each(0..100, "SET s@ v PXAT 1000"),
        // An expiry that was renewed.
        each(0..100, "SET s@ v PXAT 4102444800000\nSET other v")
            + &each(0..100, "PEXPIREAT s@ 1000"),
        // A queue, alone in its database.
        "SELECT 1\n".to_owned() + &each(0..100, "RPUSH q v\nLPOP q"),
        // Keys that were deleted and created again.
        each(0..100, "DEL base@") + &each(0..100, "SET base@ w"),
    ];
    for lines in ordinary {
        let place = Place::new();
        place.put("a.aof", log(&format!("{base}{lines}")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(0), "{lines}: {run:#?}");
        assert_eq!(json(&place, "a.aof")["answer"], "no");
    }
}

#[test]
fn a_routine_flush_is_not_the_one_to_undo() {
    let nightly: String = (0..4)
        .map(|night| {
            let keys = each(0..30 + night, "SET cache:@ v");
            format!("SELECT 1\n{keys}FLUSHDB\nSELECT 0\nSET order:{night} v\n")
        })
        .collect();
    let orders = each(10..35, "SET order:@ v");
    let later = "SET order:after 1\nSELECT 1\nSET cache:q 1";
    for accident in
        ["FLUSHALL".to_owned(), "SELECT 0\nFLUSHDB".to_owned(), each(10..35, "DEL order:@")]
    {
        let place = Place::new();
        let before = format!("{orders}{nightly}SELECT 1\nSET cache:z v\nSELECT 0\n");
        place.put("a.aof", log(&format!("{before}{}\n{later}", accident.trim_end())));
        place.put("whole.aof", log(&format!("{before}{later}")));
        let report = json(&place, "a.aof");
        let routine = |event: &&Value| event["is_routine"] == true;
        let events = report["events"].as_array().unwrap();
        assert_eq!(events.iter().filter(routine).count(), 4, "{report:#}");
        let number = report["verdict"]["event"].as_u64().unwrap();
        assert_eq!(number, 5, "{report:#}");
        let event = events.iter().find(|event| event["number"] == number).unwrap();
        let result = undone(&place, event);
        assert_eq!(digest(&place, &result), digest(&place, "whole.aof"), "{accident}");
        let run = place.run(&["recover", "a.aof"]);
        let text = run.stdout.replace("\n        ", " ");
        assert_eq!(text.matches("routine: the same command").count(), 4, "{run:#?}");
    }
    // Where there is no other loss, the last of them is the one.
    let place = Place::new();
    place.put("a.aof", log(&format!("{orders}{nightly}")));
    let report = json(&place, "a.aof");
    assert_eq!(report["verdict"]["event"], 4, "{report:#}");
}

#[test]
fn both_thresholds_can_be_set() {
    let place = Place::new();
    let sets = each(0..1000, "SET k@ v");
    place.put("a.aof", log(&format!("{sets}{}", each(0..50, "DEL k@"))));
    let code = |options: &[&str]| place.run(&[&["recover", "a.aof"], options].concat()).code;
    assert_eq!(code(&[]), Some(0));
    assert_eq!(code(&["--loss-share", "5"]), Some(1));
    assert_eq!(code(&["--loss-share", "6"]), Some(0));
    let sets = each(0..3000, "SET k@ v");
    let rest = each(
        1000..1100,
        "DEL k@\nSET other v\nSET other v\nSET other v\nSET other v\nSET other v\nSET other v\nSET other v\nSET other v\nSET other v",
    );
    place.put(
        "a.aof",
        log(&format!("{sets}{}{}{rest}", each(0..120, "DEL k@"), each(0..2000, "SET other v"))),
    );
    // 220 keys in all, 120 of them within about a fiftieth of the log.
    assert_eq!(code(&["--loss-share", "50"]), Some(1));
    assert_eq!(code(&["--loss-share", "50", "--loss-rate", "60"]), Some(0));
    for wrong in [["--loss-share", "0"], ["--loss-share", "101"], ["--loss-rate", "0"]] {
        assert_eq!(code(&wrong), Some(2));
    }
    let run = place.run(&["recover", "a.aof", "--loss-share", "7", "--loss-rate", "1000"]);
    assert!(run.stdout.contains("7 % of the keys"), "{run:#?}");
    assert!(
        run.stdout.replace("\n              ", " ").contains("1000 times the log's own rate"),
        "{run:#?}"
    );
}

#[test]
fn the_number_of_keys_is_drawn_over_the_log() {
    let place = Place::new();
    let keys = each(0..50, "SET k@ v") + "SELECT 1\n" + &each(0..20, "SET k@ v");
    place.put("a.aof", log(&format!("{keys}SELECT 0\nFLUSHDB\n{}", each(0..10, "SET k@ v"))));
    let report = json(&place, "a.aof");
    let course = report["course"].as_array().unwrap();
    assert_eq!((course.len(), &course[0]["total"]), (54, &0.into()), "{course:#?}");
    let last = course.last().unwrap();
    assert_eq!(last["total"], 30);
    assert_eq!(
        last["databases"],
        serde_json::json!([{"db": 0, "keys": 10}, {"db": 1, "keys": 20}])
    );
    let most = course.iter().filter_map(|at| at["total"].as_u64()).max();
    assert_eq!(most, Some(70));
    let run = place.run(&["recover", "a.aof"]);
    let lines: Vec<&str> =
        run.stdout.lines().skip_while(|line| !line.contains("keys over")).collect();
    let bars = |line: &str| -> Vec<char> { line.chars().skip(14).take(54).collect() };
    let (zero, one, marks) = (bars(lines[1]), bars(lines[2]), bars(lines[3]));
    assert!(lines[1].starts_with("  db 0") && lines[1].ends_with(" max 50"), "{run:#?}");
    assert!(lines[2].starts_with("  db 1") && lines[2].ends_with(" max 20"), "{run:#?}");
    // The number is below the first point after the event, where the bars are low.
    let at = marks.iter().position(|mark| *mark == '1').unwrap();
    assert!(zero[at - 1] == '█' && ['▁', ' '].contains(&zero[at]), "{run:#?}");
    assert_eq!(one[53], '█');
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80 || line.contains("aofkit")),
        "{run:#?}"
    );
}
