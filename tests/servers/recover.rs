//! Real accidents, end to end: a server is flushed and stopped, its log recovered, and the server started on that:
//! the data must be what they were.

use std::fs;
use std::path::Path;

use aofkit::analysis::position::Position;
use aofkit::base::glob::Glob;
use aofkit::base::progress::Silent;
use aofkit::ops::recover::{
    Choice, Expired, Options, Output, RecoverReport, SurvivorKind, Verdict, Winner, recover,
};
use aofkit::replay::{ReplayOptions, RouteOptions};
use libtest_mimic::Trial;

use super::rewrite::{one, rewritten};
use crate::support::server::{Binary, Running};
use crate::support::twin::{Random, args};
use crate::support::{LINES, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "recover::a_flush_is_undone", a_flush_is_undone);
    trials.extend(on_each(&LINES, "recover::one_of_two_flushes_is_undone", one_of_two));
    trials.extend(on_each(&LINES, "recover::later_writes_are_kept", later_writes));
    trials.extend(on_each(&LINES[1..], "recover::history_brings_it_back", history));
    trials
}

/// How many accidents of a sort are made; AOFKIT_SEQUENCES has more of them for a run by hand.
fn accidents() -> u64 {
    std::env::var("AOFKIT_SEQUENCES").map_or(3, |n| n.parse().expect("a number"))
}

/// Commands before a flush.
const COMMANDS: usize = 300;

fn config(seed: u64) -> [(&'static str, &'static str); 3] {
    let preamble = if seed.is_multiple_of(2) { "yes" } else { "no" };
    [("appendonly", "yes"), ("appendfsync", "no"), ("aof-use-rdb-preamble", preamble)]
}

/// A server with data of every type, some of it in a base that it has rewritten, and started anew, for a loader
/// does not do all that was done before. Gives its digest, too.
fn with_data(binary: &Binary, data: &Path, seed: u64) -> (Running, String) {
    let config = config(seed);
    let mut random = Random::new(seed);
    let mut server = Running::start(binary, data, &config).expect("it starts");
    for number in 0..COMMANDS {
        // What was deleted before a flush would be undeleted, too.
        let command = one(&mut random);
        if command[0] != b"DEL" {
            server.client.call(&command);
        }
        if number == COMMANDS / 2 {
            rewritten(&mut server, data);
        }
    }
    assert!(server.shut_down().success());
    let mut server = Running::start(binary, data, &config).expect("it starts again");
    let digest = server.digest();
    assert!(server.keys() > 0);
    (server, digest)
}

fn options(binary: &Binary, choice: Choice, output: Output) -> Options {
    Options {
        choice,
        output,
        db: None,
        expired: Expired::Drop,
        now_ms: 1_800_000_000_000,
        survivor: None,
        server: Some(binary.line),
        preview: true,
        force: false,
        route: RouteOptions::default(),
        replay: ReplayOptions {
            server: binary.line,
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 2,
        },
    }
}

fn look(binary: &Binary, data: &Path) -> RecoverReport {
    recover(data, &options(binary, Choice::Look, Output::DryRun), &Silent).expect("a look")
}

/// Recovers to a new place, puts that in place of the log as the report says, and starts the server on it.
fn recovered(
    binary: &Binary,
    data: &Path,
    seed: u64,
    choice: Choice,
    survivor: Option<u64>,
) -> Running {
    let place = tempfile::tempdir().expect("a directory");
    let new = place.path().join("recovered");
    let options = Options { survivor, ..options(binary, choice.clone(), Output::New(new.clone())) };
    let report = recover(data, &options, &Silent)
        .unwrap_or_else(|error| panic!("{choice:?} on {}: {error}", binary.line));
    assert!(report.done.is_some_and(|done| done.written.as_deref() == Some(&*new)));
    let log = match binary.line.has_redis(7, 0) {
        true => data.join("appendonlydir"),
        false => data.join("appendonly.aof"),
    };
    let old = place.path().join("old");
    fs::rename(&log, &old).expect("the old one is put aside");
    copy(&new, &log);
    let server = Running::start(binary, data, &config(seed));
    let server = server.unwrap_or_else(|ended| panic!("{choice:?}: {}", ended.log));
    assert!(!server.log().contains("CRITICAL"), "{}", server.log());
    server
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("it is copied");
        return;
    }
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("it is copied");
    }
}

/// FLUSHALL in one of its forms.
fn flush(server: &mut Running, seed: u64) {
    match seed % 3 {
        0 => server.client.call(&["FLUSHALL"]),
        1 => server.client.call(&["flushall", "async"]),
        _ => {
            server.client.call(&["MULTI"]);
            server.client.call(&["FLUSHALL"]);
            server.client.call(&["EXEC"])
        }
    };
    assert_eq!(server.keys(), 0);
}

fn a_flush_is_undone(binary: &Binary) {
    for seed in 0..accidents() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        let keys = server.keys();
        flush(&mut server, seed);
        assert!(server.shut_down().success());
        let seen = look(binary, data.path());
        assert!(matches!(seen.verdict, Verdict::EndsInFlush { .. }), "{:?}", seen.verdict);
        assert_eq!(seen.before.map(|held| held.total), Some(keys), "{}, seed {seed}", binary.line);
        // In place, where the server finds it.
        let in_place = options(binary, Choice::Strip, Output::InPlace);
        recover(data.path(), &in_place, &Silent).expect("it is recovered");
        let mut server = Running::start(binary, data.path(), &config(seed)).expect("it starts");
        assert_eq!(server.digest(), digest, "{}, seed {seed}", binary.line);
    }
}

fn one_of_two(binary: &Binary) {
    for seed in 1..accidents() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, first) = with_data(binary, data.path(), seed);
        flush(&mut server, seed);
        for line in ["SELECT 0", "SET second 1", "SELECT 3", "RPUSH other a b"] {
            server.client.call(&args(line));
        }
        let second = server.digest();
        flush(&mut server, seed + 1);
        assert!(server.shut_down().success());
        let at = look(binary, data.path()).events[0].ordinal;
        let mut server = recovered(binary, data.path(), seed, Choice::Strip, None);
        assert_eq!(server.digest(), second, "{}, seed {seed}", binary.line);
        // What was recovered still has the first flush in it.
        assert!(server.shut_down().success());
        let until = Choice::Until(Position::Ordinal(at));
        let mut server = recovered(binary, data.path(), seed, until, None);
        assert_eq!(server.digest(), first, "{}, seed {seed}", binary.line);
    }
}

fn later_writes(binary: &Binary) {
    let choices = [
        Choice::Excise(vec![1]),
        Choice::Merge { winner: Winner::Newer, event: Some(1) },
        Choice::Merge { winner: Winner::Older, event: None },
        Choice::Undelete(vec![Glob::new("*")]),
    ];
    for (seed, choice) in (0..accidents() + 1).zip(choices.iter().cycle()) {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        flush(&mut server, seed);
        server.client.call(&["SELECT", "0"]);
        server.client.call(&["SET", "later", "1"]);
        server.client.call(&["HSET", "later:hash", "f", "v"]);
        assert!(server.shut_down().success());
        let seen = look(binary, data.path());
        assert!(matches!(seen.verdict, Verdict::FlushWithin { event: 1 }), "{:?}", seen.verdict);
        let mut server = recovered(binary, data.path(), seed, choice.clone(), None);
        server.client.call(&["SELECT", "0"]);
        assert_eq!(server.client.call(&["GET", "later"]).text(), "1");
        assert_eq!(server.client.call(&["HGET", "later:hash", "f"]).text(), "v");
        assert_eq!(server.client.call(&["DEL", "later", "later:hash"]).int(), 2);
        assert_eq!(server.digest(), digest, "{choice:?} on {}, seed {seed}", binary.line);
    }
}

/// A rewrite has followed the flush, and the server keeps what it replaced.
fn history(binary: &Binary) {
    for seed in 1..accidents() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        server.client.call(&["CONFIG", "SET", "aof-disable-auto-gc", "yes"]);
        flush(&mut server, seed);
        rewritten(&mut server, data.path());
        server.client.call(&["SET", "later", "1"]);
        assert!(server.shut_down().success());
        let seen = look(binary, data.path());
        assert_eq!(seen.verdict, Verdict::Nothing);
        let survivor = &seen.survivors[0];
        assert_eq!((survivor.kind, survivor.ends_in_flush), (SurvivorKind::History, true));
        let number = Some(survivor.number);
        let mut server = recovered(binary, data.path(), seed, Choice::Strip, number);
        assert_eq!(server.digest(), digest, "{}, seed {seed}", binary.line);
    }
}
