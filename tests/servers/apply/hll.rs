//! HyperLogLogs, compared byte by byte.

use aofkit::keyspace::hyperloglog::{self, Rules};
use libtest_mimic::Trial;

use super::string::{bystander, list, run};
use crate::support::{Args, Binary, FAMILIES, Random, Reply, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        on_each(&FAMILIES, "apply::hll::random_commands_agree_with_the_server", random_sequences),
        on_each(&FAMILIES, "apply::hll::many_elements_agree_with_the_server", many_elements),
        on_each(&FAMILIES, "apply::hll::forged_values_agree_with_the_server", forged),
        on_each(&FAMILIES, "apply::hll::other_sparse_limits_agree_with_the_server", other_limits),
    ];
    trials.into_iter().flatten().collect()
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn random_sequences(binary: &Binary) {
    run(binary, 20, 20, |random| command(random, 30));
}

/// Adds so many elements that the registers become dense.
fn many_elements(binary: &Binary) {
    run(binary, 4, 20, |random| match random.below(10) {
        0..8 => pfadd(random, "a", 60),
        8 => list(&[b"PFCOUNT", b"a"]),
        _ => command(random, 300),
    });
}

/// Uses strings that look like valid or corrupt HyperLogLogs.
fn forged(binary: &Binary) {
    run(binary, 15, 10, |random| {
        let key = random.pick(&KEYS).as_bytes();
        match random.below(6) {
            0 => list(&[b"SET", key, &sparse(random)]),
            1 if random.once_in(3) => list(&[b"SET", key, &dense(random)]),
            2 => {
                // A byte of the header.
                let offset =
                    [0, 3, 4, 4, 5, 8, 14, 15][usize::try_from(random.below(8)).expect("small")];
                let byte =
                    [0, 1, 2, 0x7f, 0x80, 0xff][usize::try_from(random.below(6)).expect("small")];
                list(&[b"SETRANGE", key, offset.to_string().as_bytes(), &[byte]])
            }
            _ => command(random, 5),
        }
    });
}

/// Tests several values of the setting that limits the size of sparse registers.
fn other_limits(binary: &Binary) {
    let data = tempfile::tempdir().expect("a directory");
    let mut server = differential::start(binary, data.path());
    for limit in [0, 19, 30, 100, 1000, 6000] {
        server.client.call(&["CONFIG", "SET", "hll-sparse-max-bytes", &limit.to_string()]);
        server.client.call(&["DEL", "h"]);
        server.client.call(&["PFADD", "h"]);
        let rules = Rules { sparse_max_bytes: limit, nothing_behind_the_last: true };
        let mut bytes = hyperloglog::empty();
        hyperloglog::forget_count(&mut bytes);
        for element in 0..limit {
            let element = element.to_string();
            server.client.call(&["PFADD", "h", &element]);
            hyperloglog::add(&mut bytes, element.as_bytes(), rules).expect("a valid HyperLogLog");
            if bytes.len() == 12304 || bytes.len().is_multiple_of(8) {
                let theirs = server.client.call(&["GET", "h"]);
                assert_eq!(theirs, Reply::Bulk(bytes.clone()), "{element}, of {limit} bytes");
            }
            if bytes.len() == 12304 {
                break;
            }
        }
    }
}

fn pfadd(random: &mut Random, key: &str, most: u64) -> Args {
    let mut args = list(&[b"PFADD", key.as_bytes()]);
    for _ in 0..random.below(most + 1) {
        // All lengths occur, because the hash function processes eight bytes at a time.
        let length = usize::try_from(random.below(20)).expect("small");
        let mut bytes = random.next().to_le_bytes().repeat(3);
        bytes.truncate(length);
        args.push(if random.once_in(3) {
            random.below(50).to_string().into_bytes()
        } else {
            bytes
        });
    }
    args
}

fn command(random: &mut Random, most: u64) -> Args {
    let key = random.pick(&KEYS);
    match random.below(14) {
        0 if random.once_in(2) => bystander(random, key.as_bytes()),
        0..6 => pfadd(random, key, most),
        6..8 => list(&[b"PFCOUNT", key.as_bytes()]),
        8 => list(&[b"PFCOUNT", key.as_bytes(), random.pick(&KEYS).as_bytes(), b"none"]),
        9..13 => {
            let mut args = list(&[b"PFMERGE", key.as_bytes()]);
            (0..random.below(4)).for_each(|_| args.push(random.pick(&KEYS).as_bytes().to_vec()));
            args
        }
        _ => {
            let name = random.pick(&["GETREG", "todense", "DECODE", "ENCODING", "nope"]);
            let name = if random.once_in(2) { "ENCODING" } else { name };
            list(&[b"PFDEBUG", name.as_bytes(), key.as_bytes()])
        }
    }
}

fn header(random: &mut Random, encoding: u8) -> Vec<u8> {
    let mut bytes = b"HYLL\0\0\0\0\0\0\0\0\0\0\0\x80".to_vec();
    bytes[4] = encoding;
    if random.once_in(5) {
        bytes[15] = 0;
        bytes[8] = 7;
    }
    bytes
}

/// Returns sparse registers with opcodes that no server would choose, usually 16384 registers.
fn sparse(random: &mut Random) -> Vec<u8> {
    let mut bytes = header(random, 1);
    let mut left = 16384;
    // Either short runs of few values, of which many could be joined, or arbitrary runs.
    let (runs, values) = if random.once_in(2) { (9, 2) } else { (8 + random.below(300), 32) };
    while left > 0 {
        // Rarely a run exceeds the end.
        let most = if random.once_in(10_000) { 20_000 } else { left };
        let run = match random.below(runs) {
            0 if values == 2 && !random.once_in(20) => continue,
            0 => {
                let run = 1 + random.below(16384.min(most));
                let [low, high, ..] = (run - 1).to_le_bytes();
                bytes.extend([0x40 | high, low]);
                run
            }
            1..4 => {
                let run = 1 + random.below(64.min(most));
                bytes.push((run - 1).to_le_bytes()[0]);
                run
            }
            _ => {
                let run = 1 + random.below(4.min(most));
                let value = random.below(values).to_le_bytes()[0];
                bytes.push(0x80 | value << 2 | (run - 1).to_le_bytes()[0]);
                run
            }
        };
        left = left.saturating_sub(run);
        if random.once_in(20_000) {
            break;
        }
    }
    if random.once_in(10) {
        bytes.push(*random.pick(&[&0x80, &0xff, &0x00, &0x3f]));
    }
    bytes
}

/// Returns dense registers with arbitrary values, including those that no hash produces.
fn dense(random: &mut Random) -> Vec<u8> {
    let mut bytes = header(random, 0);
    let kind = random.below(4);
    while bytes.len() < 12304 {
        bytes.extend(match kind {
            0 => random.next().to_le_bytes(),
            1 => [0xff; 8],
            // 51 in every register.
            2 => [0xf3, 0x3c, 0xcf, 0xf3, 0x3c, 0xcf, 0xf3, 0x3c],
            _ => (random.next() & random.next() & random.next()).to_le_bytes(),
        });
    }
    let length = if random.once_in(10) { 12303 } else { 12304 };
    bytes.truncate(length);
    bytes
}
