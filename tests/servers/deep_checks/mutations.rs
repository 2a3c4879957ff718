//! Values that servers wrote, with a byte changed: loaded as `verify` predicts.
//!
//! `AOFKIT_MUTATIONS` sets the number of changed values of each server; the default keeps the trials quick.

use super::build::{rdb, record};
use super::compare;
use crate::servers::rdb::{fill_common, fill_special, run};
use crate::servers::verdicts::{LoadOutcome, LoadResult, predicted};
use crate::support::{Binary, Random, Reply, Running, temp_dir};

/// A value as DUMP returns it, without the version and the checksum.
struct Dumped {
    code: u8,
    value: Vec<u8>,
    version: [u8; 2],
}

impl Dumped {
    fn of(payload: &[u8]) -> Dumped {
        let (content, _) = payload.split_last_chunk::<8>().expect("a checksum");
        let (content, version) = content.split_last_chunk::<2>().expect("a version");
        Dumped { code: content[0], value: content[1..].to_vec(), version: *version }
    }

    /// Returns the argument of RESTORE with this value.
    fn payload(&self, value: &[u8]) -> Vec<u8> {
        let content = [&[self.code][..], value, &self.version].concat();
        let sum = aofkit::rdb::crc64(&content).to_le_bytes();
        [content, sum.to_vec()].concat()
    }

    fn rdb(&self, value: &[u8]) -> Vec<u8> {
        let header = match u16::from_le_bytes(self.version) {
            version @ 80.. => format!("VALKEY{version:03}"),
            version => format!("REDIS{version:04}"),
        };
        rdb(&header, &[record(self.code, "bad", value.to_vec())])
    }
}

/// Starts a server with a value of every encoding, or none.
fn start(binary: &Binary, fills: bool) -> Running {
    let data = temp_dir();
    let mut server = Running::start(binary, data.path(), &[]).expect("the server starts");
    if fills {
        fill_common(&mut server, binary.line);
        fill_special(&mut server, binary.line);
    }
    server
}

fn dumped(binary: &Binary) -> Vec<Dumped> {
    let mut server = start(binary, true);
    if binary.line.has_redis(8, 6) {
        for entry in ["a", "b", "c"] {
            run(&mut server, &format!("XADD producers IDMP p {entry} * f v"));
        }
    }
    let mut found = Vec::new();
    let keys = run(&mut server, "KEYS *");
    for key in keys.array() {
        let Reply::Bulk(name) = key else { panic!("{key:?}") };
        let Reply::Bulk(payload) = server.client.call(&[&b"DUMP"[..], name]) else {
            panic!("{key:?} has a value");
        };
        // Most bytes of a long value are of no structure.
        if payload.len() < 2000 {
            found.push((name.clone(), Dumped::of(&payload)));
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, dumped)| dumped).collect()
}

/// Returns what a server does with a value that it is given, as far as it is like loading it.
fn restored(server: &mut Running, payload: &[u8]) -> LoadOutcome {
    let args = [&b"RESTORE"[..], b"k", b"0", payload, b"REPLACE"];
    match server.client.try_call(&args) {
        Ok(Reply::Error(_)) => LoadOutcome::Refuses,
        Ok(_) => LoadOutcome::Loads,
        Err(_) => LoadOutcome::Crashes,
    }
}

/// Bytes that no server writes and that some read in a way that is not predicted: a length with the mark of an encoded
/// string is a number to them, or is not checked at all; the length after an entry of a listpack may be written with more
/// bytes than it needs; a compressed text of no length is nothing.
fn is_known_gap(predicted: &LoadResult) -> bool {
    let reasons = [
        "begins no length",
        "the length after it is not",
        "compressed text is broken",
        // Whether so many bytes are allocated depends on the machine.
        "the file ends inside it",
    ];
    predicted.outcome != LoadOutcome::Loads
        && reasons.iter().any(|reason| predicted.reason.contains(reason))
}

pub(super) fn changed_values(binary: &Binary) {
    let all = dumped(binary);
    let rounds = std::env::var("AOFKIT_MUTATIONS").ok();
    let rounds: u64 = rounds.map_or(400, |number| number.parse().expect("a number"));
    let mut random = Random::new(8);
    let mut server = start(binary, false);
    let place = temp_dir();
    let path = place.path().join("dump.rdb");
    let mut differences = Vec::new();
    for round in 0..rounds {
        let number = usize::try_from(round).expect("an index") % all.len();
        let dumped = &all[number];
        let at = usize::try_from(random.below(dumped.value.len() as u64)).expect("an index");
        let mut value = dumped.value.clone();
        value[at] = match random.below(6) {
            0 => value[at].wrapping_add(1),
            1 => value[at].wrapping_sub(1),
            2 => 0xff,
            3 => 0,
            4 => value[at] ^ 0x80,
            _ => u8::try_from(random.below(256)).expect("a byte"),
        };
        let rdb = dumped.rdb(&value);
        std::fs::write(&path, &rdb).expect("an RDB");
        let predicted = predicted(binary.line, &path);
        let result = restored(&mut server, &dumped.payload(&value));
        if result == LoadOutcome::Crashes {
            server = start(binary, false);
        }
        // RESTORE does not read to the end, and takes no empty value: only a start tells more.
        if predicted.outcome != result
            && !is_known_gap(&predicted)
            && let Err(difference) = compare(binary, &rdb)
        {
            let bytes = dumped.payload(&value).escape_ascii().to_string();
            differences.push(format!("type {}, byte {at}: {difference}: {bytes}", dumped.code));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
