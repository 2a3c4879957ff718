//! Repair of broken sets and of failing commands: the servers start with the result and have the expected keys.

use std::fs;
use std::path::{Path, PathBuf};

use aofkit::base::progress::Silent;
use aofkit::ops::repair::{Output, RepairOptions, repair};
use libtest_mimic::Trial;

use super::recover::{repetitions, with_data};
use crate::support::{
    Binary, FAMILIES, Verdict, copy_dir, lay_out, load_verdict, load_verdict_in_place, log,
    on_each, temp_dir,
};

pub(crate) fn trials() -> Vec<Trial> {
    let later: Vec<_> = FAMILIES.into_iter().filter(|line| line.reads_multi_part()).collect();
    let mut trials = on_each(&later, "repair_set::manifest_is_written", manifest_is_written);
    trials.extend(on_each(&later, "repair_set::missing_files_are_given_up", missing_files));
    trials.extend(on_each(&FAMILIES, "repair_set::failing_commands_are_dropped", failing_commands));
    trials
}

/// Repairs a copy of the data directory in place, and the data directory to a new directory, and returns the digest and
/// the number of keys that a server has that starts with either.
fn repaired(binary: &Binary, data: &Path, without_missing: bool) -> (String, u64) {
    let options = |output| RepairOptions {
        servers: vec![binary.line],
        without_missing,
        ..RepairOptions::to(output)
    };
    let (in_place, moved) = (temp_dir(), temp_dir());
    copy_dir(data, in_place.path()).expect("a copy");
    repair(in_place.path(), &options(Output::InPlace), &Silent).expect("it is repaired in place");
    let new = moved.path().join("appendonlydir");
    repair(data, &options(Output::New(new)), &Silent).expect("it is repaired");
    let [one, other] = [in_place.path(), moved.path()].map(|path| loaded(binary, path));
    assert_eq!(one, other, "{}", binary.line);
    one
}

fn loaded(binary: &Binary, data: &Path) -> (String, u64) {
    match load_verdict(binary, data, &[("save", "")]) {
        Verdict::Loads { digest, keys, .. } => (digest, keys),
        other => panic!("{}: {other:?}", binary.line),
    }
}

/// A data directory of a server that has rewritten its log, the digest and the keys.
fn written(binary: &Binary, seed: u64) -> (tempfile::TempDir, String, u64) {
    let data = temp_dir();
    let (mut server, digest) = with_data(binary, data.path(), seed);
    let keys = server.keys();
    assert!(server.shut_down().success());
    (data, digest, keys)
}

fn manifest(data: &Path) -> PathBuf {
    data.join("appendonlydir/appendonly.aof.manifest")
}

fn manifest_is_written(binary: &Binary) {
    for seed in 0..repetitions() {
        let (data, digest, keys) = written(binary, seed);
        let path = manifest(data.path());
        let text = fs::read_to_string(&path).expect("a manifest");
        let stale = "file appendonly.aof.77.base.rdb seq 77 type b\nfile appendonly.aof.77.incr.aof seq 77 type i\n";
        let with_mark = format!("\u{feff}{text}");
        for broken in [None, Some(""), Some(stale), Some(&with_mark), Some(text.trim_end())] {
            match broken {
                None => fs::remove_file(&path).expect("it is removed"),
                Some(text) => fs::write(&path, text).expect("it is written"),
            }
            let as_it_is = load_verdict(binary, data.path(), &[("save", "")]);
            let is_empty = as_it_is.keys().is_none_or(|keys| keys == 0);
            assert!(is_empty, "{broken:?} on {}: {as_it_is:?}", binary.line);
            let result = repaired(binary, data.path(), false);
            assert_eq!(
                result,
                (digest.clone(), keys),
                "{broken:?} on {}, seed {seed}",
                binary.line
            );
        }
    }
}

/// Without the base, or an incremental file in the middle, the server has what is in the other files.
fn missing_files(binary: &Binary) {
    let parts = [
        ("2.base.aof", "SET a 1"),
        ("2.incr.aof", "SET b 1\nSET c 1"),
        ("3.incr.aof", "SET d 1"),
        ("4.incr.aof", "SET e 1"),
    ];
    for (gone, left) in [(0, 4), (1, 3), (2, 4)] {
        for with_manifest in [true, false] {
            let data = temp_dir();
            let directory = data.path().join("appendonlydir");
            fs::create_dir(&directory).expect("a directory");
            let mut text = String::new();
            for (number, (name, commands)) in parts.iter().enumerate() {
                let (seq, rest) = name.split_once('.').expect("a number");
                let role = if rest.starts_with("base") { "b" } else { "i" };
                text += &format!("file appendonly.aof.{name} seq {seq} type {role}\n");
                if number != gone {
                    let path = directory.join(format!("appendonly.aof.{name}"));
                    fs::write(path, log(&format!("SELECT 0\n{commands}"))).expect("a part");
                }
            }
            if with_manifest {
                fs::write(manifest(data.path()), text).expect("a manifest");
            }
            if gone == 1 && !with_manifest {
                // That number 2 existed is not known: failed rewrites count on as well.
                continue;
            }
            let options = RepairOptions::to(Output::InPlace);
            let report = repair(data.path(), &options, &Silent).expect("a report");
            assert!(report.plan.refused.is_some() && report.written.is_none());
            let (_, keys) = repaired(binary, data.path(), true);
            assert_eq!(keys, left, "without {gone} on {}", binary.line);
        }
    }
}

/// Servers since 6.0 log the errors of commands that they load as CRITICAL, except for a wrong type on 6.0.
fn failing_commands(binary: &Binary) {
    let lines = "SELECT 0\nSET s abc\nINCR s\nSET n 1\nINCRBY n one\nHSET h f v\nHINCRBY h f 1\nLPUSH s x\nZADD z abc m\nXADD st 5-1 f v\nXADD st 4-1 f v\nMULTI\nSET t 1\nINCR s\nEXEC\nSET last 1";
    let data = temp_dir();
    lay_out(binary.line, data.path(), &log(lines));
    let before = load_verdict(binary, data.path(), &[]);
    let options = RepairOptions { drop_failing: true, ..RepairOptions::to(Output::InPlace) };
    repair(data.path(), &options, &Silent).expect("it is repaired");
    let after = load_verdict_in_place(binary, data.path(), &[]);
    let (Verdict::Loads { digest, log, .. }, Verdict::Loads { digest: expected, log: first, .. }) =
        (&after, &before)
    else {
        panic!("{before:?}, {after:?}");
    };
    assert_eq!(digest, expected, "{}", binary.line);
    assert_eq!(first.contains("CRITICAL"), binary.line.has_redis(6, 0), "{first}");
    assert!(!log.contains("CRITICAL"), "{log}");
}
