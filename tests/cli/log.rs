//! `aofkit log`: what a line says, which lines are shown, and what happens where a log ends too early.

use super::*;

/// A log of some commands in two databases, with annotations, a transaction, and bytes that are no text.
fn story() -> Vec<u8> {
    [
        b"#TS:1700000000\r\n".to_vec(),
        command(&["SELECT", "0"]),
        command(&["SET", "user:1", "Ana \"A\"\n"]),
        b"#TS:1700000060\r\n".to_vec(),
        command(&["MULTI"]),
        command(&["INCR", "n"]),
        command(&["SELECT", "3"]),
        command(&["EXEC"]),
        command(&["RENAME", "user:1", "user:2"]),
        b"*3\r\n$3\r\nset\r\n$2\r\nb\xff\r\n$60\r\n".to_vec(),
        vec![b'v'; 60],
        b"\r\n".to_vec(),
        b"#TS:1700000120\r\n".to_vec(),
        command(&["FLUSHALL"]),
    ]
    .concat()
}

const LINES: [&str; 9] = [
    r#"1:16  #1  2023-11-14 22:13:20 +00:00 [0] "SELECT" "0""#,
    r#"1:39  #2  2023-11-14 22:13:20 +00:00 [0] "SET" "user:1" "Ana \"A\"\n""#,
    r#"1:94  #3  2023-11-14 22:14:20 +00:00 [0] "MULTI""#,
    r#"1:109 #4  2023-11-14 22:14:20 +00:00 [0]   "INCR" "n""#,
    r#"1:130 #5  2023-11-14 22:14:20 +00:00 [3]   "SELECT" "3""#,
    r#"1:153 #6  2023-11-14 22:14:20 +00:00 [3] "EXEC""#,
    r#"1:167 #7  2023-11-14 22:14:20 +00:00 [3] "RENAME" "user:1" "user:2""#,
    r#"1:207 #8  2023-11-14 22:14:20 +00:00 [3] "set" "b\xff" "vvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvvv.." (60 bytes)"#,
    r#"1:311 #9  2023-11-14 22:15:20 +00:00 [3] "FLUSHALL""#,
];

/// The lines of these numbers, from 1.
fn lines(numbers: &[usize]) -> String {
    numbers.iter().map(|number| format!("{}\n", LINES[number - 1])).collect()
}

#[test]
fn a_line_tells_where_when_and_what() {
    let place = Place::new();
    place.put("a.aof", story());
    place.run(&["log", "a.aof"]).ends(0, &lines(&[1, 2, 3, 4, 5, 6, 7, 8, 9]), "");
    let full = place.run(&["log", "--full", "a.aof"]).stdout;
    assert!(full.contains(&format!("\"{}\"\n", "v".repeat(60))), "{full}");
    let reverse = place.run(&["log", "--reverse", "a.aof"]);
    reverse.ends(0, &lines(&[9, 8, 7, 6, 5, 4, 3, 2, 1]), "");
}

#[test]
fn commands_are_chosen_by_name_key_database_and_place() {
    let place = Place::new();
    place.put("a.aof", story());
    let cases: [(&[&str], &[usize]); 16] = [
        (&["--command", "set"], &[2, 8]),
        (&["--command", "SET,flushall", "--command", "exec"], &[2, 6, 8, 9]),
        (&["--pattern", "user:2"], &[7]),
        (&["--pattern", "user:*", "--exclude", "*1"], &[7]),
        (&["--exclude", "user:*"], &[1, 3, 4, 5, 6, 8, 9]),
        (&["--db", "0"], &[1, 2, 3, 4]),
        (&["-d", "3", "--command", "set"], &[8]),
        (&["--since", "1:167"], &[7, 8, 9]),
        (&["--since", "a.aof:168", "--until", "1:311"], &[8]),
        (&["--since", "#3", "--until", "#5"], &[3, 4]),
        (
            &["--since", "2023-11-14 22:14:20", "--until", "2023-11-14T22:15:20Z"],
            &[3, 4, 5, 6, 7, 8],
        ),
        (&["--until", "1700000060"], &[1, 2]),
        (&["--limit", "2"], &[1, 2]),
        (&["--reverse", "--limit", "2"], &[9, 8]),
        (&["--reverse", "--until", "#7", "--limit", "1", "--db", "0"], &[4]),
        (&["--limit", "0"], &[]),
    ];
    for (args, expected) in cases {
        let run = place.run(&[&["log", "a.aof"], args].concat());
        assert_eq!((run.code, &*run.stdout), (Some(0), &*lines(expected)), "{args:?}: {run:#?}");
    }
}

#[test]
fn missing_positions_are_reported() {
    let place = Place::new();
    place.put("a.aof", sound());
    let reported = |args: &[&str], code, what: &str| {
        let run = place.run(&[&["log", "a.aof"], args].concat());
        assert!(run.code == Some(code) && run.stderr.contains(what), "{args:?}: {run:#?}");
    };
    reported(&["--since", "1700000000"], 2, "does not tell when");
    reported(&["--since", "#4"], 2, "the log has 3");
    reported(&["--since", "2:0"], 2, "no part 2");
    reported(&["--since", "1:82"], 2, "has 81 bytes");
    reported(&["--since", "half past"], 2, "no position");
    reported(&["--command", "flushal"], 0, "no known server has a command flushal");
}

#[test]
fn json_loses_nothing() {
    let place = Place::new();
    place.put("a.aof", story());
    let run = place.run(&["log", "--json", "--since", "#7", "a.aof"]);
    let value = format!(r#"{{"text":"{}"}}"#, "v".repeat(60));
    let expected = [
        &header("log"),
        r#"{"kind":"command","part":"a.aof","number":1,"offset":167,"ordinal":7,"db":3,"time":"2023-11-14T22:14:20Z","args":[{"text":"RENAME"},{"text":"user:1"},{"text":"user:2"}]}"#,
        &format!(
            r#"{{"kind":"command","part":"a.aof","number":1,"offset":207,"ordinal":8,"db":3,"time":"2023-11-14T22:14:20Z","args":[{{"text":"set"}},{{"bytes":"Yv8="}},{value}]}}"#
        ),
        r#"{"kind":"command","part":"a.aof","number":1,"offset":311,"ordinal":9,"db":3,"time":"2023-11-14T22:15:20Z","args":[{"text":"FLUSHALL"}]}"#,
        r#"{"kind":"summary","shown":3,"commands":9}"#,
    ];
    run.ends(0, &format!("{}\n", expected.join("\n")), "");
    let run = place.run(&["log", "--json", "--command", "incr", "a.aof"]);
    assert!(run.stdout.contains(r#""transaction":3,"#), "{run:#?}");
}

#[test]
fn parts_are_distinguished_and_an_rdb_is_one_line() {
    let place = Place::new();
    place.put("a.aof", sound());
    place.run(&["compact", "a.aof", "-o", "set", "--format", "multipart", "--for", "redis-7.0"]);
    place.put("set/appendonly.aof.1.incr.aof", command(&["SET", "d", "4"]));
    let run = place.run(&["log", "set"]);
    let rdb = fs::metadata(place.path("set/appendonly.aof.1.base.rdb")).unwrap().len();
    let base = "# part 1: appendonly.aof.1.base.rdb\n";
    let snapshot = format!("1:0   RDB 10: 3 keys, {rdb} bytes\n");
    let incr = "# part 2: appendonly.aof.1.incr.aof\n2:0   #1 [0] \"SET\" \"d\" \"4\"\n";
    run.ends(0, &format!("{base}{snapshot}{incr}"), "");
    place.run(&["log", "--reverse", "set"]).ends(0, &format!("{incr}{base}{snapshot}"), "");
    place.run(&["log", "--command", "SET", "set"]).ends(0, incr, "");
    place.run(&["log", "--since", "2:0", "set"]).ends(0, incr, "");
    place.run(&["log", "--until", "#1", "set"]).ends(0, &format!("{base}{snapshot}"), "");
    let run = place.run(&["log", "--json", "--limit", "1", "set"]);
    let json = format!(
        r#"{{"kind":"rdb","part":"appendonly.aof.1.base.rdb","number":1,"offset":0,"bytes":{rdb},"version":10,"keys":3}}"#
    );
    let (header, last) = (header("log"), r#"{"kind":"summary","shown":1,"commands":0}"#);
    run.ends(0, &format!("{header}\n{json}\n{last}\n"), "");
}

#[test]
fn commands_before_damage_are_shown_and_then_the_damage() {
    let place = Place::new();
    let whole = "1:0   #1 [0] \"SET\" \"a\" \"1\"\n1:27  #2 [0] \"SET\" \"b\" \"2\"\n\
                 1:54  #3 [0] \"SET\" \"c\" \"3\"\n";
    let bad = [sound(), b"rubbish, and more of it\r\n".to_vec(), sound()].concat();
    let open = [sound(), command(&["MULTI"]), command(&["SET", "d", "4"])].concat();
    for (name, log, byte, what) in [
        (
            "torn.aof",
            [sound(), command(&["SET", "d", "long"])[..20].to_vec()].concat(),
            "byte 81:",
            "torn",
        ),
        ("bad.aof", bad, "byte 81:", "damaged here: expected `*`"),
        ("open.aof", open, "byte 81:", "#4 has no EXEC"),
    ] {
        place.put(name, log);
        let run = place.run(&["log", name]);
        assert!(run.code == Some(1) && run.stdout.starts_with(whole), "{run:#?}");
        assert!(run.stderr.contains(byte) && run.stderr.contains(what), "{run:#?}");
        assert!(run.stderr.contains("aofkit repair"), "{run:#?}");
        let back = place.run(&["log", "--reverse", name]);
        let mut lines: Vec<&str> = run.stdout.lines().collect();
        lines.reverse();
        assert_eq!(back.stdout.lines().collect::<Vec<_>>(), lines);
        assert_eq!((back.code, back.stderr), (Some(1), run.stderr));
    }
    // What is not asked for is not complained of.
    place.run(&["log", "--limit", "3", "torn.aof"]).ends(0, whole, "");
    place.run(&["log", "--until", "#4", "open.aof"]).ends(0, whole, "");
}

/// Larger than several windows: forwards, backwards and on any number of threads the same lines.
#[test]
fn windows_join_without_a_seam() {
    let place = Place::new();
    let mut log = Vec::new();
    for n in 0..30_000 {
        if n % 1000 == 0 {
            log.extend(format!("#TS:{}\r\n", 1_700_000_000 + n).into_bytes());
            log.extend(command(&["SELECT", &(n / 1000 % 5).to_string()]));
        }
        log.extend(command(&["SET", &format!("key:{n}"), &"x".repeat(n % 300)]));
    }
    assert!(log.len() > 5 << 20);
    place.put("a.aof", log);
    let of = |args: &[&str]| {
        let run = place.run(&[&["log", "a.aof"], args].concat());
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{args:?}");
        run.stdout
    };
    let whole = of(&["-j", "1"]);
    assert_eq!(whole.lines().count(), 30_030);
    for (index, line) in whole.lines().enumerate() {
        let ordinal = format!("#{} ", index + 1);
        let (second, command) = (index / 1001 * 1000, index % 1001);
        let db = format!(" [{}] ", index / 1001 % 5);
        assert!(line.contains(&ordinal) && line.contains(&db), "{line}");
        if command > 0 {
            assert!(line.contains(&format!("\"SET\" \"key:{}\"", second + command - 1)), "{line}");
        }
    }
    assert!(of(&["-j", "3"]) == whole);
    let mut back: Vec<&str> = whole.lines().collect();
    back.reverse();
    assert!(of(&["--reverse"]).lines().eq(back.iter().copied()));
    let some: Vec<&str> = whole.lines().skip(15_000).take(10_000).collect();
    assert!(of(&["--since", "#15001", "--until", "#25001"]).lines().eq(some.iter().copied()));
    assert!(of(&["--since", "#15001", "--limit", "10000"]).lines().eq(some.iter().copied()));
    let some: Vec<&str> = back.iter().copied().skip(5030).take(10_000).collect();
    let limits = ["--reverse", "--until", "#25001", "--limit", "10000"];
    assert!(of(&limits).lines().eq(some.iter().copied()));
    let run = place.shell("set -o pipefail; \"$0\" log a.aof | head -1 | wc -l");
    run.ends(0, "1\n", "");
}

/// Several windows of a log, each of several chunks: lines are in order, and a limit ends them anywhere.
#[test]
fn every_line_of_a_long_log_is_shown_in_order() {
    const COMMANDS: usize = 60_000;
    let place = Place::new();
    let key = |index: usize| format!("k:{index:05}");
    let log: Vec<u8> = (1..=COMMANDS).flat_map(|n| command(&["SET", &key(n), "v"])).collect();
    place.put("a.aof", &log);
    let bytes = log.len() / COMMANDS;
    // The longest offset and ordinal that there can be set the width of the columns.
    let place_width = 2 + log.len().to_string().len();
    let width = (log.len() / 27).to_string().len();
    let line = |n: usize| {
        let at = format!("1:{}", (n - 1) * bytes);
        format!("{at:place_width$} #{n:<width$} [0] \"SET\" \"{}\" \"v\"\n", key(n))
    };
    let lines: Vec<String> = (1..=COMMANDS).map(line).collect();
    let run = place.run(&["log", "a.aof"]);
    assert!(run.stdout == lines.concat(), "{:?}", run.stdout.get(..200));
    for limit in [0, 1, 1023, 1024, 1025, 1489, 1490, 30_000, COMMANDS, COMMANDS + 1] {
        let run = place.run(&["log", "a.aof", "--limit", &limit.to_string()]);
        assert_eq!(run.stdout.lines().count(), limit.min(COMMANDS));
        assert!(run.stdout == lines[..limit.min(COMMANDS)].concat(), "limit {limit}");
        let args = ["log", "a.aof", "--reverse", "--limit", &limit.to_string()];
        let last: String = lines.iter().rev().take(limit).map(String::as_str).collect();
        assert!(place.run(&args).stdout == last, "limit {limit} in reverse");
    }
}
