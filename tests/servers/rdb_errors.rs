//! Errors in RDBs that servers wrote: set back, or the keys around them salvaged, and the results loaded.
//!
//! `AOFKIT_RDB_ERRORS` sets the number of errors of each kind; the default keeps the trials quick.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use aofkit::base::progress::Silent;
use aofkit::ops::repair::{Output, RepairOptions, repair};
use aofkit::ops::verify::{VerifyOptions, verify};
use aofkit::rdb::{Ignore, Key, Records, Visitor, Want, walk};
use libtest_mimic::Trial;
use serde_json::Value;

use super::rdb::{fill_common, fill_special, saved};
use crate::support::{Binary, FAMILIES, Random, Reply, Running, on_each};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "rdb_errors::wrong_bits_are_set_back", set_back);
    let large = "rdb_errors::wrong_bits_in_large_rdbs_are_set_back";
    trials.extend(on_each(&FAMILIES, large, set_back_in_large));
    let two = "rdb_errors::two_independent_errors_are_not_set_back";
    trials.extend(on_each(&FAMILIES, two, two_errors));
    trials.extend(on_each(&FAMILIES, "rdb_errors::keys_around_a_damaged_span_load", around));
    trials
}

fn errors(default: u64) -> u64 {
    let set = std::env::var("AOFKIT_RDB_ERRORS").ok();
    set.map_or(default, |number| number.parse().expect("a number"))
}

fn rdb_of(binary: &Binary) -> Vec<u8> {
    let fill = |server: &mut Running, line| {
        fill_common(server, line);
        fill_special(server, line);
        for at in 0..400 {
            super::rdb::run(server, &format!("SET user:{at} value-of-user-{at}"));
        }
    };
    saved(binary, &[], false, fill).rdb
}

fn index(number: u64) -> usize {
    usize::try_from(number).expect("an index")
}

/// Repairs the RDB and returns the report; the result is in `new.rdb`.
fn repaired(place: &Path, bytes: &[u8], salvage: bool) -> Value {
    let (path, new) = (place.join("dump.rdb"), place.join("new.rdb"));
    fs::write(&path, bytes).expect("a file");
    let _ = fs::remove_file(&new);
    let options = RepairOptions { salvage, ..RepairOptions::to(Output::New(new)) };
    let report = repair(&path, &options, &Silent).expect("a repair");
    serde_json::to_value(report).expect("a report")
}

/// Returns an RDB of about so many bytes, with values of every type.
fn large_rdb_of(binary: &Binary, bytes: u64) -> Vec<u8> {
    /// Writes keys of six types until there are as many bytes as the argument says.
    const FILL: &str = "local left, n = tonumber(ARGV[1]), tonumber(ARGV[2])
        local function word() return tostring(math.random(1e9)) .. string.rep('x', math.random(0, 40)) end
        while left > 0 do
            n = n + 1
            local args = {}
            for i = 1, 2 * math.random(1, math.random(1, 400)) do args[i] = word() end
            local key, kind = 'key:' .. n, n % 7
            if kind == 0 then redis.call('SET', key, table.concat(args))
            elseif kind == 1 then redis.call('SET', key, args[1])
            elseif kind == 2 then redis.call('RPUSH', key, unpack(args))
            elseif kind == 3 then redis.call('SADD', key, unpack(args))
            elseif kind == 4 then redis.call('HSET', key, unpack(args))
            elseif kind == 5 then
                for i = 1, #args, 2 do redis.call('ZADD', key, i * 1.5, args[i]) end
            else
                for i = 1, #args, 2 do redis.call('XADD', key, i .. '-1', args[i], args[i + 1]) end
            end
            if n % 5 == 0 then redis.call('PEXPIREAT', key, 4102444800000 + n) end
            left = left - 24 * #args
        end
        return n";
    let fill = |server: &mut Running, line| {
        fill_common(server, line);
        fill_special(server, line);
        // A script of a few seconds would make the server answer that it is busy.
        let (mut left, mut number) = (bytes, 0);
        while left > 0 {
            let part = left.min(4_000_000);
            let args = ["EVAL", FILL, "0", &part.to_string(), &number.to_string()];
            let Reply::Int(last) = server.client.call(&args) else { panic!("a number") };
            (left, number) = (left - part, last);
        }
    };
    saved(binary, &[("rdbcompression", "no")], false, fill).rdb
}

/// Changes one bit, one byte or two adjacent bytes at `at`.
fn change(bytes: &mut [u8], at: usize, round: u64, random: &mut Random) {
    match round % 3 {
        0 => bytes[at] ^= 1 << random.below(8),
        _ => bytes[at] ^= u8::try_from(1 + random.below(255)).expect("a byte"),
    }
    if round % 3 == 2 {
        bytes[at + 1] ^= u8::try_from(1 + random.below(255)).expect("a byte");
    }
}

fn set_back(binary: &Binary) {
    set_back_in(&rdb_of(binary), errors(12));
}

/// With `AOFKIT_RDB_ERRORS`, RDBs of up to 50 MB: so many errors in all.
fn set_back_in_large(binary: &Binary) {
    let sizes: &[(u64, u64)] = match std::env::var_os("AOFKIT_RDB_ERRORS") {
        Some(_) => {
            &[(20_000, 40), (200_000, 30), (2_000_000, 20), (12_000_000, 7), (50_000_000, 3)]
        }
        None => &[(100_000, 50), (1_000_000, 50)],
    };
    for (bytes, percent) in sizes {
        set_back_in(&large_rdb_of(binary, *bytes), (errors(6) * percent).div_ceil(100));
    }
}

fn set_back_in(rdb: &[u8], rounds: u64) {
    let mut random = Random::new(64);
    let place = tempfile::tempdir().expect("a directory");
    for round in 0..rounds {
        let at = index(random.below(rdb.len() as u64 - 1));
        let mut changed = rdb.to_vec();
        change(&mut changed, at, round, &mut random);
        let report = repaired(place.path(), &changed, false);
        assert!(!report["rdb"][0]["corrected"].is_null(), "byte {at}: {report:#}");
        let result = fs::read(place.path().join("new.rdb")).expect("a result");
        assert!(result == rdb, "byte {at}: {report:#}");
    }
}

fn two_errors(binary: &Binary) {
    let rdb = rdb_of(binary);
    let mut random = Random::new(65);
    let place = tempfile::tempdir().expect("a directory");
    for _ in 0..errors(12) {
        let mut changed = rdb.clone();
        let first = index(random.below(rdb.len() as u64 - 12));
        let second = first + 2 + index(random.below((rdb.len() - first - 4) as u64));
        for at in [first, second] {
            change(&mut changed, at, random.below(3), &mut random);
        }
        // Neighbours of two bytes each can touch.
        if (first + 1..=second + 1).all(|at| changed[at] != rdb[at]) {
            continue;
        }
        let what = format!("bytes {first} and {second}");
        let path = place.path().join("dump.rdb");
        fs::write(&path, &changed).expect("a file");
        let options = VerifyOptions::default();
        let verified = verify(&[path], &options, &Silent).expect("a report");
        let verified = serde_json::to_value(verified).expect("a report");
        let findings = verified["logs"][0]["findings"].as_array().expect("a list");
        let mut errors = findings.iter().filter(|it| it["level"] == "error");
        let finds = |it: &Value| it["correction"].is_null();
        assert!(errors.clone().count() > 0 && errors.all(finds), "{what}: {verified:#}");
        // Damage in the header leaves nothing to be salvaged.
        if first < 9 {
            continue;
        }
        let report = repaired(place.path(), &changed, true);
        assert!(report["rdb"][0]["corrected"].is_null(), "{what}: {report:#}");
        assert_eq!(report["rdb"][0]["values_uncertain"], true, "{what}: {report:#}");
    }
}

/// The offset of each key's record, by database and name.
#[derive(Default)]
struct Offsets(BTreeMap<(u64, Vec<u8>), u64>);

impl<'a> Visitor<'a> for Offsets {
    fn key(&mut self, key: &Key<'a>) -> Want {
        self.0.insert((key.db, key.name.to_vec()), key.offset);
        Want::Value
    }
}

/// The start and the end of each key's record.
fn records(rdb: &[u8]) -> BTreeMap<(u64, Vec<u8>), (u64, u64)> {
    let mut offsets = Offsets::default();
    walk(rdb, &mut offsets, &Silent).expect("a valid RDB");
    let mut records = Records::new(rdb).expect("a valid RDB");
    let mut end = |db, at| records.read(db, at, &mut Ignore).expect("a valid record");
    offsets.0.into_iter().map(|(key, at)| (key.clone(), (at, end(key.0, at)))).collect()
}

fn around(binary: &Binary) {
    let rdb = rdb_of(binary);
    let originals = records(&rdb);
    let mut random = Random::new(4096);
    let place = tempfile::tempdir().expect("a directory");
    let rounds = errors(8);
    for round in 0..rounds {
        let len = 1 + random.below([4096, 256, 4096, 16][index(round % 4)]);
        // The tail of such a small RDB has the checksum alone.
        let start = 100 + random.below(rdb.len() as u64 - 200 - len);
        let mut changed = rdb.clone();
        for byte in &mut changed[index(start)..index(start + len)] {
            *byte = u8::try_from(random.below(256)).expect("a byte");
        }
        let report = repaired(place.path(), &changed, true);
        let repair = &report["rdb"][0];
        let what = format!("{start}+{len}: {report:#}");
        let result = fs::read(place.path().join("new.rdb")).expect("a result");
        let kept = records(&result);
        let outside: Vec<_> =
            originals.iter().filter(|(_, it)| it.1 <= start || it.0 >= start + len).collect();
        let found = outside.iter().filter(|(key, it)| {
            kept.get(*key).is_some_and(|kept| {
                result[index(kept.0)..index(kept.1)] == rdb[index(it.0)..index(it.1)]
            })
        });
        let found = found.count();
        assert!(found * 100 >= outside.len() * 95, "{found} of {}: {what}", outside.len());
        for (db, name) in kept.keys().filter(|key| !originals.contains_key(*key)) {
            let doubtful = repair["doubtful"].as_array().expect("a list");
            let is_marked = doubtful
                .iter()
                .any(|key| key["key"] == name.escape_ascii().to_string() && key["db"] == *db);
            // A name that the span changed is of the record that was there.
            let is_changed =
                originals.values().any(|it| it.0 < start + len && it.1 > start && it.0 < start);
            assert!(is_marked || is_changed, "{}: {what}", name.escape_ascii());
        }
        if round < 4 {
            loads(binary, &result, kept.len());
        }
    }
}

fn loads(binary: &Binary, rdb: &[u8], keys: usize) {
    let data = tempfile::tempdir().expect("a directory");
    fs::write(data.path().join("dump.rdb"), rdb).expect("a file");
    let mut server = Running::start(binary, data.path(), &[])
        .unwrap_or_else(|ended| panic!("{} does not load it: {}", binary.line, ended.log));
    let mut loaded = 0;
    for db in 0..16 {
        super::rdb::run(&mut server, &format!("SELECT {db}"));
        let Reply::Int(size) = super::rdb::run(&mut server, "DBSIZE") else { panic!("a number") };
        loaded += size;
    }
    assert_eq!(usize::try_from(loaded).expect("a number"), keys);
}
