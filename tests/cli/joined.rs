//! Several logs in one file, and bytes after an RDB file.

use super::*;

/// An RDB of version 9 with a string for each pair in database `db`, and without a checksum.
pub(crate) fn rdb(db: u8, keys: &[(&str, &str)]) -> Vec<u8> {
    let mut rdb = b"REDIS0009".to_vec();
    rdb.extend([0xfe, db]);
    for (key, value) in keys {
        rdb.push(0);
        for text in [key, value] {
            rdb.push(u8::try_from(text.len()).unwrap());
            rdb.extend_from_slice(text.as_bytes());
        }
    }
    rdb.push(0xff);
    rdb.extend([0; 8]);
    rdb
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn bytes_after_an_rdb_file_are_a_note() {
    let rdb = rdb(0, &[("a", "1"), ("b", "2")]);
    for (name, after) in
        [("dump.rdb", &[0; 16][..]), ("copy.RDB", b"\r\n"), ("x.rdb.1", b"garbage")]
    {
        let place = Place::new();
        place.put(name, [&rdb, after].concat());
        let run = place.run(&["verify", name, "--json"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let report = json(&run);
        let finding = &report["logs"][0]["findings"][0];
        assert_eq!(finding["kind"], "after-rdb");
        assert_eq!(
            (&finding["offset"], &finding["count"]),
            (&rdb.len().into(), &after.len().into())
        );
        assert_eq!(report["logs"][0]["parts"][0]["tail_bytes"], after.len());
        place.put("whole.rdb", &rdb);
        let digest = |name: &str| json(&place.run(&["digest", name, "--json"]))["digest"].clone();
        assert_eq!(digest(name), digest("whole.rdb"));
        assert!(digest(name).is_string());
        for args in [&["recover", name][..], &["compact", name, "-o", "c"], &["log", name]] {
            let run = place.run(args);
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{run:#?}");
        }
        let run = place.run(&["repair", name, "-n"]);
        assert!(run.code == Some(0) && run.stdout.contains("SOUND"), "{run:#?}");
        // An archive has it under the name of a log, in which no server would load the bytes.
        fs::create_dir(place.path("bk")).unwrap();
        let run = place.run(&["backup", name, "--to", "bk"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains("after the end of the RDB"), "{run:#?}");
        let archive = fs::read_dir(place.path("bk")).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            path.extension().is_some_and(|it| it == "zip").then_some(path)
        });
        let archive = archive.unwrap();
        let args = [OsStr::new("restore"), archive.as_os_str(), "-o".as_ref(), "back".as_ref()];
        assert_eq!(place.run(&args).code, Some(0));
        let run = place.run(&["verify", "back", "--json"]);
        assert_eq!((run.code, json(&run)["logs"][0]["bytes"].clone()), (Some(0), rdb.len().into()));
        // A zip of another program has all bytes.
        let script =
            format!("python3 -c \"import zipfile; zipfile.ZipFile('a.zip','w').write('{name}')\"");
        assert_eq!(place.shell(&script).code, Some(0));
        let run = place.run(&["verify", "a.zip"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
}

#[test]
fn bytes_after_the_rdb_of_a_log_are_damage() {
    let rdb = rdb(0, &[("a", "1")]);
    let place = Place::new();
    for (name, bytes) in [
        ("appendonly.aof", [&rdb[..], b"\0\0\0"].concat()),
        // Commands follow, so that it is a log by another name.
        ("dump.rdb", [&rdb[..], &sound(), b"\0\0\0"].concat()),
        ("torn.rdb", [&rdb[..], b"*3\r\n$3\r\nSE"].concat()),
    ] {
        place.put(name, bytes);
        let run = place.run(&["verify", name]);
        assert!(run.code == Some(1) && run.stdout.contains("DAMAGED"), "{run:#?}");
    }
    let base = [&rdb[..], b"\0\0\0"].concat();
    place.put_set(
        "set",
        &[("appendonly.aof.1.base.rdb", &base), ("appendonly.aof.1.incr.aof", &sound())],
    );
    assert_eq!(place.run(&["verify", "set"]).code, Some(1));
}

#[test]
fn logs_joined_by_cat_are_named_and_each_is_kept_on_request() {
    let [a, b] = [rdb(0, &[("a", "1"), ("same", "a")]), rdb(2, &[("b", "2")])];
    let [tail, other] = [command(&["SET", "x", "1"]), command(&["SET", "y", "2"])];
    let preambles = [[&a[..], &tail].concat(), [&b[..], &other].concat()];
    let plain_first = [sound(), preambles[1].clone()];
    // The first log is torn, once in a value that then has bytes of the second.
    let torn_first = [[&a[..], &tail, b"*3\r\n$3\r\nSE"].concat(), preambles[1].clone()];
    let in_value = [
        [&a[..], &tail, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$9\r\nabc"].concat(),
        preambles[1].clone(),
    ];
    for (logs, torn) in [(&preambles, 0), (&plain_first, 0), (&torn_first, 10), (&in_value, 27)] {
        let place = Place::new();
        place.put("a.aof", logs.concat());
        let at = logs[0].len();
        let run = place.run(&["verify", "a.aof"]);
        let found = format!("a second RDB begins at byte {at} (1 key)");
        assert!(run.code == Some(1) && run.stdout.contains(&found), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
        assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
        assert!(run.stderr.contains(&found) && run.stderr.contains("--joined 2"), "{run:#?}");
        // Unattended, it is left alone.
        for more in [&["--max-loss", "1gb"][..], &["--max-commands", "9", "--salvage"]] {
            let run = place.run(&[&["repair", "a.aof", "--in-place"], more].concat());
            assert_eq!((run.code, place.read("a.aof")), (Some(4), logs.concat()), "{run:#?}");
        }
        for (number, expected) in ["1", "2"].into_iter().zip(logs) {
            let run = place.run(&["repair", "a.aof", "--joined", number, "-o", number, "--json"]);
            assert_eq!(run.code, Some(0), "{run:#?}");
            let torn = if number == "1" { torn } else { 0 };
            assert_eq!(place.read(number), expected[..expected.len() - torn], "{run:#?}");
            let report = json(&run);
            assert_eq!(report["joined"]["kept"].to_string(), number);
            assert_eq!(report["joined"]["logs"][1]["offset"], at);
            assert_eq!(report["start"]["proved"], true);
        }
        let run = place.run(&["repair", "a.aof", "--joined", "3", "-n"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        let run = place.run(&["merge", "1", "2", "-o", "all.aof"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
}

#[test]
fn one_log_is_not_taken_for_several() {
    let place = Place::new();
    // A value that holds an RDB, before a torn end, and one that is torn itself.
    let inner = String::from_utf8_lossy(b"REDIS0009 and so on").into_owned();
    let whole = command(&["SET", "k", &inner]);
    for bytes in [
        [&whole[..], b"*3\r\n$3\r\nSE"].concat(),
        whole[..whole.len() - 4].to_vec(),
        [&sound()[..], &whole[..whole.len() - 4]].concat(),
    ] {
        place.put("a.aof", bytes);
        let run = place.run(&["repair", "a.aof", "-n", "--json"]);
        assert!(run.code == Some(1) && json(&run)["joined"].is_null(), "{run:#?}");
    }
    // A base and its incremental file are a log with a preamble, and two plain logs are a log.
    place.put("b.aof", [rdb(0, &[("a", "1")]), command(&["SELECT", "0"]), sound()].concat());
    place.put("c.aof", [sound(), sound()].concat());
    for name in ["b.aof", "c.aof"] {
        assert_eq!(place.run(&["verify", name]).code, Some(0));
        let run = place.run(&["repair", name, "--joined", "1", "-n"]);
        assert!(run.code == Some(2) && run.stderr.contains("this is one log"), "{run:#?}");
    }
}

#[test]
fn second_of_two_rdb_files_is_a_warning() {
    let place = Place::new();
    let [a, b] = [rdb(0, &[("a", "1")]), rdb(0, &[("b", "1"), ("c", "1")])];
    place.put("dump.rdb", [&a[..], &b].concat());
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("warning: a second RDB begins at byte"), "{run:#?}");
    let run = place.run(&["repair", "dump.rdb", "--joined", "2", "-o", "b.rdb"]);
    assert_eq!((run.code, place.read("b.rdb")), (Some(0), b), "{run:#?}");
}
