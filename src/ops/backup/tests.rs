//! Backups of a prefix of a log, as for logs that a server is still writing.

use jiff::Timestamp;

use std::fs;
use std::path::Path;

use super::*;
use crate::analysis::data_filter::Filter;
use crate::aof::log::Log;
use crate::base::progress::Silent;
use crate::base::server::redis;
use crate::disk::publish::Existing;
use crate::input::archive::extract;
use crate::input::archive::extract::ExtractOptions;
use crate::input::files::open_files;
use crate::ops::compact;
use crate::ops::compress::write::CompressOptions;
use crate::ops::prune::KeepPolicy;
use crate::replay::{ReplayOptions, RouteOptions};

const SET_A: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
const SET_B: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";

/// Creates a set whose incremental file has two commands, the second of which is not part of the backup.
fn growing_set(place: &Path) -> (Log, Vec<u64>) {
    let set = place.join("data/appendonlydir");
    fs::create_dir_all(&set).unwrap();
    fs::write(set.join("appendonly.aof.1.base.aof"), SET_A).unwrap();
    fs::write(set.join("appendonly.aof.1.incr.aof"), [SET_B, SET_A].concat()).unwrap();
    let manifest = "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n";
    fs::write(set.join("appendonly.aof.manifest"), manifest).unwrap();
    let ends = vec![SET_A.len() as u64, SET_B.len() as u64];
    (open_files(place.join("data")).unwrap(), ends)
}

fn options(to: &Path) -> BackupOptions {
    fs::create_dir(to).unwrap();
    BackupOptions {
        to: to.to_owned(),
        archive: CompressOptions {
            source: crate::archive::contents::Source { port: Some(7000), ..Default::default() },
            ..CompressOptions::new(to.to_owned(), Timestamp::from_second(1_700_000_000).unwrap())
        },
        compact: None,
        keep: KeepPolicy::default(),
        dry_run: false,
        lock_wait: std::time::Duration::ZERO,
    }
}

#[test]
fn only_complete_prefix_is_compressed() {
    let place = tempfile::tempdir().unwrap();
    let (log, ends) = growing_set(place.path());
    let report = backup(&log, Some(&ends), &options(&place.path().join("to")), &Silent).unwrap();
    assert_eq!((report.commands, report.plan.log_bytes), (2, ends.iter().sum()));
    let output = place.path().join("out");
    let how = ExtractOptions { output: output.clone(), existing: Existing::Keep, damaged: false };
    extract(&report.archive.unwrap(), &how, &Silent).unwrap();
    let incr = fs::read(output.join("appendonlydir/appendonly.aof.1.incr.aof")).unwrap();
    assert_eq!(incr, SET_B);
}

#[test]
fn only_complete_prefix_is_compacted() {
    let place = tempfile::tempdir().unwrap();
    let (log, ends) = growing_set(place.path());
    let compaction = compact::CompactOptions {
        output: None,
        existing: Existing::Keep,
        form: None,
        server: None,
        filter: Filter::default(),
        check: true,
        route: RouteOptions::default(),
        replay: ReplayOptions {
            server: Some(redis(7, 0)),
            fields_expire_ms: None,
            hll_sparse_max_bytes: 3000,
            time_ms: None,
            threads: 1,
        },
        ctime: 0,
        compress: true,
        ..compact::CompactOptions::default()
    };
    let options = BackupOptions { compact: Some(compaction), ..options(&place.path().join("to")) };
    let base = [ends[0], 0];
    let report = backup(&log, Some(&base), &options, &Silent).unwrap();
    assert_eq!(report.compaction.unwrap().keys, 1, "of a alone");
    let report = backup(&log, Some(&ends), &options, &Silent).unwrap();
    assert_eq!(report.compaction.unwrap().keys, 2);
    let kept =
        crate::input::archive::verify::read_contents(&report.archive.unwrap()).unwrap().unwrap();
    assert!(kept.backup && kept.fingerprint.is_some());
    let names: Vec<&str> = kept.files.iter().map(|file| file.name.as_str()).collect();
    let expected = [
        "appendonlydir/appendonly.aof.1.base.aof",
        "appendonlydir/appendonly.aof.1.incr.aof",
        "appendonlydir/appendonly.aof.manifest",
    ];
    assert_eq!(names, expected);
}
