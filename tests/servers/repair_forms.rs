//! Logs that were joined, compressed or merged by other programs: repaired, and loaded by servers; and what servers do with
//! bytes after an RDB.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use aofkit::base::progress::Silent;
use aofkit::ops::compact::CompactOptions;
use aofkit::ops::merge::{MergeOptions, merge};
use aofkit::ops::recover::Winner;
use aofkit::ops::repair::{Output, RepairOptions, repair};
use aofkit::ops::verify::{VerifyOptions, verify};
use flate2::Compression;
use flate2::write::GzEncoder;
use libtest_mimic::Trial;

use super::rdb::{run, saved};
use crate::support::{
    Binary, FAMILIES, Running, Verdict, lay_out_base, load_verdict, on_each, verdict_on,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "repair_forms::each_of_joined_logs_loads", joined);
    trials.extend(on_each(&FAMILIES, "repair_forms::compressed_log_loads", compressed));
    trials.extend(on_each(&FAMILIES, "repair_forms::version_of_a_conflict_loads", conflict));
    trials.extend(on_each(&FAMILIES, "repair_forms::bytes_after_an_rdb_are_as_said", after_rdb));
    trials.extend(on_each(&FAMILIES, "repair_forms::stream_to_a_replica_loads", stream));
    trials
}

fn set(key: &str) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$1\r\n1\r\n", key.len()).into_bytes()
}

fn select(db: u8) -> Vec<u8> {
    format!("*2\r\n$6\r\nSELECT\r\n$1\r\n{db}\r\n").into_bytes()
}

/// An RDB that the server wrote, of so many keys with this prefix in database 0, and one in database 3.
fn rdb_of(binary: &Binary, prefix: &'static str, keys: usize) -> Vec<u8> {
    let fill = |server: &mut Running, _| {
        for at in 0..keys {
            run(server, &format!("SET {prefix}{at} 1"));
        }
        run(server, "SELECT 3");
        run(server, &format!("SET {prefix} 1"));
        run(server, "SELECT 0");
    };
    saved(binary, &[], false, fill).rdb
}

/// Repairs a log of these bytes and returns the result.
fn repaired(bytes: &[u8], options: RepairOptions) -> Vec<u8> {
    let place = tempfile::tempdir().expect("a directory");
    let (path, new) = (place.path().join("a.aof"), place.path().join("new.aof"));
    fs::write(&path, bytes).expect("a file");
    repair(&path, &RepairOptions { output: Output::New(new.clone()), ..options }, &Silent)
        .expect("a repair");
    fs::read(new).expect("a result")
}

/// Returns the number of keys that the server has after loading the whole log.
fn loaded(binary: &Binary, log: &[u8]) -> u64 {
    match verdict_on(binary, log, &[]) {
        Verdict::Loads { keys, .. } => keys,
        other => panic!("{other:#?}"),
    }
}

fn joined(binary: &Binary) {
    let [a, b] = [rdb_of(binary, "a", 10), rdb_of(binary, "b", 7)];
    let first = [&a[..], &select(0), &set("tail"), &set("both")].concat();
    let second = [&b[..], &select(0), &set("other"), &set("both")].concat();
    let all = [&first[..], &second].concat();
    assert!(matches!(verdict_on(binary, &all, &[]), Verdict::Refuses { .. }));
    let of = |number| repaired(&all, RepairOptions { joined: Some(number), ..Default::default() });
    let logs = [of(1), of(2)];
    assert!(logs == [first, second]);
    assert_eq!(logs.each_ref().map(|log| loaded(binary, log)), [13, 10]);
    let place = tempfile::tempdir().expect("a directory");
    let path = |name: &str| place.path().join(name);
    for (name, log) in ["1", "2"].iter().zip(&logs) {
        fs::write(path(name), log).expect("a file");
    }
    let written = CompactOptions {
        output: Some(path("all.aof")),
        server: Some(binary.line),
        ..CompactOptions::default()
    };
    let options = MergeOptions { winner: Winner::Newer, written };
    merge([&path("1"), &path("2")], &options, &Silent).expect("a merge");
    let data = tempfile::tempdir().expect("a directory");
    let merged = path("all.aof");
    if merged.is_dir() {
        let to = data.path().join("appendonlydir");
        fs::rename(merged, to).expect("a set");
    } else {
        fs::copy(merged, data.path().join("appendonly.aof")).expect("a log");
    }
    // 10 + 1 + `tail`, 7 + 1 + `other`, and `both` once.
    assert_eq!(load_verdict(binary, data.path(), &[]).keys(), Some(22));
}

fn compressed(binary: &Binary) {
    let log = [rdb_of(binary, "a", 10), select(0), set("tail")].concat();
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&log).expect("gzip");
    let gz = encoder.finish().expect("gzip");
    let zst = zstd::stream::encode_all(&log[..], 3).expect("zstd");
    for wrapped in [gz, zst] {
        assert!(matches!(verdict_on(binary, &wrapped, &[]), Verdict::Refuses { .. }));
        let result = repaired(&wrapped, RepairOptions::default());
        assert!(result == log);
        assert_eq!(loaded(binary, &result), 12);
    }
}

/// What a server sends to a replica: its RDB after a header, and then its commands.
fn stream(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let options = [("repl-diskless-sync-delay", "0")];
    let mut server = Running::start(binary, data.path(), &options).expect("the server starts");
    for at in 0..20 {
        run(&mut server, &format!("SET k{at} 1"));
    }
    let requests: [&[&str]; 3] = [
        &["SYNC\r\n"],
        &["REPLCONF capa psync2\r\n", "PSYNC ? -1\r\n"],
        &["REPLCONF capa eof capa psync2\r\n", "PSYNC ? -1\r\n"],
    ];
    for (number, request) in (1..).zip(requests) {
        let mut replica = UnixStream::connect(server.socket()).expect("a connection");
        replica.set_read_timeout(Some(Duration::from_secs(1))).expect("a timeout");
        let mut received = Vec::new();
        for line in request {
            replica.write_all(line.as_bytes()).expect("a request");
            if line.starts_with("REPLCONF") {
                let mut answer = [0; 5];
                replica.read_exact(&mut answer).expect("an answer");
                received.extend_from_slice(&answer);
            }
        }
        let mut read_until = |what: &[u8]| {
            let mut piece = [0; 4096];
            for _ in 0..60 {
                match replica.read(&mut piece) {
                    Ok(0) => break,
                    Ok(read) => received.extend_from_slice(&piece[..read]),
                    Err(_) => {
                        // Without it, a server that sent the RDB without its length sends no commands.
                        let ack = b"*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$1\r\n0\r\n";
                        replica.write_all(ack).expect("an acknowledgement");
                    }
                }
                if memchr::memmem::find(&received, what).is_some() {
                    return;
                }
            }
            panic!("the stream ends: {}", received.escape_ascii());
        };
        read_until(b"redis-bits");
        run(&mut server, &format!("SET after{number} 1"));
        read_until(format!("after{number}\r\n$1\r\n1\r\n").as_bytes());
        let result = repaired(&received, RepairOptions::default());
        assert_eq!(loaded(binary, &result), 20 + number, "{}", received.escape_ascii());
    }
}

fn conflict(binary: &Binary) {
    use aofkit::options::Assumption;
    let [ours, theirs] = [[select(2), set("x")].concat(), [set("y"), set("z")].concat()];
    let marks: [&[u8]; 3] = [b"<<<<<<< HEAD\n", b"=======\n", b">>>>>>> other\n"];
    let text = [&select(1), &set("a")[..], marks[0], &ours, marks[1], &theirs, marks[2]].concat();
    assert!(matches!(verdict_on(binary, &text, &[]), Verdict::Refuses { .. }));
    let of =
        |side| repaired(&text, RepairOptions { assumptions: vec![side], ..Default::default() });
    assert_eq!(loaded(binary, &of(Assumption::Ours)), 2);
    assert_eq!(loaded(binary, &of(Assumption::Theirs)), 3);
    // The second version was written to database 1.
    let both = of(Assumption::Both);
    let expected = [select(1), set("a"), ours, select(1), theirs].concat();
    assert_eq!(both.escape_ascii().to_string(), expected.escape_ascii().to_string());
    assert_eq!(loaded(binary, &both), 4);
}

fn after_rdb(binary: &Binary) {
    let rdb = rdb_of(binary, "a", 10);
    for after in [&[0; 16][..], b"garbage", &rdb] {
        let data = tempfile::tempdir().expect("a directory");
        let bytes = [&rdb[..], after].concat();
        fs::write(data.path().join("dump.rdb"), &bytes).expect("a file");
        let observed = load_verdict(binary, data.path(), &[("appendonly", "no")]);
        assert_eq!(observed.keys(), Some(11), "{observed:#?}");
        assert!(is_loaded(binary, &data.path().join("dump.rdb")));
        // The same as the base of a set, or before the commands of a log.
        let data = tempfile::tempdir().expect("a directory");
        lay_out_base(binary.line, data.path(), &bytes);
        let observed = load_verdict(binary, data.path(), &[]);
        assert!(matches!(observed, Verdict::Refuses { .. }), "{observed:#?}");
        assert!(!is_loaded(binary, data.path()));
    }
}

/// Whether `verify` says that the server loads what is at `path`.
fn is_loaded(binary: &Binary, path: &Path) -> bool {
    let options = VerifyOptions { servers: vec![binary.line], ..VerifyOptions::default() };
    let report = verify(&[path.to_owned()], &options, &Silent).expect("a report");
    let report = serde_json::to_value(report).expect("a report");
    report["logs"][0]["verdicts"][0]["outcome"] == "loads"
}
