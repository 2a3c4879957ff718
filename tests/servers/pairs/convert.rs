//! `aofkit convert` between all ordered pairs of the matrix, each line with itself included.
//!
//! Each line saves one data set with every type and every property that it has. The losses that are expected follow from
//! the tables below, not from the program. The target loads the result; what differs from the source is what was named.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use aofkit::base::server::{Product, Server, redis};
use libtest_mimic::Trial;
use serde_json::Value;

use super::super::rdb::{has_field_expiry, run};
use super::data;
use super::dump::{Dump, differences, dump};
use crate::support::{Binary, LINES, Run, Running, aofkit, find, lay_out, on_each, temp_dir};

pub(super) fn trials() -> Vec<Trial> {
    on_each(&LINES, "convert::every_loss_is_named_and_the_rest_loads", convert_all)
}

/// The data set of a server.
struct Source {
    line: Server,
    rdb: Vec<u8>,
    dump: Dump,
    digest: String,
}

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    LINES.iter().filter_map(|line| find(*line).ok()).map(|binary| save(&binary)).collect()
});

fn save(binary: &Binary) -> Source {
    let (line, data) = (binary.line, temp_dir());
    let mut server = Running::start(binary, data.path(), &[]).expect("the server starts");
    for set in data::ALL.iter().filter(|set| (set.fits)(line)) {
        (set.fill)(&mut server);
    }
    if line.has_redis(6, 2) {
        run(&mut server, "SELECT 9");
        run(&mut server, "XGROUP CREATECONSUMER stream late sleeper");
        run(&mut server, "SELECT 0");
    }
    server.client.call(&["SAVE"]);
    let rdb = fs::read(data.path().join("dump.rdb")).expect("an RDB");
    Source { line, rdb, digest: server.digest(), dump: dump(&mut server, binary) }
}

fn convert_all(target: &Binary) {
    let mut failed = Vec::new();
    for source in SOURCES.iter() {
        for form in ["preamble", "aof"] {
            if let Err(problem) = convert(source, target, form) {
                failed.push(format!("{} as {form}: {problem}", source.line));
            }
        }
    }
    assert!(failed.is_empty(), "{}: {} failed\n{}", target.line, failed.len(), failed.join("\n"));
}

fn has_vectors(line: Server) -> bool {
    line.product == Product::Redis && line.has_redis(8, 0)
}

fn has_producers(line: Server) -> bool {
    line.product == Product::Redis && line.has_redis(8, 6)
}

/// Returns the kinds of data that cannot go from one line to another.
fn expected(from: Server, to: Server, form: &str) -> BTreeSet<&'static str> {
    let as_commands = form == "aof";
    // Redis 8.0 does not load the nodes of later versions, and no command has them.
    let loads_vectors = has_vectors(to) && (to != redis(8, 0) || from == to) && !as_commands;
    let all = [
        ("functions", from.has_redis(7, 0) && !to.has_redis(7, 0)),
        ("hash-field-expiry", has_field_expiry(from) && !has_field_expiry(to)),
        ("vector-set", has_vectors(from) && !loads_vectors),
        ("stream-producers", has_producers(from) && !has_producers(to)),
        ("producer-counters", has_producers(from) && has_producers(to) && as_commands),
        // Counters of the past came with Redis 7.0, the last activity of consumers with Redis 7.2.
        ("stream-counters", from.has_redis(7, 0) && !to.has_redis(7, 0)),
        ("consumer-times", as_commands || from.has_redis(7, 2) && !to.has_redis(7, 2)),
        // XCLAIM makes no entry pending that the stream does not have.
        ("deleted-pending", as_commands),
        // XGROUP CREATECONSUMER came with Redis 6.2.
        ("idle-consumers", as_commands && from.has_redis(6, 2) && !to.has_redis(6, 2)),
    ];
    all.into_iter().filter(|(_, is_lost)| *is_lost).map(|(kind, _)| kind).collect()
}

/// The losses of a report: the names by kind, in the form of the keys of a dump.
type Named = BTreeMap<String, BTreeSet<String>>;

fn named(report: &Value) -> Named {
    let losses = report["losses"].as_array().expect("a list");
    let of_kind = |loss: &Value| {
        let examples = loss["examples"].as_array().expect("a list");
        let names: BTreeSet<_> = examples
            .iter()
            .map(|example| {
                let name = example["name"]["text"].as_str().expect("a name");
                example["db"].as_u64().map_or(name.into(), |db| format!("{db} {name}"))
            })
            .collect();
        let keys = loss["keys"].as_u64().expect("a number");
        assert!(keys == 0 || keys == names.len() as u64, "not all are named: {loss}");
        (loss["kind"].as_str().expect("a kind").to_owned(), names)
    };
    losses.iter().map(of_kind).collect()
}

/// Converts a data set without and with `--allow-loss`, and lets the target load it.
fn convert(source: &Source, target: &Binary, form: &str) -> Result<(), String> {
    let directory = temp_dir();
    let (input, output) = (directory.path().join("dump.rdb"), directory.path().join("converted"));
    fs::write(&input, &source.rdb).expect("a file");
    let convert = |allow: &[&str]| {
        let mut command = aofkit();
        command.args(["convert", "--json", "--for", &target.line.to_string(), "--format", form]);
        Run::of(command.args(allow).arg("--output").arg(&output).arg(&input))
    };
    let refused = convert(&[]);
    let expected = expected(source.line, target.line, form);
    let code = if expected.is_empty() { 0 } else { 2 };
    if refused.code != Some(code) || output.exists() == (code == 2) {
        return Err(format!("expected {code}, {expected:?}: {refused:#?}"));
    }
    let run = if code == 2 { convert(&["--allow-loss"]) } else { refused };
    let report: Value = serde_json::from_str(&run.stdout).map_err(|error| error.to_string())?;
    let named = named(&report);
    let kinds: BTreeSet<_> = named.keys().map(String::as_str).collect();
    if run.code != Some(0) || kinds != expected {
        return Err(format!("exit code {:?}, lost {kinds:?}, expected {expected:?}", run.code));
    }
    loads(source, target, &output, &named)
}

/// Lets the target load the result, and compares what it has with the source and the losses.
fn loads(source: &Source, target: &Binary, log: &Path, named: &Named) -> Result<(), String> {
    let data = temp_dir();
    lay_out(target.line, data.path(), &fs::read(log).map_err(|error| error.to_string())?);
    let server = Running::start(target, data.path(), &[("appendonly", "yes")]);
    let mut server =
        server.map_err(|ended| format!("the server does not load it: {}", ended.log))?;
    let theirs = dump(&mut server, target);
    let of = |kinds: &[&str]| -> BTreeSet<String> {
        kinds.iter().filter_map(|kind| named.get(*kind)).flatten().cloned().collect()
    };
    let key_of = |line: &String| {
        let end = line.find(": only in").or_else(|| line.find(", ")).unwrap_or(line.len());
        line[..end].to_owned()
    };
    let mut found = differences(&theirs, &source.dump);
    if named.contains_key("functions") {
        found.retain(|line| !line.starts_with("library "));
    }
    let differ: BTreeSet<String> = found.iter().map(key_of).collect();
    // These are the losses that both servers can report.
    let visible = of(&["vector-set", "deleted-pending", "idle-consumers", "producer-counters"]);
    if differ != visible {
        return Err(format!("{differ:?} differ, named are {visible:?}: {found:#?}"));
    }
    let missing: BTreeSet<_> =
        source.dump.keys().filter(|key| !theirs.contains_key(*key)).cloned().collect();
    let is_key = |key: &&String| !key.starts_with("library ");
    if missing.iter().filter(is_key).ne(of(&["vector-set"]).iter()) {
        return Err(format!("{missing:?} are missing"));
    }
    if named.is_empty() { same_digest(source, target, &server.digest()) } else { Ok(()) }
}

/// Compares DEBUG DIGEST with that of the source. If the two lines compute it differently, it is compared with that of the
/// target after it loaded the RDB of the source, or, if it cannot, with what the program computes for the target.
fn same_digest(source: &Source, target: &Binary, digest: &str) -> Result<(), String> {
    let (from, to) = (source.line, target.line);
    let data = temp_dir();
    let input = data.path().join("dump.rdb");
    fs::write(&input, &source.rdb).expect("a file");
    let expected = if from.has_redis(7, 2) != to.has_redis(7, 2) {
        // The texts of scores changed with Redis 7.2.
        let server = Running::start(target, data.path(), &[]);
        server.map_err(|ended| format!("it does not load the RDB: {}", ended.log))?.digest()
    } else if has_field_expiry(from) && from.product != to.product {
        // Only Redis includes that fields of hashes expire.
        Run::of(aofkit().args(["digest", "--as", &to.to_string()]).arg(&input)).stdout
    } else {
        source.digest.clone()
    };
    if expected.contains(digest) {
        return Ok(());
    }
    Err(format!("the digest is {digest}, expected {expected}"))
}
