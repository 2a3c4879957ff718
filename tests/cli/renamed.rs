//! `--rename`: commands that the configuration of a server renamed.

use serde_json::Value;

use super::*;

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// A log with a renamed SET and, at its end, a renamed FLUSHALL.
fn place() -> Place {
    let place = Place::new();
    let mut log = Vec::new();
    for key in ["a", "b", "c"] {
        log.extend(command(&["SetHidden", key, "1"]));
    }
    log.extend(command(&["wipe_9f"]));
    place.put("a.aof", log);
    place
}

const RENAME: [&str; 4] = ["--rename", "WIPE_9F=FLUSHALL", "--rename", "SETHIDDEN=set"];

fn run(place: &Place, args: &[&str]) -> Run {
    place.run(&[args, &RENAME].concat())
}

#[test]
fn renamed_flush_is_found_and_its_steps_name_it() {
    let place = place();
    let report = document(&run(&place, &["recover", "a.aof", "--json"]));
    assert_eq!(report["verdict"]["kind"], "ends-in-flush", "{report:#}");
    assert_eq!(report["before"]["total"], 3);
    let text = run(&place, &["recover", "a.aof"]).stdout;
    let line = "aofkit recover a.aof --strip --output recovered.aof --rename=WIPE_9F=FLUSHALL --rename=SETHIDDEN=SET";
    let printed = text.lines().find(|it| it.trim_start().starts_with("aofkit")).unwrap();
    assert_eq!(printed.trim_start(), line);
    let words: Vec<&str> = line.split(' ').skip(1).collect();
    let recovered = place.run(&words);
    assert_eq!(recovered.code, Some(0), "{recovered:#?}");
    // The bytes are unchanged, so that only a server with these names loads them.
    for setting in ["rename-command FLUSHALL WIPE_9F\n", "rename-command SET SETHIDDEN\n"] {
        assert!(recovered.stdout.contains(setting), "{recovered:#?}");
    }
    let log = place.read("a.aof");
    assert_eq!(place.read("recovered.aof"), log[..log.len() - command(&["wipe_9f"]).len()]);
}

#[test]
fn every_subcommand_that_reads_a_log_knows_the_names() {
    let place = place();
    place.put("set.aof", command(&["SETHIDDEN", "a", "1"]));
    place.put("plain.aof", command(&["SET", "a", "1"]));
    assert_eq!(place.run(&["verify", "set.aof"]).code, Some(1));
    assert_eq!(run(&place, &["verify", "set.aof"]).code, Some(0));
    let plain = document(&place.run(&["digest", "plain.aof", "--json"]));
    let renamed = document(&run(&place, &["digest", "set.aof", "--json"]));
    assert_eq!(plain["digest"], renamed["digest"]);
    assert_eq!(run(&place, &["diff", "set.aof", "plain.aof"]).code, Some(0));
    assert_eq!(run(&place, &["repair", "set.aof", "-n"]).code, Some(0));
    // A compaction writes standard names.
    let compacted = run(&place, &["compact", "set.aof", "-o", "small.aof"]);
    assert_eq!(compacted.code, Some(0), "{compacted:#?}");
    let text = String::from_utf8(place.read("small.aof")).unwrap();
    assert!(text.contains("\r\nSET\r\n") && !text.contains("HIDDEN"), "{text}");
    let log = run(&place, &["log", "a.aof", "--command", "flushall"]);
    assert!(log.stdout.contains("wipe_9f"), "{log:#?}");
    let history = run(&place, &["history", "a", "a.aof"]);
    assert!(history.stdout.contains("wipe_9f"), "{history:#?}");
}

#[test]
fn name_that_is_taken_or_unknown_is_refused() {
    let place = place();
    for (rename, message) in [
        ("FLUSHALL=WIPE_9F", r#"no known server has the command "WIPE_9F""#),
        ("GET=FLUSHALL", r#""GET" is the name of another command"#),
        ("WIPE_9F", "is not of the form OLD=NEW"),
    ] {
        let run = place.run(&["verify", "a.aof", "--rename", rename]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains(message), "{run:#?}");
    }
}
