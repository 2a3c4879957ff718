//! `drill --server` with a program that is no server: it is bounded in time, and does not outlive the drill.

use std::os::unix::fs::PermissionsExt;
use std::process::Child;
use std::time::{Duration, Instant};

use super::backup::json;
use super::*;
use crate::under_way::wait_until;

/// A place with an archive, and a script that reports a version, and then does what `lines` say.
fn with_script(lines: &str) -> Place {
    let place = Place::new();
    place.put("a.aof", sound());
    assert_eq!(place.run(&["compress", "a.aof", "-o", "a.zip"]).code, Some(0));
    fs::create_dir(place.path("scratch")).unwrap();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = --version ] && exec echo 'Redis server v=7.0.15 sha=0'\n\
         echo $$ > '{}'\n{lines}\n",
        place.path("pid").display()
    );
    place.put("server", script);
    fs::set_permissions(place.path("server"), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

const DRILL: [&str; 6] = ["drill", "a.zip", "--scratch", "scratch", "--server", "./server"];

/// Whether the process that the script began runs.
fn is_running(place: &Place) -> bool {
    let pid = String::from_utf8(place.read("pid")).unwrap();
    Path::new("/proc").join(pid.trim()).exists()
}

fn is_clean(place: &Place) -> bool {
    fs::read_dir(place.path("scratch")).unwrap().next().is_none()
}

#[test]
fn a_server_that_ends_fails_with_its_last_words_escaped() {
    let place = with_script("printf 'Bad \\033[2J file format\\n'; exit 3");
    let (code, report) = json(&place, &DRILL);
    assert_eq!(code, Some(1), "{report:#}");
    let step = report["archives"][0]["steps"].as_array().unwrap().last().unwrap();
    let expected =
        "redis 7.0.15 did not load it: it ended with exit code 3: Bad \\u{1b}[2J file format";
    assert_eq!((&step["name"], &step["message"]), (&"load".into(), &expected.into()));
    assert!(is_clean(&place));
}

#[test]
fn a_server_that_never_answers_is_killed_and_does_not_pass() {
    let place = with_script("exec sleep 300");
    let began = Instant::now();
    let run = place.run(&[&DRILL[..], &["--server-timeout", "300ms"]].concat());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stdout.contains("was not ready after 0.30 s"), "{run:#?}");
    assert!(began.elapsed() < Duration::from_secs(20));
    assert!(!is_running(&place) && is_clean(&place));
}

#[test]
fn an_interruption_kills_the_server_and_leaves_nothing() {
    let place = with_script("exec sleep 300");
    let mut child: Child =
        place.command().args(DRILL).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the server runs", || place.path("pid").exists() && !place.read("pid").is_empty());
    assert!(is_running(&place));
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(!is_running(&place) && is_clean(&place));
}

/// Nothing can run in a process that is killed like this, as by the system when memory is short.
#[test]
fn a_killed_drill_takes_the_server_with_it() {
    let place = with_script("exec sleep 300");
    let mut child: Child =
        place.command().args(DRILL).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("the server runs", || place.path("pid").exists() && !place.read("pid").is_empty());
    assert!(is_running(&place));
    child.kill().unwrap();
    child.wait().unwrap();
    // Its new parent may be slow to collect it.
    let pid = String::from_utf8(place.read("pid")).unwrap();
    let stat = Path::new("/proc").join(pid.trim()).join("stat");
    let is_over = || fs::read_to_string(&stat).map_or(true, |text| text.contains(") Z "));
    wait_until("the end of the server", is_over);
}

#[test]
fn the_server_gets_no_port_no_snapshots_and_the_names_of_the_log() {
    let place = with_script("cp \"$1\" ../../conf; exit 1");
    assert_eq!(place.run(&DRILL).code, Some(1));
    let conf = String::from_utf8(place.read("conf")).unwrap();
    let lines: Vec<&str> = conf.lines().collect();
    for line in [
        "port \"0\"",
        "save \"\"",
        "daemonize \"no\"",
        "appendonly \"yes\"",
        "appendfilename \"appendonly.aof\"",
        "databases \"16\"",
        "aof-load-truncated \"no\"",
        "replicaof 127.0.0.1 1",
    ] {
        assert!(lines.contains(&line), "{line}: {conf}");
    }
    assert!(!conf.contains("loadmodule"));
    let names =
        lines.iter().filter(|line| line.starts_with("dir ") || line.starts_with("unixsocket "));
    let scratch = fs::canonicalize(place.path("scratch")).unwrap();
    let is_below = |line: &&&str| line.contains(&format!(" \"{}/", scratch.display()));
    assert_eq!(names.filter(is_below).count(), 2, "{conf}");
}
