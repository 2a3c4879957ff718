//! Recovery candidates: what is found next to a log, or where there is none, and that it is usable as reported.

use serde_json::Value;

use super::*;

fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The commands of a log, one a line, arguments separated by blanks.
pub(super) fn log(lines: &str) -> Vec<u8> {
    lines.lines().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

/// An RDB of version 9 with string keys of the value `v`, without a checksum.
pub(super) fn rdb(keys: &[&str]) -> Vec<u8> {
    let mut bytes = b"REDIS0009\xfe\0".to_vec();
    for key in keys {
        bytes.extend([0, u8::try_from(key.len()).unwrap()]);
        bytes.extend(key.bytes());
        bytes.extend(b"\x01v");
    }
    bytes.push(0xff);
    bytes.extend([0; 8]);
    bytes
}

/// A candidate as it is expected: the names of its files, its keys, and those that the log does not have.
type Expected<'e> = (&'e [&'e str], u64, u64);

/// Checks the candidates of a report.
#[track_caller]
fn assert_candidates(report: &Value, expected: &[Expected<'_>]) {
    let candidates = report["candidates"].as_array().unwrap();
    let found: Vec<(Vec<String>, u64, u64)> = candidates
        .iter()
        .map(|candidate| {
            let files = candidate["files"].as_array().unwrap().iter();
            let name = |file: &Value| {
                let path = Path::new(file["path"].as_str().unwrap()).to_owned();
                path.file_name().unwrap().to_str().unwrap().to_owned()
            };
            let total = candidate["holds"]["total"].as_u64().unwrap_or(u64::MAX);
            (
                files.map(name).collect(),
                total,
                candidate["adds"]["keys"].as_u64().unwrap_or(u64::MAX),
            )
        })
        .collect();
    let expected: Vec<(Vec<String>, u64, u64)> = expected
        .iter()
        .map(|(files, keys, adds)| (files.iter().map(|&name| name.into()).collect(), *keys, *adds))
        .collect();
    assert_eq!(found, expected, "{report:#}");
}

/// Inspects `path`, which must be incomplete: exit code 1, `kind`, and a text that begins with `answer`.
#[track_caller]
fn incomplete(place: &Place, path: &str, kind: &str, answer: &str) -> Value {
    let text = place.run(&["recover", path]);
    assert_eq!(text.code, Some(1), "{text:#?}");
    let unbroken = text.stdout.replace('\n', " ");
    assert!(unbroken.starts_with(answer), "{answer}: {text:#?}");
    let run = place.run(&["recover", path, "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let report = json(&run);
    assert_eq!(report["missing"]["kind"], kind, "{report:#}");
    report
}

/// Recovers from a candidate, with options that say how. Returns the number of keys of the result.
#[track_caller]
fn recovered(place: &Place, path: &str, number: &str, how: &[&str]) -> u64 {
    let output = format!("recovered-{}", place.names().len());
    let options = ["recover", path, "--candidate", number, "--output", &output, "--json"];
    let run = place.run(&[&options[..], how].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    let digest = place.run(&["digest", &output, "--json"]);
    assert_eq!(digest.code, Some(0), "{digest:#?}");
    json(&run)["done"]["holds"]["total"].as_u64().unwrap()
}

const BASE: &str = "appendonly.aof.2.base.rdb";
const INCR: &str = "appendonly.aof.2.incr.aof";

#[test]
fn missing_base_is_named_and_the_snapshot_beside_it_is_offered() {
    let place = Place::new();
    place.put_set("data/appendonlydir", &[(BASE, &rdb(&["a", "b"])), (INCR, &log("SET c 1"))]);
    fs::remove_file(place.path("data/appendonlydir").join(BASE)).unwrap();
    place.put("data/dump.rdb", rdb(&["a", "b", "c"]));
    let answer = format!(
        "THE LOG IS INCOMPLETE: `{BASE}` is listed but does not exist; no server starts with it. Candidate 1 below has 2 keys that the rest of the log does not have."
    );
    let report = incomplete(&place, "data", "missing-part", &answer);
    assert_candidates(&report, &[(&["dump.rdb"], 3, 2)]);
    assert_eq!(report["candidates"][0]["adds"]["different"], 1, "c is 1 in the log");
    assert!(report["candidates"][0]["modified"].is_string(), "{report:#}");
    assert_eq!(recovered(&place, "data", "1", &["--strip"]), 3);
    assert_eq!(recovered(&place, "data", "1", &["--merge", "newer"]), 3);
    let run = place.run(&["recover", "data", "--strip", "-o", "b"]);
    assert_eq!(run.code, Some(2), "the log itself is not recovered: {run:#?}");
    assert!(run.stderr.contains("is listed but does not exist"), "{run:#?}");
    let run = place.run(&["recover", "data", "--candidate", "1", "--merge", "newer", "--in-place"]);
    assert_eq!(run.code, Some(2), "what is left is not replaced: {run:#?}");
}

#[test]
fn missing_incremental_file_leaves_the_rest_of_the_set() {
    let place = Place::new();
    let [first, second, third] =
        ["appendonly.aof.3.base.aof", "appendonly.aof.3.incr.aof", "appendonly.aof.4.incr.aof"];
    place.put_set(
        "set",
        &[(first, &log("SET a 1")), (second, &log("SET b 1")), (third, &log("SET c 1\nSET d 1"))],
    );
    fs::remove_file(place.path("set").join(second)).unwrap();
    place.put("dump.rdb", rdb(&["a", "b"]));
    for path in ["set", "set/appendonly.aof.manifest"] {
        let answer = format!("THE LOG IS INCOMPLETE: `{second}` is listed but does not exist");
        let report = incomplete(&place, path, "missing-part", &answer);
        assert_candidates(&report, &[(&["dump.rdb"], 2, 1)]);
        assert_eq!(report["now"]["total"], 3, "{report:#}");
    }
    assert_eq!(recovered(&place, "set", "1", &["--merge", "newer"]), 4);
}

#[test]
fn parts_without_a_manifest_are_paired_by_their_numbers() {
    let place = Place::new();
    let parts: [(&str, &[u8]); 3] = [
        ("appendonly.aof.1.base.rdb", &rdb(&["a"])),
        ("appendonly.aof.1.incr.aof", &log("SET b 1")),
        ("appendonly.aof.2.incr.aof", &log("DEL a\nSET c 1")),
    ];
    place.put_set("data/appendonlydir", &parts);
    fs::remove_file(place.path("data/appendonlydir/appendonly.aof.manifest")).unwrap();
    let answer = "THE LOG IS INCOMPLETE: parts of a set without their manifest: appendonly.aof.1.base.rdb, appendonly.aof.1.incr.aof, appendonly.aof.2.incr.aof; Redis 7.0 and later, and Valkey, start without data";
    let report = incomplete(&place, "data", "no-manifest", answer);
    let names = parts.map(|(name, _)| name);
    assert_candidates(&report, &[(&names, 2, 2)]);
    assert_eq!(report["candidates"][0]["kind"], "unlisted");
    assert!(report["candidates"][0]["note"].is_null(), "{report:#}");
    let run = place.run(&["recover", "data", "--candidate", "1", "--strip", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let manifest = String::from_utf8(place.read("new/appendonly.aof.manifest")).unwrap();
    assert_eq!(
        manifest,
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\nfile appendonly.aof.2.incr.aof seq 2 type i\n"
    );
    assert_eq!(place.run(&["verify", "new"]).code, Some(0));
}

#[test]
fn parts_of_two_generations_are_two_candidates() {
    let place = Place::new();
    let [old_base, old, base, incr] =
        ["my.aof.9.base.rdb", "my.aof.9.incr.aof", "my.aof.10.base.rdb", "my.aof.10.incr.aof"];
    fs::create_dir(place.path("aof")).unwrap();
    for (name, bytes) in [
        (old_base, rdb(&["a", "b", "c"])),
        (old, log("DEL c")),
        (base, rdb(&["a"])),
        (incr, log("SET d 1")),
    ] {
        place.put(Path::new("aof").join(name), bytes);
    }
    let report = incomplete(&place, "aof", "no-manifest", "THE LOG IS INCOMPLETE: parts of a set");
    assert_candidates(&report, &[(&[base, incr], 2, 2), (&[old_base, old], 2, 2)]);
    assert_eq!(recovered(&place, "aof", "2", &["--strip"]), 2);
    assert!(place.names().iter().any(|name| name.starts_with("recovered-")));
}

#[test]
fn set_that_a_server_began_next_to_parts_without_a_manifest_is_no_answer() {
    let place = Place::new();
    let [base, incr, new] =
        ["appendonly.aof.5.base.rdb", "appendonly.aof.5.incr.aof", "appendonly.aof.1.base.rdb"];
    place.put_set("data/appendonlydir", &[(new, &rdb(&["x"]))]);
    place.put(format!("data/appendonlydir/{base}"), rdb(&["a", "b"]));
    place.put(format!("data/appendonlydir/{incr}"), log("SET c 1"));
    let run = place.run(&["recover", "data", "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_candidates(&json(&run), &[(&[base, incr], 3, 3)]);
    assert!(json(&run)["missing"].is_null());
    assert_eq!(recovered(&place, "data", "1", &["--merge", "newer"]), 4);
    assert_eq!(recovered(&place, "data", "1", &["--strip"]), 3);
    // A failed rewrite, and a directory of another name.
    let place = Place::new();
    let [base, incr] = ["a b.aof.2.base.aof", "a b.aof.4.incr.aof"];
    fs::create_dir_all(place.path("data/my dir")).unwrap();
    place.put("data/my dir/a b.aof.1.incr.aof", log("SET x 1"));
    place.put("data/my dir/a b.aof.manifest", "file \"a b.aof.1.incr.aof\" seq 1 type i\n");
    place.put(format!("data/my dir/{base}"), log("SET a 1\nSET b 1"));
    place.put(format!("data/my dir/{incr}"), log("SET c 1"));
    let run = place.run(&["recover", "data", "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_candidates(&json(&run), &[(&[base, incr], 3, 3)]);
    assert_eq!(recovered(&place, "data", "1", &["--strip"]), 3);
}

#[test]
fn base_without_bytes_is_named_if_it_is_an_rdb() {
    let place = Place::new();
    place.put_set("data/appendonlydir", &[(BASE, b""), (INCR, &log("SET c v"))]);
    place.put("data/dump.rdb", rdb(&["a", "b", "c"]));
    let answer = format!(
        "THE LOG IS INCOMPLETE: `{BASE}` has 0 bytes: the keys of the last rewrite are missing; a server loads only what was written after that rewrite. Candidate 1 below has 2 keys"
    );
    let report = incomplete(&place, "data", "empty-base", &answer);
    assert_candidates(&report, &[(&["dump.rdb"], 3, 2)]);
    assert_eq!(report["candidates"][0]["adds"]["different"], 0);
    // What aofkit kept of a replaced set.
    fs::remove_file(place.path("data/dump.rdb")).unwrap();
    let copy = "data/appendonlydir.bak-20261128010203";
    place.put_set(copy, &[(BASE, &rdb(&["a", "b", "d", "e"])), (INCR, &log("SET c v"))]);
    place.put("data/appendonlydir.cut-20261128010203", log("SET f 1"));
    let report = incomplete(&place, "data", "empty-base", "THE LOG IS INCOMPLETE: ");
    assert_candidates(&report, &[(&[BASE, INCR], 5, 4)]);
    assert_eq!(report["candidates"][0]["kind"], "set");
    assert_eq!(recovered(&place, "data", "1", &["--strip"]), 5);
    // A server with `aof-use-rdb-preamble no` writes such a base of an empty data set.
    let place = Place::new();
    place.put_set("set", &[("appendonly.aof.1.base.aof", b""), (INCR, &log("SET c v"))]);
    let run = place.run(&["recover", "set", "--json"]);
    assert_eq!((run.code, &json(&run)["missing"]), (Some(0), &Value::Null), "{run:#?}");
}

#[test]
fn single_file_that_a_newer_server_does_not_load_is_a_candidate() {
    for name in ["appendonly.aof", "my log.aof"] {
        let place = Place::new();
        let [base, incr] = [format!("{name}.2.base.rdb"), format!("{name}.2.incr.aof")];
        fs::create_dir_all(place.path("data/appendonlydir")).unwrap();
        place.put(format!("data/appendonlydir/{base}"), rdb(&[]));
        place.put(format!("data/appendonlydir/{incr}"), log("SET x 1"));
        let manifest = format!("file \"{base}\" seq 2 type b\nfile \"{incr}\" seq 2 type i\n");
        place.put(format!("data/appendonlydir/{name}.manifest"), manifest);
        place.put(format!("data/{name}"), log("SET a 1\nSET b 1"));
        let run = place.run(&["recover", "data"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        for what in [
            "Redis 7.0 and later load the set and not this file; earlier versions load this file",
            "would restore 2 keys, none of which the log has at its end",
        ] {
            assert!(text.contains(what), "{what}: {run:#?}");
        }
        assert_candidates(&json(&place.run(&["recover", "data", "--json"])), &[(&[name], 2, 2)]);
        assert_eq!(recovered(&place, "data", "1", &["--strip"]), 2);
        assert_eq!(recovered(&place, "data", "1", &["--merge", "newer"]), 3);
    }
}

#[test]
fn set_of_a_newer_server_next_to_a_single_file_is_a_candidate() {
    let place = Place::new();
    place.put("appendonly.aof", log("SET x 1\nSET y 1"));
    let parts: [(&str, &[u8]); 2] = [(BASE, &rdb(&["a", "b"])), (INCR, &log("SET c 1"))];
    place.put_set("appendonlydir", &parts);
    // A set of another name, such as a result of an earlier recovery, is none.
    place.put_set("recovered", &parts);
    let run = place.run(&["recover", "appendonly.aof", "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_candidates(&json(&run), &[(&[BASE, INCR], 3, 3)]);
    let args = ["recover", "appendonly.aof", "--candidate", "1", "--strip", "-o", "new"];
    let run = place.run(&args);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read(format!("new/{INCR}")), log("SET c 1"));
}

#[test]
fn manifest_that_breaks_a_rule_is_reported_with_the_parts() {
    let place = Place::new();
    place.put_set("set", &[(BASE, &rdb(&["a", "b"])), (INCR, &log("SET c 1"))]);
    for (manifest, kind) in
        [(format!("file {BASE} seq 2 type b"), "no-newline"), (String::new(), "empty")]
    {
        place.put("set/appendonly.aof.manifest", manifest);
        let report = incomplete(&place, "set", kind, "THE LOG IS INCOMPLETE: ");
        assert_candidates(&report, &[(&[BASE, INCR], 3, 3)]);
        assert_eq!(recovered(&place, "set", "1", &["--strip"]), 3);
    }
}

#[test]
fn log_that_destroyed_data_lists_its_candidates_as_well() {
    let place = Place::new();
    place.put("appendonly.aof", log("SET a 1\nSET b 1\nFLUSHALL\nSET a v"));
    place.put("dump.rdb", rdb(&["a", "b"]));
    place.put("dump.rdb.kept", rdb(&["a", "b", "c"]));
    place.put("notes.txt", rdb(&["n"]));
    place.put("appendonly.aof.flushed", log("SET a 2"));
    place.put("appendonly.aof.bak-20261128010203", log("SET d 1"));
    place.put("other.aof", log("SET o 1"));
    let report = json(&place.run(&["recover", "appendonly.aof", "--json"]));
    assert_eq!(report["verdict"]["kind"], "flush-within");
    assert_candidates(
        &report,
        &[
            (&["dump.rdb"], 2, 1),
            (&["dump.rdb.kept"], 3, 2),
            (&["appendonly.aof.bak-20261128010203"], 1, 1),
            (&["appendonly.aof.flushed"], 1, 0),
        ],
    );
    let [first, last] = [&report["candidates"][0]["adds"], &report["candidates"][3]["adds"]];
    assert_eq!((&first["different"], &last["different"]), (&0.into(), &1.into()), "{report:#}");
}

#[test]
fn old_state_with_few_other_keys_is_no_finding() {
    let place = Place::new();
    let keys: Vec<String> = (0..20).map(|n| format!("SET key{n} 1")).collect();
    place.put("appendonly.aof", log(&keys.join("\n")));
    for (others, code) in [(&["x", "y"][..], 0), (&["x", "y", "z"], 1)] {
        place.put("dump.rdb", rdb(others));
        let run = place.run(&["recover", "appendonly.aof"]);
        assert_eq!(run.code, Some(code), "2 of 20 are a tenth: {run:#?}");
    }
}

#[test]
fn snapshot_without_a_log_is_the_answer() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put("data/dump.rdb", rdb(&["a", "b"]));
    let mut touch = Command::new("touch");
    touch.args(["-d", "2026-11-20 23:20:00Z"]).arg(place.path("data/dump.rdb"));
    assert!(touch.status().unwrap().success());
    let run = place.run(&["recover", "data"]);
    let answer =
        "dump.rdb OF 2026-11-20 23:20:00 +00:00 HOLDS 2 KEYS. There is no append-only\nfile here.";
    assert!(run.stdout.starts_with(answer), "{run:#?}");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(!run.stdout.contains("BGSAVE") && !run.stdout.contains("rewrite"), "{run:#?}");
    assert!(run.stdout.contains("redis-cli CONFIG SET save ''"), "{run:#?}");
    place.put("data/temp-77.rdb", rdb(&["a", "b", "c"]));
    let run = place.run(&["recover", "data", "--json"]);
    assert_eq!(run.code, Some(1), "another file has more: {run:#?}");
    assert_candidates(&json(&run), &[(&["temp-77.rdb"], 3, 1)]);
    place.put("data/dump.rdb", rdb(&[]));
    let run = place.run(&["recover", "data"]);
    assert!(run.stdout.contains(" HOLDS 0 KEYS. There is no append-only"), "{run:#?}");
}

#[test]
fn directory_without_a_log_lists_what_is_there() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put("data/temp-rewriteaof-7.aof", rdb(&["a"]));
    place.put("data/temp-rewriteaof-bg-8.aof", b"");
    let answer = "NO LOG IS HERE: there is no append-only file in this directory; ";
    let report = incomplete(&place, "data", "no-log", answer);
    assert_candidates(&report, &[(&["temp-rewriteaof-7.aof"], 1, 1)]);
    place.put("data/one.rdb", rdb(&["a", "b"]));
    place.put("data/two.rdb", rdb(&["c"]));
    let report = incomplete(&place, "data", "no-log", answer);
    let temporary: Expected<'_> = (&["temp-rewriteaof-7.aof"], 1, 1);
    assert_candidates(&report, &[(&["one.rdb"], 2, 2), (&["two.rdb"], 1, 1), temporary]);
    assert_eq!(recovered(&place, "data", "3", &["--strip"]), 1);
    assert_eq!(recovered(&place, "data", "1", &["--merge", "newer"]), 2);
    // The result takes the place of a log, and not that of the directory.
    let args = ["recover", "data", "--candidate", "1", "--strip", "-o", "new"];
    let run = place.run(&args);
    assert!(run.stdout.contains("\n       mv new data/appendonly.aof\n"), "{run:#?}");
    // Of several logs, one has to be given.
    place.put("data/a.aof", log("SET a 1"));
    place.put("data/b.aof", log("SET a 1"));
    let run = place.run(&["recover", "data"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    fs::create_dir(place.path("empty")).unwrap();
    assert_eq!(place.run(&["recover", "empty"]).code, Some(2));
}

#[test]
fn other_directories_are_searched_on_request() {
    let place = Place::new();
    place.put("appendonly.aof", log("SET a 1"));
    fs::create_dir_all(place.path("backups/old")).unwrap();
    place.put("full.aof", log("SET b 1\nSET c 1"));
    let run = place.run(&["compress", "full.aof", "-o", "backups/full.zip"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    place.put("backups/app.aof", log("SET a 1\nSET d 1\nFLUSHALL"));
    place.put_set("backups/old/appendonlydir", &[(BASE, &rdb(&["e"])), (INCR, &log("SET f 1"))]);
    place.put("backups/broken.zip", "not a zip");
    let args = ["recover", "appendonly.aof", "--also", "backups", "--json"];
    let run = place.run(&args);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let report = json(&run);
    let all: [Expected<'_>; 3] =
        [(&["app.aof"], 2, 1), (&["full.zip"], 2, 2), (&[BASE, INCR], 2, 2)];
    assert_candidates(&report, &all);
    assert_eq!(report["candidates"][1]["kind"], "archive");
    assert_eq!(report["candidates"][0]["ends_in_flush"], true);
    for (number, keys) in [("1", 2), ("2", 2), ("3", 2)] {
        let how = ["--strip", "--also", "backups"];
        assert_eq!(recovered(&place, "appendonly.aof", number, &how), keys);
        let how = ["--merge", "newer", "--also", "backups"];
        let added = if number == "1" { 1 } else { 2 };
        assert_eq!(recovered(&place, "appendonly.aof", number, &how), 1 + added);
    }
    let run = place.run(&["recover", "appendonly.aof", "--candidate", "1", "--strip", "-o", "x"]);
    assert_eq!(run.code, Some(2), "without --also there is none: {run:#?}");
}

#[test]
fn secured_logs_are_listed_with_age_and_server() {
    let place = Place::new();
    place.put_set("aofkit-hold-20261101000000/appendonlydir", &[(INCR, &log("SET f 1"))]);
    let note = serde_json::json!({
        "schema": 1, "address": "127.0.0.1:6380", "version": "redis 7.0.15",
        "client": ["-p", "6380"], "log": "/data/appendonlydir", "snapshot": null
    });
    place.put("aofkit-hold-20261101000000/aofkit-hold.json", note.to_string());
    fs::create_dir(place.path("aofkit-hold-20261102000000-2")).unwrap();
    fs::create_dir(place.path("aofkit-hold-other")).unwrap();
    for args in [&["recover", "--holds"][..], &["recover", "--holds", "."]] {
        let run = place.run(args);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(run.stdout.contains("aofkit-hold-20261101000000\n"), "{run:#?}");
        assert!(run.stdout.contains("; 127.0.0.1:6380, redis 7.0.15\n"), "{run:#?}");
        assert!(run.stdout.contains("0 files, 0 bytes; of an unknown server\n"), "{run:#?}");
    }
    let report = json(&place.run(&["recover", "--holds", ".", "--json"]));
    let holds = report["holds"].as_array().unwrap();
    assert_eq!(holds.len(), 2, "{report:#}");
    assert_eq!(
        (&holds[0]["files"], &holds[0]["made"]),
        (&3.into(), &"2026-11-01T00:00:00Z".into())
    );
    let run = place.run(&["recover", "--holds", "missing"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let run = place.run(&["recover", "x", "--hold-to", "."]);
    assert!(run.code == Some(2) && run.stderr.contains("--hold or --release"), "{run:#?}");
}
