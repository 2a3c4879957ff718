//! Files next to a log that may be what a person means, and a directory that cannot be read.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use super::candidates::{log, rdb};
use super::*;

const DIRECTORY: &str = "data/appendonlydir";
const BASE: &str = "appendonly.aof.2.base.rdb";
const INCR: &str = "appendonly.aof.2.incr.aof";

fn set() -> Place {
    let place = Place::new();
    place.put_set(DIRECTORY, &[(BASE, &rdb(&["a"])), (INCR, &log("SELECT 0\nSET b 1"))]);
    fs::create_dir(place.path("to")).unwrap();
    place
}

fn modified(place: &Place, name: &str, hours_ago: u64) {
    let file = fs::File::options().append(true).open(place.path(name)).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(hours_ago * 3600)).unwrap();
}

/// Checks that all three commands say it, `backup` also with `--quiet`.
#[track_caller]
fn is_said(place: &Place, what: &str) {
    for args in [
        &["verify", "data"][..],
        &["repair", "data", "--dry-run"],
        &["backup", "data", "--to", "to"],
        &["backup", "data", "--to", "to", "--quiet"],
    ] {
        let run = place.run(args);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let all = (run.stdout.clone() + &run.stderr).replace("\n         ", " ");
        assert!(all.contains(what), "{args:?}: {run:#?}");
        let is_quiet = args.contains(&"--quiet");
        assert_eq!(run.stderr.is_empty(), !is_quiet, "{run:#?}");
    }
}

#[track_caller]
fn is_not_said(place: &Place) {
    let run = place.run(&["backup", "data", "--to", "to", "--quiet"]);
    run.ends(0, "", "");
    let run = place.run(&["verify", "data"]);
    assert!(!run.stdout.contains("warning"), "{run:#?}");
}

#[test]
fn newer_and_larger_snapshot_is_reported() {
    let place = set();
    let keys: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    place.put("data/dump.rdb", rdb(&keys));
    for part in [BASE, INCR] {
        modified(&place, &format!("{DIRECTORY}/{part}"), 1000);
    }
    is_said(&place, "a snapshot that is newer and larger than the log: the log may be stale");

    modified(&place, "data/dump.rdb", 2000);
    is_not_said(&place);
    place.put("data/dump.rdb", rdb(&["a"]));
    is_not_said(&place);
}

/// An RDB that a server created at this time.
fn created(keys: &[&str], time: u32) -> Vec<u8> {
    let mut bytes = rdb(keys);
    let field = [b"\xfa\x05ctime\xc2".as_slice(), &time.to_le_bytes()].concat();
    bytes.splice(9..9, field);
    bytes
}

#[test]
fn newer_snapshot_is_recognised_after_a_copy_by_its_own_time() {
    let keys: Vec<String> = (0..100).map(|n| format!("key:{n}")).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    for (time, is_newer) in [(1_700_000_000, false), (1_800_000_000, true)] {
        let place = set();
        place.put(Path::new(DIRECTORY).join(BASE), created(&["a"], 1_750_000_000));
        place.put("data/dump.rdb", created(&keys, time));
        for name in
            [&format!("{DIRECTORY}/{BASE}"), &format!("{DIRECTORY}/{INCR}"), "data/dump.rdb"]
        {
            modified(&place, name, 5);
        }
        match is_newer {
            true => is_said(&place, "newer and larger than the log"),
            false => is_not_said(&place),
        }
    }
}

#[test]
fn old_single_file_next_to_a_set_is_reported_with_the_servers_that_load_it() {
    let place = set();
    place.put("data/appendonly.aof", log("SET old 1"));
    is_said(&place, "Redis 6.2 and earlier load this file");
}

#[test]
fn second_set_is_reported() {
    let place = set();
    place.put(format!("{DIRECTORY}/appendonly.aof.5.base.rdb"), rdb(&["x", "y"]));
    is_not_said(&place);
    place.put(format!("{DIRECTORY}/appendonly.aof.5.incr.aof"), log("SELECT 0\nSET z 1"));
    is_said(&place, "the base file of another set");
}

#[test]
fn directory_that_cannot_be_read_is_an_error_and_no_other_file_is_taken() {
    let place = set();
    place.put("data/dump.rdb", rdb(&["a"]));
    place.put("data/other.aof", log("SET x 1"));
    let is_root = fs::metadata(place.path("data")).unwrap().uid() == 0;
    fs::set_permissions(place.0.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let secret = if is_root { 0o700 } else { 0o000 };
    fs::set_permissions(place.path(DIRECTORY), fs::Permissions::from_mode(secret)).unwrap();
    // A user who may not read it.
    let user = if is_root { "setpriv --reuid 65534 --regid 65534 --clear-groups" } else { "" };
    if is_root && place.shell(&format!("{user} \"$0\" --version")).code != Some(0) {
        eprintln!("skipped: the program cannot be run as another user");
        return;
    }
    fs::set_permissions(place.path("to"), fs::Permissions::from_mode(0o777)).unwrap();
    for command in [
        "verify data",
        "repair data --dry-run",
        "backup data --to to",
        "recover data",
        "digest data",
    ] {
        let run = place.shell(&format!("{user} \"$0\" {command}"));
        assert_eq!(run.code, Some(2), "{command}: {run:#?}");
        assert!(run.stderr.contains(DIRECTORY), "{command}: {run:#?}");
        assert!(run.stderr.contains("ermission denied"), "{command}: {run:#?}");
    }
    assert_eq!(fs::read_dir(place.path("to")).unwrap().count(), 0);
    fs::set_permissions(place.path(DIRECTORY), fs::Permissions::from_mode(0o700)).unwrap();
}
