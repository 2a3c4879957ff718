//! What is removed of keys, and how it is counted.

use super::*;
use crate::base::modules::Modules;
use crate::base::server::{Server, redis, valkey};
use crate::keyspace::{Bump, ExpiringMember, Set};
use crate::rdb::Target;

const NOW_MS: i64 = 1_600_000_000_000;

fn lost(keyspace: &mut Keyspace<'_>, server: Server, encoding: Encoding) -> Vec<(LossKind, u64)> {
    let modules = Modules::default();
    let to = Destination {
        server,
        encoding,
        modules: &modules,
        has_consumer_times: true,
        now_ms: NOW_MS,
    };
    let losses = fit(keyspace, &to, &|_, _| true);
    losses.iter().map(|(kind, lost)| (kind, lost.count)).collect()
}

fn set<'a>(members: &[&'a [u8]]) -> Value<'a> {
    let mut set = Set::default();
    members.iter().for_each(|member| assert!(set.insert(member)));
    Value::Set(Box::new(set))
}

#[test]
fn metadata_of_modules_is_counted_and_removed_in_every_form() {
    let newest = Target::for_server(redis(8, 6)).expect("a version");
    for encoding in [Encoding::Commands, Encoding::Rdb(newest)] {
        let arena = Bump::new();
        let mut keyspace = Keyspace::new(&arena);
        let entry = keyspace.db(0).set(b"s", set(&[b"a"]));
        let meta = KeyMeta { items: vec![(7, b"x\0"), (8, b"y\0")], ..KeyMeta::default() };
        entry.set_meta(Some(Box::new(meta)));
        assert_eq!(lost(&mut keyspace, redis(8, 6), encoding), [(LossKind::KeyMetadata, 2)]);
        assert!(!keyspace.db(0).get(b"s").expect("the key stays").has_metadata());
        assert_eq!(lost(&mut keyspace, redis(8, 6), encoding), [], "nothing is left to remove");
    }
}

#[test]
fn a_set_whose_members_have_all_passed_is_removed() {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let entry = keyspace.db(3).set(b"s", set(&[b"a"]));
    entry.add_expiring_member(ExpiringMember { name: b"a", expires_ms: NOW_MS - 1 });
    // It was removed since, so that its expiry is of no account.
    entry.add_expiring_member(ExpiringMember { name: b"gone", expires_ms: NOW_MS + 1 });
    let found = lost(&mut keyspace, valkey(9, 1), Encoding::Commands);
    assert_eq!(found, [(LossKind::PassedFields, 1)]);
    assert!(keyspace.is_empty());
}

#[test]
fn keys_that_are_not_wanted_are_not_changed() {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    keyspace.db(0).set(b"module", Value::Module(b"\x81\xbd\xe7\x2d\xa2\xbb\x1e\xb4\0\0"));
    let modules = Modules::default();
    let to = Destination {
        server: redis(7, 0),
        encoding: Encoding::Commands,
        modules: &modules,
        has_consumer_times: true,
        now_ms: NOW_MS,
    };
    assert!(fit(&mut keyspace, &to, &|_, _| false).is_empty());
    assert_eq!(keyspace.len(), 1);
    let losses = fit(&mut keyspace, &to, &|_, _| true);
    let examples: Vec<_> = losses.iter().map(|(kind, lost)| (kind, &lost.examples[..])).collect();
    assert_eq!(examples, [(LossKind::VectorSet, &[(Some(0), b"module".to_vec())][..])]);
    assert!(keyspace.is_empty());
}

#[test]
fn only_some_keys_are_named_and_all_are_counted() {
    let mut all = Losses::default();
    for shard in 0..4_u32 {
        let mut losses = Losses::default();
        for key in 0..3 {
            losses.add(LossKind::Array, (shard, format!("{shard}{key}").as_bytes()), 2, shard < 3);
        }
        all.join(losses);
    }
    let (kind, lost) = all.iter().next().expect("one kind");
    assert_eq!((kind, lost.count, lost.keys, lost.examples.len()), (LossKind::Array, 24, 12, 5));
    assert_eq!(lost.examples[4], (Some(1), b"11".to_vec()));
    assert!(!lost.in_other_encoding, "not of all of them");
}
