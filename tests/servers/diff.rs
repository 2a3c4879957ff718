//! Compares the differences that `diff` finds between two states of a server with those that servers report key by key
//! after they have loaded the states.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aofkit::analysis::data_filter::Filter;
use aofkit::base::progress::Silent;
use aofkit::command;
use aofkit::ops::diff::{DiffOptions, DiffReport, Difference, Reason, diff};
use aofkit::replay::RouteOptions;
use libtest_mimic::Trial;

use super::compact::{copy_log, replay_options, run};
use crate::support::{Binary, FAMILIES, Random, Reply, Running, copy_dir, differential, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&FAMILIES, "diff::differences_are_those_that_servers_report", two_states)
}

/// The number of pairs of states, and the number of commands before each of the two states.
const PAIRS: u64 = 2;
const BEFORE: usize = 500;
const BETWEEN: usize = 60;

fn two_states(binary: &Binary) {
    let pairs = std::env::var("AOFKIT_SEQUENCES").map_or(PAIRS, |n| n.parse().expect("a number"));
    let first = std::env::var("AOFKIT_SEED").map_or(0, |n| n.parse().expect("a number"));
    for seed in first..first + pairs {
        one_pair(binary, seed);
    }
}

fn one_pair(binary: &Binary, seed: u64) {
    let mut random = Random::new(seed);
    let data = tempfile::tempdir().expect("a directory");
    let config = [("appendonly", "yes"), ("appendfsync", "no"), ("save", "")];
    let mut logs = Vec::new();
    for commands in [BEFORE, BETWEEN] {
        let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
        for _ in 0..commands {
            run(&mut server, &mut random);
        }
        assert!(server.shut_down().success());
        logs.push(copy_log(data.path()));
    }
    let [before, after] = [&logs[0], &logs[1]].map(|log| log.path());
    let dump = data.path().join("copy.rdb");
    let a = facts(binary, before, Some(&dump));
    let b = facts(binary, after, None);
    let mut expected = BTreeMap::new();
    for spot in a.keys().chain(b.keys()) {
        let reasons = match (a.get(spot), b.get(spot)) {
            (Some(a), Some(b)) => a.differences_from(b),
            (a, _) => vec![if a.is_some() { "only in A" } else { "only in B" }.to_owned()],
        };
        if !reasons.is_empty() {
            expected.insert(spot.clone(), reasons);
        }
    }
    let (found, report) = differences(binary, before, after);
    assert!(found.len() > 10, "{}, seed {seed}: something differs", binary.line);
    for spot in expected.keys().chain(found.keys()) {
        let (found, expected) = (found.get(spot), expected.get(spot));
        let key = spot.1.escape_ascii();
        assert_eq!(found, expected, "{key} of {} on {}, seed {seed}", spot.0, binary.line);
    }
    if binary.line.has_redis(7, 0) {
        assert_eq!(report.keys.differing(), found.len() as u64);
    }
    let both = a.keys().filter(|spot| b.contains_key(*spot)).count() as u64;
    assert_eq!(report.keys.same, both - report.keys.different);

    // A snapshot equals the log of the same state, and differs from another log in the same way as that log.
    let (none, report) = differences(binary, before, &dump);
    assert!(none.is_empty() && report.same, "{}, seed {seed}: {none:?}", binary.line);
    let (from_dump, _) = differences(binary, &dump, after);
    assert_eq!(from_dump, found, "{}, seed {seed}", binary.line);
}

/// The names of the differences of each key, by database and key.
type Differences = BTreeMap<(u32, Vec<u8>), Vec<String>>;

fn differences(binary: &Binary, a: &Path, b: &Path) -> (Differences, DiffReport) {
    let options = DiffOptions {
        filter: Filter::default(),
        route: RouteOptions::default(),
        replay: replay_options(binary),
    };
    let mut differences = Differences::new();
    let mut found = |difference: &Difference| {
        let names = match (&difference.a, &difference.b) {
            (Some(_), None) => vec!["only in A".to_owned()],
            (None, Some(_)) => vec!["only in B".to_owned()],
            (Some(a), Some(b)) => {
                // Redis 6.2 does not report exact expiry times.
                let vague = !binary.line.has_redis(7, 0)
                    && a.expires_ms.is_some()
                    && b.expires_ms.is_some();
                let reasons = difference.reasons.iter();
                let reasons = reasons.filter(|reason| !(vague && **reason == Reason::Expiry));
                reasons.map(|reason| reason.name().to_owned()).collect()
            }
            (None, None) => panic!("{difference:?}"),
        };
        if !names.is_empty() {
            differences.insert((difference.db, difference.key.clone()), names);
        }
        Ok(())
    };
    let report = diff([a, b], &options, Some(&mut found), &Silent)
        .unwrap_or_else(|error| panic!("{}: {error}", binary.line));
    (differences, report)
}

/// The state of a key as a server reports it.
#[derive(Debug, PartialEq)]
struct Facts {
    kind: String,
    /// The DEBUG DIGEST-VALUE without any expiry.
    value: String,
    fields: String,
    stream: String,
    /// The expiry time in Unix milliseconds. Before 7.0, only whether the key expires.
    expiry: i64,
}

impl Facts {
    fn differences_from(&self, other: &Facts) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.kind != other.kind {
            reasons.push("type");
        } else if self.value != other.value {
            reasons.push("value");
        } else if self.fields != other.fields {
            reasons.push("field expiry");
        } else if self.stream != other.stream {
            reasons.push("stream state");
        }
        if self.expiry != other.expiry {
            reasons.push("expiry");
        }
        reasons.into_iter().map(str::to_owned).collect()
    }
}

/// Loads the log with a server and returns the state of every key. The server first writes an RDB to `dump`, because
/// reading the states changes the keys.
fn facts(binary: &Binary, log: &Path, dump: Option<&Path>) -> BTreeMap<(u32, Vec<u8>), Facts> {
    let data = tempfile::tempdir().expect("a directory");
    copy_dir(log, data.path()).expect("a copy of the log");
    let config = [("appendonly", "yes"), ("save", "")];
    let mut server = Running::start(binary, data.path(), &config).expect("the log loads");
    if let Some(dump) = dump {
        assert_eq!(server.client.call(&["SAVE"]), Reply::Simple("OK".to_owned()));
        fs::copy(data.path().join("dump.rdb"), dump).expect("the snapshot is copied");
    }
    let mut facts = BTreeMap::new();
    for db in 0..16_u32 {
        server.client.call(&["SELECT", &db.to_string()]);
        for key in server.client.call(&["KEYS", "*"]).array() {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            facts.insert((db, key.clone()), facts_of_key(&mut server, binary, key));
        }
    }
    facts
}

fn facts_of_key(server: &mut Running, binary: &Binary, key: &[u8]) -> Facts {
    let kind = server.client.call(&[&b"TYPE"[..], key]).text();
    let expiry = match binary.line.has_redis(7, 0) {
        true => server.client.call(&[&b"PEXPIRETIME"[..], key]).int(),
        false => server.client.call(&[&b"PTTL"[..], key]).int().min(1),
    };
    let mut fields = Vec::new();
    let has_field_expiry =
        command::lookup(b"HPEXPIRETIME").is_some_and(|id| id.row().known_by(binary.line));
    if kind == "hash" && has_field_expiry {
        for field in server.client.call(&[&b"HKEYS"[..], key]).array() {
            let Reply::Bulk(field) = field else { panic!("{field:?}") };
            let command = |name: &'static str| [name.as_bytes(), key, b"FIELDS", b"1", field];
            let time = server.client.call(&command("HPEXPIRETIME"));
            fields.push(format!("{} {:?}", field.escape_ascii(), time.array()));
            server.client.call(&command("HPERSIST"));
        }
    }
    fields.sort();
    let stream = match &*kind {
        "stream" => differential::stream_state(server, key),
        _ => String::new(),
    };
    server.client.call(&[&b"PERSIST"[..], key]);
    let digest = server.client.call(&[&b"DEBUG"[..], b"DIGEST-VALUE", key]);
    let value = digest.array()[0].text();
    Facts { kind, value, fields: fields.join(", "), stream, expiry }
}
