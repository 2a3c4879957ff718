//! `doctor` on data directories. Running servers are in tests/servers/steps/doctor.rs.

use std::os::unix::fs::PermissionsExt;

use super::*;

/// A data directory that only its owner can enter.
fn data() -> Place {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    mode(&place, "data", 0o750);
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    place
}

fn mode(place: &Place, name: &str, mode: u32) {
    fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
}

fn level(run: &Run, check: &str) -> String {
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let findings = report["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check).unwrap();
    found["level"].as_str().unwrap().to_owned()
}

#[test]
fn what_needs_a_server_is_unknown_for_a_directory() {
    let place = data();
    for path in ["data", "data/appendonlydir", "data/appendonlydir/appendonly.aof.1.incr.aof"] {
        let run = place.run(&["doctor", path, "--json"]);
        assert_eq!(run.code, Some(0), "{path}: {run:#?}");
        for check in ["persistence", "empty-primary", "last-save", "auto-rewrite", "backups"] {
            assert_eq!(level(&run, check), "unknown", "{path}: {check}");
        }
        for check in ["disk-space", "file-rights", "clock", "leftovers", "rdb-version"] {
            assert_eq!(level(&run, check), "ok", "{path}: {check}");
        }
    }
    let text = place.run(&["doctor", "data"]).stdout;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("replica: no server was asked: -p PORT asks one"), "{text}");
    place.run(&["doctor", "data", "--quiet"]).ends(0, "", "");
}

#[test]
fn red_finding_has_exit_code_1_and_is_printed_with_quiet() {
    let place = data();
    mode(&place, "data", 0o757);
    let run = place.run(&["doctor", "data"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:#?}");
    assert!(run.stdout.contains("\n       chmod o-w data\n"), "{}", run.stdout);
    let quiet = place.run(&["doctor", "data", "-q"]);
    assert_eq!((quiet.code, quiet.stdout.as_str()), (Some(1), ""), "{quiet:#?}");
    assert!(quiet.stderr.contains("red       every user"), "{}", quiet.stderr);
    // The command that is printed.
    assert_eq!(place.shell("chmod o-w data").code, Some(0));
    assert_eq!(place.run(&["doctor", "data"]).code, Some(0));
}

#[test]
fn leftovers_of_a_rewrite_and_an_unknown_rdb_are_named() {
    let place = data();
    place.put("data/temp-rewriteaof-bg-12.aof", sound());
    place.put("data/appendonlydir/appendonly.aof.2.base.rdb", "REDIS0099");
    let run = place.run(&["doctor", "data"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let text = run.stdout;
    assert!(text.contains("temp-rewriteaof-bg-12.aof, 81 bytes"), "{text}");
    assert!(text.contains("\n       rm data/temp-rewriteaof-bg-12.aof\n"), "{text}");
    assert!(text.contains("appendonly.aof.2.base.rdb is of RDB version 99"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn backups_of_this_directory_count_and_others_do_not() {
    let place = data();
    fs::create_dir(place.path("to")).unwrap();
    place.put("other.aof", sound());
    let backups = |code, expected: &str| {
        let run = place.run(&["doctor", "data", "--backups", "to", "--json"]);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert_eq!(level(&run, "backups"), expected);
    };
    backups(1, "red");
    assert_eq!(place.run(&["backup", "other.aof", "--to", "to"]).code, Some(0));
    backups(1, "red");
    let text = place.run(&["doctor", "data", "--backups", "to"]).stdout;
    let command = "aofkit backup data --to to";
    assert!(text.contains("but 1 backup of other sources"), "{text}");
    assert!(text.contains(&format!("\n       {command}\n")), "{text}");
    assert_eq!(place.run(&command.split(' ').skip(1).collect::<Vec<_>>()).code, Some(0));
    backups(0, "ok");
}

#[test]
fn what_cannot_be_reached_or_read_is_an_error() {
    let place = Place::new();
    for (line, message) in [
        ("doctor -p 1", "127.0.0.1:1"),
        ("doctor missing", "missing"),
        ("doctor -p 1 -p 2", "several servers"),
    ] {
        let run = place.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(run.stderr.contains(message), "{line}: {}", run.stderr);
    }
}
