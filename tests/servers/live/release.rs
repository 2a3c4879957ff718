//! Holds of servers that have no log or refuse CONFIG, of logs that grow, and setting back what holds have changed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use crate::support::json_docs::Docs;
use crate::support::{
    Binary, Client, FAMILIES, Run, Running, Setup, aofkit, setting, temp_dir, wait_until,
};

const REWRITES: &str = "auto-aof-rewrite-percentage";

pub(crate) fn trials() -> Vec<Trial> {
    let name = "release_sets_back_the_values_from_before_the_first_hold";
    let mut trials = on_each(&FAMILIES, name, released);
    let name = "release_leaves_a_setting_alone_that_somebody_has_changed";
    trials.extend(on_each(&FAMILIES, name, changed_by_others));
    let name = "release_finds_what_a_hold_changed_whose_directory_was_another_one";
    trials.extend(on_each(&FAMILIES, name, released_elsewhere));
    let name = "held_log_is_recovered_while_the_server_goes_on_writing";
    trials.extend(on_each(&FAMILIES, name, growing));
    let name = "snapshot_of_a_server_without_a_log_is_held";
    trials.extend(on_each(&FAMILIES, name, without_log));
    let name = "hold_with_a_directory_works_without_config";
    trials.extend(on_each(&FAMILIES, name, without_config));
    let name = "snapshot_is_held_with_the_log_and_save_points_are_reported";
    trials.extend(on_each(&FAMILIES, name, with_snapshot));
    trials
}

/// Returns `aofkit recover` with these options, of the server over its socket.
fn recover(server: &Running, options: &[&str]) -> Command {
    let mut command = aofkit();
    command.arg("recover").args(options).arg("-s").arg(server.socket());
    command
}

fn json(command: &mut Command) -> (Value, Option<i32>) {
    let run = Run::of(command.arg("--json"));
    let report =
        serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"));
    Docs::read().check(&run.stdout);
    (report, run.code)
}

/// Returns the directory that a hold saved.
fn kept(report: &Value) -> PathBuf {
    report["hold"]["kept"][0]["path"].as_str().expect("a path").into()
}

fn journals(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).expect("a list").flatten();
    let is_journal = |name: &str| name.starts_with(".aofkit-hold-") && name.ends_with(".journal");
    entries.filter(|entry| is_journal(&entry.file_name().to_string_lossy())).count()
}

fn released(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    setup.server.client.call(&["CONFIG", "SET", REWRITES, "77"]);
    let (first, code) = json(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(code, Some(0), "nothing was lost: {first:#}");
    let to = setup.to.path().display().to_string();
    let (second, _) = json(&mut recover(&setup.server, &["--hold", "--hold-to", &to]));
    for (hold, rewrites) in [(&first, false), (&second, true)] {
        assert_eq!(hold["hold"]["rewrites"].is_null(), rewrites, "{hold:#}");
        let steps = hold["hold"]["next"].as_array().expect("steps");
        let last = steps.last().expect("a step")["actions"][0].to_string();
        assert!(last.contains("--release"), "{hold:#}");
    }
    assert_eq!(setting(&mut setup.server.client, REWRITES), "0");
    assert_eq!((journals(setup.data.path()), journals(setup.to.path())), (1, 0));
    let (report, code) = json(&mut recover(&setup.server, &["--release"]));
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(report["settings"][0]["outcome"], "restored", "{report:#}");
    assert_eq!(setting(&mut setup.server.client, REWRITES), "77");
    assert_eq!(journals(setup.data.path()), 0);
    let (again, code) = json(&mut recover(&setup.server, &["--release"]));
    assert_eq!((code, again["settings"].as_array().map(Vec::len)), (Some(0), Some(0)), "{again:#}");
    // The holds are still there.
    let run = Run::of(aofkit().args(["recover", "--holds"]).arg(setup.data.path()));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let version = binary.line.to_string().replace('-', " ");
    assert!(run.stdout.contains(&version), "{run:#?}");
    assert!(run.stdout.contains(&kept(&first).display().to_string()), "{run:#?}");
}

/// As with a server in a container: the first hold does not find the log where the server says that it is.
fn released_elsewhere(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    setup.server.client.call(&["CONFIG", "SET", REWRITES, "77"]);
    let (wrong, state, other) = (temp_dir(), temp_dir(), temp_dir());
    let wrong = wrong.path().display().to_string();
    let of_user = |options: &[&str]| {
        let mut command = recover(&setup.server, options);
        command.env("XDG_STATE_HOME", state.path());
        command
    };
    let failed = Run::of(&mut of_user(&["--hold", "--dir", &wrong]));
    assert_eq!(failed.code, Some(2), "{failed:#?}");
    assert!(failed.stderr.contains("CONFIG SET auto-aof-rewrite-percentage 77"), "{failed:#?}");
    // Another user has no record, and is told.
    let mut elsewhere = recover(&setup.server, &["--release"]);
    let elsewhere = Run::of(elsewhere.env("XDG_STATE_HOME", other.path()));
    assert_eq!(elsewhere.code, Some(1), "{elsewhere:#?}");
    assert!(elsewhere.stdout.contains("auto-aof-rewrite-percentage is 0"), "{elsewhere:#?}");
    let (second, _) = json(&mut of_user(&["--hold"]));
    assert_eq!(second["hold"]["rewrites"], Value::Null, "{second:#}");
    let (report, code) = json(&mut of_user(&["--release"]));
    assert_eq!((code, &report["settings"][0]["outcome"]), (Some(0), &"restored".into()));
    assert_eq!(journals(&state.path().join("aofkit")), 0);
    // The directory of the second one is not needed.
    let data = setup.data.path().display().to_string();
    json(&mut of_user(&["--hold", "--dir", &data]));
    json(&mut of_user(&["--release"]));
    assert_eq!(setting(&mut setup.server.client, REWRITES), "77");
    assert_eq!(journals(setup.data.path()), 0);
}

fn changed_by_others(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(5);
    json(&mut recover(&setup.server, &["--hold"]));
    setup.server.client.call(&["CONFIG", "SET", REWRITES, "50"]);
    let (report, code) = json(&mut recover(&setup.server, &["--release"]));
    assert_eq!((code, &report["settings"][0]["outcome"]), (Some(0), &"left-alone".into()));
    assert_eq!(setting(&mut setup.server.client, REWRITES), "50");
    // A journal with another setting is refused.
    json(&mut recover(&setup.server, &["--hold"]));
    let entries = std::fs::read_dir(setup.data.path()).expect("a list").flatten();
    let journal = entries
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "journal"));
    let journal = journal.expect("a journal");
    let text = std::fs::read_to_string(&journal).expect("text");
    std::fs::write(&journal, text.replace(REWRITES, "maxclients")).expect("a planted journal");
    let run = Run::of(&mut recover(&setup.server, &["--release"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("\"maxclients\", which aofkit never changes"), "{run:#?}");
}

fn growing(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(20);
    let digest = setup.server.digest();
    setup.server.client.call(&["FLUSHALL"]);
    let (report, code) = json(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(code, Some(1), "{report:#}");
    let hold = kept(&report);
    let (stop, written) = (AtomicBool::new(false), AtomicBool::new(false));
    let socket = setup.server.socket();
    let results = temp_dir();
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut client = Client::connect(&socket).expect("a connection");
            for number in 0_u64.. {
                client.call(&["SET", &format!("new{number}"), "value"]);
                written.store(true, Ordering::Relaxed);
                if stop.load(Ordering::Relaxed) {
                    break;
                }
            }
        });
        wait_until("a write", || written.load(Ordering::Relaxed));
        let run = |name: &str, how: &[&str]| {
            let mut command = aofkit();
            command.arg("recover").arg(&hold).args(how).arg("-o").arg(results.path().join(name));
            let run = Run::of(&mut command);
            (run.code == Some(0)).then_some(()).ok_or(run)
        };
        let excised = run("excised", &["--excise", "1"]);
        let merged = run("merged", &["--merge", "newer"]);
        let cut = run("cut", &["--until", &format!("#{}", report["events"][0]["ordinal"])]);
        stop.store(true, Ordering::Relaxed);
        for ended in [excised, merged, cut] {
            assert!(ended.is_ok(), "{}: {ended:#?}", binary.line);
        }
    });
    let is_set = binary.line.has_redis(7, 0);
    for (name, is_whole) in [("excised", false), ("merged", false), ("cut", true)] {
        let data = temp_dir();
        let place = data.path().join(if is_set { "appendonlydir" } else { "appendonly.aof" });
        std::fs::rename(results.path().join(name), place).expect("the result is moved");
        let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
        let mut server = server.unwrap_or_else(|ended| panic!("{name}: {}", ended.log));
        assert!(server.keys() >= 34, "{name}: {}", server.keys());
        if is_whole {
            assert_eq!(server.digest(), digest);
        }
    }
}

fn without_log(binary: &Binary) {
    const SAVES: &str = "3600 1 300 100";
    let mut setup = Setup::with(binary, &[("appendonly", "no")]);
    setup.fill(20);
    setup.server.client.call(&["CONFIG", "SET", "save", SAVES]);
    let nothing = Run::of(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(nothing.code, Some(2), "{nothing:#?}");
    assert!(nothing.stderr.contains("neither an append-only file nor an RDB"), "{nothing:#?}");
    let set = format!("CONFIG SET save \"{SAVES}\" sets them back");
    assert!(nothing.stderr.contains(&set), "{nothing:#?}");
    let digest = setup.server.digest();
    setup.server.client.call(&["SAVE"]);
    // Without save points, a FLUSHALL does not save: those of the first hold are held off.
    setup.server.client.call(&["FLUSHALL"]);
    let (report, code) = json(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(setting(&mut setup.server.client, "save"), "");
    assert_eq!(
        report["snapshot_only"]["path"],
        kept(&report).join("dump.rdb").display().to_string()
    );
    assert_eq!(report["now"]["total"], 34);
    let run = Run::of(&mut recover(&setup.server, &["--hold"]));
    assert!(run.stdout.contains("HELD: the snapshot of "), "{run:#?}");
    assert!(
        run.stdout.contains("dump.rdb OF 20") && run.stdout.contains(" HOLDS 34 KEYS."),
        "{run:#?}"
    );
    assert!(!run.stdout.contains("BGSAVE"), "{run:#?}");
    // The RDB that was secured outlives the one in the data directory.
    setup.server.client.call(&["SAVE"]);
    let mut into = aofkit();
    into.arg("compact")
        .arg(kept(&report).join("dump.rdb"))
        .arg("--into")
        .arg(setup.server.socket());
    let run = Run::of(&mut into);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(setup.server.digest(), digest);
    let (report, code) = json(&mut recover(&setup.server, &["--release"]));
    assert_eq!(code, Some(0), "{report:#}");
    assert_eq!(setting(&mut setup.server.client, "save"), SAVES);
}

fn without_config(binary: &Binary) {
    let config = temp_dir();
    let file = config.path().join("renamed.conf");
    std::fs::write(&file, "rename-command CONFIG hidden\n").expect("a configuration");
    let mut setup = Setup::with(binary, &[("include", &file.display().to_string())]);
    setup.fill(20);
    setup.server.client.call(&["FLUSHALL"]);
    let run = Run::of(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("--dir DIR"), "{run:#?}");
    let data = setup.data.path().display().to_string();
    let run = Run::of(&mut recover(&setup.server, &["--hold", "--dir", &data]));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("warning: automatic rewrites are not turned off"), "{run:#?}");
    assert!(run.stdout.contains("YES, your data is still there: 34 keys"), "{run:#?}");
    let other = temp_dir();
    let run = Run::of(recover(&setup.server, &["--hold", "--dir"]).arg(other.path()));
    assert_eq!(run.code, Some(2), "{run:#?}");
    // A user that may not change settings, but read them.
    let mut setup = Setup::new(binary);
    setup.fill(20);
    let acl = ["ACL", "SETUSER", "reader", "on", ">secret", "+info", "+config|get"];
    setup.server.client.call(&acl);
    setup.server.client.call(&["FLUSHALL"]);
    let data = setup.data.path().display().to_string();
    let mut hold = recover(&setup.server, &["--hold", "--user", "reader", "--dir", &data]);
    let run = Run::of(hold.env("REDISCLI_AUTH", "secret"));
    assert_eq!(run.code, Some(1), "{run:#?}");
    assert!(run.stdout.contains("NOPERM"), "{run:#?}");
    assert_eq!(setup.settings(), ["everysec", "100"]);
}

fn with_snapshot(binary: &Binary) {
    let mut setup = Setup::new(binary);
    setup.fill(20);
    setup.server.client.call(&["SAVE"]);
    setup.server.client.call(&["CONFIG", "SET", "save", "3600 1"]);
    let (report, code) = json(&mut recover(&setup.server, &["--hold"]));
    assert_eq!(code, Some(0), "{report:#}");
    let rdb = kept(&report).join("dump.rdb");
    let bytes = std::fs::metadata(&rdb).expect("the snapshot").len();
    assert_eq!(report["hold"]["kept"][0]["snapshot_bytes"], bytes);
    let warnings = report["hold"]["warnings"].to_string();
    assert!(warnings.contains("save points are set"), "{report:#}");
    let names = report["candidates"].as_array().expect("candidates");
    assert_eq!(names.len(), 1, "the other name of the file is no candidate: {report:#}");
    assert_eq!(names[0]["adds"]["keys"], 0, "{report:#}");
    assert_eq!(setting(&mut setup.server.client, "save"), "3600 1", "only reported");
    // It is still there when the server has replaced its own.
    setup.server.client.call(&["FLUSHALL"]);
    setup.server.client.call(&["SAVE"]);
    let run = Run::of(aofkit().arg("recover").arg(&rdb));
    assert!(run.stdout.contains(" HOLDS 34 KEYS."), "{run:#?}");
}
