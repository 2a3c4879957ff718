//! Benchmarks frames of one shape at a time: the nom grammar, which is the definition, and the loop of the scan, which
//! is faster.

use std::hint::black_box;

use aofkit::aof::scan;
use aofkit::ops::bench::{Counts, by_grammar};
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

use support::{criterion, frame};

/// The number of frames in a run. They fit into the first-level cache, except for those with long values.
const FRAMES: usize = 500;

fn main() {
    let mut criterion = criterion();
    shapes(&mut criterion);
    criterion.final_summary();
}

fn shapes(criterion: &mut Criterion) {
    let key = b"user:1234567";
    let long = vec![b'v'; 4000];
    let many: Vec<&[u8]> = std::iter::repeat_n(&b"member"[..], 40).collect();
    let shapes: [(&str, Vec<&[u8]>); 5] = [
        ("2-args", vec![b"INCR", key]),
        ("3-args", vec![b"SET", key, b"a value of some length"]),
        ("4-args", vec![b"HSET", key, b"field", b"a value of some length"]),
        ("40-args", many),
        ("long-value", vec![b"SET", key, &long]),
    ];
    let mut group = criterion.benchmark_group("frame");
    for (name, args) in shapes {
        let log = frame(&args).repeat(FRAMES);
        let expected = Counts {
            commands: FRAMES as u64,
            arguments: (FRAMES * args.len()) as u64,
            annotations: 0,
        };
        assert_eq!(by_grammar(&log, 0), expected, "{name}: the grammar is wrong");
        assert_eq!(by_loop(&log), expected, "{name}: the loop is wrong");
        group.throughput(Throughput::Bytes(log.len() as u64));
        group.bench_function(BenchmarkId::new("nom", name), |bencher| {
            bencher.iter(|| by_grammar(black_box(&log), 0));
        });
        group.bench_function(BenchmarkId::new("loop", name), |bencher| {
            bencher.iter(|| by_loop(black_box(&log)));
        });
    }
    group.finish();
}

fn by_loop(log: &[u8]) -> Counts {
    let mut counts = Counts::default();
    scan(log, 0..log.len(), &mut counts);
    counts
}
