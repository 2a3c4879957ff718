//! `--slots`: logs are split by cluster slot, and joined again.

use super::*;

/// Keys of many slots in two databases, with commands that tie some of them to each other.
fn story() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..500 {
        let number = n.to_string();
        log.extend(command(&["SET", &format!("s{n}"), &number]));
        log.extend(command(&["SADD", &format!("{{user{}}}:set", n % 40), &number]));
        if n % 50 == 0 {
            log.extend(command(&["RENAME", &format!("s{n}"), &format!("{{s{n}}}renamed")]));
        }
    }
    log.extend(command(&["SELECT", "3"]));
    // Redis 7.0 reports the slots 12182, 5061 and 12739.
    for key in ["foo", "bar", "123456789"] {
        log.extend(command(&["SET", key, "1"]));
    }
    log
}

fn fingerprint(place: &Place, path: &str) -> String {
    let run = place.run(&["digest", "--fingerprint", path]);
    let line = run.stdout.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
    line.unwrap_or_else(|| panic!("{run:#?}")).trim().to_owned()
}

fn keys(place: &Place, path: &str, more: &[&str]) -> u64 {
    let run = place.run(&[&["diff", "--json", path, path][..], more].concat());
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    report["keys"]["same"].as_u64().unwrap()
}

#[test]
fn parts_by_slot_are_disjoint_and_join_to_the_whole() {
    let place = Place::new();
    place.put("whole.aof", story());
    let whole = keys(&place, "whole.aof", &[]);
    assert_eq!(whole, 500 + 40 + 3);
    let mut joined = Vec::new();
    let mut count = 0;
    for (slots, name) in [("0-5460", "1"), ("5461-10922", "2"), ("10923-16383", "3")] {
        let run = place.run(&[
            "compact",
            "whole.aof",
            "--slots",
            slots,
            "--format",
            "aof",
            "--output",
            name,
        ]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let part = keys(&place, name, &[]);
        assert!(part > 100, "{slots}: {part}");
        assert_eq!(part, keys(&place, "whole.aof", &["--slots", slots]));
        // All of its keys are in its slots, and none in the others.
        assert_eq!(part, keys(&place, name, &["--slots", slots]));
        count += part;
        joined.extend(place.read(name));
    }
    assert_eq!(count, whole);
    place.put("joined.aof", joined);
    assert_eq!(fingerprint(&place, "joined.aof"), fingerprint(&place, "whole.aof"));
}

#[test]
fn ranges_may_be_listed_and_repeated_and_join_other_filters() {
    let place = Place::new();
    place.put("a.aof", story());
    for (args, expected) in [
        (&["--slots", "12182"][..], 1),
        (&["--slots", "12182,5061"], 2),
        (&["--slots", "5000-5100", "--slots", "12182-12182,12739"], 3),
        (&["--slots", "0-16383"], 3),
        (&["--slots", "0-16383", "--exclude", "foo"], 2),
        (&["--slots", "5061,12182", "--pattern", "f*"], 1),
        (&["--slots", "0"], 0),
    ] {
        let found = keys(&place, "a.aof", &[&["--db", "3"][..], args].concat());
        assert_eq!(found, expected, "{args:?}");
    }
    let run = place.run(&["log", "a.aof", "--slots", "5061"]);
    let lines: Vec<&str> = run.stdout.lines().filter(|line| line.contains("SET")).collect();
    assert!(lines.len() == 1 && lines[0].ends_with(r#"[3] "SET" "bar" "1""#), "{run:#?}");
    assert!(!run.stdout.contains("SELECT"), "{run:#?}");
}

#[test]
fn slots_that_do_not_exist_are_usage_errors() {
    let place = Place::new();
    place.put("a.aof", story());
    for (slots, reported) in [
        ("16384", "slot 16384 does not exist; the last one is 16383"),
        ("0-99999999999999999999", "does not exist; the last one is 16383"),
        ("7-5", "7-5 is an empty range; use 5-7"),
        ("x", "`x` is not a slot; use 0-5460 or 12182"),
        ("1,", "`` is not a slot"),
    ] {
        for subcommand in [&["compact", "-o", "new"][..], &["diff", "a.aof"], &["log"]] {
            let run = place.run(&[subcommand, &["a.aof", "--slots", slots]].concat());
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{slots}: {run:#?}");
            assert!(run.stderr.contains(reported), "{slots}: {run:#?}");
        }
    }
    assert_eq!(place.names(), ["a.aof"]);
}
