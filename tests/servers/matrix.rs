//! Reads states that every line of the matrix wrote itself.
//!
//! A state is a data set of testdata/ that the server loads, or nothing, changed by random commands and rewritten by the
//! server, with or without an RDB preamble. In half of the states, more commands follow the rewrite. Of each state,
//! `verify` reports that it is valid, `digest` the DEBUG DIGEST, and `compact` writes a log that the server loads with
//! the same data.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use aofkit::base::server::{Server, redis};
use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::TempDir;

use super::compact::{copy_log, run};
use super::rewrite::state;
use crate::support::{
    Args, Binary, LINES, Random, Reply, Run, Running, aofkit, args, copy_dir, lay_out,
    lay_out_base, on_each, temp_dir,
};

pub(crate) fn trials() -> Vec<Trial> {
    on_each(&LINES, "matrix::states_of_the_server_are_read_and_compacted", states)
}

/// Returns the number of states of a line: more of the newest Redis, whose forms are the least known.
fn count(line: Server) -> u64 {
    let count = if line == redis(8, 6) { 200 } else { 16 };
    std::env::var("AOFKIT_STATES").map_or(count, |n| n.parse().expect("a number"))
}

/// The logs and RDBs of testdata/ that are valid.
static DATA_SETS: LazyLock<Vec<PathBuf>> = LazyLock::new(|| {
    let testdata = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"));
    let entries = ["real", "rdb"].map(|part| fs::read_dir(testdata.join(part)).expect("testdata"));
    let paths = entries.into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let mut paths: Vec<_> = paths.filter(|path| !path.ends_with("README.md")).collect();
    paths.sort();
    paths
});

/// A state, and what the server has after a restart from it.
pub(crate) struct State {
    pub(crate) log: TempDir,
    preamble: bool,
    pub(crate) keys: u64,
    pub(crate) expected: (String, Vec<String>),
}

fn states(binary: &Binary) {
    let first = std::env::var("AOFKIT_SEED").map_or(0, |n| n.parse().expect("a number"));
    let mut failed = Vec::new();
    let mut keys = 0;
    for seed in first..first + count(binary.line) {
        let written = write(binary, seed);
        keys += written.keys;
        if let Err(problem) = read(binary, &written) {
            let saved = std::env::temp_dir().join(format!("aofkit-state-{seed}-{}", binary.line));
            let _ = fs::remove_dir_all(&saved);
            let _ = fs::rename(written.log.keep(), &saved);
            failed.push(format!("seed {seed}, {}: {problem}", saved.display()));
        }
    }
    assert!(keys > 100, "{keys} keys in all states");
    assert!(failed.is_empty(), "{}: {} failed\n{}", binary.line, failed.len(), failed.join("\n"));
}

/// Lets the server write a state.
pub(crate) fn write(binary: &Binary, seed: u64) -> State {
    let mut random = Random::new(seed);
    let preamble = seed.is_multiple_of(2);
    let config = [
        ("appendonly", "yes"),
        ("appendfsync", "no"),
        ("aof-use-rdb-preamble", if preamble { "yes" } else { "no" }),
    ];
    let data = data_set(binary, &mut random, &config).unwrap_or_else(temp_dir);
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    for _ in 0..random.below(250) {
        change(
            &mut server,
            &mut random,
            if preamble { Contents::All } else { Contents::AsCommands },
        );
    }
    if !preamble {
        delete_vector_sets(&mut server);
    }
    server.rewrite();
    if random.once_in(2) {
        for _ in 0..20 {
            change(
                &mut server,
                &mut random,
                if preamble { Contents::AsRdb } else { Contents::AsCommands },
            );
        }
    }
    assert!(server.shut_down().success());
    let log = copy_log(data.path());
    // Loading the log does not restore all the state that the server had.
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts again");
    State { log, preamble, keys: server.keys(), expected: state(&mut server, binary) }
}

/// Deletes all vector sets, with which Redis 8.0.2, 8.2.3 and 8.6.3 crash in a rewrite without preamble.
fn delete_vector_sets(server: &mut Running) {
    for db in 0..16 {
        server.client.call(&["SELECT", &db.to_string()]);
        for key in server.client.call(&["KEYS", "*"]).array() {
            let Reply::Bulk(key) = key else { panic!("{key:?}") };
            if server.client.call(&[&b"TYPE"[..], key]).text() == "vectorset" {
                server.client.call(&[&b"DEL"[..], key]);
            }
        }
    }
}

/// Returns a data directory with a data set of testdata/ that the server loads, or none.
fn data_set(binary: &Binary, random: &mut Random, config: &[(&str, &str)]) -> Option<TempDir> {
    let index = usize::try_from(random.below(DATA_SETS.len() as u64 + 10)).expect("an index");
    let (path, data) = (DATA_SETS.get(index)?, temp_dir());
    if path.join("appendonlydir").exists() && !binary.line.reads_multi_part() {
        return None;
    }
    let rdb = if path.is_file() { path.clone() } else { path.join("dump.rdb") };
    match fs::read(rdb) {
        Ok(rdb) => lay_out_base(binary.line, data.path(), &rdb),
        Err(_) => copy_dir(path, data.path()).expect("a copy"),
    }
    Running::start(binary, data.path(), config).ok().map(|_| data)
}

/// What the random commands may write, by what a compaction of the state can hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Contents {
    /// Everything: the server stores it in an RDB.
    All,
    /// What commands can hold: no vector sets.
    AsCommands,
    /// What an RDB can hold of what commands have changed: no vector sets, and no ids that the server computes (IDMPAUTO).
    AsRdb,
}

/// Runs a random command, or one of a newer server if the server knows it.
fn change(server: &mut Running, random: &mut Random, contents: Contents) {
    if random.once_in(4) {
        server.client.call(&newer(random, contents));
    } else {
        run(server, random);
    }
}

/// Returns a random command of Redis 7.0 to 8.6. Servers that do not know it reply with an error.
fn newer(random: &mut Random, contents: Contents) -> Args {
    let vectors = contents == Contents::All;
    let (number, item) = (random.below(3), random.below(9));
    let later = 4_000_000_000_000 + random.below(1_000_000);
    args(&match random.below(18) {
        0 => format!("XADD idmp{number} IDMP p{} i{item} * f {item}", item % 2),
        1 if contents != Contents::AsRdb => {
            format!("XADD idmp{number} IDMPAUTO p{} * f {item}", item % 2)
        }
        2 => format!("XCFGSET idmp{number} IDMP-DURATION {} IDMP-MAXSIZE 50", 600 + item),
        3 => format!("SET string{number} swapped IFEQ text"),
        4 => format!("DELEX string{number} IFEQ swapped"),
        5 => format!("MSETEX 2 string{number} a counter{number} 7 PXAT {later}"),
        6 => format!("HSETEX expiring{number} PXAT {later} FIELDS 1 f{item} w"),
        7 => format!("HGETEX expiring{number} PXAT {later} FIELDS 1 f{item}"),
        8 => format!("HGETDEL hash{number} FIELDS 1 f{item}"),
        9 => format!("HPERSIST expiring{number} FIELDS 1 f{item}"),
        10 => format!("LMPOP 2 list{number} list0 LEFT COUNT 2"),
        11 => format!("ZMPOP 2 zset{number} zset0 MIN COUNT 2"),
        12 => format!("SINTERSTORE set{number} set0 set1"),
        13 => format!("BITFIELD_RO bits{number} GET u8 0"),
        14 => format!("ZRANGESTORE zset{number} zset0 0 20"),
        15 | 16 if vectors => format!("VADD vector{number} VALUES 3 {item} 2.5 -1 e{item}"),
        17 if vectors => format!("VREM vector{number} e{item}"),
        _ => format!("XADD idmp{number} 5-{} f v", random.below(1000)),
    })
}

/// Returns the first difference between what aofkit and the server read in a state.
fn read(binary: &Binary, state: &State) -> Result<(), String> {
    let (line, log) = (binary.line.to_string(), state.log.path());
    // Redis 5.0 rewrites an empty stream with an XADD that fails when it is loaded, which is a finding.
    let codes = if binary.line == redis(5, 0) { 0..=1 } else { 0..=0 };
    let aofkit_on = |args: &[&str]| {
        let run = Run::of(aofkit().args(args).arg(log));
        match run.code {
            Some(code) if codes.contains(&code) => Ok(run.stdout),
            _ => Err(format!("aofkit {}: {run:#?}", args[0])),
        }
    };
    aofkit_on(&["verify", "--for", &line])?;
    let digest = aofkit_on(&["digest", "--json", "--as", &line])?;
    let digest: Value = serde_json::from_str(&digest).map_err(|error| error.to_string())?;
    // The digest of a vector set is unknown, and `digest` reports the number of such keys.
    if digest["undigested"] == 0 && digest["digest"] != state.expected.0.as_str() {
        return Err(format!("digest {}, the server's {}", digest["digest"], state.expected.0));
    }
    let form = if state.preamble { "preamble" } else { "aof" };
    let output = temp_dir();
    let compacted = output.path().join("compacted");
    let output = compacted.to_str().expect("text");
    aofkit_on(&["compact", "--for", &line, "--format", form, "--output", output])?;
    let loaded = loaded(binary, &compacted)?;
    if loaded.0 != state.expected.0 {
        return Err(format!("compacted: digest {}, expected {}", loaded.0, state.expected.0));
    }
    // Commands cannot represent all of the state.
    if state.preamble && loaded.1 != state.expected.1 {
        let missing = |a: &[String], b: &[String]| {
            a.iter().filter(|line| !b.contains(line)).cloned().collect::<Vec<_>>().join("\n")
        };
        let (ours, theirs) = (&loaded.1, &state.expected.1);
        return Err(format!(
            "compacted: additional\n{}\nmissing\n{}",
            missing(ours, theirs),
            missing(theirs, ours)
        ));
    }
    Ok(())
}

/// Returns the data of a server that loads a log in one file.
fn loaded(binary: &Binary, log: &Path) -> Result<(String, Vec<String>), String> {
    let data = temp_dir();
    lay_out(binary.line, data.path(), &fs::read(log).map_err(|error| error.to_string())?);
    let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
    let mut server =
        server.map_err(|ended| format!("the server does not load it: {}", ended.log))?;
    Ok(state(&mut server, binary))
}
