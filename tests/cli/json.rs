//! Errors with `--json`: a document on stdout, and the same as text on stderr.

use serde_json::{Value, json};

use super::{Place, header, sound, torn};

/// Returns the only document on stdout.
fn document(stdout: &str) -> Value {
    serde_json::from_str(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))
}

#[test]
fn error_is_one_document_in_the_envelope() {
    let place = Place::new();
    let run = place.run(&["digest", "--json", "missing.aof"]);
    let stderr = "error: cannot open missing.aof: No such file or directory (os error 2)\n";
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), stderr));
    let expected = json!({
        "schema": 1, "report": "error", "version": env!("CARGO_PKG_VERSION"), "kind": "not-found",
        "message": "cannot open missing.aof: No such file or directory (os error 2)",
        "path": "missing.aof", "exit_code": 2,
    });
    assert_eq!(document(&run.stdout), expected);
}

#[test]
fn every_subcommand_reports_an_error_as_json() {
    let place = Place::new();
    let cases = [
        ("recover missing", "not-found", 2),
        ("recover missing --strip", "usage", 2),
        ("strip-flushall missing -o new", "not-found", 2),
        ("log missing", "not-found", 2),
        ("log missing --since 1:x", "usage", 2),
        ("history key missing", "not-found", 2),
        ("digest missing", "not-found", 2),
        ("diff missing missing", "not-found", 2),
        ("diff --list missing missing", "not-found", 2),
        ("repair missing -n", "not-found", 2),
        ("repair missing", "usage", 2),
        ("compact missing -n", "not-found", 2),
        ("compact missing", "usage", 2),
        ("backup missing --to missing", "not-found", 2),
        ("backup --to missing", "usage", 2),
        ("backup --live --to missing -p x", "usage", 2),
        ("list missing", "not-found", 2),
        ("prune missing --keep-last 1", "not-found", 2),
        ("restore missing -o new", "not-found", 2),
        ("extract missing -o new", "not-found", 2),
        ("generate -o new --transactions 2", "usage", 2),
        ("bench missing", "not-found", 2),
        ("verify", "usage", 2),
        ("verify --no-such-option", "usage", 2),
        ("no-such-subcommand", "usage", 2),
    ];
    for (line, kind, code) in cases {
        let words: Vec<&str> = line.split(' ').chain(["--json"]).collect();
        let run = place.run(&words);
        assert_eq!(run.code, Some(code), "{line}: {run:#?}");
        assert_eq!(run.stdout.lines().count(), 1, "{line}: {run:#?}");
        let error = document(&run.stdout);
        let found = (&error["report"], &error["kind"], &error["exit_code"]);
        assert_eq!(found, (&json!("error"), &json!(kind), &json!(code)), "{line}: {run:#?}");
        let message = error["message"].as_str().unwrap();
        assert!(run.stderr.starts_with(&format!("error: {message}")), "{line}: {run:#?}");
    }
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn usage_error_without_json_prints_nothing_to_stdout() {
    let place = Place::new();
    for words in [&["verify"][..], &["verify", "--frob", "--", "--json"]] {
        let run = place.run(words);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    }
    let run = place.run(&["verify", "--json", "--help"]);
    assert!(run.code == Some(0) && run.stdout.contains("Usage: "), "{run:#?}");
}

#[test]
fn failed_path_among_several_is_in_the_report() {
    let place = Place::new();
    place.put("a.aof", sound());
    let run = place.run(&["verify", "--json", "a.aof", "missing"]);
    let report = document(&run.stdout);
    assert_eq!((run.code, &report["report"]), (Some(3), &json!("verify")), "{run:#?}");
    assert_eq!(report["logs"][1]["status"], "failed", "{run:#?}");
}

#[test]
fn refused_repair_is_one_document() {
    let place = Place::new();
    place.put("a.aof", [b"{\"a\": 1}\n", &sound()[..]].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof", "--json"]);
    let report = document(&run.stdout);
    assert_eq!((run.code, &report["report"]), (Some(4), &json!("repair")), "{run:#?}");
    let message = report["refused"]["message"].as_str().unwrap();
    assert!(run.stderr.contains(message), "{run:#?}");
}

#[test]
fn torn_log_ends_in_a_summary_with_the_reason() {
    let place = Place::new();
    place.put("a.aof", torn());
    let run = place.run(&["log", "--json", "--limit", "9", "a.aof"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((run.code, lines.len(), lines[0]), (Some(1), 5, header("log").as_str()), "{run:#?}");
    let summary = document(lines[4]);
    assert_eq!(summary["kind"], "summary");
    assert_eq!(
        (&summary["ending"]["kind"], &summary["ending"]["offset"]),
        (&json!("torn-command"), &json!(81))
    );
}

#[test]
fn error_after_the_first_lines_is_the_last_line() {
    let place = Place::new();
    place.put("a.aof", sound());
    // That the log has no times is known only at its end.
    let run = place.run(&["log", "--json", "--until", "1700000000", "a.aof"]);
    let lines: Vec<&str> = run.stdout.lines().collect();
    assert_eq!((run.code, lines.len(), lines[0]), (Some(2), 5, header("log").as_str()), "{run:#?}");
    assert_eq!(document(lines[4])["report"], "error");
}
