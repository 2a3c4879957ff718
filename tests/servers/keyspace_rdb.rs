//! Loads RDBs of the servers into a keyspace and writes them again.

use aofkit::base::progress::Silent;
use aofkit::base::server::Server;
use aofkit::keyspace::digest::{Flavour, Sum};
use aofkit::keyspace::from_rdb::{Loader, NonKeyData};
use aofkit::keyspace::{Bump, Keyspace};
use aofkit::rdb::write::{Feature, Notes, Options};
use aofkit::rdb::{Key, Records, Target, Visitor, Want, Writer, walk};
use aofkit::rewrite::rdb::{needs_of_all, write_databases};
use libtest_mimic::Trial;

use crate::servers::rdb::{
    As, Saved, fill_common, fill_scores, fill_special, load, run, same, saved,
};
use crate::support::{Binary, FAMILIES, Running, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(
        &FAMILIES,
        "keyspace_rdb::rewritten_rdb_has_the_data_that_the_server_saved",
        |binary| {
            round_trip(&original(binary, &[], |_| {}), binary);
        },
    );
    trials.extend(on_each(
        &FAMILIES,
        "keyspace_rdb::values_without_compact_encodings_are_loaded",
        |binary| {
            let mut config = vec![
                ("rdbcompression", "no"),
                ("set-max-intset-entries", "0"),
                ("list-compress-depth", "1"),
                ("zset-max-ziplist-entries", "0"),
                ("hash-max-ziplist-entries", "0"),
            ];
            if binary.line.has_redis(7, 2) {
                config.push(("set-max-listpack-entries", "0"));
            }
            // The encoding, and with it the sign of a zero score, is derived from the default limits of servers.
            let drop_zero = |server: &mut Running| {
                run(server, "SELECT 0");
                run(server, "ZREM z:scores k");
            };
            round_trip(&original(binary, &config, drop_zero), binary);
        },
    ));
    trials.extend(on_each(&FAMILIES, "keyspace_rdb::keys_can_be_read_one_by_one", one_by_one));
    trials
}

fn original(binary: &Binary, config: &[(&str, &str)], then: fn(&mut Running)) -> Saved {
    saved(binary, config, true, |server: &mut Running, line: Server| {
        fill_common(server, line);
        fill_scores(server);
        fill_special(server, line);
        run(server, "SET int:min -9223372036854775808");
        run(server, "SELECT 15");
        run(server, "ZADD z 1.5 member -inf low inf high");
        then(server);
    })
}

fn digest(keyspace: &Keyspace<'_>, line: Server) -> String {
    let mut sum = Sum::default();
    sum.add_all(keyspace, Flavour::of_server(line));
    sum.finish().to_string()
}

fn written(keyspace: &Keyspace<'_>, non_key_data: &NonKeyData<'_>, target: Target) -> Vec<u8> {
    let mut rdb = Vec::new();
    let mut writer = Writer::new(&mut rdb, target, &Options::default());
    writer.notes(&Notes::new(target, true)).expect("notes");
    for (_, library) in non_key_data.functions.iter() {
        writer.function(library.code()).expect("a library");
    }
    write_databases(&mut writer, keyspace).expect("all keys can be written");
    writer.finish().expect("the end");
    rdb
}

fn round_trip(original: &Saved, binary: &Binary) {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut loader = Loader::new(&mut keyspace, binary.line, &|_| true);
    let found = walk(&original.rdb, &mut loader, &Silent).expect("a valid RDB");
    let non_key_data = loader.finish().expect("all values are supported");
    assert_eq!(keyspace.len() as u64, found.keys);
    assert_eq!(digest(&keyspace, binary.line), original.digest);

    let own = Target::for_server(binary.line).expect("the version of the server");
    let mut needs = needs_of_all(&keyspace);
    if !non_key_data.functions.is_empty() {
        needs.add(Feature::Functions);
    }
    assert_eq!(needs.missing(own), None, "the version of the server supports everything");
    let lowest = needs.lowest(binary.line.product).expect("a version");
    for target in [own, lowest] {
        let rdb = written(&keyspace, &non_key_data, target);
        let what = format!("{target} on {}", binary.line);
        let (loaded, details) = load(binary, &rdb, As::Base, true);
        assert_eq!(loaded, original.digest, "{what}");
        same(&details, &original.details, |_| true, &what);
    }
}

/// The database, the offset and the key of each record.
#[derive(Default)]
struct Offsets(Vec<(u64, u64, Vec<u8>)>);

impl<'a> Visitor<'a> for Offsets {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push((key.db, key.offset, key.name.to_vec()));
        Want::Skip
    }
}

/// Reads each half of the keys at the offsets that a walk reported, in reverse order.
fn one_by_one(binary: &Binary) {
    let original = original(binary, &[], |_| {});
    let mut offsets = Offsets::default();
    walk(&original.rdb, &mut offsets, &Silent).expect("a valid RDB");
    let mut sum = Sum::default();
    let mut keys = 0;
    for half in [0, 1] {
        let owns = |key: &[u8]| key.len() % 2 == half;
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let mut records = Records::new(&original.rdb).expect("a valid header");
        let mut loader = Loader::new(&mut keyspace, binary.line, &owns);
        for (db, offset, _) in offsets.0.iter().rev() {
            records.read(*db, *offset, &mut loader).expect("a record");
        }
        loader.finish().expect("all values are supported");
        assert!(keyspace.databases().flat_map(|db| db.entries()).all(|entry| owns(entry.key())));
        keys += keyspace.len();
        let mut part = Sum::default();
        part.add_all(&keyspace, Flavour::of_server(binary.line));
        sum.join(&part);
    }
    assert_eq!(keys, offsets.0.len());
    assert_eq!(sum.finish().to_string(), original.digest);
}
