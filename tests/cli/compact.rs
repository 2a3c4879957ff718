//! Compaction and digest: what is written, what is refused, and that the result depends on the log alone.

use super::*;

/// A log of some size with keys of all kinds, some of them tied to each other, in three databases.
fn busy() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0..3000 {
        let name = |kind: &str| format!("{kind}:{}", n % 700);
        let number = n.to_string();
        match n % 9 {
            0 => log.extend(command(&["SELECT", &(n % 4).to_string()])),
            1 => log.extend(command(&["HSET", &name("h"), &number, "v"])),
            2 => log.extend(command(&["RPUSH", &name("l"), &number, "x"])),
            3 => log.extend(command(&["ZADD", &name("z"), "1.5", &number])),
            4 => log.extend(command(&["XADD", &name("x"), &format!("{}-1", n + 1), "f", "v"])),
            5 => log.extend(command(&["PEXPIREAT", &name("h"), "4102444800000"])),
            6 => log.extend(command(&["RENAME", &name("l"), &format!("r:{n}")])),
            7 => log.extend(command(&["SADD", &name("s"), &number])),
            _ => log.extend(command(&["SET", &name("k"), &number])),
        }
    }
    log
}

fn fingerprint(place: &Place, path: &str) -> String {
    let run = place.run(&["digest", "--fingerprint", path]);
    let line = run.stdout.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
    line.unwrap_or_else(|| panic!("{run:#?}")).trim().to_owned()
}

#[test]
fn a_log_that_a_process_is_writing_is_compacted_and_this_is_reported() {
    let place = Place::new();
    place.put("a.aof", command(&["SET", "a", "1"]));
    let unused = place.run(&["compact", "a.aof", "-o", "b.aof"]);
    assert!(unused.code == Some(0) && !unused.stdout.contains("open for writing"), "{unused:#?}");
    let writer = fs::OpenOptions::new().append(true).open(place.path("a.aof")).unwrap();
    let run = place.run(&["compact", "a.aof", "-o", "c.aof"]);
    drop(writer);
    let who = format!("(process {}) has the log open for writing", std::process::id());
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(run.code == Some(0) && said.contains(&who), "{run:#?}");
}

#[test]
fn the_smallest_log_is_written_and_holds_the_same() {
    let place = Place::new();
    let log = [
        command(&["SET", "a", "1"]),
        command(&["INCR", "a"]),
        command(&["SET", "gone", "1"]),
        command(&["DEL", "gone"]),
        command(&["PEXPIREAT", "a", "4102444800000"]),
    ];
    place.put("a.aof", log.concat());
    let run = place.run(&["compact", "a.aof", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.ends_with("COMPACTED: written to b.aof, read back and identical\n"));
    let expected = [
        command(&["SELECT", "0"]),
        command(&["SET", "a", "2"]),
        command(&["PEXPIREAT", "a", "4102444800000"]),
    ];
    assert_eq!(place.read("b.aof"), expected.concat());
    assert_eq!(fingerprint(&place, "a.aof"), fingerprint(&place, "b.aof"));
    assert_eq!(place.names(), ["a.aof", "b.aof"]);
}

#[test]
fn the_bytes_depend_neither_on_threads_nor_on_memory() {
    let place = Place::new();
    place.put("a.aof", busy());
    for form in ["aof", "preamble"] {
        let ways: [&[&str]; 4] =
            [&["-j", "1"], &["-j", "2"], &["-j", "7"], &["-j", "2", "--memory", "1kb"]];
        let mut written = Vec::new();
        for way in ways {
            let args = ["compact", "a.aof", "-o", "b", "--force", "--format", form];
            let args = [&args[..], &["--for", "redis-7.0", "--now", "0"], way].concat();
            let run = place.run(&args);
            assert_eq!(run.code, Some(1), "some RENAMEs find no key: {run:#?}");
            written.push(place.read("b"));
        }
        assert!(written.iter().all(|bytes| *bytes == written[0]), "{form}");
        assert_eq!(fingerprint(&place, "a.aof"), fingerprint(&place, "b"));
    }
}

#[test]
fn slices_joined_in_any_order_are_the_whole() {
    let place = Place::new();
    place.put("a.aof", busy());
    for slice in ["1/3", "2/3", "3/3"] {
        let name = slice.replace('/', "-");
        place.run(&["compact", "a.aof", "--shard", slice, "-o", &name]);
    }
    let joined = [place.read("3-3"), place.read("1-3"), place.read("2-3")];
    assert!(joined.iter().all(|slice| slice.len() > 10_000));
    place.put("joined.aof", joined.concat());
    assert_eq!(fingerprint(&place, "a.aof"), fingerprint(&place, "joined.aof"));
}

#[test]
fn an_rdb_becomes_the_directory_with_which_a_log_can_begin() {
    let place = Place::new();
    place.put("a.aof", busy());
    place.run(&["compact", "a.aof", "-o", "dump.rdb", "--format", "rdb"]);
    place.run(&["compact", "dump.rdb", "-o", "appendonlydir"]);
    let mut names: Vec<String> = fs::read_dir(place.path("appendonlydir"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let expected =
        ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.manifest"];
    assert_eq!(names, expected);
    let manifest = "file appendonly.aof.1.base.rdb seq 1 type b\n\
                    file appendonly.aof.1.incr.aof seq 1 type i\n";
    assert_eq!(place.read("appendonlydir/appendonly.aof.manifest"), manifest.as_bytes());
    assert_eq!(place.run(&["verify", "--for", "redis-7.0", "appendonlydir"]).code, Some(0));
    let keys = |path: &str| place.run(&["digest", "--as", "redis-7.0", path]).stdout;
    assert_eq!(
        keys("dump.rdb").replace("dump.rdb", ""),
        keys("appendonlydir").replace("appendonlydir", "")
    );
}

#[test]
fn an_existing_output_is_not_replaced_without_force() {
    let place = Place::new();
    place.put("a.aof", sound());
    place.put("b.aof", "precious");
    let run = place.run(&["compact", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(2), b"precious".to_vec()));
    assert_eq!(place.run(&["compact", "a.aof", "-o", "b.aof", "--force"]).code, Some(0));
    assert_ne!(place.read("b.aof"), b"precious");
    assert_eq!(place.run(&["compact", "a.aof"]).code, Some(2));
    assert_eq!(place.run(&["compact", "a.aof", "--dry-run"]).code, Some(0));
    let names = place.names();
    assert!(names[..2] == ["a.aof", "b.aof"] && names[2].starts_with("b.aof.bak-"), "{names:?}");
    assert_eq!((names.len(), place.read(&names[2])), (3, b"precious".to_vec()));
}

#[test]
fn a_torn_end_is_omitted_and_other_damage_is_refused() {
    let place = Place::new();
    place.put("torn.aof", torn());
    let run = place.run(&["compact", "torn.aof", "-o", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("a torn command at byte 81"), "{run:#?}");
    place.put("bad.aof", [sound(), b"garbage\r\n".to_vec(), sound()].concat());
    let run = place.run(&["compact", "bad.aof", "-o", "c.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("byte 81") && run.stderr.contains("aofkit repair"), "{run:#?}");
    assert_eq!(place.names(), ["b.aof", "bad.aof", "torn.aof"]);
}

#[test]
fn databases_above_the_default_limit_are_reported() {
    let place = Place::new();
    let set_in = |db: &str| [command(&["SELECT", db]), command(&["SET", "k", "v"])].concat();
    place.put("a.aof", set_in("15"));
    place.put("b.aof", [set_in("15"), set_in("16")].concat());
    let run = place.run(&["compact", "a.aof", "--dry-run"]);
    assert!(run.code == Some(0) && !run.stdout.contains("databases"), "{run:#?}");
    for (form, what) in [("aof", "SELECT fails"), ("rdb", "does not start")] {
        let run = place.run(&["compact", "b.aof", "--dry-run", "--format", form]);
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("needs `databases 17`") && text.contains(what), "{run:#?}");
    }
}

#[test]
fn select_that_a_server_refuses_leaves_later_keys_in_the_previous_database() {
    let place = Place::new();
    let with = |selects: &[&str]| {
        let refused = selects.iter().flat_map(|index| command(&["SELECT", index]));
        let start = [command(&["SELECT", "2"]), command(&["SET", "a", "1"])].concat();
        [start, refused.collect(), command(&["SET", "b", "2"])].concat()
    };
    place.put("a.aof", with(&[]));
    let result = |path: &str| {
        place.run(&["compact", path, "-o", "out.aof", "--force"]);
        let digest = place.run(&["digest", path]).stdout.replace(path, "");
        let (_, digest) = digest.split_once("digest").expect("a digest");
        let digest = digest.lines().next().expect("a line").to_owned();
        (place.read("out.aof"), digest, fingerprint(&place, path))
    };
    let expected = result("a.aof");
    for index in ["+3", "02", "03", "+0", "00", " 3", "3 ", "-0", "-1", "2147483648", "x", ""] {
        place.put("b.aof", with(&[index]));
        assert_eq!(result("b.aof"), expected, "SELECT {index:?}");
        let lines = place.run(&["log", "b.aof"]).stdout;
        assert!(lines.contains("[2] \"SET\" \"b\""), "SELECT {index:?}: {lines}");
        let verify = place.run(&["verify", "b.aof"]);
        assert!(verify.stdout.contains("SELECT of an invalid database index"), "{verify:#?}");
    }
}

/// As Redis 5.0 writes SET, PEXPIREAT and two INCRBYFLOAT.
#[test]
fn expiries_that_an_old_log_may_have_lost_are_reported() {
    let place = Place::new();
    let begin =
        [command(&["SET", "k", "1"]), command(&["PEXPIREAT", "k", "4102444800000"])].concat();
    let sums = [command(&["SET", "k", "1.5"]), command(&["SET", "k", "2"])].concat();
    place.put("a.aof", [&*begin, &*sums].concat());
    let reported = |run: &Run| {
        let json: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        json["lost_expiries"].clone()
    };
    let lost = serde_json::json!(
        [{"of": "key", "count": 1, "part": "a.aof", "offset": begin.len()}]
    );
    for words in [&["compact", "a.aof", "--dry-run"][..], &["digest", "a.aof"]] {
        let run = place.run(words);
        assert!(run.stdout.contains("expiries: 1 key has no expiry here but may"), "{run:#?}");
        assert_eq!(reported(&place.run(&[words, &["--json"]].concat())), lost);
    }
    place.put("b.aof", [&*begin, &*sums, &*begin].concat());
    assert_eq!(reported(&place.run(&["digest", "b.aof", "--json"])), serde_json::json!([]));
}

#[test]
fn a_script_is_refused_by_name_and_place() {
    let place = Place::new();
    let script = command(&["EVAL", "return redis.call('set', KEYS[1], 1)", "1", "k"]);
    place.put("a.aof", [sound(), script].concat());
    let run = place.run(&["compact", "a.aof", "-o", "b.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("EVAL") && run.stderr.contains("byte 81"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn what_is_not_understood_is_carried_with_all_that_was_done_to_its_key() {
    let place = Place::new();
    let commands = [
        command(&["JSON.SET", "doc", "$", "{}"]),
        command(&["SET", "a", "1"]),
        command(&["EXPIREAT", "doc", "4102444800"]),
        command(&["FT.THING", "x", "other"]),
        command(&["JSON.SET", "dead", "$", "1"]),
        command(&["DEL", "dead", "a"]),
    ];
    place.put("a.aof", commands.concat());
    let run = place.run(&["compact", "a.aof", "-o", "b.aof", "--key-spec", "ft.thing=2"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("2 commands of \"JSON.SET\""), "{run:#?}");
    let written = String::from_utf8(place.read("b.aof")).unwrap();
    let kept = [0, 2, 3].map(|n| String::from_utf8(commands[n].clone()).unwrap());
    assert!(written.contains(&[&*kept[0], &*kept[1]].concat()), "{written}");
    assert!(written.contains(&kept[2]) && !written.contains("dead"), "{written}");
    let run = place.run(&["compact", "a.aof", "-o", "c.rdb", "--format", "rdb"]);
    assert_eq!(run.code, Some(2), "an RDB cannot hold it: {run:#?}");
    let tied = command(&["RENAME", "doc", "doc2"]);
    place.put("d.aof", [commands.concat(), tied].concat());
    let run = place.run(&["compact", "d.aof", "-o", "e.aof"]);
    assert!(run.code == Some(2) && run.stderr.contains("RENAME"), "{run:#?}");
}

#[test]
fn keys_are_chosen_by_database_pattern_and_time() {
    let place = Place::new();
    let log = [
        command(&["SET", "user:1", "x"]),
        command(&["SET", "user:2", "x"]),
        command(&["PEXPIREAT", "user:2", "1000000"]),
        command(&["SET", "order:1", "x"]),
        command(&["SELECT", "3"]),
        command(&["SET", "user:3", "x"]),
    ];
    place.put("a.aof", log.concat());
    let keys = |args: &[&str]| {
        let all = ["compact", "a.aof", "-o", "b.aof", "--force"];
        assert_eq!(place.run(&[&all, args].concat()).code, Some(0));
        let written = String::from_utf8(place.read("b.aof")).unwrap();
        let mut keys: Vec<String> = (written.split("\r\n"))
            .filter(|line| line.starts_with("user:") || line.starts_with("order:"))
            .map(str::to_owned)
            .collect();
        keys.sort();
        keys.dedup();
        keys.join(" ")
    };
    assert_eq!(keys(&[]), "order:1 user:1 user:2 user:3");
    assert_eq!(keys(&["--db", "3"]), "user:3");
    assert_eq!(keys(&["--pattern", "user:*", "--exclude", "*[13]"]), "user:2");
    assert_eq!(keys(&["--drop-expired"]), "order:1 user:1 user:3");
    assert_eq!(keys(&["--drop-expired", "--now", "999"]), "order:1 user:1 user:2 user:3");
    assert_eq!(keys(&["--expired", "drop"]), "order:1 user:1 user:3");
}

#[test]
fn expired_keys_are_kept_without_an_expiry_on_request() {
    let place = Place::new();
    let log = [
        command(&["SET", "user:1", "x"]),
        command(&["PEXPIREAT", "user:1", "1000"]),
        command(&["SET", "user:2", "x"]),
        command(&["PEXPIREAT", "user:2", "4102444800000"]),
        command(&["SET", "order:1", "x"]),
        command(&["PEXPIREAT", "order:1", "1000"]),
    ];
    place.put("a.aof", log.concat());
    let filtered = ["--expired", "persist", "--pattern", "user:*"];
    let run = place.run(&[&["compact", "a.aof", "-o", "b.aof"][..], &filtered].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("1 key expired, kept without an expiry"), "{run:#?}");
    let written = String::from_utf8(place.read("b.aof")).unwrap();
    let lines: Vec<&str> = written.split("\r\n").collect();
    assert_eq!(lines.iter().filter(|line| **line == "user:1").count(), 1, "only SET: {written}");
    assert!(lines.contains(&"4102444800000") && !lines.contains(&"1000"), "{written}");
    // Before that time, it has not expired.
    let run = place.run(&["compact", "a.aof", "-o", "c.aof", "--expired", "persist", "--now", "1"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = String::from_utf8(place.read("c.aof")).unwrap();
    assert_eq!(written.matches("\r\n1000\r\n").count(), 2, "{written}");
    let both = place.run(&["compact", "a.aof", "-n", "--expired", "drop", "--drop-expired"]);
    assert_eq!(both.code, Some(2), "{both:#?}");
}

#[test]
fn a_form_or_server_that_cannot_carry_the_data_is_an_error() {
    let place = Place::new();
    let field = command(&["HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "f"]);
    place.put("a.aof", [command(&["HSET", "h", "f", "v"]), field].concat());
    for form in ["aof", "rdb"] {
        let args = ["compact", "a.aof", "-o", "b", "--format", form];
        let run = place.run(&[&args[..], &["--for", "redis-7.0"]].concat());
        assert!(run.code == Some(2) && run.stderr.contains("key \"h\""), "{form}: {run:#?}");
        // Nobody said for which server: the first that can.
        let run = place.run(&[&args[..], &["--force"]].concat());
        assert_eq!(run.code, Some(0), "{form}: {run:#?}");
        fs::remove_file(place.path("b")).unwrap();
    }
    let run =
        place.run(&["compact", "a.aof", "-o", "d", "--format", "multipart", "--for", "redis-6.2"]);
    assert!(run.code == Some(2) && run.stderr.contains("multi-part"), "{run:#?}");
}

#[test]
fn a_full_disk_leaves_nothing() {
    let place = Place::new();
    place.put("a.aof", busy());
    // The limit on the size of files has the effect of a disk that is full.
    let run = place.shell("ulimit -f 8; trap '' XFSZ; \"$0\" compact a.aof -o b.aof");
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("b.aof"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn killed_at_any_time_it_leaves_the_old_or_the_new() {
    let place = Place::new();
    place.put("a.aof", busy());
    place.put("b.aof", "old");
    let mut seen = [0, 0];
    for round in 0..40_u64 {
        let mut child = place
            .command()
            .args(["compact", "a.aof", "-o", "b.aof", "--force", "--quiet"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(round * 3));
        let _ = child.kill();
        child.wait().unwrap();
        if place.read("b.aof") == b"old" {
            seen[0] += 1;
        } else {
            seen[1] += 1;
            assert_eq!(fingerprint(&place, "a.aof"), fingerprint(&place, "b.aof"));
            place.put("b.aof", "old");
        }
    }
    assert!(seen[0] > 0, "no kill came early enough: {seen:?}");
}

#[test]
fn a_dry_run_writes_nowhere_and_tells_the_same_length() {
    let place = Place::new();
    place.put("a.aof", busy());
    for form in ["aof", "rdb"] {
        let after = |args: &[&str]| {
            let args = [&["compact", "a.aof", "--format", form], args].concat();
            let run = place.run(&args);
            run.stdout.lines().find(|line| line.contains("  after ")).map(str::to_owned)
        };
        // No file may have a single byte.
        let dry = place.shell(&format!(
            "ulimit -f 0; trap '' XFSZ; \"$0\" compact a.aof --dry-run --format {form} 2>&1 | cat"
        ));
        let written = after(&["-o", "b", "--force"]);
        assert!(written.is_some_and(|line| dry.stdout.contains(&line)), "{dry:#?}");
    }
}

#[test]
fn functions_are_written_for_a_server_that_has_them() {
    let place = Place::new();
    let library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";
    place.put("a.aof", [command(&["FUNCTION", "LOAD", library]), sound()].concat());
    for form in ["aof", "preamble"] {
        let run = place.run(&["compact", "a.aof", "-o", "b", "--force", "--format", form]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains("functions"), "{run:#?}");
        let args = ["compact", "a.aof", "-o", "c", "--format", form, "--for", "redis-6.2"];
        assert_eq!(place.run(&args).code, Some(2), "6.2 has none");
    }
}
