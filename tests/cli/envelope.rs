//! A compressed RDB of Valkey 9.2: read like any RDB, and carried as it is.
//!
//! No such server is to be had: the envelopes are made with the encoders of the two codecs, as the server's authors
//! describe them.

use std::io::Write as _;

use super::newer::put_flushed_set;
use super::*;

/// An RDB of two keys, `a` and `b`, as it is in an envelope: without a checksum of its own.
fn plain() -> Vec<u8> {
    let notes = b"VALKEY080\xfa\x0avalkey-ver\x059.2.0\xfe\0\xfb\x02\0";
    // The length of a string of 200 bytes takes 14 bits.
    let long = [b"\0\x01b\x40\xc8".as_slice(), &[b'x'; 200]].concat();
    [notes.as_slice(), b"\0\x01a\x011", &long, b"\xff\0\0\0\0\0\0\0\0"].concat()
}

fn lz4(content: &[u8]) -> Vec<u8> {
    let info = lz4_flex::frame::FrameInfo::new().content_checksum(true).block_checksums(true);
    let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(content).unwrap();
    [b"VCS\x01\x01\x01\x01".as_slice(), &encoder.finish().unwrap()].concat()
}

/// A compressed RDB.
pub(crate) fn compressed() -> Vec<u8> {
    lz4(&plain())
}

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(content).unwrap();
    [b"VCS\x01\x02\x01\x01".as_slice(), &encoder.finish().unwrap()].concat()
}

/// Each codec by its name, with an envelope of this content.
fn envelopes(content: &[u8]) -> [(&'static str, Vec<u8>); 2] {
    [("LZ4", lz4(content)), ("Zstandard", zstd(content))]
}

/// The text without line breaks.
fn unbroken(run: &Run) -> String {
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn succeeds(place: &Place, args: &[&str]) -> Run {
    let run = place.run(args);
    assert_eq!(run.code, Some(0), "{args:?}: {run:#?}");
    run
}

/// The digest that is printed for a path.
fn digest(place: &Place, path: &str) -> String {
    let run = succeeds(place, &["digest", path]);
    let is_digest =
        |word: &&str| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    run.stdout.split_whitespace().find(is_digest).expect("a digest").to_owned()
}

#[test]
fn compressed_rdb_is_verified_and_its_servers_are_named() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        let text = unbroken(&succeeds(&place, &["verify", "dump.rdb"]));
        assert!(text.contains("2 keys"), "{text}");
        assert!(text.contains(&format!("as Valkey 9.2 writes it ({codec})")), "{text}");
        assert!(text.contains("the checksums of the envelope match"), "{text}");
        assert!(text.contains("a compressed RDB, which came with Valkey 9.2"), "{text}");
        for (server, code) in [("valkey-9.2", 0), ("valkey-9.1", 1), ("redis-8.12", 1)] {
            let run = place.run(&["verify", "--for", server, "dump.rdb"]);
            assert_eq!(run.code, Some(code), "{server}: {run:#?}");
        }
        let word = if codec == "LZ4" { "loads" } else { "unknown" };
        let run = place.run(&["verify", "--for", "valkey-9.2", "dump.rdb"]);
        assert!(run.stdout.contains(&format!("\n  {word} ")), "{run:#?}");
    }
}

#[test]
fn commands_read_a_compressed_rdb_as_the_plain_one() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        place.put("plain.rdb", plain());
        place.put("dump.rdb", &bytes);
        put_flushed_set(&place, "log", &bytes);
        place.put("single.aof", [&bytes[..], &sound()].concat());
        place.put("plain.aof", [&plain()[..], &sound()].concat());
        assert_eq!(digest(&place, "dump.rdb"), digest(&place, "plain.rdb"), "{codec}");
        assert_eq!(digest(&place, "single.aof"), digest(&place, "plain.aof"), "{codec}");
        succeeds(&place, &["diff", "dump.rdb", "plain.rdb"]);
        let history = succeeds(&place, &["history", "b", "single.aof"]);
        assert!(history.stdout.contains("200"), "{history:#?}");
        let log = succeeds(&place, &["log", "single.aof"]);
        assert_eq!(log.stdout.lines().count(), 4, "{log:#?}");
        succeeds(&place, &["check-aof", "single.aof"]);
        succeeds(&place, &["check-aof", "log/appendonly.aof.manifest"]);
        succeeds(&place, &["compact", "log", "-o", "compacted"]);
        succeeds(&place, &["verify", "compacted"]);
        succeeds(&place, &["compact", "dump.rdb", "--format", "rdb", "-o", "new.rdb"]);
        assert_eq!(digest(&place, "new.rdb"), digest(&place, "plain.rdb"), "{codec}");
        let run = place.run(&["recover", "log"]);
        assert_eq!(run.code, Some(1), "{run:#?}");
        assert!(unbroken(&run).contains("1 FLUSHALL"), "{run:#?}");
    }
}

#[test]
fn compressed_rdb_is_carried_as_it_is() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        put_flushed_set(&place, "appendonlydir", &bytes);
        place.put("dump.rdb", &bytes);
        place.put("single.aof", [&bytes[..], &torn()].concat());
        fs::create_dir(place.path("to")).unwrap();
        succeeds(&place, &["compress", "appendonlydir", "-o", "a.zip"]);
        succeeds(&place, &["verify", "a.zip"]);
        let run = succeeds(&place, &["verify", "--for", "valkey-9.2", "a.zip"]);
        assert!(unbroken(&run).contains(codec), "{run:#?}");
        succeeds(&place, &["backup", "appendonlydir", "--to", "to"]);
        succeeds(&place, &["compress", "dump.rdb", "-o", "b.zip"]);
        succeeds(&place, &["extract", "b.zip", "-o", "single"]);
        assert_eq!(place.read("single/appendonly.aof"), bytes, "{codec}");
        succeeds(&place, &["extract", "a.zip", "-o", "new"]);
        succeeds(&place, &["restore", "a.zip", "-o", "data"]);
        succeeds(&place, &["restore", "a.zip", "--for", "valkey-9.2", "-o", "same"]);
        let backup = fs::read_dir(place.path("to")).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            path.extension().is_some_and(|end| end == "zip").then_some(path)
        });
        let backup = backup.unwrap().to_string_lossy().into_owned();
        succeeds(&place, &["extract", &backup, "-o", "backed-up"]);
        succeeds(&place, &["recover", "appendonlydir", "--strip", "-o", "stripped/"]);
        succeeds(&place, &["recover", "appendonlydir", "--until", "#2", "-o", "early"]);
        let base = "appendonly.aof.1.base.rdb";
        for directory in [
            "new/appendonlydir",
            "data/appendonlydir",
            "same/appendonlydir",
            "backed-up/appendonlydir",
            "stripped",
            "early",
        ] {
            assert_eq!(place.read(Path::new(directory).join(base)), bytes, "{codec}: {directory}");
        }
        // A torn end is cut after the envelope, which is retained as it is.
        let run = place.run(&["repair", "single.aof", "-o", "cut.aof"]);
        assert_eq!(place.read("cut.aof"), [&bytes[..], &sound()].concat(), "{codec}: {run:#?}");
        let run = place.run(&["check-aof", "--fix", "--yes", "single.aof"]);
        assert_eq!(place.read("single.aof"), place.read("cut.aof"), "{codec}: {run:#?}");
    }
}

#[test]
fn compressed_rdb_is_restored_for_a_server_without_compression() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        place.put("plain.rdb", plain());
        succeeds(&place, &["compress", "dump.rdb", "-o", "a.zip"]);
        succeeds(&place, &["restore", "a.zip", "--for", "valkey-9.1", "-o", "data"]);
        succeeds(&place, &["verify", "--for", "valkey-9.1", "data"]);
        assert_eq!(digest(&place, "data"), digest(&place, "plain.rdb"), "{codec}");
    }
}

#[test]
fn directory_that_cannot_hold_the_content_is_named() {
    let place = Place::new();
    place.put("dump.rdb", compressed());
    let mut command = place.command();
    command.env("TMPDIR", place.path("missing")).args(["verify", "dump.rdb"]);
    let run = Run::of(&command.output().unwrap());
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("TMPDIR") && run.stderr.contains("missing"), "{run:#?}");
}

#[test]
fn zip_of_another_program_with_a_compressed_rdb_is_read() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        place.put("plain.rdb", plain());
        let zip = "import zipfile; zipfile.ZipFile('a.zip', 'w').write('dump.rdb')";
        assert_eq!(place.shell(&format!("python3 -c \"{zip}\"")).code, Some(0));
        let run = succeeds(&place, &["verify", "a.zip"]);
        assert!(unbroken(&run).contains("2 RDB keys"), "{codec}: {run:#?}");
        assert_eq!(digest(&place, "a.zip"), digest(&place, "plain.rdb"));
    }
}

#[test]
fn cut_or_flipped_envelope_is_damage_with_its_place() {
    for (codec, bytes) in envelopes(&plain()) {
        let place = Place::new();
        for len in [bytes.len() - 1, bytes.len() - 5, bytes.len() - 9, 20, 9] {
            place.put("dump.rdb", &bytes[..len]);
            let run = place.run(&["verify", "dump.rdb"]);
            assert_eq!(run.code, Some(1), "{codec}, {len} bytes: {run:#?}");
            let text = unbroken(&run);
            assert!(text.contains("the file ends inside the"), "{codec}, {len} bytes: {text}");
            assert!(text.contains("DAMAGED"), "{codec}, {len} bytes: {text}");
        }
        // Byte 12 of a Zstandard envelope is the size of the window, which changes no content.
        for at in (11..bytes.len()).filter(|at| (codec, *at) != ("Zstandard", 12)) {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1;
            place.put("dump.rdb", &flipped);
            let run = place.run(&["verify", "dump.rdb"]);
            assert_eq!(run.code, Some(1), "{codec}, byte {at}: {run:#?}");
            assert!(run.stdout.contains("--> dump.rdb: byte "), "{codec}, byte {at}: {run:#?}");
        }
        let mut flipped = bytes.clone();
        *flipped.last_mut().unwrap() ^= 1;
        put_flushed_set(&place, "log", &flipped);
        for args in [
            &["compress", "log", "-o", "a.zip"][..],
            &["digest", "log"],
            &["compact", "log", "-o", "new"],
        ] {
            let run = place.run(args);
            assert_eq!(run.code, Some(2), "{codec}: {args:?}: {run:#?}");
        }
        assert!(!place.path("a.zip").exists() && !place.path("new").exists());
    }
}

#[test]
fn unknown_codec_is_named_and_not_called_damage() {
    let place = Place::new();
    let unknown = b"VCS\x01\x07\x01\x01some frame of the future";
    place.put("dump.rdb", unknown);
    put_flushed_set(&place, "log", unknown);
    let run = place.run(&["verify", "dump.rdb"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    let text = unbroken(&run);
    assert!(text.contains("codec 7 is unknown to this version of aofkit"), "{text}");
    assert!(text.contains("NOT CHECKED") && !text.contains("DAMAGED"), "{text}");
    assert!(run.stdout.contains("\n  unknown "), "{run:#?}");
    let run = place.run(&["recover", "log"]);
    let text = unbroken(&run);
    assert!(text.contains("codec 7 is unknown") && !text.contains("DAMAGED"), "{run:#?}");
    let run = place.run(&["digest", "log"]);
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("codec 7 is unknown"), "{run:#?}");
    fs::create_dir(place.path("to")).unwrap();
    let run = place.run(&["backup", "log", "--to", "to"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("NOT CHECKED: nothing was written"), "{run:#?}");
    // What cannot be checked is carried on request, bit for bit.
    let run = place.run(&["compress", "log", "--damaged", "-o", "a.zip"]);
    assert!(place.path("a.zip").exists(), "{run:#?}");
    place.run(&["extract", "a.zip", "--damaged", "-o", "new"]);
    assert_eq!(place.read("new/appendonlydir/appendonly.aof.1.base.rdb"), unknown);
    let run = place.run(&["backup", "log", "--to", "to", "--damaged"]);
    assert!(run.stdout.contains("BACKED UP"), "{run:#?}");
}

#[test]
fn content_unknown_here_is_whole_by_the_checksum_of_the_envelope() {
    let newer = b"VALKEY099\xfe\0\x63\x01k??\xff\0\0\0\0\0\0\0\0";
    for (codec, bytes) in envelopes(newer) {
        let place = Place::new();
        place.put("dump.rdb", &bytes);
        let text = unbroken(&succeeds(&place, &["verify", "dump.rdb"]));
        assert!(text.contains("Valkey RDB version 99"), "{codec}: {text}");
        assert!(text.contains("WHOLE"), "{codec}: {text}");
        succeeds(&place, &["compress", "dump.rdb", "-o", "a.zip"]);
        succeeds(&place, &["extract", "a.zip", "-o", "new"]);
        assert_eq!(place.read("new/appendonly.aof"), bytes);
    }
}
