//! Tests of the writer as a whole, by reading its output.

mod later;

use std::io::Write as _;

use crate::base::server::Product;
use proptest::prelude::*;

use super::super::format::Kind;
use super::super::testing::{Rdb, listpack, string, ziplist};
use super::super::visitor::{StreamId, StreamInfo};
use super::super::walk;
use super::gather::{Gather, Gathered, OwnedConsumer, OwnedGroup, Takes, Texts};
use super::*;
use crate::base::progress::Silent;
use crate::base::server::{redis, valkey};
use crate::rdb::checksum::Checksum;
use crate::rdb::damage::Damage;
use crate::rdb::summary::RdbSummary;

/// All visitor calls for a file, in a canonical order.
#[derive(Debug, Default, PartialEq)]
struct Recorded(Vec<String>);

fn show(text: &[u8]) -> String {
    text.escape_ascii().to_string()
}

fn parts(value: &Value<'_>) -> Vec<String> {
    let mut parts = Vec::new();
    match value {
        Value::String(text) | Value::Module(text) => parts.push(show(text)),
        Value::Array => parts.push("array".to_owned()),
        Value::List(elements) => elements.each(&mut |element| parts.push(show(element))),
        Value::Set(members) => members.each(&mut |member| parts.push(show(member))),
        Value::Zset(members) => {
            members.each(&mut |member, score| parts.push(format!("{} {score:?}", show(member))));
        }
        Value::Hash(fields) => fields.each(&mut |field, value, expires_ms| {
            parts.push(format!("{}={} {expires_ms:?}", show(field), show(value)));
        }),
        Value::Stream(stream) => {
            parts.push(format!("{:?}", stream.info()));
            stream.entries(&mut |id, fields| {
                let fields = fields.iter().map(|(f, v)| format!("{}={}", show(f), show(v)));
                parts.push(format!("{id} {:?}", fields.collect::<Vec<_>>()));
            });
            stream.groups(&mut |group| parts.push(format!("{group:?}")));
            stream.idmp(&mut |idmp| parts.push(format!("{idmp:?}")));
        }
    }
    if matches!(value, Value::Set(_) | Value::Zset(_) | Value::Hash(_)) {
        parts.sort();
    }
    parts
}

impl Takes for &mut Recorded {
    fn note(&mut self, name: &[u8], value: &[u8]) {
        self.0.push(format!("note {}={}", show(name), show(value)));
    }
    fn select_db(&mut self, db: u64) {
        self.0.push(format!("db {db}"));
    }
    fn slot(&mut self, slot: u64, keys: u64, with_expiry: u64) {
        self.0.push(format!("slot {slot} {keys} {with_expiry}"));
    }
    fn slot_import(&mut self, job: &[u8], ranges: &[(u64, u64)]) {
        self.0.push(format!("import {} {ranges:?}", show(job)));
    }
    fn function(&mut self, library: &[u8]) {
        self.0.push(format!("function {}", show(library)));
    }
    fn module_aux(&mut self, payload: &[u8]) {
        self.0.push(format!("module {}", show(payload)));
    }
    fn key_meta(&mut self) {
        self.0.push("metadata".to_owned());
    }
    fn key(&mut self, name: &[u8], notes: &KeyNotes, value: &Value<'_>) {
        let kind = value.kind();
        self.0.push(format!("{kind:?} {} {notes:?} {:?}", show(name), parts(value)));
    }
}

fn read(bytes: &[u8]) -> Result<(Vec<String>, RdbSummary), Box<Damage>> {
    let mut recorded = Recorded::default();
    let mut gather = Gather::new(&mut recorded);
    let found = walk(bytes, &mut gather, &Silent)?;
    gather.end_import();
    Ok((recorded.0, found))
}

/// Writes a file with one key.
fn write_one(target: Target, options: &Options, notes: &KeyNotes, value: &Value<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, target, options);
    writer.select_db(3, 1, 0).unwrap();
    writer.key(b"k", notes, value).unwrap();
    let len = writer.finish().unwrap();
    assert_eq!(len, bytes.len() as u64);
    bytes
}

const PLAIN: Options = Options { compress: false, checksum: true, drop_bookkeeping: false };

/// Returns the name of the storage type of a value.
fn stored(target: Target, value: &Value<'_>) -> &'static str {
    let bytes = write_one(target, &PLAIN, &KeyNotes::default(), value);
    let (_, found) = read(&bytes).unwrap_or_else(|damage| panic!("{damage}"));
    found.types[0].name
}

fn texts<T: AsRef<[u8]>>(of: impl IntoIterator<Item = T>) -> Texts {
    let mut texts = Texts::default();
    of.into_iter().for_each(|text| texts.push(text.as_ref()));
    texts
}

/// Numbers, short texts, and texts around the limits of packed encodings.
fn text() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (any::<i64>(), 0u32..64).prop_map(|(n, shift)| (n >> shift).to_string().into()),
        4 => prop::collection::vec(any::<u8>(), 0..12),
        1 => (any::<u8>(), 60usize..70).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn some_texts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    prop_oneof![
        6 => prop::collection::vec(text(), 1..30),
        1 => (prop_oneof![125usize..132, 510usize..515], text()).prop_map(
            |(count, suffix)| {
                (0..count).map(|n| [n.to_string().as_bytes(), b":", &suffix].concat()).collect()
            }
        ),
        1 => prop_oneof![125i64..132, 510i64..515].prop_map(|count| {
            (0..count).map(|n| (n * n * 1000).to_string().into_bytes()).collect()
        }),
    ]
}

fn unique(mut all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seen = std::collections::HashSet::new();
    all.retain(|text| seen.insert(text.clone()));
    all
}

fn id() -> impl Strategy<Value = StreamId> {
    prop_oneof![
        3 => (0u64..50, 0u64..5).prop_map(|(ms, seq)| StreamId { ms, seq }),
        1 => (any::<u64>(), any::<u64>()).prop_map(|(ms, seq)| StreamId { ms, seq }),
    ]
}

prop_compose! {
    fn group()(
        name in text(),
        last_id in id(),
        entries_read in prop::option::of(0u64..100_000),
        pending in prop::collection::btree_map(id(), (any::<i64>(), 0u64..9, 0usize..3), 0..10),
        consumers in prop::collection::vec((any::<i64>(), any::<i64>()), 3),
    ) -> OwnedGroup {
        let consumers = consumers.into_iter().enumerate().map(|(n, (seen_ms, active_ms))| OwnedConsumer {
            name: format!("c{n}").into(),
            seen_ms,
            active_ms: Some(active_ms),
            pending: pending.iter().filter(|(_, (.., owner))| *owner == n).map(|(id, _)| *id).collect(),
        }).collect();
        let pending = pending.into_iter().map(|(id, (delivered_ms, deliveries, _))| Pending { id, delivered_ms, deliveries }).collect();
        OwnedGroup { name, last_id, entries_read, pending, consumers }
    }
}

prop_compose! {
    fn stream()(
        entries in prop::collection::btree_map(id(), prop::collection::vec((0usize..4, text()), 1..3), 0..120),
        same in any::<bool>(),
        last_id in id(),
        counters in (id(), id(), 0u64..1 << 40),
        groups in prop::collection::vec(group(), 0..3),
    ) -> Gathered {
        let mut gathered = Gathered::default();
        for (id, fields) in entries {
            let fields = if same { &fields[..1] } else { &fields };
            gathered.entries.push((id, fields.len() as u64));
            for (field, value) in fields {
                let field = if same { 0 } else { *field };
                gathered.texts.push(["f", "field", "12", ""][field].as_bytes());
                gathered.texts.push(value);
            }
        }
        let mut seen = std::collections::HashSet::new();
        gathered.groups = groups.into_iter().filter(|group| seen.insert(group.name.clone())).collect();
        gathered.info = StreamInfo {
            length: gathered.entries.len() as u64,
            last_id,
            first_id: Some(counters.0),
            max_deleted_id: Some(counters.1),
            entries_added: Some(counters.2),
        };
        gathered
    }
}

fn any_value() -> impl Strategy<Value = (Kind, Gathered)> {
    let score = prop_oneof![any::<f64>(), (-50i32..50).prop_map(|n| f64::from(n) / 2.0)]
        .prop_filter("a number", |score| !score.is_nan());
    let expiry = prop_oneof![Just(None), (1i64..1 << 48).prop_map(Some)];
    let of_texts = |all: Vec<Vec<u8>>| Gathered { texts: texts(all), ..Gathered::default() };
    prop_oneof![
        text().prop_map(move |text| (Kind::String, of_texts(vec![text]))),
        some_texts().prop_map(move |all| (Kind::List, of_texts(all))),
        some_texts().prop_map(move |all| (Kind::Set, of_texts(unique(all)))),
        (some_texts(), prop::collection::vec(score, 1..20)).prop_map(move |(all, scores)| {
            let all = unique(all);
            let scores = scores.into_iter().cycle().take(all.len()).collect();
            (Kind::Zset, Gathered { scores, ..of_texts(all) })
        }),
        (some_texts(), prop::collection::vec(text(), 1..5), prop::collection::vec(expiry, 1..5))
            .prop_map(move |(fields, values, expiries)| {
                let fields = unique(fields);
                let expiries = expiries.into_iter().cycle().take(fields.len()).collect();
                let values = values.into_iter().cycle();
                let all = fields.into_iter().zip(values).flat_map(|(f, v)| [f, v]).collect();
                (Kind::Hash, Gathered { expiries, ..of_texts(all) })
            }),
        stream().prop_map(|stream| (Kind::Stream, stream)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn supported_data_is_read_back_and_unsupported_data_is_refused(
        (kind, value) in any_value(),
        compress in any::<bool>(),
        expires_ms in prop::option::of(0i64..),
    ) {
        let value = value.value(kind);
        let notes = KeyNotes { expires_ms, idle_s: Some(5), freq: None };
        let options = Options { compress, ..PLAIN };
        let needs = Needs::of_value(&value);
        for target in Target::ALL {
            let mut bytes = Vec::new();
            let mut writer = Writer::new(&mut bytes, target, &options);
            writer.select_db(3, 1, 0).unwrap();
            let result = writer.key(b"k", &notes, &value);
            let Err(error) = result else {
                prop_assert_eq!(needs.missing(target), None);
                writer.finish().unwrap();
                let (recorded, found) = read(&bytes).map_err(|damage| TestCaseError::fail(damage.to_string()))?;
                prop_assert_eq!(found.len, bytes.len() as u64);
                prop_assert!(matches!(found.checksum, Checksum::Verified(_)));
                prop_assert!(found.needs_version <= target.version());
                if kind != Kind::Stream || target.since(11) {
                    let expected = format!("{kind:?} k {notes:?} {:?}", parts(&value));
                    prop_assert_eq!(&recorded[1], &expected);
                }
                continue;
            };
            let WriteError::Unfit(unfit) = error else { panic!("{error}") };
            prop_assert_eq!(Some(unfit.feature), needs.missing(target));
            prop_assert_eq!(&unfit.key, &Some((3, b"k".to_vec())));
            // Nothing of it was written.
            writer.finish().unwrap();
            prop_assert_eq!(read(&bytes).unwrap().1.keys, 0);
        }
    }

    #[test]
    fn a_stream_loses_only_what_an_old_version_lacks(value in stream()) {
        let value = value.value(Kind::Stream);
        let options = Options { drop_bookkeeping: true, ..PLAIN };
        let whole = parts(&value);
        for target in [Target::REDIS_9, Target::REDIS_10] {
            let bytes = write_one(target, &options, &KeyNotes::default(), &value);
            // Read and written again by the next version, it retains everything except the
            // bookkeeping.
            let mut again = Vec::new();
            let converted = convert(&bytes, &mut again, Product::Redis, Some(Target::REDIS_11), &PLAIN, &Silent).unwrap();
            prop_assert_eq!(converted.needs.missing(target), None);
            let (recorded, _) = read(&again).unwrap();
            for part in &whole[1..] {
                if !part.starts_with("Group") {
                    prop_assert!(recorded[1].contains(&format!("{part:?}")), "{}\n{}", part, &recorded[1]);
                }
            }
        }
    }
}

#[test]
fn encoding_limits_match_the_servers() {
    let numbers = |n: i64| texts((0..n).map(|i| i.to_string()));
    let short_texts = |n: i64| texts((0..n).map(|i| format!("m{i}")));
    let with = |len: usize| texts(["x".to_string(), "y".repeat(len)]);
    let all = Target::ALL;
    let names = |value: &Value<'_>| all.map(|target| stored(target, value));
    let set = |texts: &Texts| names(&Value::Set(texts));
    assert_eq!(set(&numbers(512)), ["set-intset"; 6]);
    assert_eq!(set(&numbers(513)), ["set"; 6]);
    let since_11 = ["set", "set", "set-listpack", "set-listpack", "set-listpack", "set-listpack"];
    assert_eq!(set(&short_texts(128)), since_11);
    assert_eq!(set(&with(64)), since_11);
    assert_eq!(set(&with(65)), ["set"; 6]);
    assert_eq!(set(&short_texts(129)), ["set"; 6]);
    assert_eq!(set(&texts(["-0", "1"])), since_11);

    let packed = |kind: &'static str| {
        let (old, new) = match kind {
            "zset" => ("zset-ziplist", "zset-listpack"),
            _ => ("hash-ziplist", "hash-listpack"),
        };
        [old, new, new, new, new, new]
    };
    let zset = |texts: Texts| {
        let scores = texts.iter().map(|_| 1.5).collect();
        names(&Gathered { scores, texts, ..Gathered::default() }.value(Kind::Zset))
    };
    assert_eq!(zset(short_texts(128)), packed("zset"));
    assert_eq!(zset(with(64)), packed("zset"));
    assert_eq!(zset(short_texts(129)), ["zset-2"; 6]);
    assert_eq!(zset(with(65)), ["zset-2"; 6]);

    let hash = |texts: Texts| {
        let expiries = vec![None; Elements::len(&texts) / 2];
        names(&Gathered { expiries, texts, ..Gathered::default() }.value(Kind::Hash))
    };
    assert_eq!(hash(short_texts(1024)), packed("hash"));
    assert_eq!(hash(with(64)), packed("hash"));
    assert_eq!(hash(short_texts(1026)), ["hash"; 6]);
    assert_eq!(hash(with(65)), ["hash"; 6]);

    let expiring = |texts: Texts| {
        let mut expiries = vec![None; Elements::len(&texts) / 2];
        expiries[0] = Some(1);
        let value = Gathered { expiries, texts, ..Gathered::default() };
        let value = value.value(Kind::Hash);
        [Target::REDIS_12, Target::VALKEY_80].map(|target| stored(target, &value))
    };
    assert_eq!(expiring(short_texts(1024)), ["hash-listpack-ex", "hash-2"]);
    assert_eq!(expiring(short_texts(1026)), ["hash-metadata", "hash-2"]);
    assert_eq!(expiring(with(65)), ["hash-metadata", "hash-2"]);

    let lists = names(&Value::List(&short_texts(3)));
    let quicklist_2 = "list-quicklist-2";
    assert_eq!(lists[0], "list-quicklist");
    assert_eq!(lists[1..], [quicklist_2; 5]);
}

#[test]
fn a_large_value_is_written_in_nodes_without_buffering() {
    // Larger than the buffer of nodes, in texts that do not compress.
    let element = |n: u32| {
        (0..1000).map(|i| (n ^ i).wrapping_mul(0x9e37_79b1).to_be_bytes()[0]).collect::<Vec<u8>>()
    };
    let list = texts((0..3000).map(element));
    let value = Value::List(&list);
    for target in Target::ALL {
        let bytes = write_one(target, &Options::default(), &KeyNotes::default(), &value);
        let (recorded, found) = read(&bytes).unwrap();
        assert!(recorded[1].ends_with(&format!("{:?}", parts(&value))));
        assert_eq!(found.keys, 1);
    }
}

#[test]
fn elements_around_the_size_of_a_node_are_read_back() {
    let long = [8100, 8170, 8180, 8192, 8193, 10, 10, 8193, 20_000, 1].map(|len| vec![b'x'; len]);
    let list = texts(long.iter().chain(&long));
    let value = Value::List(&list);
    for target in Target::ALL {
        let bytes = write_one(target, &PLAIN, &KeyNotes::default(), &value);
        let (recorded, _) = read(&bytes).unwrap();
        assert!(recorded[1].ends_with(&format!("{:?}", parts(&value))), "{target}");
    }
}

/// The year 2100 in Unix milliseconds, and its encoding before a key.
const FAR_MS: i64 = 4_102_444_800_000;

#[test]
fn a_small_file_has_the_expected_bytes() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Target::REDIS_10, &PLAIN);
    writer
        .notes(&Notes {
            ctime: 1_700_000_000,
            used_mem: 900_000,
            ..Notes::new(Target::REDIS_10, true)
        })
        .unwrap();
    writer.function(b"#!lua name=l\n").unwrap();
    writer.select_db(0, 4, 1).unwrap();
    let notes = KeyNotes { expires_ms: Some(FAR_MS), idle_s: None, freq: Some(9) };
    writer.key(b"k", &notes, &Value::String(b"v")).unwrap();
    writer.key(b"n", &KeyNotes::default(), &Value::String(b"-129")).unwrap();
    writer.key(b"l", &KeyNotes::default(), &Value::List(&texts(["a", "500"]))).unwrap();
    writer.key(b"e", &KeyNotes::default(), &Value::List(&texts([""; 0]))).unwrap();
    let scores = vec![2.5, -1.0];
    let zset = Gathered { texts: texts(["b", "a"]), scores, ..Gathered::default() };
    writer.key(b"z", &KeyNotes::default(), &Value::Zset(&zset)).unwrap();
    writer.finish().unwrap();
    let expected = Rdb::new("REDIS0010")
        .raw([250])
        .string("redis-ver")
        .string("7.0.0")
        .raw([250])
        .string("redis-bits")
        .raw([0xc0, 64])
        .raw([250])
        .string("ctime")
        .raw([0xc2])
        .raw(1_700_000_000i32.to_le_bytes())
        .raw([250])
        .string("used-mem")
        .raw([0xc2])
        .raw(900_000i32.to_le_bytes())
        .raw([250])
        .string("aof-base")
        .raw([0xc0, 1])
        .raw([245])
        .string("#!lua name=l\n")
        .db(0)
        .raw([251, 4, 1])
        .raw([252])
        .raw(FAR_MS.to_le_bytes())
        .raw([249, 9])
        .key(0, "k")
        .string("v")
        .key(0, "n")
        .raw([0xc1, 0x7f, 0xff])
        .key(18, "l")
        .raw([1, 2])
        .raw(string(listpack(&["a", "500"])))
        .key(17, "z")
        .raw(string(listpack(&["a", "-1", "b", "2.5"])))
        .end();
    assert_eq!(bytes, expected);
}

#[test]
fn the_oldest_version_has_its_own_names_and_encodings() {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes, Target::REDIS_9, &PLAIN);
    writer.notes(&Notes::new(Target::REDIS_9, true)).unwrap();
    writer.select_db(1, 2, 0).unwrap();
    writer.key(b"l", &KeyNotes::default(), &Value::List(&texts(["a", "500"]))).unwrap();
    let entries = vec![(StreamId { ms: 5, seq: 1 }, 1), (StreamId { ms: 6, seq: 0 }, 1)];
    let stream = Gathered {
        texts: texts(["f", "v", "g", "w"]),
        entries,
        info: StreamInfo { last_id: StreamId { ms: 6, seq: 0 }, ..StreamInfo::default() },
        ..Gathered::default()
    };
    writer.key(b"s", &KeyNotes::default(), &Value::Stream(&stream)).unwrap();
    writer.finish().unwrap();
    let node = listpack(&[
        "2", "0", "1", "f", "0", "2", "0", "0", "v", "4", "0", "1", "-1", "1", "g", "w", "6",
    ]);
    let base = [[0, 0, 0, 0, 0, 0, 0, 5], [0, 0, 0, 0, 0, 0, 0, 1]].concat();
    let expected = Rdb::new("REDIS0009")
        .raw([250])
        .string("redis-ver")
        .string("6.2.0")
        .raw([250])
        .string("redis-bits")
        .raw([0xc0, 64])
        .raw([250])
        .string("ctime")
        .raw([0xc0, 0])
        .raw([250])
        .string("used-mem")
        .raw([0xc0, 0])
        .raw([250])
        .string("aof-preamble")
        .raw([0xc0, 1])
        .db(1)
        .raw([251, 2, 0])
        .key(14, "l")
        .raw([1])
        .raw(string(ziplist(&["a", "500"])))
        .key(15, "s")
        .raw([1])
        .string(base)
        .raw(string(node))
        .raw([2, 6, 0, 0])
        .end();
    assert_eq!(bytes, expected);
}

/// The files of servers after `SET k v PXAT 4102444800000`, and `ZADD z 2.5 b -1 500` in database
/// 2.
struct OfServer {
    target: Target,
    product: Product,
    version: &'static str,
    ctime: u64,
    used_mem: u64,
    bytes: &'static [u8],
}

const OF_SERVERS: [OfServer; 4] = [
    OfServer {
        target: Target::REDIS_9,
        product: Product::Redis,
        version: "6.2.5",
        ctime: 0x6b02_76b5,
        used_mem: 0x000d_4f40,
        bytes: b"REDIS0009\xfa\x09redis-ver\x056.2.5\xfa\x0aredis-bits\xc0@\xfa\x05ctime\xc2\xb5v\x02k\
          \xfa\x08used-mem\xc2@O\x0d\x00\xfa\x0caof-preamble\xc0\x00\xfe\x00\xfb\x01\x01\
          \xfc\x00\xd8\xc3,\xbb\x03\x00\x00\x00\x01k\x01v\xfe\x02\xfb\x01\x00\x0c\x01z\x1a\x1a\x00\x00\x00\
          \x14\x00\x00\x00\x04\x00\x00\xc0\xf4\x01\x04\xfe\xff\x03\x01b\x03\x032.5\xff\
          \xff;\xc8@F\x22*\x16\x9f",
    },
    OfServer {
        target: Target::REDIS_10,
        product: Product::Redis,
        version: "7.0.15",
        ctime: 0x6b02_76b6,
        used_mem: 0x0010_3838,
        bytes: b"REDIS0010\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0@\xfa\x05ctime\xc2\xb6v\x02k\
          \xfa\x08used-mem\xc288\x10\x00\xfa\x08aof-base\xc0\x00\xfe\x00\xfb\x01\x01\
          \xfc\x00\xd8\xc3,\xbb\x03\x00\x00\x00\x01k\x01v\xfe\x02\xfb\x01\x00\x11\x01z\x15\x15\x00\x00\x00\
          \x04\x00\xc1\xf4\x02\xdf\xff\x02\x81b\x02\x832.5\x04\xff\xff\x0a\xa0T\xdd\xe4\xa2}7",
    },
    OfServer {
        target: Target::REDIS_12,
        product: Product::Redis,
        version: "8.2.3",
        ctime: 0x6b02_76b6,
        used_mem: 0x000c_e718,
        bytes: b"REDIS0012\xfa\x09redis-ver\x058.2.3\xfa\x0aredis-bits\xc0@\xfa\x05ctime\xc2\xb6v\x02k\
          \xfa\x08used-mem\xc2\x18\xe7\x0c\x00\xfa\x08aof-base\xc0\x00\xfe\x00\xfb\x01\x01\
          \xfc\x00\xd8\xc3,\xbb\x03\x00\x00\x00\x01k\x01v\xfe\x02\xfb\x01\x00\x11\x01z\x15\x15\x00\x00\x00\
          \x04\x00\xc1\xf4\x02\xdf\xff\x02\x81b\x02\x832.5\x04\xff\xff\xac4h\xf9\xf0\xf8\x0f?",
    },
    OfServer {
        target: Target::VALKEY_80,
        product: Product::Valkey,
        version: "9.1.2",
        ctime: 0x6b02_76b7,
        used_mem: 0x0011_ca68,
        bytes: b"VALKEY080\xfa\x0avalkey-ver\x059.1.2\xfa\x0aredis-bits\xc0@\xfa\x05ctime\xc2\xb7v\x02k\
          \xfa\x08used-mem\xc2h\xca\x11\x00\xfa\x08aof-base\xc0\x00\xfe\x00\xfb\x01\x01\
          \xfc\x00\xd8\xc3,\xbb\x03\x00\x00\x00\x01k\x01v\xfe\x02\xfb\x01\x00\x11\x01z\x15\x15\x00\x00\x00\
          \x04\x00\xc1\xf4\x02\xdf\xff\x02\x81b\x02\x832.5\x04\xff\xff\xcc\x8c\xd3\xe3-u\xf1\xf0",
    },
];

#[test]
fn a_small_file_equals_that_of_each_server_byte_for_byte() {
    for OfServer { target, product, version, ctime, used_mem, bytes: theirs } in OF_SERVERS {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes, target, &PLAIN);
        let version = version.to_owned();
        writer.notes(&Notes { product, version, ctime, used_mem, base: false }).unwrap();
        writer.select_db(0, 1, 1).unwrap();
        let expires = KeyNotes { expires_ms: Some(FAR_MS), ..KeyNotes::default() };
        writer.key(b"k", &expires, &Value::String(b"v")).unwrap();
        writer.select_db(2, 1, 0).unwrap();
        let zset =
            Gathered { texts: texts(["b", "500"]), scores: vec![2.5, -1.0], ..Gathered::default() };
        writer.key(b"z", &KeyNotes::default(), &Value::Zset(&zset)).unwrap();
        writer.finish().unwrap();
        assert_eq!(bytes.escape_ascii().to_string(), theirs.escape_ascii().to_string(), "{target}");
    }
}

#[test]
fn rewriting_files_of_real_servers_loses_nothing() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rdb");
    let mut files = 0;
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension == "md") {
            continue;
        }
        let original = std::fs::read(&path).unwrap();
        let (recorded, found) = read(&original).unwrap();
        let own = Target::ALL
            .into_iter()
            .find(|t| (t.magic(), t.version()) == (found.magic, found.version));
        // The auxiliary fields identify the writer.
        let data = |recorded: Vec<String>| -> Vec<String> {
            recorded.into_iter().filter(|line| !line.starts_with("note ")).collect()
        };
        for options in [PLAIN, Options::default()] {
            let mut bytes = Vec::new();
            let converted =
                convert(&original, &mut bytes, Product::Redis, own, &options, &Silent).unwrap();
            assert_eq!(Some(converted.target), own);
            assert_eq!(data(read(&bytes).unwrap().0), data(recorded.clone()), "{}", path.display());
        }
        files += 1;
    }
    assert!(files > 5);
}

#[test]
fn joined_parts_equal_the_output_of_one_writer() {
    let key = |writer: &mut Writer<&mut Vec<u8>>, n: u32| {
        let (name, text) = (format!("k{n}"), format!("value {n} ").repeat(20));
        writer.key(name.as_bytes(), &KeyNotes::default(), &Value::String(text.as_bytes())).unwrap();
    };
    let options = Options::default();
    let target = Target::REDIS_11;
    let mut whole = Vec::new();
    let mut writer = Writer::new(&mut whole, target, &options);
    for db in 0..3 {
        writer.select_db(db, 100, 0).unwrap();
        (0..100).for_each(|n| key(&mut writer, n));
    }
    writer.finish().unwrap();

    let mut joined = Vec::new();
    let mut writer = Writer::new(&mut joined, target, &options);
    for db in 0..3 {
        let mut bytes = Vec::new();
        let mut part = Writer::part(&mut bytes, target, &options);
        part.select_db(db, 100, 0).unwrap();
        (0..100).for_each(|n| key(&mut part, n));
        let part = part.finish_part().unwrap();
        assert_eq!(part.len, bytes.len() as u64);
        writer.join(&part, |out| out.write_all(&bytes)).unwrap();
    }
    assert_eq!(writer.finish().unwrap(), joined.len() as u64);
    assert!(joined == whole);
    assert_eq!(read(&joined).unwrap().1.keys, 300);
}

#[test]
fn the_lowest_sufficient_version_is_found() {
    let lowest = |features: &[Feature], product| {
        let mut needs = Needs::NONE;
        features.iter().for_each(|feature| needs.add(*feature));
        needs.lowest(product)
    };
    use Feature::*;
    use Product::*;
    assert_eq!(lowest(&[], Redis), Ok(Target::REDIS_9));
    assert_eq!(lowest(&[], Valkey), Ok(Target::REDIS_9));
    assert_eq!(lowest(&[Functions], Redis), Ok(Target::REDIS_10));
    assert_eq!(lowest(&[ConsumerActivity, StreamCounters], Valkey), Ok(Target::REDIS_11));
    assert_eq!(lowest(&[FieldExpiry], Redis), Ok(Target::REDIS_12));
    assert_eq!(lowest(&[FieldExpiry], Valkey), Ok(Target::VALKEY_80));
    assert_eq!(lowest(&[FieldExpiry, FarFieldExpiry], Valkey), Ok(Target::VALKEY_80));
    let unfit = lowest(&[FieldExpiry, FarFieldExpiry], Redis).unwrap_err();
    assert_eq!((unfit.feature, unfit.target), (FarFieldExpiry, Target::REDIS_13));
    let key = Some((2, b"user:\n1".to_vec()));
    let error = Unfit { key, feature: FieldExpiry, target: Target::REDIS_11 }.into_error();
    assert_eq!(
        error.to_string(),
        r#"an RDB that begins with REDIS0011 cannot hold fields of hashes that expire, which key "user:\n1" of database 2 needs"#
    );
    assert_eq!(error.next_step(), Some("choose a version that has them: REDIS0012, VALKEY080"));
}

#[test]
fn each_release_line_writes_a_version_that_it_loads() {
    for (server, target) in [
        (redis(4, 0), None),
        (redis(5, 0), Some(Target::REDIS_9)),
        (redis(6, 2), Some(Target::REDIS_9)),
        (redis(7, 0), Some(Target::REDIS_10)),
        (redis(7, 2), Some(Target::REDIS_11)),
        (valkey(8, 1), Some(Target::REDIS_11)),
        (redis(8, 2), Some(Target::REDIS_12)),
        (valkey(9, 1), Some(Target::VALKEY_80)),
    ] {
        assert_eq!(Target::for_server(server), target);
        if let Some(target) = target {
            assert!(target.loads_on(server));
        }
    }
    assert!(!Target::REDIS_12.loads_on(valkey(9, 1)));
    assert!(!Target::VALKEY_80.loads_on(redis(8, 2)));
    assert!(Target::REDIS_11.loads_on(valkey(9, 1)));
}

#[test]
fn records_between_keys_are_retained_where_the_version_supports_them() {
    let job = "0123456789abcdef0123456789abcdef01234567";
    let module = [5, 2, 1, 5, 1, b'x', 0];
    let original = Rdb::new("VALKEY080")
        .raw([250])
        .string("valkey-ver")
        .string("9.1.2")
        .raw([250])
        .string("aof-base")
        .raw([0xc0, 1])
        .raw([250])
        .string("repl-id")
        .string("abc")
        .raw([247])
        .raw(module)
        .raw([245])
        .string("#!lua name=l\n")
        .db(7)
        .raw([251, 9, 9])
        .raw([250])
        .string("slot-info")
        .string("866,3,1,0")
        .key(0, "k")
        .string("v")
        .db(8)
        .raw([251, 0, 0])
        .end();
    let mut bytes = Vec::new();
    let to = |target, bytes: &mut Vec<u8>| {
        convert(&original, bytes, Product::Redis, target, &PLAIN, &Silent)
    };
    let converted = to(None, &mut bytes).unwrap();
    assert_eq!((converted.target, converted.len), (Target::REDIS_10, bytes.len() as u64));
    let (recorded, _) = read(&bytes).unwrap();
    let mut expected = vec![
        "note redis-ver=7.0.0".to_owned(),
        "note aof-base=1".into(),
        "note repl-id=abc".into(),
        format!("module {}", show(&module)),
        "function #!lua name=l\\n".into(),
        "db 7".into(),
        r#"String k KeyNotes { expires_ms: None, idle_s: None, freq: None } ["v"]"#.into(),
    ];
    assert_eq!(recorded, expected);
    bytes.clear();
    to(Some(Target::REDIS_12), &mut bytes).unwrap();
    expected[0] = "note redis-ver=7.4.0".into();
    expected.insert(6, "slot 866 3 1".into());
    assert_eq!(read(&bytes).unwrap().0, expected);
    let refused = to(Some(Target::REDIS_9), &mut Vec::new()).unwrap_err();
    assert!(
        matches!(refused, ConvertError::Write(WriteError::Unfit(unfit)) if unfit.feature == Feature::Functions)
    );

    let importing = Rdb::new("VALKEY080").raw([243]).string(job).raw([2, 1, 5, 9, 9]).end();
    let mut bytes = Vec::new();
    assert!(convert(&importing, &mut bytes, Product::Redis, None, &PLAIN, &Silent).is_err());
    bytes.clear();
    convert(&importing, &mut bytes, Product::Valkey, None, &PLAIN, &Silent).unwrap();
    assert_eq!(bytes, importing);
}

#[test]
fn damage_of_the_original_is_reported_before_any_output() {
    let mut original = Rdb::new("REDIS0010").key(0, "k").string("v").end();
    original[10] ^= 1;
    let mut bytes = Vec::new();
    let result = convert(&original, &mut bytes, Product::Redis, None, &PLAIN, &Silent);
    assert!(matches!(result, Err(ConvertError::Damage(_))));
    assert!(bytes.is_empty());
}
