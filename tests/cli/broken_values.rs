//! RDBs in which one value is broken: what `verify` says of it, and how the other keys are kept.
//!
//! Which servers load such a value was observed: see `tests/servers/deep_checks.rs`.

use aofkit::rdb::crc64;

use super::*;

fn rdb(version: &str, records: &[&[u8]]) -> Vec<u8> {
    let mut bytes = [version.as_bytes(), b"\xfe\0", &records.concat(), b"\xff"].concat();
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// A key before the broken one, and one after it.
const BEFORE: &[u8] = b"\x00\x05first\x011";
const AFTER: &[u8] = b"\x00\x04last\x012";

/// A sorted set in a listpack of two members: `m` and `m`.
const MEMBER_TWICE: &[u8] = b"\x11\x02z*\x11\x11\0\0\0\x04\0\x81m\x02\x01\x01\x81m\x02\x02\x01\xff";

/// The text without line breaks.
fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the commands in the text, each between backquotes.
fn commands(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

#[test]
fn value_that_only_deep_checks_refuse_is_apart_from_damage() {
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0010", &[BEFORE, MEMBER_TWICE, AFTER]));
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let text = unbroken(&run.stdout);
    assert!(
        text.contains("a value fails a deep check: byte 36: a member of a sorted set"),
        "{text}"
    );
    assert!(!text.contains("broken RDB: a member"), "{text}");
    for (server, expected) in [
        ("redis-6.2", "refuses"),
        ("redis-7.0", "loads redis 7.0: if `sanitize-dump-payload` is no, the default"),
        ("valkey-9.0", "loads valkey 9.0: if `sanitize-dump-payload` is no, the default"),
        ("valkey-9.1", "refuses valkey 9.1: broken RDB: the value already has it"),
    ] {
        let run = place.run(&["verify", "dump.rdb", "--for", server]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(unbroken(&run.stdout).contains(expected), "{expected}: {run:#?}");
    }
    // All keys are counted, also those after the value.
    let run = place.run(&["verify", "dump.rdb", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let log = &json["logs"][0];
    assert_eq!(log["rdb_keys"], 3, "{log:#}");
    assert_eq!(log["findings"][0]["kind"], "deep-check", "{log:#}");
    assert_eq!(log["findings"][0]["count"], 1, "{log:#}");
}

#[test]
fn command_in_the_refusal_leaves_the_broken_key_out() {
    let member = MEMBER_TWICE;
    let mut renamed = member.to_vec();
    renamed.splice(1..4, b"\x05[z]? ".iter().copied());
    // A quicklist with a ziplist whose second entry has a wrong size before it.
    let ziplist = b"\x0e\x01l\x01\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x09\x01b\xff";
    let twice = [&b"\x00\x01k\x01v"[..], b"\x00\x01k\x01w"].concat();
    let nan = [&b"\x05\x01z\x01\x01m"[..], &f64::NAN.to_le_bytes()].concat();
    for (version, record) in [
        ("REDIS0010", member),
        ("REDIS0010", &renamed),
        ("REDIS0009", ziplist),
        ("REDIS0009", &twice),
        ("REDIS0009", &nan),
    ] {
        for command in ["compact", "digest"] {
            let place = Place::new();
            place.put("dump.rdb", rdb(version, &[BEFORE, record, AFTER]));
            let output: &[&str] = if command == "digest" { &[] } else { &["--output", "other"] };
            let run = place.run(&[&[command, "dump.rdb"][..], output].concat());
            assert_eq!(run.code, Some(2), "{command}: {run:#?}");
            let typed = &commands(&unbroken(&run.stderr))[0];
            assert!(typed.starts_with("aofkit compact dump.rdb --exclude"), "{run:#?}");
            let shell = Command::new("sh")
                .args(["-c", &typed.replacen("aofkit", env!("CARGO_BIN_EXE_aofkit"), 1)])
                .current_dir(place.0.path())
                .output()
                .unwrap();
            assert!(shell.status.success(), "{typed}: {shell:?}");
            let files = fs::read_dir(place.path("NEW")).unwrap();
            let files = files.map(|file| fs::read(file.unwrap().path()).unwrap());
            let kept = files.collect::<Vec<_>>().concat();
            let holds = |name: &[u8]| memchr::memmem::find(&kept, name).is_some();
            assert!(holds(b"first") && holds(b"last"), "{command}: {}", kept.escape_ascii());
        }
    }
}

#[test]
fn excluded_key_that_is_not_broken_takes_part_in_the_replay() {
    let place = Place::new();
    let log = [
        &rdb("REDIS0010", &[BEFORE, MEMBER_TWICE, AFTER])[..],
        b"*3\r\n$6\r\nRENAME\r\n$5\r\nfirst\r\n$5\r\nthird\r\n",
    ]
    .concat();
    place.put("appendonly.aof", &log);
    let exclude = ["--exclude", "z*", "--exclude", "first", "--format", "aof"];
    let run =
        place.run(&[&["compact", "appendonly.aof", "--output", "new.aof"], &exclude[..]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = String::from_utf8_lossy(&fs::read(place.path("new.aof")).unwrap()).into_owned();
    assert!(text.contains("third") && text.contains("last") && !text.contains('z'), "{text}");
}

#[test]
fn key_that_is_broken_and_not_excluded_is_named() {
    let other = b"\x11\x01y\x11\x11\0\0\0\x04\0\x81m\x02\x01\x01\x81m\x02\x02\x01\xff";
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0010", &[MEMBER_TWICE, other, AFTER]));
    let run = place.run(&["compact", "dump.rdb", "--output", "new.rdb", "--exclude", "z*"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(unbroken(&run.stderr).contains("in key \"y\" of db 0"), "{run:#?}");
    assert!(!place.path("new.rdb").exists());
}
