//! A caller of the library cancels an operation: it fails with an error of its own kind, and leaves nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use aofkit::options::{Choice, Output};
use aofkit::{
    BackupOptions, Cancellation, CompactOptions, CompressOptions, ConvertOptions, DigestOptions,
    ErrorKind, ExtractOptions, Progress, RecoverOptions, RepairOptions, RestoreOptions, Result,
    Silent, VerifyOptions, backup, compact, compress, convert, digest, extract, recover, repair,
    restore, verify,
};

/// A caller that cancels at the event of this number, from 1, and counts the events.
struct Caller {
    cancellation: Cancellation,
    at: u64,
    events: AtomicU64,
}

impl Caller {
    fn cancelling_at(at: u64) -> Self {
        Caller { cancellation: Cancellation::new(), at, events: AtomicU64::new(0) }
    }

    fn event(&self) {
        if self.events.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            self.cancellation.cancel();
        }
    }
}

impl Progress for Caller {
    fn phase(&self, _: &str, _: u64) {
        self.event();
    }

    fn advance(&self, _: u64) {
        self.event();
    }

    fn cancellation(&self) -> Option<&Cancellation> {
        Some(&self.cancellation)
    }
}

type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn tree(directory: &Path) -> Tree {
    let mut found = Tree::new();
    for entry in fs::read_dir(directory).expect("a directory") {
        let path = entry.expect("an entry").path();
        // The lock of a source stays.
        if path.extension().is_some_and(|extension| extension == "lock") {
            continue;
        }
        if path.is_dir() {
            found.insert(path.clone(), Vec::new());
            found.extend(tree(&path));
        } else {
            found.insert(path.clone(), fs::read(&path).expect("a file"));
        }
    }
    found
}

fn command(args: &[&str]) -> Vec<u8> {
    let args = args.iter().map(|arg| format!("${}\r\n{arg}\r\n", arg.len()));
    format!("*{}\r\n{}", args.len(), args.collect::<String>()).into_bytes()
}

/// About 3 MiB of commands, with a FLUSHALL in the middle, and torn if requested.
fn log(torn: bool) -> Vec<u8> {
    let value = "v".repeat(1000);
    let mut log = Vec::new();
    for key in 0..3000 {
        log.extend(command(&["SET", &format!("key:{key}"), &value]));
        if key == 1500 {
            log.extend(command(&["FLUSHALL"]));
        }
    }
    if torn {
        log.extend(b"*3\r\n$3\r\nSET");
    }
    log
}

type Operation = dyn Fn(&Path, &dyn Progress) -> Result<()>;

/// Runs an operation in `place`, cancelled at one of its events after the other, with gaps that grow.
fn check(name: &str, place: &Path, run: &Operation) {
    let before = tree(place);
    let mut interrupted = 0;
    let mut at = 1;
    loop {
        let caller = Caller::cancelling_at(at);
        match run(place, &caller) {
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Interrupted, "{name}: {error}");
                assert!(before == tree(place), "{name}: an interruption at {at} left something");
                interrupted += 1;
                at += 1 + at / 4;
            }
            Ok(()) => {
                // It came after all that could be undone, or never.
                let events = caller.events.load(Ordering::SeqCst);
                assert!(at > 1 && at + 1 >= events, "{name}: {at} of {events} events was ignored");
                break;
            }
        }
    }
    assert!(interrupted > 1, "{name}");
}

#[test]
fn a_cancelled_operation_fails_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    fs::write(place.join("a.aof"), log(false)).unwrap();
    fs::write(place.join("torn.aof"), log(true)).unwrap();
    fs::create_dir(place.join("to")).unwrap();
    let zip = CompressOptions { output: place.join("a.zip"), ..CompressOptions::default() };
    compress(&place.join("a.aof"), &zip, &Silent).unwrap();
    let operations: [(&str, Box<Operation>); 13] = [
        (
            "verify",
            Box::new(|place, progress| {
                verify(&[place.join("a.aof")], &VerifyOptions::default(), progress).map(drop)
            }),
        ),
        (
            "verify an archive",
            Box::new(|place, progress| {
                verify(&[place.join("a.zip")], &VerifyOptions::default(), progress).map(drop)
            }),
        ),
        (
            "digest",
            Box::new(|place, progress| {
                digest(&place.join("a.aof"), &DigestOptions::default(), progress).map(drop)
            }),
        ),
        (
            "preview",
            Box::new(|place, progress| {
                recover(&place.join("a.aof"), &RecoverOptions::default(), progress).map(drop)
            }),
        ),
        (
            "recover",
            Box::new(|place, progress| {
                let options = RecoverOptions::new(
                    Choice::Excise(vec![1]),
                    Output::New(place.join("recovered.aof")),
                );
                recover(&place.join("a.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "repair",
            Box::new(|place, progress| {
                let options = RepairOptions::to(Output::New(place.join("repaired.aof")));
                repair(&place.join("torn.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "repair in place",
            Box::new(|place, progress| {
                let options = RepairOptions::to(Output::InPlace);
                repair(&place.join("torn.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "compact",
            Box::new(|place, progress| {
                let output = Some(place.join("compacted.aof"));
                let options = CompactOptions { output, ..CompactOptions::default() };
                compact(&place.join("a.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "convert",
            Box::new(|place, progress| {
                let output = Some(place.join("converted.aof"));
                let server = Some("valkey-9.1".parse().expect("a server"));
                let written = CompactOptions { output, server, ..CompactOptions::default() };
                let options = ConvertOptions { written, ..ConvertOptions::default() };
                convert(&place.join("a.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "compress",
            Box::new(|place, progress| {
                let output = place.join("new.zip");
                let options = CompressOptions { output, ..CompressOptions::default() };
                compress(&place.join("a.aof"), &options, progress).map(drop)
            }),
        ),
        (
            "extract",
            Box::new(|place, progress| {
                extract(&place.join("a.zip"), &ExtractOptions::new(place.join("out")), progress)
                    .map(drop)
            }),
        ),
        (
            "restore",
            Box::new(|place, progress| {
                let options = RestoreOptions::new(place.join("data"));
                restore(&place.join("a.zip"), &options, progress).map(drop)
            }),
        ),
        (
            "backup",
            Box::new(|place, progress| {
                backup(&place.join("a.aof"), &BackupOptions::new(place.join("to")), progress)
                    .map(drop)
            }),
        ),
    ];
    for (name, run) in &operations {
        check(name, place, run.as_ref());
    }
}
