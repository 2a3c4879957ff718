//! Commands that fail while a server loads them: listed by `repair`, and dropped on request.

use serde_json::Value;

use super::candidates::log;
use super::*;

#[track_caller]
fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The commands that a report names, with their offsets.
fn examples(report: &Value) -> Vec<(String, u64)> {
    let examples = report["replay"]["examples"].as_array().unwrap().iter();
    let one =
        |it: &Value| (it["command"].as_str().unwrap().to_owned(), it["offset"].as_u64().unwrap());
    examples.map(one).collect()
}

const BEFORE: &str = "SELECT 0\nSET s abc\nSET n 1";
const WRONG_TYPE: &str = "LPUSH s x";
const WRONG_NUMBER: &str = "INCRBY n one";
const AFTER: &str = "MULTI\nINCR n\nSADD s x\nEXEC\nSET last 1";

#[test]
fn failing_commands_are_listed_and_dropped_on_request() {
    let place = Place::new();
    let parts = [BEFORE, WRONG_TYPE, WRONG_NUMBER, AFTER].map(log);
    place.put("a.aof", parts.concat());
    let dry = place.run(&["repair", "a.aof", "--dry-run", "--json"]);
    assert_eq!(dry.code, Some(0), "servers load it: {dry:#?}");
    let at = parts[0].len() as u64;
    let in_transaction = parts[..3].concat().len() + log("MULTI\nINCR n").len();
    let expected = [
        ("LPUSH".to_owned(), at),
        ("INCRBY".to_owned(), at + parts[1].len() as u64),
        ("SADD".to_owned(), in_transaction as u64),
    ];
    assert_eq!(examples(&json(&dry)), expected);
    let text = place.run(&["repair", "a.aof", "--dry-run"]).stdout;
    assert!(text.contains("3 commands without effect"), "{text}");
    assert!(text.contains("LPUSH: WRONGTYPE Operation against a key"), "{text}");

    let run = place.run(&["repair", "a.aof", "--drop-failing", "--output", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("replayed: 3 keys at the end"), "{run:#?}");
    let after = log("MULTI\nINCR n\nEXEC\nSET last 1");
    assert_eq!(place.read("b.aof"), [parts[0].clone(), after].concat());
    assert_eq!(place.read("a.aof"), parts.concat());
    let again = place.run(&["repair", "b.aof", "--dry-run", "--drop-failing"]);
    assert!(
        again.stdout.ends_with("SOUND: nothing to repair; nothing was written\n"),
        "{again:#?}"
    );
}

#[test]
fn failing_command_before_a_flush_or_damage_is_dropped_too() {
    let flushed = format!("{BEFORE}\n{WRONG_NUMBER}\nFLUSHALL\nSET a 1\nHINCRBY a f 1");
    let place = Place::new();
    place.put("a.aof", [log(&flushed), b"*3\r\n$3\r\nSE".to_vec()].concat());
    let run = place.run(&["repair", "a.aof", "--drop-failing", "--in-place", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("a.aof"), log(&format!("{BEFORE}\nFLUSHALL\nSET a 1")));
    let report = json(&run);
    assert_eq!(report["lost_commands"], 3, "with the torn one: {report:#}");
    assert_eq!(report["replay"]["failing"], 0);
    assert_eq!(report["replay"]["keys"], 1);
}

#[test]
fn result_that_cannot_be_replayed_is_not_proved() {
    for (line, name) in [("EVAL return(1) 0", "EVAL"), ("JSON.SET a $ 1", "JSON.SET")] {
        let place = Place::new();
        place.put("a.aof", [log(BEFORE), log(line), b"*3\r\n$3\r\nSE".to_vec()].concat());
        let run = place.run(&["repair", "a.aof", "--output", "b.aof"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains(&format!("not proved: {name}")), "{run:#?}");
    }
}
