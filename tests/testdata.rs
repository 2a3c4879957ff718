//! Compares the verdicts of `verify` on the files in testdata/ with what four servers did with them.
//!
//! The behaviour of the servers was recorded when the files were created (see testdata/README.md), so no server is
//! needed.

use std::fs;
use std::path::Path;

use aofkit::base::progress::Silent;
use aofkit::ops::verify::{VerifyOptions, verify};
use aofkit::report;
use serde_json::Value;

/// Returns the log in the report of `verify --json`.
fn verified(item: &str) -> Value {
    let path = testdata().join(item);
    let report = verify(&[path], &VerifyOptions::default(), &Silent).expect("not cancelled");
    let mut report: Value = serde_json::from_str(&report::json(&report)).expect("JSON");
    report["logs"][0].take()
}

fn testdata() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/testdata"))
}

/// Calls `check` for each item with its name, the recorded behaviour, and the report of `verify`.
fn on_each_item(check: impl Fn(&str, &Value, &Value)) {
    let text = fs::read_to_string(testdata().join("verdicts.json")).expect("a file");
    let observed: Value = serde_json::from_str(&text).expect("JSON");
    let items = observed["items"].as_object().expect("an object");
    assert!(items.len() > 100);
    for (name, item) in items {
        check(name, item, &verified(name));
    }
}

#[test]
fn verdicts_match_the_servers() {
    on_each_item(|name, item, log| {
        for (server, observed) in item["verdicts"].as_object().unwrap() {
            let observed = &observed["aof-load-truncated yes"];
            let outcome = observed["outcome"].as_str().unwrap();
            if log["status"] == "broken-set" {
                // Redis 6.2 ignores sets, and all servers ignore a set without a manifest.
                assert!(matches!(outcome, "refuses" | "ignores"), "{name} on {server}: {outcome}");
                continue;
            }
            let ours = (log["verdicts"].as_array().into_iter().flatten())
                .find(|ours| ours["servers"].as_array().unwrap().contains(&server.as_str().into()))
                .unwrap_or_else(|| panic!("{name}: no verdict for {server}"));
            let agrees = match (outcome, ours["outcome"].as_str().unwrap()) {
                ("cuts", "loads-after-cut") => {
                    let cut_to = observed["cut_to"].as_object().unwrap();
                    cut_to.values().eq([&ours["keeps_bytes"]])
                }
                // The behaviour depends on the contents of invalid memory.
                ("crashes", "undefined") => true,
                ("ignores", "does-not-read") => true,
                (theirs, ours) => theirs == ours,
            };
            assert!(agrees, "{name} on {server}: {observed:#} but {ours:#}");
        }
    });
}

#[test]
fn real_logs_are_valid_and_damage_is_found_in_its_line_or_later() {
    on_each_item(|name, item, log| {
        if name.starts_with("real/") {
            assert_eq!(log["sound"], true, "{name}: {:#}", log["findings"]);
        }
        let (Some(part), Some(changed)) =
            (item["edit"]["part"].as_str(), item["edit"]["offset"].as_u64())
        else {
            return;
        };
        let bytes = fs::read(testdata().join(name).join(part)).unwrap();
        let before = &bytes[..usize::try_from(changed).unwrap().min(bytes.len())];
        let line = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end as u64 + 1);
        for finding in log["findings"].as_array().into_iter().flatten() {
            let Some(damage) = finding["damage"].as_object() else { continue };
            assert!(part.ends_with(damage["part"].as_str().unwrap()), "{name}: in {part}");
            let found = damage["offset"].as_u64().unwrap();
            assert!(found >= line, "{name}: changed at {changed}, found at {found}");
        }
    });
}
