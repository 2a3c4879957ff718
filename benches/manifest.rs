//! Benchmarks manifests as servers write them, and with everything that the grammar allows.

use std::hint::black_box;

use aofkit::aof::manifest::parse;
use criterion::{BenchmarkId, Criterion, Throughput};

mod support;

fn main() {
    let mut criterion = support::criterion();
    manifests(&mut criterion);
    criterion.final_summary();
}

fn manifests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("manifest");
    for (name, text, entries) in [
        ("of-a-server", set(1, 1), 3),
        ("many-parts", set(100, 900), 1001),
        ("quoted", quoted(100), 100),
    ] {
        let parsed = parse(text.as_bytes()).expect("a valid manifest");
        assert_eq!(parsed.entries.len(), entries, "{name}");
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("parse", name), |bencher| {
            bencher.iter(|| parse(black_box(text.as_bytes())));
        });
    }
    group.finish();
}

/// Returns a manifest of a base, `history` history files and `incrs` incremental files.
fn set(history: usize, incrs: usize) -> String {
    let mut text = "file appendonly.aof.9.base.rdb seq 9 type b\n".to_string();
    for seq in 1..=history {
        text += &format!("file appendonly.aof.{seq}.incr.aof seq {seq} type h\n");
    }
    for seq in history + 1..=history + incrs {
        text += &format!("file appendonly.aof.{seq}.incr.aof seq {seq} type i\n");
    }
    text
}

/// Returns a manifest with quotes, escapes, comments and offsets.
fn quoted(incrs: usize) -> String {
    (1..=incrs)
        .map(|seq| {
            format!(
                "# written by hand\nfile \"my\\x20log\\t.{seq}.incr.aof\" seq '{seq}' type i startoffset {seq}\n"
            )
        })
        .collect()
}
