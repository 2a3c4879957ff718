//! Restoring: the resulting files, what is refused, and that no existing file is lost.

use super::backup::{archives, json, kill_at_random, large_log, span_of};
use super::*;

/// A place with `set.zip` and `single.zip`: backups of a set and of a single file.
fn with_archives(log: &[u8]) -> Place {
    let place = Place::new();
    place.put_set(
        "log/appendonlydir",
        &[("appendonly.aof.1.base.aof", log), ("appendonly.aof.1.incr.aof", &sound())],
    );
    place.put("a.aof", log);
    for (path, zip) in [("log", "set.zip"), ("a.aof", "single.zip")] {
        let run = place.run(&["compress", path, "-o", zip]);
        assert_eq!(run.code, Some(0), "{run:#?}");
    }
    place
}

/// Everything below a directory, by path.
fn tree(place: &Place, directory: &str) -> Vec<String> {
    let run = place.shell(&format!("cd {directory} && find . -mindepth 1 | sort"));
    run.stdout.lines().map(|line| line.strip_prefix("./").unwrap().to_owned()).collect()
}

fn keys(place: &Place, path: &str) -> String {
    let run = place.run(&["digest", "--fingerprint", path]);
    let line = run.stdout.lines().find_map(|line| line.trim().strip_prefix("fingerprint"));
    line.unwrap_or_else(|| panic!("{run:#?}")).trim().to_owned()
}

const SET: [&str; 4] = [
    "appendonlydir",
    "appendonlydir/appendonly.aof.1.base.aof",
    "appendonlydir/appendonly.aof.1.incr.aof",
    "appendonlydir/appendonly.aof.manifest",
];

#[test]
fn a_set_and_a_file_come_back_as_they_were_with_what_the_server_needs_to_know() {
    let place = with_archives(&sound());
    let run = place.run(&["restore", "set.zip", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(tree(&place, "new"), SET);
    for name in &SET[1..] {
        assert_eq!(place.read(format!("new/{name}")), place.read(format!("log/{name}")), "{name}");
    }
    let dir = fs::canonicalize(place.path("new")).unwrap();
    let settings = format!(
        "  dir {}\n  appendonly yes\n  appendfilename appendonly.aof\n  appenddirname appendonlydir\n",
        dir.display()
    );
    assert!(run.stdout.contains(&settings), "{run:#?}");
    assert!(
        run.stdout.ends_with(&format!("RESTORED: verified and written to {}\n", dir.display()))
    );
    let run = place.run(&["restore", "single.zip", "-o", "file"]);
    assert_eq!((run.code, tree(&place, "file")), (Some(0), vec!["appendonly.aof".to_owned()]));
    assert!(!run.stdout.contains("appenddirname"), "{run:#?}");
    assert_eq!(place.read("file/appendonly.aof"), sound());
}

#[test]
fn an_archive_becomes_what_the_server_reads() {
    let place = with_archives(&sound());
    // A single file, as the base of a set.
    let (code, report) =
        json(&place, &["restore", "single.zip", "-o", "seven", "--for", "redis-7.0"]);
    assert_eq!((code, &report["change"]["kind"]), (Some(0), &"made-set".into()), "{report:#}");
    let expected = [SET[0], SET[1], SET[3]];
    assert_eq!(tree(&place, "seven"), expected);
    let manifest = b"file appendonly.aof.1.base.aof seq 1 type b\n";
    assert_eq!(place.read("seven/appendonlydir/appendonly.aof.manifest"), manifest);
    assert_eq!(place.run(&["verify", "seven", "--for", "redis-7.0"]).code, Some(0));
    // A set, as one file.
    let run = place.run(&["restore", "set.zip", "-o", "six", "--for", "redis-6.2"]);
    assert!(run.stdout.contains("because redis-6.2 reads no multi-part log"), "{run:#?}");
    assert_eq!((run.code, tree(&place, "six")), (Some(0), vec!["appendonly.aof".to_owned()]));
    assert_eq!(place.run(&["verify", "six", "--for", "redis-6.2"]).code, Some(0));
    assert_eq!(keys(&place, "six"), keys(&place, "log"));
}

#[test]
fn what_cannot_be_made_for_the_server_changes_nothing() {
    let field = command(&["HPEXPIREAT", "h", "4102444800000", "FIELDS", "1", "f"]);
    let place = with_archives(&[command(&["HSET", "h", "f", "v"]), field].concat());
    fs::create_dir(place.path("empty")).unwrap();
    for output in ["empty", "new"] {
        let run = place.run(&["restore", "set.zip", "-o", output, "--for", "redis-6.2"]);
        assert!(run.code == Some(2) && run.stderr.contains("redis-6.2"), "{run:#?}");
    }
    assert!(!place.path("new").exists() && tree(&place, "empty").is_empty());
}

#[test]
fn existing_files_are_moved_aside_only_with_force() {
    let place = with_archives(&sound());
    let old = command(&["SET", "old", "1"]);
    place.put_set("data/appendonlydir", &[("appendonly.aof.7.base.aof", &old)]);
    place.put("data/dump.rdb", "precious");
    let before = tree(&place, "data");
    let run = place.run(&["restore", "set.zip", "-o", "data"]);
    assert!(run.code == Some(2) && run.stderr.contains("not empty"), "{run:#?}");
    assert_eq!(tree(&place, "data"), before);
    let (code, report) = json(&place, &["restore", "set.zip", "-o", "data", "--force"]);
    assert_eq!(code, Some(0), "{report:#}");
    let aside = report["moved_aside"][0]["to"].as_str().unwrap().to_owned();
    assert_eq!(place.read(Path::new(&aside).join("appendonly.aof.7.base.aof")), old);
    assert_eq!(place.read("data/dump.rdb"), b"precious");
    assert_eq!(keys(&place, "data/appendonlydir"), keys(&place, "log"));
    // A single file, beside which a set would be loaded instead.
    let (code, report) = json(&place, &["restore", "single.zip", "-o", "data", "--force"]);
    assert_eq!((code, report["moved_aside"].as_array().unwrap().len()), (Some(0), 1), "{report:#}");
    assert!(!place.path("data/appendonlydir").exists());
    assert_eq!(place.read("data/appendonly.aof"), sound());
}

#[test]
fn a_new_file_system_is_empty_enough() {
    let place = with_archives(&sound());
    fs::create_dir_all(place.path("data/lost+found")).unwrap();
    assert_eq!(place.run(&["restore", "set.zip", "-o", "data"]).code, Some(0));
}

#[test]
fn a_directory_in_use_is_refused_whatever_the_options() {
    let place = with_archives(&sound());
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    let log = place.path("data/appendonlydir/appendonly.aof.1.incr.aof");
    // Not this process: the programs that other tests start have its files too, for a moment.
    let mut writer = Command::new("sh");
    let mut writer = writer.args(["-c", "exec sleep 60 >> \"$0\""]).arg(&log).spawn().unwrap();
    let out = format!("/proc/{}/fd/1", writer.id());
    while fs::read_link(&out).ok().as_deref() != Some(&log) {
        assert_eq!(writer.try_wait().unwrap(), None);
        std::thread::yield_now();
    }
    let run = place.run(&["restore", "set.zip", "-o", "data", "--force"]);
    writer.kill().unwrap();
    writer.wait().unwrap();
    assert_eq!(run.code, Some(2), "{run:#?}");
    let it = format!("process {} ", writer.id());
    assert!(run.stderr.contains(&it) && run.stderr.contains("SHUTDOWN NOSAVE"), "{run:#?}");
    assert_eq!(place.run(&["restore", "set.zip", "-o", "data", "--force"]).code, Some(0));
    // Two restores into it at once.
    let held = fs::File::open(place.path("data")).unwrap();
    held.lock().unwrap();
    assert_eq!(place.run(&["restore", "set.zip", "-o", "data", "--force"]).code, Some(5));
}

/// Starts `script`, followed by `exec sleep 60`, in a mount namespace of its own, in which `data` is at `elsewhere`, too;
/// `None` where that is not allowed here.
fn in_another_namespace(place: &Place, script: &str) -> Option<std::process::Child> {
    fs::create_dir_all(place.path("elsewhere")).unwrap();
    let mut inside = Command::new("unshare");
    inside.args(["-m", "sh", "-c"]).current_dir(place.0.path());
    inside.arg(format!(
        "mount --bind data elsewhere && cd elsewhere && {script} && echo ready; exec sleep 60"
    ));
    let mut inside = inside.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
    // Without the right to do so, it ends, or sleeps and says nothing.
    let mut ready = [0; 6];
    let said = std::io::Read::read(inside.stdout.as_mut().unwrap(), &mut ready[..1]);
    if said.is_ok_and(|bytes| bytes == 1) {
        return Some(inside);
    }
    let _ = inside.kill();
    let _ = inside.wait();
    None
}

#[test]
fn a_directory_that_a_server_uses_in_a_container_is_refused() {
    let place = with_archives(&sound());
    let incr = "appendonlydir/appendonly.aof.1.incr.aof";
    place.put_set(
        "data/appendonlydir",
        &[("appendonly.aof.1.base.aof", &sound()), ("appendonly.aof.1.incr.aof", &torn())],
    );
    // A writer that is no server, and a server that has no log open.
    let sleep = "cp \"$(command -v sleep)\" ../redis-server && exec ../redis-server 60";
    let writer = format!("exec 3>>{incr}");
    let writes_log = [
        &["restore", "set.zip", "-o", "data", "--force"][..],
        &["repair", "data", "--in-place"],
        &["recover", "data", "--until", "#1", "--in-place"],
        &["compact", "s.aof", "-o", "data/appendonlydir", "--format", "multipart", "--force"],
        &["repair", "torn.aof", "-o", "data/appendonlydir", "--force"],
        &["extract", "set.zip", "-o", "data", "--force"],
    ];
    place.put("s.aof", sound());
    place.put("torn.aof", torn());
    let works_there = [writes_log[0], writes_log[3], writes_log[4], writes_log[5]];
    for (script, runs) in
        [(writer.as_str(), &writes_log[..]), (&format!("echo ready && {sleep}"), &works_there)]
    {
        let Some(mut inside) = in_another_namespace(&place, script) else {
            eprintln!("skipped: mount namespaces need root");
            return;
        };
        // The program has its name only when it runs.
        while script.contains("redis-server")
            && fs::read_to_string(format!("/proc/{}/comm", inside.id())).unwrap().trim()
                != "redis-server"
        {
            std::thread::yield_now();
        }
        let before = place.shell("find data | sort; cat data/*/*").stdout;
        let outcomes: Vec<Run> = runs.iter().map(|args| place.run(args)).collect();
        let after = place.shell("find data | sort; cat data/*/*").stdout;
        inside.kill().unwrap();
        inside.wait().unwrap();
        for (args, run) in runs.iter().zip(outcomes) {
            assert_eq!(run.code, Some(2), "{args:?}: {run:#?}");
            assert!(
                run.stderr.contains(&format!("process {} ", inside.id())),
                "{args:?}: {run:#?}"
            );
        }
        assert_eq!(before, after);
    }
    assert_eq!(place.run(writes_log[0]).code, Some(0));
}

#[test]
fn a_damaged_archive_changes_nothing() {
    let place = with_archives(&sound());
    let mut bytes = place.read("set.zip");
    bytes[90] ^= 0x20;
    place.put("bad.zip", bytes);
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    let before = tree(&place, "data");
    for output in ["data", "new"] {
        let run = place.run(&["restore", "bad.zip", "-o", output, "--force"]);
        assert!(run.code == Some(2) && run.stderr.contains("damaged"), "{run:#?}");
    }
    assert_eq!(tree(&place, "data"), before);
    assert!(!place.path("new").exists());
    for nonsense in ["a.aof", "log", "missing.zip"] {
        assert_eq!(place.run(&["restore", nonsense, "-o", "new"]).code, Some(2), "{nonsense}");
    }
    let into_file = place.run(&["restore", "set.zip", "-o", "a.aof"]);
    assert!(into_file.code == Some(2) && into_file.stderr.contains("directory"), "{into_file:#?}");
}

#[test]
fn the_zip_of_a_shell_script_is_restored_too() {
    let place = with_archives(&sound());
    let zip = place.shell(
        "cd log && python3 -c \"import zipfile,glob; z=zipfile.ZipFile('../other.zip','w',8); \
         [z.write(name) for name in glob.glob('appendonlydir/*')]\"",
    );
    assert_eq!(zip.code, Some(0), "{zip:#?}");
    let run = place.run(&["restore", "other.zip", "-o", "new"]);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(tree(&place, "new"), SET);
}

#[test]
fn files_are_given_to_whom_they_shall_belong() {
    use std::os::unix::fs::MetadataExt;

    let place = with_archives(&sound());
    let own = fs::metadata(place.path("a.aof")).unwrap();
    let (uid, gid) = (own.uid(), own.gid());
    let owner = format!("{uid}:{gid}");
    let run = place.run(&["restore", "set.zip", "-o", "new", "--owner", &owner]);
    assert!(run.stdout.contains(&format!("user {uid}, group {gid}")), "{run:#?}");
    assert_eq!(place.run(&["restore", "set.zip", "-o", "b", "--owner", "no:body"]).code, Some(2));
    if uid == 0 {
        // Root gives them to whom the directory belongs.
        fs::create_dir(place.path("data")).unwrap();
        std::os::unix::fs::chown(place.path("data"), Some(4242), Some(77)).unwrap();
        assert_eq!(place.run(&["restore", "set.zip", "-o", "data"]).code, Some(0));
        for name in SET {
            let meta = fs::metadata(place.path("data").join(name)).unwrap();
            assert_eq!((meta.uid(), meta.gid()), (4242, 77), "{name}");
        }
    }
}

#[test]
fn a_full_disk_changes_nothing() {
    let place = with_archives(&large_log());
    place.put_set("data/appendonlydir", &[("appendonly.aof.1.incr.aof", &sound())]);
    let before = tree(&place, "data");
    // The limit on the size of files has the effect of a disk that is full.
    let run = place.shell("ulimit -f 64; trap '' XFSZ; \"$0\" restore set.zip -o data --force");
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(tree(&place, "data"), before);
}

#[test]
fn a_restore_that_is_killed_leaves_the_old_or_the_new_and_loses_nothing() {
    let place = with_archives(&large_log());
    let old = command(&["SET", "old", "1"]);
    let set_up = |place: &Place| {
        let _ = fs::remove_dir_all(place.path("data"));
        place.put_set("data/appendonlydir", &[("appendonly.aof.7.base.aof", &old)]);
    };
    set_up(&place);
    let (was, shall_be) = (keys(&place, "data"), keys(&place, "log"));
    let args = ["restore", "set.zip", "-o", "data", "--force"];
    let span = span_of(&place, &args);
    set_up(&place);
    let killed = kill_at_random(&place, &args, span, |round| {
        let found = keys(&place, "data/appendonlydir");
        assert!(found == was || found == shall_be, "round {round}: {found}");
        let kept = || place.shell("grep -rlaF old data | wc -l").stdout.trim().to_owned();
        assert_eq!(kept(), "1", "round {round}: the old log is there once");
        // Nor does the next one take what the killed one left for something that nobody needs.
        let run = place.run(&args);
        assert_eq!((run.code, kept().as_str()), (Some(0), "1"), "round {round}: {run:#?}");
        set_up(&place);
    });
    assert!(killed > 0);
    // What a killed one left is cleared away by the next.
    fs::create_dir(place.path("data/.aofkit-restore.x.tmp")).unwrap();
    assert_eq!(place.run(&args).code, Some(0));
    assert!(!tree(&place, "data").iter().any(|name| name.contains(".tmp")));
}

#[test]
fn from_the_log_to_the_archive_and_back() {
    let place = with_archives(&sound());
    fs::create_dir(place.path("to")).unwrap();
    assert_eq!(place.run(&["backup", "log", "--to", "to", "--compact"]).code, Some(0));
    let archive = format!("to/{}", archives(&place, "to")[0]);
    assert_eq!(place.run(&["restore", &archive, "-o", "new"]).code, Some(0));
    assert_eq!(keys(&place, "new"), keys(&place, "log"));
}
