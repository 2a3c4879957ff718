//! `list --max-age`: which backup counts as the newest, and how a directory fails that has none.

use super::backup::{back_up, json, with_log};
use super::*;

/// A time so many hours before now, as `--created` takes it.
fn hours_ago(hours: i64) -> String {
    (jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours)).to_string()
}

/// The names of the archives in `to`, in order.
fn archive_names(place: &Place) -> Vec<String> {
    super::backup::archives(place, "to")
}

fn damage(place: &Place, name: &str) {
    let mut bytes = place.read(format!("to/{name}"));
    bytes[60] ^= 0x20;
    place.put(format!("to/{name}"), bytes);
}

#[test]
fn a_recent_backup_passes_and_an_old_one_does_not() {
    let place = with_log();
    back_up(&place, &hours_ago(50), &["--port", "6380"]);
    back_up(&place, &hours_ago(25), &["--port", "6380"]);
    place.run(&["list", "to", "--max-age", "26h", "--quiet"]).ends(0, "", "");
    let run = place.run(&["list", "to", "--max-age", "24h", "--quiet"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    let newest = archive_names(&place).pop().unwrap();
    let named = [":6380: the newest good backup is 25 hours old", "at most 24h", &newest];
    let words = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(named.iter().all(|text| words.contains(text)), "{run:#?}");
    assert_eq!(run.stderr.matches("error:").count(), 1, "{run:#?}");
    let (code, report) = json(&place, &["list", "to", "--max-age", "1d"]);
    let age = &report["age"];
    assert_eq!((code, &age["recent"], &age["max_age"]), (Some(1), &false.into(), &"1d".into()));
    let source = &age["sources"][0];
    assert!(source["archive"].as_str().unwrap().ends_with(&newest), "{report:#}");
    assert_eq!(source["age_s"].as_u64().unwrap() / 3600, 25, "{report:#}");
    assert!(json(&place, &["list", "to"]).1.get("age").is_none());
}

#[test]
fn every_source_needs_a_recent_backup() {
    let place = with_log();
    back_up(&place, &hours_ago(1), &["--port", "6380"]);
    back_up(&place, &hours_ago(30), &["--port", "6381"]);
    let run = place.run(&["list", "to", "--max-age", "26h"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains(":6381: the newest good backup is 30 hours old"), "{run:#?}");
    assert!(run.stdout.contains(":6380: the newest good backup is 60 minutes old"), "{run:#?}");
    let (_, report) = json(&place, &["list", "to"]);
    let identity = |at: usize| report["archives"][at]["made"]["identity"].as_str().unwrap();
    let of = |source: &str| place.run(&["list", "to", "--max-age", "26h", "--source", source]).code;
    assert_eq!((of(identity(0)), of(identity(1)), of("nobody:1")), (Some(0), Some(1), Some(1)));
}

#[test]
fn a_directory_without_a_backup_is_no_recent_one() {
    let place = with_log();
    let run = place.run(&["list", "to", "--max-age", "26h", "-q"]);
    run.ends(1, "", "error: to: there is no backup\n");
    // What `compress` made is no backup.
    assert_eq!(place.run(&["compress", "a.aof", "-o", "to/x.zip"]).code, Some(0));
    assert_eq!(place.run(&["list", "to", "--max-age", "26h"]).code, Some(1));
}

#[test]
fn a_backup_of_the_future_is_not_the_newest() {
    let place = with_log();
    back_up(&place, &hours_ago(-48), &[]);
    assert_eq!(place.run(&["list", "to", "--max-age", "26h"]).code, Some(1));
    back_up(&place, &hours_ago(30), &[]);
    let run = place.run(&["list", "to", "--max-age", "26h", "-q"]);
    assert!(run.code == Some(1) && run.stderr.contains("30 hours old"), "{run:#?}");
    back_up(&place, &hours_ago(2), &[]);
    assert_eq!(place.run(&["list", "to", "--max-age", "26h"]).code, Some(0));
}

#[test]
fn only_good_backups_count() {
    let place = with_log();
    back_up(&place, &hours_ago(30), &[]);
    // A log that was damaged when it was archived is known without reading the archive.
    place.put("a.aof", [sound(), b"garbage\r\n".to_vec()].concat());
    let args = ["backup", "a.aof", "--to", "to", "--damaged", "--created", &hours_ago(1)];
    assert_eq!(place.run(&args).code, Some(1));
    let run = place.run(&["list", "to", "--max-age", "26h", "-q"]);
    assert!(run.code == Some(1) && run.stderr.contains("30 hours old"), "{run:#?}");
}

#[test]
fn with_verify_only_what_is_sound_now_counts() {
    let place = with_log();
    back_up(&place, &hours_ago(30), &[]);
    back_up(&place, &hours_ago(1), &[]);
    damage(&place, &archive_names(&place)[1]);
    assert_eq!(place.run(&["list", "to", "--max-age", "26h"]).code, Some(0));
    let run = place.run(&["list", "to", "--max-age", "26h", "--verify", "-q"]);
    assert!(run.code == Some(1) && run.stderr.contains("30 hours old"), "{run:#?}");
}

#[test]
fn a_wrong_duration_is_a_usage_error() {
    let place = with_log();
    for wrong in ["", "26", "26x", "-1h", "0h", "1w"] {
        let run = place.run(&["list", "to", "--max-age", wrong]);
        assert_eq!(run.code, Some(2), "{wrong}: {run:#?}");
    }
}
