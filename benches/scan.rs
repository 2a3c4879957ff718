//! Benchmarks a whole log in memory: the scan on one core and on all, counting and checking, and the nom grammar.

use std::hint::black_box;

use aofkit::aof::{Join, scan, scan_parallel};
use aofkit::base::progress::Silent;
use aofkit::command::Tally;
use aofkit::ops::bench::{Counts, by_grammar};
use aofkit::ops::generate::{Amount, GenerateOptions, write_log};
use criterion::{Criterion, Throughput};

mod support;

/// The size of the log: several chunks for each of a few cores, and larger than the caches.
const LOG_BYTES: u64 = 64 << 20;

fn main() {
    let mut criterion = support::criterion();
    scans(&mut criterion);
    criterion.final_summary();
}

fn scans(criterion: &mut Criterion) {
    let options =
        GenerateOptions { amount: Amount::Bytes(LOG_BYTES), seed: 1, ..GenerateOptions::default() };
    let mut log = Vec::new();
    let written = write_log(&mut log, &options, &Silent).expect("a log can be generated");

    let grammar = by_grammar(&log, 0);
    assert_eq!((grammar.commands, grammar.annotations), (written.commands, written.annotations));
    assert_eq!(sequential::<Counts>(&log), grammar);
    assert_eq!(parallel::<Counts>(&log), grammar);
    assert_eq!(sequential::<Tally>(&log).commands, grammar.commands);
    assert_eq!(parallel::<Tally>(&log).commands, grammar.commands);

    let mut group = criterion.benchmark_group("scan");
    group.throughput(Throughput::Bytes(log.len() as u64));
    group.bench_function("nom", |bencher| bencher.iter(|| by_grammar(black_box(&log), 0)));
    group.bench_function("sequential", |bencher| {
        bencher.iter(|| sequential::<Counts>(black_box(&log)));
    });
    group.bench_function("sequential-tally", |bencher| {
        bencher.iter(|| sequential::<Tally>(black_box(&log)));
    });
    group.bench_function("parallel", |bencher| {
        bencher.iter(|| parallel::<Counts>(black_box(&log)));
    });
    group.bench_function("parallel-tally", |bencher| {
        bencher.iter(|| parallel::<Tally>(black_box(&log)));
    });
    group.finish();
}

fn sequential<S: Join + Default>(log: &[u8]) -> S {
    let mut sink = S::default();
    scan(log, 0..log.len(), &mut sink);
    sink
}

fn parallel<S: Join + Default>(log: &[u8]) -> S {
    scan_parallel(log, 0, S::default, |_| {}, &Silent).sink
}
