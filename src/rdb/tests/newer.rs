//! Content that this version does not know: where such an RDB ends, and what is damage all the same.

use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::base::progress::Progress;
use crate::rdb::newer::{Newer, Reading, read};
use crate::rdb::unknown::{Uncheckable, UnknownContent};

fn newer(bytes: &[u8]) -> Newer {
    match read(bytes, &mut Ignore, &Silent) {
        Ok(Reading::Newer(newer)) => *newer,
        other => panic!("{other:?}"),
    }
}

fn unproven(bytes: &[u8]) -> Option<Uncheckable> {
    let damage = read(bytes, &mut Ignore, &Silent).expect_err("it is not whole");
    damage.unproven.map(|unproven| unproven.reason)
}

/// An RDB of this version with a note and bytes that no version has.
fn of_version(header: &str) -> Rdb {
    Rdb::new(header).raw([250]).string("ctime").string("1700000000").raw([26, 1, 0xff, 0xff, 0])
}

#[test]
fn higher_versions_end_where_their_checksum_is_right() {
    for (header, magic, version) in [
        ("REDIS0018", Magic::Redis, 18),
        ("REDIS9999", Magic::Redis, 9999),
        ("VALKEY081", Magic::Valkey, 81),
        ("VALKEY999", Magic::Valkey, 999),
    ] {
        let bytes = of_version(header).end();
        for tail in [&b""[..], b"*1\r\n$4\r\nPING\r\n", b"\0\0\0", &bytes] {
            let found = newer(&[&bytes[..], tail].concat());
            assert_eq!(found.len, bytes.len() as u64);
            assert_eq!(found.content.header, Header { magic, version });
            assert_eq!(found.content.code, None);
            assert_eq!(found.before.note("ctime"), Some(&b"1700000000"[..]));
        }
    }
}

#[test]
fn unknown_types_of_known_versions_are_newer_content() {
    let bytes = Rdb::new("REDIS0011").key(0, "a").string("1").raw([30, 1, 2, 3]).end();
    let found = newer(&bytes);
    let header = Header { magic: Magic::Redis, version: 11 };
    let content = UnknownContent { header, offset: 14, code: Some(30), dragonfly: None };
    assert_eq!((found.content, found.before.keys), (content, 1));
}

#[test]
fn the_end_is_found_however_many_bytes_could_be_it() {
    for len in [0, 1, 7, 100, 5000, 70_000] {
        for byte in [0xff, 0, 7] {
            let bytes = Rdb::new("REDIS0018").raw(vec![byte; len]).end();
            assert_eq!(newer(&bytes).len, bytes.len() as u64, "{len} times {byte}");
        }
    }
}

#[test]
fn any_change_or_cut_is_damage() {
    let bytes = of_version("REDIS0018").end();
    let whole = read(&bytes, &mut Ignore, &Silent).expect("it is whole");
    mangle(&bytes, |changed| match read(changed, &mut Ignore, &Silent) {
        Ok(reading) => assert_eq!((changed, &reading), (&bytes[..], &whole)),
        Err(damage) => assert!(damage.offset <= changed.len() as u64),
    });
}

#[test]
fn without_a_right_checksum_the_reason_is_reported() {
    let off = of_version("REDIS0018").raw([255]).raw([0; 8]).0;
    assert_eq!(unproven(&off), Some(Uncheckable::Off));
    let log = [&off[..], b"*1\r\n$4\r\nPING\r\n"].concat();
    assert_eq!(unproven(&log), Some(Uncheckable::Off));
    let wrong = of_version("REDIS0018").raw([255]).raw([1; 8]).0;
    assert_eq!(unproven(&wrong), Some(Uncheckable::Wrong));
    assert_eq!(unproven(b"REDIS0018"), Some(Uncheckable::Wrong));
    let absent = Rdb::new("REDIS0004").raw([26]).end();
    assert_eq!(unproven(&absent), Some(Uncheckable::Absent));
}

#[test]
fn a_wrong_checksum_of_a_known_version_is_damage() {
    let wrong = Rdb::new("REDIS0012").raw([26, 255]).raw([1; 8]).0;
    assert_eq!(unproven(&wrong), None);
    for header in ["REDIS0000", "REDIS001a", "VALKEY079", "VALKEY011"] {
        assert_eq!(unproven(&of_version(header).end()), None, "{header} is no later version");
    }
}

#[test]
fn a_right_checksum_does_not_excuse_what_breaks_a_known_format() {
    let twice = Rdb::new("REDIS0012").key(0, "a").string("1").key(0, "a").string("1");
    for bytes in [twice.raw([26]).end(), Rdb::new("REDIS0012").key(1, "l").raw([0xbf]).end()] {
        assert_eq!(unproven(&bytes), None);
    }
}

#[test]
fn progress_reaches_the_end_and_no_further() {
    #[derive(Default)]
    struct Total(AtomicU64);
    impl Progress for Total {
        fn advance(&self, bytes: u64) {
            self.0.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    let value = vec![7; 5 << 20];
    for rdb in [
        Rdb::new("REDIS0018").raw(&value),
        Rdb::new("REDIS0012").key(0, "k").string(&value).raw([26]).raw(&value),
    ] {
        let (bytes, total) = (rdb.end(), Total::default());
        read(&bytes, &mut Ignore, &total).expect("it is whole");
        assert_eq!(total.0.into_inner(), bytes.len() as u64);
    }
}
