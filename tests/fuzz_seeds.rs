//! The bodies of the fuzz targets over their seeds, without the fuzzer: see `fuzz/`.

#[allow(unreachable_pub)] // It is a library to the fuzzer.
#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::fs;
use std::path::Path;

/// Runs `target` over every file of `fuzz/seeds/NAME`; where it panics, a second panic says over which.
fn over_seeds(name: &str, target: fn(&[u8])) {
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
        assert!(outcome.is_ok(), "a promise is broken over {}", path.display());
    }
}

#[test]
fn archives_are_read_calmly() {
    over_seeds("archive", targets::archive);
}

#[test]
fn frames_are_read_alike_by_all_who_read_them() {
    over_seeds("frame", targets::frame);
}

#[test]
fn manifests_come_back_from_what_is_written() {
    over_seeds("manifest", targets::manifest);
}

#[test]
fn rdb_files_are_walked_within_their_bytes() {
    over_seeds("rdb", targets::rdb);
}

#[test]
fn what_repair_keeps_is_whole() {
    over_seeds("repair", targets::repair);
}

#[test]
fn what_is_replayed_comes_back_from_what_is_written() {
    over_seeds("replay", targets::replay);
}

#[test]
fn what_an_rdb_tells_comes_back_from_each_version() {
    over_seeds("rdb_write", targets::rdb_write);
}
