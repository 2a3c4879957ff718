//! An RDB of a newer server: whole by its checksum, and worked on at the level of bytes.

use aofkit::rdb::crc64;

use super::*;

/// An RDB of this header with notes, a database, and then `content`.
fn rdb(header: &str, content: &[u8]) -> Vec<u8> {
    let notes = b"\xfa\x09redis-ver\x058.6.3\xfe\0\xfb\x02\0\0\x01a\x011";
    with_checksum([header.as_bytes(), notes, content, b"\xff"].concat())
}

fn with_checksum(mut bytes: Vec<u8>) -> Vec<u8> {
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// A value of a type that no version has had, with bytes in it that could be taken for the end.
const UNKNOWN_TYPE: &[u8] = b"\x1a\x01k\xff\xff\xff\0\0\0\0\0\0\0\0\xff";

/// A value of type `code`, whose bytes no version gives a meaning.
fn unknown(code: u8) -> Vec<u8> {
    let mut content = UNKNOWN_TYPE.to_vec();
    content[0] = code;
    content
}

/// Every type that a version of Redis after 8.6 or Valkey after 9.1 may have, in a version that does not have it, and the
/// opcodes of other products.
fn codes() -> Vec<(String, Vec<u8>)> {
    let types = (27..=35).map(|code| ("REDIS0012", code));
    let later = (34..=60).map(|code| ("REDIS0017", code));
    let valkey = (23..=35).map(|code| ("VALKEY080", code));
    let opcodes = [107, 200, 201, 202, 203, 210, 211, 220, 236, 240, 241, 242, 243];
    let opcodes = opcodes.map(|code| ("REDIS0012", code));
    let all = types.chain(later).chain(valkey).chain(opcodes);
    all.map(|(header, code)| {
        (format!("type or opcode {code} at byte 36"), rdb(header, &unknown(code)))
    })
    .collect()
}

/// One of each kind that is written by a newer server or another product.
pub(crate) fn newer() -> Vec<(String, Vec<u8>)> {
    let kinds = [
        ("RDB version 18", rdb("REDIS0018", b"")),
        ("RDB version 19", rdb("REDIS0019", UNKNOWN_TYPE)),
        ("RDB version 99", rdb("REDIS0099", &[0xff; 3000])),
        ("Valkey RDB version 81", rdb("VALKEY081", UNKNOWN_TYPE)),
        ("type or opcode 26 at byte 36", rdb("REDIS0012", UNKNOWN_TYPE)),
        ("type or opcode 243 at byte 36", rdb("REDIS0012", b"\xf3\0")),
        ("written by Dragonfly (df-1.20)", dragonfly()),
    ];
    let kinds = kinds.into_iter().map(|(what, bytes)| (what.to_owned(), bytes));
    let types = (29..=35).map(|code| {
        (format!("type or opcode {code} at byte 36"), rdb("REDIS0012", &unknown(code)))
    });
    kinds.chain(types).collect()
}

fn dragonfly() -> Vec<u8> {
    with_checksum(b"REDIS0009\xfa\x06df-ver\x07df-1.20\xfe\0\x1f\x01d\x01\x01f\x01v\0\xff".to_vec())
}

/// A set whose base is this RDB, and whose log ends in FLUSHALL.
pub(crate) fn put_flushed_set(place: &Place, name: &str, base: &[u8]) {
    let incr = [sound(), command(&["FLUSHALL"])].concat();
    place.put_set(
        name,
        &[("appendonly.aof.1.base.rdb", base), ("appendonly.aof.1.incr.aof", &incr)],
    );
}

/// All on one line: text is broken into lines as it comes.
fn unbroken(run: &Run) -> String {
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn an_rdb_of_a_newer_server_is_whole_by_its_checksum() {
    for (what, bytes) in newer() {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        let run = place.run(&["verify", "dump.rdb"]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{what}: {run:#?}");
        let text = unbroken(&run);
        assert!(text.contains(&*what), "{run:#?}");
        assert!(!text.contains("DAMAGED") && !text.contains("broken"), "{run:#?}");
        assert!(text.contains("keys unknown"), "{run:#?}");
        let run = place.run(&["verify", "--for", "redis-8.2", "dump.rdb"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.contains("REFUSED: 1 error"), "{run:#?}");
    }
}

#[test]
fn what_a_newer_server_does_with_it_is_unknown() {
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0018", b""));
    for (server, code, word) in
        [("redis-9.0", 0, "unknown"), ("redis-8.12", 1, "refuses"), ("redis-8.6", 1, "refuses")]
    {
        let run = place.run(&["verify", "--for", server, "dump.rdb"]);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert!(run.stdout.contains(&format!("\n  {word} ")), "{run:#?}");
    }
}

#[test]
fn commands_after_it_are_read_and_a_torn_one_is_cut() {
    for (what, bytes) in newer() {
        let place = Place::new();
        place.put("sound.aof", [&bytes[..], &sound()].concat());
        let run = place.run(&["verify", "sound.aof"]);
        assert_eq!(run.code, Some(0), "{what}: {run:#?}");
        assert!(run.stdout.contains("3 commands, "), "{run:#?}");
        let run = place.run(&["log", "sound.aof"]);
        assert_eq!((run.code, run.stdout.lines().count()), (Some(0), 4), "{run:#?}");
        assert!(run.stdout.contains("keys unknown"), "{run:#?}");
        assert_eq!(place.run(&["check-aof", "sound.aof"]).code, Some(0));

        place.put("torn.aof", [&bytes[..], &torn()].concat());
        assert_eq!(place.run(&["verify", "torn.aof"]).code, Some(1));
        assert_eq!(place.run(&["check-aof", "torn.aof"]).code, Some(1));
        let run = place.run(&["repair", "torn.aof", "-o", "mended.aof"]);
        assert_eq!(place.read("mended.aof"), place.read("sound.aof"), "{what}: {run:#?}");
    }
}

#[test]
fn a_base_of_redis_8_6_loads_there_and_not_before() {
    let place = Place::new();
    place.put("dump.rdb", std::fs::read("testdata/rdb/redis-8.6.3-aof-base.rdb").unwrap());
    for (server, code) in
        [("redis-8.6", 0), ("redis-8.8", 0), ("redis-8.4", 1), ("valkey-9.1", 1), ("valkey-9.2", 1)]
    {
        let run = place.run(&["verify", "--for", server, "dump.rdb"]);
        assert_eq!(run.code, Some(code), "{run:#?}");
    }
    assert_eq!(place.run(&["verify", "dump.rdb"]).code, Some(0));
}

#[test]
fn what_is_unknown_in_a_version_may_be_known_to_its_server() {
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0017", b"\x22\x01k\xff\xff\xff"));
    place.put("valkey.rdb", rdb("VALKEY080", b"\x17\x01k\xff\xff\xff"));
    for (file, server, code, word) in [
        ("dump.rdb", "redis-8.12", 0, "unknown"),
        ("dump.rdb", "redis-8.10", 1, "refuses"),
        ("valkey.rdb", "valkey-9.2", 0, "unknown"),
        ("valkey.rdb", "valkey-9.1", 1, "refuses"),
        ("valkey.rdb", "redis-8.12", 1, "refuses"),
    ] {
        let run = place.run(&["verify", "--for", server, file]);
        assert_eq!(run.code, Some(code), "{server}: {run:#?}");
        assert!(run.stdout.contains(&format!("\n  {word} ")), "{run:#?}");
    }
}

#[test]
fn an_incremental_file_may_begin_with_one() {
    let place = Place::new();
    let incr = [rdb("REDIS0018", UNKNOWN_TYPE), sound()].concat();
    let base = rdb("REDIS0018", b"");
    place.put_set(
        "log",
        &[("appendonly.aof.1.base.rdb", &base), ("appendonly.aof.1.incr.aof", &incr)],
    );
    let run = place.run(&["verify", "log"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.contains("WHOLE: 2 RDBs valid by checksum"), "{run:#?}");
}

#[test]
fn a_flipped_bit_or_a_cut_is_damage() {
    let whole = rdb("REDIS0019", UNKNOWN_TYPE);
    let place = Place::new();
    for at in 9..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        place.put("a.rdb", &flipped);
        let run = place.run(&["verify", "a.rdb"]);
        assert_eq!(run.code, Some(1), "byte {at}: {run:#?}");
        assert!(unbroken(&run).contains("its checksum is wrong: it is damaged or cut short"));
        assert!(run.stdout.contains("written by a newer server"), "{run:#?}");
    }
    for len in [9, whole.len() - 9, whole.len() - 1] {
        place.put("a.rdb", &whole[..len]);
        assert_eq!(place.run(&["verify", "a.rdb"]).code, Some(1), "{len} bytes");
    }
}

#[test]
fn an_rdb_without_checksum_cannot_be_checked() {
    for header in ["REDIS0018", "VALKEY081", "REDIS0012"] {
        let mut bytes = rdb(header, UNKNOWN_TYPE);
        let end = bytes.len() - 8;
        bytes[end..].fill(0);
        for tail in [Vec::new(), sound()] {
            let place = Place::new();
            place.put("a.rdb", [&bytes[..], &tail].concat());
            let run = place.run(&["verify", "a.rdb"]);
            assert_eq!(run.code, Some(1), "{run:#?}");
            assert!(unbroken(&run).contains("it cannot be checked: its checksum is off"));
            assert!(run.stdout.contains("NOT CHECKED: 1 error"), "{run:#?}");
            let run = place.run(&["digest", "a.rdb"]);
            assert_eq!(run.code, Some(2), "{run:#?}");
            assert!(run.stderr.contains("its checksum is off"), "{run:#?}");
            let run = place.run(&["recover", "a.rdb"]);
            assert_eq!(run.code, Some(1), "{run:#?}");
            assert!(unbroken(&run).contains("the RDB cannot be read, and"), "{run:#?}");
            assert!(unbroken(&run).contains("its checksum is off; what follows was not read"));
        }
    }
}

#[test]
fn a_right_checksum_does_not_make_a_known_format_whole() {
    let place = Place::new();
    // A key that comes twice, a length that begins none, and a value that goes on beyond the end.
    for content in [&b"\0\x01a\x012"[..], b"\0\xbfx", b"\x01\x01k\x05\x01x"] {
        place.put("a.rdb", rdb("REDIS0012", content));
        let run = place.run(&["verify", "a.rdb"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.contains("the RDB is broken"), "{run:#?}");
    }
    // The key that comes twice is damage also where unknown content follows.
    place.put("a.rdb", rdb("REDIS0012", &[b"\0\x01a\x012", UNKNOWN_TYPE].concat()));
    assert_eq!(place.run(&["verify", "a.rdb"]).code, Some(1));
}

#[test]
fn archives_give_it_back_bit_for_bit() {
    for (what, bytes) in newer() {
        let place = Place::new();
        put_flushed_set(&place, "appendonlydir", &bytes);
        let run = place.run(&["compress", "appendonlydir", "-o", "a.zip"]);
        assert_eq!(run.code, Some(0), "{what}: {run:#?}");
        let run = place.run(&["verify", "a.zip"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains("keys unknown"), "{run:#?}");
        assert!(unbroken(&run).contains("note: appendonlydir/appendonly.aof.1.base.rdb: "));
        for args in [["extract", "a.zip", "-o", "new"], ["restore", "a.zip", "-o", "data"]] {
            assert_eq!(place.run(&args).code, Some(0), "{args:?}");
        }
        for from in ["new", "data"] {
            for part in ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof"] {
                let old = place.read(Path::new("appendonlydir").join(part));
                assert_eq!(place.read(Path::new(from).join("appendonlydir").join(part)), old);
            }
        }
    }
}

#[test]
fn a_zip_of_another_program_is_judged_as_the_file() {
    let whole = rdb("REDIS0018", UNKNOWN_TYPE);
    let mut flipped = whole.clone();
    flipped[40] ^= 1;
    for (bytes, code) in [(&whole, 0), (&flipped, 1)] {
        let place = Place::new();
        place.put("dump.rdb", bytes);
        let zip = "import zipfile; zipfile.ZipFile('a.zip', 'w').write('dump.rdb')";
        assert_eq!(place.shell(&format!("python3 -c \"{zip}\"")).code, Some(0));
        for path in ["dump.rdb", "a.zip"] {
            let run = place.run(&["verify", path]);
            assert_eq!(run.code, Some(code), "{run:#?}");
            assert!(run.stdout.contains("written by a newer server"), "{run:#?}");
        }
    }
}

#[test]
fn it_is_restored_for_a_server_that_may_load_it() {
    let place = Place::new();
    put_flushed_set(&place, "appendonlydir", &rdb("REDIS0018", b""));
    place.run(&["compress", "appendonlydir", "-o", "a.zip"]);
    let run = place.run(&["restore", "a.zip", "--for", "redis-9.0", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let run = place.run(&["restore", "a.zip", "--for", "redis-8.2", "-o", "old"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("redis-8.2 does not load it as it is: RDB version 18"));
    assert!(!place.path("old").exists());
}

#[test]
fn it_is_backed_up() {
    for (what, bytes) in newer() {
        let place = Place::new();
        put_flushed_set(&place, "appendonlydir", &bytes);
        fs::create_dir(place.path("to")).unwrap();
        let run = place.run(&["backup", "appendonlydir", "--to", "to"]);
        assert_eq!((run.code, &*run.stderr), (Some(0), ""), "{what}: {run:#?}");
        assert!(unbroken(&run).contains("its keys were not counted"), "{run:#?}");
    }
}

#[test]
fn a_flushall_after_it_is_found_and_cut_off() {
    for (what, bytes) in newer() {
        let place = Place::new();
        put_flushed_set(&place, "log", &bytes);
        let run = place.run(&["recover", "log"]);
        assert_eq!(run.code, Some(1), "{what}: {run:#?}");
        let text = unbroken(&run);
        assert!(text.contains("1 FLUSHALL, appendonly.aof.1.incr.aof:81 (#4)"), "{run:#?}");
        assert!(text.contains("keys unknown in appendonly.aof.1.base.rdb: "), "{run:#?}");
        assert!(!text.contains("CAN BE READ"), "{run:#?}");
        let run = place.run(&["recover", "log", "--strip", "-o", "stripped"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read("stripped/appendonly.aof.1.base.rdb"), bytes);
        assert_eq!(place.read("stripped/appendonly.aof.1.incr.aof"), sound());
        let run = place.run(&["recover", "log", "--until", "#2", "-o", "early"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read("early/appendonly.aof.1.base.rdb"), bytes);
        assert_eq!(place.read("early/appendonly.aof.1.incr.aof"), sound()[..27]);

        place.put("a.aof", [&bytes[..], &sound(), &command(&["FLUSHALL"])].concat());
        let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(place.read("b.aof"), [&bytes[..], &sound()].concat());
    }
}

#[test]
fn without_commands_the_log_is_not_called_empty() {
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0018", UNKNOWN_TYPE));
    let run = place.run(&["recover", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!run.stdout.contains("EMPTY") && !run.stdout.contains("CAN BE READ"), "{run:#?}");
}

#[test]
fn what_needs_the_keys_is_refused_with_the_part_and_the_reason() {
    let place = Place::new();
    put_flushed_set(&place, "log", &rdb("REDIS0018", UNKNOWN_TYPE));
    let runs: [&[&str]; 6] = [
        &["compact", "log", "-o", "new"],
        &["digest", "log"],
        &["diff", "log", "log"],
        &["history", "a", "log"],
        &["recover", "log", "--undelete", "*", "-o", "new"],
        &["recover", "log", "--merge", "newer", "-o", "new"],
    ];
    for args in runs {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
        assert!(run.stderr.contains("log/appendonly.aof.1.base.rdb: "), "{run:#?}");
        let why =
            "written by a newer server (RDB version 18); this version of aofkit reads up to 17";
        assert!(run.stderr.contains(why), "{run:#?}");
        assert!(run.stderr.contains("\nhelp: verify, backup, compress"), "{run:#?}");
        assert!(!place.path("new").exists());
    }
}

#[test]
fn a_snapshot_of_a_newer_server_beside_an_empty_log_is_a_candidate() {
    let place = Place::new();
    let dump = rdb("REDIS0018", UNKNOWN_TYPE);
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", b"")]);
    place.put("data/dump.rdb", &dump);
    let run = place.run(&["recover", "data"]);
    assert!(unbroken(&run).contains("number of keys unknown: written by a newer server"));
    assert!(!run.stdout.contains("cannot be used"), "{run:#?}");
    let run = place.run(&["recover", "data", "--candidate", "1", "--strip", "-o", "b"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    // The server has a set, and loads nothing else.
    assert_eq!(place.read("b/appendonly.aof.1.base.rdb"), dump);
}

#[test]
fn every_unknown_type_and_opcode_is_whole_by_its_checksum() {
    let place = Place::new();
    let mut args = vec!["verify".to_owned()];
    for (number, (_, bytes)) in codes().iter().enumerate() {
        args.push(format!("{number}.rdb"));
        place.put(format!("{number}.rdb"), bytes);
    }
    let run = place.run(&args);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = unbroken(&run);
    for (what, _) in codes() {
        assert!(text.contains(&what), "{what}: {text}");
    }
}

/// The commands of a person with such a log, and the result of each: what is copied is the same bytes.
#[test]
fn every_form_of_it_is_carried_bit_for_bit() {
    for (what, bytes) in newer() {
        let place = Place::new();
        let torn_tail = [&bytes[..], &torn()].concat();
        let whole = [&bytes[..], &sound()].concat();
        place.put("dump.rdb", &bytes);
        place.put("single.aof", &torn_tail);
        put_flushed_set(&place, "appendonlydir", &bytes);
        for (path, name, expected) in [("dump.rdb", "rdb", &bytes), ("single.aof", "aof", &whole)] {
            if path == "single.aof" {
                // A torn end is cut after the RDB and its whole commands.
                let run = place.run(&["repair", path, "--in-place"]);
                assert_eq!(place.read(path), whole, "{what}: {run:#?}");
            }
            let zip = format!("{name}.zip");
            for args in [
                vec!["compress", path, "-o", &zip],
                vec!["extract", &zip, "-o", name],
                vec!["verify", path],
                vec!["verify", &zip],
                vec!["log", path],
            ] {
                let run = place.run(&args);
                assert_eq!(run.code, Some(0), "{what}: {args:?}: {run:#?}");
            }
            assert_eq!(place.read(format!("{name}/appendonly.aof")), *expected, "{what}");
            let data = format!("{name}-data");
            assert_eq!(place.run(&["restore", &zip, "-o", &data]).code, Some(0), "{what}");
            let run = place.run(&["backup", path, "--to", "."]);
            assert_eq!(run.code, Some(0), "{what}: {run:#?}");
        }
        let manifest = "appendonlydir/appendonly.aof.manifest";
        assert_eq!(place.run(&["check-aof", manifest]).code, Some(0), "{what}");
    }
}

#[test]
fn product_of_a_foreign_type_or_opcode_is_named_and_no_server_is_said_to_know_it() {
    for (code, product) in [
        (30, "Dragonfly"),
        (33, "Dragonfly"),
        (200, "Dragonfly"),
        (201, "Dragonfly"),
        (220, "Dragonfly"),
        (107, "Redis Enterprise"),
    ] {
        let place = Place::new();
        place.put("dump.rdb", rdb("REDIS0009", &unknown(code)));
        let run = place.run(&["verify", "dump.rdb"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let text = unbroken(&run);
        assert!(text.contains(&format!("probably written by {product}, which")), "{code}: {text}");
        assert!(!run.stdout.contains("\n  unknown "), "{code}: {run:#?}");
        let run = place.run(&["digest", "dump.rdb"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains(product), "{code}: {run:#?}");
    }
    // What Redis may have is not ascribed to another product.
    let place = Place::new();
    place.put("dump.rdb", rdb("REDIS0017", &unknown(35)));
    assert!(!place.run(&["verify", "dump.rdb"]).stdout.contains("Dragonfly"));
}
