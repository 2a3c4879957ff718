//! Every server loads generated logs completely and without errors.

use aofkit::base::progress::Silent;
use aofkit::disk::publish::Existing;
use aofkit::ops::generate::{Amount, GenerateOptions, Kind, Layout, Mix, Skew, generate};
use libtest_mimic::Trial;

use crate::support::{Binary, LINES, Verdict, load_verdict, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "generate::default_log_loads", |binary| {
        loads(binary, &GenerateOptions::default());
    });
    // Some of the commands came with Redis 6.2.
    let later: Vec<_> = LINES.into_iter().filter(|line| line.has_redis(6, 2)).collect();
    trials.extend(on_each(&later, "generate::log_of_every_command_loads", |binary| {
        loads(binary, &every_command(Layout::SingleFile, None));
    }));
    // Older lines have neither parts nor annotations.
    let later: Vec<_> = LINES.into_iter().filter(|line| line.reads_multi_part()).collect();
    trials.extend(on_each(&later, "generate::annotated_log_of_several_parts_loads", |binary| {
        loads(binary, &every_command(Layout::MultiPart { incrs: 3 }, Some(1_700_000_000)));
    }));
    trials
}

/// Returns options for a log with all commands except those that empty a database, and with every other feature.
fn every_command(layout: Layout, timestamps: Option<u64>) -> GenerateOptions {
    let flushes = [Kind::Flushdb, Kind::Flushall];
    let kinds = Kind::ALL.iter().filter(|kind| !flushes.contains(kind));
    let mix: Vec<&str> = kinds.map(|kind| kind.name()).collect();
    GenerateOptions {
        mix: mix.join(",").parse::<Mix>().expect("names of kinds"),
        skew: Skew::Zipf,
        keys: 1000,
        databases: 16,
        transactions: 0.1,
        lookalikes: 0.1,
        timestamps,
        layout,
        ..GenerateOptions::default()
    }
}

fn loads(binary: &Binary, options: &GenerateOptions) {
    let options = GenerateOptions { amount: Amount::Bytes(2 << 20), ..options.clone() };
    let data = tempfile::tempdir().expect("a directory");
    let name = match options.layout {
        Layout::SingleFile => "appendonly.aof",
        Layout::MultiPart { .. } => "appendonlydir",
    };
    let report =
        generate(&data.path().join(name), &options, Existing::Keep, &Silent).expect("a log");
    let Verdict::Loads { keys, log, .. } = load_verdict(binary, data.path(), &[]) else {
        panic!("{} did not load it", binary.line);
    };
    assert!(!log.contains("CRITICAL"), "{log}");
    assert!(keys > 0 && keys <= report.counts.keys, "{keys} of {}", report.counts.keys);
}
