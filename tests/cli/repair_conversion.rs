//! Repair of logs whose bytes a tool or a person changed as a whole.

use super::*;

/// A log with a value that has line ends in it.
fn log() -> Vec<u8> {
    [
        command(&["SELECT", "0"]),
        sound(),
        command(&["RPUSH", "l", "x", ""]),
        command(&["SET", "text", "one\r\ntwo\r\n"]),
    ]
    .concat()
}

fn with_ends(log: &[u8], end: &str) -> Vec<u8> {
    String::from_utf8(log.to_vec()).unwrap().replace("\r\n", end).into_bytes()
}

fn utf_16(log: &[u8], low_first: bool) -> Vec<u8> {
    log.iter().flat_map(|byte| if low_first { [*byte, 0] } else { [0, *byte] }).collect()
}

/// Repairs `changed` with every kind of output, and expects `restored`.
#[track_caller]
fn is_restored(changed: &[u8], restored: &[u8], change: &str) {
    let place = Place::new();
    place.put("a.aof", changed);
    let run = place.run(&["repair", "a.aof", "--dry-run"]);
    assert_eq!((run.code, place.names()), (Some(1), vec!["a.aof".to_owned()]), "{run:#?}");
    let run = place.run(&["repair", "a.aof", "--output", "b.aof", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(text(&place.read("b.aof")), text(restored));
    assert_eq!(place.read("a.aof"), changed);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let changes: Vec<_> = report["undone"].as_array().unwrap().iter().collect();
    assert!(changes.iter().any(|it| it["change"] == change), "{report:#}");
    assert_eq!(report["lost_bytes"], 0);
    assert_eq!(report["start"]["proved"], true, "{report:#}");
    // The help of the others leads here.
    let verified = place.run(&["verify", "a.aof"]);
    assert_eq!(verified.code, Some(1), "{verified:#?}");
    // The original is kept.
    let run = place.run(&["repair", "a.aof", "--in-place", "--max-loss", "0"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(text(&place.read("a.aof")), text(restored));
    let names = place.names();
    let backup = names.iter().find(|name| name.contains(".bak-")).expect("a backup");
    assert_eq!(place.read(backup), changed);
    let again = place.run(&["repair", "a.aof", "--in-place"]);
    assert!(again.stdout.contains("SOUND"), "{again:#?}");
}

fn text(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

#[test]
fn line_ends_of_a_converted_log_are_restored() {
    let log = log();
    is_restored(&with_ends(&log, "\n"), &log, "lf-line-ends");
    let text = String::from_utf8(log.clone()).unwrap();
    is_restored(text.replace('\n', "\r\n").as_bytes(), &log, "doubled-cr");
    // Servers take a line feed after an annotation, so the first one is not changed.
    let annotated = [b"#TS:1700000000\n", &log[..], b"#TS:1700000001\r\n", &log].concat();
    is_restored(&with_ends(&annotated, "\n"), &annotated, "lf-line-ends");
    // Values without line ends.
    let plain = [command(&["SELECT", "0"]), sound()].concat();
    is_restored(&with_ends(&plain, "\r"), &plain, "cr-line-ends");
    // A first command of one argument reads as a whole one, which ends in the `*` of the next.
    let ping = [command(&["PING"]), log].concat();
    is_restored(&with_ends(&ping, "\n"), &ping, "lf-line-ends");
    is_restored(b"*1\n$4\nPING\n", &command(&["PING"]), "lf-line-ends");
}

#[test]
fn marks_and_encodings_of_editors_are_undone() {
    let log = log();
    is_restored(&[b"\xef\xbb\xbf", &log[..]].concat(), &log, "byte-order-mark");
    is_restored(&[b"\xff\xfe", &utf_16(&log, true)[..]].concat(), &log, "utf-16");
    is_restored(&[b"\xfe\xff", &utf_16(&log, false)[..]].concat(), &log, "utf-16");
    is_restored(&utf_16(&log, true), &log, "utf-16");
    is_restored(&[b"\r\n", &log[..]].concat(), &log, "extra-line-end");
}

#[test]
fn offsets_in_a_log_in_utf_16_count_bytes_of_the_file() {
    let later = with_ends(&command(&["SET", "z", "1"]), "\n");
    let text = [&log()[..], &later].concat();
    for mark in [&b""[..], b"\xff\xfe"] {
        let place = Place::new();
        place.put("a.aof", [mark, &utf_16(&text, true)].concat());
        let run = place.run(&["repair", "a.aof", "-n", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let undone = &report["undone"];
        assert_eq!((&undone[0]["change"], &undone[0]["first"]), (&"utf-16".into(), &0.into()));
        assert_eq!(undone[1]["change"], "lf-line-ends", "{report:#}");
        assert_eq!(undone[1]["first"], mark.len() + 2 * log().len(), "{report:#}");
    }
}

#[test]
fn change_of_one_part_of_a_log_is_undone() {
    let [log, later] = [log(), command(&["SET", "z", "1"])];
    let preamble = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";
    for before in [&log[..], preamble] {
        let all = [before, &log, &later].concat();
        is_restored(&[before, &with_ends(&log, "\n"), &later].concat(), &all, "lf-line-ends");
    }
    for (leftover, change) in [
        ("*1\r\n$8\r\n", "leftover-header"),
        ("*1\r\n", "leftover-header"),
        ("\n", "extra-line-end"),
    ] {
        let changed = [&log[..], leftover.as_bytes(), &later].concat();
        is_restored(&changed, &[&log[..], &later].concat(), change);
    }
    is_restored(&[&log[..], b"\n"].concat(), &log, "extra-line-end");
    let counted = "*3\r\n$3\r\nSET\r\n$4\r\nname\r\n$4\r\n\u{fc}ber\r\n";
    let name = command(&["SET", "name", "\u{fc}ber"]);
    let changed = [&log[..], counted.as_bytes(), &later].concat();
    is_restored(&changed, &[&log[..], &name, &later].concat(), "character-lengths");
}

#[test]
fn commands_as_typed_are_written_as_a_server_logs_them() {
    let typed = b"SET a 1\r\nset \"b c\" 'x y'\n\nDEL b\r\n";
    let log =
        [command(&["SET", "a", "1"]), command(&["set", "b c", "x y"]), command(&["DEL", "b"])];
    is_restored(typed, &log.concat(), "inline-commands");
}

#[test]
fn monitor_output_becomes_a_log_of_its_writes_if_nobody_counts_on_it() {
    let monitored = b"OK\n1700000000.000000 [0 127.0.0.1:5000] \"SET\" \"a\" \"1\\n\"\n\
        1700000000.500000 [2 lua] \"EXPIRE\" \"a\" \"10\"\n1700000001.000000 [2 unix:] \"GET\" \"a\"\n";
    let log = [
        command(&["SELECT", "0"]),
        command(&["SET", "a", "1\n"]),
        command(&["SELECT", "2"]),
        command(&["PEXPIREAT", "a", "1700000010500"]),
    ];
    let place = Place::new();
    place.put("a.aof", monitored);
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, text(&place.read("b.aof"))), (Some(0), text(&log.concat())), "{run:#?}");
    assert!(run.stdout.contains("MONITOR output"), "{run:#?}");
    let run = place.run(&["repair", "a.aof", "--in-place", "--max-loss", "1gb"]);
    assert_eq!((run.code, place.read("a.aof")), (Some(4), monitored.to_vec()), "{run:#?}");
}

#[test]
fn value_that_several_readings_fit_is_not_guessed() {
    let place = Place::new();
    // One of the two line feeds in the value was CR LF.
    let changed = with_ends(&command(&["SET", "k", "one\r\ntwo\nthree"]), "\n");
    place.put("a.aof", [&with_ends(&sound(), "\n")[..], &changed].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof", "--json"]);
    assert_eq!((run.code, place.path("b.aof").exists()), (Some(2), false), "{run:#?}");
    let run = place.run(&["repair", "a.aof", "-o", "b.aof", "--salvage", "--json"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), sound()), "{run:#?}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["lost_bytes"], changed.len(), "{report:#}");
}

#[test]
fn whole_log_that_no_server_loads_is_not_sound() {
    let place = Place::new();
    let unknown = [sound(), command(&["JSON.SET", "k", "$", "1"])].concat();
    place.put("a.aof", &unknown);
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, place.names()), (Some(1), vec!["a.aof".to_owned()]), "{run:#?}");
    assert!(run.stdout.contains("NOT SOUND") && run.stdout.contains("byte 81"), "{run:#?}");
    assert!(run.stdout.contains("unknown command \"JSON.SET\""), "{run:#?}");
    // A torn end is cut all the same, as by a server that has the module.
    place.put("torn.aof", [&unknown[..], b"*3\r\n$3\r\nSE"].concat());
    let run = place.run(&["repair", "torn.aof", "-o", "b.aof"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), unknown.clone()), "{run:#?}");
    assert!(run.stdout.contains("start not proved: "), "{run:#?}");
    // Any other repair has to end in a start.
    place.put("damaged.aof", [&sound()[..], b"\0\0\0", &unknown].concat());
    let run = place.run(&["repair", "damaged.aof", "--salvage", "-o", "c.aof"]);
    assert_eq!((run.code, place.path("c.aof").exists()), (Some(2), false), "{run:#?}");
    assert!(run.stderr.contains("would not start with the result"), "{run:#?}");
    // A server that was asked for.
    place.put("getdel.aof", command(&["HGETDEL", "h", "FIELDS", "1", "f"]));
    let for_version =
        |server: &str| place.run(&["repair", "getdel.aof", "-n", "--for", server]).code;
    assert_eq!((for_version("redis-7.0"), for_version("redis-8.0")), (Some(1), Some(0)));
}

#[test]
fn place_without_a_log_is_no_error_if_that_was_said() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    let in_place = |path: &str| {
        place.run(&["repair", "--quiet", "--in-place", "--if-present", "--max-loss", "64kb", path])
    };
    for path in ["data", "data/appendonlydir", "none/appendonly.aof"] {
        in_place(path).ends(0, "", "");
        let run = place.run(&["repair", "--if-present", "--in-place", "--json", path]);
        assert!(run.stdout.contains("\"present\": false"), "{run:#?}");
        assert_eq!(place.run(&["repair", "--in-place", path]).code, Some(2));
    }
    // A log that was moved away is no first start.
    place.put("data/appendonlydir.bak-20260101000000", sound());
    let run = in_place("data/appendonlydir");
    assert_eq!(run.code, Some(2), "{run:#?}");
    place.put("torn.aof", torn());
    let run = in_place("torn.aof");
    assert_eq!((run.code, place.read("torn.aof")), (Some(0), sound()), "{run:#?}");
}

#[test]
fn rdb_of_no_bytes_is_not_sound() {
    let place = Place::new();
    place.put("dump.rdb", b"");
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("an RDB of 0 bytes"), "{run:#?}");
    assert!(!run.stdout.contains("  loads "), "{run:#?}");
    let run = place.run(&["repair", "dump.rdb", "-n"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("NOT SOUND"), "{run:#?}");
    // A log of no bytes is what a server starts with.
    place.put("appendonly.aof", b"");
    assert_eq!(place.run(&["verify", "appendonly.aof"]).code, Some(0));
    // The base of a set.
    let [base, incr] = ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"];
    place.put_set("set", &[(base, b""), (incr, &sound())]);
    assert_eq!(place.run(&["verify", "set"]).code, Some(1));
    fs::create_dir(place.path("bk")).unwrap();
    let run = place.run(&["backup", "set", "--to", "bk"]);
    assert_ne!(run.code, Some(0), "{run:#?}");
}

#[test]
fn text_that_begins_with_the_name_of_a_command_is_no_command() {
    for text in ["command terminated with exit code 137\n", "time out\n", "monitor\nping pong\n"] {
        let place = Place::new();
        place.put("a.aof", [&sound()[..], text.as_bytes()].concat());
        let run = place.run(&["repair", "a.aof", "--output", "new.aof", "--json"]);
        assert_eq!((run.code, place.read("new.aof")), (Some(0), sound()), "{run:#?}");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(report["lost_bytes"], text.len(), "{report:#}");
        let run = place.run(&["repair", "a.aof", "--in-place", "--max-loss", "1kb"]);
        assert_eq!((run.code, place.names().len()), (Some(4), 2), "{run:#?}");
    }
}

/// Servers since Redis 7.0 take a line without an end for the beginning of a command.
#[test]
fn log_in_one_line_is_not_emptied() {
    let log = String::from_utf8(sound()).unwrap();
    for text in [log.replace("\r\n", "\\r\\n"), log.replace("\r\n", " "), log.replace("\r\n", "")] {
        assert!(text.len() < 1000 && text.starts_with('*'));
        let place = Place::new();
        place.put("a.aof", &text);
        for more in [&["--max-loss", "64kb", "--max-commands", "10"][..], &[]] {
            let run = place.run(&[&["repair", "a.aof", "--in-place"], more].concat());
            assert_eq!((run.code, place.names().len()), (Some(4), 1), "{run:#?}");
        }
    }
}
