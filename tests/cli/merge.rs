//! `aofkit merge`.

use serde_json::Value;

use super::*;

/// A log of SETs, one a pair of key and value.
fn sets(pairs: &[(&str, &str)]) -> Vec<u8> {
    pairs.iter().flat_map(|(key, value)| command(&["SET", key, value])).collect()
}

fn library(name: &str, body: &str) -> Vec<u8> {
    command(&["FUNCTION", "LOAD", &format!("#!lua name={name}\n{body}")])
}

const FUNCTION: &str = "redis.register_function('f', function() return 1 end)";
const OTHER: &str = "redis.register_function('f', function() return 2 end)";

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

fn place() -> Place {
    let place = Place::new();
    let select = command(&["SELECT", "2"]);
    let old = [
        sets(&[("a", "1"), ("same", "1"), ("both", "old")]),
        select.clone(),
        sets(&[("in:2", "old")]),
        library("both", FUNCTION),
        library("old", FUNCTION),
    ];
    let new = [
        sets(&[("b", "2"), ("same", "1"), ("both", "new")]),
        command(&["PEXPIREAT", "b", "4102444800000"]),
        library("both", OTHER),
    ];
    place.put("old.aof", old.concat());
    place.put("new.aof", new.concat());
    place
}

#[track_caller]
fn value(place: &Place, path: &str, key: &str) -> String {
    let run = place.run(&["log", path, "--pattern", key]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    run.stdout
}

#[test]
fn keys_and_libraries_of_both_are_merged_and_different_ones_are_named() {
    for (prefer, winner, taken) in [("new", "newer", "new"), ("old", "older", "old")] {
        let place = place();
        let args = ["merge", "old.aof", "new.aof", "--prefer", prefer, "-o", "out.aof"];
        let run = place.run(&args);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let expected = format!(
            "old.aof and new.aof\n  old only    2 keys\n  new only    1 key\n  both        1 key equal\n              \
             1 key different; the {taken} one was taken\n  libraries   1 only in the old one, 0 only in the new one, 0 equal\n"
        );
        assert!(run.stdout.starts_with(&expected), "{run:#?}");
        let named = format!("that of the {taken} one was taken: \"both\"");
        let unwrapped = run.stdout.replace("\n    ", " ");
        assert!(unwrapped.contains(&named), "{run:#?}");
        assert!(run.stdout.ends_with("MERGED: written to out.aof, read back and identical\n"));
        assert!(value(&place, "out.aof", "both").contains(taken));
        let text = String::from_utf8(place.read("out.aof")).unwrap();
        assert_eq!(text.matches("#!lua name=").count(), 2, "{text}");
        let code = if taken == "new" { "return 2" } else { "return 1" };
        assert!(text.split("name=both").nth(1).unwrap().contains(code), "{text}");
        fs::remove_file(place.path("out.aof")).unwrap();
        let json = document(&place.run(&[&args[..], &["--json"]].concat()));
        assert_eq!(json["winner"], winner);
        let keys = serde_json::json!({"from_old": 2, "from_new": 1, "equal": 1, "different": 1});
        assert_eq!(json["keys"], keys);
        assert_eq!(json["functions"]["different"], serde_json::json!(["\"both\""]));
        assert_eq!(json["result"]["keys_with_expiry"], 1);
    }
}

#[test]
fn filters_apply_to_what_is_merged_and_counted() {
    let place = place();
    let merge = |filter: &[&str]| {
        let args = [&["merge", "old.aof", "new.aof", "-n", "--json"], filter].concat();
        let json = document(&place.run(&args));
        let keys =
            ["from_old", "from_new", "equal", "different"].map(|name| json["keys"][name].clone());
        keys.map(|count| count.as_u64().unwrap())
    };
    assert_eq!(merge(&[]), [2, 1, 1, 1]);
    assert_eq!(merge(&["--db", "2"]), [1, 0, 0, 0]);
    assert_eq!(merge(&["--pattern", "?"]), [1, 1, 0, 0]);
    assert_eq!(merge(&["--exclude", "b*"]), [2, 0, 1, 0]);
}

#[test]
fn two_rdbs_become_an_rdb_and_an_archive_with_a_set_a_set() {
    let place = place();
    for (name, log) in [("old", "old.aof"), ("new", "new.aof")] {
        let rdb = format!("{name}.rdb");
        let run = place.run(&["compact", log, "--format", "rdb", "-o", &rdb]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let run = place.run(&["merge", "old.rdb", "new.rdb", "-o", "both.rdb"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(place.read("both.rdb").starts_with(b"REDIS"));
    let digest = |path: &str| document(&place.run(&["digest", path, "--json"]))["digest"].clone();
    let run = place.run(&["merge", "old.aof", "new.aof", "-o", "both.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(digest("both.rdb"), digest("both.aof"));
    let run = place.run(&["compress", "old.aof", "-o", "old.zip"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    place.put_set("set", &[("appendonly.aof.1.incr.aof", &place.read("new.aof"))]);
    let run = place.run(&["merge", "old.zip", "set", "-o", "merged"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(place.path("merged/appendonly.aof.manifest").exists());
    assert_eq!(digest("merged"), digest("both.aof"));
}

#[test]
fn damaged_input_leaves_no_output() {
    let place = place();
    place.put("bad.aof", [&sets(&[("a", "1")])[..], b"noise", &sets(&[("b", "1")])].concat());
    for [old, new] in [["bad.aof", "new.aof"], ["old.aof", "bad.aof"], ["old.aof", "gone"]] {
        let names = place.names();
        let run = place.run(&["merge", old, new, "-o", "out.aof"]);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert_eq!(place.names(), names);
    }
    let run = place.run(&["merge", "old.aof", "new.aof"]);
    assert!(run.stderr.contains("no destination given for the merged data set"), "{run:#?}");
    for input in ["old.aof", "new.aof"] {
        let run = place.run(&["merge", "old.aof", "new.aof", "--force", "-o", input]);
        assert!(run.stderr.contains("this is the input"), "{run:#?}");
    }
}
