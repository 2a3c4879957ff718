//! Runs the bodies of the fuzz targets on their seeds without the fuzzer: see `fuzz/`.

#[allow(unreachable_pub)] // For the fuzzer this is a library.
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;
use std::process::Command;

/// Runs `target` on every file in `fuzz/seeds/NAME`.
///
/// # Panics
///
/// With the path of the file if `target` panics.
fn run_on_seeds(name: &str, target: fn(&[u8])) {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let mut paths: Vec<_> = fs::read_dir(&seeds)
        .unwrap_or_else(|error| panic!("{}: {error}", seeds.display()))
        .map(|entry| entry.expect("the seeds can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "no seeds in {}", seeds.display());
    for path in paths {
        let bytes = fs::read(&path).expect("a seed can be read");
        let outcome = std::panic::catch_unwind(|| target(&bytes));
        assert!(outcome.is_ok(), "the target fails on {}", path.display());
    }
}

#[test]
fn archives_are_read_without_panics() {
    run_on_seeds("archive", targets::archive);
}

#[test]
fn compressed_rdbs_are_decompressed_within_the_limit() {
    run_on_seeds("envelope", targets::envelope);
}

#[test]
fn all_readers_of_frames_agree() {
    run_on_seeds("frame", targets::frame);
}

#[test]
fn manifests_round_trip() {
    run_on_seeds("manifest", targets::manifest);
}

/// The faults are limits of a whole process, so this test runs in one of its own.
#[test]
fn failing_operations_leave_no_other_state() {
    const ALONE: &str = "AOFKIT_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return run_on_seeds("operations", targets::operations);
    }
    let this = std::env::current_exe().expect("the path of this test");
    let name = "failing_operations_leave_no_other_state";
    let run = Command::new(this).args(["--exact", name, "--nocapture"]).env(ALONE, "1").output();
    let run = run.expect("this test can be run");
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn rdb_files_are_walked_within_their_bytes() {
    run_on_seeds("rdb", targets::rdb);
}

#[test]
fn repaired_logs_are_valid() {
    run_on_seeds("repair", targets::repair);
}

#[test]
fn replayed_data_round_trips() {
    run_on_seeds("replay", targets::replay);
}

#[test]
fn rdb_data_round_trips_in_each_version() {
    run_on_seeds("rdb_write", targets::rdb_write);
}
