//! What `--force` replaces at an output: a log, and nothing else.

use std::os::unix::fs::symlink;

use super::*;

const BASE: &str = "appendonly.aof.1.base.aof";
const INCR: &str = "appendonly.aof.1.incr.aof";

/// A place with the set `set`, the file `a.aof`, both of which end in a FLUSHALL and a torn command, and an archive.
fn place() -> Place {
    let place = Place::new();
    let flushed = [sound(), command(&["FLUSHALL"])].concat();
    place.put_set("whole", &[(BASE, &sound()), (INCR, &flushed)]);
    let run = place.run(&["compress", "-q", "whole", "-o", "set.zip"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    let torn = [&flushed[..], b"*3\r\n$3"].concat();
    place.put_set("set", &[(BASE, &sound()), (INCR, &torn)]);
    place.put("a.aof", torn);
    place
}

/// Every command that writes a set to OUT, if need be.
const SETS: [&str; 8] = [
    "compact set -o OUT --force",
    "compact set.zip -o OUT --force",
    "convert set -o OUT --for redis-7.0 --force",
    "repair set -o OUT --force",
    "recover set --strip -o OUT --force",
    "recover set --undelete a -o OUT --force",
    "recover set.zip --strip -o OUT --force",
    "generate --layout multi-part --size 10kb -o OUT --force",
];

/// Every command that writes a file to OUT.
const FILES: [&str; 7] = [
    "compact set -o OUT --format aof --force",
    "compact a.aof -o OUT --force",
    "convert a.aof -o OUT --for redis-6.2 --force",
    "repair a.aof -o OUT --force",
    "recover a.aof --strip -o OUT --force",
    "compress whole -o OUT --force",
    "generate --size 10kb -o OUT --force",
];

fn run(place: &Place, line: &str, out: &str) -> Run {
    let args: Vec<String> = line.split(' ').map(|word| word.replace("OUT", out)).collect();
    place.run(&args)
}

/// The one name by which something that was at `name` is kept.
fn take_kept(place: &Place, name: &str) -> Option<String> {
    let prefix = format!("{name}.bak-");
    let entries = fs::read_dir(place.path("")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let kept: Vec<String> = names.filter(|name| name.starts_with(&prefix)).collect();
    assert!(kept.len() < 2, "{kept:?}");
    kept.into_iter().next()
}

#[test]
fn no_backup_is_only_for_what_force_replaces() {
    let place = place();
    let run = place.run(&["compact", "set", "-o", "new", "--no-backup"]);
    assert!(run.code == Some(2) && run.stderr.contains("--force"), "{run:#?}");
}

#[test]
fn extract_and_restore_keep_what_they_replace_unless_told_otherwise() {
    let place = place();
    for command in ["extract", "restore"] {
        for no_backup in [false, true] {
            let _ = fs::remove_dir_all(place.path("data"));
            place.put_set("data/appendonlydir", &[(BASE, &sound()), (INCR, &sound())]);
            place.put("data/other", "precious");
            let line = format!("{command} set.zip -o OUT --force");
            let line = if no_backup { format!("{line} --no-backup") } else { line };
            let done = run(&place, &line, "data");
            assert_eq!(done.code, Some(0), "{line}: {done:#?}");
            assert_eq!(place.read("data/other"), b"precious");
            let kept = place.shell(&format!("ls data/appendonlydir.bak-*/{INCR}"));
            assert_eq!(kept.code == Some(0), !no_backup, "{line}: {kept:#?}");
        }
    }
}

#[track_caller]
fn is_refused(place: &Place, line: &str, out: &str, why: &str) {
    let before = everything(place);
    let run = run(place, line, out);
    assert!(run.code == Some(2) && run.stderr.contains(why), "{line}, {out}, {why}: {run:#?}");
    assert!(run.stderr.contains("help: "), "{run:#?}");
    assert!(everything(place) == before, "{line}, {out}: something was changed");
}

/// Every path in the place, with the bytes of files.
fn everything(place: &Place) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    fn walk(directory: &Path, found: &mut Vec<(PathBuf, Option<Vec<u8>>)>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let is_directory = path.is_dir() && !path.is_symlink();
            // A pipe would be waited for.
            let bytes = path.is_file().then(|| fs::read(&path).unwrap());
            found.push((path.clone(), bytes));
            if is_directory {
                walk(&path, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(&place.path(""), &mut found);
    found.sort();
    found
}

#[test]
fn a_directory_that_holds_anything_but_a_set_is_refused() {
    let place = place();
    let names =
        ["photos/a.jpg", "notes.txt", "dump.rdb", "old.aof", "appendonly.aof.bak-20260101000000"];
    for line in SETS {
        for name in names {
            for with_a_set in [false, true] {
                let _ = fs::remove_dir_all(place.path("home"));
                let more = place.path("home").join(name);
                fs::create_dir_all(more.parent().unwrap()).unwrap();
                if with_a_set {
                    place.put_set("home", &[(BASE, &sound()), (INCR, b"")]);
                }
                fs::write(more, "precious").unwrap();
                is_refused(&place, line, "home", "more than a log");
            }
        }
    }
    // A data directory, a link in a set, a set of another name in it, and parts without a manifest.
    place.put_set("data/appendonlydir", &[(BASE, &sound())]);
    is_refused(&place, SETS[0], "data", "more than a log: appendonlydir is in it");
    place.put_set("linked", &[(BASE, &sound())]);
    symlink("../a.aof", place.path("linked/appendonly.aof.2.incr.aof")).unwrap();
    is_refused(&place, SETS[0], "linked", "more than a log");
    place.put_set("two", &[(BASE, &sound())]);
    place.put("two/other.aof.1.incr.aof", sound());
    is_refused(&place, SETS[0], "two", "more than a log: other.aof.1.incr.aof is in it");
    fs::create_dir(place.path("parts")).unwrap();
    place.put(format!("parts/{BASE}"), sound());
    is_refused(&place, SETS[0], "parts", "more than a log");
}

#[test]
fn a_set_with_what_servers_leave_in_it_and_an_empty_directory_are_replaced() {
    let place = place();
    for line in SETS {
        let _ = fs::remove_dir_all(place.path("old"));
        place.put_set("old", &[(BASE, &sound()), (INCR, b"")]);
        for name in
            ["appendonly.aof.7.incr.aof", "temp-appendonly.aof.manifest", "temp-rewriteaof-9.aof"]
        {
            place.put(format!("old/{name}"), "");
        }
        let before = place.shell("cd old; cat *; ls").stdout;
        let done = run(&place, line, "old");
        assert!(done.code.is_some_and(|code| code < 2), "{line}: {done:#?}");
        assert!(!place.path("old/temp-rewriteaof-9.aof").exists(), "{line}");
        let kept = take_kept(&place, "old").unwrap_or_else(|| panic!("{line}: {done:#?}"));
        assert_eq!(place.shell(&format!("cd {kept}; cat *; ls")).stdout, before, "{line}");
        let said = format!("{}{}", done.stdout, done.stderr);
        assert!(said.contains(&kept), "{line}: {done:#?}");
        fs::remove_dir_all(place.path(kept)).unwrap();
        let done = run(&place, &format!("{line} --no-backup"), "old");
        assert!(done.code.is_some_and(|code| code < 2), "{line}: {done:#?}");
        assert_eq!(take_kept(&place, "old"), None, "{line}");
        fs::remove_dir_all(place.path("old")).unwrap();
        fs::create_dir(place.path("old")).unwrap();
        let done = run(&place, line, "old");
        assert!(done.code.is_some_and(|code| code < 2), "{line}: {done:#?}");
    }
    for line in FILES {
        place.put("old.aof", "anything");
        let done = run(&place, line, "old.aof");
        assert!(done.code.is_some_and(|code| code < 2), "{line}: {done:#?}");
        assert_ne!(place.read("old.aof"), b"anything");
        let kept = take_kept(&place, "old.aof").unwrap_or_else(|| panic!("{line}: {done:#?}"));
        assert_eq!(place.read(&kept), b"anything", "{line}");
        fs::remove_file(place.path(kept)).unwrap();
        let done = run(&place, &format!("{line} --no-backup"), "old.aof");
        assert!(done.code.is_some_and(|code| code < 2), "{line}: {done:#?}");
        assert_eq!(take_kept(&place, "old.aof"), None, "{line}");
    }
}

#[test]
fn a_directory_and_a_file_do_not_replace_each_other() {
    let place = place();
    place.put("file", "precious");
    for line in SETS {
        is_refused(&place, line, "file", "this is a file");
    }
    place.put_set("other", &[(BASE, &sound())]);
    // An archive goes into the directory.
    for line in FILES.iter().filter(|line| !line.starts_with("compress")) {
        is_refused(&place, line, "other", "this is a directory");
    }
    symlink("other", place.path("link")).unwrap();
    symlink("nowhere", place.path("dangling")).unwrap();
    for link in ["link", "dangling"] {
        is_refused(&place, SETS[0], link, "this is a link");
    }
}

#[test]
fn the_input_is_refused_by_whatever_name() {
    let place = place();
    symlink("set", place.path("link")).unwrap();
    symlink("a.aof", place.path("link.aof")).unwrap();
    fs::hard_link(place.path("a.aof"), place.path("hard.aof")).unwrap();
    place.put_set("hard", &[(INCR, b"")]);
    fs::hard_link(place.path(format!("set/{BASE}")), place.path(format!("hard/{BASE}"))).unwrap();
    place.put(
        "hard/appendonly.aof.manifest",
        format!("file {BASE} seq 1 type b\nfile {INCR} seq 1 type i\n"),
    );
    fs::create_dir(place.path("sub")).unwrap();
    let names = [
        "set",
        "./set/",
        "sub/../set",
        "link",
        "hard",
        "set/appendonly.aof.manifest",
        &format!("set/{BASE}"),
    ];
    for line in SETS.iter().filter(|line| line.contains(" set ")) {
        for name in names {
            is_refused(&place, line, name, "input");
        }
        // By the manifest, one part, or the directory above.
        for input in ["set/appendonly.aof.manifest".to_owned(), format!("set/{BASE}")] {
            let line = line.replace(" set ", &format!(" {input} "));
            is_refused(&place, &line, "set", "input");
        }
    }
    for line in FILES.iter().filter(|line| line.contains(" a.aof ")) {
        for name in ["a.aof", "./a.aof", "link.aof", "hard.aof"] {
            is_refused(&place, line, name, "input");
        }
    }
    place.put("set/extra", "precious");
    is_refused(&place, FILES[0], "set/extra", "in the directory of the input");
    is_refused(&place, "compress set -o OUT --force", "set/extra", "directory of the input");
    fs::remove_file(place.path("set/extra")).unwrap();
    for line in
        ["compact set.zip -o OUT --format aof --force", "recover set.zip --strip -o OUT --force"]
    {
        is_refused(&place, line, "set.zip", "input");
    }
    // From the data directory.
    fs::create_dir(place.path("data")).unwrap();
    fs::rename(place.path("set"), place.path("data/appendonlydir")).unwrap();
    for line in SETS.iter().filter(|line| line.contains(" set ")) {
        let line = line.replace(" set ", " data ");
        is_refused(&place, &line, "data/appendonlydir", "input");
        is_refused(&place, &line, "data", "input");
        is_refused(&place, &line, ".", "input");
    }
}

#[test]
fn an_archive_replaces_no_other_log_that_it_contains() {
    let place = Place::new();
    place.put("a.aof", sound());
    place.put("aa.aof", sound());
    let line = "compress a.aof aa.aof -o . --name-template {name}{name}.aof --force";
    is_refused(&place, line, ".", "aa.aof: this is the input");
}

#[test]
fn files_of_another_set_and_devices_are_refused() {
    let place = place();
    place.put_set("other", &[(BASE, &sound()), (INCR, b"")]);
    assert!(Command::new("mkfifo").arg(place.path("pipe")).status().unwrap().success());
    for line in FILES {
        is_refused(&place, line, &format!("other/{INCR}"), "a part of a multi-part set");
        is_refused(&place, line, "other/appendonly.aof.manifest", "the manifest");
        is_refused(&place, line, "pipe", "not a file that can be replaced");
    }
}

#[test]
fn what_a_process_uses_is_refused() {
    let place = place();
    place.put_set("busy", &[(BASE, &sound()), (INCR, b"")]);
    place.put("busy.aof", sound());
    let open = format!("exec 3>>busy/{INCR} 4>>busy.aof; echo ready; exec sleep 100");
    let mut holder = Command::new("bash")
        .args(["-c", &open])
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Read::read_exact(holder.stdout.as_mut().unwrap(), &mut [0; 6]).unwrap();
    let uses = format!("process {} (sleep) uses this", holder.id());
    for line in SETS {
        is_refused(&place, line, "busy", &uses);
    }
    for line in FILES {
        is_refused(&place, line, "busy.aof", &uses);
    }
    fs::create_dir(place.path("data")).unwrap();
    fs::rename(place.path("busy"), place.path("data/appendonlydir")).unwrap();
    is_refused(&place, "extract set.zip -o OUT --force", "data", &uses);
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert_eq!(run(&place, "extract set.zip -o OUT --force", "data").code, Some(0));
}

#[test]
fn extract_replaces_no_directory_that_holds_more() {
    let place = place();
    let names = ["appendonlydir/photos/a.jpg", "appendonlydir/notes.txt"];
    for name in names {
        let path = place.path("data").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, "precious").unwrap();
        is_refused(&place, "extract set.zip -o OUT --force", "data", "more than a log");
        fs::remove_dir_all(place.path("data")).unwrap();
    }
    place.put_set("data/appendonlydir", &[(BASE, b"")]);
    assert_eq!(run(&place, "extract set.zip -o OUT --force", "data").code, Some(0));
}
