//! `aofkit stats --server`: the estimated time to load is plausible, of a log that is much larger than the sample.
//!
//! How exact it is depends on what else runs on the machine, so that a test can only find an estimate that is badly wrong.

use std::path::Path;
use std::time::Instant;

use aofkit::base::server::{Server, redis, valkey};
use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::json_docs::Docs;
use crate::support::{Binary, Random, Run, Running, aofkit, args, command, on_each, temp_dir};

const LINES: [Server; 3] = [redis(6, 2), redis(7, 2), valkey(9, 0)];

/// The factor by which an estimate may be wrong.
const FACTOR: f64 = 3.0;

pub(crate) fn trials() -> Vec<Trial> {
    let estimated = on_each(&LINES, "stats_load::estimate_is_plausible", estimated);
    let skewed = on_each(&LINES[1..2], "stats_load::log_of_one_key_is_estimated", of_one_key);
    let not = on_each(&LINES[1..2], "stats_load::log_that_is_refused_is_not_estimated", refused);
    estimated.into_iter().chain(skewed).chain(not).collect()
}

/// Runs `stats` with a sample that is small, and returns the report of the log.
fn stats(binary: &Binary, log: &Path) -> Value {
    let mut program = aofkit();
    program.args(["stats", "--json", "--writes-only", "--sample", "2mb", "--server"]);
    let run = Run::of(program.arg(&binary.path).arg(log));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(Docs::read().check(&run.stdout), "stats");
    let report: Value = serde_json::from_str(&run.stdout).expect("JSON");
    report["logs"][0].clone()
}

/// Returns the seconds in which the server loads the log: on a processor, and in all.
fn load(binary: &Binary, log: &[u8]) -> (f64, f64) {
    let data = temp_dir();
    std::fs::write(data.path().join("appendonly.aof"), log).expect("a log");
    let config = [("appendonly", "yes"), ("appendfsync", "no"), ("databases", "16")];
    let clock = Instant::now();
    let server = Running::start(binary, data.path(), &config).expect("it loads the log");
    let passed = clock.elapsed().as_secs_f64();
    let schedule = std::fs::read_to_string(format!("/proc/{}/schedstat", server.process()));
    let busy: f64 = (schedule.expect("the times").split(' ').next())
        .and_then(|nanoseconds| nanoseconds.parse().ok())
        .expect("a number");
    (busy / 1e9, passed)
}

fn check(binary: &Binary, log: &[u8]) {
    let place = temp_dir();
    let path = place.path().join("log.aof");
    std::fs::write(&path, log).expect("a log");
    let report = stats(binary, &path);
    let (busy, passed) = load(binary, log);
    let estimate = report["load_s"].as_f64().unwrap_or_else(|| panic!("{report:#}"));
    let sample = report["load"]["sample_bytes"].as_u64().expect("a size");
    assert!(sample < log.len() as u64 / 4, "{report:#}");
    let is_plausible = estimate > busy / FACTOR && estimate < passed * FACTOR;
    assert!(
        is_plausible,
        "{}: {estimate:.3} s estimated, {busy:.3} s on a processor, {passed:.3} s in all",
        binary.line
    );
}

fn estimated(binary: &Binary) {
    let mut random = Random::new(7);
    let mut log = Vec::new();
    for n in 0..250_000 {
        let key = random.below(50_000);
        let line = match n % 5 {
            0 => format!("HSET hash:{} field:{} {n}", key % 3000, random.below(60)),
            1 => format!("ZADD zset:{} {} member:{}", key % 200, random.below(9999), key % 997),
            2 => format!("RPUSH list:{} element:{n}", key % 5000),
            _ => format!("SET string:{key} value:{n}"),
        };
        match n % 100 {
            0 => log.extend(command(&args(&format!("SELECT {}", n / 100 % 16)))),
            50 => log.extend(command(&args("MULTI"))),
            _ => {}
        }
        log.extend(command(&args(&line)));
        if n % 100 == 60 {
            log.extend(command(&args("EXEC")));
        }
    }
    check(binary, &log);
}

fn of_one_key(binary: &Binary) {
    let mut log = Vec::new();
    for n in 0..250_000_u32 {
        log.extend(command(&args(&format!("HSET one field:{n} value:{n}"))));
    }
    check(binary, &log);
}

fn refused(binary: &Binary) {
    let place = temp_dir();
    let path = place.path().join("log.aof");
    let mut log = command(&args("SET a b"));
    log.extend(command(&args("MODULE.COMMAND a b")));
    std::fs::write(&path, log).expect("a log");
    let report = stats(binary, &path);
    assert!(report["load_s"].is_null() && report.get("load").is_none(), "{report:#}");
    assert_eq!(report["load_problem"], "it has commands that are not known here");
}
