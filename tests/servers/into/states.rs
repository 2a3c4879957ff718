//! States that servers wrote, put into servers of the same and of every other line.

use std::collections::BTreeSet;
use std::fs;

use aofkit::base::server::redis;
use libtest_mimic::Trial;

use super::super::matrix;
use super::super::pairs::{SOURCES, Source, differences, dump};
use super::{empty, into, keys, report};
use crate::support::{Binary, FAMILIES, LINES, Running, aofkit, on_each, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "into::states_of_a_server_are_put_into_another", states);
    let name = "into::data_of_every_other_line_is_put_into_a_server_or_named";
    trials.extend(on_each(&LINES, name, pairs));
    let name = "into::two_data_sets_are_merged_into_a_server";
    trials.extend(on_each(&FAMILIES, name, merged));
    trials
}

/// Two snapshots of one server are merged into a running server, and its keys compared with those that it would have if
/// the commands had been run there.
fn merged(binary: &Binary) {
    let (source, target, expected) = (temp_dir(), temp_dir(), temp_dir());
    let files = temp_dir();
    let run = |server: &mut Running, lines: &str| {
        for line in lines.lines() {
            server.client.call(&line.split_whitespace().collect::<Vec<_>>());
        }
    };
    let old = "SET only:old 1\nSET both old\nRPUSH list a b\nSELECT 3\nSADD set x\nSELECT 0";
    let new = "SET only:new 2\nSET both new\nHSET hash f v\nEXPIREAT only:new 4102444800";
    let mut writer = empty(binary, source.path());
    let mut save = |lines: &str, name: &str| {
        run(&mut writer, "FLUSHALL");
        run(&mut writer, lines);
        run(&mut writer, "SAVE");
        let path = files.path().join(name);
        fs::copy(source.path().join("dump.rdb"), &path).expect("a copy");
        path
    };
    let (old_file, new_file) = (save(old, "old.rdb"), save(new, "new.rdb"));
    let mut server = empty(binary, target.path());
    let mut reference = empty(binary, expected.path());
    for (prefer, order) in [("new", [old, new]), ("old", [new, old])] {
        run(&mut server, "FLUSHALL");
        run(&mut reference, "FLUSHALL");
        order.iter().for_each(|lines| run(&mut reference, lines));
        let mut command = aofkit();
        command.arg("merge").arg(&old_file).arg(&new_file).args(["--prefer", prefer]);
        command.arg("--into").arg(server.socket()).args(["--check", "all"]);
        let done = report(&mut command, 0);
        assert_eq!((keys(&done, "restored"), keys(&done, "failed")), (6, 0), "{done}");
        assert_eq!(done["checked"], 6, "{done}");
        assert_eq!(server.digest(), reference.digest(), "{prefer}");
    }
}

fn states(binary: &Binary) {
    let data = temp_dir();
    let mut server = empty(binary, data.path());
    for seed in 0..6 {
        let state = matrix::write(binary, seed);
        server.client.call(&["FLUSHALL"]);
        let run = || into("compact", state.log.path(), &server, &["--check", "all"]);
        let first = report(&mut run(), 0);
        let sent = keys(&first, "restored");
        assert_eq!((keys(&first, "failed"), keys(&first, "unsent")), (0, 0), "{first}");
        // The values of modules, which vector sets are, cannot be compared.
        let of_modules = first["not_comparable"].as_u64().expect("a number");
        assert_eq!(first["checked"], sent - of_modules, "{first}");
        let second = report(&mut run(), 0);
        let again =
            ["restored", "already_there", "conflicting"].map(|outcome| keys(&second, outcome));
        assert_eq!(again, [0, sent - of_modules, of_modules], "{second}");
        let in_all = sent + keys(&first, "expired");
        assert_eq!(in_all, state.keys, "{first}");
        assert_eq!(server.digest(), state.expected.0, "seed {seed}");
    }
}

fn pairs(target: &Binary) {
    let data = temp_dir();
    let mut server = empty(target, data.path());
    let mut failed = Vec::new();
    for source in SOURCES.iter() {
        if let Err(problem) = put(source, target, &mut server) {
            failed.push(format!("{} of {}: {problem}", source.set.name, source.line));
        }
    }
    assert!(failed.is_empty(), "{}: {} failed\n{}", target.line, failed.len(), failed.join("\n"));
}

/// Puts a data set into a server, and compares each key that was not refused.
fn put(source: &Source, target: &Binary, server: &mut Running) -> Result<(), String> {
    server.client.call(&["FLUSHALL"]);
    if target.line.has_redis(7, 0) {
        server.client.call(&["FUNCTION", "FLUSH"]);
    }
    let directory = temp_dir();
    let input = directory.path().join("dump.rdb");
    fs::write(&input, &source.rdb).expect("a file");
    // Redis 8.0 does not load the vector sets of later versions.
    let is_too_new = source.set.name == "vector set"
        && source.line.has_redis(8, 2)
        && target.line == redis(8, 0);
    let fits = (source.set.fits)(target.line) && !is_too_new;
    let options: &[&str] = if fits { &["--check", "all", "--functions"] } else { &["--functions"] };
    let code = if fits { 0 } else { 3 };
    let run = report(&mut into("compact", &input, server, options), code);
    let refused: BTreeSet<String> = (run["failures"].as_array().expect("a list").iter())
        .map(|key| format!("{} {}", key["db"], key["key"].as_str().unwrap_or_default()))
        .collect();
    if fits == refused.is_empty() {
        let found = differences(&dump(server, target), &source.dump);
        let unexpected: Vec<String> = (found.into_iter())
            .filter(|line| !refused.iter().any(|key| line.starts_with(&unquoted(key))))
            .filter(|line| fits || !line.starts_with("library"))
            .collect();
        if unexpected.is_empty() { Ok(()) } else { Err(unexpected.join("\n    ")) }
    } else {
        Err(format!("fits: {fits}, but {run:#}"))
    }
}

fn unquoted(key: &str) -> String {
    key.replace('"', "")
}
