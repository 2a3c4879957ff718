//! RDBs of the servers, taken into a keyspace and written from it again.

use aofkit::base::progress::Silent;
use aofkit::base::server::Server;
use aofkit::keyspace::digest::{Flavour, Sum};
use aofkit::keyspace::from_rdb::{Beside, Loader};
use aofkit::keyspace::{Bump, Keyspace};
use aofkit::rdb::write::{Feature, Notes, Options};
use aofkit::rdb::{Key, Records, Target, Visitor, Want, Writer, walk};
use aofkit::rewrite::rdb::{needs_of_all, write_databases};
use libtest_mimic::Trial;

use crate::servers::rdb::{
    As, Saved, fill_common, fill_scores, fill_special, load, run, same, saved,
};
use crate::support::server::{Binary, Running};
use crate::support::{LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(
        &LINES,
        "keyspace_rdb::what_is_taken_in_and_written_is_what_the_server_saved",
        |binary| {
            there_and_back(&original(binary, &[], |_| {}), binary);
        },
    );
    trials.extend(on_each(&LINES, "keyspace_rdb::nothing_is_packed_or_compressed", |binary| {
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
        // How a zero with a sign is held is told from the limits that servers have by default.
        let drop_zero = |server: &mut Running| {
            run(server, "SELECT 0");
            run(server, "ZREM z:scores k");
        };
        there_and_back(&original(binary, &config, drop_zero), binary);
    }));
    trials.extend(on_each(&LINES, "keyspace_rdb::keys_are_read_one_by_one", one_by_one));
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
    sum.add_all(keyspace, Flavour::of(line));
    sum.finish().to_string()
}

fn written(keyspace: &Keyspace<'_>, beside: &Beside<'_>, target: Target) -> Vec<u8> {
    let mut rdb = Vec::new();
    let mut writer = Writer::new(&mut rdb, target, &Options::default());
    writer.notes(&Notes::new(target, true)).expect("notes");
    for (_, library) in beside.functions.iter() {
        writer.function(library.code()).expect("a library");
    }
    write_databases(&mut writer, keyspace).expect("all keys can be written");
    writer.finish().expect("the end");
    rdb
}

fn there_and_back(original: &Saved, binary: &Binary) {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let mut loader = Loader::new(&mut keyspace, binary.line, &|_| true);
    let found = walk(&original.rdb, &mut loader, &Silent).expect("a sound RDB");
    let beside = loader.finish().expect("all can be held");
    assert_eq!(keyspace.len() as u64, found.keys);
    assert_eq!(digest(&keyspace, binary.line), original.digest);

    let own = Target::of(binary.line).expect("a version of its own");
    let mut needs = needs_of_all(&keyspace);
    if !beside.functions.is_empty() {
        needs.add(Feature::Functions);
    }
    assert_eq!(needs.missing(own), None, "its own version can hold it");
    let lowest = needs.lowest(binary.line.product).expect("its own can");
    for target in [own, lowest] {
        let rdb = written(&keyspace, &beside, target);
        let what = format!("{target} on {}", binary.line);
        let (loaded, deep) = load(binary, &rdb, As::Base, true);
        assert_eq!(loaded, original.digest, "{what}");
        same(&deep, &original.deep, |_| true, &what);
    }
}

/// Where each record begins.
#[derive(Default)]
struct Places(Vec<(u64, u64, Vec<u8>)>);

impl<'a> Visitor<'a> for Places {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.push((key.db, key.offset, key.name.to_vec()));
        Want::Skip
    }
}

/// Two shares of the keys, each read at the places that a walk told, in backward order.
fn one_by_one(binary: &Binary) {
    let original = original(binary, &[], |_| {});
    let mut places = Places::default();
    walk(&original.rdb, &mut places, &Silent).expect("a sound RDB");
    let mut sum = Sum::default();
    let mut keys = 0;
    for share in [0, 1] {
        let owns = |key: &[u8]| key.len() % 2 == share;
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let mut records = Records::new(&original.rdb).expect("a sound header");
        let mut loader = Loader::new(&mut keyspace, binary.line, &owns);
        for (db, offset, _) in places.0.iter().rev() {
            records.read(*db, *offset, &mut loader).expect("a record");
        }
        loader.finish().expect("all can be held");
        assert!(keyspace.databases().flat_map(|db| db.entries()).all(|entry| owns(entry.key())));
        keys += keyspace.len();
        let mut part = Sum::default();
        part.add_all(&keyspace, Flavour::of(binary.line));
        sum.join(&part);
    }
    assert_eq!(keys, places.0.len());
    assert_eq!(sum.finish().to_string(), original.digest);
}
