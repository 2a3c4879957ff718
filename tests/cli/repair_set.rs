//! Sets that no server loads as they are: what is reported, the manifest that is proposed, and the result.

use serde_json::Value;

use super::candidates::{log, rdb};
use super::*;

const BASE: &str = "appendonly.aof.2.base.rdb";
const INCR: &str = "appendonly.aof.2.incr.aof";
const MANIFEST: &str = "appendonly.aof.manifest";
const DIRECTORY: &str = "data/appendonlydir";

/// A set of two parts with 3 keys in the data directory `data`.
fn whole_set() -> Place {
    let place = Place::new();
    place.put_set(DIRECTORY, &[(BASE, &rdb(&["a", "b"])), (INCR, &log("SELECT 0\nSET c 1"))]);
    place
}

fn remove(place: &Place, name: &str) {
    fs::remove_file(place.path(DIRECTORY).join(name)).unwrap();
}

fn manifest(place: &Place) -> String {
    String::from_utf8(place.read(Path::new(DIRECTORY).join(MANIFEST))).unwrap()
}

fn put_manifest(place: &Place, bytes: impl AsRef<[u8]>) {
    place.put(Path::new(DIRECTORY).join(MANIFEST), bytes);
}

#[track_caller]
fn json(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// The number of keys that a replay of `path` ends with.
#[track_caller]
fn keys(place: &Place, path: &str) -> u64 {
    let run = place.run(&["digest", path, "--json"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    json(&run)["keys"].as_u64().unwrap()
}

/// Repairs `data` to a new directory and in place. Both results list `files`, and have this number of keys.
#[track_caller]
fn repaired(place: &Place, options: &[&str], files: &[&str], count: u64) -> Value {
    let dry = place.run(&[&["repair", "data", "--dry-run", "--json"], options].concat());
    assert_eq!(dry.code, Some(1), "{dry:#?}");
    let new = place.run(&[&["repair", "data", "--output", "new"], options].concat());
    assert_eq!(new.code, Some(0), "{new:#?}");
    let in_place = place.run(&[&["repair", "data", "--in-place"], options].concat());
    assert_eq!(in_place.code, Some(0), "{in_place:#?}");
    for path in ["new", "data"] {
        let verified = place.run(&["verify", path, "--json"]);
        let report = &json(&verified)["logs"][0];
        let parts = report["parts"].as_array().unwrap().iter();
        let names: Vec<&str> = parts.map(|part| part["name"].as_str().unwrap()).collect();
        assert_eq!((verified.code, names.as_slice()), (Some(0), files), "{verified:#?}");
        assert_eq!(keys(place, path), count);
    }
    let again = place.run(&["repair", "data", "--in-place"]);
    assert!(again.stdout.contains("SOUND"), "{again:#?}");
    json(&dry)
}

/// What a report says is certain, and what it says is inferred.
fn reasons(report: &Value) -> (String, String) {
    let [certain, inferred] = ["certain", "inferred"].map(|name| {
        let all = report["set"][name].as_array().unwrap().iter();
        all.map(|one| one.as_str().unwrap()).collect::<Vec<_>>().join("; ")
    });
    (certain, inferred)
}

#[test]
fn missing_manifest_is_written_from_the_numbers_of_the_parts() {
    let place = whole_set();
    let before = manifest(&place);
    remove(&place, MANIFEST);
    let report = repaired(&place, &[], &[BASE, INCR], 3);
    let (certain, inferred) = reasons(&report);
    assert_eq!(certain, "");
    assert!(
        inferred.starts_with("that these files belong together: from the numbers"),
        "{inferred}"
    );
    assert_eq!(report["start"]["proved"], true, "{report:#}");
    assert_eq!(manifest(&place), before);
    // Nothing but the manifest was touched.
    assert_eq!(fs::read_dir(place.path("data")).unwrap().count(), 1);
}

#[test]
fn highest_numbers_are_proposed_and_the_others_are_left_out() {
    let place = Place::new();
    let parts: [(&str, &[u8]); 5] = [
        ("x.aof.9.base.aof", &log("SELECT 0\nSET old 1")),
        ("x.aof.9.incr.aof", &log("SELECT 0\nSET older 1")),
        ("x.aof.10.base.aof", &log("SELECT 0\nSET a 1")),
        ("x.aof.10.incr.aof", &log("SELECT 0\nSET b 1")),
        ("x.aof.11.incr.aof", &log("SELECT 0\nSET c 1")),
    ];
    place.put_set(DIRECTORY, &parts);
    remove(&place, MANIFEST);
    let names = ["x.aof.10.base.aof", "x.aof.10.incr.aof", "x.aof.11.incr.aof"];
    let report = repaired(&place, &[], &names, 3);
    assert!(reasons(&report).1.contains("the 2 other files are from before the last rewrite"));
    let left: Vec<bool> = report["set"]["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["listed"].as_bool().unwrap())
        .collect();
    assert_eq!(left, [true, true, true, false, false]);
    assert!(place.path(DIRECTORY).join("x.aof.9.base.aof").exists(), "left where it is");
}

#[test]
fn manifest_of_an_editor_or_a_power_loss_is_read_without_what_was_added() {
    let text = manifest(&whole_set());
    let cases = [
        (format!("\u{feff}{text}"), "without its byte order mark"),
        (format!("{text}\n\n"), "without its blank lines"),
        (format!("\n{text}"), "without its blank lines"),
        (text.trim_end().to_owned(), "with a newline at its end"),
        (format!("{text}\0\0\0"), "without the zero bytes at its end"),
    ];
    for (broken, change) in cases {
        let place = whole_set();
        put_manifest(&place, &broken);
        let report = repaired(&place, &[], &[BASE, INCR], 3);
        let (certain, inferred) = reasons(&report);
        assert!(certain.contains(change) && inferred.is_empty(), "{change}: {report:#}");
        assert_eq!(manifest(&place), text, "{change}");
        // The one before is saved.
        let names: Vec<_> = fs::read_dir(place.path(DIRECTORY))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("appendonly.aof.manifest.bak-"))
            .collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert_eq!(place.read(Path::new(DIRECTORY).join(&names[0])), broken.as_bytes());
    }
}

#[test]
fn byte_order_mark_is_shown() {
    let place = whole_set();
    put_manifest(&place, format!("\u{feff}{}", manifest(&place)));
    let run = place.run(&["verify", "data"]);
    assert!(run.stdout.contains(r"\u{feff}file appendonly.aof"), "{run:#?}");
}

#[test]
fn empty_and_stale_manifests_give_way_to_the_files_that_are_there() {
    for text in [
        "",
        "garbage\n",
        "file appendonly.aof.1.base.rdb seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
        "file appendonly.aof.7.base.rdb seq 7 type b\nfile appendonly.aof.9.incr.aof seq 9 type i\n",
    ] {
        let place = whole_set();
        put_manifest(&place, text);
        let report = repaired(&place, &[], &[BASE, INCR], 3);
        assert!(reasons(&report).1.contains("from the numbers in their names"), "{report:#}");
    }
}

#[test]
fn renamed_manifest_is_found() {
    for name in ["appendonly.aof.manifest.bak", "old-appendonly.aof.manifest.txt"] {
        let place = whole_set();
        let directory = place.path(DIRECTORY);
        fs::rename(directory.join(MANIFEST), directory.join(name)).unwrap();
        let report = repaired(&place, &[], &[BASE, INCR], 3);
        assert!(reasons(&report).0.contains(&format!("`{name}` lists these files")), "{report:#}");
    }
    // A server looks for the name that its parts have.
    for name in ["dump.manifest", "appendonly.manifest"] {
        let place = whole_set();
        let directory = place.path(DIRECTORY);
        fs::rename(directory.join(MANIFEST), directory.join(name)).unwrap();
        let run = place.run(&["repair", "data", "--output", "new", "--json"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert_eq!(json(&run)["set"]["kind"], "renamed-manifest");
        assert!(place.path("new").join(MANIFEST).exists());
        assert_eq!(keys(&place, "new"), 3);
        let unattended = ["repair", "data", "--in-place", "--max-loss", "64kb"];
        let run = place.run(&unattended);
        assert!(run.stdout.contains("SOUND") && directory.join(name).exists(), "{run:#?}");
        assert_eq!(place.run(&["repair", "data", "--in-place"]).code, Some(0));
        assert!(directory.join(MANIFEST).exists() && !directory.join(name).exists());
        assert_eq!(keys(&place, "data"), 3);
    }
}

/// Checks that `data` is left alone with exit code 4 unless its missing file is given up.
#[track_caller]
fn needs_to_be_given_up(place: &Place, message: &str, files: &[&str], count: u64) {
    for options in [&["--output", "no"][..], &["--in-place"], &["--dry-run"]] {
        let run = place.run(&[&["repair", "data"], options].concat());
        assert_eq!(run.code, Some(4), "{run:#?}");
        assert!(run.stderr.contains(message), "{run:#?}");
        assert!(run.stdout.contains("unknown number"), "{run:#?}");
    }
    for limit in [&["--max-loss", "1gb"][..], &["--max-commands", "1000000"]] {
        let options = ["repair", "data", "--output", "no", "--without-missing"];
        let run = place.run(&[&options[..], limit].concat());
        assert_eq!(run.code, Some(4), "it is over any limit: {run:#?}");
    }
    assert!(!place.path("no").exists());
    repaired(place, &["--without-missing"], files, count);
}

#[test]
fn missing_base_is_an_unknown_loss_that_has_to_be_given_up() {
    let place = whole_set();
    remove(&place, BASE);
    let message =
        format!("the base file `{BASE}` is missing: the keys of the last rewrite are lost");
    needs_to_be_given_up(&place, &message, &[INCR], 1);

    let place = whole_set();
    remove(&place, BASE);
    remove(&place, MANIFEST);
    let message = "the base file is missing: the keys of the last rewrite are lost";
    needs_to_be_given_up(&place, message, &[INCR], 1);
}

#[test]
fn empty_base_is_an_unknown_loss_that_has_to_be_given_up() {
    let message = format!("the base file `{BASE}` has 0 bytes: the keys of the last rewrite");
    let place = whole_set();
    place.put(Path::new(DIRECTORY).join(BASE), "");
    needs_to_be_given_up(&place, &message, &[INCR], 1);

    let place = whole_set();
    place.put(Path::new(DIRECTORY).join(BASE), "");
    put_manifest(&place, "");
    needs_to_be_given_up(&place, &message, &[INCR], 1);
}

#[test]
fn missing_incremental_file_is_an_unknown_loss_that_has_to_be_given_up() {
    let parts: [(&str, &[u8]); 4] = [
        (BASE, &rdb(&["a"])),
        (INCR, &log("SELECT 0\nSET b 1")),
        ("appendonly.aof.3.incr.aof", &log("SELECT 0\nSET c 1")),
        ("appendonly.aof.4.incr.aof", &log("SELECT 0\nSET d 1")),
    ];
    for without_manifest in [false, true] {
        let place = Place::new();
        place.put_set(DIRECTORY, &parts);
        remove(&place, "appendonly.aof.3.incr.aof");
        if without_manifest {
            remove(&place, MANIFEST);
        }
        let message = "the incremental file `appendonly.aof.3.incr.aof` is missing: the writes that were in it are lost";
        needs_to_be_given_up(&place, message, &[BASE, INCR, "appendonly.aof.4.incr.aof"], 3);
    }
}

#[test]
fn torn_end_of_a_set_without_manifest_is_cut_too() {
    let place = whole_set();
    remove(&place, MANIFEST);
    let torn = [log("SELECT 0\nSET c 1"), b"*3\r\n$3\r\nSET\r\n$1\r\nd".to_vec()].concat();
    place.put(Path::new(DIRECTORY).join(INCR), torn);
    let report = repaired(&place, &[], &[BASE, INCR], 3);
    assert_eq!(report["lost_commands"], 1, "{report:#}");
}

#[test]
fn data_directory_is_never_replaced_by_a_set() {
    let place = whole_set();
    remove(&place, MANIFEST);
    for name in [BASE, INCR] {
        let bytes = place.read(Path::new(DIRECTORY).join(name));
        place.put(Path::new("data").join(name), bytes);
    }
    fs::remove_dir_all(place.path(DIRECTORY)).unwrap();
    place.put("data/redis.conf.bak", "dir /data\n");
    let torn = [log("SELECT 0\nSET c 1"), b"*3\r\n$3\r\nSE".to_vec()].concat();
    place.put(Path::new("data").join(INCR), torn);
    let run = place.run(&["repair", "data", "--in-place"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("holds more than a log: redis.conf.bak is in it"), "{run:#?}");
    assert_eq!(place.run(&["repair", "data", "--output", "new"]).code, Some(0));
    assert_eq!(keys(&place, "new"), 3);
}

#[test]
fn verify_says_what_is_there_and_what_each_server_does() {
    let place = whole_set();
    remove(&place, MANIFEST);
    let run = place.run(&["verify", "data"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let text = run.stdout.replace("\n                  ", " ");
    assert!(text.contains("starts empty    redis 4.0, 5.0, 6.0, 6.2: multi-part"), "{text}");
    assert!(text.contains("there is no manifest; a new set is written"), "{text}");
    assert!(text.contains("aofkit repair data --dry-run"), "{text}");

    let place = whole_set();
    put_manifest(&place, "");
    place.put("data/appendonly.aof", log("SET old 1"));
    let run = place.run(&["verify", "data"]);
    let text = run.stdout.replace("\n                  ", " ");
    assert!(
        text.contains("loads           redis 4.0, 5.0, 6.0, 6.2: appendonly.aof alone"),
        "{text}"
    );
    assert!(text.contains("refuses         redis 7.0, "), "{text}");
    assert!(text.contains("\"Found an empty AOF manifest\""), "{text}");

    let place = whole_set();
    remove(&place, BASE);
    let report = json(&place.run(&["verify", "data", "--json", "--for", "redis-6.2,redis-7.0"]));
    let verdicts = report["logs"][0]["verdicts"].as_array().unwrap();
    let outcomes: Vec<_> = verdicts.iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["starts-empty", "refuses"]);
    assert_eq!(report["logs"][0]["set"]["missing"][0]["name"], BASE);
}

#[test]
fn archive_of_a_broken_set_is_as_its_directory() {
    let place = whole_set();
    for name in [MANIFEST, BASE] {
        remove(&place, name);
        let archive = format!("{name}.zip");
        let run =
            place.shell(&format!("cd data && python3 -m zipfile -c ../{archive} appendonlydir"));
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    let archive = "appendonly.aof.manifest.zip";
    let report = json(&place.run(&["verify", archive, "--json"]));
    let log = &report["logs"][0]["log"];
    assert_eq!(log["verdicts"][1]["outcome"], "starts-empty", "{report:#}");
    assert_eq!(log["set"]["files"].as_array().unwrap().len(), 2, "{report:#}");
    let run = place.run(&["repair", archive, "--output", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(keys(&place, "new"), 3);
    let run = place.run(&["repair", archive, "--in-place"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    let run = place.run(&["recover", archive, "--json"]);
    assert_eq!((run.code, json(&run)["missing"]["kind"].as_str()), (Some(1), Some("no-manifest")));
    let number = place.run(&["recover", archive, "--candidate", "1", "--strip", "--output", "r"]);
    assert_eq!(number.code, Some(0), "{number:#?}");
    assert_eq!(keys(&place, "r"), 3);
    let run = place.run(&["repair", "appendonly.aof.2.base.rdb.zip", "--output", "no"]);
    assert_eq!(run.code, Some(4), "{run:#?}");
    for run in [&run, &number] {
        assert!(!(run.stderr.clone() + &run.stdout).contains("unpacked"), "{run:#?}");
    }
}

#[test]
fn parts_of_two_sets_are_not_mixed() {
    let place = whole_set();
    remove(&place, MANIFEST);
    place.put(Path::new(DIRECTORY).join("other.aof.1.base.rdb"), rdb(&["x"]));
    let run = place.run(&["repair", "data", "--dry-run"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(
        run.stderr.contains("parts of several sets here: appendonly.aof, other.aof"),
        "{run:#?}"
    );
}

#[test]
fn deletions_tell_whether_the_parts_belong_together() {
    let keys: Vec<String> = (0..20).map(|n| format!("k{n}")).collect();
    let base = rdb(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let deletions =
        |name: &str| -> String { (0..20).map(|n| format!("\nDEL {name}{n}")).collect() };
    for (name, said) in [
        ("k", "their content agrees with that: 20 of 20 deletions of a key find it"),
        ("other", "their content does not agree with that: 0 of 20 deletions"),
    ] {
        let place = Place::new();
        let incr = log(&format!("SELECT 0{}", deletions(name)));
        place.put_set(DIRECTORY, &[(BASE, &base), (INCR, &incr)]);
        remove(&place, MANIFEST);
        let run = place.run(&["repair", "data", "--dry-run", "--json"]);
        let (_, inferred) = reasons(&json(&run));
        assert!(inferred.contains(said), "{inferred}");
    }
    // Nothing is inferred of parts that a manifest lists.
    let place = Place::new();
    let incr = log(&format!("SELECT 0{}", deletions("k")));
    place.put_set(DIRECTORY, &[(BASE, &base), (INCR, &incr)]);
    let text = manifest(&place);
    put_manifest(&place, format!("\u{feff}{text}"));
    let (_, inferred) = reasons(&json(&place.run(&["repair", "data", "--dry-run", "--json"])));
    assert_eq!(inferred, "");
}
