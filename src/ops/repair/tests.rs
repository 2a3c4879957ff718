//! Errors put at random places of RDBs that servers wrote.
//!
//! `AOFKIT_RDB_ERRORS` sets the number of errors of each kind; the default keeps the tests quick.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Output, RepairOptions, repair};
use crate::base::progress::Silent;
use crate::rdb::testing::Random;

fn errors() -> usize {
    let set = std::env::var("AOFKIT_RDB_ERRORS").ok();
    set.map_or(400, |number| number.parse().unwrap())
}

fn files(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// Returns the RDBs, and the logs with an RDB before commands, that servers wrote with a checksum.
fn samples() -> Vec<Vec<u8>> {
    let testdata = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut paths = Vec::new();
    files(&testdata.join("rdb"), &mut paths);
    files(&testdata.join("real"), &mut paths);
    paths.sort();
    let contents = paths.iter().map(|path| fs::read(path).unwrap());
    let samples: Vec<_> =
        contents.filter(|it| crate::rdb::is_rdb(it) && has_checksum(it)).collect();
    assert!(samples.len() > 30, "{}", samples.len());
    samples
}

fn has_checksum(bytes: &[u8]) -> bool {
    use crate::rdb::{Checksum, Ignore, walk};
    let walk = walk(bytes, &mut Ignore, &Silent).unwrap();
    matches!(walk.checksum, Checksum::Verified(_)) && walk.len > 60
}

/// The length of the RDB at the beginning.
fn rdb_len(bytes: &[u8]) -> usize {
    let walk = crate::rdb::walk(bytes, &mut crate::rdb::Ignore, &Silent).unwrap();
    usize::try_from(walk.len).unwrap()
}

/// Returns the report of a dry run, or the error, as JSON.
fn report(place: &Path, bytes: &[u8], salvage: bool) -> Value {
    let path = place.join("dump.rdb");
    fs::write(&path, bytes).unwrap();
    let options = RepairOptions { salvage, ..RepairOptions::default() };
    match repair(&path, &options, &Silent) {
        Ok(report) => serde_json::to_value(report).unwrap(),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

#[test]
fn wrong_bits_in_one_byte_or_two_are_set_back() {
    let (samples, mut random) = (samples(), Random(0x9e37_79b9_7f4a_7c15));
    let place = tempfile::tempdir().unwrap();
    for round in 0..3 * errors() {
        let sample = &samples[random.below(samples.len())];
        let at = random.below(rdb_len(sample) - 1);
        let mut changed = sample.clone();
        match round % 3 {
            0 => changed[at] ^= 1 << random.below(8),
            1 => changed[at] ^= random.byte(),
            _ => {
                changed[at] ^= random.byte();
                changed[at + 1] ^= random.byte();
            }
        }
        let expected: Vec<Value> = (0..sample.len())
            .filter(|&at| sample[at] != changed[at])
            .map(|at| json!({ "offset": at, "found": changed[at], "right": sample[at] }))
            .collect();
        let report = report(place.path(), &changed, false);
        let found = &report["rdb"][0]["corrected"]["bytes"];
        assert_eq!(found, &Value::from(expected), "round {round}: {report:#}");
    }
}

#[test]
fn two_errors_apart_from_each_other_are_never_corrected() {
    let (samples, mut random) = (samples(), Random(0xd1b5_4a32_d192_ed03));
    let place = tempfile::tempdir().unwrap();
    for round in 0..errors() {
        let sample = &samples[random.below(samples.len())];
        let len = rdb_len(sample);
        let first = random.below(len - 2);
        let second = first + 2 + random.below(len - 2 - first);
        let mut changed = sample.clone();
        changed[first] ^= 1 << random.below(8);
        changed[second] ^= 1 << random.below(8);
        let report = report(place.path(), &changed, round % 2 == 0);
        for rdb in report["rdb"].as_array().into_iter().flatten() {
            assert!(rdb["corrected"].is_null(), "round {round}: {report:#}");
            assert_eq!(rdb["values_uncertain"], true, "round {round}: {report:#}");
        }
    }
}

#[test]
fn correction_is_written_and_the_input_is_left_as_it_is() {
    let place = tempfile::tempdir().unwrap();
    let (path, new) = (place.path().join("dump.rdb"), place.path().join("new.rdb"));
    for (index, sample) in samples().iter().enumerate() {
        let mut changed = sample.clone();
        let at = index * 7919 % rdb_len(sample);
        changed[at] ^= 0x10;
        fs::write(&path, &changed).unwrap();
        let _ = fs::remove_file(&new);
        repair(&path, &RepairOptions::to(Output::New(new.clone())), &Silent).unwrap();
        assert_eq!(&fs::read(&new).unwrap(), sample, "byte {at} of sample {index}");
        assert_eq!(fs::read(&path).unwrap(), changed);
    }
}
