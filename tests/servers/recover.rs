//! End-to-end recovery: a server is flushed and stopped, its log is recovered, and the server is started on the result.
//! The data must be the same as before the flush.

use std::fs;
use std::path::Path;

use aofkit::analysis::position::Position;
use aofkit::base::glob::Glob;
use aofkit::base::progress::Silent;
use aofkit::ops::recover::{
    CandidateKind, Choice, Expired, Output, RecoverOptions, RecoverReport, Verdict, Winner, recover,
};
use aofkit::replay::{ReplayOptions, RouteOptions};
use libtest_mimic::Trial;

use super::rewrite::random_command;
use crate::support::{Binary, FAMILIES, Random, Running, args, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "recover::flush_is_undone", a_flush_is_undone);
    trials.extend(on_each(&FAMILIES, "recover::one_of_two_flushes_is_undone", one_of_two));
    trials.extend(on_each(&FAMILIES, "recover::later_writes_are_retained", later_writes));
    let later: Vec<_> = FAMILIES.into_iter().filter(|line| line.reads_multi_part()).collect();
    trials.extend(on_each(&later, "recover::history_files_are_recovered", history));
    trials
}

/// Returns the number of repetitions of each trial. `AOFKIT_SEQUENCES` overrides it.
pub(super) fn repetitions() -> u64 {
    std::env::var("AOFKIT_SEQUENCES").map_or(3, |n| n.parse().expect("a number"))
}

/// The number of commands before a flush.
const COMMANDS: usize = 300;

fn config(seed: u64) -> [(&'static str, &'static str); 3] {
    let preamble = if seed.is_multiple_of(2) { "yes" } else { "no" };
    [("appendonly", "yes"), ("appendfsync", "no"), ("aof-use-rdb-preamble", preamble)]
}

/// Returns a server with data of every type, partly in a base that it has rewritten, and its digest. The server has been
/// restarted, because loading the log does not restore all the state that the server had.
pub(super) fn with_data(binary: &Binary, data: &Path, seed: u64) -> (Running, String) {
    let config = config(seed);
    let mut random = Random::new(seed);
    let mut server = Running::start(binary, data, &config).expect("the server starts");
    for number in 0..COMMANDS {
        // `--undelete` would also restore what was deleted before the flush.
        let command = random_command(&mut random);
        if command[0] != b"DEL" {
            server.client.call(&command);
        }
        if number == COMMANDS / 2 {
            server.rewrite();
        }
    }
    assert!(server.shut_down().success());
    let mut server = Running::start(binary, data, &config).expect("the server starts again");
    let digest = server.digest();
    assert!(server.keys() > 0);
    (server, digest)
}

fn options(binary: &Binary, choice: Choice, output: Output) -> RecoverOptions {
    RecoverOptions {
        choice,
        output,
        db: None,
        expired: Expired::Drop,
        now_ms: 1_800_000_000_000,
        candidate: None,
        also: Vec::new(),
        server: Some(binary.line),
        preview: true,
        loss_share: 10,
        loss_rate: 10,
        force: false,
        no_backup: false,
        offline: false,
        route: RouteOptions::default(),
        replay: ReplayOptions {
            server: Some(binary.line),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 2,
        },
    }
}

/// Returns the report of a recovery that changes nothing.
pub(super) fn inspect(binary: &Binary, data: &Path) -> RecoverReport {
    recover(data, &options(binary, Choice::Preview, Output::DryRun), &Silent).expect("a report")
}

/// Recovers the log to a new path, replaces the log with the result as the report instructs, and starts the server.
pub(super) fn recovered(
    binary: &Binary,
    data: &Path,
    seed: u64,
    choice: Choice,
    candidate: Option<u64>,
) -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let new = directory.path().join("recovered");
    let options =
        RecoverOptions { candidate, ..options(binary, choice.clone(), Output::New(new.clone())) };
    let report = recover(data, &options, &Silent)
        .unwrap_or_else(|error| panic!("{choice:?} on {}: {error}", binary.line));
    assert!(report.done.is_some_and(|done| done.written.as_deref() == Some(&*new)));
    let log = match binary.line.has_redis(7, 0) {
        true => data.join("appendonlydir"),
        false => data.join("appendonly.aof"),
    };
    let old = directory.path().join("old");
    fs::rename(&log, &old).expect("the old log is moved");
    copy(&new, &log);
    let server = Running::start(binary, data, &config(seed));
    let server = server.unwrap_or_else(|ended| panic!("{choice:?}: {}", ended.log));
    assert!(!server.log().contains("CRITICAL"), "{}", server.log());
    server
}

fn copy(from: &Path, to: &Path) {
    if from.is_file() {
        fs::copy(from, to).expect("the log is copied");
        return;
    }
    fs::create_dir(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").map(|entry| entry.expect("an entry")) {
        fs::copy(entry.path(), to.join(entry.file_name())).expect("the part is copied");
    }
}

/// Runs FLUSHALL in one of three forms, selected by the seed.
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
    for seed in 0..repetitions() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        let keys = server.keys();
        flush(&mut server, seed);
        assert!(server.shut_down().success());
        let report = inspect(binary, data.path());
        assert!(matches!(report.verdict, Verdict::EndsInFlush { .. }), "{:?}", report.verdict);
        assert_eq!(
            report.before.map(|summary| summary.total),
            Some(keys),
            "{}, seed {seed}",
            binary.line
        );
        // In place, so that the server loads the result.
        let in_place = options(binary, Choice::Strip, Output::InPlace);
        recover(data.path(), &in_place, &Silent).expect("the log is recovered");
        let mut server =
            Running::start(binary, data.path(), &config(seed)).expect("the server starts");
        assert_eq!(server.digest(), digest, "{}, seed {seed}", binary.line);
    }
}

fn one_of_two(binary: &Binary) {
    for seed in 1..repetitions() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, first) = with_data(binary, data.path(), seed);
        flush(&mut server, seed);
        for line in ["SELECT 0", "SET second 1", "SELECT 3", "RPUSH other a b"] {
            server.client.call(&args(line));
        }
        let second = server.digest();
        flush(&mut server, seed + 1);
        assert!(server.shut_down().success());
        let at = inspect(binary, data.path()).events[0].ordinal;
        let mut server = recovered(binary, data.path(), seed, Choice::Strip, None);
        assert_eq!(server.digest(), second, "{}, seed {seed}", binary.line);
        // The recovered log still contains the first flush.
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
    for (seed, choice) in (0..repetitions() + 1).zip(choices.iter().cycle()) {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        flush(&mut server, seed);
        server.client.call(&["SELECT", "0"]);
        server.client.call(&["SET", "later", "1"]);
        server.client.call(&["HSET", "later:hash", "f", "v"]);
        assert!(server.shut_down().success());
        let report = inspect(binary, data.path());
        assert!(
            matches!(report.verdict, Verdict::FlushWithin { event: 1 }),
            "{:?}",
            report.verdict
        );
        let mut server = recovered(binary, data.path(), seed, choice.clone(), None);
        server.client.call(&["SELECT", "0"]);
        assert_eq!(server.client.call(&["GET", "later"]).text(), "1");
        assert_eq!(server.client.call(&["HGET", "later:hash", "f"]).text(), "v");
        assert_eq!(server.client.call(&["DEL", "later", "later:hash"]).int(), 2);
        assert_eq!(server.digest(), digest, "{choice:?} on {}, seed {seed}", binary.line);
    }
}

/// Recovers from history files: a rewrite follows the flush, and the server does not delete the replaced files.
fn history(binary: &Binary) {
    for seed in 1..repetitions() {
        let data = tempfile::tempdir().expect("a directory");
        let (mut server, digest) = with_data(binary, data.path(), seed);
        server.client.call(&["CONFIG", "SET", "aof-disable-auto-gc", "yes"]);
        flush(&mut server, seed);
        server.rewrite();
        server.client.call(&["SET", "later", "1"]);
        assert!(server.shut_down().success());
        let report = inspect(binary, data.path());
        assert_eq!(report.verdict, Verdict::Nothing);
        let candidate = &report.candidates[0];
        assert_eq!((candidate.kind, candidate.ends_in_flush), (CandidateKind::History, true));
        let number = Some(candidate.number);
        let mut server = recovered(binary, data.path(), seed, Choice::Strip, number);
        assert_eq!(server.digest(), digest, "{}, seed {seed}", binary.line);
    }
}
