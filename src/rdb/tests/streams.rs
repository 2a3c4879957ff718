//! Streams of every version, and streams with inconsistent parts.

use super::*;

/// Encodes a count as one byte.
fn small(n: usize) -> u8 {
    u8::try_from(n).unwrap()
}

/// Builds a stream of two live entries and one deleted entry.
pub(super) fn stream(version: u8) -> Vec<u8> {
    let node = listpack(&[
        "2", "1", "2", "f", "g", "0", // the node's fields
        "2", "0", "0", "v1", "w1", "5", // same fields
        "3", "1", "0", "v2", "w2", "5", // same fields, deleted
        "0", "5", "-3", "1", "h", "v3", "6", // its own field
    ]);
    let id = |ms: u64, seq: u64| [ms.to_be_bytes(), seq.to_be_bytes()].concat();
    let mut bytes = [vec![1], string(id(1000, 7)), string(node), length(2)].concat();
    bytes.extend([length(1005), length(4)].concat());
    if version >= 2 {
        bytes.extend([length(1000), length(7), length(1001), length(7), length(3)].concat());
    }
    bytes.push(2);
    bytes.extend([string("g1"), length(1005), length(4)].concat());
    if version >= 2 {
        bytes.extend(length(u64::MAX));
    }
    bytes.push(2);
    bytes.extend([id(1000, 7), 55i64.to_le_bytes().to_vec(), length(1)].concat());
    bytes.extend([id(1005, 4), 56i64.to_le_bytes().to_vec(), length(2)].concat());
    bytes.push(2);
    for (name, owned) in [("c1", id(1005, 4)), ("c2", id(1000, 7))] {
        bytes.extend([string(name), 60i64.to_le_bytes().to_vec()].concat());
        if version >= 3 {
            bytes.extend((-1i64).to_le_bytes());
        }
        bytes.extend([vec![1], owned].concat());
    }
    if version >= 5 {
        bytes.push(0);
    }
    bytes.extend([string("g2"), length(0), length(0)].concat());
    if version >= 2 {
        bytes.extend(length(0));
    }
    bytes.extend([0, 0]);
    if version >= 5 {
        bytes.push(0);
    }
    if version >= 4 {
        bytes.extend([length(100), length(50), vec![1]].concat());
        bytes.extend([string("p"), vec![2], string("i"), length(1000), length(7)].concat());
        bytes.extend([string("j"), length(1005), length(4), length(300), length(1)].concat());
    }
    bytes
}

#[test]
fn streams_of_each_version_are_read() {
    for (version, code, header) in [
        (1, 15, "REDIS0009"),
        (2, 19, "REDIS0010"),
        (3, 21, "REDIS0011"),
        (4, 26, "REDIS0013"),
        (5, 27, "REDIS0014"),
    ] {
        let (first, added, read) = match version {
            1 => ("first=? deleted=? added=None", "None", "None"),
            _ => ("first=1000-7 deleted=1001-7 added=Some(3)", "None", "Some(0)"),
        };
        let active = if version >= 3 { "Some(-1)" } else { "None" };
        let producers = ["producer p 2", "iid i 1000-7", "iid j 1005-4", "idmp 100 50 300 1"]
            .map(str::to_owned);
        let mut lines = value(header, code, stream(version));
        if version >= 4 {
            assert_eq!(lines.split_off(lines.len() - producers.len()), producers);
        }
        assert_eq!(
            lines,
            [
                "entry 1000-7 2",
                "f=v1",
                "g=w1",
                "entry 1005-4 1",
                "h=v3",
                &format!("stream length=2 last=1005-4 {first}"),
                &format!("group g1 last=1005-4 read={added}"),
                "pending 1000-7 55 1",
                "pending 1005-4 56 2",
                &format!("consumer c1 60 {active}"),
                "has 1005-4",
                &format!("consumer c2 60 {active}"),
                "has 1000-7",
                &format!("group g2 last=0-0 read={read}"),
            ]
        );
    }
}

/// Builds a stream of these nodes, without groups.
fn stream_of(nodes: &[Vec<u8>], length: u8) -> Vec<u8> {
    let mut bytes = vec![small(nodes.len())];
    for node in nodes {
        bytes.extend([string([0; 16]), string(node)].concat());
    }
    bytes.extend([length, 0, 0, 0]);
    bytes
}

#[test]
fn inconsistent_streams_are_reported() {
    let sound = ["1", "0", "1", "f", "0", "2", "0", "0", "v", "4"];
    value("REDIS0009", 15, stream_of(&[listpack(&sound)], 1));
    // A stream may be empty.
    assert_eq!(value("REDIS0009", 15, stream_of(&[], 0)).len(), 1);
    value_damage("REDIS0009", 15, stream_of(&[], 1));
    value_damage("REDIS0009", 15, stream_of(&[listpack::<&str>(&[])], 0));
    value_damage("REDIS0009", 15, stream_of(&[listpack(&sound), listpack(&sound)], 2));
    for (at, text) in [
        (0, "0"),
        (0, "2"),
        (0, "-1"),
        (1, "1"),
        (2, "2"),
        (2, "x"),
        (4, "1"),
        (5, "0"),
        (6, "x"),
        (9, "5"),
    ] {
        let mut items = sound;
        items[at] = text;
        let damage = value_damage("REDIS0009", 15, stream_of(&[listpack(&items)], 1));
        assert!(damage.inside.is_none());
    }
}

#[test]
fn settings_of_producers_out_of_their_ranges_are_reported() {
    // The seconds and the entries of `stream`.
    let settings = [length(100), length(50)].concat();
    let of = |seconds: u64, entries: u64| {
        let bytes = stream(4);
        let at = memchr::memmem::find(&bytes, &settings).unwrap();
        let (before, after) = (&bytes[..at], &bytes[at + settings.len()..]);
        [before, &length(seconds), &length(entries), after].concat()
    };
    for (seconds, entries) in [(1, 1), (86_400, 10_000)] {
        value("REDIS0013", 26, of(seconds, entries));
    }
    for (seconds, entries) in [(0, 50), (86_401, 50), (100, 0), (100, 10_001), (u64::MAX, 50)] {
        value_damage("REDIS0013", 26, of(seconds, entries));
    }
}

#[test]
fn inconsistent_groups_are_reported() {
    let id = |n: u8| [&[0; 15][..], &[n]].concat();
    let pending = |n: u8| [id(n), vec![0; 8], vec![1]].concat();
    let consumer = |name: &str, ids: &[u8]| {
        let ids: Vec<u8> = ids.iter().flat_map(|n| id(*n)).collect();
        [string(name), vec![0; 8], vec![small(ids.len() / 16)], ids].concat()
    };
    let group = |name: &str, ids: &[u8], consumers: &[Vec<u8>]| {
        let all: Vec<u8> = ids.iter().flat_map(|n| pending(*n)).collect();
        let head = [string(name), vec![0, 0, small(ids.len())], all, vec![small(consumers.len())]];
        [head.concat(), consumers.concat()].concat()
    };
    let stream = |groups: &[Vec<u8>]| {
        let mut bytes = stream_of(&[], 0);
        *bytes.last_mut().unwrap() = small(groups.len());
        [bytes, groups.concat()].concat()
    };
    let (rdb_of_one, two) = (consumer("c", &[1, 2]), consumer("d", &[3]));
    let sound = group("g", &[1, 2, 3], &[rdb_of_one.clone(), two.clone()]);
    value("REDIS0009", 15, stream(std::slice::from_ref(&sound)));
    // Any order is valid, as the servers insert them into trees.
    value("REDIS0009", 15, stream(&[group("g", &[3, 1, 2], &[rdb_of_one.clone(), two.clone()])]));
    for wrong in [
        vec![sound.clone(), sound],
        vec![group("g", &[1, 2, 3, 3], &[rdb_of_one.clone(), two.clone()])],
        vec![group("g", &[1, 2], &[rdb_of_one.clone(), two.clone()])],
        vec![group("g", &[1, 2, 3], std::slice::from_ref(&rdb_of_one))],
        vec![group("g", &[1, 2], &[rdb_of_one.clone(), consumer("c", &[])])],
        vec![group("g", &[1], &[consumer("c", &[1, 1])])],
    ] {
        value_damage("REDIS0009", 15, stream(&wrong));
    }
}
