//! A log replayed in shards has the same result as its commands run one by one.

use proptest::prelude::*;

use super::*;
use crate::aof::read_args;
use crate::base::progress::Silent;
use crate::base::server::redis;
use crate::command::{Call, Context, Position, Warnings, lookup};
use crate::input::files::open_files;
use crate::keyspace::fingerprint::{Detail, Fingerprint};
use crate::keyspace::{Bump, Keyspace};

/// Builds a log of these commands, whose arguments are separated by blanks.
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
        server: Some(redis(7, 0)),
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        time_ms: Some(0),
        threads,
    }
}

/// Returns the fingerprint after a replay in shards, and the statistics.
fn replayed(log: &[u8], route_options: &RouteOptions, threads: usize) -> (String, ReplayStats) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log).expect("it is written");
    let log = open_files(file.path()).expect("a log");
    let routing = route(&log, route_options, &Silent).expect("it is routed");
    let mut whole = Fingerprint::default();
    let mut stats = ReplayStats::default();
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
            stats.join(replay(routed, &options(threads), &Silent, make, take)?);
            Ok(())
        })
        .expect("it is replayed");
    (whole.to_string(), stats)
}

/// The reference: every command on one data set, in the order of the log.
fn one_by_one(log: &[u8]) -> String {
    one_by_one_without(log, &CutList::new())
}

/// The reference for omitted ranges: commands in them are not run, except for SELECT.
fn one_by_one_without(log: &[u8], cut: &CutList) -> String {
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
        } else if !cut.omits(0, at as u64) {
            let _ = row.run(&mut Call {
                args: &args,
                frame: &log[at..end],
                at: Position::default(),
                db,
                keyspace: &mut keyspace,
                context: &context,
                warnings: &mut Warnings::default(),
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

/// Some commands are copied, and some are left in the log: long ones, adjacent ones, and those for
/// which there is no space.
#[test]
fn commands_left_in_the_log_run_in_order() {
    let mut commands = Vec::new();
    for number in 0..10_000_u32 {
        // The order of keys makes consecutive commands of a shard far apart; each tenth is written
        // twice in a row.
        let key = number * 7919 % 500;
        commands.push(format!("RPUSH key:{key} {number}"));
        if number % 10 == 0 {
            commands.push(format!("APPEND text:{key} {number}"));
            commands.push(format!("APPEND text:{key} -"));
        }
        if number % 4 == 0 {
            // About as long as the limit for copying.
            let value = "x".repeat(4040 + number as usize % 40);
            commands.push(format!("RPUSH key:{key} {value}"));
        }
    }
    let log = log_of(&commands);
    // Several segments.
    assert!(log.len() > 9 << 20);
    let expected = one_by_one(&log);
    for (memory, threads) in [(None, 1), (None, 3), (Some(100_000), 2), (Some(3_000_000), 2)] {
        let route_options = RouteOptions { memory, ..RouteOptions::default() };
        let (fingerprint, stats) = replayed(&log, &route_options, threads);
        assert_eq!(fingerprint, expected, "{memory:?} {threads}");
        assert_eq!(stats.commands, commands.len() as u64);
    }
}

/// A command of many keys is run for each of them in its shard: from a copy, or from the log if it is long or there is no space.
#[test]
fn commands_of_many_keys_are_split_between_shards() {
    let mut commands = Vec::new();
    for number in 0..3_000_usize {
        let key = |nth: usize| format!("key:{}", number * 7919 % 991 + nth * 13);
        let value = |nth: usize| match (number + nth) % 50 {
            0 => "v".repeat(4000 + nth),
            1 => String::new(),
            _ => format!("{number}-{nth}"),
        };
        let count = 2 + number % 40;
        match number % 5 {
            0 => commands.push(format!("RPUSH list:{number} x")),
            1 => {
                let keys: Vec<String> = (0..count).map(key).collect();
                commands.push(format!("{} {}", ["DEL", "unlink"][number % 2], keys.join(" ")));
            }
            _ => {
                let pairs = (0..count).map(|nth| format!("{} {}", key(nth), value(nth)));
                let pairs: Vec<String> = pairs.collect();
                // The last pair again, with another value.
                commands.push(format!("MSET {} {} again", pairs.join(" "), key(count - 1)));
            }
        }
        if number % 100 == 0 {
            commands.push(format!("SELECT {}", number % 3));
            // They fail, and have no effect.
            commands.push("MSET key:1 1 key:2".to_owned());
        }
    }
    let log = log_of(&commands);
    let expected = one_by_one(&log);
    for (memory, threads) in [(None, 1), (None, 3), (Some(100_000), 2), (Some(3_000_000), 2)] {
        let route_options = RouteOptions { memory, ..RouteOptions::default() };
        let (fingerprint, stats) = replayed(&log, &route_options, threads);
        assert_eq!(fingerprint, expected, "{memory:?} {threads}");
        let failed: u64 = stats.failed.values().map(|(count, _)| count).sum();
        assert_eq!(failed, 30, "{memory:?} {threads}");
    }
}

/// The bytes of a command of several keys are counted once, for the prefix of each key.
#[test]
fn prefixes_of_split_commands_are_counted_for_each_key() {
    let log = log_of(&["MSET user:1 a job:1 bb user:2 ccc", "SET user:3 x", "DEL job:1 job:2"]);
    let (_, stats) = replayed(&log, &RouteOptions::default(), 1);
    let bytes = |prefix: &str| stats.prefixes.0.get(prefix.as_bytes()).copied();
    let set = "*3\r\n$3\r\nSET\r\n$6\r\nuser:3\r\n$1\r\nx\r\n".len();
    let user = "$6\r\nuser:1\r\n$1\r\na\r\n$6\r\nuser:2\r\n$3\r\nccc\r\n".len() + set;
    let job = "$5\r\njob:1\r\n$2\r\nbb\r\n$5\r\njob:1\r\n$5\r\njob:2\r\n".len();
    assert_eq!((bytes("user:"), bytes("job:")), (Some(user as u64), Some(job as u64)));
}

/// The keys of a command that an observer sees in a shard, and the length of the command.
struct Seen;

impl ShardObserver for Seen {
    type Observer<'a> = KeysSeen;
    type Made = KeysSeen;
    const SPLITS: bool = true;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> KeysSeen {
        KeysSeen::default()
    }

    fn finish<'a>(
        &self,
        _: usize,
        seen: KeysSeen,
        _: &mut Keyspace<'a>,
    ) -> crate::base::error::Result<KeysSeen> {
        Ok(seen)
    }
}

#[derive(Default)]
struct KeysSeen(Vec<(Vec<u8>, bool, usize)>);

impl<'a> Observer<'a> for KeysSeen {
    fn before(&mut self, seen: &Observed<'_, 'a>, _: &mut Keyspace<'a>) {
        let keys = seen.args[1..].iter().step_by(if seen.args[0] == b"MSET" { 2 } else { 1 });
        assert!(keys.clone().all(|key| (seen.owns)(key)));
        self.0.extend(keys.map(|key| (key.to_vec(), seen.is_split, seen.length())));
    }
}

#[test]
fn observers_see_the_keys_of_their_shard_and_the_length_of_the_command() {
    let commands = ["MSET a 1 b 22 c 333", "DEL a d", "DEL e"];
    let log = log_of(&commands);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &log).expect("it is written");
    let log = open_files(file.path()).expect("a log");
    let routing = route(&log, &RouteOptions::default(), &Silent).expect("it is routed");
    let mut all = Vec::new();
    let take = |_, seen: KeysSeen| {
        all.extend(seen.0);
        Ok(())
    };
    replay_watched(routing.whole(), &options(1), &Silent, &Seen, take).expect("it is replayed");
    all.sort();
    let length = |command: usize| log_of(&commands[command..=command]).len();
    let expected = [("a", 0), ("a", 1), ("b", 0), ("c", 0), ("d", 1), ("e", 2)]
        .map(|(key, command)| (key.as_bytes().to_vec(), command < 2, length(command)));
    let mut expected = expected.to_vec();
    expected.sort();
    assert_eq!(all, expected);
}

proptest! {
    #[test]
    fn sharded_replay_equals_sequential_replay(
        mut commands in proptest::collection::vec(command(), 0..120),
        memory in proptest::option::of(1..200_u64),
    ) {
        // Closes any open transaction, which would not run.
        commands.extend(["MULTI".to_owned(), "EXEC".to_owned()]);
        let log = log_of(&commands);
        let route = RouteOptions { memory, ..RouteOptions::default() };
        let (found, _) = replayed(&log, &route, 2);
        prop_assert_eq!(found, one_by_one(&log));
    }
}

/// Returns the offset of each command of a log, and the end of the last.
fn places(log: &[u8]) -> Vec<u64> {
    let (mut at, mut places, mut args) = (0, vec![0], Vec::new());
    while let Some(end) = read_args(log, at, &mut args) {
        places.push(end as u64);
        at = end;
    }
    places
}

fn fingerprint(keyspace: &Keyspace<'_>) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.add_all(keyspace, Detail::All);
    fingerprint
}

/// Takes the fingerprint of a shard at an offset in the log.
struct At(u64);

struct AtPlace {
    place: u64,
    seen: Option<Fingerprint>,
}

impl<'a> Observer<'a> for AtPlace {
    fn before(&mut self, seen: &Observed<'_, 'a>, keyspace: &mut Keyspace<'a>) {
        if seen.at.offset >= self.place && self.seen.is_none() {
            self.seen = Some(fingerprint(keyspace));
        }
    }
}

impl ShardObserver for At {
    type Observer<'a> = AtPlace;
    type Made = Fingerprint;

    fn begin<'a>(&self, _: usize, _: &Keyspace<'a>) -> AtPlace {
        AtPlace { place: self.0, seen: None }
    }

    fn finish<'a>(
        &self,
        _: usize,
        observer: AtPlace,
        keyspace: &mut Keyspace<'a>,
    ) -> crate::base::error::Result<Fingerprint> {
        Ok(observer.seen.unwrap_or_else(|| fingerprint(keyspace)))
    }
}

proptest! {
    #[test]
    fn an_observer_sees_the_data_at_an_offset(
        mut commands in proptest::collection::vec(command(), 1..80),
        at in any::<proptest::sample::Index>(),
    ) {
        commands.extend(["MULTI".to_owned(), "EXEC".to_owned()]);
        let bytes = log_of(&commands);
        let places = places(&bytes);
        let place = places[at.index(places.len())];
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("it is written");
        let log = open_files(file.path()).expect("a log");
        let route_options = RouteOptions { keep_dead: true, ..RouteOptions::default() };
        let routing = route(&log, &route_options, &Silent).expect("it is routed");
        let mut whole = Fingerprint::default();
        let take = |_, part: Fingerprint| {
            whole.join(&part);
            Ok(())
        };
        replay_watched(routing.whole(), &options(2), &Silent, &At(place), take).expect("replayed");
        let before = usize::try_from(place).expect("small");
        prop_assert_eq!(whole.to_string(), one_by_one(&bytes[..before]));
    }

    #[test]
    fn omitted_commands_are_not_run(
        mut commands in proptest::collection::vec(command(), 1..80),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..20),
        memory in proptest::option::of(1..200_u64),
        keep_dead in any::<bool>(),
    ) {
        // MULTI and EXEC outside the omitted range would form a different transaction.
        commands.retain(|command| command != "MULTI" && command != "EXEC");
        let bytes = log_of(&commands);
        let places = places(&bytes);
        let mut cut = CutList::new();
        for at in cuts.iter().filter(|_| places.len() > 1) {
            let at = at.index(places.len() - 1);
            cut.cut(0, places[at]..places[at + 1]);
        }
        let expected = one_by_one_without(&bytes, &cut);
        let route = RouteOptions { memory, keep_dead, cut, ..RouteOptions::default() };
        prop_assert_eq!(replayed(&bytes, &route, 2).0, expected);
    }

    #[test]
    fn two_views_of_a_log_are_joined_by_shard(
        commands in proptest::collection::vec(command(), 1..80),
        at in any::<proptest::sample::Index>(),
        memory in proptest::option::of(1..200_u64),
    ) {
        let mut commands = commands;
        commands.retain(|command| command != "MULTI" && command != "EXEC");
        let bytes = log_of(&commands);
        let places = places(&bytes);
        let place = places[at.index(places.len())];
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &bytes).expect("it is written");
        let log = open_files(file.path()).expect("a log");
        let view = |range| {
            let mut cut = CutList::new();
            cut.cut(0, range);
            RouteOptions { cut, memory, ..RouteOptions::default() }
        };
        let (before, after) = (view(place..u64::MAX), view(0..place));
        let pair = route_together([(&log, &before), (&log, &after)], &Silent).expect("routed");
        let mut wholes = [Fingerprint::default(), Fingerprint::default()];
        let run = options(2);
        pair.each(&Silent, |routed| {
            let make = |_, [one, other]: [&mut Keyspace<'_>; 2]| {
                // A key of both sides is in the same shard of both.
                Ok([fingerprint(one), fingerprint(other)])
            };
            let take = |_, parts: [Fingerprint; 2]| {
                wholes.iter_mut().zip(&parts).for_each(|(whole, part)| whole.join(part));
                Ok(())
            };
            replay_pair(routed, [&run, &run], &Silent, make, take).map(drop)
        })
        .expect("replayed");
        let [one, other] = wholes.map(|whole| whole.to_string());
        prop_assert_eq!(one, one_by_one_without(&bytes, &before.cut));
        prop_assert_eq!(other, one_by_one_without(&bytes, &after.cut));
    }
}

#[test]
fn keys_are_in_the_same_shard_of_both_views_if_tied_in_one() {
    let mut commands: Vec<String> = (0..200).map(|n| format!("SET key:{n} old")).collect();
    let flush = log_of(&commands).len() as u64;
    commands.extend((0..200).map(|n| format!("SET key:{n} new")));
    commands.extend((0..100).map(|n| format!("SUNIONSTORE key:{n} key:{} none", n + 100)));
    commands.extend((0..199).map(|n| format!("RENAME key:{n} key:{}", n + 1)));
    let bytes = log_of(&commands);
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &bytes).expect("it is written");
    let log = open_files(file.path()).expect("a log");
    let view = |range| {
        let mut cut = CutList::new();
        cut.cut(0, range);
        RouteOptions { cut, ..RouteOptions::default() }
    };
    let (before, after) = (view(flush..u64::MAX), view(0..flush));
    let pair = route_together([(&log, &before), (&log, &after)], &Silent).expect("routed");
    let run = options(1);
    let mut met = 0;
    let make = |_, [one, other]: [&mut Keyspace<'_>; 2]| {
        let one = one.db(0);
        Ok(other.db(0).entries().filter(|entry| one.contains(entry.key())).count())
    };
    let take = |_, keys: usize| {
        met += keys;
        Ok(())
    };
    replay_pair(pair.whole(), [&run, &run], &Silent, make, take).expect("replayed");
    // All were renamed into the last.
    assert_eq!(met, 1);
}

#[test]
fn one_key_is_replayed_with_its_tied_keys_and_few_others() {
    let mut commands: Vec<String> = (0..500).map(|n| format!("SET key:{n} {n}")).collect();
    commands.extend(["RENAME key:1 moved".to_owned(), "RENAME moved again".to_owned()]);
    let only = Some(b"again".to_vec());
    let route = RouteOptions { only, ..RouteOptions::default() };
    let (_, stats) = replayed(&log_of(&commands), &route, 1);
    assert!(stats.failed.is_empty(), "{:?}", stats.failed);
    assert!((3..50).contains(&stats.commands), "{}", stats.commands);
}

#[test]
fn an_open_transaction_at_the_end_does_not_run_and_its_flush_does_not_count() {
    let before = log_of(&["SET a 1", "SET b 2"]);
    let log = [before.clone(), log_of(&["MULTI", "SET a 9", "FLUSHALL", "SET c 3"])].concat();
    let route = RouteOptions::default();
    assert_eq!(replayed(&log, &route, 1).0, one_by_one(&before));
}

#[test]
fn failures_are_counted_once_whatever_their_shards() {
    let commands =
        ["SET a 1", "RPUSH a x", "FLUSHDB now", "MSET a 1 b", "LPUSH a y", "RENAME none such"];
    let (_, stats) = replayed(&log_of(&commands), &RouteOptions::default(), 2);
    let failed: Vec<(&str, u64)> =
        stats.failed.iter().map(|((id, _), (count, _))| (id.row().name, *count)).collect();
    let expected = [("LPUSH", 1), ("RPUSH", 1), ("MSET", 1), ("FLUSHDB", 1), ("RENAME", 1)];
    for one in expected {
        assert!(failed.contains(&one), "{one:?} among {failed:?}");
    }
    assert_eq!(failed.len(), expected.len(), "{failed:?}");
}

#[test]
fn all_slices_together_equal_the_whole() {
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
fn sort_by_pattern_sees_all_keys() {
    let mut commands: Vec<String> =
        (0..50).map(|n| format!("SET weight:{n} {}", (n * 37) % 50)).collect();
    commands.extend((0..50).map(|n| format!("RPUSH list {n}")));
    commands.push("SORT list BY weight:* GET weight:* GET # STORE sorted".to_owned());
    let log = log_of(&commands);
    assert_eq!(replayed(&log, &RouteOptions::default(), 2).0, one_by_one(&log));
}

#[test]
fn a_panicking_worker_does_not_block_the_others() {
    let commands: Vec<String> = (0..500).map(|n| format!("SET key:{n} {n}")).collect();
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), log_of(&commands)).expect("it is written");
    let log = open_files(file.path()).expect("a log");
    let routing = route(&log, &RouteOptions::default(), &Silent).expect("it is routed");
    let make = |shard, _: &mut Keyspace<'_>| match shard {
        3 => panic!("on purpose"),
        shard => Ok(shard),
    };
    let ended = std::panic::catch_unwind(|| {
        let _ = replay(routing.whole(), &options(2), &Silent, make, |_, _| Ok(()));
    });
    assert!(ended.is_err());
}
