//! `aofkit stats`: what is written in a log, and what is there at its end.

use super::*;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// Returns the report on one path.
fn stats(place: &Place, args: &[&str]) -> Value {
    let run = place.run(&[&["stats", "--json"], args].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let mut report: Value = serde_json::from_str(&run.stdout).unwrap();
    report["logs"][0].take()
}

/// What a simple reader finds in the parts of a log: commands and bytes by name and by database.
#[derive(Debug, Default, PartialEq)]
struct Counted {
    commands: u64,
    bytes: u64,
    by_command: BTreeMap<String, (u64, u64)>,
    by_db: BTreeMap<u64, (u64, u64)>,
}

impl Counted {
    fn read(&mut self, mut rest: &[u8]) {
        let mut db = 0;
        while !rest.is_empty() {
            let (args, len) = read_command(rest);
            self.bytes += len as u64;
            rest = &rest[len..];
            let Some(name) = args.first() else { continue };
            self.commands += 1;
            let name = name.to_uppercase();
            if name == "SELECT" {
                db = args[1].parse().unwrap();
            }
            for of in [self.by_command.entry(name).or_default(), self.by_db.entry(db).or_default()]
            {
                *of = (of.0 + 1, of.1 + len as u64);
            }
        }
    }
}

/// Reads a command, or an annotation, which has no arguments; returns the length, too.
fn read_command(bytes: &[u8]) -> (Vec<String>, usize) {
    let line = |at: usize| {
        let len = bytes[at..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
        (String::from_utf8_lossy(&bytes[at + 1..at + len]).trim().to_owned(), at + len)
    };
    let (count, mut at) = line(0);
    if bytes[0] == b'#' {
        return (Vec::new(), at);
    }
    let mut args = Vec::new();
    for _ in 0..count.parse::<usize>().unwrap() {
        let (len, start) = line(at);
        let len: usize = len.parse().unwrap();
        args.push(String::from_utf8_lossy(&bytes[start..start + len]).into_owned());
        at = start + len + 2;
    }
    (args, at)
}

/// Returns the parts with commands of a log in `directory`; `None` if one has an RDB before its commands, or a name that is
/// quoted in the manifest.
fn parts(directory: &Path) -> Option<Vec<Vec<u8>>> {
    let entries: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    if let Some(below) = entries.iter().find(|path| path.is_dir()) {
        return parts(below);
    }
    let has_end = |path: &&PathBuf, end: &str| path.to_string_lossy().ends_with(end);
    let names = match entries.iter().find(|path| has_end(path, ".manifest")) {
        Some(manifest) => {
            let text = fs::read_to_string(manifest).unwrap();
            if text.contains('"') {
                return None;
            }
            let lines = text.lines().filter(|line| !line.ends_with("type h"));
            lines.map(|line| directory.join(line.split(' ').nth(1).unwrap())).collect()
        }
        None => vec![entries.iter().find(|path| has_end(path, ".aof"))?.clone()],
    };
    let parts = names.iter().filter(|name| !has_end(name, ".rdb"));
    let parts: Vec<Vec<u8>> = parts.map(|name| fs::read(name).unwrap()).collect();
    (!parts.iter().any(|bytes| bytes.starts_with(b"REDIS"))).then_some(parts)
}

fn groups<K: Ord>(value: &Value, key: impl Fn(&Value) -> K) -> BTreeMap<K, (u64, u64)> {
    let number = |group: &Value, name: &str| group[name].as_u64().unwrap();
    let groups = value.as_array().unwrap().iter();
    groups
        .map(|group| (key(&group["name"]), (number(group, "commands"), number(group, "bytes"))))
        .collect()
}

/// Checks that what is below each node is not more than the node.
fn check_tree(node: &Value, name: &str) {
    for field in ["commands", "bytes", "keys", "key_bytes"] {
        // There are no keys without a replay.
        let Some(own) = node[field].as_u64() else { continue };
        let below: u64 = (node["children"].as_array().into_iter().flatten())
            .map(|child| child[field].as_u64().unwrap())
            .sum();
        assert!(below <= own, "{name}: {field} of {node:#}");
    }
    node["children"].as_array().into_iter().flatten().for_each(|child| check_tree(child, name));
}

#[test]
fn counts_are_those_of_a_simple_reader_on_all_real_logs() {
    let place = Place::new();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/real");
    let mut compared = 0;
    for entry in fs::read_dir(real).unwrap() {
        let path = entry.unwrap().path();
        let name = path.to_string_lossy().into_owned();
        let report = stats(&place, &[&name]);
        let run = place.run(&["digest", "--json", &name]);
        let digest: Value = serde_json::from_str(&run.stdout).unwrap();
        if run.code == Some(0) {
            assert_eq!(report["present"]["total"]["keys"], digest["keys"], "{name}");
        } else {
            // A script cannot be run.
            assert!(report["not_replayed"].as_str().unwrap().contains("EVAL"), "{name}");
        }
        let Some(parts) = parts(&path) else { continue };
        let mut expected = Counted::default();
        parts.iter().for_each(|bytes| expected.read(bytes));
        let written = &report["written"];
        if expected.commands == 0 {
            assert!(written.is_null(), "{name}");
            continue;
        }
        let found = Counted {
            commands: written["commands"].as_u64().unwrap(),
            bytes: written["bytes"].as_u64().unwrap(),
            by_command: groups(&written["by_command"], |name| name.as_str().unwrap().to_owned()),
            by_db: groups(&written["by_db"], |name| name.as_u64().unwrap()),
        };
        assert_eq!(found, expected, "{name}");
        let tree = &written["prefixes"];
        assert_eq!(tree["bytes"], written["bytes"], "{name}");
        check_tree(tree, &name);
        compared += 1;
    }
    assert!(compared >= 20, "{compared}");
}

fn log() -> Vec<u8> {
    [
        b"#TS:1700000000\r\n".to_vec(),
        command(&["SELECT", "0"]),
        command(&["SET", "user:1001:name", "ana"]),
        command(&["SET", "user:1001:name", "bo"]),
        b"#TS:1700000002\r\n".to_vec(),
        command(&["MSET", "user:7:name", "chi", "job", "x"]),
        command(&["RPUSH", "queue:mail", "one", "two"]),
        command(&["DEL", "queue:mail", "absent"]),
        command(&["SELECT", "3"]),
        command(&["MULTI"]),
        command(&["HSET", "cart:9", "apples", "12345", "pears", "1"]),
        command(&["PEXPIREAT", "cart:9", "1700000060000"]),
        command(&["EXEC"]),
    ]
    .concat()
}

#[test]
fn what_the_commands_did_is_counted() {
    let place = Place::new();
    place.put("a.aof", log());
    let report = stats(&place, &["--now", "1700000030", "a.aof"]);
    let effects = &report["effects"];
    let expected = [
        // SET and SET, MSET of two, RPUSH, DEL of two, HSET, PEXPIREAT.
        ("writes", 9),
        ("overwrites", 1),
        ("created", 5),
        ("deleted", 1),
        ("short_lived", 1),
        ("failed", 0),
    ];
    for (field, count) in expected {
        assert_eq!(effects[field], count, "{field} of {effects:#}");
    }
    let written = &report["written"];
    let transactions = json!({ "count": 1, "commands": 2, "largest": 2 });
    assert_eq!(written["transactions"], transactions);
    assert_eq!(written["timeline"]["peak"]["time"], "2023-11-14T22:13:22Z");
    assert_eq!(written["timeline"]["first_time"], "2023-11-14T22:13:20Z");
    assert_eq!(written["largest"][0]["name"], "HSET");
    let most = &effects["most_written"][0];
    assert_eq!((&most["key"]["text"], &most["writes"]), (&json!("cart:9"), &json!(2)));
    let present = &report["present"];
    let share = |of: &Value| json!([of["name"], of["keys"], of["items"], of["expiring"]]);
    let by_type: Vec<Value> = present["by_type"].as_array().unwrap().iter().map(share).collect();
    assert_eq!(by_type, [json!(["string", 3, 3, 0]), json!(["hash", 1, 2, 1])]);
    assert_eq!(
        present["ttl"],
        json!([{ "ttl": "none", "keys": 3 }, { "ttl": "minute", "keys": 1 }])
    );
    let largest = &present["largest_by_items"][0];
    assert_eq!(
        (&largest["key"]["text"], &largest["items"], &largest["largest_item"]),
        (&json!("cart:9"), &json!(2), &json!(11))
    );
    // The commands that a rewrite would write: three SETs, HMSET and PEXPIREAT.
    let rewritten = [
        command(&["SET", "user:1001:name", "bo"]),
        command(&["SET", "user:7:name", "chi"]),
        command(&["SET", "job", "x"]),
        command(&["HMSET", "cart:9", "apples", "12345", "pears", "1"]),
        command(&["PEXPIREAT", "cart:9", "1700000060000"]),
    ];
    assert_eq!(effects["rewritten_bytes"], rewritten.concat().len());
}

#[test]
fn prefixes_are_divided_at_separators_and_identifiers_are_joined() {
    let place = Place::new();
    place.put("a.aof", log());
    let prefixes = |args: &[&str]| {
        let report = stats(&place, &[args, &["a.aof"]].concat());
        let children = report["written"]["prefixes"]["children"].as_array().unwrap().clone();
        let name = |node: &Value| {
            let below = node["children"].as_array().map_or(0, Vec::len);
            (node["name"]["text"].as_str().unwrap().to_owned(), node["commands"].clone(), below)
        };
        children.iter().map(name).collect::<Vec<_>>()
    };
    let found = prefixes(&[]);
    assert!(found.contains(&("user:".to_owned(), json!(3), 1)), "{found:?}");
    assert!(found.contains(&("queue:".to_owned(), json!(2), 1)), "{found:?}");
    // SELECT, SELECT, MULTI, EXEC.
    assert!(found.contains(&(String::new(), json!(4), 0)), "{found:?}");
    let found = prefixes(&["--separator", "r"]);
    assert!(found.contains(&("user".to_owned(), json!(3), 0)) || found.len() > 3, "{found:?}");
    assert!(found.iter().any(|(name, ..)| name == "user"), "{found:?}");
}

#[test]
fn an_rdb_has_keys_alone() {
    let place = Place::new();
    place.put("dump.rdb", super::joined::rdb(0, &[("user:1", "x"), ("user:2", "y")]));
    let report = stats(&place, &["dump.rdb"]);
    assert!(report["written"].is_null() && report["effects"].is_null(), "{report:#}");
    let tree = &report["present"]["prefixes"];
    assert_eq!((&tree["keys"], &tree["commands"]), (&json!(2), &json!(0)));
    let names: Vec<&Value> =
        tree["children"].as_array().unwrap().iter().map(|node| &node["name"]["text"]).collect();
    assert_eq!(names, [&json!("user:")]);
    place.run(&["stats", "--quiet", "--html", "report.html", "dump.rdb"]).ends(0, "", "");
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    let (size, keys) = (page.find(">size of keys<"), page.find(">keys<"));
    assert!(size.is_some() && size < keys, "the icicle is not by size: {size:?}, {keys:?}");
}

#[test]
fn writes_only_does_not_replay() {
    let place = Place::new();
    place.put("a.aof", log());
    let report = stats(&place, &["--writes-only", "a.aof"]);
    assert_eq!(report["written"]["commands"], 11);
    assert!(report["present"].is_null() && report["effects"].is_null(), "{report:#}");
    let keys = &report["written"]["prefixes"]["keys"];
    assert!(keys.is_null(), "{keys}");
}

#[test]
fn damage_is_refused_and_a_torn_end_is_not_counted() {
    let place = Place::new();
    place.put("torn.aof", [log(), b"*3\r\n$3\r\nSET".to_vec()].concat());
    place.put("a.aof", log());
    place.put("damaged.aof", [log(), b"garbage".to_vec(), log()].concat());
    let report = stats(&place, &["torn.aof"]);
    assert_eq!((&report["written"]["commands"], &report["torn_bytes"]), (&json!(11), &json!(11)));
    for args in [&["stats", "damaged.aof"][..], &["stats", "--writes-only", "damaged.aof"]] {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("the log is damaged"), "{run:#?}");
    }
    let run = place.run(&["stats", "damaged.aof", "a.aof"]);
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stdout.contains("a.aof") && run.stderr.contains("damaged"), "{run:#?}");
}

#[test]
fn names_of_any_bytes_are_shown_escaped() {
    let place = Place::new();
    let key = b"\xff\x1b[31m:\xfe";
    let mut bytes = format!("*3\r\n$3\r\nSET\r\n${}\r\n", key.len()).into_bytes();
    bytes.extend_from_slice(key);
    bytes.extend_from_slice(b"\r\n$1\r\nx\r\n");
    place.put("a.aof", bytes);
    let run = place.run(&["stats", "a.aof"]);
    assert!(run.stdout.contains(r#""\xff\x1b[31m:\xfe""#), "{}", run.stdout);
    assert!(!run.stdout.contains('\x1b'), "{}", run.stdout);
}

#[test]
fn the_page_is_private_and_never_replaces_another_file() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    place.put(
        "a.aof",
        [log(), command(&["SET", "</script><script>alert(1)</script>", "x"])].concat(),
    );
    place.run(&["stats", "--quiet", "--html", "report.html", "a.aof"]).ends(0, "", "");
    let page = fs::read_to_string(place.path("report.html")).unwrap();
    assert!(page.contains("aofkit stats --quiet --html report.html a.aof"), "the command");
    assert!(!page.contains("<script>alert"), "a key is a script");
    let mode = fs::metadata(place.path("report.html")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // An earlier report is replaced.
    place.run(&["stats", "--quiet", "--html", "report.html", "a.aof"]).ends(0, "", "");
    let run = place.run(&["stats", "--html", "a.aof", "a.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("not an earlier report"), "{run:#?}");
    let run = place.run(&["stats", "--html", "b.html", "a.aof", "a.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(!place.path("b.html").exists());
}

/// The encodings are as redis.conf of each line documents its limits: lists are packed since Redis 7.2, and ziplists became
/// listpacks in 7.0.
#[test]
fn memory_and_encodings_are_those_of_the_requested_server() {
    let place = Place::new();
    place.put(
        "a.aof",
        super::candidates::log("RPUSH list a b\nHSET hash field value\nSET number 7"),
    );
    let encodings = |line: &str| {
        let report = stats(&place, &["a.aof", "--for", line]);
        let memory = &report["present"]["memory"];
        assert_eq!((&memory["server"], &memory["basis"]), (&json!(line), &json!("given")));
        let names = report["present"]["by_encoding"].as_array().unwrap().iter();
        names.map(|of| of["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(encodings("redis-6.2"), ["int", "quicklist", "ziplist"]);
    assert_eq!(encodings("redis-7.0"), ["int", "listpack", "quicklist"]);
    assert_eq!(encodings("valkey-9.1"), ["int", "listpack"]);
    // Of a log that does not record its server, one is assumed, and a line that was not measured has no error.
    let report = stats(&place, &["a.aof"]);
    assert_eq!(report["present"]["memory"]["basis"], "assumed");
    let report = stats(&place, &["a.aof", "--for", "redis-8.12"]);
    assert!(report["present"]["memory"]["error_percent"].is_null());
    let run = place.run(&["stats", "a.aof", "--for", "redis-7.0"]);
    let words = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        words.contains("for keys in redis-7.0, with jemalloc: estimated within 10 %"),
        "{words}"
    );
    let run = place.run(&["stats", "a.aof", "--allocator", "malloc"]);
    assert_eq!(run.code, Some(2));
    assert!(run.stderr.contains("system-jemalloc"), "{}", run.stderr);
}

/// Returns the nodes of a tree of prefixes with their full names, but the root.
fn nodes(node: &Value, above: &str, found: &mut BTreeMap<String, Value>) {
    for child in node["children"].as_array().into_iter().flatten() {
        let name = format!("{above}{}", child["name"]["text"].as_str().unwrap());
        nodes(child, &name, found);
        found.insert(
            if child["kind"] == "others" { format!("{name}(others)") } else { name },
            child.clone(),
        );
    }
}

/// Each of many prefixes has its own commands, however often they alternate.
#[test]
fn thousands_of_prefixes_have_their_own_sums() {
    let place = Place::new();
    let names: Vec<String> =
        ('a'..='z').flat_map(|a| ('a'..='z').map(move |b| format!("{a}{b}"))).collect();
    let lines: Vec<String> = (0..3)
        .flat_map(|round| {
            let parts = names.iter().take(50);
            parts
                .flat_map(|service| names.iter().take(80).map(move |part| (service, part)))
                .map(move |(service, part)| format!("SET {service}:{part}:{round} value"))
        })
        .collect();
    place.put("a.aof", super::candidates::log(&lines.join("\n")));
    let report = stats(&place, &["a.aof"]);
    let mut found = BTreeMap::new();
    nodes(&report["written"]["prefixes"], "", &mut found);
    // 50 services, 4000 parts, and the identifiers below them.
    assert_eq!(found.len(), 50 + 4000 + 4000);
    let bytes = super::candidates::log("SET aa:aa:1 value").len();
    for (name, node) in &found {
        let parts = if name.len() == 3 { 80 } else { 1 };
        assert_eq!(node["commands"], 3 * parts, "{name}");
        assert_eq!(node["bytes"], 3 * parts * bytes, "{name}");
        assert_eq!(node["keys"], 3 * parts, "{name}");
    }
}

/// The bytes of all stacks are those of the log, and each command counts for the prefix of its key.
#[test]
fn folded_stacks_have_the_bytes_of_the_log() {
    let place = Place::new();
    let lines = ["SET user:1:cart a", "SET user:2:cart b", "SET job;x y", "PING"];
    let sizes = lines.map(|line| super::candidates::log(line).len());
    place.put("a.aof", super::candidates::log(&lines.join("\n")));
    let run = place.run(&["stats", "--folded", "a.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let mut found: Vec<&str> = run.stdout.lines().collect();
    found.sort_unstable();
    let mut expected = [
        format!("user:;*:;cart {}", sizes[0] + sizes[1]),
        format!("job\\x3bx {}", sizes[2]),
        format!("(without a key) {}", sizes[3]),
    ];
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Keys and items of each type are those that other parsers find in their own samples.
#[test]
fn counts_are_those_of_other_parsers_on_their_samples() {
    for (figures, files) in [("figures-hdt3213.json", 32), ("figures-redis-rdb-tools.json", 28)] {
        counts_are_those_of(figures, files);
    }
}

fn counts_are_those_of(figures: &str, files: usize) {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/peers");
    let figures = fs::read_to_string(samples.join(figures)).unwrap();
    let figures: BTreeMap<String, BTreeMap<String, [u64; 2]>> =
        serde_json::from_str(&figures).unwrap();
    assert_eq!(figures.len(), files);
    let place = Place::new();
    for (name, expected) in figures {
        let report = stats(&place, &[samples.join(&name).to_str().unwrap()]);
        let types = report["present"]["by_type"].as_array().unwrap().iter();
        let found: BTreeMap<String, [u64; 2]> = types
            .map(|of| {
                let counts = ["keys", "items"].map(|count| of[count].as_u64().unwrap());
                (of["name"].as_str().unwrap().to_owned(), counts)
            })
            .collect();
        assert_eq!(found, expected, "{name}");
    }
}

/// The number of keys at each point is that before the commands after it, and falls where a flush is.
#[test]
fn course_has_the_keys_before_each_point() {
    let place = Place::new();
    // 100 commands of the same length: 59 keys, a flush of another database that has none, FLUSHDB, and 39 keys.
    let line = |key: usize| format!("SET key:{key:02} v");
    let first: Vec<String> = (0..59).map(line).collect();
    let last: Vec<String> = (0..39).map(line).collect();
    let [before, flush, after] = [first.join("\n"), "FLUSHDB".into(), last.join("\n")]
        .map(|lines: String| super::candidates::log(&lines));
    let (length, flush_at) = (before.len() / 59, before.len());
    place.put("a.aof", [before, flush.clone(), after].concat());
    let report = stats(&place, &["a.aof"]);
    let course = report["course"].as_array().unwrap();
    assert!((200..=241).contains(&course.len()), "{}", course.len());
    let mut keys_seen = BTreeSet::new();
    for at in course {
        let offset = usize::try_from(at["offset"].as_u64().unwrap()).unwrap();
        // The number of commands that begin before the point.
        let expected = match offset.checked_sub(flush_at) {
            None | Some(0) => offset.div_ceil(length),
            Some(since) => since.saturating_sub(flush.len()).div_ceil(length),
        };
        assert_eq!(at["total"].as_u64().unwrap(), expected as u64, "{at}");
        keys_seen.insert(expected);
        let of_databases: u64 =
            at["databases"].as_array().unwrap().iter().map(|of| of["keys"].as_u64().unwrap()).sum();
        assert_eq!(of_databases, expected as u64);
    }
    assert!(keys_seen.contains(&59) && keys_seen.contains(&0) && keys_seen.contains(&39));
    let run = place.run(&["stats", "--html", "a.html", "a.aof", "--quiet"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let page = String::from_utf8(place.read("a.html")).unwrap();
    assert!(page.contains("<h2>Keys over the log</h2>"));
    assert!(
        page.contains("The largest fall is from 59 keys to 0 (100.0%), between a.aof:"),
        "{page}"
    );
    assert!(page.contains("<dt>Time to load</dt><dd class=\"value\">not estimated</dd>"));
    let report = stats(&place, &["a.aof", "--writes-only"]);
    assert_eq!(report["course"], serde_json::json!([]));
}

#[test]
fn time_to_load_is_not_estimated_without_a_server() {
    let place = Place::new();
    place.put("a.aof", sound());
    let run = place.run(&["stats", "a.aof"]);
    assert!(run.stdout.contains("not estimated: add --server BINARY"), "{}", run.stdout);
    assert!(stats(&place, &["a.aof"])["load_s"].is_null());
    let run = place.run(&["stats", "a.aof", "--server", "./a.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(run.stdout, "");
}

#[test]
fn tables_are_whole_or_not_there_and_replace_nothing() {
    let place = Place::new();
    place.put("a.aof", sound());
    place.put("script.aof", super::candidates::log("SET a b\nEVAL return 0"));
    place.put("broken.aof", "*1\r\n$4\r\nPING\r\nxx*1\r\n$4\r\nPING\r\n");
    fs::create_dir(place.path("taken")).unwrap();
    for args in [
        &["a.aof", "--parquet", "taken"][..],
        &["a.aof", "a.aof", "--parquet", "new"],
        &["a.aof", "--parquet", "new", "--writes-only"],
        &["a.aof", "--commands"],
        &["script.aof", "--parquet", "new"],
        &["broken.aof", "--parquet", "new", "--commands", "--writes-only"],
    ] {
        let run = place.run(&[&["stats"], args].concat());
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        let mut names: Vec<_> =
            fs::read_dir(place.path(".")).unwrap().map(|it| it.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.aof", "broken.aof", "script.aof", "taken"], "{args:?}");
    }
    assert_eq!(fs::read_dir(place.path("taken")).unwrap().count(), 0);
    let run = place.run(&[
        "stats",
        "-q",
        "script.aof",
        "--parquet",
        "new",
        "--commands",
        "--writes-only",
    ]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let names: Vec<_> =
        fs::read_dir(place.path("new")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["commands.parquet"]);
}
