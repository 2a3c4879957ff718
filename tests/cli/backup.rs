//! Backups: what is written, what is refused, and that an archive has its name only when it is whole.

use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::under_way::{start, wait_until};

/// The archives in a directory, by name; nothing else may be visible there.
pub(crate) fn archives(place: &Place, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(directory)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    assert!(names.iter().all(|name| name.ends_with(".zip")), "{names:?}");
    names
}

/// What is left of unfinished work in a directory.
fn unfinished(place: &Place, directory: &str) -> Vec<String> {
    let entries = fs::read_dir(place.path(directory)).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".tmp")).collect()
}

pub(crate) fn json(place: &Place, args: &[&str]) -> (Option<i32>, Value) {
    let run = place.run(&[args, &["--json"]].concat());
    let json =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"));
    (run.code, json)
}

/// A place with a sound log, `a.aof`, and a directory for archives, `to`.
pub(crate) fn with_log() -> Place {
    let place = Place::new();
    place.put("a.aof", sound());
    fs::create_dir(place.path("to")).unwrap();
    place
}

/// A backup of `a.aof`, as of a time.
pub(crate) fn back_up(place: &Place, created: &str, more: &[&str]) -> Run {
    let run = place.run(&[&["backup", "a.aof", "--to", "to", "--created", created], more].concat());
    assert_eq!(run.code, Some(0), "{run:#?}");
    run
}

#[test]
fn an_archive_is_named_by_time_and_port_and_gives_the_log_back() {
    let place = with_log();
    let run = back_up(&place, "2026-01-02 03:04:05", &["--port", "6380"]);
    assert!(
        run.stdout.ends_with(
            "BACKED UP: the log is in to/aof_20260102030405-6380.zip, read back and identical\n"
        ),
        "{run:#?}"
    );
    assert_eq!(archives(&place, "to"), ["aof_20260102030405-6380.zip"]);
    assert!(unfinished(&place, "to").is_empty());
    let read = "import zipfile,sys; \
        sys.stdout.buffer.write(zipfile.ZipFile('to/aof_20260102030405-6380.zip').read('appendonly.aof'))";
    if let Some(python) = super::archive::tool(&place, &["python3", "-c", read]) {
        assert_eq!(python.stdout, sound());
    }
}

#[test]
fn the_report_has_the_steps_in_their_order_and_the_sizes() {
    let place = with_log();
    let args = ["backup", "a.aof", "--to", "to", "--keep-last", "3", "--compact"];
    let (code, report) = json(&place, &args);
    assert_eq!(code, Some(0), "{report:#}");
    let steps: Vec<&str> = report["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["name"].as_str().unwrap())
        .collect();
    let expected =
        ["verify", "free space", "compact", "compress", "read back", "publish", "retention"];
    assert_eq!(steps, expected);
    assert!(report["steps"].as_array().unwrap().windows(2).all(|two| {
        let time = |step: &Value, which: &str| {
            step[which].as_str().unwrap().parse::<jiff::Timestamp>().unwrap()
        };
        time(&two[0], "started") <= time(&two[0], "ended")
            && time(&two[0], "ended") <= time(&two[1], "started")
    }));
    // SELECT 0 and three keys, as compact writes them.
    assert_eq!((&report["log_bytes"], &report["bytes"]), (&81.into(), &104.into()), "{report:#}");
    assert_eq!((&report["commands"], &report["read_back"]), (&4.into(), &true.into()));
    let path = report["source"]["path"].as_str().unwrap();
    assert_eq!(path, fs::canonicalize(place.path("a.aof")).unwrap().to_str().unwrap());
}

#[test]
fn quiet_says_nothing_of_a_good_backup_and_tells_of_a_damaged_log() {
    let place = with_log();
    place.run(&["backup", "-q", "a.aof", "--to", "to"]).ends(0, "", "");
    place.put("bad.aof", [sound(), b"garbage\r\n".to_vec(), sound()].concat());
    let run = place.run(&["backup", "-q", "bad.aof", "--to", "to", "--keep-last", "1"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(1), ""), "{run:#?}");
    assert!(run.stderr.contains("byte 81") && run.stderr.contains("--damaged"), "{run:#?}");
    assert_eq!(archives(&place, "to").len(), 1, "the damaged log was left alone");
    let run = place.run(&["backup", "-q", "bad.aof", "--to", "to", "--damaged"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert_eq!(archives(&place, "to").len(), 2);
}

#[test]
fn a_torn_end_is_damage_unless_somebody_is_writing() {
    let place = with_log();
    place.put("torn.aof", torn());
    let args = ["backup", "torn.aof", "--to", "to"];
    assert_eq!(place.run(&args).code, Some(1));
    let writer = fs::OpenOptions::new().append(true).open(place.path("torn.aof")).unwrap();
    let run = place.run(&args);
    drop(writer);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("torn.aof is backed up to byte 81; the 10 bytes after it"), "{run:#?}");
    assert_eq!(place.run(&["list", "--verify", "to"]).code, Some(0));
    // Nothing after that byte counts if it is compacted, either.
    let writer = fs::OpenOptions::new().append(true).open(place.path("torn.aof")).unwrap();
    let (code, report) = json(&place, &[&args[..], &["--compact"]].concat());
    drop(writer);
    assert_eq!((code, &report["commands"]), (Some(0), &4.into()), "{report:#}");
}

#[test]
fn nothing_is_no_backup() {
    let place = with_log();
    place.put("empty.aof", "");
    let run = place.run(&["backup", "empty.aof", "--to", "to"]);
    assert!(run.code == Some(2) && run.stderr.contains("holds nothing"), "{run:#?}");
    place.put_set(
        "set",
        &[("appendonly.aof.1.base.aof", &sound()), ("appendonly.aof.1.incr.aof", b"")],
    );
    let part = place.run(&["backup", "set/appendonly.aof.1.base.aof", "--to", "to"]);
    assert!(part.code == Some(2) && part.stderr.contains("one part"), "{part:#?}");
    assert!(archives(&place, "to").is_empty());
}

#[test]
fn two_of_the_same_second_both_stay() {
    let place = with_log();
    for _ in 0..3 {
        back_up(&place, "2026-01-02 03:04:05", &[]);
    }
    let expected = [
        "aof_20260102030405-6379-2.zip",
        "aof_20260102030405-6379-3.zip",
        "aof_20260102030405-6379.zip",
    ];
    assert_eq!(archives(&place, "to"), expected);
}

#[test]
fn a_set_is_the_same_source_however_it_is_pointed_at() {
    let place = with_log();
    place.put_set(
        "data/appendonlydir",
        &[("appendonly.aof.1.base.aof", &sound()), ("appendonly.aof.1.incr.aof", &sound())],
    );
    for path in ["data", "data/appendonlydir", "data/../data/appendonlydir/appendonly.aof.manifest"]
    {
        assert_eq!(place.run(&["backup", path, "--to", "to"]).code, Some(0));
    }
    let (_, list) = json(&place, &["list", "to"]);
    let archives = list["archives"].as_array().unwrap();
    assert_eq!(archives.len(), 3);
    assert!(archives.iter().all(|one| one["made"]["identity"] == archives[0]["made"]["identity"]));
    assert!(archives.iter().all(|one| one["made"]["commands"] == 6));
}

#[test]
fn one_backup_of_a_source_runs_at_a_time() {
    let place = with_log();
    back_up(&place, "2026-01-01 00:00:00", &[]);
    let entries = fs::read_dir(place.path("to")).unwrap();
    let lock =
        entries.map(|e| e.unwrap().path()).find(|path| path.extension() == Some("lock".as_ref()));
    let held = fs::File::open(lock.unwrap()).unwrap();
    held.lock().unwrap();
    for args in [&["backup", "a.aof", "--to", "to"][..], &["prune", "to", "--keep-last", "1"]] {
        let run = place.run(args);
        assert!(run.code == Some(5) && run.stderr.contains("lock"), "{run:#?}");
    }
    // Of another source it is no concern.
    place.put("b.aof", sound());
    assert_eq!(place.run(&["backup", "b.aof", "--to", "to"]).code, Some(0));
    drop(held);
    back_up(&place, "2026-01-02 00:00:00", &[]);
}

#[test]
fn where_nothing_can_be_written_nothing_is() {
    let place = with_log();
    let run = place.run(&["backup", "a.aof", "--to", "missing"]);
    assert!(run.code == Some(2) && run.stderr.contains("mount"), "{run:#?}");
    assert_eq!(place.run(&["backup", "a.aof", "--to", "a.aof"]).code, Some(2));
    // Not even root can make a file there.
    assert_eq!(place.run(&["backup", "a.aof", "--to", "/proc/self"]).code, Some(2));
    assert_eq!(
        place.run(&["backup", "a.aof", "--to", "to", "--name-template", "../x"]).code,
        Some(2)
    );
    assert_eq!(place.run(&["backup", "--to", "to"]).code, Some(2));
    assert_eq!(place.run(&["backup", "a.aof", "--to", "to", "--dry-run"]).code, Some(0));
    assert!(archives(&place, "to").is_empty());
    assert_eq!(place.names(), ["a.aof", "to"]);
}

#[test]
fn a_full_disk_costs_no_archive() {
    let place = with_log();
    back_up(&place, "2026-01-01 00:00:00", &[]);
    let noise = place.shell("head -c 300000 /dev/urandom | base64 -w 0 > noise");
    assert_eq!(noise.code, Some(0));
    let noise = String::from_utf8(place.read("noise")).unwrap();
    place.put("a.aof", [sound(), command(&["SET", "noise", &noise])].concat());
    // The limit on the size of files has the effect of a disk that is full.
    let backup = "\"$0\" backup a.aof --to to --keep-last 1";
    for more in ["", " --compact"] {
        let run = place.shell(&format!("ulimit -f 64; trap '' XFSZ; {backup}{more}"));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert_eq!(archives(&place, "to"), ["aof_20260101000000-6379.zip"], "{run:#?}");
        assert!(unfinished(&place, "to").is_empty());
    }
    assert_eq!(place.run(&["list", "--verify", "to"]).code, Some(0));
}

/// A log of a megabyte, so that a backup takes a while.
pub(crate) fn large_log() -> Vec<u8> {
    let mut log = Vec::new();
    for n in 0_u64..20_000 {
        let value = n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string();
        log.extend(command(&["SET", &format!("key:{n}"), &value]));
    }
    log
}

/// How often a run is killed; by hand, hundreds of times: AOFKIT_KILLS=300.
pub(crate) fn kills() -> u64 {
    std::env::var("AOFKIT_KILLS").map_or(5, |n| n.parse().unwrap())
}

/// Kills runs at instants that are spread over `span`; gives how many of them were killed before they ended.
pub(crate) fn kill_at_random(
    place: &Place,
    args: &[&str],
    span: Duration,
    mut check: impl FnMut(u64),
) -> u64 {
    let mut killed = 0;
    for round in 0..kills() {
        let mut child = start(place, args);
        // Spread evenly, and not the same from round to round.
        let at = round.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        std::thread::sleep(
            span.mul_f64(f64::from(u32::try_from(at).unwrap()) / f64::from(1 << 24)),
        );
        child.kill().unwrap();
        killed += u64::from(child.wait().unwrap().code().is_none());
        check(round);
    }
    killed
}

/// How long a run takes, where nobody kills it.
pub(crate) fn span_of(place: &Place, args: &[&str]) -> Duration {
    let began = std::time::Instant::now();
    let run = place.run(args);
    assert_eq!(run.code, Some(0), "{run:#?}");
    began.elapsed()
}

#[test]
fn a_backup_that_is_killed_leaves_only_whole_archives_and_takes_none_away() {
    let place = with_log();
    place.put("a.aof", large_log());
    let args = ["backup", "a.aof", "--to", "to", "--keep-last", "2"];
    let span = span_of(&place, &args);
    let mut newest = archives(&place, "to").pop().unwrap();
    let killed = kill_at_random(&place, &args, span, |round| {
        let (code, list) = json(&place, &["list", "--verify", "to"]);
        assert_eq!(code, Some(0), "round {round}: {list:#}");
        let there = archives(&place, "to");
        assert!((1..=3).contains(&there.len()), "round {round}: {there:?}");
        let last = list["archives"].as_array().unwrap().last().unwrap()["path"].as_str().unwrap();
        let last = last.strip_prefix("to/").unwrap().to_owned();
        assert!(there.contains(&newest) || last > newest, "round {round}: {newest} of {there:?}");
        newest = last;
        assert!(unfinished(&place, "to").len() <= 1, "a run clears away what the one before left");
    });
    assert!(killed > 0);
    let run = place.run(&args);
    assert_eq!((run.code, unfinished(&place, "to").len()), (Some(0), 0), "{run:#?}");
}

#[test]
fn a_backup_that_is_interrupted_cleans_up() {
    let place = with_log();
    place.put("a.aof", large_log());
    let child = start(&place, &["backup", "a.aof", "--to", "to"]);
    wait_until("the unfinished archive", || !unfinished(&place, "to").is_empty());
    let kill = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    let run = Run::of(&child.wait_with_output().unwrap());
    assert_eq!((run.code, run.stdout.as_str()), (Some(130), ""), "{run:#?}");
    assert!(archives(&place, "to").is_empty() && unfinished(&place, "to").is_empty());
}

#[test]
fn a_planted_lock_is_refused_and_empties_nothing() {
    let place = Place::new();
    place.put("a.aof", sound());
    place.put("victim", "precious");
    fs::create_dir(place.path("to")).unwrap();
    assert_eq!(place.run(&["backup", "a.aof", "--to", "to"]).code, Some(0));
    let entries = fs::read_dir(place.path("to")).unwrap().map(|entry| entry.unwrap().path());
    let lock = entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "lock"));
    let lock = lock.expect("a lock");
    let lock = lock.to_str().unwrap();
    for (plant, what) in [
        ("ln -s \"$PWD/victim\"", "a symbolic link"),
        ("ln -s \"$PWD/nothing\"", "a symbolic link"),
        ("mkfifo", "not a regular file"),
        ("mkdir", "not a regular file"),
    ] {
        let planted = place.shell(&format!("rm -rf '{lock}'; {plant} '{lock}'"));
        assert_eq!(planted.code, Some(0), "{planted:#?}");
        for args in
            ["backup a.aof --to to --created '2026-01-02 00:00:00'", "prune to --keep-last 1"]
        {
            let run = place.shell(&format!("timeout 20 \"$0\" {args}"));
            assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{plant} {args}: {run:#?}");
            assert!(
                run.stderr.contains(".lock: this is ") && run.stderr.contains(what),
                "{run:#?}"
            );
            assert!(run.stderr.contains("\nhelp: "), "{run:#?}");
        }
        assert_eq!(place.read("victim"), b"precious", "{plant}");
        assert!(!place.path("nothing").exists());
    }
}

#[test]
fn a_directory_that_everybody_may_write_to_is_reported() {
    let place = with_log();
    let warning = "every user may write to the backup directory";
    for (mode, reported) in [("755", false), ("775", false), ("1777", true), ("757", true)] {
        assert_eq!(place.shell(&format!("chmod {mode} to")).code, Some(0));
        let run = back_up(&place, "2026-01-01 03:00:00", &[]);
        assert_eq!(run.stdout.contains(warning), reported, "{mode}: {run:#?}");
        let (_, report) = json(&place, &["backup", "-n", "a.aof", "--to", "to"]);
        assert_eq!(report["others_may_write"], reported, "{mode}");
    }
}
