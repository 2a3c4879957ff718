//! `recover --hold` after a FLUSHALL, followed by the printed instructions for the restore.

use std::path::{Path, PathBuf};
use std::process::Command;

use aofkit::base::server::redis;
use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use crate::support::json_docs::Docs;
use crate::support::{Binary, FAMILIES, Reply, Run, Running, Setup, aofkit, free_port, temp_dir};

pub(crate) fn trials() -> Vec<Trial> {
    let name = "printed_instructions_of_a_hold_restore_a_flushed_server";
    let mut trials = on_each(&FAMILIES, name, restored_as_instructed);
    trials.extend(on_each(&FAMILIES, "second_hold_saves_a_second_set", second_hold));
    let name = "hold_waits_for_a_running_rewrite_and_saves_both_sets";
    trials.extend(on_each(&FAMILIES, name, while_rewriting));
    let name = "hold_that_times_out_reports_what_it_saved";
    trials.extend(on_each(&[redis(7, 0)], name, times_out));
    trials.extend(on_each(&FAMILIES, "refused_hold_prints_help", refused));
    trials
}

/// Returns `aofkit recover --hold` of the server over its socket.
fn hold(setup: &Setup) -> Command {
    let mut command = recover(&["--hold".as_ref(), "-s".as_ref()]);
    command.arg(setup.server.socket());
    command
}

fn recover(args: &[&Path]) -> Command {
    let mut command = aofkit();
    command.arg("recover").args(args);
    command
}

/// Returns the path of the log that the server loads.
fn log(setup: &Setup) -> PathBuf {
    let is_set = setup.binary.line.has_redis(7, 0);
    setup.data.path().join(if is_set { "appendonlydir" } else { "appendonly.aof" })
}

/// Returns the sets that holds saved in a directory, sorted by name.
fn sets(below: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(below).expect("a list").flatten().map(|entry| entry.path());
    let is_set = |path: &PathBuf| path.display().to_string().contains("/aofkit-hold-");
    let mut sets: Vec<_> = entries.filter(is_set).collect();
    sets.sort();
    sets
}

/// Starts a server, fills and flushes it. Returns it with the digest before the flush.
fn flushed(binary: &Binary) -> (Setup, String) {
    let mut setup = Setup::new(binary);
    setup.fill(20);
    let digest = setup.server.digest();
    setup.server.client.call(&["FLUSHALL"]);
    (setup, digest)
}

/// Returns the digest of a set without its FLUSHALL, computed by a server.
fn digest_of(set: &Path, binary: &Binary) -> String {
    let output = temp_dir();
    let new = output.path().join("stripped");
    let run = Run::of(&mut recover(&[set, "--strip".as_ref(), "--output".as_ref(), &new]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let is_set = binary.line.has_redis(7, 0);
    let data = temp_dir();
    let to = data.path().join(if is_set { "appendonlydir" } else { "appendonly.aof" });
    std::fs::rename(&new, &to).expect("the set is moved");
    let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
    server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log)).digest()
}

/// Returns the shell commands in the printed instructions.
fn commands(text: &str) -> Vec<&str> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("       "));
    typed
        .filter(|line| ["cp ", "mv ", "chown "].iter().any(|name| line.starts_with(name)))
        .collect()
}

fn restored_as_instructed(binary: &Binary) {
    let (mut setup, digest) = flushed(binary);
    setup.server.client.call(&["SAVE"]);
    let run = Run::of(&mut hold(&setup));
    assert_eq!(run.code, Some(1), "a flush was found: {run:#?}");
    assert_eq!(setup.settings(), ["everysec", "0"], "automatic rewrites are off");
    let [set] = &sets(setup.data.path())[..] else { panic!("expected one set: {run:#?}") };
    let (log, socket) = (log(&setup), setup.server.socket().display().to_string());
    let snapshot = setup.data.path().join("dump.rdb").display().to_string();
    let client = if binary.line.to_string().starts_with("valkey") { "valkey" } else { "redis" };
    for text in [
        format!("HELD: the log of {socket}, {}", binary.line.to_string().replace('-', " ")),
        format!("\n  {}\n", set.display()),
        format!("what is recovered has to replace it:\n    {}\n", log.display()),
        format!(
            "automatic rewrites are off; at the end, to set this back:\n    \
             aofkit recover --release -s {socket}\n"
        ),
        "YES, your data is still there".into(),
        "was secured from the server at".into(),
        format!("\n       {client}-cli -s {socket} SHUTDOWN NOSAVE\n"),
        format!("\n       cp -p {snapshot} {snapshot}.kept\n"),
        format!("\n       aofkit recover {} --merge newer --excise 1 --output ", set.display()),
    ] {
        assert!(run.stdout.contains(&text), "{text}: {run:#?}");
    }

    // The server goes on writing to what was secured, and the rewrite destroys its own copy of the data. The restore
    // follows the printed instructions.
    setup.server.client.call(&["SET", "written-since", "1"]);
    setup.server.rewrite();
    let result = temp_dir();
    let new = result.path().join("recovered");
    let options = ["--merge", "newer", "--excise", "1", "--output"].map(Path::new);
    let run = Run::of(&mut recover(&[&[set.as_path()], &options[..], &[&new]].concat()));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let below = set.display().to_string();
    let (_, instructions) = run.stdout.split_once("To put it in place:").expect("instructions");
    assert!(!instructions.contains(&below), "the saved set is not touched: {run:#?}");
    assert!(
        instructions.contains(&format!("{client}-cli -s {socket} SHUTDOWN NOSAVE")),
        "{run:#?}"
    );
    let Setup { server, data, .. } = setup;
    assert!(server.shut_down().success());
    let typed = commands(instructions);
    // A copy and two renames: the result has the owner of the log already.
    assert_eq!(typed.len(), 3, "{run:#?}");
    for command in typed {
        let status = Command::new("sh").args(["-c", command]).status();
        assert!(status.expect("a shell").success(), "{command}: {run:#?}");
    }
    let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
    let mut server = server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log));
    assert_eq!(server.client.call(&["DEL", "written-since"]), Reply::Int(1));
    assert_eq!(server.digest(), digest);
}

fn second_hold(binary: &Binary) {
    let (mut setup, digest) = flushed(binary);
    let first = Run::of(&mut hold(&setup));
    assert_eq!(first.code, Some(1), "{first:#?}");
    let second = Run::of(hold(&setup).arg("--json").arg("--hold-to").arg(setup.to.path()));
    assert_eq!(second.code, Some(1), "{second:#?}");
    assert_eq!(setup.settings(), ["everysec", "0"]);
    let report: Value = serde_json::from_str(&second.stdout).expect("one document");
    assert_eq!(report["schema"], 1);
    assert_eq!(Docs::read().check(&second.stdout), "recover");
    let (hold, recover) = (&report["hold"], &report);
    let ([old], [new]) = (&sets(setup.data.path())[..], &sets(setup.to.path())[..]) else {
        panic!("expected one set each: {second:#?}")
    };
    assert_eq!(hold["kept"][0]["path"], new.display().to_string());
    assert!(hold["kept"][1].is_null());
    assert_eq!(hold["server"]["line"], binary.line.to_string());
    assert_eq!(hold["log"], log(&setup).display().to_string());
    assert_eq!(hold["rewrite_was_running"], false);
    let was_off = hold["rewrites"].is_null() && hold["turn_on"].is_null();
    assert!(was_off, "automatic rewrites were off already: {hold}");
    assert!(hold["snapshot"].is_null());
    assert_eq!(recover["verdict"]["kind"], "ends-in-flush");
    assert_eq!(recover["hold_origin"]["log"], hold["log"]);
    assert_eq!(recover["before"]["total"], 34);
    // The hard links retain the data after the server has replaced its files.
    setup.server.rewrite();
    assert_eq!(digest_of(old, binary), digest);
    assert_eq!(digest_of(new, binary), digest);
}

/// Starts a rewrite that takes the given number of microseconds per key, and flushes the server while it runs.
fn rewriting(binary: &Binary, micros: &str) -> (Setup, String) {
    let mut setup = Setup::new(binary);
    setup.fill(20);
    let digest = setup.server.digest();
    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", micros]);
    setup.server.client.call(&["BGREWRITEAOF"]);
    setup.server.client.call(&["FLUSHALL"]);
    (setup, digest)
}

fn while_rewriting(binary: &Binary) {
    let (mut setup, digest) = rewriting(binary, "40000");
    let run = Run::of(&mut hold(&setup));
    assert_eq!(run.code, Some(1), "{run:#?}");
    let info = setup.server.client.call(&["INFO", "persistence"]).text();
    assert!(info.contains("aof_rewrite_in_progress:0"), "the hold waited for the rewrite: {info}");
    assert!(
        run.stdout.contains("warning: a rewrite was running: the first copy is the log"),
        "{run:#?}"
    );
    assert!(run.stdout.contains("YES, your data is still there"), "{run:#?}");
    let sets = sets(setup.data.path());
    assert_eq!(sets.len(), 2, "{run:#?}");
    let message = "a rewrite is running, and is waited for; the log as it was is kept already, in ";
    assert!(run.stderr.contains(&format!("{message}{}\n", sets[0].display())), "{run:#?}");
    for set in &sets {
        assert!(run.stdout.contains(&format!("\n  {}\n", set.display())), "{run:#?}");
        assert_eq!(digest_of(set, binary), digest, "{}: {run:#?}", set.display());
    }
}

fn times_out(binary: &Binary) {
    let (mut setup, digest) = rewriting(binary, "200000");
    let run = Run::of(hold(&setup).args(["--timeout", "100ms"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("takes longer than --timeout allows"), "{run:#?}");
    let [set] = &sets(setup.data.path())[..] else { panic!("expected one set: {run:#?}") };
    assert!(run.stderr.contains(&format!("is kept in {}, where", set.display())), "{run:#?}");
    let turn_on = "CONFIG SET auto-aof-rewrite-percentage 100 turns them on again";
    assert!(run.stderr.contains(turn_on), "{run:#?}");
    assert_eq!(setup.settings(), ["everysec", "0"]);
    assert_eq!(digest_of(set, binary), digest);
}

fn refused(binary: &Binary) {
    const PASSWORD: &str = "not-to-be-seen";
    let port = free_port().to_string();
    let mut setup = Setup::with(binary, &[("port", &port)]);
    let other = Setup::new(binary);
    setup.fill(5);
    setup.server.client.call(&["FLUSHALL"]);
    let nowhere = setup.to.path().join("nowhere");
    let refused = |command: &mut Command, texts: &[&str]| {
        let run = Run::of(command);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(texts.iter().all(|text| run.stderr.contains(text)), "{texts:?}: {run:#?}");
        assert!(run.stderr.contains("\nhelp: ") && !run.stderr.contains(PASSWORD), "{run:#?}");
    };
    let socket = ["no connection", "is the server running there?"];
    refused(recover(&["--hold".as_ref(), "-s".as_ref()]).arg(&nowhere), &socket);

    setup.server.client.call(&["CONFIG", "SET", "requirepass", PASSWORD]);
    setup.server.client.call(&["AUTH", PASSWORD]);
    refused(&mut hold(&setup), &["NOAUTH", "REDISCLI_AUTH"]);
    refused(hold(&setup).env("REDISCLI_AUTH", "wrong"), &["WRONGPASS", "check --user"]);
    assert_eq!(setup.settings(), ["everysec", "100"], "nothing has changed");
    setup.server.client.call(&["CONFIG", "SET", "requirepass", ""]);

    // The server's directory does not exist here, as for a server on another host, or is that of another server.
    let off = "automatic rewrites are off now";
    let missing = [nowhere.to_str().expect("text"), "--dir says where", off];
    refused(hold(&setup).arg("--dir").arg(&nowhere), &missing);
    setup.server.client.call(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "100"]);
    let another = ["this is not the log of the server", "--dir says where", "is kept in", off];
    refused(hold(&setup).arg("--dir").arg(other.data.path()), &another);
    refused(
        hold(&setup).arg("--hold-to").arg(&nowhere),
        &["no such directory for the secured log"],
    );
}
