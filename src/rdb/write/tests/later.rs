//! What Redis 8.6 and later hold: written where the version has it, and refused by key elsewhere.

use super::super::gather::OwnedProducer;
use super::*;
use crate::rdb::visitor::StreamIdmp;

/// A stream of one entry that a producer added, as Redis 8.6 stores it.
fn of_producer() -> Gathered {
    let id = StreamId { ms: 5, seq: 1 };
    let entries = vec![(b"a1".to_vec(), id)];
    Gathered {
        texts: texts(["f", "v"]),
        entries: vec![(id, 1)],
        info: StreamInfo { last_id: id, ..StreamInfo::default() },
        idmp: Some(StreamIdmp { duration: 100, max_entries: 50, iids_added: 1, duplicates: 2 }),
        producers: vec![OwnedProducer { pid: b"till".to_vec(), entries }],
        ..Gathered::default()
    }
}

#[test]
fn producers_of_streams_are_written_in_the_version_that_has_them() {
    let (stream, notes) = (of_producer(), KeyNotes::default());
    let value = Value::Stream(&stream);
    let bytes = write_one(Target::REDIS_13, &PLAIN, &notes, &value);
    let mut tail = [&[0, 64, 100][..], &[50, 1], &string("till"), &[1]].concat();
    tail.extend([string("a1"), vec![5, 1, 1, 2, 255]].concat());
    assert!(bytes[..bytes.len() - 8].ends_with(&tail), "{}", bytes.escape_ascii());
    assert_eq!(parts(&value), parts_of_only(&bytes));
    for target in Target::ALL.into_iter().filter(|target| *target != Target::REDIS_13) {
        let mut writer = Writer::new(Vec::new(), target, &PLAIN);
        let error = writer.key(b"k", &notes, &value).unwrap_err().to_string();
        assert!(error.contains("producers") && error.contains("key \"k\""), "{error}");
    }
    // A stream without producers, with the settings of a new one, needs nothing.
    let mut plain = of_producer();
    plain.producers.clear();
    plain.idmp = Some(StreamIdmp { duration: 100, max_entries: 100, ..StreamIdmp::default() });
    for target in Target::ALL {
        write_one(target, &PLAIN, &notes, &Value::Stream(&plain));
    }
}

/// The parts of the only value of an RDB.
fn parts_of_only(bytes: &[u8]) -> Vec<String> {
    struct Only(Vec<String>);
    impl Takes for &mut Only {
        fn note(&mut self, _: &[u8], _: &[u8]) {}
        fn select_db(&mut self, _: u64) {}
        fn slot(&mut self, _: u64, _: u64, _: u64) {}
        fn slot_import(&mut self, _: &[u8], _: &[(u64, u64)]) {}
        fn function(&mut self, _: &[u8]) {}
        fn module_aux(&mut self, _: &[u8]) {}
        fn key_meta(&mut self) {}
        fn key(&mut self, _: &[u8], _: &KeyNotes, value: &Value<'_>) {
            self.0 = parts(value);
        }
    }
    let mut only = Only(Vec::new());
    walk(bytes, &mut Gather::new(&mut only), &Silent).unwrap();
    only.0
}

#[test]
fn what_no_version_holds_is_refused_with_its_key() {
    let rdb = |header: &str| Rdb::new(header).db(0);
    let meta = rdb("REDIS0013").raw([243, 1, 1, 0, 0, 0, 0]).key(0, "k").string("v").end();
    let array = rdb("REDIS0014").key(28, "k").raw([1, 0, 3, 1]).raw(7_i64.to_le_bytes()).end();
    for (bytes, what) in [(meta, "metadata"), (array, "arrays")] {
        for target in [None, Some(Target::REDIS_13), Some(Target::VALKEY_80)] {
            let mut out = Vec::new();
            let error = convert(&bytes, &mut out, Product::Redis, target, &PLAIN, &Silent);
            let error = error.unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
            assert_eq!(error.contains("key \"k\""), target.is_some(), "{error}");
        }
    }
}
