//! A log replayed in shares leaves what it leaves when its commands run one after the other.

use proptest::prelude::*;

use super::*;
use crate::aof::open;
use crate::aof::read_args;
use crate::command::{Call, Context, Notes, Position, lookup};
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Bump, Keyspace};
use crate::progress::Silent;
use crate::server::redis;

/// A log of these commands, whose arguments are separated by blanks.
fn log_of<S: AsRef<str>>(commands: &[S]) -> Vec<u8> {
    let mut log = Vec::new();
    for command in commands {
        let args: Vec<&str> = command.as_ref().split(' ').collect();
        log.extend(format!("*{}\r\n", args.len()).into_bytes());
        for arg in args {
            log.extend(format!("${}\r\n{arg}\r\n", arg.len()).into_bytes());
        }
    }
    log
}

fn options(threads: usize) -> ReplayOptions {
    ReplayOptions {
        server: redis(7, 0),
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        time_ms: Some(0),
        threads,
    }
}

/// The fingerprint after a replay in shares, and what happened.
fn replayed(log: &[u8], route_options: &RouteOptions, threads: usize) -> (String, Happened) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log).expect("it is written");
    let log = open(file.path()).expect("a log");
    let routing = route(&log, route_options, &Silent).expect("it is routed");
    let mut whole = Fingerprint::default();
    let mut happened = Happened::default();
    routing
        .each(&Silent, |routed| {
            let make = |_, keyspace: &mut Keyspace<'_>| {
                let mut fingerprint = Fingerprint::default();
                fingerprint.add_all(keyspace, Detail::All);
                Ok(fingerprint)
            };
            let take = |_, fingerprint: Fingerprint| {
                whole.join(&fingerprint);
                Ok(())
            };
            happened.join(replay(routed, &options(threads), &Silent, make, take)?);
            Ok(())
        })
        .expect("it is replayed");
    (whole.to_string(), happened)
}

/// The definition: every command on one data set, in the order of the log.
fn one_by_one(log: &[u8]) -> String {
    let arena = Bump::new();
    let mut keyspace = Keyspace::new(&arena);
    let (clock, owns) = (|_: Position| 0, |_: &[u8]| true);
    let context = Context {
        server: redis(7, 0),
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        clock: &clock,
        owns: &owns,
    };
    let (mut at, mut db, mut args) = (0, 0, Vec::new());
    while at < log.len() {
        let end = read_args(log, at, &mut args).expect("a frame");
        let row = lookup(args[0]).expect("a command").row();
        if row.name == "SELECT" {
            db = std::str::from_utf8(args[1]).expect("text").parse().expect("a number");
        } else {
            let _ = row.run(&mut Call {
                args: &args,
                frame: &log[at..end],
                at: Position::default(),
                db,
                keyspace: &mut keyspace,
                context: &context,
                notes: &mut Notes::default(),
            });
        }
        at = end;
    }
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_all(&keyspace, Detail::All);
    fingerprint.to_string()
}

/// Commands on a few keys, many of which tie them together or concern all of them.
fn command() -> impl Strategy<Value = String> {
    let key = || (0..12_u32).prop_map(|n| format!("key:{n}"));
    prop_oneof![
        6 => (key(), 0..100_u32).prop_map(|(k, v)| format!("SET {k} {v}")),
        4 => (key(), 0..9_u32).prop_map(|(k, v)| format!("RPUSH {k} {v} x")),
        4 => (key(), 0..9_u32).prop_map(|(k, v)| format!("SADD {k} {v} y")),
        2 => key().prop_map(|k| format!("INCR {k}")),
        2 => (key(), key(), key()).prop_map(|(a, b, c)| format!("MSET {a} 1 {b} 2 {c} 3")),
        2 => (key(), key()).prop_map(|(a, b)| format!("DEL {a} {b}")),
        2 => (key(), key()).prop_map(|(a, b)| format!("MSETNX {a} 1 {b} 2")),
        2 => (key(), key()).prop_map(|(a, b)| format!("RENAME {a} {b}")),
        1 => (key(), key()).prop_map(|(a, b)| format!("LMOVE {a} {b} LEFT RIGHT")),
        1 => (key(), key(), key()).prop_map(|(a, b, c)| format!("SUNIONSTORE {a} {b} {c}")),
        1 => (key(), 0..4_u32).prop_map(|(k, n)| format!("MOVE {k} {n}")),
        1 => (key(), key(), 0..4_u32).prop_map(|(a, b, n)| format!("COPY {a} {b} DB {n}")),
        1 => (key(), key()).prop_map(|(a, b)| format!("SORT {a} BY key:* STORE {b}")),
        3 => (0..4_u32).prop_map(|n| format!("SELECT {n}")),
        1 => (0..4_u32, 0..4_u32).prop_map(|(a, b)| format!("SWAPDB {a} {b}")),
        1 => Just("FLUSHDB".to_owned()),
        1 => Just("FLUSHALL ASYNC".to_owned()),
        1 => Just("FLUSHALL never".to_owned()),
        2 => Just("MULTI".to_owned()),
        2 => Just("EXEC".to_owned()),
        1 => Just("PING".to_owned()),
    ]
}

proptest! {
    #[test]
    fn shares_leave_what_the_whole_leaves(
        mut commands in proptest::collection::vec(command(), 0..120),
        memory in proptest::option::of(1..200_u64),
    ) {
        // Closes what may be open: an open transaction does not run.
        commands.extend(["MULTI".to_owned(), "EXEC".to_owned()]);
        let log = log_of(&commands);
        let route = RouteOptions { memory, ..RouteOptions::default() };
        let (found, _) = replayed(&log, &route, 2);
        prop_assert_eq!(found, one_by_one(&log));
    }
}

#[test]
fn an_open_transaction_at_the_end_does_not_run_and_its_flush_does_not_count() {
    let before = log_of(&["SET a 1", "SET b 2"]);
    let log = [before.clone(), log_of(&["MULTI", "SET a 9", "FLUSHALL", "SET c 3"])].concat();
    let route = RouteOptions::default();
    assert_eq!(replayed(&log, &route, 1).0, one_by_one(&before));
}

#[test]
fn what_fails_is_counted_once_wherever_its_keys_are() {
    let commands =
        ["SET a 1", "RPUSH a x", "FLUSHDB now", "MSET a 1 b", "LPUSH a y", "RENAME none such"];
    let (_, happened) = replayed(&log_of(&commands), &RouteOptions::default(), 2);
    let failed: Vec<(&str, u64)> =
        happened.failed.iter().map(|((id, _), (count, _))| (id.row().name, *count)).collect();
    let expected = [("LPUSH", 1), ("RPUSH", 1), ("MSET", 1), ("FLUSHDB", 1), ("RENAME", 1)];
    for one in expected {
        assert!(failed.contains(&one), "{one:?} among {failed:?}");
    }
    assert_eq!(failed.len(), expected.len(), "{failed:?}");
}

#[test]
fn slices_together_are_the_whole() {
    let commands: Vec<String> = (0..500).map(|n| format!("SET key:{n} {n}")).collect();
    let log = log_of(&commands);
    let of = |number| {
        let slice = Some(Slice { number, of: 3 });
        replayed(&log, &RouteOptions { slice, ..RouteOptions::default() }, 1).1.commands
    };
    assert_eq!(of(1) + of(2) + of(3), 500);
    assert!(of(1) > 100 && of(2) > 100 && of(3) > 100);
}

#[test]
fn a_sort_by_the_values_of_other_keys_sees_them_all() {
    let mut commands: Vec<String> =
        (0..50).map(|n| format!("SET weight:{n} {}", (n * 37) % 50)).collect();
    commands.extend((0..50).map(|n| format!("RPUSH list {n}")));
    commands.push("SORT list BY weight:* GET weight:* GET # STORE sorted".to_owned());
    let log = log_of(&commands);
    assert_eq!(replayed(&log, &RouteOptions::default(), 2).0, one_by_one(&log));
}

#[test]
fn a_worker_that_panics_lets_nobody_wait_for_ever() {
    let commands: Vec<String> = (0..500).map(|n| format!("SET key:{n} {n}")).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log_of(&commands)).expect("it is written");
    let log = open(file.path()).expect("a log");
    let routing = route(&log, &RouteOptions::default(), &Silent).expect("it is routed");
    let make = |share, _: &mut Keyspace<'_>| match share {
        3 => panic!("on purpose"),
        share => Ok(share),
    };
    let ended = std::panic::catch_unwind(|| {
        let _ = replay(routing.whole(), &options(2), &Silent, make, |_, _| Ok(()));
    });
    assert!(ended.is_err());
}
