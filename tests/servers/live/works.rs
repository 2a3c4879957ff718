//! What a backup of a running server holds, and what it leaves.

use std::time::Duration;

use aofkit::base::progress::Silent;
use aofkit::input::open;
use aofkit::live::endpoint::{Address, Endpoint};
use aofkit::ops::recover::hold::{HoldOptions, hold};
use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use super::place::{Place, Run, UnderWay, aofkit, directory, wait_until};
use crate::support::LINES;
use crate::support::server::Binary;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&LINES, "a live backup with a rewrite holds the data", |binary| {
        holds_the_data(binary, &[], &["settings", "rewrite", "wait", "backup", "restore"]);
    });
    trials.extend(on_each(&LINES, "a live backup by links holds the data", |binary| {
        let steps = ["settings", "wait", "link", "release", "backup"];
        holds_the_data(binary, &["--strategy", "link", "--move"], &steps);
    }));
    trials.extend(on_each(&LINES, "a live backup that compacts holds the data", |binary| {
        let steps = ["settings", "wait", "link", "release", "backup"];
        holds_the_data(binary, &["--strategy", "link", "--compact"], &steps);
    }));
    trials.extend(on_each(&LINES, "a dry run says what would be done, and does nothing", dry_run));
    trials.extend(on_each(&LINES[1..2], "a rewrite that runs already is awaited", awaits));
    trials.extend(on_each(
        &LINES[1..2],
        "a late rewrite is given up, and all is put back",
        is_late,
    ));
    trials.extend(on_each(&LINES[1..2], "two runs at one server do not meet", is_locked));
    trials.extend(on_each(&LINES[1..2], "several servers are taken one after another", several));
    trials.extend(on_each(&LINES[..2], "a log is found where --dir says, and known", finds));
    trials.extend(on_each(&LINES[1..2], "a quiet run says nothing", is_quiet));
    trials.extend(on_each(&LINES, "a log is held as it is after an accident", is_held));
    trials
}

fn dry_run(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(5);
    let before = (place.settings(), place.names(), place.left_with_the_log());
    let monitored = |place: &mut Place| {
        let stats = place.server.client.call(&["INFO", "commandstats"]).text().to_string();
        ["cmdstat_config|set:", "cmdstat_config|rewrite:", "cmdstat_bgrewriteaof:"]
            .map(|name| stats.contains(name))
    };
    let calls = monitored(&mut place);
    let run = Run::of(place.live().args(["--dry-run", "--json"]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    let report = &report["servers"][0]["report"];
    let settings = place.settings();
    let would_set: Vec<_> = report["would_set"]
        .as_array()
        .expect("settings")
        .iter()
        .map(|change| (change["name"].clone(), change["was"].clone(), change["set"].clone()))
        .collect();
    let expected = [("appendfsync", 0, "no"), ("auto-aof-rewrite-percentage", 1, "0")];
    let expected = expected
        .map(|(name, at, set)| (name.into(), settings[at].as_str().into(), set.into()))
        .to_vec();
    assert_eq!(would_set, expected);
    let run = Run::of(place.live().arg("--dry-run"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stdout.ends_with("DRY RUN: nothing was changed; it can be backed up\n"),
        "{run:#?}"
    );
    assert_eq!((place.settings(), place.names(), place.left_with_the_log()), before);
    assert_eq!(monitored(&mut place), calls, "no command that changes anything");

    // What keeps a backup from being made is told beforehand.
    place.server.client.call(&["CONFIG", "SET", "appendonly", "no"]);
    let run = Run::of(place.live().arg("--dry-run"));
    assert_eq!(run.code, Some(2), "{run:#?}");
}

fn holds_the_data(binary: &Binary, args: &[&str], steps: &[&str]) {
    let mut place = Place::new(binary);
    place.fill(50);
    let (digest, before) = (place.server.digest(), place.settings());
    let run = Run::of(place.live().args(args).arg("--json"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.settings(), before);

    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    let report = &report["servers"][0]["report"];
    let names: Vec<_> = report["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .map(|step| step["name"].clone())
        .collect();
    assert_eq!(names, steps);
    assert_eq!(report["server"]["line"], binary.line.to_string());
    assert_eq!(report["snapshot"]["held"], "links");
    for setting in report["settings"].as_array().expect("settings") {
        assert_eq!(setting["outcome"], "restored", "{setting}");
        assert_eq!(setting["now"], setting["was"], "{setting}");
    }
    assert_eq!(report["backup"]["read_back"], true);

    assert_eq!(place.names().len(), 1, "an archive and nothing else: {:?}", place.names());
    assert!(place.left_with_the_log().is_empty(), "{:?}", place.left_with_the_log());
    let (mut restored, _data) = place.restored(&place.archive());
    assert_eq!(restored.digest(), digest);
    // The log goes on, and the server that is backed up with it.
    place.server.client.call(&["SET", "later", "1"]);
    let (mut restored, _data) = place.restored(&place.archive());
    assert_eq!(restored.digest(), digest);
}

/// Lets every key of a rewrite take so many microseconds.
fn slow_down(place: &mut Place, micros: &str) {
    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", micros]);
}

fn awaits(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(50);
    slow_down(&mut place, "10000");
    place.server.client.call(&["BGREWRITEAOF"]);
    let run = Run::of(place.live().arg("--json"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(report["servers"][0]["report"]["rewrite"]["found_running"], true);
    let info = place.server.client.call(&["INFO", "persistence"]).text();
    assert!(info.contains("aof_rewrites:1\r\n"), "no second one: {info}");
}

fn is_late(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(50);
    let before = place.settings();
    slow_down(&mut place, "100000");
    let run = Run::of(place.live().args(["--timeout", "200ms"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("takes longer than --timeout allows"), "{run:#?}");
    assert!(run.stderr.contains(" 5/5 CONFIG SET"), "{run:#?}");
    assert_eq!((place.settings(), place.names()), (before, vec![]));
}

fn is_locked(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(50);
    slow_down(&mut place, "20000");
    let mut first = UnderWay::start(&mut place.live());
    assert!(first.reaches("3/5"), "{}", first.said);
    let elsewhere = directory();
    let mut second = aofkit();
    second.args(["backup", "--live", "--strategy", "link", "--to"]).arg(elsewhere.path());
    // Another backup directory, and the same server.
    let second = Run::of(second.arg("-s").arg(place.server.socket()));
    assert_eq!(second.code, Some(5), "{second:#?}");
    assert!(second.stderr.contains("another run of aofkit is at work"), "{second:#?}");
    let first = first.end();
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert_eq!(place.settings(), ["everysec", "100"]);
}

fn several(binary: &Binary) {
    let mut places = [Place::new(binary), Place::new(binary)];
    places.iter_mut().for_each(|place| place.fill(5));
    let [first, second] = &places;
    let mut both = first.live();
    let run = Run::of(both.arg("-s").arg(second.server.socket()));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(first.archives().len(), 2);
    let mut one = first.live();
    let run = Run::of(one.args(["-p", "1"]));
    assert_eq!(run.code, Some(3), "the server on the port is not there: {run:#?}");
    assert!(run.stderr.contains("127.0.0.1:1: connecting: no connection"), "{run:#?}");
    let mut none = first.backup(&["--live", "-p", "1", "-p", "2"]);
    assert_eq!(Run::of(&mut none).code, Some(2));
}

fn finds(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(5);
    let other = Place::new(binary);
    let nowhere = directory();
    let with_dir = |dir: &std::path::Path| Run::of(place.live().arg("--dir").arg(dir));
    let run = with_dir(nowhere.path());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(
        run.stderr.contains(&nowhere.path().join("appendonly").display().to_string()),
        "{run:#?}"
    );
    assert!(run.stderr.contains("--dir says where"), "{run:#?}");
    // The log of another server.
    let run = with_dir(other.data.path());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("this is not the log of the server"), "{run:#?}");
    // Another way to the right one.
    let link = nowhere.path().join("mapped");
    std::os::unix::fs::symlink(place.data.path(), &link).expect("a link");
    let run = with_dir(&link);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

fn is_quiet(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(5);
    let run = Run::of(place.live().arg("--quiet"));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    let port = place.archive().file_name().expect("a name").to_string_lossy().into_owned();
    // `aof_<YYYYMMDDhhmmss>-<port>.zip`, and a server on a socket alone has the usual port.
    assert_eq!((port.len(), &port[18..]), (27, "-6379.zip"), "{port}");
}

fn is_held(binary: &Binary) {
    let mut place = Place::new(binary);
    place.fill(20);
    place.server.client.call(&["FLUSHALL"]);
    let endpoint = Endpoint::new(Address::Unix(place.server.socket()));
    let options = HoldOptions {
        dir: None,
        to: Some(place.to.path().into()),
        poll: Duration::from_millis(20),
        timeout: Duration::from_secs(60),
    };
    let report = hold(&endpoint, &options, &Silent).expect("it is held");
    // It stays off: a person turns it on.
    assert_eq!(place.settings(), ["everysec", "0"]);
    assert_eq!(report.turn_on.as_deref(), Some("CONFIG SET auto-aof-rewrite-percentage 100"));
    assert_eq!((report.kept.len(), report.rewrite_was_running), (1, false));
    // What would have destroyed it.
    place.server.client.call(&["BGREWRITEAOF"]);
    wait_until("the rewrite", || {
        let info = place.server.client.call(&["INFO", "persistence"]).text();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
    let held = open(&report.kept[0].path).expect("a log");
    let bytes: Vec<u8> =
        held.parts.iter().flat_map(|part| part.mapping.bytes().iter().copied()).collect();
    let text = String::from_utf8_lossy(&bytes);
    let (key, flush) = (text.find("value 19"), text.to_ascii_lowercase().find("flushall"));
    assert!(key.is_some() && flush > key, "{key:?} {flush:?}");
}
