//! Content that is intact and that not every server loads: modules, function libraries, other products.

use aofkit::rdb::crc64;

use super::*;

/// The length-encoded id of a module's data type: nine characters of 6 bits, and the version of its encoding.
pub(super) fn module_id(name: &str, version: u64) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let six_bits = |c| ALPHABET.find(c).expect("a character of module names") as u64;
    let id = name.chars().fold(0, |id, c| id << 6 | six_bits(c)) << 10 | version;
    [&[0x81][..], &id.to_be_bytes()].concat()
}

pub(super) fn rdb(header: &str, content: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = header.as_bytes().to_vec();
    bytes.extend(content.concat());
    bytes.push(0xff);
    let sum = crc64(&bytes);
    bytes.extend(sum.to_le_bytes());
    bytes
}

/// Data of a module that belongs to no key: one string, to be loaded before the keys.
pub(super) fn aux(module: &str) -> Vec<u8> {
    [b"\xf7", &module_id(module, 1)[..], b"\x02\x01\x05\x03abc\0"].concat()
}

/// A key that holds data of a module: the number 7.
pub(super) fn key(module: &str) -> Vec<u8> {
    [b"\xfe\0\x07\x01m", &module_id(module, 1)[..], b"\x02\x07\0"].concat()
}

pub(super) fn string() -> Vec<u8> {
    b"\xfe\0\0\x01k\x01v".to_vec()
}

/// The text without line breaks.
pub(super) fn unbroken(run: &Run) -> String {
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn place(rdb: &[u8]) -> Place {
    let place = Place::new();
    place.put("dump.rdb", rdb);
    place
}

#[test]
fn module_data_that_belongs_to_no_key_is_a_note() {
    let place = place(&rdb("REDIS0012", &[aux("graphdata"), string()]));
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = unbroken(&run);
    assert!(
        text.contains("note: data of the module \"graphdata\" that belongs to no key"),
        "{run:#?}"
    );
    assert!(text.contains("if the module \"graphdata\" is loaded"), "{run:#?}");
    assert!(!text.contains("DAMAGED"), "{run:#?}");
    // What was said to be loaded is no condition.
    let run = place.run(&["verify", "--for", "redis-8.2", "--module", "graphdata", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!unbroken(&run).contains("if the module"), "{run:#?}");
}

#[test]
fn keys_of_a_module_need_it() {
    let place = place(&rdb("REDIS0012", &[key("graphdata")]));
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let text = unbroken(&run);
    assert!(text.contains("REFUSED") && !text.contains("DAMAGED"), "{run:#?}");
    assert!(text.contains("1 key of the module \"graphdata\""), "{run:#?}");
    for name in ["graphdata", "GRAPH"] {
        let run = place.run(&["verify", "--module", name, "dump.rdb"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let run = place.run(&["verify", "--module", "RedisJSON,RedisBloom", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
}

#[test]
fn redis_8_loads_the_modules_that_it_bundles_if_they_are_there() {
    let place = place(&rdb("REDIS0012", &[key("ReJSON-RL")]));
    let run = place.run(&["verify", "--for", "redis-8.2", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        unbroken(&run).contains("if RedisJSON, which is bundled with it, is loaded"),
        "{run:#?}"
    );
    let run = place.run(&["verify", "--for", "redis-8.2", "--module", "bundled", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!unbroken(&run).contains("if RedisJSON"), "{run:#?}");
    // Redis 7.4 bundles none.
    let run = place.run(&["verify", "--for", "redis-7.4", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
}

#[test]
fn commands_of_a_loaded_module_are_known() {
    let place = Place::new();
    let log = [sound(), command(&["GRAPH.QUERY", "g", "RETURN 1"])].concat();
    place.put("appendonly.aof", &log);
    let run = place.run(&["verify", "appendonly.aof"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let run = place.run(&["verify", "--module", "graphdata", "appendonly.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!unbroken(&run).contains("unknown command"), "{run:#?}");
}

#[test]
fn a_compaction_for_a_server_never_holds_what_that_server_refuses() {
    let with_key = place(&rdb("REDIS0012", &[string(), key("graphdata")]));
    let to = ["compact", "dump.rdb", "--format", "rdb", "--output", "new.rdb"];
    let run = with_key.run(&[&to[..], &["--for", "redis-8.2"]].concat());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("key \"m\" of database 0"), "{run:#?}");
    assert!(!with_key.path("new.rdb").exists());
    // The printed ways out.
    let run = with_key.run(&[&to[..], &["--for", "redis-8.2", "--module", "graphdata"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    std::fs::remove_file(with_key.path("new.rdb")).expect("written");
    let run = with_key.run(&[&to[..], &["--for", "redis-8.2", "--exclude", "m"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let run = with_key.run(&["verify", "--for", "redis-8.2", "new.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");

    let with_aux = place(&rdb("REDIS0012", &[aux("graphdata"), string()]));
    let run = with_aux.run(&[&to[..], &["--for", "redis-8.2"]].concat());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("--drop-module-aux"), "{run:#?}");
    let run = with_aux.run(&[&to[..], &["--for", "redis-8.2", "--drop-module-aux"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = std::fs::read(with_aux.path("new.rdb")).expect("written");
    assert!(!written.windows(3).any(|window| window == b"abc"), "the data is left out");
    // For the server that wrote it, everything is kept.
    let run = with_aux.run(&[&to[..], &["--force"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let written = std::fs::read(with_aux.path("new.rdb")).expect("written");
    assert!(written.windows(3).any(|window| window == b"abc"));
}

#[test]
fn an_archive_with_module_data_is_restored_or_the_module_is_named() {
    let place = place(&rdb("REDIS0012", &[aux("graphdata"), string(), key("ReJSON-RL")]));
    assert_eq!(place.run(&["compress", "dump.rdb", "--output", "b.zip"]).code, Some(0));
    let restore = ["restore", "b.zip", "--output", "data", "--for"];
    // Redis 8.2 bundles RedisJSON, and the other module left only data that belongs to no key.
    let run = place.run(&[&restore[..], &["redis-8.2"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    std::fs::remove_dir_all(place.path("data")).expect("restored");
    // Redis 7.4 bundles nothing.
    let run = place.run(&[&restore[..], &["redis-7.4"]].concat());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("ReJSON-RL") && run.stderr.contains("--module NAME"), "{run:#?}");
    assert!(!run.stderr.contains("bug"), "{run:#?}");
    assert!(!place.path("data").exists());
    let run = place.run(&[&restore[..], &["redis-7.4", "--module", "ReJSON-RL"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    std::fs::remove_dir_all(place.path("data")).expect("restored");
    let run = place.run(&[&restore[..], &["redis-8.2", "--drop-module-aux"]].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let run = place.run(&["verify", "data", "--for", "redis-8.2"]);
    assert!(!run.stdout.contains("graphdata"), "{run:#?}");
}

pub(super) fn library(code: &str) -> Vec<u8> {
    let len = u8::try_from(code.len()).expect("short");
    [&[0xf5, 0x40, len], code.as_bytes()].concat()
}

pub(super) const LUA: &str = "#!lua name=a\nredis.register_function('f', function() return 1 end)";

/// Redis 7.0 and 8.2 and Valkey 9.1 were observed to refuse each of them but the first two.
#[test]
fn a_function_library_that_servers_refuse_is_an_error() {
    for (code, expected) in [
        (vec![library(LUA)], None),
        (vec![library(&LUA.replace("lua", "LUA"))], None),
        (vec![library(&LUA.replace("lua", "js"))], Some("is for the engine \"js\"")),
        (vec![library(LUA), library(LUA)], Some("two function libraries are named \"a\"")),
        (vec![library(&LUA[1..])], Some("a function library that no server loads")),
        (
            vec![library(&LUA.replace("end)", ""))],
            Some("function library \"a\" is not valid Lua: line 2: `end` is expected"),
        ),
    ] {
        let place = place(&rdb("REDIS0010", &code));
        let run = place.run(&["verify", "dump.rdb"]);
        assert_eq!(run.code, Some(i32::from(expected.is_some())), "{run:#?}");
        assert!(expected.is_none_or(|text| unbroken(&run).contains(text)), "{run:#?}");
        // So are an archive of it, and a log that is recovered and begins with it.
        let code_of_verify = run.code;
        // A module can bring another engine.
        let expected = expected.filter(|text| !text.contains("engine"));
        let code = Some(i32::from(expected.is_some()));
        let run = place.run(&["compress", "dump.rdb", "-o", "a.zip"]);
        assert_eq!(run.code, code, "{run:#?}");
        assert!(expected.is_none_or(|text| unbroken(&run).contains(text)), "{run:#?}");
        assert_eq!(place.run(&["verify", "a.zip"]).code, code_of_verify);
        assert_eq!(place.run(&["extract", "a.zip", "-o", "extracted"]).code, Some(0));
        let log = [place.read("dump.rdb"), command(&["SET", "a", "1"])].concat();
        place.put("a.aof", [log.clone(), command(&["FLUSHALL"])].concat());
        let run = place.run(&["recover", "a.aof", "--strip", "-o", "b.aof"]);
        assert_eq!((run.code, place.read("b.aof")), (code, log), "{run:#?}");
        assert!(expected.is_none_or(|text| unbroken(&run).contains(text)), "{run:#?}");
    }
}

#[test]
fn expiries_that_only_keydb_has_are_named() {
    let field = |name: &str, value: &str| {
        let text = |t: &str| [&[u8::try_from(t.len()).expect("short")], t.as_bytes()].concat();
        [vec![0xfa], text(name), text(value)].concat()
    };
    let set = b"\xfe\0\x02\x01s\x02\x01a\x01b".to_vec();
    let place = place(&rdb(
        "REDIS0009",
        &[
            field("mvcc-tstamp", "1787000000000"),
            set,
            field("keydb-subexpire-key", "a"),
            field("keydb-subexpire-when", "1900000000000"),
        ],
    ));
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = unbroken(&run);
    assert!(text.contains("the expiry of a member, which only KeyDB has"), "{run:#?}");
    assert!(text.contains("key \"s\" in database 0"), "{run:#?}");
}

#[test]
fn logs_of_other_products_are_named() {
    let set = |kind: &[&str]| command(&[&["set", "fleet", "truck1"], kind].concat());
    for (name, log) in [
        ("Tile38", set(&["point", "33", "-115"])),
        ("Tile38", set(&["OBJECT", "{}"])),
        ("Tile38", [sound(), command(&["fset", "fleet", "truck1", "speed", "1"])].concat()),
        ("KeyDB", [sound(), command(&["EXPIREMEMBER", "s", "a", "10"])].concat()),
    ] {
        let place = Place::new();
        place.put("appendonly.aof", &log);
        let run = place.run(&["verify", "appendonly.aof"]);
        let expected = format!("a log of {name}, not of Redis or Valkey");
        assert!(unbroken(&run).contains(&expected), "{run:#?}");
    }
    let place = Place::new();
    place.put("appendonly.aof", command(&["SET", "k", "v", "PXAT", "1900000000000"]));
    assert!(!place.run(&["verify", "appendonly.aof"]).stdout.contains("not of Redis"));
}

#[test]
fn server_that_a_log_requires_is_reported_with_its_reason() {
    let place = Place::new();
    let before = [sound(), command(&["HSET", "h", "f", "v"])].concat();
    let expiry = command(&["HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "f"]);
    place.put("a.aof", [&before[..], &expiry].concat());
    place.put("plain.aof", &before);
    let expected = format!("written by redis-7.4 or later: HPEXPIREAT at byte {}", before.len());
    for args in [&["history", "h", "a.aof"][..], &["recover", "a.aof"], &["digest", "a.aof"]] {
        let run = place.run(args);
        assert!(unbroken(&run).contains(&expected), "{args:?}: {run:#?}");
    }
    // By its layout alone, every server since Redis 4.0 may have written it.
    for args in [&["history", "h", "plain.aof"][..], &["recover", "plain.aof"]] {
        assert!(!place.run(args).stdout.contains("written by"), "{args:?}");
    }
}

#[test]
fn module_that_a_server_needs_is_a_field_of_its_verdict() {
    let place = place(&rdb("REDIS0012", &[key("graphdata")]));
    let run = place.run(&["verify", "--json", "--for", "redis-8.2", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("\"needs_module\": \"graphdata\""), "{run:#?}");
    let run = place.run(&["verify", "--json", "--for", "redis-6.2", "dump.rdb"]);
    assert!(!run.stdout.contains("needs_module"), "{run:#?}");
}

#[test]
fn library_that_no_server_loads_is_refused_and_not_damaged() {
    let libraries: [(&[u8], &str); 1] =
        [(b"#!js name=lib\nx", "function library \"lib\" is for the engine \"js\"")];
    for (library, reason) in libraries {
        let len = u8::try_from(library.len()).unwrap();
        let place = place(&rdb("REDIS0010", &[[b"\xf5", &[len][..], library].concat(), string()]));
        let run = place.run(&["verify", "dump.rdb"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(run.stdout.contains("REFUSED: 1 error"), "{run:#?}");
        assert!(unbroken(&run).contains(reason), "{run:#?}");
        // It is carried as it is, and never written for a server that would refuse it.
        assert_eq!(place.run(&["compress", "dump.rdb", "-o", "a.zip"]).code, Some(0));
        assert_eq!(place.run(&["restore", "a.zip", "-o", "data"]).code, Some(0));
        let run = place.run(&["restore", "a.zip", "-o", "new", "--for", "redis-8.2"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(!run.stderr.contains("bug") && !run.stderr.contains("tmp"), "{run:#?}");
        let run = place.run(&["compact", "dump.rdb", "--for", "redis-8.2", "-o", "new.aof"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains(reason), "{run:#?}");
    }
}
