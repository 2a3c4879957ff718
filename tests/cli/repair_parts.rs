//! Parts of a set whose bytes a tool or a person changed as a whole: undone as those of a single file are.

use super::repair_choices::{gz, zst};
use super::repair_rdb::{rdb, unbroken};
use super::*;

const NAMES: [&str; 3] =
    ["appendonly.aof.1.base.rdb", "appendonly.aof.1.incr.aof", "appendonly.aof.2.incr.aof"];

/// A base with 3 keys and two incremental files, with 5 keys in all.
fn parts() -> [Vec<u8>; 3] {
    [
        rdb(&[("a", "1"), ("b", "2"), ("text", "one\r\ntwo\n")]),
        [command(&["SELECT", "0"]), command(&["SET", "x", "one\r\ntwo"])].concat(),
        [command(&["SELECT", "0"]), command(&["SET", "y", "2"]), command(&["INCR", "a"])].concat(),
    ]
}

fn put(place: &Place, parts: &[Vec<u8>; 3]) {
    let files: Vec<(&str, &[u8])> =
        NAMES.into_iter().zip(parts).map(|(name, bytes)| (name, bytes.as_slice())).collect();
    place.put_set("set", &files);
}

fn read(place: &Place, set: &str) -> [Vec<u8>; 3] {
    NAMES.map(|name| place.read(Path::new(set).join(name)))
}

fn json(run: &Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = memchr::memmem::find(rest, from) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [out.as_slice(), rest].concat()
}

#[test]
fn change_of_a_part_is_undone() {
    let wide = |log: &[u8]| -> Vec<u8> {
        [b"\xff\xfe".to_vec(), log.iter().flat_map(|byte| [*byte, 0]).collect()].concat()
    };
    let bom = |log: &[u8]| [b"\xef\xbb\xbf", log].concat();
    type Changed<'c> = (&'c str, &'c dyn Fn(&[u8]) -> Vec<u8>, std::ops::Range<usize>);
    let changes: [Changed<'_>; 9] = [
        ("gzip", &gz, 0..3),
        ("zstd", &zst, 0..3),
        ("byte-order-mark", &bom, 0..3),
        ("lf-line-ends", &|log| replaced(log, b"\r\n", b"\n"), 1..3),
        ("doubled-cr", &|log| replaced(log, b"\r\n", b"\r\r\n"), 1..3),
        ("utf-16", &wide, 1..3),
        ("rdb-cr-removed", &|log| replaced(log, b"\r\n", b"\n"), 0..1),
        ("rdb-cr-added", &|log| replaced(log, b"\n", b"\r\n"), 0..1),
        // As unix2dos, which leaves CR LF as they are.
        ("rdb-cr-added", &|log| replaced(&replaced(log, b"\r\n", b"\n"), b"\n", b"\r\n"), 0..1),
    ];
    for (name, change, of) in changes {
        for at in of {
            let place = Place::new();
            let original = parts();
            let mut changed = original.clone();
            changed[at] = change(&original[at]);
            put(&place, &changed);
            let what = format!("{name} of {}", NAMES[at]);
            let verified = place.run(&["verify", "set"]);
            assert_eq!(verified.code, Some(1), "{what}: {verified:#?}");
            let dry = place.run(&["repair", "set", "--dry-run", "--json"]);
            assert_eq!(dry.code, Some(1), "{what}: {dry:#?}");
            let report = json(&dry);
            let undone = &report["undone"][0];
            assert_eq!((&undone["change"], &undone["part"]), (&name.into(), &NAMES[at].into()));
            assert_eq!(report["lost_bytes"], 0, "{what}: {report:#}");
            // Nothing is lost, so that nobody needs to be asked.
            let unattended = ["--in-place", "--max-loss", "0", "--max-commands", "0"];
            for options in [&["--output", "new"][..], &unattended] {
                let run = place.run(&[&["repair", "set"], options].concat());
                assert_eq!(run.code, Some(0), "{what}: {run:#?}");
            }
            for set in ["new", "set"] {
                assert!(read(&place, set) == original, "{what}: {set}");
            }
            let again = place.run(&["repair", "set", "--in-place"]);
            assert!(again.stdout.contains("SOUND"), "{what}: {again:#?}");
        }
    }
}

#[test]
fn conflict_in_a_part_is_resolved_as_chosen() {
    for at in 1..3 {
        let place = Place::new();
        let original = parts();
        let mut changed = original.clone();
        let [ours, theirs] = [command(&["SET", "p", "1"]), command(&["SET", "q", "1"])];
        changed[at] = [
            &original[at][..],
            b"<<<<<<< HEAD\n",
            &ours,
            b"=======\n",
            &theirs,
            b">>>>>>> other\n",
        ]
        .concat();
        put(&place, &changed);
        let run = place.run(&["repair", "set", "--dry-run"]);
        assert!(run.code == Some(2) && run.stderr.contains("repair set --assume ours"), "{run:#?}");
        let run = place.run(&["repair", "set", "--assume", "theirs", "-o", "new"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let mut expected = original.clone();
        expected[at].extend(theirs);
        assert!(read(&place, "new") == expected);
    }
}

#[test]
fn zeros_at_the_end_of_a_part_leave_the_parts_after_it() {
    for at in 0..3 {
        let place = Place::new();
        let original = parts();
        let mut changed = original.clone();
        changed[at].extend([0; 100]);
        put(&place, &changed);
        let run =
            place.run(&["repair", "set", "--in-place", "--max-loss", "100", "--max-commands", "0"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        assert!(read(&place, "set") == original, "{run:#?}");
    }
    // A command that was begun was before the parts after it.
    let place = Place::new();
    let mut changed = parts();
    changed[1].extend(b"*3\r\n$3\r\nSET\r\n$1\r\nk\0\0\0\0\0\0");
    put(&place, &changed);
    let run = place.run(&["repair", "set", "--dry-run"]);
    assert!(run.stdout.contains("--salvage keeps it"), "{run:#?}");
}

#[test]
fn broken_compressed_part_is_named() {
    let place = Place::new();
    let mut changed = parts();
    changed[1] = gz(&changed[1].repeat(50));
    let half = changed[1].len() - 12;
    changed[1].truncate(half);
    put(&place, &changed);
    let run = place.run(&["repair", "set", "--dry-run"]);
    let named = format!("set/{}: the gzip data is broken", NAMES[1]);
    assert!(run.code == Some(2) && run.stderr.contains(&named), "{run:#?}");
    let run = place.run(&["repair", "set", "--salvage", "--dry-run", "--json"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(json(&run)["kept_commands"].as_u64() > Some(50), "{run:#?}");
    let run = place.run(&["repair", "set", "--salvage", "--in-place", "--max-loss", "1gb"]);
    assert_eq!(run.code, Some(4), "{run:#?}");
}

#[test]
fn part_of_another_format_is_refused_with_the_commands_that_convert_it() {
    let place = Place::new();
    put(&place, &parts());
    if place.shell("xz set/appendonly.aof.1.incr.aof").code != Some(0) {
        eprintln!("skipped: xz is not installed");
        return;
    }
    let file = "set/appendonly.aof.1.incr.aof";
    // Only a copy that is compressed is left.
    let run = place.run(&["repair", "set", "--dry-run"]);
    let step = format!("       xz -dk {file}.xz\n");
    assert!(run.code == Some(4) && run.stderr.contains(&step), "{run:#?}");
    // The file itself is compressed.
    assert_eq!(place.shell(&format!("mv {file}.xz {file}")).code, Some(0));
    let run = place.run(&["repair", "set", "--dry-run"]);
    assert!(run.code == Some(2) && run.stderr.contains("this is an xz file"), "{run:#?}");
    let typed = run.stderr.split_once("decompress it first: ").unwrap().1;
    assert_eq!(place.shell(typed.trim()).code, Some(0), "{typed}");
    assert!(read(&place, "set") == parts());
}

#[test]
fn one_of_the_logs_in_a_part_is_kept_on_request() {
    let other = [rdb(&[("j", "1")]), command(&["SET", "k", "1"])].concat();
    for at in 0..3 {
        let place = Place::new();
        let original = parts();
        let mut changed = original.clone();
        changed[at].extend(&other);
        put(&place, &changed);
        let run = place.run(&["repair", "set", "--dry-run"]);
        let named = format!("{}: byte {}: a second RDB begins", NAMES[at], original[at].len());
        assert!(run.code == Some(2) && run.stderr.contains(&named), "{run:#?}");
        assert!(run.stderr.contains("aofkit repair set --joined 2 --dry-run"), "{run:#?}");
        let run = place.run(&["repair", "set", "--in-place", "--max-loss", "1gb"]);
        assert_eq!(run.code, Some(4), "{run:#?}");
        for (number, log) in [("1", &original[at]), ("2", &other)] {
            let run = place.run(&["repair", "set", "--joined", number, "-o", number, "--json"]);
            assert_eq!(run.code, Some(0), "{run:#?}");
            let mut expected = original.clone();
            expected[at].clone_from(log);
            assert!(read(&place, number) == expected, "{run:#?}");
            assert_eq!(json(&run)["joined"]["part"], NAMES[at]);
        }
        // Both bases are joined by the commands that are printed; what was written after them stays.
        let run = place.run(&["repair", "set", "--dry-run"]);
        let lines = run.stderr.split_once("Join their keys");
        assert_eq!(lines.is_some(), at == 0, "{run:#?}");
        let Some((_, lines)) = lines else { continue };
        for line in lines.lines().skip(1).map(str::trim) {
            let typed = line.replacen("aofkit ", "\"$0\" ", 1);
            let run = place.shell(&typed);
            assert_eq!(run.code, Some(0), "{typed}: {run:#?}");
        }
        let run = place.run(&["repair", "set", "--dry-run"]);
        assert!(run.stdout.contains("SOUND"), "{run:#?}");
        assert_eq!(json(&place.run(&["digest", "set", "--json"]))["keys"], 7);
    }
    let place = Place::new();
    let changed = parts().map(|part| [part, other.clone()].concat());
    put(&place, &changed);
    let run = place.run(&["repair", "set", "--joined", "1", "-o", "new"]);
    assert!(run.code == Some(2) && run.stderr.contains("one file at a time"), "{run:#?}");
}

#[test]
fn rdb_that_was_converted_is_as_it_was() {
    let lines = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let keys: Vec<(String, String)> = (0..40)
        .map(|at| {
            let value = match at % 4 {
                0 => lines.to_owned(),
                1 => "one\ntwo\n".to_owned(),
                2 => format!("line {at}\r\nlast"),
                _ => format!("value {at}"),
            };
            (format!("key:{at}"), value)
        })
        .collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let original = rdb(&keys);
    let log = [original.clone(), command(&["SELECT", "0"]), command(&["SET", "z", "1"])].concat();
    let to_lf = |bytes: &[u8]| replaced(bytes, b"\r\n", b"\n");
    let to_crlf = |bytes: &[u8]| replaced(bytes, b"\n", b"\r\n");
    for (name, whole) in [("dump.rdb", &original), ("appendonly.aof", &log)] {
        for converted in [to_lf(whole), to_crlf(whole), to_crlf(&to_lf(whole))] {
            let place = Place::new();
            place.put(name, &converted);
            let run = place.run(&["verify", name]);
            let text = unbroken(&run.stdout);
            assert!(
                run.code == Some(1) && text.contains("its line ends were converted"),
                "{run:#?}"
            );
            let run = place.run(&["repair", name, "-o", "new"]);
            assert_eq!(run.code, Some(0), "{run:#?}");
            assert!(unbroken(&run.stdout).contains("prove that it is then as it was written"));
            assert!(place.read("new") == *whole, "{run:#?}");
        }
    }
}

#[test]
fn rdb_whose_line_ends_are_not_proved_is_salvaged_on_request() {
    let mut original =
        rdb(&[("a", "1"), ("b", "one\r\ntwo"), ("c", "x\ny"), ("d", "1"), ("e", "5")]);
    // Without a checksum, which LF of these were CR LF is known from the lengths alone.
    let end = original.len() - 8;
    original[end..].fill(0);
    original.splice(end - 1..end - 1, b"\0\x05extra\x45\x00".iter().copied().chain([b'v'; 1280]));
    let place = Place::new();
    place.put("dump.rdb", replaced(&original, b"\r\n", b"\n"));
    let run = place.run(&["repair", "dump.rdb", "-o", "new"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("the line ends of the RDB seem to be converted"), "{run:#?}");
    assert!(run.stderr.contains("aofkit repair dump.rdb --salvage --dry-run"), "{run:#?}");
    let run = place.run(&["repair", "dump.rdb", "--salvage", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(unbroken(&run.stdout).contains("its checksum does not prove it"), "{run:#?}");
    assert_eq!(json(&place.run(&["digest", "new", "--json"]))["keys"], 6);
}

#[test]
fn damage_that_cr_in_chosen_places_would_hide_costs_no_other_key() {
    let keys: Vec<(String, String)> = (0..40)
        .map(|at| (format!("key:{at}"), format!("first line {at}\nsecond line {at}")))
        .collect();
    let keys: Vec<(&str, &str)> = keys.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    let original = rdb(&keys);
    let value = memchr::memmem::find(&original, b"first line 20").unwrap();
    let next = |number: usize| {
        let name = format!("key:{number}");
        memchr::memmem::find(&original, name.as_bytes()).unwrap() - 2
    };
    // The value seems to contain records after it and up to 3 bytes of the next one: CR before as many of the LF in it
    // moves its end to where that record begins. Another wrong byte, so that the checksum does not locate the first one.
    for (records, more) in [(1, 1), (1, 2), (2, 3)] {
        let mut damaged = original.clone();
        let len = next(21 + records) - value + more;
        if len < 64 {
            damaged[value - 1] = u8::try_from(len).unwrap();
        } else {
            damaged[value - 1] = 0x40;
            damaged[value] = u8::try_from(len - 1).unwrap();
        }
        damaged[value + 8] ^= 0xff;
        let place = Place::new();
        place.put("dump.rdb", &damaged);
        let run = place.run(&["verify", "dump.rdb"]);
        assert!(!unbroken(&run.stdout).contains("line ends"), "{run:#?}");
        let run = place.run(&["repair", "dump.rdb", "--salvage", "-o", "new", "--json"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let report = json(&run);
        assert_eq!(report["undone"], serde_json::json!([]), "{report:#}");
        let left = json(&place.run(&["digest", "new", "--json"]))["keys"].as_u64();
        assert!(left >= Some(39), "{left:?}: {report:#}");
    }
}
