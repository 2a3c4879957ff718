//! `--metrics`: the file for node_exporter, after runs that succeed and that fail.

use std::os::unix::fs::{MetadataExt, symlink};
use std::time::{SystemTime, UNIX_EPOCH};

use super::backup::{archives, back_up, json, kill_at_random, with_log};
use super::*;

const FILE: &str = "aofkit.prom";

/// A backup of `log` with metrics.
fn run(place: &Place, log: &str, more: &[&str]) -> Run {
    place.run(&[&["backup", log, "--to", "to", "--metrics", FILE], more].concat())
}

/// The value of a metric of the only source, or of the one that ends so.
fn value(place: &Place, name: &str, label_end: &str) -> Option<f64> {
    let text = String::from_utf8(place.read(FILE)).unwrap();
    let of_name = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
    let mut found = of_name.filter(|line| line.split("\"}").next().unwrap().ends_with(label_end));
    let line = found.next()?;
    assert!(found.next().is_none(), "{name} {label_end}: {text}");
    line.rsplit_once(' ').unwrap().1.parse().ok()
}

fn backup(place: &Place, name: &str) -> Option<f64> {
    value(place, &format!("aofkit_backup_{name}"), "")
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

/// The rules of the text format and of `promtool check metrics`, as far as they concern gauges.
fn check(place: &Place) {
    let text = String::from_utf8(place.read(FILE)).unwrap();
    assert!(text.ends_with('\n'));
    let (mut typed, mut described) = (Vec::new(), Vec::new());
    for line in text.lines().skip(1) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            described.push(rest.split(' ').next().unwrap().to_owned());
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(kind, "gauge", "{line}");
            assert!(!typed.contains(&name.to_owned()), "twice: {line}");
            typed.push(name.to_owned());
            continue;
        }
        let name = line.split('{').next().unwrap().to_owned();
        assert_eq!(typed.last(), Some(&name), "the samples of a metric are together: {text}");
        line.rsplit_once("} ").unwrap().1.parse::<f64>().unwrap();
    }
    assert_eq!(typed, described);
    assert!(!typed.is_empty());
}

#[test]
fn a_backup_writes_its_metrics() {
    let place = with_log();
    let began = now().floor();
    let done = place.shell(&format!(
        "umask 077; \"$0\" backup a.aof --to to --port 6380 --metrics {FILE} --quiet"
    ));
    done.ends(0, "", "");
    check(&place);
    assert_eq!(fs::metadata(place.path(FILE)).unwrap().mode() & 0o7777, 0o644);
    let archive = format!("to/{}", archives(&place, "to")[0]);
    let size = place.read(archive).len() as f64;
    assert_eq!(backup(&place, "archive_size_bytes"), Some(size));
    // Three commands in 81 bytes.
    assert_eq!(backup(&place, "log_size_bytes"), Some(81.0));
    assert_eq!((backup(&place, "commands"), backup(&place, "rdb_keys")), (Some(3.0), Some(0.0)));
    assert_eq!(backup(&place, "last_run_success"), Some(1.0));
    assert_eq!(backup(&place, "last_run_exit_code"), Some(0.0));
    for name in ["last_run_timestamp_seconds", "last_success_timestamp_seconds"] {
        let at = backup(&place, name).unwrap();
        assert!(at >= began && at <= now(), "{name}: {at}");
    }
    let (_, list) = json(&place, &["list", "to"]);
    let source = list["archives"][0]["made"]["identity"].as_str().unwrap();
    let text = String::from_utf8(place.read(FILE)).unwrap();
    assert!(text.contains(&format!("aofkit_backup_commands{{source=\"{source}\"}} 3\n")), "{text}");
}

#[test]
fn a_failed_run_is_recorded_and_keeps_the_last_success() {
    let place = with_log();
    assert_eq!(run(&place, "a.aof", &[]).code, Some(0));
    let retained = ["last_success_timestamp_seconds", "archive_size_bytes", "commands"];
    let before = retained.map(|name| backup(&place, name));
    // Damage, and then a log that is not there: the source is then the only one that the file has.
    place.put("a.aof", [sound(), b"garbage\r\n".to_vec(), sound()].concat());
    for (code, remove) in [(1, false), (2, true)] {
        if remove {
            fs::remove_file(place.path("a.aof")).unwrap();
        }
        let run = run(&place, "a.aof", &[]);
        assert_eq!(run.code, Some(code), "{run:#?}");
        check(&place);
        assert_eq!(backup(&place, "last_run_success"), Some(0.0));
        assert_eq!(backup(&place, "last_run_exit_code"), Some(f64::from(code)));
        assert_eq!(retained.map(|name| backup(&place, name)), before);
    }
    // A usage error is no run.
    assert_eq!(run(&place, "a.aof", &["--lock-wait", "x"]).code, Some(2));
}

#[test]
fn a_failure_before_any_success_is_recorded() {
    let place = with_log();
    assert_eq!(run(&place, "missing.aof", &[]).code, Some(2));
    assert_eq!(backup(&place, "last_run_success"), Some(0.0));
    assert_eq!(backup(&place, "last_success_timestamp_seconds"), None);
    assert!(value(&place, "aofkit_backup_last_run_success", "missing.aof").is_some());
}

#[test]
fn a_server_that_is_not_there_is_recorded_under_its_port() {
    let place = with_log();
    let args = ["backup", "--live", "--to", "to", "--metrics", FILE, "-p", "1"];
    assert_eq!(place.run(&args).code, Some(2));
    assert_eq!(value(&place, "aofkit_backup_last_run_success", ":1"), Some(0.0));
    check(&place);
}

#[test]
fn a_locked_source_is_a_failed_run() {
    let place = with_log();
    assert_eq!(run(&place, "a.aof", &[]).code, Some(0));
    let lock = place.shell("ls -a to | grep lock").stdout.trim().to_owned();
    let args = format!("\"$0\" backup a.aof --to to --metrics {FILE} --lock-wait 10ms");
    let done = place.shell(&format!(
        "flock to/{lock} sh -c '{}'",
        args.replace("\"$0\"", env!("CARGO_BIN_EXE_aofkit"))
    ));
    assert_eq!(done.code, Some(5), "{done:#?}");
    assert_eq!(backup(&place, "last_run_exit_code"), Some(5.0));
}

#[test]
fn sources_and_jobs_share_a_file() {
    let place = with_log();
    place.put("b.aof", sound());
    assert_eq!(run(&place, "a.aof", &[]).code, Some(0));
    assert_eq!(run(&place, "b.aof", &[]).code, Some(0));
    back_up(&place, "2026-01-01 03:00:00", &[]);
    let prune = ["prune", "to", "--keep-last", "1", "--metrics", FILE];
    assert_eq!(place.run(&prune).code, Some(0));
    check(&place);
    for source in ["/a.aof", "/b.aof"] {
        let success = value(&place, "aofkit_backup_last_run_success", source);
        assert_eq!(success, Some(1.0), "{source}");
    }
    let count = |name: &str| value(&place, &format!("aofkit_prune_{name}_archives"), "=\"to");
    let counts = (count("kept"), count("deleted"), count("failed"));
    assert_eq!(counts, (Some(2.0), Some(1.0), Some(0.0)));
    assert_eq!(
        place.run(&["prune", "missing", "--keep-last", "1", "--metrics", FILE]).code,
        Some(2)
    );
    assert_eq!(value(&place, "aofkit_prune_last_run_success", "missing"), Some(0.0));
    assert_eq!(value(&place, "aofkit_prune_last_run_success", "=\"to"), Some(1.0));
}

#[test]
fn what_aofkit_did_not_write_is_refused_before_the_run() {
    let place = with_log();
    let other = "# HELP node_x X.\nnode_x 1\n";
    place.put(FILE, other);
    place.put("precious", "precious");
    symlink(place.path("precious"), place.path("link.prom")).unwrap();
    fs::create_dir(place.path("directory.prom")).unwrap();
    assert_eq!(place.shell("mkfifo pipe.prom").code, Some(0));
    for file in [FILE, "link.prom", "directory.prom", "pipe.prom", "absent/x.prom"] {
        let args = ["backup", "a.aof", "--to", "to", "--metrics", file];
        let run = place.run(&args);
        assert!(run.code == Some(2) && run.stderr.contains(file), "{run:#?}");
        let run = place.run(&["prune", "to", "--keep-last", "1", "--metrics", file]);
        assert_eq!(run.code, Some(2), "{run:#?}");
    }
    assert!(archives(&place, "to").is_empty());
    assert_eq!((place.read(FILE), place.read("precious")), (other.into(), b"precious".to_vec()));
}

#[test]
fn a_dry_run_writes_none() {
    let place = with_log();
    assert_eq!(run(&place, "a.aof", &["--dry-run"]).code, Some(0));
    let prune = ["prune", "to", "--keep-last", "1", "-n", "--metrics", FILE];
    assert_eq!(place.run(&prune).code, Some(0));
    assert!(!place.path(FILE).exists());
}

#[test]
fn a_file_that_cannot_be_written_is_a_warning_and_exit_code_3() {
    let place = with_log();
    fs::create_dir(place.path("metrics")).unwrap();
    let aofkit = env!("CARGO_BIN_EXE_aofkit");
    let args = format!("{aofkit} backup a.aof --to to --quiet --metrics metrics/x.prom");
    let run = place.shell(&format!("flock metrics {args}"));
    assert!(run.code == Some(3) && run.stdout.is_empty(), "{run:#?}");
    assert!(run.stderr.starts_with("warning: the metrics were not written: "), "{run:#?}");
    assert_eq!(archives(&place, "to").len(), 1);
    assert!(!place.path("metrics/x.prom").exists());
}

#[test]
fn a_killed_run_leaves_the_old_file_or_the_new_one() {
    let place = with_log();
    let args = ["prune", "to", "--keep-last", "1", "--metrics", FILE];
    let began = std::time::Instant::now();
    assert_eq!(place.run(&args).code, Some(0));
    let span = began.elapsed();
    kill_at_random(&place, &args, span, |_| check(&place));
}

#[test]
fn an_interrupted_run_is_recorded() {
    let place = with_log();
    // The lock is held for longer than the run lives.
    assert_eq!(run(&place, "a.aof", &[]).code, Some(0));
    let lock = place.shell("ls -a to | grep lock").stdout.trim().to_owned();
    let script = format!(
        "exec 9>to/{lock}; flock 9; \"$0\" backup a.aof --to to --metrics {FILE} --lock-wait 1m 9>&- & \
         pid=$!; sleep 0.5; kill -INT $pid; wait $pid"
    );
    let run = place.shell(&format!("set -m; {script}"));
    assert_eq!(run.code, Some(130), "{run:#?}");
    assert_eq!(backup(&place, "last_run_exit_code"), Some(130.0));
    check(&place);
}
