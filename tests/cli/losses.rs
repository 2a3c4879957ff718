//! Recover: when it may say that nothing was lost, and that what it prints brings keys back as typed.

use serde_json::Value;

use super::*;

pub(crate) fn json(place: &Place, path: &str) -> Value {
    let run = place.run(&["recover", path, "--json"]);
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The commands of a log, one a line, arguments separated by blanks.
pub(crate) fn log(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// One line for each number, in which it takes the place of `@`.
pub(crate) fn each(numbers: std::ops::Range<u32>, line: &str) -> String {
    numbers.map(|number| line.replace('@', &number.to_string()) + "\n").collect()
}

/// Runs each command that a report prints, as it is printed, and gives how many keys each result holds.
#[track_caller]
pub(crate) fn as_typed(place: &Place, stdout: &str) -> Vec<u64> {
    let printed = stdout.lines().filter_map(|line| line.strip_prefix("       aofkit "));
    let mut holds = Vec::new();
    for typed in printed {
        let output = typed.split(" --output ").nth(1).unwrap_or_default();
        let run = place.shell(&format!("\"$0\" {typed}"));
        // A report on what was repaired is a finding.
        let expected: &[i32] = if output.is_empty() { &[0, 1] } else { &[0] };
        assert!(run.code.is_some_and(|code| expected.contains(&code)), "{typed}: {run:#?}");
        if output.is_empty() {
            continue;
        }
        let held = place.run(&["digest", output, "--json"]);
        let held: Value = serde_json::from_str(&held.stdout).unwrap();
        holds.push(held["keys"].as_u64().unwrap_or_else(|| panic!("{held:#}")));
        if output.starts_with("recovered") {
            let _ = fs::remove_file(place.path(output));
            let _ = fs::remove_dir_all(place.path(output));
        }
    }
    holds
}

const SOME: &str = "SET a 1\nSET b 2\nSET c 3\n";

/// What may be said only where the whole log was read and replayed, and no key was removed.
const NEVER: &str = "never in this log";

fn says_never(run: &Run) -> bool {
    run.stdout.replace('\n', " ").contains(NEVER)
}

#[test]
fn deleted_keys_are_counted_and_come_back_as_typed() {
    let forty = each(0..40, "SET user:@ v@");
    let deletions = [
        each(0..40, "DEL user:@"),
        each(0..40, "UNLINK user:@ none:@"),
        each(0..40, "del user:@ user:@"),
        each(0..40, "GETDEL user:@"),
        format!("UNLINK {}\n", each(0..40, "user:@").trim_end().replace('\n', " ")),
        format!("MULTI\n{}EXEC\n", each(0..40, "DEL user:@")),
        // Far apart, with other writes between them.
        each(
            0..40,
            "DEL user:@\nSET a @\nSET a @\nSET a @\nSET a @\nSET a @\nSET a @\nSET a @\nSET a @\nSET a @",
        ),
    ];
    for deletions in deletions {
        let place = Place::new();
        place.put("a.aof", log(&format!("{SOME}{forty}{deletions}SET later 1")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.starts_with("YES, deleted keys are still there: 40"), "{run:#?}");
        assert!(!says_never(&run), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout), [44, 43, 44], "{deletions}");
        let look = json(&place, "a.aof");
        assert_eq!(look["verdict"]["kind"], "deletions", "{look:#}");
        let found = &look["deletions"];
        assert_eq!((&found["removed"], &found["gone"]), (&40.into(), &40.into()), "{look:#}");
        assert_eq!((&found["recoverable"], &found["most_keys"]), (&40.into(), &43.into()));
        assert_eq!((&look["nothing_lost"], &found["in_number"]), (&false.into(), &true.into()));
    }
}

#[test]
fn deleted_keys_of_a_set_come_back_as_typed() {
    let place = Place::new();
    let [base, one, two] =
        ["appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"];
    let dels = log(&each(0..20, "DEL k@"));
    fs::create_dir(place.path("my data")).unwrap();
    place.put_set(
        "my data/set",
        &[(base, &log(&each(0..20, "SET k@ v"))), (one, &dels), (two, b"")],
    );
    let run = place.run(&["recover", "my data/set"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(as_typed(&place, &run.stdout), [20, 20, 20], "{run:#?}");
}

#[test]
fn a_run_of_deletions_in_a_large_log_is_in_number() {
    let place = Place::new();
    let (sets, dels) = (each(0..3000, "SET k@ v"), each(0..100, "DEL k@"));
    place.put("a.aof", log(&format!("{sets}{dels}SET later 1")));
    let run = place.run(&["recover", "a.aof"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(
        run.stdout.replace('\n', " ").contains("The largest run is a DEL of 100 keys."),
        "{run:#?}"
    );
    assert_eq!(as_typed(&place, &run.stdout), [3001, 3000, 3001]);
    // One key fewer is below both thresholds.
    place.put("a.aof", log(&format!("{sets}{}", each(0..99, "DEL k@"))));
    assert_eq!(place.run(&["recover", "a.aof"]).code, Some(0));
}

#[test]
fn ordinary_deletions_are_no_loss_and_are_said() {
    let base = each(0..200, "SET base@ v");
    // What follows, and how many keys come back as typed.
    let cases = [
        ("DEL base1\nUNLINK base2 base3\nSET base3 v".to_owned(), Some(200)),
        // Made and deleted again and again.
        (each(0..500, "SET job@ v\nDEL job@"), Some(700)),
        (each(0..500, "SET job v\nDEL job"), Some(201)),
        // Expired, which servers write as DEL.
        (each(0..200, "SET s@ v\nPEXPIREAT s@ 1000") + &each(0..200, "DEL s@"), None),
        (each(0..200, "RPUSH l@ v\nLPOP l@"), None),
        ("RENAME base1 base2".to_owned(), None),
        ("SWAPDB 0 1".to_owned(), None),
        ("PEXPIREAT base1 1000".to_owned(), None),
    ];
    for (later, back) in cases {
        let place = Place::new();
        place.put("a.aof", log(&format!("{base}{later}")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.starts_with("NOT IN THIS LOG: only ordinary changes"), "{run:#?}");
        assert!(!says_never(&run), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout), back.as_slice(), "{run:#?}");
        let look = json(&place, "a.aof");
        assert_eq!(look["verdict"]["kind"], "ordinary", "{look:#}");
        assert_eq!(look["nothing_lost"], false);
    }
}

#[test]
fn what_was_inspected_and_what_counts_is_said() {
    let place = Place::new();
    for lines in [SOME, "SET a 1\nDEL b", "SET a 1\nEVAL x 0", "SET a 1\nDEL a"] {
        place.put("a.aof", log(lines.trim_end()));
        let run = place.run(&["recover", "a.aof"]);
        for said in ["  checked for FLUSHALL, FLUSHDB", "  not covered values", "at least 10 %"] {
            assert!(run.stdout.contains(said), "{run:#?}");
        }
    }
}

#[test]
fn never_in_this_log_is_said_only_of_a_log_that_was_read_whole_and_lost_nothing() {
    let place = Place::new();
    let some = log(SOME);
    place.put("a.aof", &some);
    let run = place.run(&["recover", "a.aof"]);
    assert!(run.code == Some(0) && says_never(&run), "{run:#?}");
    assert_eq!(json(&place, "a.aof")["nothing_lost"], true);
    place.put("a.aof", log("FLUSHALL\nSET a 1"));
    let run = place.run(&["recover", "a.aof"]);
    assert!(run.code == Some(1) && says_never(&run), "{run:#?}");

    let ends: [(&[u8], i32); 9] = [
        (b"*3\r\n$3\r\nSE", 0),
        (&log("DEL a"), 0),
        (&log("EVAL x 0"), 1),
        (&log("EVALSHA f6535fdac5dd87ce3a2b2b73afa19fc8e7140afb 0"), 1),
        (&log("FCALL f 0"), 1),
        (&log("JSON.SET d $ 1"), 1),
        (&log("WIPE"), 1),
        (b"\0\0\0", 1),
        (&[b"\0\0\0", &some[..]].concat(), 1),
    ];
    for (end, code) in ends {
        for start in [&some[..], &log("FLUSHALL\nSET a 1")] {
            place.put("a.aof", [start, end].concat());
            let run = place.run(&["recover", "a.aof"]);
            assert!(!says_never(&run), "{run:#?}");
            if start == some {
                assert_eq!(run.code, Some(code), "{run:#?}");
            }
            assert_eq!(json(&place, "a.aof")["nothing_lost"], false);
        }
    }
    place.put("a.aof", &some);
    let run = place.run(&["recover", "a.aof", "--no-preview"]);
    assert!(run.code == Some(0) && !says_never(&run), "{run:#?}");
    place.put("a.aof", [some, log("DEL b")].concat());
    let run = place.run(&["recover", "a.aof", "--no-preview"]);
    assert!(run.code == Some(1) && run.stdout.starts_with("CANNOT TELL"), "{run:#?}");
}

#[test]
fn a_command_without_arguments_that_no_server_knows_may_be_a_renamed_flush() {
    for wipe in ["wipe_9f", "WIPE_9F ASYNC"] {
        let place = Place::new();
        place.put("a.aof", log(&format!("{SOME}{wipe}\nSET later 1")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.starts_with("CANNOT TELL whether data was destroyed"), "{run:#?}");
        let said = run.stdout.replace("\n              ", " ");
        assert!(said.contains("possibly a renamed FLUSHALL"), "{run:#?}");
        assert!(said.contains("a.aof:81 (#4)") && said.contains("3 keys before it"), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout), [3]);
        let look = json(&place, "a.aof");
        assert_eq!(look["verdict"]["kind"], "unclear");
        let possible = &look["possible_flushes"][0];
        assert_eq!((&possible["offset"], &possible["keys_before"]), (&81.into(), &3.into()));
    }
    // What is left of a command that was edited is no name.
    let place = Place::new();
    place.put("a.aof", [&log(SOME)[..], b"*1\r\n$8\r\n*2\r\n$6\r\n\r\n"].concat());
    let look = json(&place, "a.aof");
    assert_eq!(look["verdict"]["kind"], "unclear", "{look:#}");
    assert_eq!(look["possible_flushes"], serde_json::json!([]));
    // A key in it makes it another command.
    let place = Place::new();
    place.put("a.aof", log(&format!("{SOME}JSON.SET d $ 1")));
    let look = json(&place, "a.aof");
    assert_eq!(look["verdict"]["kind"], "unclear");
    assert_eq!(look["possible_flushes"], serde_json::json!([]));
    assert_eq!(look["unknown"][0]["name"], "JSON.SET");
}

#[test]
fn what_a_script_did_is_not_known_and_the_data_before_it_comes_back_as_typed() {
    for script in
        ["EVAL redis.call('flushall') 0", "EVALSHA f6535fdac5dd87ce3a2b 0 k*", "FCALL f 0"]
    {
        let place = Place::new();
        place.put("a.aof", log(&format!("{SOME}{script}\nSET later 1\n{script}\nDEL a")));
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.starts_with("CANNOT TELL whether data was destroyed"), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout), [3]);
        let look = json(&place, "a.aof");
        assert_eq!(look["verdict"]["kind"], "unclear");
        let unknown = &look["unknown"][0];
        assert_eq!((&unknown["script"], &unknown["count"]), (&true.into(), &2.into()), "{look:#}");
        assert_eq!((&unknown["offset"], &look["keys_deleted"]), (&81.into(), &1.into()));
    }
}

#[test]
fn a_flush_after_a_damage_is_found_and_what_is_printed_works() {
    let (before, after) = (log(SOME), log("SET x 1\nFLUSHALL"));
    let lost_length = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9999\r\nv\r\n";
    for damage in [&[0; 64][..], b"noise", lost_length] {
        let place = Place::new();
        place.put("a.aof", [&before[..], damage, &after].concat());
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(
            run.stdout.starts_with("PROBABLY: a flush is in the log, after a damaged"),
            "{run:#?}"
        );
        let at = before.len() + damage.len() + log("SET x 1").len();
        assert!(run.stdout.contains(&format!("FLUSHALL at a.aof:{at}\n")), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout), [3, 0], "before it; repaired, to be recovered");
        let look = json(&place, "a.aof");
        assert_eq!(look["verdict"]["kind"], "flush-after-damage");
        let unread = &look["unread"];
        assert_eq!((&unread["offset"], &unread["commands"]), (&81.into(), &2.into()), "{look:#}");
        assert_eq!(unread["flushes"][0]["offset"], at);
    }

    let place = Place::new();
    let [base, one, two] =
        ["appendonly.aof.1.base.aof", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"];
    let broken = [&log("SET x 1")[..], b"\0\0"].concat();
    place.put_set("set", &[(base, &before), (one, &broken), (two, &log("SELECT 1\nflushdb"))]);
    let run = place.run(&["recover", "set"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains(&format!("FLUSHDB at {two}:23\n")), "{run:#?}");
    assert_eq!(as_typed(&place, &run.stdout), [4, 4]);
}

#[test]
fn of_a_damaged_log_only_what_works_is_printed() {
    let place = Place::new();
    let after = log("SET x 1");
    for before in [
        format!("{SOME}FLUSHALL"),
        format!("{SOME}FLUSHALL\nSET d 4"),
        SOME.to_owned() + "DEL a b c",
    ] {
        place.put("a.aof", [&log(&before)[..], b"\0\0", &after].concat());
        let run = place.run(&["recover", "a.aof"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(!run.stdout.contains("The log ends in a FLUSHALL"), "{run:#?}");
        assert_eq!(as_typed(&place, &run.stdout)[0], 3, "{run:#?}");
        fs::remove_file(place.path("repaired.aof")).unwrap();
    }
}

#[test]
fn an_rdb_of_an_unknown_version_is_no_reason_for_a_no() {
    let place = Place::new();
    let rdb = b"REDIS0099\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    let [base, incr] = ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"];
    place.put_set("set", &[(base, rdb), (incr, &log("SET a 1"))]);
    let run = place.run(&["recover", "set"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.starts_with("CANNOT TELL whether data was destroyed"), "{run:#?}");
    assert!(
        run.stdout.contains("(RDB\n              version 99)") && !says_never(&run),
        "{run:#?}"
    );
    place.put(format!("set/{incr}"), log("SET a 1\nFLUSHALL"));
    let run = place.run(&["recover", "set"]);
    assert!(run.stdout.starts_with("PROBABLY: a flush is in the log"), "{run:#?}");
    assert_eq!(json(&place, "set")["before_damage"], Value::Null, "its keys are not counted");
}

#[test]
fn a_form_that_no_known_server_has_may_have_removed_anything() {
    let keys = each(0..20, "SET k:@ v");
    for form in ["FLUSHALL LATER", "SET k:1 v FUTURE 1", "EXPIRE k:1 100 MAYBE"] {
        let place = Place::new();
        place.put("a.aof", log(&format!("SELECT 0\n{keys}{form}\n")));
        let run = place.run(&["recover", "a.aof"]);
        assert!(run.stdout.starts_with("CANNOT TELL"), "{form}: {run:#?}");
        let name = form.split(' ').next().unwrap();
        let offset = log(&format!("SELECT 0\n{keys}")).len();
        assert!(run.stdout.contains(&format!("{name}, once, first at a.aof:{offset}")), "{run:#?}");
        assert!(!says_never(&run), "{run:#?}");
        let report = json(&place, "a.aof");
        assert_eq!(report["answer"], "cannot-tell");
        assert_eq!(report["unknown_forms"][0]["name"], name);
    }
    // What every server answers with an error did nothing.
    let place = Place::new();
    place.put("a.aof", log(&format!("SELECT 0\n{keys}LPUSH k:1 a\nINCR k:2\n")));
    assert_eq!(json(&place, "a.aof")["answer"], "no");
}

#[test]
fn a_key_of_another_name_or_database_is_not_said_to_be_never_in_the_log() {
    let keys = each(0..20, "SET k:@ v");
    for (command, renamed) in
        [("RENAME k:@ n:@", 20), ("RENAMENX k:@ n:@", 20), ("MOVE k:@ 3", 20), ("GET k:@", 0)]
    {
        let place = Place::new();
        place.put("a.aof", log(&format!("SELECT 0\n{keys}{}", each(0..20, command))));
        let run = place.run(&["recover", "a.aof"]);
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let said = "it has another name or database (20 commands of RENAME or MOVE";
        assert_eq!(text.contains(said), renamed > 0, "{run:#?}");
        assert_eq!(json(&place, "a.aof")["deletions"]["renamed"], renamed);
        if renamed > 0 {
            let history = place.run(&["history", "k:1", "a.aof"]);
            assert!(history.code == Some(0) && history.stdout.contains("nothing"), "{history:#?}");
        }
    }
}
