//! `aofkit diff`: which keys differ, in what, and the report.

use super::*;

/// Two logs that differ in every way that there is, and agree on some keys.
fn sides(place: &Place) {
    let common = [
        command(&["SET", "same", "1"]),
        command(&["RPUSH", "list", "a", "b"]),
        command(&["HSET", "hash", "f", "v", "g", "w"]),
        command(&["SET", "expiring", "1"]),
        command(&["SET", "typed", "1"]),
        command(&["SET", "gone", "12345"]),
        command(&["HSET", "fields", "f", "v"]),
        command(&["XADD", "stream", "1-1", "f", "v"]),
        command(&["XADD", "stream", "2-1", "f", "v"]),
        command(&["SELECT", "2"]),
        command(&["SADD", "same", "m"]),
        command(&["ZADD", "zset", "1", "m"]),
    ]
    .concat();
    let changes = [
        command(&["ZADD", "zset", "2", "m"]),
        command(&["SET", "two\nlines", "x"]),
        command(&["SELECT", "0"]),
        command(&["RPUSH", "list", "c"]),
        command(&["PEXPIREAT", "list", "4102444800123"]),
        command(&["PEXPIREAT", "expiring", "4102444800000"]),
        command(&["DEL", "typed", "gone"]),
        command(&["SADD", "typed", "1"]),
        command(&["HPEXPIREAT", "fields", "4102444800000", "FIELDS", "1", "f"]),
        command(&["XGROUP", "CREATE", "stream", "g", "0"]),
        // Another order, and the same set of fields.
        command(&["HDEL", "hash", "f"]),
        command(&["HSET", "hash", "f", "v"]),
    ]
    .concat();
    place.put("a.aof", &common);
    place.put("b.aof", [common, changes].concat());
}

const LIST: [&str; 8] = [
    "+ [2] string \"two\\nlines\" 1 byte",
    "- [0] string \"gone\" 5 bytes",
    "~ [0] hash \"fields\" field expiry",
    "~ [0] list \"list\" value (2 elements / 3 elements), expiry (never / 2100-01-01 00:00:00.123 +00:00)",
    "~ [0] stream \"stream\" stream state",
    "~ [0] string \"expiring\" expiry (never / 2100-01-01 00:00:00 +00:00)",
    "~ [0] string \"typed\" type (string / set)",
    "~ [2] zset \"zset\" value (1 member)",
];

#[test]
fn keys_are_counted_by_database_and_type() {
    let place = Place::new();
    sides(&place);
    let run = place.run(&["diff", "a.aof", "b.aof"]);
    let expected = "\
A  a.aof
B  b.aof

    db  type         only in A     only in B     different          same
     0  string               1             0             2             1
     0  list                 0             0             1             0
     0  hash                 0             0             1             1
     0  stream               0             0             1             0
     2  string               0             1             0             0
     2  set                  0             0             0             1
     2  zset                 0             0             1             0
   all                       1             1             6             3

  different in type 1 · value 2 · field expiry 1 · stream state 1 · expiry 2

DIFFERENT: 8 of 11 keys
";
    run.ends(1, expected, "");
    place.run(&["diff", "--quiet", "a.aof", "b.aof"]).ends(1, "", "");
    let run = place.run(&["diff", "a.aof", "a.aof"]);
    assert!(run.code == Some(0) && run.stdout.contains("SAME: 10 keys on both sides"), "{run:#?}");
}

#[test]
fn the_list_tells_what_differs_and_is_the_same_on_any_machine() {
    let place = Place::new();
    sides(&place);
    let list = |args: &[&str]| {
        let run = place.run(&[&["diff", "--list", "a.aof", "b.aof"], args].concat());
        let (list, _) = run.stdout.split_once("\n\n").unwrap_or_else(|| panic!("{run:#?}"));
        list.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let whole = list(&["-j", "1"]);
    let mut sorted = whole.clone();
    sorted.sort();
    assert_eq!(sorted, LIST);
    assert_eq!(list(&["-j", "3"]), whole);
    assert_eq!(list(&["-j", "2", "--memory", "1kb"]), whole);
    assert_eq!(list(&["--pattern", "l*", "--pattern", "zset", "--exclude", "z*"]), [LIST[3]]);
    assert_eq!(list(&["--db", "2"]).len(), 2);
    let run = place.run(&["diff", "b.aof", "a.aof", "--list", "--pattern", "gone"]);
    assert!(run.stdout.starts_with("+ [0] string \"gone\" 5 bytes\n\n"), "{run:#?}");
}

#[test]
fn json_tells_the_same() {
    let place = Place::new();
    sides(&place);
    let run = place.run(&["diff", "--json", "--list", "a.aof", "b.aof", "--db", "2"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((run.code, lines.len()), (Some(1), 4), "{run:#?}");
    let one = r#"{"kind":"key","db":2,"key":{"text":"two\nlines"},"reasons":[],"b":{"type":"string","size":1}}"#;
    let two = r#"{"kind":"key","db":2,"key":{"text":"zset"},"reasons":["value"],"a":{"type":"zset","size":1},"b":{"type":"zset","size":1}}"#;
    assert!(lines[1..3].contains(&one) && lines[1..3].contains(&two), "{run:#?}");
    let end = r#"{"kind":"summary","a":{"path":"a.aof","#;
    assert_eq!(lines[0], header("diff"));
    assert!(lines[3].starts_with(end), "{run:#?}");
    assert!(lines[3].contains(r#""keys":{"only_a":0,"only_b":1,"different":1,"same":1}"#));
    let run = place.run(&["diff", "--json", "a.aof", "a.aof"]);
    assert!(run.code == Some(0) && run.stdout.contains("\"same\": true"), "{run:#?}");
}

/// The keys of both sides are tied together differently, and still each meets its like.
#[test]
fn a_compacted_log_is_the_same_in_every_form() {
    let place = Place::new();
    let mut log = Vec::new();
    for n in 0..400 {
        let (key, number) = (format!("k:{}", n % 90), n.to_string());
        match n % 6 {
            0 => log.extend(command(&["SELECT", &(n / 100).to_string()])),
            1 => log.extend(command(&["RENAME", &key, &format!("r:{n}")])),
            2 => log.extend(command(&[
                "SUNIONSTORE",
                &format!("u:{n}"),
                &format!("s:{}", n % 9),
                "s:1",
            ])),
            3 => log.extend(command(&["SADD", &format!("s:{}", n % 10), &number])),
            _ => log.extend(command(&["SET", &key, &number])),
        }
    }
    place.put("a.aof", log);
    for (form, output) in [("aof", "b.aof"), ("rdb", "b.rdb"), ("multipart", "set")] {
        place.run(&["compact", "a.aof", "-o", output, "--format", form, "--for", "redis-7.0"]);
        let run = place.run(&["diff", "a.aof", output]);
        assert!(run.code == Some(0) && run.stdout.contains("SAME: "), "{form}: {run:#?}");
    }
}

#[test]
fn what_was_not_compared_is_reported() {
    let place = Place::new();
    place.put("a.aof", torn());
    let failing = command(&["LPUSH", "a", "x"]);
    let past = command(&["SET", "past", "1", "PXAT", "1000"]);
    place.put("b.aof", [sound(), failing, past].concat());
    let run = place.run(&["diff", "a.aof", "b.aof", "--expired", "drop", "--exclude", "a"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    for note in [
        "A: a torn command at byte 81: 10 bytes not compared\n",
        "B: 1 command that a server answers with an error\n",
        "A: 1 key left out by filters\n",
        "B: 1 key left out, expired\n",
    ] {
        assert!(run.stdout.contains(note), "{note}: {run:#?}");
    }
    assert_eq!(place.run(&["diff", "a.aof", "b.aof"]).code, Some(1));
    place.put("bad.aof", [sound(), b"rubbish, and more of it\r\n".to_vec()].concat());
    let run = place.run(&["diff", "a.aof", "bad.aof"]);
    assert!(run.code == Some(2) && run.stderr.contains("bad.aof: byte 81"), "{run:#?}");
    let run = place.run(&["diff", "a.aof", "nothing"]);
    assert!(run.code == Some(2) && run.stderr.contains("nothing"), "{run:#?}");
}

/// An archive is read as what is in it, by all that replay a log, and nothing of it is left lying about.
#[test]
fn a_log_in_an_archive_is_the_log() {
    let place = Place::new();
    sides(&place);
    fs::create_dir(place.path("tmp")).unwrap();
    assert_eq!(place.run(&["compress", "b.aof", "--output", "b.zip"]).code, Some(0));
    let run = |args: &[&str]| {
        let mut command = place.command();
        Run::of(&command.env("TMPDIR", place.path("tmp")).args(args).output().unwrap())
    };
    let same = run(&["diff", "b.zip", "b.aof"]);
    assert_eq!(same.code, Some(0), "{same:?}");
    assert!(same.stdout.contains("b.zip"), "{same:?}");
    assert_eq!(run(&["diff", "a.aof", "b.zip"]).code, Some(1));
    let digest = |path| run(&["digest", path]).stdout.replace(path, "");
    assert_eq!(digest("b.zip"), digest("b.aof"));
    let lines = |path| run(&["log", "--limit", "5", path]).stdout;
    assert!(lines("b.zip").ends_with(&lines("b.aof")), "{}", lines("b.zip"));
    assert_eq!(run(&["compact", "b.zip", "--format", "aof", "-o", "out.aof"]).code, Some(0));
    assert_eq!(run(&["diff", "out.aof", "b.zip"]).code, Some(0));
    let left = fs::read_dir(place.path("tmp")).unwrap().count();
    assert_eq!(left, 0);
}
