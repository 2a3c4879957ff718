//! A file with every type and record: truncated, changed, and read record by record.

use super::streams::stream;
use super::*;

/// Builds a file with every type that `header` supports, with and without the opcodes that may
/// precede a key.
fn everything(header: &str) -> Vec<u8> {
    let pairs = ["f", "1", "17", "2.5"];
    let mut values: Vec<(u8, Vec<u8>)> = vec![
        (0, string("v")),
        (0, vec![0xc1, 1, 2]),
        (0, lzf(&[b'x'; 90])),
        (1, [vec![2], strings(&["a", "b"])].concat()),
        (2, [vec![2], strings(&["a", "b"])].concat()),
        (3, [vec![1], string("a"), vec![1, b'7']].concat()),
        (4, [vec![2], strings(&pairs)].concat()),
        (5, [vec![1], string("a"), 2.5f64.to_le_bytes().to_vec()].concat()),
        (7, [length(1 << 40), vec![2, 9, 5], string("x"), vec![0]].concat()),
        (9, string(zipmap(&[("f", "v", 1)]))),
        (10, string(ziplist(&pairs))),
        (11, string(intset(4, &[1, 2, 70_000]))),
        (12, string(ziplist(&pairs))),
        (13, lzf(&ziplist(&pairs))),
        (14, [vec![1], string(ziplist(&pairs))].concat()),
        (15, stream(1)),
        (16, string(listpack(&pairs))),
        (17, lzf(&listpack(&pairs))),
        (18, [vec![2, 2], string(listpack(&pairs)), vec![1], string("plain")].concat()),
        (19, stream(2)),
        (20, string(listpack(&pairs))),
        (21, stream(3)),
    ];
    if header.starts_with('V') {
        let expiry = 5i64.to_le_bytes().to_vec();
        values.push((22, [vec![1], strings(&["f", "v"]), expiry].concat()));
    } else {
        let min = 5i64.to_le_bytes().to_vec();
        let packed = string(listpack(&["f", "v", "5"]));
        values.push((22, [vec![1, 5], strings(&["f", "v"])].concat()));
        values.push((23, packed.clone()));
        values.push((24, [min.clone(), vec![1, 1], strings(&["f", "v"])].concat()));
        values.push((25, [min, packed].concat()));
    }
    let mut rdb = Rdb::new(header).raw([250]).string("redis-ver").string("7");
    if header == "REDIS0017" {
        rdb = rdb.raw([242, 3, 2]).raw(strings(&["a", "b"]));
        values.extend(later());
    }
    rdb = rdb.db(0).raw([251, 9, 9]);
    for (at, (code, value)) in values.into_iter().enumerate() {
        rdb = match at % 3 {
            0 => rdb.raw([252]).raw(5000i64.to_le_bytes()).raw([249, 3]),
            1 => rdb.raw([248]).length(100),
            _ => rdb,
        };
        rdb = rdb.key(code, &format!("key{at}")).raw(value);
    }
    rdb.end()
}

/// A value of each type from 26 up. Template 3 has fields `a` and `b`.
fn later() -> Vec<(u8, Vec<u8>)> {
    let array = [vec![2, 1, 9, 0, 3], string("a"), vec![5, 1], vec![7; 8]].concat();
    let names = strings(&["a", "b"]);
    let bitmap = [&1_u64.to_le_bytes()[..], &[0; 4], &12346_u32.to_le_bytes(), &[1, 0, 0, 0]];
    let bitmap = [&bitmap.concat()[..], &[0, 0, 1, 0, 0, 0, 0, 0, 3, 0, 9, 0]].concat();
    vec![
        (26, stream(4)),
        (27, stream(5)),
        (28, array),
        (29, [vec![0, 2], names.clone(), string(listpack(&["x", "y"]))].concat()),
        (30, string(listpack(&["3", "x", "y"]))),
        (31, [vec![0, 2], names, strings(&["x", "y"])].concat()),
        (32, [vec![3], strings(&["x", "y"])].concat()),
        (33, [vec![2], string(bitmap)].concat()),
    ]
}

#[test]
fn every_type_has_a_row_and_is_read() {
    for (header, highest) in [("REDIS0012", 25), ("REDIS0017", 33), ("VALKEY080", 22)] {
        let (_, walk) = reported(&everything(header));
        let codes: Vec<u8> = walk.types.iter().map(|stored| stored.code).collect();
        let expected: Vec<u8> = (0..=highest).filter(|code| ![6, 8].contains(code)).collect();
        assert_eq!(codes, expected);
    }
}

/// Remembers the offsets of keys, and skips their values.
#[derive(Default)]
struct Places(Vec<(u64, u64)>, u64);

impl<'a> Visitor<'a> for Places {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push((key.db, key.offset));
        Want::Skip
    }
    fn key_end(&mut self, end: KeyEnd) {
        assert_eq!(end, KeyEnd::Skipped);
        self.1 += 1;
    }
}

#[test]
fn single_records_are_reported_as_in_the_walk() {
    for header in ["REDIS0012", "REDIS0017", "VALKEY080"] {
        let bytes = everything(header);
        let mut places = Places::default();
        let skipped = walk(&bytes, &mut places, &Silent).unwrap();
        let (lines, whole) = reported(&bytes);
        assert_eq!(skipped, whole);
        assert_eq!(places.1, whole.keys);
        let mut records = Records::new(&bytes).unwrap();
        let mut again = Told::default();
        let mut end = 0;
        for (index, &(db, offset)) in places.0.iter().enumerate() {
            assert!(index == 0 || offset == end, "records abut");
            end = records.read(db, offset, &mut again).unwrap();
        }
        assert_eq!(end, bytes.len() as u64 - 9);
        let keys: Vec<_> = lines.into_iter().skip_while(|line| !line.starts_with("key")).collect();
        again.0.retain(|line| !line.starts_with("db "));
        assert_eq!(again.0, keys);
        for nowhere in [0, end, end + 1, u64::MAX] {
            assert!(records.read(0, nowhere, &mut Ignore).is_err());
        }
    }
}

#[test]
fn every_truncation_is_reported_as_short() {
    for header in ["REDIS0012", "REDIS0017", "VALKEY080"] {
        let bytes = everything(header);
        for len in 0..bytes.len() {
            let damage = damage(&bytes[..len]);
            assert!(damage.kind.is_short(), "{len}: {damage}");
            let DamageKind::Short { needed, left } = damage.kind else { unreachable!() };
            assert!(needed > left && damage.offset + left == len as u64);
        }
    }
}

#[test]
fn every_changed_byte_is_reported_and_none_panics() {
    for header in ["REDIS0012", "REDIS0017", "VALKEY080"] {
        let bytes = everything(header);
        let mut reported = Told::default();
        mangle(&bytes, |changed| {
            let result = walk(changed, &mut reported, &Silent);
            reported.0.clear();
            match result {
                Err(damage) => {
                    assert!(damage.offset <= changed.len() as u64);
                    assert!(!damage.to_string().is_empty());
                    assert!(serde_json::to_string(&damage).is_ok());
                }
                // A version without a checksum, with content that it does not support.
                Ok(walk) if walk.version < 5 => assert!(walk.needs_version > walk.version),
                Ok(_) => assert!(changed == bytes),
            }
            let _ = walk(changed, &mut Places::default(), &Silent);
        });
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            code in 0u8..26,
        ) {
            let _ = walk(&bytes, &mut Told::default(), &Silent);
            for header in ["REDIS0012", "REDIS0017", "VALKEY080"] {
                let rdb = Rdb::new(header).key(code, "k").raw(&bytes).0;
                let mut reported = Told::default();
                match walk(&rdb, &mut reported, &Silent) {
                    Ok(walk) => prop_assert!(walk.len <= rdb.len() as u64),
                    Err(damage) => prop_assert!(damage.offset <= rdb.len() as u64),
                }
            }
        }

        #[test]
        fn packed_bytes_of_any_kind_do_not_panic(
            mut bytes in prop::collection::vec(any::<u8>(), 7..120),
            code in prop::sample::select(vec![9u8, 10, 11, 12, 13, 16, 17, 20, 23]),
            compressed in any::<bool>(),
        ) {
            // With a consistent header, the parser gets further.
            let len = u32::try_from(bytes.len()).unwrap();
            if matches!(code, 10 | 12 | 13 | 16 | 17 | 20 | 23) {
                bytes[..4].copy_from_slice(&len.to_le_bytes());
            }
            *bytes.last_mut().unwrap() = 0xff;
            let stored = if compressed { lzf(&bytes) } else { string(&bytes) };
            let _ = walk(&rdb_of_one("REDIS0012", code, stored), &mut Told::default(), &Silent);
        }

        #[test]
        fn packed_collections_are_read_back_unchanged(
            items in prop::collection::hash_set(
                prop_oneof![any::<i64>().prop_map(|n| n.to_string()), "[a-z]{0,300}"], 1..40),
            compressed in any::<bool>(),
        ) {
            let items: Vec<String> = items.into_iter().collect();
            let store = |packed: Vec<u8>| if compressed { lzf(&packed) } else { string(packed) };
            prop_assert_eq!(&value("REDIS0011", 20, store(listpack(&items))), &items);
            prop_assert_eq!(&value("REDIS0011", 10, store(ziplist(&items))), &items);
        }

        #[test]
        fn two_changes_do_not_panic(
            first in (any::<prop::sample::Index>(), any::<u8>()),
            second in (any::<prop::sample::Index>(), any::<u8>()),
            valkey in any::<bool>(),
        ) {
            let mut bytes = everything(if valkey { "VALKEY080" } else { "REDIS0012" });
            for (index, byte) in [first, second] {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            if let Err(damage) = walk(&bytes, &mut Told::default(), &Silent) {
                prop_assert!(damage.offset <= bytes.len() as u64);
            }
        }
    }
}

/// Reads the values of a file in order, and apart from the records on up to `threads` threads; returns whether the latter
/// found them intact.
fn compare_in_parallel<V>(bytes: &[u8], visitor: &V, threads: usize) -> bool
where
    V: for<'a> Visitor<'a> + Clone,
{
    let in_order = walk(bytes, &mut visitor.clone(), &Silent);
    let parallel = super::super::parallel::walk_with(bytes, &mut visitor.clone(), threads, &Silent);
    let expected = in_order.ok().filter(|walk| walk.empty_keys == 0 && walk.deep.iter().len() == 0);
    assert_eq!(parallel, expected, "{bytes:?}");
    parallel.is_some()
}

#[test]
fn values_read_on_other_cores_are_found_intact_exactly_if_they_are() {
    for header in ["REDIS0012", "VALKEY080"] {
        let bytes = everything(header);
        for threads in [1, 2, 5] {
            assert!(compare_in_parallel(&bytes, &Ignore, threads));
            assert!(compare_in_parallel(&bytes, &IgnoreDeep, threads));
        }
        // Nothing but the format says what is wrong.
        let mut unchecked = bytes;
        let end = unchecked.len() - 8;
        unchecked[end..].fill(0);
        let (mut intact, mut broken) = (0, 0);
        mangle(&unchecked, |bytes| {
            compare_in_parallel(bytes, &Ignore, 1);
            match compare_in_parallel(bytes, &IgnoreDeep, 1) {
                true => intact += 1,
                false => broken += 1,
            }
        });
        assert!(intact > 0 && broken > 0);
    }
}

#[test]
fn long_files_are_judged_as_in_order() {
    let mut rdb = Rdb::new("REDIS0011").db(0);
    for number in 0..60_000 {
        rdb = rdb.key(2, &format!("key{number}")).raw([2]).raw(strings(&[&"a".repeat(60), "b"]));
    }
    let intact = rdb.end();
    assert!(intact.len() > 4 << 20);
    let summary = walk(&intact, &mut IgnoreDeep, &Silent).unwrap();
    assert_eq!((summary.keys, summary.len), (60_000, intact.len() as u64));
    // The members of the set of the last key become the same.
    let mut broken = intact.clone();
    let at = broken.len() - 8 - 1 - 2;
    assert_eq!(broken[at..at + 2], [1, b'b']);
    let start = at - 61;
    broken.splice(at..at + 2, intact[start..at].to_vec());
    let end = broken.len() - 8;
    broken[end..].fill(0);
    let reported = Counted::default();
    let damage = walk(&broken, &mut Ignore, &reported).unwrap_err();
    assert_eq!((&damage.kind, damage.offset), (&DamageKind::Duplicate, at as u64));
    assert_eq!(damage.key.as_deref(), Some(&b"key59999"[..]));
    // Every byte is reported at most once, though it is read twice.
    let reported = reported.0.into_inner();
    assert!(reported > 4 << 20 && reported <= broken.len() as u64, "{reported}");
}

#[derive(Default)]
struct Counted(std::sync::atomic::AtomicU64);

impl crate::base::progress::Progress for Counted {
    fn advance(&self, bytes: u64) {
        self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }
}
