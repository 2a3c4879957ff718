//! Contents of live backups, and the state of the server after them.

use std::time::Duration;

use aofkit::base::progress::Silent;
use aofkit::base::server::redis;
use aofkit::input::files::open_files;
use aofkit::live::endpoint::{Address, Endpoint};
use aofkit::ops::recover::hold::{HoldOptions, hold};
use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use crate::support::json_docs::Docs;
use crate::support::{Binary, FAMILIES, Run, Setup, UnderWay, aofkit, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = on_each(&FAMILIES, "backup_with_rewrite_contains_the_data", |binary| {
        contains_the_data(binary, &[], &["settings", "rewrite", "wait", "backup", "restore"]);
    });
    trials.extend(on_each(&FAMILIES, "backup_with_links_contains_the_data", |binary| {
        let steps = ["settings", "wait", "link", "release", "backup"];
        contains_the_data(binary, &["--strategy", "link", "--move"], &steps);
    }));
    trials.extend(on_each(&FAMILIES, "compacted_backup_contains_the_data", |binary| {
        let steps = ["settings", "wait", "link", "release", "backup"];
        contains_the_data(binary, &["--strategy", "link", "--compact"], &steps);
    }));
    trials.extend(on_each(&FAMILIES, "dry_run_reports_the_steps_and_changes_nothing", dry_run));
    let lines = &[redis(7, 0)];
    trials.extend(on_each(lines, "backup_waits_for_a_running_rewrite", waits_for_rewrite));
    trials.extend(on_each(lines, "timeout_of_a_rewrite_restores_the_settings", times_out));
    trials.extend(on_each(lines, "second_run_on_a_server_is_locked_out", is_locked));
    trials.extend(on_each(lines, "several_servers_are_backed_up_in_sequence", several));
    let name = "log_is_read_from_dir_option_and_identified";
    trials.extend(on_each(&[redis(6, 2), redis(7, 0)], name, dir_option));
    trials.extend(on_each(lines, "quiet_run_prints_nothing", is_quiet));
    trials.extend(on_each(&FAMILIES, "hold_saves_the_log_after_a_flushall", hold_saves_the_log));
    trials
}

fn dry_run(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    let before = (setup.settings(), setup.names(), setup.leftovers_in_data_dir());
    let calls_of_changing_commands = |setup: &mut Setup| {
        let stats = setup.server.client.call(&["INFO", "commandstats"]).text().to_string();
        ["cmdstat_config|set:", "cmdstat_config|rewrite:", "cmdstat_bgrewriteaof:"]
            .map(|name| stats.contains(name))
    };
    let calls = calls_of_changing_commands(&mut setup);
    let run = Run::of(setup.live().args(["--dry-run", "--json"]));
    assert_eq!(Docs::read().check(&run.stdout), "backup-live-dry-run");
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    let report = &report["servers"][0]["report"];
    let settings = setup.settings();
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
    let run = Run::of(setup.live().arg("--dry-run"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(
        run.stdout.ends_with("DRY RUN: nothing was changed; it can be backed up\n"),
        "{run:#?}"
    );
    assert_eq!((setup.settings(), setup.names(), setup.leftovers_in_data_dir()), before);
    assert_eq!(calls_of_changing_commands(&mut setup), calls);

    // A dry run also reports what prevents a backup.
    setup.server.client.call(&["CONFIG", "SET", "appendonly", "no"]);
    let run = Run::of(setup.live().arg("--dry-run"));
    assert_eq!(run.code, Some(2), "{run:#?}");
}

fn contains_the_data(binary: &Binary, args: &[&str], steps: &[&str]) {
    let mut setup = Setup::new(binary);
    setup.fill(50);
    let (digest, before) = (setup.server.digest(), setup.settings());
    let run = Run::of(setup.live().args(args).arg("--json"));
    assert_eq!(Docs::read().check(&run.stdout), "backup-live");
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(setup.settings(), before);

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

    assert_eq!(setup.names().len(), 1, "only an archive: {:?}", setup.names());
    assert!(setup.leftovers_in_data_dir().is_empty(), "{:?}", setup.leftovers_in_data_dir());
    let (mut restored, _data) = setup.restored(&setup.archive());
    assert_eq!(restored.digest(), digest);
    // Later writes of the server do not affect the archive.
    setup.server.client.call(&["SET", "later", "1"]);
    let (mut restored, _data) = setup.restored(&setup.archive());
    assert_eq!(restored.digest(), digest);
}

/// Makes the server spend the given number of microseconds on every key of a rewrite.
fn slow_down(setup: &mut Setup, micros: &str) {
    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", micros]);
}

fn waits_for_rewrite(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(50);
    slow_down(&mut setup, "10000");
    setup.server.client.call(&["BGREWRITEAOF"]);
    let run = Run::of(setup.live().arg("--json"));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let report: Value = serde_json::from_str(&run.stdout).expect("one document");
    assert_eq!(report["servers"][0]["report"]["rewrite"]["found_running"], true);
    let info = setup.server.client.call(&["INFO", "persistence"]).text();
    assert!(info.contains("aof_rewrites:1\r\n"), "no second rewrite: {info}");
}

fn times_out(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(50);
    let before = setup.settings();
    slow_down(&mut setup, "100000");
    let run = Run::of(setup.live().args(["--timeout", "200ms"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("takes longer than --timeout allows"), "{run:#?}");
    assert!(run.stderr.contains(" 5/5 CONFIG SET"), "{run:#?}");
    assert_eq!((setup.settings(), setup.names()), (before, vec![]));
}

fn is_locked(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(50);
    slow_down(&mut setup, "20000");
    let mut first = UnderWay::start(&mut setup.live());
    assert!(first.reaches("3/5"), "{}", first.messages);
    let elsewhere = temp_dir();
    let mut second = aofkit();
    second.args(["backup", "--live", "--strategy", "link", "--to"]).arg(elsewhere.path());
    // Another backup directory, and the same server.
    let second = Run::of(second.arg("-s").arg(setup.server.socket()));
    assert_eq!(second.code, Some(5), "{second:#?}");
    assert!(second.stderr.contains("another run of aofkit is at work"), "{second:#?}");
    let first = first.end();
    assert_eq!(first.code, Some(0), "{first:#?}");
    assert_eq!(setup.settings(), ["everysec", "100"]);
}

fn several(binary: &Binary) {
    let mut setups = [Setup::new(binary), Setup::new(binary)];
    setups.iter_mut().for_each(|setup| setup.fill(5));
    let [first, second] = &setups;
    let mut both = first.live();
    let run = Run::of(both.arg("-s").arg(second.server.socket()));
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(first.archives().len(), 2);
    let mut one = first.live();
    let run = Run::of(one.args(["-p", "1"]));
    assert_eq!(run.code, Some(3), "no server listens on the port: {run:#?}");
    assert!(run.stderr.contains("127.0.0.1:1: connecting: no connection"), "{run:#?}");
    let mut none = first.backup(&["--live", "-p", "1", "-p", "2"]);
    assert_eq!(Run::of(&mut none).code, Some(2));
}

fn dir_option(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    let other = Setup::new(binary);
    let nowhere = temp_dir();
    let with_dir = |dir: &std::path::Path| Run::of(setup.live().arg("--dir").arg(dir));
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
    // The right log, through a symbolic link.
    let link = nowhere.path().join("mapped");
    std::os::unix::fs::symlink(setup.data.path(), &link).expect("a link");
    let run = with_dir(&link);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

fn is_quiet(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    let run = Run::of(setup.live().arg("--quiet"));
    assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (Some(0), "", ""));
    let port = setup.archive().file_name().expect("a name").to_string_lossy().into_owned();
    // `aof_<YYYYMMDDhhmmss>-<port>.zip`; without a TCP port, the name contains the default port.
    assert_eq!((port.len(), &port[18..]), (27, "-6379.zip"), "{port}");
}

fn hold_saves_the_log(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(20);
    setup.server.client.call(&["FLUSHALL"]);
    let endpoint = Endpoint::new(Address::Unix(setup.server.socket()));
    let options = HoldOptions {
        dir: None,
        to: Some(setup.to.path().into()),
        poll: Duration::from_millis(20),
        timeout: Duration::from_secs(60),
        ..HoldOptions::default()
    };
    let report = hold(&endpoint, &options, &Silent).expect("the log can be saved");
    // Automatic rewrites stay off until the user turns them on.
    assert_eq!(setup.settings(), ["everysec", "0"]);
    assert_eq!(report.turn_on.as_deref(), Some("CONFIG SET auto-aof-rewrite-percentage 100"));
    assert_eq!((report.kept.len(), report.rewrite_was_running), (1, false));
    // The rewrite destroys the server's own copy of the data.
    setup.server.rewrite();
    let saved = open_files(&report.kept[0].path).expect("a log");
    let bytes: Vec<u8> =
        saved.parts.iter().flat_map(|part| part.mapping.bytes().iter().copied()).collect();
    let text = String::from_utf8_lossy(&bytes);
    let (key, flush) = (text.find("value 19"), text.to_ascii_lowercase().find("flushall"));
    assert!(key.is_some() && flush > key, "{key:?} {flush:?}");
}
