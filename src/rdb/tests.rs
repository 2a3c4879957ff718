//! Tests of the module as a whole, on bytes built by hand: the records between keys, and the
//! visitor calls.

mod bitmaps;
mod files;
mod later;
mod mangled;
mod newer;
mod resync;
mod streams;
mod values;

use super::testing::{Rdb, Told, intset, length, listpack, lzf, mangle, string, ziplist, zipmap};
use super::*;
use crate::base::progress::Silent;

/// Returns the visitor calls for a valid file, and its summary.
fn reported(bytes: &[u8]) -> (Vec<String>, RdbSummary) {
    let mut reported = Told::default();
    match walk(bytes, &mut reported, &Silent) {
        Ok(walk) => (reported.0, walk),
        Err(damage) => panic!("{damage}"),
    }
}

fn damage(bytes: &[u8]) -> Damage {
    match walk(bytes, &mut Ignore, &Silent) {
        Err(damage) => {
            assert!(damage.offset <= bytes.len() as u64);
            assert!(damage.before.len <= damage.offset, "{damage:?}");
            *damage
        }
        Ok(walk) => panic!("no damage: {walk:?}"),
    }
}

/// Builds a file with one key of type `code` and this value.
fn rdb_of_one(header: &str, code: u8, value: impl AsRef<[u8]>) -> Vec<u8> {
    Rdb::new(header).key(code, "k").raw(value).end()
}

/// Returns the visitor calls for one value, after the key.
fn value(header: &str, code: u8, value: impl AsRef<[u8]>) -> Vec<String> {
    let bytes = rdb_of_one(header, code, value);
    let (mut lines, walk) = reported(&bytes);
    assert_eq!(walk.len, bytes.len() as u64);
    assert_eq!(lines[0], "db 0");
    assert!(lines[1].starts_with("key "), "{lines:?}");
    lines.split_off(2)
}

fn value_damage(header: &str, code: u8, value: impl AsRef<[u8]>) -> Damage {
    let damage = damage(&rdb_of_one(header, code, value));
    assert_eq!(damage.key.as_deref(), Some(&b"k"[..]));
    assert_eq!(damage.stored_as, format(damage.before.magic, code).map(|f| f.name));
    damage
}

/// Offset of the value of [`rdb_of_one`]: header, type, key.
const VALUE: u64 = 9 + 1 + 2;

fn strings(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(string).collect()
}

#[test]
fn both_magics_are_detected_without_their_version() {
    assert!(is_rdb(b"REDIS0011\xff"));
    assert!(is_rdb(b"REDIS"));
    assert!(is_rdb(b"VALKEY080"));
    assert!(!is_rdb(b"REDI"));
    assert!(!is_rdb(b"*2\r\n$6\r\nSELECT\r\n"));
}

#[test]
fn the_end_of_each_version_is_found() {
    for version in 1..=12 {
        let header = format!("REDIS{version:04}");
        let rdb = Rdb::new(&header).db(0).key(0, "k").string("v");
        let bytes = if version < 5 { rdb.end_without() } else { rdb.end() };
        // The base of an append-only file: commands follow.
        let log = [&bytes[..], b"*1\r\n$4\r\nPING\r\n"].concat();
        let (lines, walk) = reported(&log);
        assert_eq!(lines, ["db 0", "key string k", "v"]);
        assert_eq!(walk.len, bytes.len() as u64);
        assert_eq!((walk.version, walk.magic), (version, Magic::Redis));
        assert_eq!(walk.checksum == Checksum::Absent, version < 5);
    }
}

#[test]
fn unknown_versions_are_refused() {
    for header in
        ["REDIS0000", "REDIS0018", "REDIS0080", "REDIS001a", "VALKEY079", "VALKEY081", "VALKEY011"]
    {
        let damage = damage(&Rdb::new(header).end());
        let kind = DamageKind::Version { found: header.into() };
        assert_eq!(damage.kind, kind);
    }
    assert_eq!(damage(b"RODIS0011").kind, DamageKind::NotRdb);
    assert!(damage(b"").kind.is_short());
    assert_eq!(damage(b"*1\r\n").kind, DamageKind::NotRdb);
    assert!(damage(b"VALKEY0").kind.is_short());
}

#[test]
fn records_between_keys_are_reported_and_counted() {
    let library = "#!lua name=l\nredis.register_function('f', function() end)";
    let module = [length(0x42), length(2), length(1), length(5), string("x"), length(0)].concat();
    let bytes = Rdb::new("REDIS0012")
        .raw([250])
        .string("redis-ver")
        .string("8.2.3")
        .raw([250])
        .string("redis-bits")
        .raw([0xc0, 64])
        .raw([247])
        .raw(&module)
        .raw([245])
        .string(library)
        .db(3)
        .raw([251, 2, 1])
        .raw([244])
        .raw([length(12000), length(2), length(1)].concat())
        .raw([252])
        .raw(1_700_000_000_123i64.to_le_bytes())
        .raw([248])
        .length(70_000)
        .key(0, "a")
        .string("1")
        .raw([253])
        .raw(1_700_000_000i32.to_le_bytes())
        .raw([249, 77])
        .key(0, "b")
        .raw([0xc1, 0x18, 0xfc])
        .raw([252])
        .raw((-1i64).to_le_bytes())
        .key(0, "c")
        .raw([0xc2, 0, 0, 0, 0x80])
        .end();
    let (lines, walk) = reported(&bytes);
    let library = library.escape_default().to_string();
    assert_eq!(
        lines,
        [
            "aux redis-ver=8.2.3",
            "aux redis-bits=64",
            "module aux AAAAAAAAA 66 Before 8",
            &format!("function {library}"),
            "db 3",
            "resize 2 1",
            "slot 12000 2 1",
            "key string a expires=1700000000123 idle=70000",
            "1",
            "key string b expires=1700000000000 freq=77",
            "-1000",
            "key string c",
            "-2147483648",
        ]
    );
    assert_eq!(walk.note("redis-ver"), Some(&b"8.2.3"[..]));
    let (keys, with_expiry) = (3, 2);
    let database = Database { db: 3, keys, with_expiry };
    assert_eq!(walk.databases, [database]);
    assert_eq!((walk.keys, walk.with_expiry), (3, 2));
    assert_eq!((walk.functions, walk.modules.len()), (1, 1));
    assert_eq!(walk.keys_of(Kind::String), 3);
    assert_eq!(walk.needs_version, 12);
}

#[test]
fn types_after_the_common_ones_depend_on_the_magic() {
    let job = "0123456789abcdef0123456789abcdef01234567";
    let bytes = Rdb::new("VALKEY080")
        .raw([243])
        .string(job)
        .raw([2, 1, 5, 9, 9])
        .raw([250])
        .string("slot-info")
        .string("866,3,1,0")
        .key(22, "h")
        .length(2)
        .raw(strings(&["f", "v"]))
        .raw((-1i64).to_le_bytes())
        .raw(strings(&["g", "w"]))
        .raw(5000i64.to_le_bytes())
        .end();
    let (lines, walk) = reported(&bytes);
    assert_eq!(
        lines,
        [
            &format!("import {job} 1-5"),
            &format!("import {job} 9-9"),
            "aux slot-info=866,3,1,0",
            "slot 866 3 1",
            "db 0",
            "key hash-2 h",
            "f=v",
            "g=w expires=5000",
        ]
    );
    assert_eq!(walk.needs_version, 80);
    let unnamed = Rdb::new("VALKEY080").raw([243]).string("job").raw([0]).end();
    assert_eq!(damage(&unnamed).offset, 10);
    for (header, code) in [
        ("REDIS0012", 243),
        ("VALKEY080", 23),
        ("VALKEY080", 25),
        ("REDIS0012", 26),
        ("REDIS0012", 8),
    ] {
        let damage = damage(&Rdb::new(header).raw([code]).end());
        assert_eq!(damage.kind, DamageKind::UnknownCode { code });
        assert_eq!(damage.offset, 9);
    }
}

#[test]
fn empty_collections_are_omitted() {
    for (code, stored) in [
        (1, vec![0]),
        (2, vec![0]),
        (3, vec![0]),
        (4, vec![0]),
        (5, vec![0]),
        (14, vec![0]),
        (14, [vec![1], string(ziplist::<&str>(&[]))].concat()),
        (18, [vec![1, 2], string(listpack::<&str>(&[]))].concat()),
        (10, string(ziplist::<&str>(&[]))),
        (13, string(ziplist::<&str>(&[]))),
        (16, string(listpack::<&str>(&[]))),
        (20, string(listpack::<&str>(&[]))),
    ] {
        let bytes = Rdb::new("REDIS0011")
            .key(code, "k")
            .raw(stored)
            // No key precedes this one, so it is not a duplicate.
            .key(0, "k")
            .string("v")
            .key(0, "k2")
            .string("v")
            .end();
        let (lines, walk) = reported(&bytes);
        assert_eq!(lines[2], "end Empty", "type {code}");
        assert_eq!((walk.keys, walk.empty_keys), (2, 1));
    }
    value_damage("REDIS0011", 9, string(zipmap(&[])));
    value_damage("REDIS0011", 11, string(intset(4, &[])));
    value_damage("REDIS0011", 16, string(""));
}

#[test]
fn a_duplicate_key_is_reported_with_both_offsets() {
    let first = Rdb::new("REDIS0011").db(0).key(0, "a").string("1");
    let first_at = 9 + 2;
    let second = first.db(1).key(0, "a").string("1").db(0).key(0, "b").string("2");
    let second_at = second.0.len() as u64;
    let bytes = second.raw([249, 7]).key(1, "a").raw([1, 1, b'x']).key(0, "c").string("3").end();
    let damage = damage(&bytes);
    assert_eq!(damage.kind, DamageKind::DuplicateKey { first: first_at });
    assert_eq!((damage.offset, damage.db), (second_at, 0));
    assert_eq!(damage.key.as_deref(), Some(&b"a"[..]));
    assert_eq!((damage.before.keys, damage.before.len), (3, second_at));
    // A loader stops there, regardless of what follows.
    for cut in [bytes.len() - 1, bytes.len() - 9] {
        let short = self::damage(&bytes[..cut]);
        assert_eq!(short.kind, damage.kind);
    }
}

#[test]
fn a_broken_value_before_a_duplicate_key_is_reported_first() {
    struct GoesOn;
    impl Visitor<'_> for GoesOn {
        fn goes_on_at_broken_values(&self) -> bool {
            true
        }
    }
    let mut node = ziplist(&["a"]);
    *node.last_mut().unwrap() = 0;
    let broken = |rdb: Rdb| rdb.key(14, "list").raw([1]).raw(string(&node));
    let twice = |rdb: Rdb| rdb.key(0, "k").string("1").key(0, "k").string("2");
    let kind = |rdb: Rdb| walk(&rdb.end(), &mut GoesOn, &Silent).unwrap_err().kind;
    let start = || Rdb::new("REDIS0009").db(0);
    assert!(!matches!(kind(twice(broken(start()))), DamageKind::DuplicateKey { .. }));
    assert!(matches!(kind(broken(twice(start()))), DamageKind::DuplicateKey { .. }));
}

#[test]
fn a_wrong_checksum_is_reported_at_its_offset_and_zero_means_none() {
    let mut bytes = rdb_of_one("REDIS0011", 0, string("value"));
    let at = bytes.len() - 8;
    bytes[at] ^= 1;
    let found = damage(&bytes);
    assert!(matches!(found.kind, DamageKind::Checksum { .. }));
    assert_eq!((found.offset, found.before.len), (at as u64, at as u64 - 1));
    assert_eq!((found.before.keys, found.key), (1, None));
    bytes[at..].fill(0);
    assert_eq!(reported(&bytes).1.checksum, Checksum::Off);
}

#[test]
fn module_values_are_reported_unchanged() {
    // "vectorset" with version 0, as Redis 8.2 names it.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let id =
        "vectorset".chars().fold(0u64, |id, c| id << 6 | alphabet.find(c).unwrap() as u64) << 10;
    let parts = [
        length(2),
        length(300),
        length(1),
        length(u64::MAX),
        length(3),
        vec![0; 4],
        length(4),
        vec![0; 8],
        length(5),
        lzf(&[b'z'; 40]),
        length(0),
    ];
    let payload = [length(id), parts.concat()].concat();
    assert_eq!(value("REDIS0012", 7, &payload), [format!("module vectorset 0 {}", payload.len())]);
    let (_, walk) = reported(&rdb_of_one("REDIS0012", 7, &payload));
    assert_eq!((walk.modules[0].keys, walk.modules[0].name.as_str()), (1, "vectorset"));
    let damage = value_damage("REDIS0012", 7, [length(id), vec![6]].concat());
    assert_eq!(damage.offset, VALUE + 9);
    assert_eq!(value_damage("REDIS0012", 6, length(id)).kind, DamageKind::PreRelease);
    assert_eq!(
        self::damage(&Rdb::new("REDIS0010").raw([246]).string("f").end()).kind,
        DamageKind::PreRelease
    );
}
