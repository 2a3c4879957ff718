//! Tests of `generate`: one seed gives one log; every log is valid; every option has its effect.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use proptest::prelude::*;

use super::*;
use crate::base::error::ErrorKind;
use crate::base::progress::Silent;

/// A strict reader: returns the commands of a log, and its annotations.
fn strict(mut log: &[u8]) -> (Vec<Vec<Vec<u8>>>, Vec<u64>) {
    fn line<'a>(log: &mut &'a [u8], prefix: &str) -> &'a str {
        let end = log.windows(2).position(|w| w == b"\r\n").expect("a line ends");
        let text = std::str::from_utf8(&log[..end]).unwrap();
        *log = &log[end + 2..];
        text.strip_prefix(prefix).expect("the line begins as it must")
    }
    fn number(text: &str) -> usize {
        let number: usize = text.parse().unwrap();
        assert_eq!(number.to_string(), text);
        number
    }
    let (mut commands, mut annotations) = (Vec::new(), Vec::new());
    while let Some(first) = log.first() {
        if *first == b'#' {
            annotations.push(line(&mut log, "#TS:").parse().unwrap());
            continue;
        }
        let mut command = Vec::new();
        for _ in 0..number(line(&mut log, "*")) {
            let len = number(line(&mut log, "$"));
            command.push(log[..len].to_vec());
            assert_eq!(&log[len..len + 2], b"\r\n");
            log = &log[len + 2..];
        }
        commands.push(command);
    }
    (commands, annotations)
}

fn written(options: &GenerateOptions) -> (Vec<u8>, Counts) {
    let mut out = Vec::new();
    let counts = write_log(&mut out, options, &Silent).unwrap();
    (out, counts)
}

fn small() -> GenerateOptions {
    GenerateOptions { amount: Amount::Bytes(64 << 10), keys: 100, ..GenerateOptions::default() }
}

fn any_mix() -> impl Strategy<Value = Mix> {
    let flushes = [Kind::Flushdb, Kind::Flushall];
    let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| !flushes.contains(k)).collect();
    prop::sample::subsequence(kinds.clone(), 1..=kinds.len()).prop_map(|kinds| {
        let names: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
        names.join(",").parse().unwrap()
    })
}

prop_compose! {
    fn any_options()(
        amount in prop_oneof![
            (1u64..20_000).prop_map(Amount::Bytes),
            (0u64..200).prop_map(Amount::Commands),
        ],
        seed: u64,
        mix in prop_oneof![Just(Mix::default()), any_mix()],
        keys in 1u64..500,
        zipf: bool,
        low in 0u64..40,
        more in 0u64..300,
        databases in 1u32..17,
        transactions in 0.0f64..=1.0,
        lookalikes in 0.0f64..=1.0,
        timestamps in prop::option::of(1u64..2_000_000_000),
        commands_per_second in 1u64..50,
    ) -> GenerateOptions {
        GenerateOptions {
            amount,
            seed,
            mix,
            keys,
            skew: if zipf { Skew::Zipf } else { Skew::Uniform },
            value_bytes: low..=low + more,
            databases,
            transactions,
            lookalikes,
            timestamps,
            commands_per_second,
            layout: Layout::SingleFile,
        }
    }
}

/// Checks `log` against the rules of a server and against the counts.
fn check(log: &[u8], options: &GenerateOptions, counts: &Counts) {
    let (commands, annotations) = strict(log);
    let mut types = BTreeMap::new();
    let (mut selects, mut multis, mut open) = (0, 0, false);
    for (i, command) in commands.iter().enumerate() {
        let name = std::str::from_utf8(&command[0]).unwrap();
        assert!(i > 0 || name == "SELECT", "the first command is {name}");
        match name {
            "SELECT" => {
                assert!(!open);
                let db: u32 = String::from_utf8_lossy(&command[1]).parse().unwrap();
                assert!(db < options.databases);
                selects += 1;
            }
            "MULTI" => {
                assert!(!open);
                open = true;
                multis += 1;
            }
            "EXEC" => {
                assert!(open);
                open = false;
            }
            "SET" if command[1].starts_with(b"counter:") => {
                assert!(command[2].iter().all(u8::is_ascii_digit), "a counter, in a base");
            }
            _ => {
                let prefix = command[1].split(|&b| b == b':').next().unwrap().to_vec();
                let pool = Kind::ALL
                    .iter()
                    .filter(|kind| kind.name().starts_with(&name.to_ascii_lowercase()))
                    .find_map(|kind| kind.pool());
                if let Some(pool) = pool {
                    let known = types.entry(prefix.clone()).or_insert(pool);
                    assert_eq!(*known, pool, "{name} on {prefix:?}");
                }
            }
        }
    }
    assert!(!open);
    assert_eq!(counts.bytes, log.len() as u64);
    assert_eq!(counts.commands, commands.len() as u64);
    assert_eq!(counts.writes, counts.commands - selects - 2 * multis);
    assert_eq!(counts.transactions, multis);
    assert_eq!(counts.annotations, annotations.len() as u64);
    assert!(annotations.is_sorted());
    assert_eq!(options.timestamps.is_some() && !commands.is_empty(), !annotations.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_log_is_strict_resp_and_as_counted(options in any_options()) {
        let (log, counts) = written(&options);
        check(&log, &options, &counts);
        match options.amount {
            Amount::Bytes(bytes) => prop_assert!(counts.bytes >= bytes),
            Amount::Commands(n) => prop_assert!((n..n + 5).contains(&counts.writes)),
        }
    }

    #[test]
    fn buffers_of_any_size_give_the_same_bytes(options in any_options(), buffer in 0usize..5000) {
        let mut out = Vec::new();
        Log::new(&options, &Silent, buffer).commands(&mut out, 1, 1).unwrap();
        prop_assert!(out == written(&options).0);
    }
}

#[test]
fn first_bytes_of_seed_0_are_stable() {
    let options = GenerateOptions {
        amount: Amount::Commands(5),
        mix: "set,hset,zadd".parse().unwrap(),
        keys: 10,
        value_bytes: 4..=8,
        timestamps: Some(1_700_000_000),
        ..GenerateOptions::default()
    };
    let (log, counts) = written(&options);
    let text = String::from_utf8(log).unwrap();
    assert_eq!(text, FIRST_BYTES);
    assert_eq!(counts.writes, 5);
    assert_eq!(counts.commands, 6);
}

/// The start of the log for seed 0. If it changed, recorded seeds would give other logs.
const FIRST_BYTES: &str = "#TS:1700000000\r\n\
    *2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n\
    *4\r\n$4\r\nZADD\r\n$7\r\nboard:2\r\n$8\r\n37273.25\r\n$10\r\nmember:478\r\n\
    *4\r\n$4\r\nZADD\r\n$7\r\nboard:0\r\n$8\r\n92640.25\r\n$10\r\nmember:368\r\n\
    *4\r\n$4\r\nHSET\r\n$6\r\nuser:2\r\n$8\r\nfield:14\r\n$8\r\n-ewALyWn\r\n\
    *4\r\n$4\r\nZADD\r\n$7\r\nboard:2\r\n$7\r\n15131.5\r\n$10\r\nmember:635\r\n\
    *3\r\n$3\r\nSET\r\n$9\r\nsession:0\r\n$4\r\nakOc\r\n";

#[test]
fn a_large_log_is_the_same_in_every_version() {
    let options = GenerateOptions {
        mix: Kind::ALL.iter().map(|k| k.name()).collect::<Vec<_>>().join(",").parse().unwrap(),
        skew: Skew::Zipf,
        databases: 4,
        transactions: 0.1,
        lookalikes: 0.1,
        timestamps: Some(1_700_000_000),
        amount: Amount::Bytes(1 << 20),
        ..small()
    };
    let (log, _) = written(&options);
    assert_eq!(
        crc_fast::checksum(crc_fast::CrcAlgorithm::Crc64Redis, &log),
        4_436_677_495_311_946_016
    );
}

#[test]
fn two_runs_are_equal_and_two_seeds_are_not() {
    let (first, _) = written(&small());
    assert!(first == written(&small()).0);
    assert!(first != written(&GenerateOptions { seed: 1, ..small() }).0);
}

#[test]
fn sizes_are_met_within_a_hundredth() {
    for bytes in [64 << 10, 1 << 20, 5_000_000] {
        let (log, _) = written(&GenerateOptions { amount: Amount::Bytes(bytes), ..small() });
        assert!((bytes..bytes + bytes / 100).contains(&(log.len() as u64)), "{}", log.len());
    }
}

#[test]
fn default_commands_are_of_about_80_bytes() {
    let (log, counts) =
        written(&GenerateOptions { amount: Amount::Bytes(1 << 20), ..GenerateOptions::default() });
    let mean = log.len() as u64 / counts.commands;
    assert!((70..90).contains(&mean), "{mean} bytes a command");
}

#[test]
fn keys_are_counted_once_for_each_database() {
    let options = GenerateOptions { mix: "incr".parse().unwrap(), databases: 3, ..small() };
    let (log, counts) = written(&options);
    let mut keys = BTreeSet::new();
    let mut db = Vec::new();
    for mut command in strict(&log).0 {
        match &command[0][..] {
            b"SELECT" => db = command.swap_remove(1),
            _ => drop(keys.insert((db.clone(), command.swap_remove(1)))),
        }
    }
    assert_eq!(counts.keys, keys.len() as u64);
    assert_eq!(counts.keys, 300);
}

#[test]
fn output_is_atomic_and_replaced_only_with_force() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.aof");
    let report = generate(&path, &small(), Existing::Keep, &Silent).unwrap();
    assert!(fs::read(&path).unwrap() == written(&small()).0);
    assert_eq!(report.files, [GeneratedFile { name: "x.aof".into(), bytes: report.counts.bytes }]);

    let refused = generate(&path, &small(), Existing::Keep, &Silent).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    assert!(!refused.next_step().unwrap().contains("--force"));

    let other = GenerateOptions { seed: 1, ..small() };
    generate(&path, &other, Existing::Overwrite, &Silent).unwrap();
    assert!(fs::read(&path).unwrap() == written(&other).0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
    generate(&path, &small(), Existing::Replace, &Silent).unwrap();
    let kept =
        fs::read_dir(dir.path()).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    assert!(kept.filter(|kept| *kept == written(&other).0).count() == 1, "what was there is kept");
}

#[test]
fn a_multi_part_log_has_the_files_that_a_server_would_write() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("appendonlydir");
    let options = GenerateOptions {
        layout: Layout::MultiPart { incrs: 2 },
        timestamps: Some(1_700_000_000),
        databases: 2,
        keys: 1000,
        ..small()
    };
    let report = generate(&path, &options, Existing::Keep, &Silent).unwrap();
    let manifest = fs::read_to_string(path.join("appendonly.aof.manifest")).unwrap();
    assert_eq!(
        manifest,
        "file appendonly.aof.1.base.aof seq 1 type b\n\
         file appendonly.aof.1.incr.aof seq 1 type i\n\
         file appendonly.aof.2.incr.aof seq 2 type i\n"
    );
    let mut total = Vec::new();
    for file in &report.files[..3] {
        let part = fs::read(path.join(&file.name)).unwrap();
        assert_eq!(part.len() as u64, file.bytes);
        assert_eq!(strict(&part).0[0][0], b"SELECT");
        total.extend(part);
    }
    check(&total, &options, &report.counts);
    assert!((65_536..66_192).contains(&report.counts.bytes), "{}", report.counts.bytes);

    let (base, annotations) = strict(&fs::read(path.join(&report.files[0].name)).unwrap());
    assert_eq!(annotations.len(), 1);
    assert_eq!(base.iter().filter(|command| command[0] == b"SELECT").count(), 2);
    let refused = generate(&path, &options, Existing::Keep, &Silent).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Refused);
    let again = generate(&path, &options, Existing::Overwrite, &Silent).unwrap();
    assert_eq!(again.files, report.files);

    fs::write(path.join("precious"), "").unwrap();
    let refused = generate(&path, &options, Existing::Replace, &Silent).unwrap_err();
    assert!(refused.to_string().contains("more than a log"));
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing unfinished is left");
}

#[test]
fn invalid_options_are_refused_with_help() {
    let wrong = [
        GenerateOptions { databases: 0, ..small() },
        GenerateOptions { keys: 0, ..small() },
        GenerateOptions { keys: u64::MAX, ..small() },
        GenerateOptions { transactions: 1.5, ..small() },
        GenerateOptions { lookalikes: f64::NAN, ..small() },
        GenerateOptions { value_bytes: 0..=1 << 40, ..small() },
        #[allow(clippy::reversed_empty_ranges)]
        GenerateOptions { value_bytes: 2..=1, ..small() },
        GenerateOptions { layout: Layout::MultiPart { incrs: 0 }, ..small() },
    ];
    let dir = tempfile::tempdir().unwrap();
    for options in wrong {
        let error = generate(&dir.path().join("x"), &options, Existing::Keep, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Usage, "{options:?}");
        assert!(error.next_step().is_some());
        assert!(write_log(&mut Vec::new(), &options, &Silent).is_err());
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}
