//! What Redis 8.6 and later store: hand-made values of each type, and a file of Redis 8.6.3.

use super::*;
use crate::rdb::newer::{Reading, read};

#[test]
fn arrays_are_read_in_each_form() {
    let elements = [
        [length(0), length(3), string("small")].concat(),
        [length(7), length(0), string("text")].concat(),
        [length(300), length(1), (-5_i64).to_le_bytes().to_vec()].concat(),
        [length(1 << 40), length(2), 2.5_f64.to_le_bytes().to_vec()].concat(),
    ]
    .concat();
    let lines = ["0 text small", "7 text text", "300 int -5", "1099511627776 double 2.5"];
    let read = |insertion: &[u8]| {
        let array = [&length(4)[..], insertion, &elements].concat();
        value("REDIS0014", 28, array)
    };
    assert_eq!(read(&[0]), [&["array 4 None"][..], &lines].concat());
    assert_eq!(read(&[1, 8]), [&["array 4 Some(8)"][..], &lines].concat());
}

#[test]
fn arrays_that_no_server_writes_are_reported() {
    let small = |index: u64, form: u8| [length(index), vec![form], string("a")].concat();
    value("REDIS0014", 28, [vec![1, 0], small(1, 3)].concat());
    for wrong in [
        vec![0, 0],
        [vec![1, 2], small(1, 3)].concat(),
        [vec![1, 0], small(1, 4)].concat(),
        [vec![1, 0], small(u64::MAX, 3)].concat(),
    ] {
        value_damage("REDIS0014", 28, wrong);
    }
}

/// A group with pending entries 1 and 2, of which a consumer has 1.
fn given_back(nacked: &[u8]) -> Vec<u8> {
    let id = |n: u8| [&[0; 15][..], &[n]].concat();
    let pending = |n: u8| [id(n), vec![0; 8], vec![1]].concat();
    let group = [string("g"), vec![0, 0, 0, 2], pending(1), pending(2), vec![1]].concat();
    let consumer = [string("c"), vec![0; 16], vec![1], id(1)].concat();
    let ids: Vec<u8> = nacked.iter().flat_map(|n| id(*n)).collect();
    let ids = [length(nacked.len() as u64), ids].concat();
    let producers = [length(100), length(50), vec![0, 0, 0]].concat();
    [vec![0, 0, 0, 0, 0, 0, 0, 0, 0, 1], group, consumer, ids, producers].concat()
}

#[test]
fn entries_that_consumers_gave_back_are_pending_for_none() {
    let lines = value("REDIS0014", 27, given_back(&[2]));
    assert_eq!(lines[lines.len() - 3..], ["has 0-1", "nacked 0-2", "idmp 100 50 0 0"]);
    for wrong in [&[][..], &[1, 2], &[2, 2], &[2, 3]] {
        value_damage("REDIS0014", 27, given_back(wrong));
    }
}

/// An RDB whose template 7 has fields `a` and `b`.
fn with_template() -> Rdb {
    Rdb::new("REDIS0015").raw([242, 7, 2]).raw(strings(&["a", "b"])).db(0)
}

#[test]
fn hashes_with_a_template_have_its_fields() {
    let bytes = with_template()
        .raw([242])
        .length(100_000)
        .raw([1])
        .string("c")
        .key(30, "k")
        .string(listpack(&["7", "1", "two"]))
        .key(32, "l")
        .raw([7])
        .raw(strings(&["x", ""]))
        .key(32, "m")
        .length(100_000)
        .string("y")
        .end();
    let (lines, walk) = reported(&bytes);
    let expected = [
        "db 0",
        "key hash-template-listpack-ref k",
        "a=1",
        "b=two",
        "key hash-template-strings-ref l",
        "a=x",
        "b=",
        "key hash-template-strings-ref m",
        "c=y",
    ];
    assert_eq!(
        (lines.iter().map(String::as_str).collect::<Vec<_>>(), walk.keys),
        (expected.to_vec(), 3)
    );
    // Each key can be read at its offset, where the templates were read before.
    let mut records = Records::new(&bytes).unwrap();
    let at = bytes.windows(3).position(|w| w == [32, 1, b'l']).unwrap();
    let mut again = Told::default();
    records.read(0, at as u64, &mut again).unwrap();
    assert_eq!(again.0[2..], ["a=x", "b="]);
}

#[test]
fn hashes_that_do_not_fit_their_template_are_reported() {
    let rdb = |code, value: &[u8]| with_template().key(code, "k").raw(value).end();
    for (code, wrong) in [
        (30, string(listpack(&["7", "1"]))),
        (30, string(listpack(&["7", "1", "2", "3"]))),
        (30, string(listpack(&["8", "1", "2"]))),
        (30, string(listpack(&["x", "1", "2"]))),
        (30, string(listpack::<&str>(&[]))),
        (32, [vec![8], strings(&["1", "2"])].concat()),
        (32, [vec![7], strings(&["1"])].concat()),
    ] {
        let damage = damage(&rdb(code, &wrong));
        assert_eq!(damage.key.as_deref(), Some(&b"k"[..]), "{damage}");
    }
    damage(&with_template().raw([242, 7, 1]).string("c").end());
    damage(&Rdb::new("REDIS0015").raw([242, 7, 2]).raw(strings(&["a", "a"])).end());
    damage(&Rdb::new("REDIS0015").raw([242, 7, 0]).end());
    for (names, values) in [(&["a", "a"][..], &["1", "2"][..]), (&[], &[])] {
        let hash = [vec![0], string(listpack(names)), string(listpack(values))].concat();
        value_damage("REDIS0015", 29, hash);
    }
}

#[test]
fn hashes_with_their_own_template_are_read_in_both_forms() {
    let names = [[vec![2], strings(&["a", "b"])].concat(), string(listpack(&["a", "b"]))];
    for names in names {
        for (code, values) in [(29, string(listpack(&["1", "2"]))), (31, strings(&["1", "2"]))] {
            for form in [0, 1] {
                let hash = [vec![form], names.clone(), values.clone()].concat();
                assert_eq!(value("REDIS0015", code, hash), ["a=1", "b=2"]);
            }
        }
    }
}

#[test]
fn bitmaps_are_expanded_to_strings() {
    // 64-bit set of one part: bits 0, 7, 9 as a list; the last container has a run of 3 from 65,536.
    let roaring = [
        &1_u64.to_le_bytes()[..],
        &0_u32.to_le_bytes(),
        &(12347_u32 | 1 << 16).to_le_bytes(),
        &[0b10],
        &[0, 0, 2, 0, 1, 0, 2, 0],
        &[0, 0, 7, 0, 9, 0],
        &[1, 0, 0, 0, 2, 0],
    ]
    .concat();
    let bitmap = |len: u64, roaring: &[u8]| [length(len), string(roaring)].concat();
    let mut expected = vec![0; 8194];
    (expected[0], expected[1], expected[8192]) = (0b1000_0001, 0b0100_0000, 0b1110_0000);
    let read = value("REDIS0016", 33, bitmap(8194, &roaring));
    assert_eq!(read, [expected.escape_ascii().to_string()]);
    value_damage("REDIS0016", 33, bitmap(8192, &roaring));
    value_damage("REDIS0016", 33, bitmap(1 << 40, &roaring));
    value_damage("REDIS0016", 33, bitmap(8194, &roaring[..roaring.len() - 1]));
    value_damage("REDIS0016", 33, bitmap(8194, &[&roaring[..], b"x"].concat()));
    let claimed = [&u64::MAX.to_le_bytes()[..], &[0; 4]].concat();
    value_damage("REDIS0016", 33, bitmap(8, &claimed));
    assert_eq!(value("REDIS0016", 33, bitmap(2, &[0; 8])), ["\\x00\\x00"]);
}

#[test]
fn large_containers_of_bitmaps_are_bits() {
    let mut bits = vec![0; 8192];
    bits[..1000].fill(0xff);
    let card = u16::try_from(8000 - 1).unwrap().to_le_bytes();
    let head =
        [&1_u64.to_le_bytes()[..], &[0; 4], &12346_u32.to_le_bytes(), &[1, 0, 0, 0]].concat();
    let roaring = [&head[..], &[0, 0], &card, &[0; 4], &bits].concat();
    let bitmap = [length(1000), string(roaring)].concat();
    assert_eq!(value("REDIS0017", 33, bitmap), [vec![0xff; 1000].escape_ascii().to_string()]);
}

#[test]
fn metadata_of_keys_precedes_them() {
    let parts = [vec![5], string("note"), vec![2, 9, 0]].concat();
    let bytes = Rdb::new("REDIS0013")
        .db(0)
        .raw([243, 2])
        .raw([1, 0, 0, 0])
        .raw(&parts)
        .raw([2, 1, 0, 0, 0])
        .key(0, "k")
        .string("v")
        .key(0, "l")
        .string("w")
        .end();
    let (lines, walk) = reported(&bytes);
    assert_eq!(lines, ["db 0", "meta 1 9", "meta 258 1", "key string k", "v", "key string l", "w"]);
    assert_eq!(walk.needs_version, 13);
    // Under the other magic, the byte begins a slot import.
    let import = Rdb::new("VALKEY080").raw([243]).string("j".repeat(40)).raw([1, 3, 4]).end();
    assert_eq!(reported(&import).0, [format!("import {} 3-4", "j".repeat(40))]);
}

#[test]
fn what_is_known_from_reports_alone_is_unknown_where_it_does_not_fit() {
    let rdb = |header: &str, code| Rdb::new(header).key(code, "k").raw([0xbf, 1, 2]).end();
    for code in 27..=35 {
        let bytes = rdb("REDIS0017", code);
        match read(&bytes, &mut Ignore, &Silent) {
            Ok(Reading::Newer(newer)) => {
                assert_eq!((newer.content.code, newer.len), (Some(code), bytes.len() as u64));
            }
            other => panic!("{code}: {other:?}"),
        }
        let mut wrong = bytes;
        *wrong.last_mut().unwrap() ^= 1;
        assert!(read(&wrong, &mut Ignore, &Silent).is_err(), "{code}");
    }
    // Observed types, and types that the version does not have.
    assert!(read(&rdb("REDIS0017", 26), &mut Ignore, &Silent).is_err());
    let older = [("REDIS0012", 26), ("REDIS0013", 27), ("REDIS0015", 33), ("VALKEY080", 26)];
    for (header, code) in older {
        let found = read(&rdb(header, code), &mut Ignore, &Silent);
        assert!(matches!(found, Ok(Reading::Newer(_))), "{header}: {found:?}");
    }
}

#[test]
fn a_base_of_redis_8_6_is_read() {
    let bytes = files::file("redis-8.6.3-aof-base.rdb");
    let (lines, walk) = reported(&bytes);
    assert_eq!((walk.version, walk.keys, walk.needs_version), (13, 15, 13));
    let of = |key: &str| {
        let start =
            lines.iter().position(|line| line == key).unwrap_or_else(|| panic!("{key}")) + 1;
        let len = lines[start..]
            .iter()
            .position(|line| line.starts_with("key "))
            .unwrap_or(lines.len() - start);
        &lines[start..start + len]
    };
    assert_eq!(of("key stream-4 settings")[3..], ["idmp 200 50 0 0"]);
    assert_eq!(of("key stream-4 plain-stream").last().unwrap(), "idmp 100 100 0 0");
    let orders = of("key stream-4 orders");
    let entries: Vec<_> = orders.iter().filter_map(|line| line.strip_prefix("entry ")).collect();
    let ids: Vec<_> = entries.iter().map(|entry| entry.split_once(' ').unwrap().0).collect();
    let producers: Vec<_> =
        orders.iter().skip_while(|line| !line.starts_with("producer")).collect();
    let expected = [
        "producer till-1 2".to_owned(),
        format!("iid a1 {}", ids[0]),
        format!("iid a2 {}", ids[1]),
        "producer till-2 1".to_owned(),
        format!("iid b1 {}", ids[2]),
        "idmp 100 100 3 1".to_owned(),
    ];
    assert_eq!(producers, expected.iter().collect::<Vec<_>>());
    assert_eq!(of("key hash-listpack-ex user"), ["a=1 expires=4000000000000", "b=2"]);
    assert_eq!(of("key module-2 vectors").len(), 1);
}

/// A visitor that wants no value.
struct SkipAll(Vec<Vec<u8>>);

impl<'a> Visitor<'a> for SkipAll {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push(key.name.to_vec());
        Want::Skip
    }
}

#[test]
fn values_of_later_types_are_stepped_over_up_to_their_end() {
    let elements = [
        [length(0), length(3), string("small")].concat(),
        [length(7), length(0), string("text")].concat(),
        [length(300), length(1), vec![0xff; 8]].concat(),
        [length(301), length(2), vec![0xff; 8]].concat(),
    ];
    let array = [&length(4)[..], &[1, 8], &elements.concat()].concat();
    let names = [[vec![2], strings(&["a", "b"])].concat(), string(listpack(&["a", "b"]))];
    let own = |code, values: &[u8]| {
        names.each_ref().map(|names| (code, [&[0], &names[..], values].concat()))
    };
    let mut values = vec![(28, array), (33, [length(8), string([0; 8])].concat())];
    values.extend(own(29, &string(listpack(&["1", "2"]))));
    values.extend(own(31, &strings(&["1", "2"])));
    values.push((30, string(listpack(&["7", "1", "2"]))));
    values.push((32, [vec![7], strings(&["1", "2"])].concat()));
    values.push((26, with_producers(&["p", "q"])));
    values.push((27, given_back(&[2])));
    for (code, value) in values {
        let bytes = Rdb::new("REDIS0017").raw([242, 7, 2]).raw(strings(&["a", "b"])).db(0);
        let bytes = bytes.key(code, "k").raw(&value).key(0, "after").string("v").end();
        let mut skip = SkipAll(Vec::new());
        let walked = walk(&bytes, &mut skip, &Silent).unwrap_or_else(|e| panic!("{code}: {e}"));
        assert_eq!((walked.keys, walked.len), (2, bytes.len() as u64), "{code}");
        assert_eq!(skip.0, [&b"k"[..], b"after"], "{code}");
    }
}

/// An empty stream of Redis 8.6 with these producers, each of which added entry 1-2 as `i`.
fn with_producers(names: &[&str]) -> Vec<u8> {
    let producer = |name: &&str| [string(name), vec![1], string("i"), vec![1, 2]].concat();
    let producers: Vec<u8> = names.iter().flat_map(producer).collect();
    let settings = [length(100), length(50), length(names.len() as u64)].concat();
    [vec![0; 10], settings, producers, vec![3, 4]].concat()
}

#[test]
fn producers_of_a_stream_are_unique() {
    let lines = value("REDIS0013", 26, with_producers(&["p", "q"]));
    let expected = ["producer p 1", "iid i 1-2", "producer q 1", "iid i 1-2", "idmp 100 50 3 4"];
    assert_eq!(lines[lines.len() - 5..], expected);
    value_damage("REDIS0013", 26, with_producers(&["p", "q", "p"]));
    // Another stream may have the same.
    let two = Rdb::new("REDIS0013").db(0).key(26, "k").raw(with_producers(&["p"]));
    let two = two.key(26, "l").raw(with_producers(&["p"])).end();
    assert_eq!(reported(&two).1.keys, 2);
}
