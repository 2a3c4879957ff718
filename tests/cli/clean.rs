//! `aofkit clean`: what aofkit has left is listed by age and removed on request, and nothing else.

use std::fs::File;
use std::time::{Duration, SystemTime};

use super::*;

const INCR: &str = "appendonly.aof.1.incr.aof";

/// A data directory with a leftover of each kind, some of them in the set.
fn put_data(place: &Place) {
    place.put_set("data/appendonlydir", &[(INCR, &sound())]);
    place.put_set("data/appendonlydir.bak-20200102030405", &[(INCR, &torn())]);
    place.put_set("data/appendonlydir.flushed", &[(INCR, &sound())]);
    place.put_set("data/.appendonlydir.Xy12Zw.tmp", &[(INCR, &sound())]);
    place.put(format!("data/appendonlydir/{INCR}.cut-20200102030405-2"), "*3\r\n$3");
    place.put("data/.dump.rdb.Ab34Cd.tmp", "REDIS");
    place.put("data/dump.rdb", "REDIS0009");
    place.put("data/dump.rdb.bak-20200203040506", "REDIS0008");
    place.put("data/.aofkit-live-0123456789abcdef.lock", "process 1\n");
    place.put("data/.aofkit-live-0123456789abcdef.journal", "{}");
    fs::create_dir(place.path("data/aofkit-hold-20200102030405")).unwrap();
    place.put("data/aofkit-hold-20200102030405/aofkit-hold.json", "{}");
    for name in [".appendonlydir.Xy12Zw.tmp", ".dump.rdb.Ab34Cd.tmp"] {
        make_old(&place.path("data").join(name));
    }
}

fn make_old(path: &Path) {
    let hour_ago = SystemTime::now() - Duration::from_secs(3600);
    File::open(path).unwrap().set_modified(hour_ago).unwrap();
}

/// Names that others give, and copies that may be all there is.
fn put_others(place: &Place) {
    for name in [
        "data/dump.rdb.bak",
        "data/dump.rdb.bak-1",
        "data/dump.rdb.old-20200102030405",
        "data/.swap.tmp",
        "data/.dump.rdb.swap.tmp",
        "data/temp-123.rdb",
        "data/aofkit-hold-yesterday",
        "data/gone.aof.bak-20200102030405",
    ] {
        place.put(name, "precious");
    }
    make_old(&place.path("data/.dump.rdb.swap.tmp"));
    fs::create_dir(place.path("data/aofkit-hold-20200102030406")).unwrap();
    place.put("data/aofkit-hold-20200102030406/notes", "not of aofkit");
    std::os::unix::fs::symlink("dump.rdb", place.path("data/dump.rdb.bak-20200101010101")).unwrap();
    // One in the directory of a person, which is no set.
    fs::create_dir(place.path("data/mine")).unwrap();
    place.put("data/mine/a.bak-20200102030405", "precious");
    place.put("data/mine/a", "precious");
}

/// Every path in `data`, relative to it.
fn paths(place: &Place) -> Vec<String> {
    let run = place.shell("cd data && find . -mindepth 1 | sort");
    run.stdout.lines().map(|line| line[2..].to_owned()).collect()
}

fn leftovers(run: &Run) -> Vec<(String, String)> {
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let all = report["leftovers"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or("remove").to_owned();
    let mut found: Vec<_> = all.map(|one| (text(&one["path"]), text(&one["keep"]))).collect();
    found.sort();
    found
}

#[test]
fn leftovers_are_listed_and_removed_only_with_yes() {
    let place = Place::new();
    put_data(&place);
    put_others(&place);
    let before = paths(&place);
    let listed = place.run(&["clean", "data", "--json"]);
    assert_eq!(listed.code, Some(0), "{listed:#?}");
    let expected = [
        (".aofkit-live-0123456789abcdef.journal", "journal"),
        (".aofkit-live-0123456789abcdef.lock", "lock"),
        (".appendonlydir.Xy12Zw.tmp", "remove"),
        (".dump.rdb.Ab34Cd.tmp", "remove"),
        ("aofkit-hold-20200102030405", "remove"),
        ("aofkit-hold-20200102030406", "not-proved"),
        ("appendonlydir.bak-20200102030405", "remove"),
        ("appendonlydir.flushed", "young"),
        ("appendonlydir/appendonly.aof.1.incr.aof.cut-20200102030405-2", "remove"),
        ("dump.rdb.bak-20200101010101", "special"),
        ("dump.rdb.bak-20200203040506", "remove"),
        ("gone.aof.bak-20200102030405", "only-copy"),
    ];
    let expected: Vec<(String, String)> =
        expected.iter().map(|(path, keep)| (format!("data/{path}"), (*keep).to_owned())).collect();
    assert_eq!(leftovers(&listed), expected);
    assert_eq!(paths(&place), before, "nothing was removed");

    let removed = place.run(&["clean", "data", "--yes", "--json"]);
    assert_eq!(removed.code, Some(0), "{removed:#?}");
    assert_eq!(leftovers(&removed), expected);
    let gone = |path: &str| {
        let of = |(it, keep): &&(String, String)| {
            let it = it.strip_prefix("data/").unwrap();
            keep == "remove" && (path == it || path.starts_with(&format!("{it}/")))
        };
        expected.iter().any(|one| of(&one))
    };
    let after: Vec<String> = before.into_iter().filter(|path| !gone(path)).collect();
    assert_eq!(paths(&place), after);
    // All of them, where the age does not matter.
    let run = place.run(&["clean", "data", "--yes", "--older-than", "0d"]);
    assert!(run.stdout.contains("REMOVED: 1 leftover"), "{run:#?}");
    assert!(!place.path("data/appendonlydir.flushed").exists());
    assert_eq!(place.run(&["verify", "data/appendonlydir"]).code, Some(0));
}

#[test]
fn what_is_in_use_stays() {
    let place = Place::new();
    put_data(&place);
    place.put("data/.aofkit-hold-0123456789abcdef.journal", "{}");
    let manifest =
        format!("file {INCR} seq 1 type i\nfile dump.rdb.bak-20200203040506 seq 1 type h\n");
    place.put("data/appendonly.aof.manifest", manifest);
    // A server goes on writing the log that it was started with, and a run holds the lock of its output.
    let run = place.shell(&format!(
        "exec 3>>data/appendonlydir.bak-20200102030405/{INCR}; exec 4<data/.appendonlydir.Xy12Zw.tmp; flock 4; \
         \"$0\" clean data --yes --older-than 0d --json; exit $?"
    ));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let kept = leftovers(&run);
    let kept = |name: &str| kept.iter().find(|(path, _)| path.ends_with(name)).unwrap().1.clone();
    assert_eq!(kept("appendonlydir.bak-20200102030405"), "in-use");
    assert_eq!(kept(".appendonlydir.Xy12Zw.tmp"), "at-work");
    assert_eq!(kept("aofkit-hold-20200102030405"), "in-effect");
    assert_eq!(kept("dump.rdb.bak-20200203040506"), "listed");
    assert_eq!(kept(".dump.rdb.Ab34Cd.tmp"), "remove");
    for name in [
        "appendonlydir.bak-20200102030405",
        ".appendonlydir.Xy12Zw.tmp",
        "dump.rdb.bak-20200203040506",
    ] {
        assert!(place.path("data").join(name).exists(), "{name}");
    }
}

#[test]
fn what_aofkit_itself_leaves_is_found() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put_set("data/appendonlydir", &[(INCR, &torn())]);
    assert_eq!(place.run(&["repair", "--in-place", "data/appendonlydir"]).code, Some(0));
    assert_eq!(place.run(&["compress", "data", "-o", "a.zip"]).code, Some(0));
    assert_eq!(place.run(&["restore", "a.zip", "-o", "data", "--force"]).code, Some(0));
    let run = place.run(&["clean", "data"]);
    assert!(run.stdout.contains("2 files, ") && run.stdout.contains("younger"), "{run:#?}");
    let run = place.run(&["clean", "data", "--older-than", "0d", "-y"]);
    assert!(run.code == Some(0) && run.stdout.contains("REMOVED"), "{run:#?}");
    let run = place.run(&["clean", "data"]);
    assert_eq!(run.stdout, "data: aofkit has left nothing here\n");
    assert_eq!(place.run(&["verify", "data"]).code, Some(0));
}

#[test]
fn what_cannot_be_removed_is_reported() {
    let place = Place::new();
    put_data(&place);
    let run = place.run(&["clean", "missing"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let fails = "strace -f -qq -o /dev/null -e inject=unlinkat,rmdir,unlink:error=EIO";
    let run = place.shell(&format!("exec {fails} \"$0\" clean data --yes --quiet"));
    if run.stderr.contains("not found") || run.stderr.contains("strace:") {
        return;
    }
    assert_eq!(run.code, Some(3), "{run:#?}");
    assert!(run.stderr.contains("Input/output error"), "{run:#?}");
    assert!(place.path("data/dump.rdb.bak-20200203040506").exists());
}
