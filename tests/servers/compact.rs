//! Compacts logs that servers wrote into every form and loads the results: the data must be the same.

use std::fs;
use std::path::{Path, PathBuf};

use aofkit::analysis::data_filter::Filter;
use aofkit::base::progress::Silent;
use aofkit::disk::publish::Existing;
use aofkit::ops::compact::{CompactOptions, Form, compact};
use aofkit::ops::digest;
use aofkit::replay::{ReplayOptions, RouteOptions};
use libtest_mimic::Trial;

use super::apply::stream;
use super::rdb::check;
use super::rewrite::{random_command, state};
use crate::support::{
    Args, Binary, FAMILIES, Random, Reply, Running, args, command, lay_out, on_each,
};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "compact::every_form_loads_with_the_same_data", every_form);
    let name = "compact::database_index_is_accepted_or_refused_as_by_the_loader";
    trials.extend(on_each(&FAMILIES, name, database_indexes));
    trials
}

/// Loads logs whose database indexes have a form that no server writes.
fn database_indexes(binary: &Binary) {
    for index in ["3", "+3", "03", " 3", "3 ", "-0", "-1", "00", "2147483648", "x", ""] {
        let commands: [&[&str]; 10] = [
            &["SELECT", "2"],
            &["SET", "a", "1"],
            &["SET", "b", "2"],
            &["SET", "c", "3"],
            &["SWAPDB", "2", index],
            &["MOVE", "a", index],
            &["COPY", "b", "d", "DB", index],
            &["SELECT", "2"],
            &["SELECT", index],
            &["SET", "e", "4"],
        ];
        let log: Vec<u8> = commands.iter().flat_map(|args| command(args)).collect();
        let data = tempfile::tempdir().expect("a directory");
        lay_out(binary.line, data.path(), &log);
        let copy = copy_log(data.path());
        let config = [("appendonly", "yes")];
        let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
        let options = digest::DigestOptions {
            route: RouteOptions::default(),
            replay: replay_options(binary),
            debug_digest: true,
        };
        let report = digest::digest(copy.path(), &options, &Silent).expect("a digest");
        assert_eq!(report.digest, Some(server.digest()), "{index:?} on {}", binary.line);
    }
}

/// The number of logs, and the number of commands in each.
const LOGS: u64 = 8;
const COMMANDS: usize = 600;

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('f', function() return 1 end)";

fn every_form(binary: &Binary) {
    let logs = std::env::var("AOFKIT_SEQUENCES").map_or(LOGS, |n| n.parse().expect("a number"));
    let first = std::env::var("AOFKIT_SEED").map_or(0, |n| n.parse().expect("a number"));
    for seed in first..first + logs {
        one_log(binary, seed);
    }
}

fn one_log(binary: &Binary, seed: u64) {
    let mut random = Random::new(seed);
    let data = tempfile::tempdir().expect("a directory");
    let preamble = if random.once_in(2) { "yes" } else { "no" };
    let config = [("appendonly", "yes"), ("appendfsync", "no"), ("aof-use-rdb-preamble", preamble)];
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts");
    if binary.line.has_redis(7, 0) {
        server.client.call(&["FUNCTION", "LOAD", LIBRARY]);
    }
    let rewrite_at = random.below(2 * COMMANDS as u64);
    for number in 0..COMMANDS {
        run(&mut server, &mut random);
        if number as u64 == rewrite_at {
            server.rewrite();
        }
    }
    assert!(server.shut_down().success());
    // The expected data are those after a restart: loading the log does not restore all the state that the server had.
    let mut server = Running::start(binary, data.path(), &config).expect("the server starts again");
    let expected = state(&mut server, binary);
    let log = copy_log(data.path());
    let log = log.path();
    let by_commands = rewritten_as_commands(server, binary, data.path());
    let report = digest::digest(
        log,
        &digest::DigestOptions {
            route: RouteOptions::default(),
            replay: replay_options(binary),
            debug_digest: true,
        },
        &Silent,
    );
    let report = report.unwrap_or_else(|error| panic!("{}, seed {seed}: {error}", binary.line));
    if report.digest.as_deref() != Some(&*expected.0) {
        let saved = std::env::temp_dir().join("aofkit-log-of-a-failed-test");
        let saved = saved.with_extension(format!("{seed}-{}", binary.line));
        let _ = fs::rename(log, &saved);
        panic!(
            "{}, seed {seed}: the digest differs; the log is saved in {}",
            binary.line,
            saved.display()
        );
    }
    for (name, form) in Form::ALL {
        if form.is_directory() && !binary.line.has_redis(7, 0) {
            continue;
        }
        let found = compacted(binary, log, form);
        let expected = if form.is_rdb() { &expected } else { &by_commands };
        let differ = |a: &(String, Vec<String>), b: &(String, Vec<String>)| {
            let lines = a.1.iter().filter(|line| !b.1.contains(line));
            lines.cloned().collect::<Vec<_>>().join("\n")
        };
        assert!(
            found == *expected,
            "{name} on {}, seed {seed}: digest {}, expected {}; additional:\n{}\nmissing:\n{}",
            binary.line,
            found.0,
            expected.0,
            differ(&found, expected),
            differ(expected, &found)
        );
    }
}

/// Copies the log of a data directory into a new data directory.
pub(crate) fn copy_log(data: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().expect("a directory");
    let set = data.join("appendonlydir");
    let (from, to) = match set.exists() {
        true => (set, copy.path().join("appendonlydir")),
        false => (data.to_owned(), copy.path().to_owned()),
    };
    fs::create_dir_all(&to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let entry = entry.expect("an entry");
        if entry.file_name().to_string_lossy().starts_with("appendonly.aof") {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("the file is copied");
        }
    }
    copy
}

/// Returns the data of the server after a restart from a log that its own BGREWRITEAOF wrote as commands. Commands
/// cannot represent everything that an RDB can.
fn rewritten_as_commands(
    mut server: Running,
    binary: &Binary,
    data: &Path,
) -> (String, Vec<String>) {
    server.client.call(&["CONFIG", "SET", "aof-use-rdb-preamble", "no"]);
    server.rewrite();
    assert!(server.shut_down().success());
    let config = [("appendonly", "yes")];
    state(&mut Running::start(binary, data, &config).expect("the server starts again"), binary)
}

/// Returns the options for a replay as a server of this line.
pub(crate) fn replay_options(binary: &Binary) -> ReplayOptions {
    ReplayOptions {
        server: Some(binary.line),
        fields_expire_ms: None,
        hll_sparse_max_bytes: 3000,
        time_ms: None,
        threads: 2,
    }
}

/// Compacts the log and returns the data of a server that loads the result.
fn compacted(binary: &Binary, log: &Path, form: Form) -> (String, Vec<String>) {
    let directory = tempfile::tempdir().expect("a directory");
    let output = directory.path().join("compacted");
    let options = CompactOptions {
        output: Some(output.clone()),
        existing: Existing::Keep,
        form: Some(form),
        server: Some(binary.line),
        filter: Filter::default(),
        check: true,
        route: RouteOptions::default(),
        replay: replay_options(binary),
        ctime: 1_700_000_000,
        compress: true,
        ..CompactOptions::default()
    };
    compact(log, &options, &Silent)
        .unwrap_or_else(|error| panic!("{form} on {}: {error}", binary.line));
    match form {
        Form::Preamble | Form::Rdb => check(binary, &output),
        Form::Multipart => check(binary, &output.join("appendonly.aof.1.base.rdb")),
        Form::Aof | Form::MultipartAof => {}
    }
    let data = tempfile::tempdir().expect("a directory");
    let mut config = vec![("appendonly", "yes")];
    match form {
        Form::Aof | Form::Preamble => {
            lay_out(binary.line, data.path(), &fs::read(&output).expect("the file"));
        }
        Form::Rdb => {
            fs::copy(&output, data.path().join("dump.rdb")).expect("the file is copied");
            config = vec![];
        }
        Form::Multipart | Form::MultipartAof => {
            let set: PathBuf = data.path().join("appendonlydir");
            fs::rename(&output, set).expect("the set is moved");
        }
    }
    let mut server = Running::start(binary, data.path(), &config)
        .unwrap_or_else(|ended| panic!("{form} on {}: {}", binary.line, ended.log));
    state(&mut server, binary)
}

/// Runs a random command or, once in 30 times, a transaction of up to four.
pub(crate) fn run(server: &mut Running, random: &mut Random) {
    if random.once_in(30) {
        server.client.call(&["MULTI"]);
        for _ in 0..1 + random.below(4) {
            server.client.call(&any(random));
        }
        server.client.call(&["EXEC"]);
        return;
    }
    let command = any(random);
    let reply = server.client.call(&command);
    // Commands on keys of another type fail and are not logged.
    if let Reply::Error(error) = reply {
        assert!(!error.starts_with("LOADING"), "{error}");
    }
}

fn any(random: &mut Random) -> Args {
    let key = |random: &mut Random| {
        let kind = random.pick(&[
            "string", "counter", "list", "ints", "set", "zset", "hash", "expiring", "bits",
        ]);
        format!("{kind}{}", random.below(4))
    };
    let (a, b) = (key(random), key(random));
    match random.below(64) {
        0 => args(&format!("RENAME {a} {b}")),
        1 => args(&format!("DEL {a} {b}")),
        2 => args(&format!("UNLINK {a}")),
        3 => args(&format!("COPY {a} {b} REPLACE")),
        4 => args(&format!("COPY {a} {b} DB 5")),
        5 => args(&format!("MOVE {a} 10")),
        6 => args(&format!("SETBIT bits{} {} 1", random.below(4), random.below(3000))),
        7 => args(&format!("BITOP OR bits0 bits1 bits{}", random.below(4))),
        8 => args(&format!("PFADD hll{} {} {}", random.below(3), random.below(900), random.next())),
        9 => args("PFMERGE hll0 hll1 hll2"),
        10 => args(&format!("PFCOUNT hll{}", random.below(3))),
        11 => args(&format!("LMOVE list{} list{} LEFT RIGHT", random.below(4), random.below(4))),
        12 => args(&format!("LTRIM list{} 0 50", random.below(4))),
        13 => args(&format!("SUNIONSTORE set{} set1 set2 ints3", random.below(4))),
        14 => args(&format!("ZUNIONSTORE zset{} 3 zset1 zset2 set3", random.below(4))),
        15 => args(&format!("ZREMRANGEBYRANK zset{} 0 2", random.below(4))),
        16 => args(&format!("ZADD zset{} INCR 0.1 m{}", random.below(4), random.below(400))),
        // By text: up to Redis 7.0, a SORT by number fails if any earlier score was out of range.
        17 => args(&format!("SORT ints{} ALPHA STORE list{}", random.below(4), random.below(4))),
        18 => args(&format!("MSET string{} x counter{} 5", random.below(4), random.below(4))),
        19 => args(&format!("INCRBYFLOAT counter{} 1.5", random.below(4))),
        20 => args(&format!("HINCRBY hash{} n 3", random.below(4))),
        21 => args(&format!("SPOP set{}", random.below(4))),
        22 => args(&format!("GETDEL string{}", random.below(4))),
        23 => args(&format!("PERSIST {a}")),
        24 => args(&format!("EXPIRE {a} {}", 100_000_000 + random.below(1000))),
        25 => {
            args(&format!("GEOADD geo{} 13.361389 38.115556 p{}", random.below(2), random.below(9)))
        }
        26 if random.once_in(20) => args("FLUSHALL"),
        27 if random.once_in(6) => args("FLUSHDB"),
        28 if random.once_in(3) => args("SWAPDB 0 5"),
        29..=31 => stream::command(random),
        _ => random_command(random),
    }
}
