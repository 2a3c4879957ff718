//! Tests of `open`.

use super::*;
use std::os::unix::fs::symlink;
use tempfile::TempDir;

const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
const RDB: &[u8] = b"REDIS0011\xff\0\0\0\0\0\0\0\0";

type Files<'a> = &'a [(&'a str, &'a [u8])];

/// Creates a directory from `(path, content)` pairs; a path that ends in `/` is a directory.
fn files(files: Files) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
    }
    directory
}

/// Creates a server's data directory with a base and two incremental files.
fn data_directory(more: Files) -> TempDir {
    let set: Files = &[
        (
            "appendonlydir/appendonly.aof.manifest",
            b"file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\nfile appendonly.aof.2.incr.aof seq 2 type i\nfile appendonly.aof.3.incr.aof seq 3 type i\n",
        ),
        ("appendonlydir/appendonly.aof.2.base.rdb", RDB),
        ("appendonlydir/appendonly.aof.2.incr.aof", SET),
        ("appendonlydir/appendonly.aof.3.incr.aof", b""),
    ];
    files(&[set, more].concat())
}

/// Returns the layout, followed by each part as `role:name`, with `*` after the last.
fn shape(log: &Log) -> String {
    let kind = serde_json::to_value(&log.layout).unwrap()["kind"].as_str().unwrap().to_string();
    let parts = log.parts.iter().map(|part| {
        let last = if part.is_last { "*" } else { "" };
        format!(" {:?}:{}{last}", part.role, part.name).to_lowercase()
    });
    kind + &parts.collect::<String>()
}

fn others(log: &Log) -> Vec<(String, OtherKind)> {
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    log.others.iter().map(|other| (name(&other.path), other.kind)).collect()
}

/// Returns the message and the help of the error, without the directory.
fn refusal(directory: &TempDir, path: &str) -> String {
    let error = open_files(directory.path().join(path)).err().unwrap();
    let prefix = directory.path().display().to_string();
    let message = error.to_string().replace(&format!("{prefix}/"), "").replace(&prefix, "");
    format!("{:?}: {message} | {}", error.kind(), error.next_step().unwrap_or_default())
}

const PARTS: &str = "multi-part base:appendonly.aof.2.base.rdb incr:appendonly.aof.2.incr.aof incr:appendonly.aof.3.incr.aof*";

#[test]
fn a_file_is_known_by_its_first_bytes() {
    let cases: &[(&str, &[u8], &str)] = &[
        ("a.aof", SET, "single-file single:a.aof*"),
        ("a.rdb", SET, "single-file single:a.rdb*"),
        ("a.manifest", SET, "single-file single:a.manifest*"),
        ("a.aof", b"#TS:1700000000\r\n*1\r\n$4\r\nPING\r\n", "single-file single:a.aof*"),
        ("a.aof", b"\0\0\0\0", "single-file single:a.aof*"),
        ("a.aof", b"hello\n", "single-file single:a.aof*"),
        ("a.aof", RDB, "rdb-file single:a.aof*"),
        ("a.manifest", RDB, "rdb-file single:a.manifest*"),
        ("a.aof", b"VALKEY080\xff", "rdb-file single:a.aof*"),
        ("a.aof", b"REDI", "single-file single:a.aof*"),
        ("a.aof", b"", "empty single:a.aof*"),
        ("x.7.incr.aof", SET, "one-part incr:x.7.incr.aof*"),
        ("x.7.base.rdb", RDB, "one-part base:x.7.base.rdb*"),
        ("x.7.base.aof", b"", "one-part base:x.7.base.aof*"),
        ("x.seven.base.aof", b"", "empty single:x.seven.base.aof*"),
        (".7.base.aof", b"", "empty single:.7.base.aof*"),
    ];
    for (name, content, expected) in cases {
        let directory = files(&[(name, content)]);
        let log = open_files(directory.path().join(name)).unwrap();
        assert_eq!(shape(&log), *expected, "{name} {content:?}");
        assert_eq!(
            log.parts[0].starts_with_rdb(),
            expected.contains("rdb-file") || content == &RDB
        );
        assert_eq!((log.chosen, log.others), (None, Vec::new()));
    }
}

#[test]
fn set_is_found_by_any_of_its_paths() {
    let directory = data_directory(&[]);
    for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
        let log = open_files(directory.path().join(path)).unwrap();
        assert_eq!(shape(&log), PARTS, "{path}");
        assert_eq!(log.path, directory.path().join(path));
        assert_eq!(log.opened, directory.path().join("appendonlydir/appendonly.aof.manifest"));
        assert_eq!(log.bytes(), (SET.len() + RDB.len()) as u64);
        assert_eq!(
            log.layout,
            Layout::MultiPart {
                directory: directory.path().join("appendonlydir"),
                appenddirname: "appendonlydir".into(),
                appendfilename: "appendonly.aof".into(),
            }
        );
        assert_eq!(log.history.len(), 1);
        assert_eq!((log.history[0].bytes, log.history[0].line), (None, 2));
        assert_eq!(log.manifest.unwrap().manifest.entries.len(), 4);
        assert!(log.others.is_empty());
        let chosen =
            "appendonlydir/appendonly.aof.manifest: the only multi-part set in this directory";
        assert_eq!(log.chosen.as_deref(), path.is_empty().then_some(chosen));
    }
}

#[test]
fn a_manifest_is_known_by_content() {
    let directory = data_directory(&[]);
    let set = directory.path().join("appendonlydir");
    fs::rename(set.join("appendonly.aof.manifest"), set.join("list.txt")).unwrap();
    assert_eq!(shape(&open_files(set.join("list.txt")).unwrap()), PARTS);
}

#[test]
fn one_part_knows_its_place_in_the_set() {
    let directory = data_directory(&[]);
    let set = directory.path().join("appendonlydir");
    let cases = [
        ("appendonly.aof.2.base.rdb", "one-part base:appendonly.aof.2.base.rdb"),
        ("appendonly.aof.2.incr.aof", "one-part incr:appendonly.aof.2.incr.aof"),
        ("appendonly.aof.3.incr.aof", "one-part incr:appendonly.aof.3.incr.aof*"),
    ];
    for (name, expected) in cases {
        let log = open_files(set.join(name)).unwrap();
        assert_eq!(shape(&log), expected);
        let manifest = Some(set.join("appendonly.aof.manifest"));
        assert_eq!(log.layout, Layout::OnePart { manifest });
    }
}

#[test]
fn a_set_without_files_has_no_parts() {
    let directory = files(&[("d/a.manifest", b"# nothing yet\n")]);
    assert_eq!(shape(&open_files(directory.path()).unwrap()), "multi-part");
}

#[test]
fn a_data_directory_with_single_files() {
    let rewrite = "temp-rewriteaof-bg-7.aof";
    let cases: &[(&[&str], &str, &str)] = &[
        (
            &["appendonly.aof"],
            "single-file",
            "appendonly.aof: the only append-only file in this directory",
        ),
        (
            &["appendonly.aof", "dump.rdb", rewrite, "temp-9.rdb"],
            "single-file",
            "appendonly.aof: the only append-only file in this directory",
        ),
        (
            &["appendonly.aof", "appendonly.aof.bak-20260101000000"],
            "single-file",
            "appendonly.aof: the only append-only file in this directory",
        ),
        (&["my.log"], "single-file", "my.log: the only append-only file in this directory"),
        (
            &["dump.rdb"],
            "rdb-file",
            "dump.rdb: the only RDB in this directory, and there is no append-only file",
        ),
        (
            &["snapshot.rdb.copy"],
            "rdb-file",
            "snapshot.rdb.copy: the only RDB in this directory, and there is no append-only file",
        ),
    ];
    for (names, layout, chosen) in cases {
        let content = |name: &&str| if name.contains("rdb") { RDB } else { SET };
        let list: Vec<_> = names.iter().map(|name| (*name, content(name))).collect();
        let directory = files(&list);
        let log = open_files(directory.path()).unwrap();
        assert!(shape(&log).starts_with(layout), "{names:?}");
        assert_eq!(log.chosen.as_deref(), Some(*chosen));
        assert_eq!(log.others.len(), names.len() - 1, "{names:?}");
    }
}

#[test]
fn files_next_to_a_set_are_reported() {
    let directory = data_directory(&[
        ("appendonlydir/appendonly.aof.1.incr.aof", b"old"),
        ("appendonlydir/appendonly.aof.3.base.rdb", RDB),
        ("appendonlydir/appendonly.aof.4.incr.aof", SET),
        ("appendonlydir/temp-appendonly.aof.manifest", b""),
        ("appendonlydir/temp-appendonly.aof.incr", b""),
        ("appendonlydir/notes.txt", b"12345"),
        ("appendonly.aof", SET),
        ("before.aof", SET),
        ("dump.rdb", RDB),
        ("nodes.conf", b""),
        ("temp-rewriteaof-bg-17.aof", b""),
        ("temp-17.rdb", b""),
    ]);
    let log = open_files(directory.path()).unwrap();
    assert_eq!(shape(&log), PARTS);
    let expected = [
        ("appendonly.aof.3.base.rdb", OtherKind::OrphanBase),
        ("appendonly.aof.4.incr.aof", OtherKind::OrphanIncr),
        ("notes.txt", OtherKind::Unknown),
        ("temp-appendonly.aof.incr", OtherKind::TempIncr),
        ("temp-appendonly.aof.manifest", OtherKind::TempManifest),
        ("appendonly.aof", OtherKind::OldSingleFile),
        ("before.aof", OtherKind::SingleFile),
        ("dump.rdb", OtherKind::Rdb),
        ("temp-17.rdb", OtherKind::TempRdb),
        ("temp-rewriteaof-bg-17.aof", OtherKind::TempRewrite),
    ];
    let expected: Vec<_> = expected.map(|(name, kind)| (name.to_string(), kind)).into();
    assert_eq!(others(&log), expected);
    assert_eq!(log.history[0].bytes, Some(3));
    assert_eq!(log.others[2].bytes, 5);
}

#[test]
fn interrupted_upgrade_opens_the_old_file() {
    let unfinished = "appendonly.aof: the upgrade of this single file to a set was not finished, and a server goes on with it";
    for manifest in [&b"file appendonly.aof seq 1 type b\n"[..], b"# nothing\n"] {
        let directory =
            files(&[("appendonlydir/appendonly.aof.manifest", manifest), ("appendonly.aof", SET)]);
        for path in ["", "appendonlydir", "appendonlydir/appendonly.aof.manifest"] {
            let log = open_files(directory.path().join(path)).unwrap();
            assert_eq!(shape(&log), "multi-part base:appendonly.aof*");
            assert_eq!(log.parts[0].mapping.bytes(), SET);
            assert_eq!(others(&log), []);
            assert!(log.chosen.unwrap().ends_with(unfinished));
        }
    }
    // A finished upgrade: the base is in the set under the old name, and incremental files follow.
    let directory = files(&[
        (
            "appendonlydir/appendonly.aof.manifest",
            b"file appendonly.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
        ),
        ("appendonlydir/appendonly.aof", SET),
        ("appendonlydir/appendonly.aof.1.incr.aof", SET),
    ]);
    let log = open_files(directory.path()).unwrap();
    assert_eq!(shape(&log), "multi-part base:appendonly.aof incr:appendonly.aof.1.incr.aof*");
    let log = open_files(directory.path().join("appendonlydir/appendonly.aof")).unwrap();
    assert_eq!(shape(&log), "one-part base:appendonly.aof");
    // If incremental files are listed, a server ignores the old file.
    fs::rename(
        directory.path().join("appendonlydir/appendonly.aof"),
        directory.path().join("appendonly.aof"),
    )
    .unwrap();
    assert_eq!(
        refusal(&directory, "appendonlydir"),
        "Manifest: appendonlydir/appendonly.aof.manifest: line 1: `appendonly.aof` is listed but does not exist | restore it from a backup; no server starts without it"
    );
}

#[test]
fn refusals_have_help() {
    let zip_help = "extract it first: aofkit extract FILE --output DIR";
    let tar = [&[b'x'; 257][..], b"ustar\x0000"].concat();
    let conf =
        format!("# Redis configuration file example.\n{}\nbind 127.0.0.1\n", "# x\n".repeat(2000));
    let cases: &[(&str, &[u8], String)] = &[
        ("a.aof.gz", b"\x1f\x8b\x08\0", "Unrecognised: a.aof.gz: this is a gzip file | decompress it: `aofkit repair FILE --output NEW`, which repairs what is in it too; or, if a tar archive is in it, tar -xf FILE".into()),
        ("a.zip", b"PK\x03\x04", format!("Unrecognised: a.zip: this is a zip archive | {zip_help}")),
        ("a.zst", b"\x28\xb5\x2f\xfd", "Unrecognised: a.zst: this is a Zstandard file | decompress it: `aofkit repair FILE --output NEW`, which repairs what is in it too; or, if a tar archive is in it, tar -xf FILE".into()),
        ("a.xz", b"\xfd7zXZ\0", "Unrecognised: a.xz: this is an xz file | decompress it first: xz -dc FILE > NEW".into()),
        ("a.bz2", b"BZh9", "Unrecognised: a.bz2: this is a bzip2 file | decompress it first: bzip2 -dc FILE > NEW".into()),
        ("a.tar", &tar, "Unrecognised: a.tar: this is a tar archive | extract it first: tar -xf FILE".into()),
        ("redis.conf", conf.as_bytes(), "Unrecognised: redis.conf: this is a server's configuration file | give the directory that its `dir` names, or the append-only file in it".into()),
    ];
    for (name, content, expected) in cases {
        assert_eq!(refusal(&files(&[(name, content)]), name), *expected);
    }
    let error = open_files("-").err().unwrap();
    assert_eq!(error.to_string(), "standard input cannot be mapped into memory");
    assert_eq!(error.next_step(), Some("save it to a file first, and give the name of that"));
    assert_eq!(
        refusal(&files(&[]), "no.aof"),
        "NotFound: cannot open no.aof: No such file or directory (os error 2) | "
    );
}

#[test]
fn a_directory_without_or_with_too_many_logs_is_refused() {
    let cases: &[(Files, &str)] = &[
        (
            &[("notes.txt", b"hello"), ("empty/", b"")],
            "NotFound: : there is no append-only file and no RDB in this directory | looked for a *.manifest in it and in the directories in it, for *.aof and *.rdb files, and for files that begin like one",
        ),
        (
            &[("a.manifest", b"#"), ("b.manifest", b"#")],
            "Usage: : there are several manifests here: a.manifest, b.manifest | give the one that is meant",
        ),
        (
            &[("x/a.manifest", b"#"), ("y/a.manifest", b"#")],
            "Usage: : there are several multi-part sets here: x/a.manifest, y/a.manifest | give the one that is meant",
        ),
        (
            &[("a.aof", SET), ("b.aof", SET), ("dump.rdb", RDB)],
            "Usage: : there are several append-only files here: a.aof, b.aof | give the one that is meant",
        ),
        (
            &[("a.rdb", RDB), ("b.rdb", RDB)],
            "Usage: : there are several logs or snapshots here: a.rdb, b.rdb | give the one that is meant",
        ),
        (
            &[("appendonly.aof.old", SET), ("dump.rdb", RDB)],
            "Usage: : there are several logs or snapshots here: appendonly.aof.old, dump.rdb | give the one that is meant",
        ),
    ];
    for (list, expected) in cases {
        assert_eq!(refusal(&files(list), ""), *expected);
    }
}

#[test]
fn a_broken_set_is_an_error_with_its_line_and_a_value_for_verify() {
    let bare = "no server starts with it as it is";
    let cases: &[(&[u8], &str, String)] = &[
        (
            b"file a seq 1 type b\nfile ../b seq 1 type i\n",
            "name-is-path",
            format!("Manifest: d/a.manifest: line 2: the file name `../b` is a path; it must be a bare name, without / and \\: file ../b seq 1 type i | correct the line, or take the manifest from a backup; {bare}"),
        ),
        (
            b"",
            "empty",
            format!("Manifest: d/a.manifest: the manifest is empty | take it from a backup, or write it anew, a line a file: file NAME seq NUMBER type b (base) or i (incremental); {bare}"),
        ),
        (
            b"garbage\n",
            "too-few-words",
            format!("Manifest: d/a.manifest: line 1: the line has too few words (1); `file NAME seq NUMBER type LETTER` needs at least 6: garbage | correct the line, or take the manifest from a backup; {bare}"),
        ),
        (
            b"file it's seq 1 type b\n",
            "quoting",
            format!("Manifest: d/a.manifest: line 1: a quote is never closed, or no blank follows where it closes: file it's seq 1 type b | put the file name in double quotes; servers write a name with ' as it is and then cannot read it; {bare}"),
        ),
        (
            b"file .. seq 1 type b\n",
            "unusable-name",
            format!("Manifest: d/a.manifest: line 1: `..` cannot be the name of a file | correct the line, or take the manifest from a backup; {bare}"),
        ),
        (
            b"file a seq 1 type b\nfile gone seq 1 type i\n",
            "missing-part",
            "Manifest: d/a.manifest: line 2: `gone` is listed but does not exist | restore it from a backup; no server starts without it. Deleting line 2 gives up the writes that were in it".into(),
        ),
    ];
    for (manifest, kind, expected) in cases {
        let directory = files(&[("d/a.manifest", manifest), ("d/a", SET)]);
        for path in ["", "d", "d/a.manifest"] {
            assert_eq!(refusal(&directory, path), *expected);
            let broken = try_open_files(directory.path().join(path)).unwrap().err().unwrap();
            assert_eq!(broken.path, directory.path().join("d/a.manifest"));
            assert_eq!(broken.fault.kind(), *kind);
        }
    }
}

#[test]
fn parts_without_manifest_are_not_an_empty_log() {
    let expected = "parts of a set without their manifest: a.aof.1.base.rdb, a.aof.1.incr.aof | restore the manifest from a backup, or give one of these files; a server started on the directory as it is begins with no data and may overwrite them";
    let directory = files(&[
        ("d/a.aof.1.base.rdb", RDB),
        ("d/a.aof.1.incr.aof", SET),
        ("d/a.aof", SET),
        ("dump.rdb", RDB),
    ]);
    for path in ["", "d"] {
        assert_eq!(refusal(&directory, path), format!("Manifest: d: {expected}"));
    }
    // But the old single file exists, which a server would load.
    fs::write(directory.path().join("a.aof"), SET).unwrap();
    assert_eq!(shape(&open_files(directory.path()).unwrap()), "single-file single:a.aof*");
}

#[test]
fn links_are_followed_and_loops_are_reported() {
    let directory = data_directory(&[]);
    let at = |name: &str| directory.path().join(name);
    symlink(at("appendonlydir/appendonly.aof.manifest"), at("link")).unwrap();
    fs::rename(at("appendonlydir/appendonly.aof.2.incr.aof"), at("elsewhere")).unwrap();
    symlink("../elsewhere", at("appendonlydir/appendonly.aof.2.incr.aof")).unwrap();
    symlink("appendonlydir", at("linked")).unwrap();
    assert_eq!(shape(&open_files(at("linked")).unwrap()), PARTS);
    symlink("loop", at("loop")).unwrap();
    assert_eq!(
        refusal(&directory, "loop"),
        "Io: cannot open loop: Too many levels of symbolic links (os error 40) | "
    );
}

#[test]
fn a_pipe_is_refused_without_waiting_for_a_writer() {
    let directory = files(&[]);
    let path = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    assert_eq!(
        refusal(&directory, "pipe"),
        "Usage: pipe: this is a pipe, socket or device, not a regular file | a log is mapped into memory, which needs a regular file; save it to one first"
    );
}

#[test]
fn own_leftovers_are_reported_and_not_opened() {
    let manifest: &[u8] = b"file a.aof.1.incr.aof seq 1 type i\n";
    let left = [
        ("appendonlydir.bak-20260101000000", OtherKind::OwnCopy),
        ("appendonlydir.bak-20260101000000-2", OtherKind::OwnCopy),
        ("appendonlydir.flushed", OtherKind::OwnCopy),
        (".appendonlydir.aB3xYz.tmp", OtherKind::OwnUnfinished),
    ];
    for (name, kind) in left {
        let copy = [format!("{name}/a.aof.manifest"), format!("{name}/a.aof.1.incr.aof")];
        let directory = data_directory(&[(&copy[0], manifest), (&copy[1], SET)]);
        let log = open_files(directory.path()).unwrap();
        assert_eq!(shape(&log), PARTS, "{name}");
        assert_eq!(others(&log), [(name.to_owned(), kind)]);
        assert_eq!(log.others[0].bytes, (manifest.len() + SET.len()) as u64);
        // It is opened if named explicitly.
        for path in [name, &copy[0], &copy[1]] {
            let log = open_files(directory.path().join(path)).unwrap();
            assert_eq!(log.parts[0].name, "a.aof.1.incr.aof", "{path}");
        }
        // On its own it is not the log of a server.
        let alone = files(&[(&copy[0], manifest), (&copy[1], SET)]);
        assert_eq!(
            refusal(&alone, ""),
            format!(
                "NotFound: : there is no append-only file and no RDB in this directory | aofkit left {name} here; give the path of the one that is meant"
            )
        );
    }
    for name in ["a.aof.bak-20260101000000", "a.aof.cut-20260101000000", ".a.aof.aB3xYz.tmp"] {
        for log in ["a.aof", "my.log", "dump.rdb"] {
            let content = if log == "dump.rdb" { RDB } else { SET };
            let directory = files(&[(log, content), (name, SET)]);
            let opened = open_files(directory.path()).unwrap();
            assert_eq!(opened.parts[0].name, log);
            assert_eq!(opened.others.len(), 1, "{name} beside {log}");
            assert_eq!(open_files(directory.path().join(name)).unwrap().parts[0].name, name);
        }
    }
    // The same in a set; a file listed in a manifest is a part, whatever its name.
    let listed = "file a.flushed seq 1 type b\n";
    let directory = files(&[
        ("d/a.manifest", listed.as_bytes()),
        ("d/a.flushed", SET),
        ("d/b.manifest.bak-20260101000000", b""),
        ("d/.c.manifest.aB3xYz.tmp", b""),
    ]);
    let log = open_files(directory.path().join("d")).unwrap();
    assert_eq!(log.parts[0].name, "a.flushed");
    assert_eq!(log.others.len(), 2);
}
