//! Records that are retained of damaged RDBs.

#![allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // The numbers are small.

use std::collections::BTreeMap;

use super::super::load_check::LoadCheck;
use super::super::resync::{GoneReason, Salvaged, Wanted, salvage, write};
use super::super::testing::Random;
use super::*;

const KEYS: usize = 600;

/// An RDB with values of several types, some with an expiry.
fn many() -> Vec<u8> {
    let mut rdb = Rdb::new("REDIS0011").raw([250]).string("redis-ver").string("7.2.4").db(0);
    rdb = rdb.raw([251]).length(KEYS as u64).length(KEYS as u64 / 4);
    for at in 0..KEYS {
        let name = format!("user:{at}:{}", "x".repeat(at % 30));
        if at % 4 == 0 {
            rdb = rdb.raw([252]).raw((1_800_000_000_000i64 + at as i64).to_le_bytes());
        }
        let items: Vec<String> = (0..at % 9).map(|item| format!("item {item} of {at}")).collect();
        rdb = match at % 5 {
            0 => rdb.key(0, &name).string("some text ".repeat(1 + at % 20)),
            1 => rdb.key(0, &name).raw([0xc2]).raw((at as i32 * 77_777).to_le_bytes()),
            2 => rdb.key(16, &name).string(listpack(&["f", "v", "g", "12345"])),
            3 => {
                let list = items
                    .iter()
                    .fold(rdb.key(1, &name).length(1 + items.len() as u64), |rdb, item| {
                        rdb.string(item)
                    });
                list.string("last")
            }
            _ => rdb.key(11, &name).string(intset(4, &[1, 2, 70_000 + at as i64])),
        };
    }
    rdb.end()
}

fn wanted(keeps_last: bool) -> Wanted<'static> {
    Wanted {
        keeps_last,
        drops: &LoadCheck::is_error,
        refuses_library: &|_| None,
        commands: &|_| None,
    }
}

fn salvaged(bytes: &[u8]) -> (Salvaged, Vec<u8>) {
    let salvaged = salvage(bytes, &wanted(false), &Silent).unwrap();
    let mut out = Vec::new();
    write(bytes, &salvaged.kept, &mut out, &Silent).unwrap();
    (salvaged, out)
}

/// The offset of each key's record, by name.
#[derive(Default)]
struct Offsets(BTreeMap<Vec<u8>, u64>);

impl<'a> Visitor<'a> for Offsets {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.insert(key.name.to_vec(), key.offset);
        Want::Value
    }
}

/// Returns the offset and the end of each record, by name.
fn records(bytes: &[u8]) -> BTreeMap<Vec<u8>, (u64, u64)> {
    let mut offsets = Offsets::default();
    walk(bytes, &mut offsets, &Silent).unwrap();
    let mut records = Records::new(bytes).unwrap();
    let end =
        |offset: u64, records: &mut Records<'_>| records.read(0, offset, &mut Ignore).unwrap();
    offsets.0.into_iter().map(|(name, at)| (name, (at, end(at, &mut records)))).collect()
}

/// Checks what is retained of `damaged`, which differs from `bytes` only in `span`.
fn check_span(bytes: &[u8], damaged: &[u8], span: std::ops::Range<usize>) -> (usize, usize) {
    let originals = records(bytes);
    let (salvaged, out) = salvaged(damaged);
    let kept = records(&out);
    let summary = walk(&out, &mut Ignore, &Silent).unwrap();
    assert_eq!(salvaged.keys, summary.keys, "{span:?}: {salvaged:#?}");
    let outside = |&&(at, end): &&(u64, u64)| end <= span.start as u64 || at >= span.end as u64;
    for (name, &(at, end)) in &kept {
        let record = &out[at as usize..end as usize];
        let original = originals.get(name).filter(|original| outside(original));
        let is_original =
            original.is_some_and(|&(at, end)| &bytes[at as usize..end as usize] == record);
        let is_marked = salvaged.doubtful.iter().any(|doubtful| &doubtful.key == name);
        // What is read from a record that the span changed inside is as uncertain as all others, and has its place.
        let is_changed = originals
            .values()
            .filter(|it| !outside(it))
            .any(|&(at, _)| salvaged.kept.iter().any(|range| range.contains(&at)));
        assert!(
            is_original || is_marked || is_changed,
            "{span:?}: {} is invented at {at} of {:?}: {:?}",
            name.escape_ascii(),
            salvaged.kept,
            salvaged.dropped.iter().map(|it| (it.offset, it.bytes, it.why)).collect::<Vec<_>>()
        );
    }
    let all = originals.values().filter(outside).count();
    let found =
        originals.iter().filter(|(name, it)| outside(it) && kept.contains_key(*name)).count();
    (all, found)
}

#[test]
fn keys_around_a_damaged_span_are_retained() {
    let (bytes, mut random) = (many(), Random(0x2545_f491_4f6c_dd1d));
    let rounds = std::env::var("AOFKIT_RDB_ERRORS").map_or(250, |number| number.parse().unwrap());
    let (mut all, mut found) = (0, 0);
    for round in 0..rounds {
        let len = 1 + random.below([1, 16, 256, 4096][round % 4]);
        let start = 9 + random.below(bytes.len() - 9 - len);
        let mut damaged = bytes.clone();
        for byte in &mut damaged[start..start + len] {
            *byte = match round % 3 {
                0 => 0,
                1 => b'a' + u8::try_from(random.below(26)).unwrap(),
                _ => u8::try_from(random.below(256)).unwrap(),
            };
        }
        let (all_here, found_here) = check_span(&bytes, &damaged, start..start + len);
        if found_here + 8 < all_here {
            let gone = salvaged(&damaged).0.dropped;
            let gone: Vec<_> =
                gone.iter().map(|it| (it.offset, it.bytes, it.why, &it.found)).collect();
            panic!("{start}+{len}: {found_here} of {all_here}: {gone:#?}");
        }
        (all, found) = (all + all_here, found + found_here);
    }
    assert!(found * 1000 >= all * 999, "{found} of {all}");
}

#[test]
fn faults_of_an_unreadable_value_are_not_of_the_next_key() {
    // A set whose second member is its first, and whose third is longer than the file.
    let broken = |rdb: Rdb| {
        let set = rdb.key(2, "user:broken").length(3).string("member").string("member");
        set.raw([0x80, 0x7f, 0, 0, 0]).raw(*b"member")
    };
    let key = |rdb: Rdb, at: usize| {
        let expiring = rdb.raw([252]).raw((1_800_000_000_000i64 + at as i64).to_le_bytes());
        expiring.key(0, &format!("user:{at}:name")).string("value")
    };
    let before = (0..20).fold(Rdb::new("REDIS0009").db(0).raw([251]).length(61).length(60), key);
    let (start, after) = (before.0.len(), broken(before));
    let next = after.0.len();
    let bytes = (20..60).fold(after, key).end();
    let (salvaged, out) = salvaged(&bytes);
    let gone: Vec<_> = salvaged.dropped.iter().map(|it| (it.offset, it.bytes)).collect();
    assert_eq!(gone, [(start as u64, (next - start) as u64)], "{:?}", salvaged.dropped);
    assert_eq!(out[..start], bytes[..start]);
    assert_eq!(out[start..out.len() - 8], bytes[next..bytes.len() - 8]);
}

#[test]
fn undamaged_rdb_is_retained_whole() {
    let bytes = many();
    let (salvaged, out) = salvaged(&bytes);
    assert_eq!(out, bytes);
    assert!(salvaged.is_framed && salvaged.dropped.is_empty() && salvaged.doubtful.is_empty());
    assert_eq!((salvaged.keys, salvaged.declared), (KEYS as u64, KEYS as u64));
}

#[test]
fn broken_value_of_known_length_costs_that_key_alone() {
    let mut listpack = listpack(&["a", "b"]);
    listpack[4] = 3;
    let rdb = Rdb::new("REDIS0011").key(0, "first").string("1");
    let rdb = rdb.key(16, "broken").string(listpack).key(0, "last").string("2");
    let (salvaged, out) = salvaged(&rdb.end());
    assert!(salvaged.is_framed);
    let [gone] = salvaged.dropped.as_slice() else { panic!("{salvaged:#?}") };
    assert_eq!((gone.why, gone.key.as_deref()), (GoneReason::Value, Some(&b"broken"[..])));
    let expected = Rdb::new("REDIS0011").key(0, "first").string("1").key(0, "last").string("2");
    assert_eq!(out, expected.end());
}

#[test]
fn one_record_of_a_duplicate_key_is_retained_by_choice() {
    let rdb = |values: &[(&str, &str)]| {
        let rdb = Rdb::new("REDIS0009");
        values.iter().fold(rdb, |rdb, (key, value)| rdb.key(0, key).string(value)).end()
    };
    let bytes = rdb(&[("a", "1"), ("twice", "x"), ("b", "2"), ("twice", "y"), ("c", "3")]);
    for (keeps_last, expected) in [
        (false, rdb(&[("a", "1"), ("twice", "x"), ("b", "2"), ("c", "3")])),
        (true, rdb(&[("a", "1"), ("b", "2"), ("twice", "y"), ("c", "3")])),
    ] {
        let salvaged = salvage(&bytes, &wanted(keeps_last), &Silent).unwrap();
        let mut out = Vec::new();
        write(&bytes, &salvaged.kept, &mut out, &Silent).unwrap();
        assert_eq!(out, expected, "{keeps_last}");
        assert_eq!((salvaged.keys, salvaged.dropped.len()), (4, 1));
    }
}

#[test]
fn whole_keys_before_the_end_of_a_cut_rdb_are_retained() {
    let bytes = many();
    let originals = records(&bytes);
    for len in (9..bytes.len() - 1).step_by(97) {
        let (salvaged, out) = salvaged(&bytes[..len]);
        let expected = originals.values().filter(|it| it.1 <= len as u64).count();
        assert_eq!(salvaged.keys, expected as u64, "{len} bytes: {salvaged:#?}");
        assert_eq!(records(&out).len(), expected);
    }
}

#[test]
fn zeros_at_the_end_are_not_keys() {
    let bytes = many();
    let originals = records(&bytes);
    for at in (100..bytes.len() - 40).step_by(1211) {
        let mut damaged = bytes.clone();
        damaged[at..].fill(0);
        let (salvaged, _) = salvaged(&damaged);
        let whole = originals.values().filter(|it| it.1 <= at as u64).count() as u64;
        assert!((whole.saturating_sub(1)..=whole).contains(&salvaged.keys), "{at}: {salvaged:#?}");
    }
}

/// Since version 12, a field without an expiry begins with the type of a string.
#[test]
fn strings_that_may_be_fields_of_a_damaged_hash_are_doubtful() {
    let mut rdb = Rdb::new("REDIS0012").db(0);
    for at in 0..40 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
    }
    rdb = rdb.key(24, "hash").raw([0; 8]).length(80);
    for at in 0..80 {
        rdb = rdb.length(0).string(format!("f{at}")).string("vvvvvvvv");
    }
    for at in 40..80 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
    }
    let original = rdb.end();
    let at = memchr::memmem::find(&original, b"\x04hash").unwrap();
    let mut damaged = original.clone();
    damaged[at - 5..at + 30].fill(0x9d);
    let (salvaged, out) = salvaged(&damaged);
    let mut kept = Offsets::default();
    crate::rdb::walk(&out, &mut kept, &Silent).unwrap();
    let doubtful: Vec<&[u8]> = salvaged.doubtful.iter().map(|it| it.key.as_slice()).collect();
    for name in kept.0.keys().filter(|name| !name.starts_with(b"user:")) {
        assert!(doubtful.contains(&name.as_slice()), "{}", name.escape_ascii());
    }
    // What has a name like the others is none.
    let users = doubtful.iter().filter(|name| name.starts_with(b"user:")).count();
    assert!(users < 8, "{users}");
    assert!(kept.0.contains_key(&b"user:79"[..]));
}

#[test]
fn keys_read_from_inside_a_damaged_value_are_doubtful() {
    // A value with bytes in it that read as strings with short names, as the entries of a stream can be.
    let mut inside = vec![0x9d; 60];
    for letter in b'A'..=b'X' {
        inside.extend([0, 1, letter, 2, b'v', b'v']);
    }
    inside.extend([0x9d; 60]);
    let mut rdb = Rdb::new("REDIS0009").db(0);
    for at in 0..80 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
        if at == 40 {
            rdb = rdb.key(0, "user:binary").string(&inside);
        }
    }
    let original = rdb.end();
    let at = memchr::memmem::find(&original, b"user:binary").unwrap();
    let mut damaged = original.clone();
    damaged[at - 5..at + 30].fill(0x9d);
    let (salvaged, out) = salvaged(&damaged);
    let mut kept = Offsets::default();
    crate::rdb::walk(&out, &mut kept, &Silent).unwrap();
    let invented: Vec<_> = kept.0.keys().filter(|name| !name.starts_with(b"user:")).collect();
    assert!(invented.len() > 12, "{invented:?}");
    let doubtful: Vec<&[u8]> = salvaged.doubtful.iter().map(|it| it.key.as_slice()).collect();
    for name in invented {
        assert!(doubtful.contains(&name.as_slice()), "{}", name.escape_ascii());
    }
    let users = doubtful.iter().filter(|name| name.starts_with(b"user:")).count();
    assert!(users < 8, "{users}");
}

#[test]
fn fields_of_a_whole_hash_are_no_keys() {
    let fields = |mut rdb: Rdb| {
        rdb = rdb.key(24, "hash").raw([0; 8]).length(80);
        for at in 0..80 {
            rdb = rdb.length(0).string(format!("f{at}")).string("vvvvvvvv");
        }
        rdb
    };
    let mut rdb = Rdb::new("REDIS0012").db(0);
    for at in 0..40 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
    }
    // The text is shorter than it says, and the length of its compressed bytes is right.
    rdb = rdb.key(0, "user:broken").raw([0xc3, 3, 9, 1, b'a', b'b']);
    rdb = fields(rdb);
    let original = rdb.key(0, "user:last").string("v").end();
    let (salvaged, out) = salvaged(&original);
    let mut kept = Offsets::default();
    crate::rdb::walk(&out, &mut kept, &Silent).unwrap();
    assert_eq!(kept.0.len(), 42, "{:?}", salvaged.dropped);
    assert!(kept.0.contains_key(&b"hash"[..]) && kept.0.contains_key(&b"user:last"[..]));
    assert!(salvaged.is_framed && salvaged.doubtful.is_empty(), "{salvaged:#?}");
}

#[test]
fn zeros_are_no_value_of_a_module() {
    let mut rdb = Rdb::new("REDIS0012").db(0);
    for at in 0..40 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
    }
    // A module without a name, and the end of its value, or of its data before the keys.
    for module in [&b"\x07\x0auser:zeros\0\0"[..], &[247, 0, 2, 1, 0]] {
        let damaged = Rdb(rdb.0.clone()).raw(module).key(0, "user:last").string("v").end();
        let (_, out) = salvaged(&damaged);
        let mut kept = Offsets::default();
        let walk = crate::rdb::walk(&out, &mut kept, &Silent).unwrap();
        assert_eq!((walk.modules.len(), kept.0.len()), (0, 41));
    }
}

#[test]
fn invented_key_does_not_take_the_place_of_the_one_of_its_name() {
    let mut inside = vec![0x9d; 60];
    for letter in b'A'..=b'X' {
        inside.extend([0, 1, letter, 2, b'v', b'v']);
    }
    inside.extend([0x9d; 60]);
    let mut rdb = Rdb::new("REDIS0009").db(0);
    for at in 0..80 {
        rdb = rdb.key(0, &format!("user:{at}")).string(format!("value of user {at}"));
        if at == 40 {
            rdb = rdb.key(0, "user:binary").string(&inside);
        }
    }
    let original = rdb.key(0, "H").string("the value of H").end();
    let at = memchr::memmem::find(&original, b"user:binary").unwrap();
    let mut damaged = original.clone();
    damaged[at - 5..at + 30].fill(0x9d);
    let (salvaged, out) = salvaged(&damaged);
    let (at, end) = records(&out)[&b"H"[..]];
    assert!(out[at as usize..end as usize].ends_with(b"the value of H"), "{salvaged:#?}");
    assert_eq!(salvaged.keys, walk(&out, &mut Ignore, &Silent).unwrap().keys);
}

/// No server loads more databases than it is configured for, so that one that is only noise must not be kept.
#[test]
fn database_that_is_only_noise_is_not_selected() {
    let original = many();
    let at = memchr::memmem::find(&original, b"user:300:").unwrap() - 2;
    // The number of a database, at the beginning of a record and before one.
    for noise in [&[0xfe, 0x4d, 0xe0, 0xe0, 0xe0][..], &[0xe0, 0xe0, 0xfe, 0x4d]] {
        let mut damaged = original.clone();
        damaged.splice(at..at + noise.len(), noise.iter().copied());
        let (_, out) = salvaged(&damaged);
        let walk = crate::rdb::walk(&out, &mut Ignore, &Silent).unwrap();
        let databases: Vec<u64> = walk.databases.iter().map(|database| database.db).collect();
        assert_eq!(databases, [0]);
        assert!(walk.keys > KEYS as u64 - 6);
    }
}
