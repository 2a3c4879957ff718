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
  lost             1 command  10 bytes

  replayed: 3 keys at the end
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
    assert!(
        run.stdout.ends_with("REPAIRED: written to b.aof, read back and verified\n"),
        "{run:#?}"
    );
    assert_eq!(place.names(), ["a.aof", "b.aof"]);
    assert_eq!(place.read("b.aof"), sound());
    assert_eq!(state(&place, &["a.aof"]), before);
    assert_eq!(place.run(&["verify", "b.aof"]).code, Some(0));
}

#[test]
fn an_existing_output_is_retained_without_force() {
    let place = Place::new();
    place.put("a.aof", torn());
    place.put("b.aof", "precious");
    place.run(&["repair", "a.aof", "--output", "b.aof"]).ends(
        2,
        "",
        "error: b.aof: already exists; not overwritten
help: give another name\n",
    );
    assert_eq!(place.read("b.aof"), b"precious");
    assert_eq!(place.run(&["repair", "a.aof", "--output", "b.aof", "--force"]).code, Some(0));
    assert_eq!(place.read("b.aof"), sound());
    // The input by another name is the input.
    let before = state(&place, &["a.aof"]);
    assert_eq!(place.run(&["repair", "a.aof", "--output", "./a.aof"]).code, Some(2));
    assert_eq!(state(&place, &["a.aof"]), before);
    assert_eq!(place.run(&["repair", "a.aof", "--output", "no/such/directory"]).code, Some(2));
    let names = place.names();
    assert!(names[..2] == ["a.aof", "b.aof"] && names[2].starts_with("b.aof.bak-"), "{names:?}");
    assert_eq!((names.len(), place.read(&names[2])), (3, b"precious".to_vec()));
}

#[test]
fn in_place_the_original_is_saved_next_to_the_result() {
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
    // Two whole commands of a transaction, and one that is begun.
    let end = [command(&["MULTI"]), command(&["SET", "b", "2"]), b"*3\r\n$3\r\nSE".to_vec()];
    let end = end.concat();
    place.put("a.aof", [&sound()[..], &end].concat());
    let before = state(&place, &["a.aof"]);
    let (fits, less) = (end.len().to_string(), (end.len() - 1).to_string());
    for limit in [["--max-loss", less.as_str()], ["--max-commands", "2"]] {
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
        &fits,
        "--max-commands",
        "3",
    ]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), sound()), "{run:#?}");
}

#[test]
fn loss_that_cannot_be_counted_is_over_any_limit() {
    let place = Place::new();
    let zeros = [0; 50];
    let cases: [(&[u8], i32, &str); 5] = [
        (&[b"\x01\x02", &sound()[..]].concat(), 4, ""),
        (b"\x01\x02", 4, ""),
        // What a power loss leaves.
        (&zeros, 0, "lost            0 commands  50 bytes\n"),
        (&[b"*3\r\n$3\r\nSE", &zeros[..]].concat(), 0, "lost             1 command  60 bytes\n"),
        (&[b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$99\r\n", &zeros[..]].concat(), 0, ""),
    ];
    for (end, code, lost) in cases {
        place.put("a.aof", [&sound()[..], end].concat());
        let limits = ["--max-loss", "1gb", "--max-commands", "1000", "--output", "b.aof"];
        for limit in [&limits[..2], &limits[2..4]] {
            let run = place.run(&[&["repair", "a.aof"], limit, &limits[4..]].concat());
            assert_eq!(run.code, Some(code), "{end:?}: {run:#?}");
            assert_eq!(place.path("b.aof").exists(), code == 0, "{run:#?}");
            if code == 0 {
                assert!(run.stdout.contains(lost), "{run:#?}");
                assert_eq!(place.read("b.aof"), sound());
                fs::remove_file(place.path("b.aof")).unwrap();
            } else {
                assert!(run.stderr.contains("not known how many commands"), "{run:#?}");
            }
        }
    }
}

/// A log with other line ends than a server writes.
fn with_ends(end: &str) -> Vec<u8> {
    let log = [command(&["SELECT", "0"]), sound(), command(&["RPUSH", "l", "x"])].concat();
    String::from_utf8(log).unwrap().replace("\r\n", end).into_bytes()
}

/// Runs that would keep no command: nothing is written, and the reason names what the file looks like.
#[track_caller]
fn keeps_nothing(bytes: &[u8], salvage: bool, looks_like: &str) {
    let place = Place::new();
    place.put("a.aof", bytes);
    let before = state(&place, &["a.aof"]);
    for output in [&["--output", "b.aof"][..], &["--in-place"], &["--dry-run"], &["-qo", "b.aof"]] {
        for salvage in [&[][..], &["--salvage"]].iter().take(1 + usize::from(salvage)) {
            let run = place.run(&[&["repair", "a.aof"], output, salvage].concat());
            assert_eq!(run.code, Some(4), "{looks_like}: {run:#?}");
            assert!(run.stderr.contains(looks_like), "{looks_like}: {run:#?}");
            assert!(run.stderr.contains("help: nothing was written; "), "{looks_like}: {run:#?}");
            assert!(!run.stdout.contains("REPAIRED:") || run.stdout.contains("NOT REPAIRED:"));
            assert_eq!(place.names(), ["a.aof"]);
            assert_eq!(state(&place, &["a.aof"]), before);
        }
    }
}

#[test]
fn what_is_no_log_is_not_repaired_to_nothing() {
    keeps_nothing(b"<!DOCTYPE html>\n<html></html>\n", true, "HTML");
    keeps_nothing(b"{\"a\": 1}\n", true, "JSON");
    keeps_nothing(b"root:x:0:0:root:/root:/bin/bash\n", true, "plain text");
    keeps_nothing(&[0; 5000], true, "zero bytes");
    keeps_nothing(&[0x80; 50], true, "not recognised");
    // SELECT alone is no data.
    keeps_nothing(&[&command(&["SELECT", "0"])[..], &[0x80; 50]].concat(), true, "not recognised");
}

#[test]
fn commands_that_salvage_would_retain_after_other_data_are_counted() {
    let place = Place::new();
    place.put("a.aof", [b"{\"a\": 1}\n", &sound()[..]].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof", "--json"]);
    assert_eq!((run.code, place.names()), (Some(4), vec!["a.aof".to_owned()]), "{run:#?}");
    assert!(run.stderr.contains("keeps 3 whole commands found in the bytes:\n       aofkit repair a.aof --salvage --dry-run\n"), "{run:#?}");
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["refused"]["looks_like"]["content"], "json", "{report:#}");
    assert_eq!(report["dropped"][0]["looks_like"]["content"], "json", "{report:#}");
    let run = place.run(&["repair", "a.aof", "-o", "b.aof", "--salvage"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), sound()), "{run:#?}");
}

#[test]
fn one_unfinished_command_or_transaction_is_cut_as_before() {
    let whole = command(&["SET", "a", "1"]);
    let ends: [&[u8]; 5] = [
        &whole[..whole.len() - 1],
        b"*3\r\n$3\r\nSE",
        b"*",
        &[command(&["MULTI"]), whole.clone()].concat(),
        &[command(&["SELECT", "0"]), command(&["MULTI"]), b"*3\r\n$3\r\nSE".to_vec()].concat(),
    ];
    for end in ends {
        let place = Place::new();
        place.put("a.aof", end);
        let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(place.path("b.aof").exists());
    }
    // A length that is too large hides whole commands after it.
    let place = Place::new();
    place.put("a.aof", [&b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$9999\r\n1\r\n"[..], &sound()].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, place.names()), (Some(4), vec!["a.aof".to_owned()]), "{run:#?}");
}

const RDB_OF_ONE_KEY: &[u8] = b"REDIS0009\xfe\x00\x00\x01k\x01v\xff\0\0\0\0\0\0\0\0";

#[test]
fn keys_of_an_rdb_before_damage_count_as_retained() {
    let place = Place::new();
    place.put("a.aof", [RDB_OF_ONE_KEY, b"{\"a\": 1}\n"].concat());
    let run = place.run(&["repair", "a.aof", "-o", "b.aof"]);
    assert_eq!((run.code, place.read("b.aof")), (Some(0), RDB_OF_ONE_KEY.to_vec()), "{run:#?}");
}

#[test]
fn a_part_of_a_set_is_not_repaired_to_nothing_either() {
    let [base, first, second] =
        ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"];
    let other = b"{\"a\": 1}\n";
    let half = b"*3\r\n$3\r\nSE";
    // The bytes of the three parts, and how it ends.
    let cases: [([&[u8]; 3], i32); 7] = [
        ([RDB_OF_ONE_KEY, &sound(), other], 4),
        ([RDB_OF_ONE_KEY, other, &sound()], 4),
        ([RDB_OF_ONE_KEY, &sound(), half], 0),
        ([EMPTY_RDB, other, b""], 4),
        ([EMPTY_RDB, half, b""], 0),
        // Of the set nothing would be kept, although the first damage is a torn command.
        ([EMPTY_RDB, half, &sound()], 4),
        // No data is in zero bytes, and there is other data.
        ([RDB_OF_ONE_KEY, &sound(), &[0; 100]], 0),
    ];
    for (parts, code) in cases {
        let place = Place::new();
        let [one, two, three] = parts;
        place.put_set("set", &[(base, one), (first, two), (second, three)]);
        let run = place.run(&["repair", "set", "-o", "new"]);
        assert_eq!(run.code, Some(code), "{run:#?}");
        assert_eq!(place.path("new").exists(), code == 0, "{run:#?}");
    }
}

#[test]
fn verify_names_what_a_damaged_file_looks_like() {
    let place = Place::new();
    place.put("a.aof", with_ends("\n"));
    let run = place.run(&["verify", "a.aof"]);
    assert!(run.stdout.contains("= looks like an append-only file with LF line ends"), "{run:#?}");
    assert!(run.stdout.contains("help: `aofkit repair a.aof --output NEW` undoes it"), "{run:#?}");
    let run = place.run(&["verify", "a.aof", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let damage = &report["logs"][0]["findings"][0]["damage"];
    assert_eq!(damage["looks_like"]["content"], "lf-line-ends", "{report:#}");
}

#[test]
fn salvage_steps_over_the_damage() {
    let place = Place::new();
    place.put("a.aof", [&sound()[..], b"\0\0\0", &sound()].concat());
    assert_eq!(place.run(&["repair", "--salvage", "a.aof", "-o", "b.aof"]).code, Some(0));
    assert_eq!(place.read("b.aof"), [sound(), sound()].concat());
}

#[test]
fn result_is_the_same_without_a_replay() {
    let place = Place::new();
    let failing = command(&["LPUSH", "a", "x"]);
    place.put("a.aof", [&sound()[..], b"\0\0\0", &failing, &sound()].concat());
    let with = place.run(&["repair", "--salvage", "a.aof", "-o", "b.aof"]);
    assert!(with.stdout.contains("1 command without effect"), "{with:#?}");
    let without = place.run(&["repair", "--salvage", "--no-replay", "a.aof", "-o", "c.aof"]);
    assert_eq!((with.code, without.code), (Some(0), Some(0)), "{without:#?}");
    assert_eq!(place.read("c.aof"), [sound(), failing, sound()].concat());
    assert!(
        !without.stdout.contains("fail") && !without.stdout.contains("replayed"),
        "{without:#?}"
    );
    for (more, is_replayed) in [(&[][..], true), (&["--no-replay"], false)] {
        let run =
            place.run(&[&["repair", "--salvage", "a.aof", "--dry-run", "--json"], more].concat());
        assert_eq!(run.stdout.contains("\"replay\": {"), is_replayed, "{run:#?}");
    }
    let run = place.run(&["repair", "a.aof", "--drop-failing", "--no-replay", "--dry-run"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
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
        run.stderr.contains(" --join select ") && run.stderr.contains(" --join cut "),
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

    // Torn in the middle: everything after is removed, or retained on request.
    place.put(format!("set/{first}"), torn());
    let run = place.run(&["repair", "set", "--output", "cut"]);
    assert!(run.stdout.contains(&format!("part: {second} is removed from the set")), "{run:#?}");
    assert!(place.run(&["verify", "cut"]).stdout.contains("\nSOUND: every byte read: 3 commands"));
    assert!(!place.path(format!("cut/{second}")).exists());
    assert_eq!(place.run(&["repair", "set", "--salvage", "--output", "kept"]).code, Some(0));
    assert!(place.run(&["verify", "kept"]).stdout.contains("\nSOUND: every byte read: 6 commands"));

    // In place: the complete old set is next to it.
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
    assert!(run.stderr.contains("the RDB is broken: byte 16"), "{run:#?}");
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

#[test]
fn transaction_whose_exec_is_damaged_is_removed_as_a_whole() {
    let place = Place::new();
    let before = [command(&["SELECT", "0"]), command(&["SET", "k", "v"])].concat();
    // A server reads the EXEC with an argument to its end, whose line end is wrong.
    let exec = b"*2*1\r\n$4\r\nEXEC\r\n$1\r\n\na\r\n$1\r\n1\r\n";
    let open = [command(&["MULTI"]), command(&["SET", "a", "1"])].concat();
    let after = command(&["SET", "z", "1"]);
    place.put("a.aof", [&before[..], &open, exec, &after].concat());
    for (options, expected) in
        [(&[][..], before.clone()), (&["--salvage"], [&before[..], &after].concat())]
    {
        let run = place.run(&[&["repair", "a.aof", "-o", "new", "--force"], options].concat());
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(place.read("new") == expected, "{run:#?}");
    }
}
