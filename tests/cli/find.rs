//! `aofkit find`: which backups have a key, and where it changed.

use super::*;

/// Archives of one source: `archives/day-N.zip`, with the time of the Nth of January 2026, of these logs.
fn archives(logs: &[&[Vec<u8>]]) -> Place {
    let place = Place::new();
    fs::create_dir(place.path("archives")).unwrap();
    for (day, log) in logs.iter().enumerate() {
        place.put("live.aof", log.concat());
        archive(&place, day + 1);
    }
    place
}

fn archive(place: &Place, day: usize) {
    let (output, time) = (format!("archives/day-{day}.zip"), format!("2026-01-{day:02}T03:00:00Z"));
    let args = ["compress", "live.aof", "-o", &output, "--created", &time];
    let run = place.run(&[&args[..], &["--port", "6379"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
}

/// Replaces fingerprints, which are 16 hexadecimal digits, by `#`.
fn without_fingerprints(text: &str) -> String {
    let is_print = |word: &str| word.len() == 16 && word.bytes().all(|it| it.is_ascii_hexdigit());
    let line = |line: &str| {
        let words: Vec<String> = line
            .split(' ')
            .map(|word| match is_print(word.trim_end_matches(',')) {
                true => word.replace(word.trim_end_matches(','), "#"),
                false => word.to_owned(),
            })
            .collect();
        words.join(" ") + "\n"
    };
    text.lines().map(line).collect()
}

fn four_days() -> Place {
    let other = || command(&["SET", "other", "x"]);
    archives(&[
        &[other(), command(&["SET", "k", "one"])],
        &[other(), command(&["SET", "k", "one"])],
        &[other(), command(&["SET", "k", "twoo"]), command(&["PEXPIREAT", "k", "4102444800000"])],
        &[other()],
    ])
}

#[test]
fn newest_comes_first_and_changes_are_named() {
    let place = four_days();
    let run = place.run(&["find", "k", "archives"]);
    let expected = "\
2026-01-03 03:00:00 +00:00 archives/day-3.zip (unknown host:6379)
  [0] \"k\": string, 4 bytes, expires 2100-01-01 00:00:00 +00:00, #, changed, gone in the next backup
2026-01-02 03:00:00 +00:00 archives/day-2.zip (unknown host:6379)
  [0] \"k\": string, 3 bytes, #, same
2026-01-01 03:00:00 +00:00 archives/day-1.zip (unknown host:6379)
  [0] \"k\": string, 3 bytes, #
";
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(without_fingerprints(&run.stdout), expected);
    let run = place.run(&["find", "absent", "archives"]);
    run.ends(1, "", "note: none of 4 backups has such a key\n");
    place.run(&["find", "-q", "absent", "archives"]).ends(1, "", "");
    place.run(&["find", "-q", "k", "archives"]).ends(0, "", "");
}

#[test]
fn a_key_that_returns_is_new() {
    let key = || command(&["SET", "k", "v"]);
    let place = archives(&[&[key()], &[command(&["SET", "j", "v"])], &[key()]]);
    let run = place.run(&["find", "--json", "k", "archives"]);
    let lines: Vec<serde_json::Value> =
        run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let keys: Vec<_> = lines.iter().filter(|line| line["kind"] == "key").collect();
    let seen: Vec<_> = keys
        .iter()
        .map(|key| (key["path"].as_str().unwrap(), key["change"].as_str(), &key["gone_after"]))
        .collect();
    let (null, yes) = (serde_json::Value::Null, serde_json::Value::Bool(true));
    assert_eq!(
        seen,
        [("archives/day-3.zip", Some("new"), &null), ("archives/day-1.zip", Some("oldest"), &yes)]
    );
    assert_eq!(keys[0]["fingerprint"], keys[1]["fingerprint"]);
    let summary = lines.last().unwrap();
    assert_eq!((&summary["inputs"], &summary["with_keys"]), (&3.into(), &2.into()));
}

#[test]
fn a_pattern_matches_many_keys_of_which_some_are_shown() {
    let log: Vec<Vec<u8>> = (0..30).map(|n| command(&["SET", &format!("k{n:02}"), "v"])).collect();
    let newer: Vec<Vec<u8>> = log.iter().skip(1).cloned().collect();
    let place = archives(&[&log, &newer]);
    let run = place.run(&["find", "k*", "--limit", "2", "archives"]);
    let expected = "\
2026-01-02 03:00:00 +00:00 archives/day-2.zip (unknown host:6379)
  [0] \"k01\": string, 1 byte, #, same
  [0] \"k02\": string, 1 byte, #, same
  ... 27 more keys; --limit shows more
2026-01-01 03:00:00 +00:00 archives/day-1.zip (unknown host:6379)
  [0] \"k00\": string, 1 byte, #, gone in the next backup
  [0] \"k01\": string, 1 byte, #
  ... 28 more keys; --limit shows more
";
    assert_eq!(without_fingerprints(&run.stdout), expected);
}

#[test]
fn logs_sets_and_rdbs_are_searched_too() {
    let place = Place::new();
    place.put_set("set", &[("appendonly.aof.1.incr.aof", &command(&["SET", "k", "in a set"]))]);
    place.put("single.aof", command(&["SET", "k", "in a file"]));
    assert_eq!(
        place.run(&["compact", "single.aof", "-o", "k.rdb", "--format", "rdb"]).code,
        Some(0)
    );
    for path in ["set", "single.aof", "k.rdb"] {
        let run = place.run(&["find", "k", path]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains(&format!(" {path}\n  [0] \"k\": string, ")), "{run:#?}");
    }
    let run = place.run(&["find", "k", "-d", "1", "set"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
}

#[test]
fn an_archive_whose_filter_lacks_the_key_is_not_unpacked() {
    let place = four_days();
    let json = |key: &str| -> serde_json::Value {
        let run = place.run(&["find", "--json", key, "archives"]);
        serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap()
    };
    assert_eq!(json("k")["by_filter"], 1);
    assert_eq!(json("absent")["by_filter"], 4);
    // A pattern needs the data.
    assert_eq!(json("absen[t]")["by_filter"], 0);
    // With the log in it destroyed, an archive still answers.
    let mut bytes = place.read("archives/day-4.zip");
    bytes[60] ^= 0xff;
    place.put("damaged.zip", bytes);
    let absent = ["get", "history"].map(|it| place.run(&[it, "k", "damaged.zip"]));
    assert!(absent.iter().all(|run| run.code == Some(1)), "{absent:#?}");
    assert!(absent[0].stderr.contains("the key filter of the archive does not have it"));
    for args in [["get", "other"], ["history", "other"], ["find", "other"], ["find", "k*"]] {
        let run = place.run(&[args[0], args[1], "damaged.zip"]);
        assert_eq!(run.code, Some(2), "{args:?} {run:#?}");
    }
}

/// Returns an archive of day 4 whose key filter was changed by `change`.
fn with_filter(place: &Place, change: impl FnOnce(&mut [u8])) {
    let mut bytes = place.read("archives/day-4.zip");
    let at = bytes.windows(8).position(|it| it == b"AOFKEYS1").unwrap();
    change(&mut bytes[at..at + 32]);
    place.put("changed.zip", bytes);
}

#[test]
fn a_filter_that_cannot_be_used_never_answers() {
    let place = four_days();
    let answers = |key: &str| {
        let run = place.run(&["find", "--json", key, "changed.zip"]);
        let summary: serde_json::Value =
            serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        (run.code, summary["by_filter"].as_u64())
    };
    with_filter(&place, |_| {});
    assert_eq!(answers("absent"), (Some(1), Some(1)));
    // The first: the version. The others: the bits, which the checksums of the entry and of the filter cover.
    for byte in [7, 16, 20, 31] {
        with_filter(&place, |filter| filter[byte] ^= 1);
        // The archive is read, and refused because of the damage.
        assert_eq!(answers("absent").1, Some(0), "{byte}");
        let run = place.run(&["verify", "changed.zip"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.contains("aofkit.keys"), "{run:#?}");
    }
}

#[test]
fn a_filter_is_no_file_of_the_log() {
    let place = four_days();
    assert_eq!(place.run(&["extract", "archives/day-4.zip", "-o", "out"]).code, Some(0));
    let names: Vec<_> =
        fs::read_dir(place.path("out")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["appendonly.aof"]);
    assert_eq!(place.run(&["verify", "archives/day-4.zip"]).code, Some(0));
}

#[test]
fn an_archive_of_scripts_and_unknown_commands_has_no_filter() {
    let place = Place::new();
    place.put(
        "a.aof",
        [command(&["SET", "a", "1"]), command(&["JSON.SET", "k", "$", "1"])].concat(),
    );
    assert_eq!(place.run(&["compress", "a.aof", "-o", "a.zip"]).code, Some(0));
    assert!(!place.read("a.zip").windows(8).any(|it| it == b"AOFKEYS1"));
    let run = place.run(&["find", "k", "a.zip"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn a_filter_has_the_keys_of_an_rdb_and_of_deleted_keys() {
    let place = Place::new();
    let log =
        [command(&["SET", "k", "v"]), command(&["SET", "gone", "v"]), command(&["DEL", "gone"])];
    place.put("a.aof", log.concat());
    assert_eq!(place.run(&["compact", "a.aof", "-o", "k.rdb", "--format", "rdb"]).code, Some(0));
    for (input, archive, gone) in [("a.aof", "a.zip", 0), ("k.rdb", "k.zip", 1)] {
        assert_eq!(place.run(&["compress", input, "-o", archive]).code, Some(0));
        assert_eq!(place.run(&["find", "-q", "k", archive]).code, Some(0), "{archive}");
        let run = place.run(&["find", "--json", "gone", archive]);
        let summary: serde_json::Value =
            serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
        assert_eq!(summary["by_filter"], gone, "{archive}");
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let place = four_days();
    place.put("archives/broken.zip", b"PK\x03\x04 and nothing else");
    let run = place.run(&["find", "k", "archives"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stdout.contains("archives/day-3.zip"), "{run:#?}");
    assert!(run.stderr.starts_with("error: archives/broken.zip: "), "{run:#?}");
    let run = place.run(&["find", "k", "archives/broken.zip", "missing"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("missing"), "{run:#?}");
    // What is between two backups is not known: nothing is said to be the same.
    let mut bytes = place.read("archives/day-2.zip");
    // After the local header of 53 bytes: the log.
    bytes[60] ^= 0xff;
    place.put("archives/day-2.zip", bytes);
    let run =
        place.run(&["find", "k", "archives/day-1.zip", "archives/day-2.zip", "archives/day-3.zip"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(!run.stdout.contains("same") && !run.stdout.contains("changed"), "{run:#?}");
}
