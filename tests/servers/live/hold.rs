//! `recover --hold` as a person runs it after a FLUSHALL, and the way back as it is printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use super::on_each;
use super::place::{Place, Run, aofkit, directory, free_port, wait_until};
use crate::support::LINES;
use crate::support::server::{Binary, Running};

pub(crate) fn trials() -> Vec<Trial> {
    let name = "a flushed server is held, recovered and put back as the text says";
    let mut trials = on_each(&LINES, name, comes_back);
    trials.extend(on_each(&LINES, "a second hold keeps a second set", twice));
    let name = "a hold waits for a rewrite that runs, and keeps both sets";
    trials.extend(on_each(&LINES, name, while_rewriting));
    let name = "a hold that gives up tells what it has kept";
    trials.extend(on_each(&LINES[1..2], name, gives_up));
    trials.extend(on_each(&LINES, "a hold that is refused tells what to do", refused));
    trials
}

/// `recover --hold` over the socket.
fn hold(place: &Place) -> Command {
    let mut command = recover(&["--hold".as_ref(), "-s".as_ref()]);
    command.arg(place.server.socket());
    command
}

fn recover(args: &[&Path]) -> Command {
    let mut command = aofkit();
    command.arg("recover").args(args);
    command
}

/// What the server loads.
fn log(place: &Place) -> PathBuf {
    let is_set = place.binary.line.has_redis(7, 0);
    place.data.path().join(if is_set { "appendonlydir" } else { "appendonly.aof" })
}

/// The sets that were kept below a directory, in the order of their names.
fn sets(below: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(below).expect("a list").flatten().map(|entry| entry.path());
    let is_set = |path: &PathBuf| path.display().to_string().contains("/aofkit-hold-");
    let mut sets: Vec<_> = entries.filter(is_set).collect();
    sets.sort();
    sets
}

/// A server that had data; and the digest of that.
fn flushed(binary: &Binary) -> (Place, String) {
    let mut place = Place::new(binary);
    place.fill(20);
    let digest = place.server.digest();
    place.server.client.call(&["FLUSHALL"]);
    (place, digest)
}

/// What is in a set before its FLUSHALL, by a server.
fn digest_of(set: &Path, binary: &Binary) -> String {
    let place = directory();
    let new = place.path().join("stripped");
    let run = Run::of(&mut recover(&[set, "--strip".as_ref(), "--output".as_ref(), &new]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let is_set = binary.line.has_redis(7, 0);
    let data = directory();
    let to = data.path().join(if is_set { "appendonlydir" } else { "appendonly.aof" });
    std::fs::rename(&new, &to).expect("it is put in place");
    let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
    server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log)).digest()
}

/// What a rewrite destroys, it destroys here.
fn rewrite(place: &mut Place) {
    place.server.client.call(&["BGREWRITEAOF"]);
    wait_until("the rewrite", || {
        let info = place.server.client.call(&["INFO", "persistence"]).text();
        info.contains("aof_rewrite_in_progress:0") && info.contains("aof_rewrite_scheduled:0")
    });
}

/// The commands that a text gives a person to type.
fn commands(text: &str) -> Vec<&str> {
    let typed = text.lines().filter_map(|line| line.strip_prefix("       "));
    typed
        .filter(|line| ["cp ", "mv ", "chown "].iter().any(|name| line.starts_with(name)))
        .collect()
}

fn comes_back(binary: &Binary) {
    let (mut place, digest) = flushed(binary);
    place.server.client.call(&["SAVE"]);
    let run = Run::of(&mut hold(&place));
    assert_eq!(run.code, Some(1), "a flush was found: {run:#?}");
    assert_eq!(place.settings(), ["everysec", "0"], "no rewrite may come");
    let [set] = &sets(place.data.path())[..] else { panic!("one set: {run:#?}") };
    let (log, socket) = (log(&place), place.server.socket().display().to_string());
    let snapshot = place.data.path().join("dump.rdb").display().to_string();
    let client = if binary.line.to_string().starts_with("valkey") { "valkey" } else { "redis" };
    for told in [
        format!("HELD: the log of {socket}, {}", binary.line.to_string().replace('-', " ")),
        format!("\n  {}\n", set.display()),
        format!("what is recovered goes there:\n    {}\n", log.display()),
        "automatic rewrites are off; when all is well again:\n    \
         CONFIG SET auto-aof-rewrite-percentage 100\n"
            .into(),
        "YES, your data is still there".into(),
        "was secured from the server at".into(),
        format!("\n       {client}-cli -s {socket} SHUTDOWN NOSAVE\n"),
        format!("\n       cp -p {snapshot} {snapshot}.kept\n"),
        format!("\n       aofkit recover {} --strip --output ", set.display()),
    ] {
        assert!(run.stdout.contains(&told), "{told}: {run:#?}");
    }

    // What would have destroyed it, and then the way back, as it is printed.
    rewrite(&mut place);
    let result = directory();
    let new = result.path().join("recovered");
    let run = Run::of(&mut recover(&[set, "--strip".as_ref(), "--output".as_ref(), &new]));
    assert_eq!(run.code, Some(0), "{run:#?}");
    let below = set.display().to_string();
    let (_, way) = run.stdout.split_once("To put it in place:").expect("the way back");
    assert!(!way.contains(&below), "the set that was kept is left alone: {run:#?}");
    assert!(way.contains(&format!("{client}-cli -s {socket} SHUTDOWN NOSAVE")), "{run:#?}");
    let Place { server, data, .. } = place;
    assert!(server.shut_down().success());
    let typed = commands(way);
    assert_eq!(typed.len(), 4, "{run:#?}");
    for command in typed {
        let status = Command::new("sh").args(["-c", command]).status();
        assert!(status.expect("a shell").success(), "{command}: {run:#?}");
    }
    let server = Running::start(binary, data.path(), &[("appendonly", "yes")]);
    let mut server = server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log));
    assert_eq!(server.digest(), digest);
}

fn twice(binary: &Binary) {
    let (mut place, digest) = flushed(binary);
    let first = Run::of(&mut hold(&place));
    assert_eq!(first.code, Some(1), "{first:#?}");
    let second = Run::of(hold(&place).arg("--json").arg("--hold-to").arg(place.to.path()));
    assert_eq!(second.code, Some(1), "{second:#?}");
    assert_eq!(place.settings(), ["everysec", "0"]);
    let report: Value = serde_json::from_str(&second.stdout).expect("one document");
    assert_eq!(report["schema"], 1);
    let (held, seen) = (&report["hold"], &report["recover"]);
    let ([old], [new]) = (&sets(place.data.path())[..], &sets(place.to.path())[..]) else {
        panic!("one set each: {second:#?}")
    };
    assert_eq!(held["kept"][0]["path"], new.display().to_string());
    assert!(held["kept"][1].is_null());
    assert_eq!(held["server"]["line"], binary.line.to_string());
    assert_eq!(held["log"], log(&place).display().to_string());
    assert_eq!(held["rewrite_was_running"], false);
    assert!(held["rewrites"].is_null() && held["turn_on"].is_null(), "they were off: {held}");
    assert!(held["snapshot"].is_null());
    assert_eq!(seen["verdict"]["kind"], "ends-in-flush");
    assert_eq!(seen["held_from"]["log"], held["log"]);
    assert_eq!(seen["before"]["total"], 34);
    // The links are the data, whatever becomes of the server's own files.
    rewrite(&mut place);
    assert_eq!(digest_of(old, binary), digest);
    assert_eq!(digest_of(new, binary), digest);
}

/// A server that is rewriting its log while all is flushed: every key takes so many microseconds.
fn rewriting(binary: &Binary, micros: &str) -> (Place, String) {
    let mut place = Place::new(binary);
    place.fill(20);
    let digest = place.server.digest();
    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", micros]);
    place.server.client.call(&["BGREWRITEAOF"]);
    place.server.client.call(&["FLUSHALL"]);
    (place, digest)
}

fn while_rewriting(binary: &Binary) {
    let (mut place, digest) = rewriting(binary, "40000");
    let run = Run::of(&mut hold(&place));
    assert_eq!(run.code, Some(1), "{run:#?}");
    let info = place.server.client.call(&["INFO", "persistence"]).text();
    assert!(info.contains("aof_rewrite_in_progress:0"), "it was awaited: {info}");
    assert!(
        run.stdout.contains("warning: a rewrite was running: the first is the log"),
        "{run:#?}"
    );
    assert!(run.stdout.contains("YES, your data is still there"), "{run:#?}");
    let sets = sets(place.data.path());
    assert_eq!(sets.len(), 2, "{run:#?}");
    let told = "a rewrite is running, and is waited for; the log as it was is kept already, in ";
    assert!(run.stderr.contains(&format!("{told}{}\n", sets[0].display())), "{run:#?}");
    for set in &sets {
        assert!(run.stdout.contains(&format!("\n  {}\n", set.display())), "{run:#?}");
        assert_eq!(digest_of(set, binary), digest, "{}: {run:#?}", set.display());
    }
}

fn gives_up(binary: &Binary) {
    let (mut place, digest) = rewriting(binary, "200000");
    let run = Run::of(hold(&place).args(["--timeout", "100ms"]));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(run.stderr.contains("takes longer than --timeout allows"), "{run:#?}");
    let [set] = &sets(place.data.path())[..] else { panic!("one set: {run:#?}") };
    assert!(run.stderr.contains(&format!("is kept in {}, where", set.display())), "{run:#?}");
    let turn_on = "CONFIG SET auto-aof-rewrite-percentage 100 turns them on again";
    assert!(run.stderr.contains(turn_on), "{run:#?}");
    assert_eq!(place.settings(), ["everysec", "0"]);
    assert_eq!(digest_of(set, binary), digest);
}

fn refused(binary: &Binary) {
    const PASSWORD: &str = "not-to-be-seen";
    let port = free_port().to_string();
    let mut place = Place::with(binary, &[("port", &port)]);
    let other = Place::new(binary);
    place.fill(5);
    place.server.client.call(&["FLUSHALL"]);
    let nowhere = place.to.path().join("nowhere");
    let refused = |command: &mut Command, told: &[&str]| {
        let run = Run::of(command);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{run:#?}");
        assert!(told.iter().all(|told| run.stderr.contains(told)), "{told:?}: {run:#?}");
        assert!(run.stderr.contains("\nhelp: ") && !run.stderr.contains(PASSWORD), "{run:#?}");
    };
    let socket = ["no connection", "is the server running there?"];
    refused(recover(&["--hold".as_ref(), "-s".as_ref()]).arg(&nowhere), &socket);

    place.server.client.call(&["CONFIG", "SET", "requirepass", PASSWORD]);
    place.server.client.call(&["AUTH", PASSWORD]);
    refused(&mut hold(&place), &["NOAUTH", "REDISCLI_AUTH"]);
    refused(hold(&place).env("REDISCLI_AUTH", "wrong"), &["WRONGPASS", "check --user"]);
    assert_eq!(place.settings(), ["everysec", "100"], "nothing was changed");
    place.server.client.call(&["CONFIG", "SET", "requirepass", ""]);

    // The server's directory is not here, as that of a server on another host; or what is here is another's.
    let off = "automatic rewrites are off now";
    let missing = [nowhere.to_str().expect("text"), "--dir says where", off];
    refused(hold(&place).arg("--dir").arg(&nowhere), &missing);
    place.server.client.call(&["CONFIG", "SET", "auto-aof-rewrite-percentage", "100"]);
    let another = ["this is not the log of the server", "--dir says where", "is kept in", off];
    refused(hold(&place).arg("--dir").arg(other.data.path()), &another);
    refused(hold(&place).arg("--hold-to").arg(&nowhere), &["no such directory to keep the log in"]);
}
