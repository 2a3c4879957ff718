//! One judgement of damage: what `verify` calls damaged, no other command takes for whole. Only a torn end, which servers cut
//! while they load, is left out of a result.

use super::*;

const BASE: &str = "appendonly.aof.1.base.rdb";
const FIRST: &str = "appendonly.aof.1.incr.aof";
const SECOND: &str = "appendonly.aof.2.incr.aof";

/// An RDB of version 9 with the key `a`, without a checksum.
const RDB: &[u8] = b"REDIS0009\xfe\0\0\x01a\x01b\xff\0\0\0\0\0\0\0\0";

fn sets(numbers: std::ops::Range<usize>) -> Vec<u8> {
    numbers.flat_map(|number| command(&["SET", &format!("k{number}"), "value"])).collect()
}

/// Ten commands, `fault`, and forty commands.
fn around(fault: &[u8]) -> Vec<u8> {
    [sets(0..10), fault.to_vec(), sets(10..50)].concat()
}

/// Puts files of which `verify` says that they are damaged; returns their names.
fn put_damaged(place: &Place) -> Vec<&'static str> {
    let length = around(b"*3\r\n$3\r\nSET\r\n$99999999\r\nx\r\n$1\r\nv\r\n");
    place.put("length.aof", &length);
    place.put("type-byte.aof", around(b"#3\r\n$3\r\nSET\r\n$1\r\nx\r\n$1\r\nv\r\n"));
    place.put("zeros.aof", around(&[0; 100]));
    place.put("zero-tail.aof", [sets(0..50), vec![0; 100]].concat());
    place.put("torn-and-zeros.aof", [&sets(0..50)[..], b"*3\r\n$3\r\nSET", &[0; 100]].concat());
    let parts = [RDB.to_vec(), sets(0..10), sets(10..50)];
    let put_set = |name, at: usize, bytes: &[u8]| {
        let mut parts = parts.clone();
        parts[at] = bytes.to_vec();
        let [base, first, second] = parts;
        place.put_set(name, &[(BASE, &base), (FIRST, &first), (SECOND, &second)]);
    };
    put_set("base-cut", 0, &RDB[..13]);
    put_set("base-empty", 0, b"");
    put_set("torn-before-last", 1, &[&sets(0..10)[..], b"*3\r\n$3\r\nSET"].concat());
    put_set("length-before-last", 1, &length);
    put_set("zeros-at-last", 2, &[sets(10..50), vec![0; 100]].concat());
    for (source, archive) in [("length.aof", "length.zip"), ("base-empty", "base-empty.zip")] {
        let run = place.run(&["compress", "--damaged", source, "-o", archive]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    vec![
        "length.aof",
        "type-byte.aof",
        "zeros.aof",
        "zero-tail.aof",
        "torn-and-zeros.aof",
        "base-cut",
        "base-empty",
        "torn-before-last",
        "length-before-last",
        "zeros-at-last",
        "length.zip",
        "base-empty.zip",
    ]
}

/// Every command that reads `path`; what they write is `new`, or in `archives`.
fn commands(path: &str) -> Vec<String> {
    let mut lines = vec![
        format!("verify {path}"),
        format!("log {path}"),
        format!("log --reverse {path}"),
        format!("history k1 {path}"),
        format!("digest {path}"),
        format!("digest --fingerprint --memory 1mb {path}"),
        format!("diff {path} sound.aof"),
        format!("diff sound.aof {path}"),
        format!("compact {path} -o new"),
        format!("compact --shard 1/2 --format aof {path} -o new"),
        format!("compact {path} --dry-run"),
        format!("compact {path} --for redis-8.2 -o new"),
        format!("convert {path} --for redis-8.2 -o new"),
        format!("merge {path} sound.aof -o new"),
        format!("merge sound.aof {path} -o new"),
        format!("recover {path}"),
        format!("repair --dry-run {path}"),
    ];
    if path.ends_with(".zip") {
        lines.push(format!("restore {path} -o new"));
        lines.push(format!("extract {path} -o new"));
    } else {
        lines.push(format!("backup {path} --to archives"));
        lines.push(format!("backup --compact {path} --to archives"));
        lines.push(format!("compress {path} -o new"));
        lines.push(format!("bench {path} --rounds 1"));
    }
    lines
}

#[test]
fn what_verify_calls_damaged_every_command_refuses_or_reports_also_with_quiet() {
    let place = Place::new();
    place.put("sound.aof", sets(0..50));
    fs::create_dir(place.path("archives")).unwrap();
    let mut unlike = Vec::new();
    for path in put_damaged(&place) {
        assert_eq!(place.run(&["verify", path]).code, Some(1), "{path}");
        for line in commands(path) {
            let run = place.run(&line.split(' ').chain(["--quiet"]).collect::<Vec<_>>());
            let is_written = place.path("new").exists()
                || fs::read_dir(place.path("archives")).unwrap().next().is_some();
            if !matches!(run.code, Some(1 | 2 | 4)) || run.stderr.is_empty() || is_written {
                unlike.push((line, run.code, run.stderr, is_written));
                let _ = fs::remove_file(place.path("new"));
                let _ = fs::remove_dir_all(place.path("new"));
            }
        }
    }
    assert!(unlike.is_empty(), "{unlike:#?}");
}

#[test]
fn a_torn_end_alone_is_left_out_by_what_replays() {
    let place = Place::new();
    let torn = [&sets(0..50)[..], b"*3\r\n$3\r\nSET"].concat();
    place.put("sound.aof", sets(0..50));
    place.put("torn.aof", &torn);
    place.put_set("set", &[(BASE, RDB), (FIRST, &sets(0..10)), (SECOND, &torn)]);
    for path in ["torn.aof", "set"] {
        for line in ["digest P", "history k1 P", "compact P --dry-run"] {
            let run = place.run(&line.replace('P', path).split(' ').collect::<Vec<_>>());
            assert_eq!(run.code, Some(0), "{line} {path}: {run:#?}");
        }
        let digests = [path, "sound.aof"].map(|path| {
            let run = place.run(&["digest", "--fingerprint", path]);
            run.stdout.lines().find(|line| line.contains("fingerprint")).unwrap().to_owned()
        });
        assert_eq!(digests[0] == digests[1], path == "torn.aof", "{digests:?}");
    }
}

#[test]
fn an_empty_base_is_named_with_the_next_steps_and_they_work() {
    let place = Place::new();
    place.put_set("set", &[(BASE, b""), (FIRST, &sets(0..10))]);
    let run = place.run(&["digest", "set"]);
    let expected = format!(
        "error: set/{BASE}: byte 0: an RDB of 0 bytes: its keys are gone, and no server writes one\n\
         help: `aofkit recover set` looks for other files that have the keys; \
         `aofkit repair --without-missing set --output NEW` goes on without them\n"
    );
    run.ends(2, "", &expected);
    let run = place.run(&["repair", "--without-missing", "set", "--output", "NEW"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    for line in ["verify NEW", "digest NEW", "compact NEW -o new"] {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(run.code, Some(0), "{line}: {run:#?}");
    }
}

#[test]
fn a_command_that_servers_refuse_is_reported_by_all_that_replay_or_back_up() {
    let place = Place::new();
    place.put("sound.aof", sets(0..50));
    place.put("arity.aof", around(&command(&["SET", "key"])));
    fs::create_dir(place.path("archives")).unwrap();
    for line in [
        "verify arity.aof",
        "digest arity.aof",
        "compact arity.aof --dry-run",
        "backup arity.aof --to archives",
    ] {
        let run = place.run(&line.split(' ').chain(["--quiet"]).collect::<Vec<_>>());
        assert!(run.code == Some(1) && !run.stderr.is_empty(), "{line}: {run:#?}");
    }
    // What a server answers with an error changes no key: the data is the same, and that is reported.
    let run = place.run(&["diff", "arity.aof", "arity.aof", "--quiet"]);
    assert!(run.code == Some(0) && !run.stderr.is_empty(), "{run:#?}");
    // Its bytes are whole, and backed up.
    let names = fs::read_dir(place.path("archives")).unwrap();
    let is_archive = |name: &OsStr| Path::new(name).extension() == Some(OsStr::new("zip"));
    let archives = names.filter(|entry| is_archive(&entry.as_ref().unwrap().file_name()));
    assert_eq!(archives.count(), 1);
}
