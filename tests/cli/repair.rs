//! Repair: what it writes, what it leaves alone, and that the input is never touched.

use std::time::SystemTime;

use super::*;

/// Content and time of everything that a run must leave as it is.
fn state(place: &Place, names: &[&str]) -> Vec<(Vec<u8>, SystemTime)> {
    let modified = |name: &str| fs::metadata(place.path(name)).unwrap().modified().unwrap();
    names.iter().map(|name| (place.read(name), modified(name))).collect()
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let place = Place::new();
    place.put("a.aof", torn());
    let before = state(&place, &["a.aof"]);
    place.run(&["repair", "--dry-run", "a.aof"]).ends(
        1,
        "a.aof

  drop a.aof: byte 81, 10 bytes: torn end
       \"*3\\r\\n$3\\r\\nSE\"

  kept            3 commands  81 bytes
  lost            0 commands  10 bytes

DAMAGED: dry run, nothing was written\n",
        "",
    );
    assert_eq!(place.names(), ["a.aof"]);
    assert_eq!(state(&place, &["a.aof"]), before);
}

#[test]
fn a_sound_log_is_left_alone() {
    let place = Place::new();
    place.put("a.aof", sound());
    let said = "a.aof\nSOUND: nothing to repair; nothing was written\n";
    place.run(&["repair", "a.aof", "--output", "b.aof"]).ends(0, said, "");
    place.run(&["repair", "a.aof", "--in-place"]).ends(0, said, "");
    place.run(&["repair", "a.aof", "--dry-run"]).ends(0, said, "");
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn a_torn_end_is_cut_in_a_new_file() {
    let place = Place::new();
    place.put("a.aof", torn());
    let before = state(&place, &["a.aof"]);
    let run = place.run(&["repair", "a.aof", "--output", "b.aof"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(run.stdout.ends_with("REPAIRED: written to b.aof, read back and whole\n"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof", "b.aof"]);
    assert_eq!(place.read("b.aof"), sound());
    assert_eq!(state(&place, &["a.aof"]), before);
    assert_eq!(place.run(&["verify", "b.aof"]).code, Some(0));
}

#[test]
fn what_stands_at_the_output_is_kept_unless_force_is_given() {
    let place = Place::new();
    place.put("a.aof", torn());
    place.put("b.aof", "precious");
    place.run(&["repair", "a.aof", "--output", "b.aof"]).ends(
        2,
        "",
        "error: b.aof: it exists already, and was left as it is
help: give another name, or --force to replace it\n",
    );
    assert_eq!(place.read("b.aof"), b"precious");
    assert_eq!(place.run(&["repair", "a.aof", "--output", "b.aof", "--force"]).code, Some(0));
    assert_eq!(place.read("b.aof"), sound());
    // The input by another name is the input.
    let before = state(&place, &["a.aof"]);
    assert_eq!(place.run(&["repair", "a.aof", "--output", "./a.aof"]).code, Some(2));
    assert_eq!(state(&place, &["a.aof"]), before);
    assert_eq!(place.run(&["repair", "a.aof", "--output", "no/such/directory"]).code, Some(2));
    assert_eq!(place.names(), ["a.aof", "b.aof"]);
}

#[test]
fn in_place_the_original_stands_beside_the_result() {
    let place = Place::new();
    place.put("a.aof", torn());
    let run = place.run(&["repair", "a.aof", "--in-place"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read("a.aof"), sound());
    let names = place.names();
    let [_, backup] = names.as_slice() else { panic!("{names:?}") };
    assert!(backup.starts_with("a.aof.bak-"), "{backup}");
    assert_eq!(place.read(backup), torn());
    assert!(run.stdout.contains(&format!("/{backup}\n")), "{run:#?}");
}

#[test]
fn a_stated_limit_leaves_everything_as_it_is() {
    let place = Place::new();
    place.put("a.aof", [&sound()[..], b"\0", &sound()].concat());
    let before = state(&place, &["a.aof"]);
    for limit in [["--max-loss", "81"], ["--max-commands", "2"]] {
        for output in [&["--in-place"][..], &["--output", "b.aof"], &["--dry-run"]] {
            let run = place.run(&[&["repair", "a.aof"], &limit[..], output].concat());
            assert_eq!((run.code, run.stdout.as_str()), (Some(4), ""), "{run:#?}");
            assert!(run.stderr.starts_with("error: a.aof: "), "{run:#?}");
            assert!(run.stderr.contains("would be lost, and"), "{run:#?}");
            assert_eq!(place.names(), ["a.aof"]);
            assert_eq!(state(&place, &["a.aof"]), before);
        }
    }
    let run = place.run(&[
        "repair",
        "a.aof",
        "--output",
        "b.aof",
        "--max-loss",
        "82",
        "--max-commands",
        "3",
    ]);
    assert_eq!(run.code, Some(0), "{run:#?}");
}

#[test]
fn salvage_steps_over_the_damage() {
    let place = Place::new();
    place.put("a.aof", [&sound()[..], b"\0\0\0", &sound()].concat());
    assert_eq!(place.run(&["repair", "--salvage", "a.aof", "-o", "b.aof"]).code, Some(0));
    assert_eq!(place.read("b.aof"), [sound(), sound()].concat());
}

#[test]
fn a_choice_that_was_not_made_is_asked_for() {
    let place = Place::new();
    let multi =
        [command(&["SET", "a", "1"]), command(&["MULTI"]), command(&["SET", "b", "2"])].concat();
    let later = [command(&["SELECT", "0"]), command(&["SET", "c", "3"])].concat();
    place.put("a.aof", [&multi[..], &later].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(
        run.stderr.contains("`--join select`") && run.stderr.contains("`--join cut`"),
        "{run:#?}"
    );
    assert_eq!(place.run(&["repair", "a.aof", "-o", "cut.aof", "--join", "cut"]).code, Some(0));
    assert_eq!(place.read("cut.aof"), command(&["SET", "a", "1"]));
    assert_eq!(
        place.run(&["repair", "a.aof", "-o", "select.aof", "--join", "select"]).code,
        Some(0)
    );
    assert_eq!(place.read("select.aof"), [command(&["SET", "a", "1"]), later].concat());
}

const EMPTY_RDB: &[u8] = b"REDIS0009\xff\0\0\0\0\0\0\0\0";

#[test]
fn a_set_is_repaired_to_a_set_with_a_manifest_of_its_own() {
    let place = Place::new();
    let [base, first, second] =
        ["appendonly.aof.3.base.rdb", "appendonly.aof.7.incr.aof", "appendonly.aof.8.incr.aof"];
    let manifest = format!(
        "file {base} seq 3 type b\nfile appendonly.aof.6.incr.aof seq 6 type h\nfile {first} seq 7 type i startoffset 5 endoffset 90\nfile {second} seq 8 type i startoffset 90\n"
    );
    place.put_set("set", &[(base, EMPTY_RDB), (first, &sound()), (second, &torn())]);
    place.put("set/appendonly.aof.manifest", &manifest);
    let files = [base, first, second, "appendonly.aof.manifest"].map(|name| format!("set/{name}"));
    let before = state(&place, &files.each_ref().map(String::as_str));
    let run = place.run(&["repair", "set", "--output", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.read(format!("new/{second}")), sound());
    assert_eq!(
        String::from_utf8(place.read("new/appendonly.aof.manifest")).unwrap(),
        format!(
            "file {base} seq 3 type b\nfile {first} seq 7 type i startoffset 5 endoffset 90\nfile {second} seq 8 type i\n"
        )
    );
    assert!(place.run(&["verify", "new"]).stdout.contains("\nSOUND: every byte read: 6 commands"));
    assert_eq!(state(&place, &files.each_ref().map(String::as_str)), before);

    // Torn in the middle: what lies behind goes, or stays where that is asked for.
    place.put(format!("set/{first}"), torn());
    let run = place.run(&["repair", "set", "--output", "cut"]);
    assert!(run.stdout.contains(&format!("part: {second} is taken out of the set")), "{run:#?}");
    assert!(place.run(&["verify", "cut"]).stdout.contains("\nSOUND: every byte read: 3 commands"));
    assert!(!place.path(format!("cut/{second}")).exists());
    assert_eq!(place.run(&["repair", "set", "--salvage", "--output", "kept"]).code, Some(0));
    assert!(place.run(&["verify", "kept"]).stdout.contains("\nSOUND: every byte read: 6 commands"));

    // In place: the old set stands beside, whole.
    let run = place.run(&["repair", "set", "--in-place"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let backup = place.names().into_iter().find(|name| name.starts_with("set.bak-")).unwrap();
    assert_eq!(place.read(format!("{backup}/{first}")), torn());
    assert_eq!(place.read(format!("{backup}/{second}")), torn());
    assert_eq!(place.read(format!("{backup}/appendonly.aof.manifest")), manifest.as_bytes());
    assert_eq!(place.run(&["verify", "set"]).code, Some(0));
}

#[test]
fn a_broken_rdb_is_refused_with_the_reason() {
    let place = Place::new();
    place.put("a.aof", [b"REDIS0009\xfe\x00\x00\x01k\x01", &sound()[..]].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("the RDB is broken and cannot be repaired"), "{run:#?}");
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn nothing_is_left_where_the_output_does_not_fit() {
    let place = Place::new();
    let log = [sound().repeat(10_000), b"*3".to_vec()].concat();
    place.put("a.aof", &log);
    let before = state(&place, &["a.aof"]);
    for output in ["--output b.aof", "--in-place"] {
        // The signal of a file that grows too large is ignored, so that the write fails as on a full disk.
        let run =
            place.shell(&format!("trap '' XFSZ; ulimit -f 100; exec \"$0\" repair a.aof {output}"));
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(run.stderr.contains("File too large"), "{run:#?}");
        assert_eq!(place.names(), ["a.aof"], "{output}");
        assert_eq!(state(&place, &["a.aof"]), before);
    }
}

#[test]
fn nothing_is_left_on_a_full_disk() {
    let place = Place::new();
    fs::create_dir(place.path("disk")).unwrap();
    // In a mount namespace of its own, which goes with the shell.
    let mount = "mount -t tmpfs -o size=64k none disk";
    let script = format!(
        "unshare -m sh -c '{mount} 2>/dev/null || exit 99; \"$0\" repair a.aof --output disk/b.aof; code=$?; ls -A disk; exit $code' \"$0\""
    );
    place.put("a.aof", [sound().repeat(10_000), b"*3".to_vec()].concat());
    let run = place.shell(&script);
    if run.code == Some(99) || run.stderr.contains("unshare") {
        eprintln!("skipped: a file system cannot be mounted here");
        return;
    }
    assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
    assert!(run.stderr.contains("No space left on device"), "{run:#?}");
}
