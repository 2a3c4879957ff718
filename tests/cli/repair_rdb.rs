//! Repair of RDBs: a file, the base of a set, and the preamble of a log.

use aofkit::rdb::crc64;

use super::*;

/// An RDB of strings in database 0.
pub(super) fn rdb(keys: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfe\0\xfb".to_vec();
    bytes.extend([u8::try_from(keys.len()).unwrap(), 0]);
    for (key, value) in keys {
        bytes.push(0);
        for text in [key, value] {
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend(text.as_bytes());
        }
    }
    summed(bytes)
}

fn summed(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.push(0xff);
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Thirty keys, `key:0` to `key:29`.
fn thirty() -> Vec<u8> {
    let names: Vec<_> = (0..30).map(|at| (format!("key:{at}"), format!("value {at}"))).collect();
    rdb(&names.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect::<Vec<_>>())
}

/// The same, with noise in the place of three keys.
pub(super) fn with_noise() -> Vec<u8> {
    let mut bytes = thirty();
    let (from, to) = (find(&bytes, "key:9"), find(&bytes, "key:12"));
    bytes[from..to].fill(0x9d);
    bytes
}

fn find(bytes: &[u8], text: &str) -> usize {
    memchr::memmem::find(bytes, text.as_bytes()).unwrap()
}

/// The text without line breaks.
pub(super) fn unbroken(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap()
}

#[test]
fn wrong_byte_is_named_and_set_back() {
    let place = Place::new();
    let right = thirty();
    let mut wrong = right.clone();
    let at = find(&right, "value 17");
    wrong[at] ^= 0x10;
    place.put("dump.rdb", &wrong);
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let expected = format!(
        "error: the RDB is broken: one byte is wrong: byte {at}, 0x66 should be 0x76, in key \"key:17\" of db 0"
    );
    assert!(unbroken(&run.stdout).contains(&expected), "{expected}: {run:#?}");
    let correction = &json(&place.run(&["verify", "--json", "dump.rdb"]))["logs"][0]["findings"][0]
        ["correction"];
    let byte = serde_json::json!({ "offset": at, "found": 0x66, "right": 0x76 });
    assert_eq!(correction["bytes"], serde_json::json!([byte]), "{correction:#}");
    assert_eq!(correction["key"], "key:17");

    let run = place.run(&["repair", "dump.rdb", "--dry-run"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(unbroken(&run.stdout).contains("set back dump.rdb: byte"), "{run:#?}");
    assert_eq!(place.read("new.rdb"), right);
    assert_eq!(place.read("dump.rdb"), wrong);
    assert_eq!(place.run(&["verify", "new.rdb"]).code, Some(0));
    assert_eq!(place.run(&["repair", "dump.rdb", "--in-place"]).code, Some(0));
    assert_eq!(place.read("dump.rdb"), right);
}

#[test]
fn wrong_byte_is_set_back_where_it_breaks_the_format() {
    let right = thirty();
    let key = find(&right, "key:17");
    // The length of a key, its type, the version, the magic, the end, and the checksum.
    for at in [key - 1, key - 2, 7, 8, 0, 4, right.len() - 9, right.len() - 1, right.len() - 8] {
        for bits in [1, 8, 0x80] {
            let place = Place::new();
            let mut wrong = right.clone();
            wrong[at] ^= bits;
            place.put("dump.rdb", &wrong);
            let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb"]);
            assert_eq!(run.code, Some(0), "byte {at}, {bits:#x}: {run:#?}");
            assert_eq!(place.read("new.rdb"), right, "byte {at}, {bits:#x}");
            let run = place.run(&["verify", "dump.rdb"]);
            assert!(unbroken(&run.stdout).contains("one byte is wrong: byte"), "{run:#?}");
        }
    }
}

#[test]
fn wrong_byte_is_set_back_in_a_preamble_and_in_a_base() {
    let right = thirty();
    let commands = [command(&["SELECT", "0"]), command(&["SET", "later", "1"])].concat();
    let key = find(&right, "key:17");
    for at in [key - 1, key - 2, key, right.len() - 9, right.len() - 3] {
        let mut wrong = right.clone();
        wrong[at] ^= 0x04;
        let place = Place::new();
        place.put("a.aof", [&wrong[..], &commands].concat());
        let run = place.run(&["repair", "a.aof", "--output", "b.aof"]);
        assert_eq!(run.code, Some(0), "byte {at}: {run:#?}");
        assert_eq!(place.read("b.aof"), [&right[..], &commands].concat(), "byte {at}");
        let parts =
            [("appendonly.aof.1.base.rdb", &wrong[..]), ("appendonly.aof.1.incr.aof", &commands)];
        place.put_set("set", &parts);
        let run = place.run(&["repair", "set", "--output", "new"]);
        assert_eq!(run.code, Some(0), "byte {at}: {run:#?}");
        assert_eq!(place.read("new/appendonly.aof.1.base.rdb"), right);
        assert_eq!(place.read("new/appendonly.aof.1.incr.aof"), commands);
        assert_eq!(place.run(&["verify", "new"]).code, Some(0));
    }
}

#[test]
fn errors_that_are_not_located_leave_all_values_uncertain() {
    let place = Place::new();
    let mut wrong = thirty();
    for text in ["value 3", "value 20"] {
        let at = find(&wrong, text);
        wrong[at] = b'V';
    }
    place.put("dump.rdb", &wrong);
    let run = place.run(&["verify", "dump.rdb"]);
    assert!(
        unbroken(&run.stdout).contains("error: all keys are there; the checksum is wrong"),
        "{run:#?}"
    );
    // Nobody looks at the doubtful values of an unattended run.
    let limited = ["--max-loss", "1gb", "--max-commands", "1000"];
    for way in [&["--in-place"][..], &["--output", "new.rdb"], &["--in-place", "--salvage"]] {
        let run = place.run(&[&["repair", "dump.rdb"], way, &limited].concat());
        assert_eq!(run.code, Some(4), "{run:#?}");
        assert!(
            unbroken(&run.stderr).contains("leave --max-loss and --max-commands out"),
            "{run:#?}"
        );
        assert!(place.read("dump.rdb") == wrong && !place.path("new.rdb").exists());
    }
    let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = unbroken(&run.stdout);
    assert!(text.contains("any key and any value may be wrong"), "{text}");
    assert!(text.contains("30 keys of 30 kept"), "{text}");
    let expected = summed(wrong[..wrong.len() - 9].to_vec());
    assert_eq!(place.read("new.rdb"), expected);
    let run = place.run(&["repair", "dump.rdb", "--dry-run", "--json"]);
    assert_eq!(json(&run)["rdb"][0]["values_uncertain"], true, "{run:#?}");
}

#[test]
fn keys_before_and_after_noise_are_salvaged() {
    let place = Place::new();
    place.put("dump.rdb", with_noise());
    let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("aofkit repair dump.rdb --salvage --dry-run"), "{run:#?}");
    let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb", "--salvage", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report = json(&run);
    let rdb = &report["rdb"][0];
    assert_eq!((&rdb["keys"], &rdb["declared_keys"]), (&26.into(), &30.into()), "{report:#}");
    assert_eq!(rdb["values_uncertain"], true, "{report:#}");
    let doubtful: Vec<_> =
        rdb["doubtful"].as_array().unwrap().iter().map(|it| it["key"].as_str().unwrap()).collect();
    let next_to = ["key:6", "key:7", "key:8", "key:13", "key:14", "key:15"];
    assert_eq!(doubtful, next_to, "{report:#}");
    assert_eq!(place.run(&["verify", "new.rdb"]).code, Some(0));
    let written = place.read("new.rdb");
    let holds = |text: &str| memchr::memmem::find(&written, text.as_bytes()).is_some();
    assert!(holds("value 8") && holds("value 13") && holds("value 29") && !holds("key:12"));
    let limit = ["repair", "dump.rdb", "--salvage", "--dry-run", "--max-loss", "10"];
    assert_eq!(place.run(&limit).code, Some(4));
}

#[test]
fn commands_after_a_damaged_preamble_are_salvaged() {
    let place = Place::new();
    let mut wrong = thirty();
    let from = find(&wrong, "key:20");
    wrong[from..].fill(0x9d);
    let commands = [command(&["SELECT", "0"]), command(&["SET", "later", "1"])].concat();
    place.put("a.aof", [&wrong[..], &commands].concat());
    let run = place.run(&["repair", "a.aof", "--salvage", "--output", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = place.read("b.aof");
    assert!(written.ends_with(&commands), "{}", written.escape_ascii());
    let report = json(&place.run(&["verify", "b.aof", "--json"]));
    assert_eq!(report["logs"][0]["rdb_keys"], 20, "{report:#}");
    assert_eq!(report["logs"][0]["commands"], 2);
}

#[test]
fn key_with_a_broken_value_and_a_duplicate_key_are_left_out() {
    let broken = b"\x0e\x01l\x01\x11\x11\0\0\0\x0d\0\0\0\x02\0\0\x01a\x09\x01b\xff";
    let (first, last) = (b"\0\x05first\x011", b"\0\x04last\x012");
    let twice = b"\0\x05first\x013";
    for (record, name) in [(&broken[..], "l"), (twice, "first")] {
        let place = Place::new();
        let records = [&b"REDIS0009\xfe\0"[..], first, record, last].concat();
        place.put("dump.rdb", summed(records));
        let run = place.run(&["repair", "dump.rdb", "--output", "new.rdb"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let text = unbroken(&run.stdout);
        assert!(text.contains(&format!("key \"{name}\" of db 0")), "{text}");
        assert!(!text.contains("uncertain"), "{text}");
        let expected = [&b"REDIS0009\xfe\0"[..], first, last].concat();
        assert_eq!(place.read("new.rdb"), summed(expected));
    }
}

#[test]
fn last_record_of_a_duplicate_key_is_kept_by_choice() {
    let place = Place::new();
    place.put("dump.rdb", rdb(&[("twice", "x"), ("other", "y"), ("twice", "z")]));
    let run = place.run(&["repair", "dump.rdb", "--keep", "last", "--output", "new.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = place.read("new.rdb");
    assert!(written.windows(8).any(|it| it == b"\x05twice\x01z"), "{}", written.escape_ascii());
    assert!(!written.windows(8).any(|it| it == b"\x05twice\x01x"));
}

#[test]
fn cut_rdb_keeps_the_whole_keys() {
    let whole = thirty();
    for len in [whole.len() - 1, whole.len() - 9, find(&whole, "value 21") + 3] {
        let place = Place::new();
        place.put("dump.rdb", &whole[..len]);
        assert_eq!(place.run(&["repair", "dump.rdb", "--output", "new.rdb"]).code, Some(2));
        let run = place.run(&["repair", "dump.rdb", "--salvage", "--output", "new.rdb"]);
        assert_eq!(run.code, Some(0), "{len}: {run:#?}");
        assert_eq!(place.run(&["verify", "new.rdb"]).code, Some(0));
        let kept = if len < whole.len() - 9 { 21 } else { 30 };
        assert!(unbroken(&run.stdout).contains(&format!("{kept} keys of 30 kept")), "{run:#?}");
    }
}

#[test]
fn rdb_of_which_no_key_is_left_is_not_replaced() {
    let place = Place::new();
    let mut wrong = thirty();
    wrong[30..].fill(0x9d);
    place.put("dump.rdb", &wrong);
    let run = place.run(&["repair", "dump.rdb", "--salvage", "--in-place"]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    assert!(run.stderr.contains("no key of the RDB would be kept"), "{run:#?}");
    assert_eq!(place.names(), ["dump.rdb"]);
    assert_eq!(place.read("dump.rdb"), wrong);
}

#[test]
fn bytes_after_an_rdb_do_not_keep_it_from_being_repaired() {
    let rdb = rdb(&[("a", "1"), ("b", "2")]);
    let mut wrong = rdb.clone();
    *wrong.last_mut().unwrap() ^= 1;
    let [damaged, expected] = [wrong, rdb].map(|rdb| [&rdb[..], b"\r\n"].concat());
    for name in ["new", "new.rdb", "new.bak"] {
        let place = Place::new();
        place.put("dump.rdb", &damaged);
        let run = place.run(&["repair", "dump.rdb", "-o", name]);
        assert_eq!((run.code, place.read(name)), (Some(0), expected.clone()), "{run:#?}");
    }
    // As a log, no server loads it.
    let place = Place::new();
    place.put("dump.rdb", &damaged);
    let run = place.run(&["repair", "dump.rdb", "-o", "new.aof"]);
    assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
}

#[test]
fn text_before_an_rdb_is_left_out() {
    let rdb = rdb(&[("a", "1"), ("b", "2")]);
    let log = [&rdb[..], &sound()].concat();
    let mark = "0123456789abcdef0123456789abcdef01234567";
    let eof = [format!("$EOF:{mark}\r\n").as_bytes(), &rdb, mark.as_bytes(), &sound()].concat();
    let unix = |text: &str| [text.as_bytes(), &log].concat();
    let kubectl = unix("Defaulted container \"redis\" out of: redis, metrics\n");
    let mut terminal = Vec::new();
    for byte in [b"Unable to use a TTY\n", &rdb[..]].concat() {
        terminal.extend((byte == b'\n').then_some(b'\r'));
        terminal.push(byte);
    }
    for (damaged, expected, lines) in [
        (kubectl, &log, 1),
        (unix(&format!("\n\n${}\r\n", rdb.len())), &log, 3),
        (eof, &log, 1),
        (terminal, &rdb, 1),
    ] {
        let place = Place::new();
        place.put("a.aof", &damaged);
        let run = place.run(&["verify", "a.aof"]);
        assert!(run.code == Some(1) && run.stdout.contains("text before the RDB"), "{run:#?}");
        assert!(run.stdout.contains("`aofkit repair a.aof --output NEW`"), "{run:#?}");
        let run = place.run(&["repair", "a.aof", "--output", "new.aof", "--json"]);
        assert_eq!((run.code, &place.read("new.aof")), (Some(0), expected), "{run:#?}");
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let undone = &report["undone"][0];
        assert_eq!(
            (&undone["change"], &undone["left_out"]),
            (&"leading-text".into(), &lines.into())
        );
    }
    // Damage in the RDB stays damage.
    let mut damaged = unix("text\n");
    let at = 5 + rdb.len() - 12;
    damaged[at..at + 4].fill(0xff);
    let place = Place::new();
    place.put("a.aof", &damaged);
    let run = place.run(&["repair", "a.aof", "--output", "new.aof"]);
    assert_eq!((run.code, place.names().len()), (Some(2), 1), "{run:#?}");
}

#[test]
fn broken_function_library_costs_itself_alone() {
    let library = b"#!lua name=one\nredis.register_function('f', function() return 1 end)";
    let with = |library: &[u8]| {
        let whole = thirty();
        // After the notes, before the first database.
        let mut bytes = b"REDIS0010\xfa\x09redis-ver\x067.0.15".to_vec();
        bytes.extend([0xf5, 0x40, u8::try_from(library.len()).unwrap()]);
        bytes.extend(library);
        let first = memchr::memchr(0xfe, &whole).unwrap();
        bytes.extend(&whole[first..whole.len() - 9]);
        summed(bytes)
    };
    let original = with(library);
    // Two bytes of the library, so that the checksum does not locate the error.
    let mut damaged = original.clone();
    let at = find(&original, "function() return");
    damaged[at] = b'(';
    damaged[at + 9] = b'(';
    let place = Place::new();
    place.put("dump.rdb", &damaged);
    let run = place.run(&["repair", "dump.rdb", "--salvage", "-o", "new", "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report = json(&run);
    let dropped = report["rdb"][0]["dropped"].as_array().unwrap();
    assert!(dropped.len() == 1 && dropped[0]["why"] == "library", "{report:#}");
    assert_eq!(report["rdb"][0]["keys"], 30);
    let verified = place.run(&["verify", "new"]);
    assert_eq!(verified.code, Some(0), "{verified:#?}");
    assert!(memchr::memmem::find(&place.read("new"), b"register_function").is_none());
}
