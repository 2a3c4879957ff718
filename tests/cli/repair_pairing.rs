//! Files of a set without a manifest, of which the content tells which belong together.

use super::candidates::log;
use super::repair_rdb::rdb;
use super::*;

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// A base with 20 keys of this prefix and value.
fn base(prefix: &str, value: &str) -> Vec<u8> {
    let names: Vec<String> = (0..20).map(|at| format!("{prefix}{at}")).collect();
    rdb(&names.iter().map(|name| (name.as_str(), value)).collect::<Vec<_>>())
}

/// Deletes 15 of them.
fn deletions(prefix: &str) -> Vec<u8> {
    let lines: String = (0..15).map(|at| format!("\nDEL {prefix}{at}")).collect();
    log(&format!("SELECT 0{lines}"))
}

fn set(parts: &[(&str, &[u8])]) -> Place {
    let place = Place::new();
    place.put_set("set", parts);
    fs::remove_file(place.path("set/appendonly.aof.manifest")).unwrap();
    place
}

/// The lines of the proposed manifest.
fn lines(run: &Run) -> Vec<String> {
    let report = json(run);
    let lines = report["set"]["lines"].as_array().unwrap().iter();
    lines.map(|line| line.as_str().unwrap().split(' ').nth(1).unwrap().to_owned()).collect()
}

const BASES: [&str; 3] =
    ["appendonly.aof.1.base.rdb", "appendonly.aof.2.base.rdb", "appendonly.aof.3.base.rdb"];
const INCR: &str = "appendonly.aof.3.incr.aof";

#[test]
fn base_whose_keys_are_deleted_is_chosen_against_the_numbers() {
    let (own, other, incr) = (base("k", "1"), base("o", "1"), deletions("k"));
    let place = set(&[(BASES[1], &own), (BASES[2], &other), (INCR, &incr)]);
    let dry = place.run(&["repair", "set", "--dry-run", "--json"]);
    assert_eq!((dry.code, lines(&dry)), (Some(1), vec![BASES[1].to_owned(), INCR.to_owned()]));
    let report = json(&dry);
    let inferred = report["set"]["inferred"].to_string();
    assert!(
        inferred.contains("15 of 15 deletions of a key find it, instead of 0 of 15")
            && !inferred.contains("from the numbers in their names"),
        "{report:#}"
    );
    for options in [&["--output", "new"][..], &["--in-place"]] {
        let run = place.run(&[&["repair", "set"], options].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    for path in ["set", "new"] {
        assert_eq!(json(&place.run(&["digest", path, "--json"]))["keys"], 5);
    }
    // By choice, the numbers decide.
    let place = set(&[(BASES[1], &own), (BASES[2], &other), (INCR, &incr)]);
    let run = place.run(&["repair", "set", "--base", BASES[2], "--output", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(json(&place.run(&["digest", "new", "--json"]))["keys"], 20);
}

#[test]
fn incremental_file_with_the_deleted_keys_is_taken_in() {
    let names: String = (0..20).map(|at| format!("\nSET k{at} 1")).collect();
    let (other, earlier) = (base("o", "1"), log(&format!("SELECT 0{names}")));
    let incr = deletions("k");
    let place = set(&[(BASES[2], &other), ("appendonly.aof.2.incr.aof", &earlier), (INCR, &incr)]);
    let dry = place.run(&["repair", "set", "--dry-run", "--json"]);
    assert_eq!(lines(&dry), [BASES[2], "appendonly.aof.2.incr.aof", INCR], "{dry:#?}");
    // Without deletions, the numbers decide.
    let place = set(&[
        (BASES[2], &other),
        ("appendonly.aof.2.incr.aof", &earlier),
        (INCR, &log("SELECT 0\nSET c 1")),
    ]);
    assert_eq!(lines(&place.run(&["repair", "set", "-n", "--json"])), [BASES[2], INCR]);
}

#[test]
fn about_equal_evidence_is_asked_for() {
    let incr = deletions("k");
    let [one, two, three] = [base("k", "1"), base("k", "2"), base("o", "1")];
    let place = set(&[(BASES[0], &one), (BASES[1], &two), (BASES[2], &three), (INCR, &incr)]);
    let before = place.names();
    for options in [&["--dry-run"][..], &["--in-place"], &["--output", "new"]] {
        let run = place.run(&[&["repair", "set"], options].concat());
        assert_eq!((run.code, place.names()), (Some(4), before.clone()), "{run:#?}");
        assert_eq!(fs::read_dir(place.path("set")).unwrap().count(), 4);
        for base in &BASES[..2] {
            let typed = format!("aofkit repair set --base {base} --dry-run\n");
            assert!(run.stderr.contains(&typed), "{run:#?}");
        }
        assert!(!run.stderr.contains(&format!("--base {}", BASES[2])), "{run:#?}");
    }
    for base in &BASES[..2] {
        let run = place.run(&["repair", "set", "--base", base, "-n", "--json"]);
        assert_eq!((run.code, lines(&run)), (Some(1), vec![(*base).to_owned(), INCR.to_owned()]));
    }
    let run = place.run(&["repair", "set", "--base", "other", "-n"]);
    assert!(run.code == Some(2) && run.stderr.contains(BASES[1]), "{run:#?}");
}

#[test]
fn pairings_with_the_same_data_are_not_asked_for() {
    let incr = deletions("k");
    let (same, other) = (base("k", "1"), base("o", "1"));
    let place = set(&[(BASES[0], &same), (BASES[1], &same), (BASES[2], &other), (INCR, &incr)]);
    let dry = place.run(&["repair", "set", "--dry-run", "--json"]);
    assert_eq!(lines(&dry), [BASES[1], INCR], "{dry:#?}");
    // Those from before a rewrite give the same data as those after it.
    let (first, second) = (deletions("k"), log("SELECT 0\nDEL k15\nDEL k16\nSET a 1"));
    let rewritten: Vec<String> = (15..20).map(|at| format!("k{at}")).collect();
    let rewritten = rdb(&rewritten.iter().map(|key| (key.as_str(), "1")).collect::<Vec<_>>());
    let later = deletions("new");
    let made: String = (0..20).map(|at| format!("\nSET new{at} 1")).collect();
    let second = [second, log(&format!("SELECT 0{made}")), later].concat();
    let place = set(&[
        (BASES[0], &same),
        ("appendonly.aof.1.incr.aof", &first),
        (BASES[1], &rewritten),
        ("appendonly.aof.2.incr.aof", &second),
    ]);
    let dry = place.run(&["repair", "set", "--dry-run", "--json"]);
    assert_eq!(lines(&dry), [BASES[1], "appendonly.aof.2.incr.aof"], "{dry:#?}");
}
