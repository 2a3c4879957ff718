//! A log in an archive is read as in a directory: each case is a directory, which is compared with an archive of it.

use std::io::{Cursor, Write};

use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::*;

const MANIFEST: &str = "file appendonly.aof.2.base.aof seq 2 type b\n\
                        file appendonly.aof.2.incr.aof seq 2 type i\n";

fn set(key: &str) -> Vec<u8> {
    format!("*3\r\n$3\r\nSET\r\n${}\r\n{key}\r\n$1\r\nv\r\n", key.len()).into_bytes()
}

fn select() -> Vec<u8> {
    b"*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n".to_vec()
}

fn flush() -> Vec<u8> {
    b"*1\r\n$8\r\nFLUSHALL\r\n".to_vec()
}

fn single() -> Vec<u8> {
    [select(), set("a"), set("b")].concat()
}

fn rdb() -> Vec<u8> {
    let path = "testdata/real/flushall-rdb-base-redis-7.0/appendonlydir/appendonly.aof.2.base.rdb";
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

type Files = Vec<(String, Vec<u8>)>;

/// A set in the directory `at`, which is empty or ends with a slash.
fn set_in(at: &str) -> Files {
    vec![
        (format!("{at}appendonly.aof.2.base.aof"), single()),
        (format!("{at}appendonly.aof.2.incr.aof"), [select(), set("c")].concat()),
        (format!("{at}appendonly.aof.manifest"), MANIFEST.into()),
    ]
}

fn with(mut files: Files, more: &[(&str, &[u8])]) -> Files {
    files.extend(more.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec())));
    files
}

fn one(name: &str, bytes: impl Into<Vec<u8>>) -> Files {
    vec![(name.to_owned(), bytes.into())]
}

/// The directories, by what is in them.
fn shapes() -> Vec<(&'static str, Files)> {
    let torn = [single(), b"*3\r\n$3\r\nSE".to_vec()].concat();
    let damaged = [single(), b"garbage\r\n".to_vec(), set("z")].concat();
    let open = [single(), b"*1\r\n$5\r\nMULTI\r\n".to_vec(), set("m")].concat();
    let mac: &[u8] = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        ";
    let set_below = || set_in("appendonlydir/");
    let replace = |name: &str, bytes: &[u8]| {
        let mut files = set_below();
        let file = files.iter_mut().find(|(file, _)| file.ends_with(name)).unwrap();
        file.1 = bytes.to_vec();
        files
    };
    let without = |name: &str| {
        let mut files = set_below();
        files.retain(|(file, _)| !file.ends_with(name));
        files
    };
    vec![
        ("set", set_below()),
        ("set at the root", set_in("")),
        ("set one folder below", set_in("data/appendonlydir/")),
        ("set two folders below", set_in("backup/data/appendonlydir/")),
        ("set four folders below", set_in("srv/var/lib/redis/appendonlydir/")),
        ("single file", one("appendonly.aof", single())),
        ("single file one folder below", one("data/appendonly.aof", single())),
        ("upper case", one("data/DUMP.AOF", single())),
        ("unicode", set_in("Sicherung/größe-データ/appendonlydir/")),
        ("no extension", one("backup", single())),
        ("rdb", one("dump.rdb", rdb())),
        ("rdb one folder below", one("redis/dump.rdb", rdb())),
        ("rdb with preamble", one("x/appendonly.aof", [rdb(), select(), set("n")].concat())),
        (
            "data directory",
            with(
                set_in("redis/appendonlydir/"),
                &[("redis/dump.rdb", &rdb()), ("redis/redis.conf", b"appendonly yes\nport 6379\n")],
            ),
        ),
        (
            "mac",
            with(
                set_in("redis/appendonlydir/"),
                &[
                    ("__MACOSX/redis/appendonlydir/._appendonly.aof.manifest", mac),
                    ("__MACOSX/redis/appendonlydir/._appendonly.aof.2.base.aof", mac),
                    ("__MACOSX/._redis", mac),
                    ("redis/.DS_Store", b"\0\0\0\x01Bud1"),
                ],
            ),
        ),
        (
            "mac beside",
            with(
                set_below(),
                &[
                    ("appendonlydir/._appendonly.aof.manifest", mac),
                    ("appendonlydir/._appendonly.aof.2.incr.aof", mac),
                    ("appendonlydir/.DS_Store", b"\0\0\0\x01Bud1"),
                ],
            ),
        ),
        (
            "mac single",
            with(one("a.aof", single()), &[("._a.aof", mac), ("__MACOSX/._a.aof", mac)]),
        ),
        (
            "rewrite was interrupted",
            with(
                set_below(),
                &[
                    ("appendonlydir/temp-rewriteaof-123.aof", b"REDI"),
                    ("appendonlydir/temp-rewriteaof-bg-9.aof", b"*3\r\n$3\r\nSE"),
                    ("temp-77.rdb", b"REDIS00"),
                ],
            ),
        ),
        (
            "own leftovers",
            with(
                set_below(),
                &[
                    ("appendonlydir.bak-20261128010203/appendonly.aof.manifest", b"file x"),
                    (".appendonlydir.aB3x.tmp/appendonly.aof.manifest", b"file x"),
                ],
            ),
        ),
        (
            "own copy of a file",
            with(one("a.aof", single()), &[("a.aof.bak-20261128010203", b"*3\r\n$3\r\nSE")]),
        ),
        ("orphan", with(set_below(), &[("appendonlydir/appendonly.aof.9.incr.aof", b"*3\r\n$3")])),
        ("readme", with(set_below(), &[("README.txt", b"hello"), ("nodes.conf", b"x")])),
        ("unrelated log above", with(set_below(), &[("appendonly.aof.old", b"*3\r\n$3\r\nSE")])),
        ("empty incr", replace("incr.aof", b"")),
        ("empty base", replace("base.aof", b"")),
        ("empty single", one("appendonly.aof", *b"")),
        ("torn incr", replace("incr.aof", &torn)),
        ("torn base", replace("base.aof", &torn)),
        ("damaged base", replace("base.aof", &damaged)),
        ("damaged single", one("appendonly.aof", damaged.clone())),
        ("torn single", one("x/appendonly.aof", torn)),
        ("open transaction", one("appendonly.aof", open)),
        ("flushed", one("appendonly.aof", [single(), flush()].concat())),
        ("flushed set", replace("incr.aof", &[select(), set("c"), flush()].concat())),
        ("unknown command", one("a.aof", [single(), b"*1\r\n$4\r\nNOPE\r\n".to_vec()].concat())),
        ("missing incr", without("incr.aof")),
        ("missing base", without("base.aof")),
        ("missing manifest", without("manifest")),
        ("broken manifest", replace("manifest", b"file a\n")),
        ("two sets", [set_in("a/"), set_in("b/")].concat()),
        ("two files", [one("a.aof", single()), one("b.aof", single())].concat()),
        ("two files below", [one("x/a.aof", single()), one("x/b.aof", single())].concat()),
    ]
}

/// Writes an archive as `zip -r` does, with an entry for each directory.
fn zip_of(files: &Files, options: SimpleFileOptions) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut made = std::collections::BTreeSet::new();
    for (name, bytes) in files {
        for (at, _) in name.match_indices('/') {
            if made.insert(&name[..at]) {
                zip.add_directory(&name[..at], options).unwrap();
            }
        }
        zip.start_file(name.as_str(), options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn deflated() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Deflated)
}

fn stored() -> SimpleFileOptions {
    SimpleFileOptions::default().compression_method(CompressionMethod::Stored)
}

/// A directory `d` with these files, and `d.zip`, which holds the same.
fn place_of(files: &Files, options: SimpleFileOptions) -> Place {
    let place = Place::new();
    for (name, bytes) in files {
        let path = Path::new("d").join(name);
        fs::create_dir_all(place.path(path.parent().unwrap())).unwrap();
        place.put(path, bytes);
    }
    place.put("d.zip", zip_of(files, options));
    place
}

/// Keys whose values are the time of the run or of a file, or that differ on purpose: an archive has no server.
const NOT_COMPARED: [&str; 11] = [
    "until",
    "elapsed_ms",
    "elapsed_s",
    "memory_bytes",
    "modified",
    "archived",
    "data_directory",
    "opened",
    // The steps at a running server, which has no archive open.
    "next",
    "directory",
    "appenddirname",
];

/// Replaces what may differ between a directory and an archive of it.
fn normalised(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .filter(|(name, _)| !NOT_COMPARED.contains(&name.as_str()))
            .map(|(name, value)| (name, normalised(value)))
            .collect(),
        Value::Array(values) => values.into_iter().map(normalised).collect(),
        Value::String(text) => Value::String(text.replace("d.zip", "d")),
        other => other,
    }
}

/// The report. The next step after an error is not compared: an archive may have to be extracted first.
fn json(run: &Run) -> Value {
    let mut report = normalised(serde_json::from_str(&run.stdout).unwrap_or(Value::Null));
    if report["report"] == "error" {
        report["help"].take();
    }
    report
}

/// The first line of an error, with the path of the directory.
fn error_of(run: &Run) -> String {
    run.stderr.lines().next().unwrap_or_default().replace("d.zip", "d")
}

#[test]
fn verify_of_an_archive_equals_that_of_the_directory() {
    for (what, files) in shapes() {
        for options in [deflated(), stored()] {
            let place = place_of(&files, options);
            for server in [None, Some("redis-6.2"), Some("redis-7.0"), Some("valkey-9.1")] {
                let run = |path| {
                    let mut args = vec!["verify", "--json", path];
                    args.extend(server.iter().flat_map(|server| ["--for", server]));
                    place.run(&args)
                };
                let (directory, archive) = (run("d"), run("d.zip"));
                assert_eq!(directory.code, archive.code, "{what}: {directory:#?}\n{archive:#?}");
                let expected = &json(&directory)["logs"][0];
                let found = &json(&archive)["logs"][0];
                let found = if found["status"] == "failed" { found } else { &found["log"] };
                if expected["status"] == "failed" {
                    assert_eq!(found["message"], expected["message"], "{what}");
                } else {
                    assert_eq!(found, expected, "{what}");
                }
            }
        }
    }
}

#[test]
fn an_archive_that_a_server_does_not_load_is_refused_and_not_damaged() {
    let files = shapes().into_iter().find(|(what, _)| *what == "data directory").unwrap().1;
    let place = place_of(&files, deflated());
    for path in ["d", "d.zip"] {
        let run = place.run(&["verify", path, "--for", "redis-6.2"]);
        assert!(run.stdout.lines().any(|line| line.starts_with("REFUSED: 1 error")), "{run:#?}");
    }
}

#[test]
fn operations_on_an_archive_equal_those_on_the_directory() {
    for (what, files) in shapes() {
        let place = place_of(&files, deflated());
        for args in [
            &["digest", "--json"][..],
            &["recover", "--json"],
            &["log"],
            &["history", "a"],
            &["compact", "--dry-run", "--json"],
            &["diff", "--json", "d"],
        ] {
            let run = |path| place.run(&[args, &[path]].concat());
            let (directory, archive) = (run("d"), run("d.zip"));
            let case = format!("{what}: {args:?}\n{directory:#?}\n{archive:#?}");
            // The paths in what is missing differ, and so do the steps.
            if args[0] == "recover" && !json(&directory)["missing"].is_null() {
                assert_eq!((directory.code, archive.code), (Some(1), Some(1)), "{case}");
                let kind = |run: &Run| json(run)["missing"]["kind"].clone();
                assert_eq!(kind(&directory), kind(&archive), "{case}");
                continue;
            }
            assert_eq!(directory.code, archive.code, "{case}");
            assert_eq!(error_of(&directory), error_of(&archive), "{case}");
            if args.contains(&"--json") {
                assert_eq!(json(&directory), json(&archive), "{case}");
            } else {
                assert_eq!(directory.stdout, archive.stdout, "{case}");
            }
        }
    }
}

#[test]
fn extract_and_restore_take_what_verify_takes() {
    for (what, files) in shapes() {
        let place = place_of(&files, deflated());
        let verified = place.run(&["verify", "d.zip"]);
        let restored = place.run(&["restore", "d.zip", "-o", "restored"]);
        let extracted = place.run(&["extract", "d.zip", "-o", "extracted"]);
        if verified.code == Some(0) {
            assert_eq!(restored.code, Some(0), "{what}: {restored:#?}");
            assert_eq!(extracted.code, Some(0), "{what}: {extracted:#?}");
            let same = place.run(&["diff", "restored", "d"]);
            assert_eq!(same.code, Some(0), "{what}: {same:#?}");
            let same = place.run(&["diff", "extracted", "d"]);
            assert_eq!(same.code, Some(0), "{what}: {same:#?}");
        } else {
            // A log that no known server loads is restored all the same, unless a server is named.
            let is_damaged = extracted.code != Some(0);
            assert!(!is_damaged || restored.code != Some(0), "{what}: {restored:#?}");
        }
    }
}

#[test]
fn names_as_windows_and_other_programs_store_them_are_read() {
    let names: [fn(&str) -> String; 3] = [
        |name| format!("./{name}"),
        |name| name.replace('/', "\\"),
        |name| format!("data\\{}", name.replace('/', "\\")),
    ];
    for rename in names {
        let files: Files = set_in("appendonlydir/")
            .into_iter()
            .map(|(name, bytes)| (rename(&name), bytes))
            .collect();
        let place = place_of(&set_in("appendonlydir/"), deflated());
        let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in &files {
            // The crate corrects names itself: the letters are replaced afterwards.
            let safe = name.replace('\\', "|").replace("./", "@/");
            zip.start_file(safe, stored()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        let mut bytes = zip.finish().unwrap().into_inner();
        for (name, _) in &files {
            let safe = name.replace('\\', "|").replace("./", "@/");
            for at in memchr::memmem::find_iter(&bytes.clone(), &safe) {
                bytes[at..at + name.len()].copy_from_slice(name.as_bytes());
            }
        }
        place.put("d.zip", bytes);
        let run = place.run(&["verify", "d.zip"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let run = place.run(&["diff", "d", "d.zip"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
        let run = place.run(&["restore", "d.zip", "-o", "restored"]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
}

#[test]
fn an_empty_file_named_zip_is_no_archive() {
    let place = Place::new();
    place.put("a.zip", b"");
    let run = place.run(&["verify", "a.zip"]);
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("this is no archive: the file is empty"), "{run:#?}");
    for args in [
        &["digest", "a.zip"][..],
        &["log", "a.zip"],
        &["recover", "a.zip"],
        &["compact", "--dry-run", "a.zip"],
        &["restore", "a.zip", "-o", "x"],
        &["extract", "a.zip", "-o", "x"],
    ] {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("not a zip archive: the file is empty"), "{run:#?}");
    }
    assert_eq!(place.names(), ["a.zip"]);
}

#[test]
fn several_sets_in_an_archive_are_listed() {
    let place = place_of(&[set_in("a/"), set_in("b/")].concat(), deflated());
    for args in [&["verify", "d.zip"][..], &["digest", "d.zip"], &["recover", "d.zip"]] {
        let run = place.run(args);
        assert_eq!(run.code, Some(2), "{run:#?}");
        let list =
            "several multi-part sets here: a/appendonly.aof.manifest, b/appendonly.aof.manifest";
        assert!(run.stderr.contains(list), "{run:#?}");
        assert!(run.stderr.contains("aofkit extract"), "{run:#?}");
    }
    let run = place.run(&["extract", "d.zip", "-o", "x"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.run(&["verify", "x/a"]).code, Some(0));
}

#[test]
fn nothing_remains_of_a_temporary_extraction() {
    let torn = one("a.aof", [single(), b"garbage\r\n".to_vec(), set("x")].concat());
    for (files, codes) in
        [(set_in("appendonlydir/"), [0, 0]), (torn, [1, 2]), (one("x", *b"hello"), [1, 2])]
    {
        let place = place_of(&files, deflated());
        fs::create_dir(place.path("tmp")).unwrap();
        for (work, code) in ["verify", "digest"].into_iter().zip(codes) {
            let run = place.shell(&format!("TMPDIR=tmp exec \"$0\" {work} d.zip"));
            assert_eq!(run.code, Some(code), "{run:#?}");
            assert!(!run.stdout.contains("tmp/") && !run.stderr.contains("tmp/"), "{run:#?}");
            assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0, "{run:#?}");
        }
    }
}

#[test]
fn an_extraction_that_does_not_fit_is_reported_with_its_directory() {
    let long: Vec<u8> = (0..20_000).flat_map(|number| set(&format!("key:{number}"))).collect();
    let place = place_of(&one("a.aof", long), deflated());
    fs::create_dir(place.path("tmp")).unwrap();
    for work in ["verify", "digest", "log", "recover"] {
        let run = place
            .shell(&format!("trap '' XFSZ; ulimit -f 20; TMPDIR=tmp exec \"$0\" {work} d.zip"));
        assert_eq!(run.code, Some(2), "{run:#?}");
        assert!(run.stderr.contains("File too large") && run.stderr.contains("TMPDIR"), "{run:#?}");
        assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0, "{run:#?}");
    }
    let run = place.shell("TMPDIR=/nowhere exec \"$0\" digest d.zip");
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("/nowhere") && run.stderr.contains("TMPDIR"), "{run:#?}");
}

#[test]
fn an_interrupted_extraction_is_deleted() {
    let long: Vec<u8> = (0..400_000).flat_map(|number| set(&format!("key:{number}"))).collect();
    let place = place_of(&one("a.aof", long), deflated());
    fs::create_dir(place.path("tmp")).unwrap();
    for (signal, work) in
        [("INT", "digest"), ("TERM", "digest"), ("INT", "verify"), ("TERM", "recover")]
    {
        // Interrupted as soon as the extraction has begun.
        let run = place.shell(&format!(
            "TMPDIR=tmp \"$0\" {work} d.zip & p=$!\n\
             while kill -0 $p 2>/dev/null && [ -z \"$(ls tmp)\" ]; do :; done\n\
             [ -n \"$(ls tmp)\" ] && echo begun\n\
             kill -{signal} $p; wait $p"
        ));
        assert_eq!(run.stdout.lines().next(), Some("begun"), "{run:#?}");
        assert_eq!(run.code, Some(130), "{signal} {work}: {run:#?}");
        assert_eq!(fs::read_dir(place.path("tmp")).unwrap().count(), 0, "{signal} {work}");
    }
}

/// A run that was killed leaves its directory among the temporary files: the next one removes it, and so does `clean`.
#[test]
fn directories_of_killed_runs_are_removed() {
    let place = place_of(&one("a.aof", sound()), deflated());
    let hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    for (work, old) in [
        ("digest d.zip", "aofkit-unpacked.Xy12Zw.tmp"),
        ("recover d.zip", "aofkit-unpacked.Xy12Zw.tmp"),
        ("verify d.zip", "aofkit-unpacked.Xy12Zw.tmp"),
        ("restore d.zip -o new --dry-run", ".aofkit-restore.Xy12Zw.tmp"),
        ("clean tmp --yes", "aofkit-unpacked.Xy12Zw.tmp"),
        ("clean tmp --yes", "aofkit-heads.Xy12Zw.tmp"),
        ("clean tmp --yes", "aofkit-backup.Xy12Zw.tmp"),
    ] {
        let _ = fs::remove_dir_all(place.path("tmp"));
        let others = ["aofkit-unpacked.young0.tmp", "aofkit-unpacked.mine"];
        for name in others.into_iter().chain([old]) {
            fs::create_dir_all(place.path("tmp").join(name).join("log")).unwrap();
        }
        let make_old = |name: &str| {
            let directory = fs::File::open(place.path("tmp").join(name)).unwrap();
            directory.set_modified(hour_ago).unwrap();
        };
        make_old(old);
        make_old("aofkit-unpacked.mine");
        let run = place.shell(&format!("TMPDIR=tmp exec \"$0\" {work}"));
        assert_eq!(run.code, Some(0), "{work}: {run:#?}");
        let entries = fs::read_dir(place.path("tmp")).unwrap();
        let mut left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["aofkit-unpacked.mine", "aofkit-unpacked.young0.tmp"], "{work}");
    }
}
