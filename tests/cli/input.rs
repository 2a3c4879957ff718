//! Input of every kind: each gives a clear answer and the documented exit code.

use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::Command;
use std::time::{Duration, Instant};

use super::*;

const EVERYBODY: &str = "redis 4.0, 5.0, 6.0, 6.2, 7.0, 7.2, 7.4, 8.0, 8.2, 8.4, 8.6,
                  8.8, 8.10, 8.12, valkey 7.2, 8.0, 8.1, 9.0, 9.1, 9.2";

#[test]
fn a_path_that_does_not_exist() {
    Place::new().run(&["verify", "nothing.aof"]).ends(
        2,
        "",
        "error: cannot open nothing.aof: No such file or directory (os error 2)\n",
    );
}

#[test]
fn a_directory_without_a_log() {
    let place = Place::new();
    fs::create_dir(place.path("data")).unwrap();
    place.put("data/readme.txt", "nothing of the kind");
    place.run(&["verify", "data"]).ends(
        2,
        "",
        "error: data: there is no append-only file and no RDB in this directory
help: looked for a *.manifest in it and in the directories in it, for *.aof and
      *.rdb files, and for files that begin like one\n",
    );
}

#[test]
fn a_file_that_may_not_be_read() {
    let place = Place::new();
    place.put("a.aof", sound());
    fs::set_permissions(place.path("a.aof"), fs::Permissions::from_mode(0o000)).unwrap();
    if fs::read(place.path("a.aof")).is_ok() {
        eprintln!("skipped: whoever runs this may read every file");
        return;
    }
    let run = place.run(&["verify", "a.aof"]);
    run.ends(2, "", "error: cannot open a.aof: Permission denied (os error 13)\n");
}

#[test]
fn a_file_of_no_bytes() {
    let place = Place::new();
    place.put("a.aof", "");
    place.run(&["verify", "a.aof"]).reports(
        0,
        &format!(
            "a.aof  empty\n\n  a.aof                0 bytes  0 commands\n\n  loads           {EVERYBODY}\n\nSOUND: every byte read: 0 commands, 0 bytes\n"
        ),
    );
}

#[test]
fn noise_and_a_picture() {
    let place = Place::new();
    let mut state = 1_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    })
    .take(3000)
    .collect();
    place.put("noise", noise);
    place.put("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR");
    for (name, byte) in [("noise", ""), ("picture.png", "found 0x89")] {
        let run = place.run(&["verify", name]);
        assert_eq!((run.code, run.stderr.as_str()), (Some(1), ""), "{run:#?}");
        let what = "error: expected `*`, which begins a command, ";
        assert!(run.stdout.contains(&format!("{what}{byte}")), "{run:#?}");
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let older = "refuses redis 4.0, 5.0, 6.0, 6.2, 7.0, 7.2, 7.4, 8.0, 8.2, valkey 7.2, 8.0, 8.1, 9.0, 9.1, 9.2: bad format (byte";
        let newer = "refuses redis 8.4, 8.6, 8.8, 8.10, 8.12: bad format, unless aof-load-corrupt-tail-max-size";
        assert!(text.contains(older) && text.contains(newer), "{run:#?}");
    }
}

#[test]
fn archives_are_named_with_what_to_do() {
    let place = Place::new();
    place.put("a.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    place.put("a.zip", b"PK\x03\x04\x14\0\0\0\0\0");
    place.run(&["verify", "a.gz"]).ends(
        2,
        "",
        "error: a.gz: this is a gzip file\nhelp: decompress it: `aofkit repair FILE --output NEW`, which repairs what is in\n      it too; or, if a tar archive is in it, tar -xf FILE\n",
    );
    place.run(&["repair", "--dry-run", "a.zip"]).ends(
        2,
        "",
        "error: a.zip: the archive has no directory at its end\nhelp: `aofkit verify` gives details, and `aofkit extract --damaged` extracts what can be read\n",
    );
}

#[test]
fn headers_that_promise_too_much() {
    let place = Place::new();
    let case = |bytes: &[u8], code: i32, finding: &str, verdict: &str| {
        place.put("a.aof", bytes);
        let run = limited(&place, "verify a.aof");
        assert_eq!((run.code, run.stderr.as_str()), (Some(code), ""), "{run:#?}");
        let text = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains(finding), "`{finding}` is not in {}", run.stdout);
        assert!(text.contains(verdict), "`{verdict}` is not in {}", run.stdout);
    };
    case(b"*2147483647\r\n", 1, "expected the rest of a command, found the end", "cuts 13 bytes");
    case(b"*1\r\n$-7\r\na\r\n", 1, "found -7", "crashes redis 6.0");
    case(
        b"*1\r\n$9999999999999999999999\r\nx\r\n",
        1,
        "a value of 9223372036854775807 bytes",
        "no memory",
    );
    case(format!("*{}\r\n", "9".repeat(200)).as_bytes(), 1, "found -1", "refuses redis 4.0");
    let padded = format!("*{:0>200}\r\n$4\r\nPING\r\n", 1);
    case(padded.as_bytes(), 0, "a command not written as servers write it", "loads redis 7.0");
    case(&[b'*'; 100_000], 1, "found 0", "refuses");
}

/// With so little memory to be had that nothing can be put aside for what a header promises.
fn limited(place: &Place, arguments: &str) -> Run {
    // Data of the process and its threads; what is mapped from a file does not count.
    place.shell(&format!("ulimit -d 150000; exec \"$0\" -j 2 {arguments}"))
}

#[test]
fn a_value_of_a_gigabyte_is_not_held_in_memory() {
    let place = Place::new();
    let mut file = fs::File::create(place.path("a.aof")).unwrap();
    file.write_all(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1073741824\r\n").unwrap();
    file.seek(SeekFrom::Current(1 << 30)).unwrap();
    file.write_all(b"\r\n").unwrap();
    let began = Instant::now();
    let run = limited(&place, "verify a.aof");
    assert_eq!(run.code, Some(0), "{run:#?}");
    let last = "SOUND: every byte read: 1 command, 1,073,741,859 bytes in <time>\n";
    assert!(without_times(&run.stdout).ends_with(last), "{run:#?}");
    // A bound against reading it again and again, not a measure.
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_manifest_that_points_elsewhere() {
    let place = Place::new();
    place.put("elsewhere.aof", sound());
    fs::create_dir(place.path("set")).unwrap();
    place.put("set/appendonly.aof.manifest", "file ../elsewhere.aof seq 1 type i\n");
    place.run(&["verify", "set"]).ends(
        1,
        "error: set/appendonly.aof.manifest: line 1: the file name `../elsewhere.aof` is a path; it must be a bare name, without / and \\: file ../elsewhere.aof seq 1 type i
help: correct the line, or take the manifest from a backup; no server starts
      with it as it is

  starts empty    redis 4.0, 5.0, 6.0, 6.2: multi-part directories came with
                  Redis 7.0
  refuses         redis 7.0, 7.2, 7.4, 8.0, 8.2, 8.4, 8.6, 8.8, 8.10, 8.12,
                  valkey 7.2, 8.0, 8.1, 9.0, 9.1, 9.2: \"File can't be a path,
                  just a filename\"\n",
        "",
    );
}

#[test]
fn links_that_lead_nowhere() {
    let place = Place::new();
    symlink("b", place.path("a")).unwrap();
    symlink("a", place.path("b")).unwrap();
    place.run(&["verify", "a"]).ends(
        2,
        "",
        "error: cannot open a: Too many levels of symbolic links (os error 40)\n",
    );
}

#[test]
fn what_cannot_be_mapped() {
    let place = Place::new();
    place.run(&["verify", "-"]).ends(
        2,
        "",
        "error: standard input cannot be mapped into memory
help: save it to a file first, and give the name of that\n",
    );
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    place.run(&["verify", "pipe"]).ends(
        2,
        "",
        "error: pipe: this is a pipe, socket or device, not a regular file
help: a log is mapped into memory, which needs a regular file; save it to one
      first\n",
    );
}

#[test]
fn several_paths() {
    let place = Place::new();
    place.put("sound.aof", sound());
    place.put("torn.aof", torn());
    let run = place.run(&["verify", "sound.aof", "missing.aof"]);
    assert_eq!(run.code, Some(3));
    assert!(run.stdout.ends_with("\n2 logs: 1 sound, 0 damaged, 1 not read\n"), "{run:#?}");
    assert_eq!(
        run.stderr,
        "error: cannot open missing.aof: No such file or directory (os error 2)\n"
    );
    assert_eq!(place.run(&["verify", "sound.aof", "torn.aof"]).code, Some(1));
    assert_eq!(place.run(&["verify", "sound.aof", "sound.aof"]).code, Some(0));
    assert_eq!(place.run(&["verify", "missing.aof", "gone.aof"]).code, Some(2));
}

#[test]
fn arguments_that_make_no_sense() {
    let place = Place::new();
    place.put("a.aof", torn());
    let cases: [&[&str]; 9] = [
        &[],
        &["verify"],
        &["verify", "--for", "keydb-6", "a.aof"],
        &["verify", "--top", "-1", "a.aof"],
        &["no-such-command"],
        &["repair", "a.aof", "--output", "b.aof", "--in-place"],
        &["repair", "a.aof", "--output", "b.aof", "--max-loss", "much"],
        &["repair", "a.aof", "--output", "b.aof", "--max-loss", "-1"],
        &["repair", "a.aof", "--output", "b.aof", "--join", "somewhere"],
    ];
    for case in cases {
        let run = place.run(case);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{case:?}: {run:#?}");
    }
    place.run(&["repair", "a.aof"]).ends(
        2,
        "",
        "error: no destination given for the repaired log
help: use --output NEW to write a new log, --in-place to replace this one and keep the original, or --dry-run to write nothing\n",
    );
    assert_eq!(place.names(), ["a.aof"]);
}

#[test]
fn newer_content_than_the_version_of_an_rdb_is_reported() {
    let place = Place::new();
    // A note, which came with version 7; a checksum of zeros is none.
    let notes = b"\xfa\x01a\x01b\xff\0\0\0\0\0\0\0\0";
    for (version, reported) in [("0006", true), ("0007", false)] {
        place.put("a.rdb", [b"REDIS", version.as_bytes(), notes].concat());
        let run = place.run(&["verify", "a.rdb"]);
        let found = run.stdout.contains("the RDB says that it is of version 6, and holds");
        assert_eq!((run.code, found), (Some(0), reported), "{run:#?}");
    }
}
