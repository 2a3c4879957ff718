//! Files of real servers, compared with the commands that created them: see testdata/rdb/README.md.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;

/// The year 2100 in Unix milliseconds: the expiry that the commands set.
const FAR: &str = "4102444800000";

pub(super) fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the visitor calls for each key: its first line without `key` and the type's name, and
/// its value. The parts of sets, sorted sets and hashes are sorted.
fn keys(lines: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut keys = BTreeMap::<String, Vec<String>>::new();
    let mut db = "";
    let mut current = String::new();
    for line in lines {
        if let Some(number) = line.strip_prefix("db ") {
            db = number;
            current.clear();
        } else if let Some(key) = line.strip_prefix("key ") {
            let name = key.split_once(' ').unwrap().1;
            current = format!("{db} {name}");
            keys.insert(current.clone(), Vec::new());
        } else if let Some(parts) = keys.get_mut(&current) {
            parts.push(line.clone());
        }
    }
    for (key, parts) in &mut keys {
        if ["0 set", "0 zset", "0 hash", "0 hfe"].iter().any(|start| key.starts_with(start)) {
            parts.sort();
        }
    }
    keys
}

/// Returns the keys that the commands in the README create on every server.
fn common() -> BTreeMap<String, Vec<String>> {
    let (long, fill, wide) = ("x".repeat(100), "y".repeat(70), "z".repeat(70));
    let mut keys: BTreeMap<String, Vec<String>> = [
        ("0 str:int", vec!["12345"]),
        ("0 str:text", vec!["hello world"]),
        ("0 str:long", vec![&long]),
        ("0 str:wide", vec!["9223372036854775807"]),
        (&format!("0 str:expires expires={FAR}"), vec!["v"]),
        ("0 -77", vec!["v"]),
        ("0 list", vec!["a", "1", "-300", &fill]),
        ("0 set:int", vec!["1", "2", "70000"]),
        ("0 set:text", vec!["3", "a", "b"]),
        ("0 zset", vec!["17 0.1", "a 1", "b 2.5", "c -inf", "d inf"]),
        ("0 hash", vec!["17=18", "f=v", "g=-1.5"]),
        ("0 hash:table", vec![&format!("f={wide}"), "g="]),
        ("1 other", vec!["db"]),
    ]
    .into_iter()
    .map(|(key, parts)| (key.to_owned(), parts.into_iter().map(str::to_owned).collect()))
    .collect();
    let sorted = |mut parts: Vec<String>| {
        parts.sort();
        parts
    };
    keys.insert("0 list:nodes".into(), (0..10).map(|i| format!("e{i}")).collect());
    let members = (0..130).map(|i| format!("m{i}")).collect();
    keys.insert("0 set:hash".into(), sorted(members));
    let scored = (0..130).map(|i| format!("m{i} {}", f64::from(i) / 4.0)).collect();
    keys.insert("0 zset:skip".into(), sorted(scored));
    keys
}

/// Returns the stream of every server in format `version`, without times, which differ.
fn stream_of_all(version: u32) -> Vec<String> {
    let mut lines = Vec::new();
    for n in [1, 3, 4, 5] {
        lines.push(format!("entry {}-1 2", 1000 + n));
        lines.push(format!("temp={n}"));
        lines.push("unit=C".into());
    }
    let about = match version {
        1 => "first=? deleted=? added=None",
        _ => "first=1001-1 deleted=1002-1 added=Some(6)",
    };
    lines.extend(["entry 1006-7 1".into(), "other=x".into()]);
    lines.push(format!("stream length=5 last=1006-7 {about}"));
    // Unknown, because an entry before the last one read was deleted.
    lines.push("group g last=1005-1 read=None".into());
    lines.extend(["pending 1001-1", "pending 1004-1", "pending 1005-1"].map(str::to_owned));
    lines.extend(["consumer alice", "has 1001-1", "has 1004-1"].map(str::to_owned));
    lines.extend(["consumer bob", "has 1005-1"].map(str::to_owned));
    lines.push("group idle last=1006-7 read=None".into());
    lines
}

fn without_times(lines: &[String]) -> Vec<String> {
    let timeless = |line: &String| {
        let words = if ["pending", "consumer"].iter().any(|word| line.starts_with(word)) {
            2
        } else {
            usize::MAX
        };
        line.split(' ').take(words).collect::<Vec<_>>().join(" ")
    };
    lines.iter().map(timeless).collect()
}

/// Reads the file `name` and compares it with the commands; returns the keys that only this server
/// has.
fn check(
    name: &str,
    stream_version: u32,
) -> (RdbSummary, Vec<String>, BTreeMap<String, Vec<String>>) {
    let (lines, walk) = reported(&file(name));
    let mut found = keys(&lines);
    for (key, parts) in common() {
        assert_eq!(found.remove(&key), Some(parts), "{name}: {key}");
    }
    let stream = found.remove("0 stream").unwrap();
    assert_eq!(without_times(&stream), stream_of_all(stream_version), "{name}");
    assert_eq!((walk.databases.len(), walk.with_expiry), (2, 1), "{name}");
    (walk, lines, found)
}

fn codes(walk: &RdbSummary) -> Vec<u8> {
    walk.types.iter().map(|stored| stored.code).collect()
}

#[test]
fn redis_6_2_is_read_alone_and_followed_by_commands() {
    let (walk, _, rest) = check("redis-6.2.5-types.rdb", 1);
    assert_eq!(codes(&walk), [0, 2, 4, 5, 11, 12, 13, 14, 15]);
    assert!(rest.is_empty());
    let (walk, ..) = check("redis-6.2.5-preamble.aof", 1);
    let log = file("redis-6.2.5-preamble.aof");
    let end = usize::try_from(walk.len).unwrap();
    assert!(log[end..].starts_with(b"*2\r\n$6\r\nSELECT\r\n"));
    assert_eq!(walk.note("aof-preamble"), Some(&b"1"[..]));
}

#[test]
fn redis_7_0_is_read_with_functions_without_checksum_and_with_idle_times() {
    for name in ["redis-7.0.15-types.rdb", "redis-7.0.15-aof-base.rdb"] {
        let (walk, lines, rest) = check(name, 2);
        assert_eq!(codes(&walk), [0, 2, 4, 5, 11, 16, 17, 18, 19]);
        assert!(rest.is_empty() && walk.functions == 1);
        assert!(lines.iter().any(|line| line.starts_with("function #!lua name=lib")));
        assert!(matches!(walk.checksum, Checksum::Verified(_)));
    }
    let (lines, walk) = reported(&file("redis-7.0.15-plain-unsummed-lru.rdb"));
    assert_eq!(walk.checksum, Checksum::Off);
    let of_keys = |line: &&String| line.starts_with("key ");
    let idle = lines.iter().filter(of_keys).filter(|line| line.contains(" idle="));
    assert_eq!(idle.count() as u64, walk.keys);
}

#[test]
fn redis_8_2_is_read_with_fields_that_expire_vectors_and_frequencies() {
    let (walk, _, rest) = check("redis-8.2.3-types.rdb", 3);
    assert_eq!(codes(&walk), [0, 2, 4, 5, 7, 11, 16, 17, 18, 20, 21, 24, 25]);
    let expected = [
        (
            "0 hfe",
            vec!["f=v".into(), format!("g=w expires={FAR}"), "h=x expires=4102444800500".into()],
        ),
        ("0 hfe:table", vec![format!("f={}", "z".repeat(70)), format!("g=w expires={FAR}")]),
    ];
    for (key, parts) in expected {
        assert_eq!(rest[key], parts);
    }
    assert!(rest["0 vectors"][0].starts_with("module vectorset 0 "));
    assert_eq!((walk.modules[0].name.as_str(), walk.modules[0].keys), ("vectorset", 1));
    let (lines, walk) = reported(&file("redis-8.2.3-lfu.rdb"));
    let freq = lines.iter().filter(|line| line.starts_with("key ") && line.contains(" freq="));
    assert_eq!(freq.count() as u64, walk.keys);
}

#[test]
fn valkey_9_1_is_read_with_fields_that_expire() {
    for name in ["valkey-9.1.2-types.rdb", "valkey-9.1.2-aof-base.rdb"] {
        let (walk, _, rest) = check(name, 3);
        assert_eq!((walk.magic, walk.version), (Magic::Valkey, 80));
        assert_eq!(codes(&walk), [0, 2, 4, 5, 11, 16, 17, 18, 20, 21, 22]);
        let expires = "h=x expires=4102444800500";
        assert_eq!(rest["0 hfe"], ["f=v", &format!("g=w expires={FAR}"), expires]);
        assert_eq!(rest["0 hfe:table"][1], format!("g=w expires={FAR}"));
    }
}

#[test]
fn slots_of_cluster_files_are_reported() {
    for name in ["redis-8.2.3-cluster.rdb", "valkey-9.1.2-cluster.rdb"] {
        let (lines, walk) = reported(&file(name));
        for line in ["slot 15495 2 0", "slot 3300 1 1"] {
            assert!(lines.iter().any(|reported| reported == line), "{name}: {line}");
        }
        assert_eq!((walk.keys, walk.with_expiry), (3, 1));
    }
}

/// Collects every file in `directory` and its subdirectories.
fn files_below(directory: &Path, found: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(directory).expect("the test data can be listed") {
        let path = entry.expect("the test data can be listed").path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn every_truncation_is_reported_as_short_with_its_offset() {
    let mut paths = Vec::new();
    files_below(&Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata"), &mut paths);
    let mut sound = BTreeSet::new();
    for path in paths {
        let bytes = std::fs::read(&path).expect("a file");
        let Ok(whole) = walk(&bytes, &mut Ignore, &Silent) else {
            continue; // Not an RDB, or one that is already damaged.
        };
        if !sound.insert(bytes[..usize::try_from(whole.len).unwrap()].to_vec()) {
            continue;
        }
        for cut in 0..whole.len {
            let damage = damage(&bytes[..usize::try_from(cut).unwrap()]);
            let DamageKind::Short { needed, left } = damage.kind else {
                panic!("{} cut at byte {cut}: {damage}", path.display());
            };
            // The available part extends to the cut.
            assert_eq!(damage.offset + left, cut, "{}: {damage}", path.display());
            assert!(needed > left, "{}: {damage}", path.display());
        }
    }
    assert!(sound.len() >= 30, "{} sound RDBs are found", sound.len());
}
