//! Whatever goes wrong, the settings are as they were, or the next run puts them back; and no half archive stays.
//!
//! Every fault is a line of a table, which is printed with its outcomes by `AOFKIT_LIVE_FAULTS=all`; without it, a
//! selection runs, and the table is printed when something fails.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;

use aofkit::ops::archive::{VerifyOptions, verify_archive};
use aofkit::progress::Silent;
use libtest_mimic::Trial;

use super::on_each;
use super::place::{Place, Run, UnderWay, aofkit, directory, free_port, send, setting, wait_until};
use super::proxy::{Cut, Proxy};
use crate::support::LINES;
use crate::support::server::{Binary, Running};

pub(crate) fn trials() -> Vec<Trial> {
    let lines = if everything() { &LINES[..] } else { &LINES[..2] };
    let mut trials =
        on_each(lines, "a run that is killed at any step is undone by the next", killed);
    trials.extend(on_each(
        lines,
        "a run that is interrupted at any step undoes itself",
        interrupted,
    ));
    trials.extend(on_each(lines, "a connection may be cut at any command", cut));
    trials.extend(on_each(lines, "a server may be killed at any step", server_killed));
    trials.extend(on_each(lines, "a rewrite may fail", rewrite_fails));
    trials.extend(on_each(&LINES[1..2], "a server may hang", server_hangs));
    trials.extend(on_each(
        &LINES[1..2],
        "a setting that somebody changed is left alone",
        left_alone,
    ));
    trials.extend(on_each(&LINES[1..2], "the backup directory may be full or gone", disk_full));
    trials
}

fn everything() -> bool {
    std::env::var_os("AOFKIT_LIVE_FAULTS").is_some_and(|value| value == "all")
}

/// What was tried, and what came of it.
struct Table(String);

impl Table {
    fn new(binary: &Binary) -> Table {
        Table(format!("\n{:<12} fault, outcome\n", binary.line))
    }

    fn row(&mut self, fault: &str, outcome: &str) {
        let _ = writeln!(self.0, "  {fault:<58} {outcome}");
    }

    #[allow(clippy::print_stdout)] // It is for the person who asked for it.
    fn print(&self) {
        if everything() {
            println!("{}", self.0);
        }
    }
}

/// A server whose rewrites take a moment: time to do it harm.
fn slow(binary: &Binary, config: &[(&str, &str)]) -> Place {
    let mut place = Place::with(binary, config);
    place.fill(20);
    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "3000"]);
    place
}

const BEFORE: [&str; 2] = ["everysec", "100"];

/// The program at that server, with pauses in which it can be caught.
fn paused(place: &Place) -> Command {
    let mut command = place.backup(&["--live", "--pause", "150ms", "--poll", "20ms"]);
    command.arg("-s").arg(place.server.socket());
    command
}

/// Every archive is whole, and nothing unfinished is there.
fn assert_whole(place: &Place, what: &str) {
    for archive in place.archives() {
        let checked = verify_archive(&archive, &VerifyOptions::default(), &Silent);
        assert!(checked.expect("a zip").sound, "{what}");
    }
    let unfinished: Vec<_> =
        place.names().into_iter().filter(|name| !name.ends_with(".zip")).collect();
    assert!(unfinished.is_empty(), "{what}: {unfinished:?}");
    assert!(place.left_with_the_log().is_empty(), "{what}: {:?}", place.left_with_the_log());
}

fn steps() -> &'static [&'static str] {
    &["1/5", "2/5", "3/5", "4/5", "5/5"]
}

fn killed(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    for (index, step) in steps().iter().enumerate() {
        let mut run = UnderWay::start(&mut paused(&place));
        assert!(run.reaches(step), "{}", run.said);
        run.signal("-KILL");
        let code = run.end().code;
        let left = place.settings();
        let fault = format!("aofkit killed -9 at step {step}");
        // By hand once, by the next backup otherwise.
        let mut undo = if index % 2 == 0 {
            let mut restore = place.backup(&["--restore-config"]);
            restore.arg("-s").arg(place.server.socket());
            restore
        } else {
            place.live()
        };
        let undone = Run::of(&mut undo);
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}: {undone:#?}");
        let last = Run::of(&mut place.live());
        assert_eq!(last.code, Some(0), "{fault}: {last:#?}");
        assert_whole(&place, &fault);
        table
            .row(&fault, &format!("exit {code:?}, left {left:?}, restored {:?}", place.settings()));
    }
    table.print();
}

/// Whether a process stands behind others in the queue for a core. (Field 19 of its status; the program's name, in
/// brackets, is the second.)
fn is_nice(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let behind_name = status.rsplit(')').next().unwrap_or_default();
    behind_name
        .split_whitespace()
        .nth(16)
        .is_some_and(|nice| nice.parse::<i32>().is_ok_and(|nice| nice >= 10))
}

fn interrupted(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    for (index, step) in steps().iter().enumerate() {
        let signal = if index % 2 == 0 { "-INT" } else { "-TERM" };
        let mut run = UnderWay::start(&mut paused(&place));
        assert!(run.reaches(step), "{}", run.said);
        assert!(is_nice(run.child.id()), "the server goes first");
        run.signal(signal);
        let run = run.end();
        let fault = format!("{signal} at step {step}");
        // The last step may be over before the signal comes.
        let codes = if *step == "5/5" { &[130, 0][..] } else { &[130][..] };
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{fault}: {run:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}: {run:#?}");
        assert_whole(&place, &fault);
        table.row(&fault, &format!("exit {:?}, settings {:?}", run.code, place.settings()));
    }
    table.print();
}

fn cut(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    let through = |place: &Place, cut: Cut| {
        let proxy = Proxy::start(&place.server.socket(), cut);
        let mut command = place.backup(&["--live", "--pause", "0", "--poll", "40ms"]);
        command.args(["--reconnect", "5s", "-p", &proxy.port.to_string()]);
        let run = Run::of(&mut command);
        (run, proxy.commands.load(std::sync::atomic::Ordering::SeqCst))
    };
    let (run, commands) = through(&place, Cut::Never);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(commands > 20, "every command is one of its own: {commands}");
    let each = if everything() { 1 } else { 4 };
    for number in (1..=commands).step_by(each) {
        for cut in [Cut::Before(number), Cut::After(number)] {
            let (run, _) = through(&place, cut);
            let fault = format!("connection cut {cut:?} of {commands} commands");
            assert!(matches!(run.code, Some(0 | 2)), "{fault}: {run:#?}");
            assert_eq!(place.settings(), BEFORE, "{fault}: {run:#?}");
            assert_whole(&place, &fault);
            table.row(&fault, &format!("exit {:?}, settings {:?}", run.code, place.settings()));
        }
    }
    table.print();
}

fn server_killed(binary: &Binary) {
    let mut table = Table::new(binary);
    for step in steps() {
        let port = free_port().to_string();
        let mut place = slow(binary, &[("port", &port)]);
        let digest = place.server.digest();
        let mut command = place.backup(&["--live", "--pause", "150ms", "--poll", "20ms"]);
        command.args(["--reconnect", "300ms", "-p", &port]);
        let mut run = UnderWay::start(&mut command);
        assert!(run.reaches(step), "{}", run.said);
        send(place.server.process(), "-KILL");
        let run = run.end();
        let fault = format!("server killed at step {step}");
        // The last step may be over before the server is.
        let codes = if *step == "5/5" { &[2, 0][..] } else { &[2][..] };
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{fault}: {run:#?}");
        let journal = place.names().iter().any(|name| name.ends_with(".journal"));
        // It comes back with what its configuration file says.
        let config = [("appendonly", "yes"), ("port", port.as_str())];
        place.server = Running::start(binary, place.data.path(), &config).expect("it starts again");
        assert_eq!(place.server.digest(), digest, "{fault}");
        let undone = Run::of(&mut place.backup(&["--restore-config", "-p", &port]));
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}");
        assert_whole(&place, &fault);
        table.row(&fault, &format!("exit {:?}, journal kept: {journal}", run.code));
    }
    table.print();
}

/// The processes that a process has forked.
fn children(process: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

fn rewrite_fails(binary: &Binary) {
    let mut place = slow(binary, &[]);
    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "100000"]);
    let mut table = Table::new(binary);
    let mut run = UnderWay::start(&mut place.live());
    assert!(run.reaches("3/5"), "{}", run.said);
    let server = place.server.process();
    wait_until("the child", || !children(server).is_empty());
    children(server).into_iter().for_each(|child| send(child, "-KILL"));
    let run = run.end();
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(
        run.stderr.contains("the rewrite failed: aof_last_bgrewrite_status is err"),
        "{run:#?}"
    );
    assert_eq!(place.settings(), BEFORE);
    assert!(place.archives().is_empty(), "nothing was backed up");
    assert_whole(&place, "rewrite fails");
    table.row("the child of BGREWRITEAOF killed", "exit 2, settings as before, no archive");

    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    let run = Run::of(place.live().args(["--strategy", "link"]));
    assert_eq!(run.code, Some(0), "links need no rewrite: {run:#?}");
    table.row("then by links", "exit 0");
    table.print();
}

fn server_hangs(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    for step in ["1/5", "3/5", "5/5"] {
        let mut command = paused(&place);
        command.args(["--reply-timeout", "300ms", "--reconnect", "300ms"]);
        let mut run = UnderWay::start(&mut command);
        assert!(run.reaches(step), "{}", run.said);
        send(place.server.process(), "-STOP");
        let run = run.end();
        send(place.server.process(), "-CONT");
        let fault = format!("server hangs at step {step}");
        if run.code != Some(0) {
            assert_eq!(run.code, Some(2), "{fault}: {run:#?}");
            assert!(run.stderr.contains("no reply in time"), "{fault}: {run:#?}");
        }
        let left = place.settings();
        let mut restore = place.backup(&["--restore-config"]);
        let undone = Run::of(restore.arg("-s").arg(place.server.socket()));
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}");
        table.row(&fault, &format!("exit {:?}, left {left:?}, restored {BEFORE:?}", run.code));
    }
    table.print();
}

fn left_alone(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut run = UnderWay::start(&mut paused(&place));
    assert!(run.reaches("3/5"), "{}", run.said);
    place.server.client.call(&["CONFIG", "SET", "appendfsync", "always"]);
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(place.settings(), ["always", "100"]);
    let told = "appendfsync: always, which somebody set meanwhile; it was everysec before";
    assert!(run.stdout.contains(told), "{run:#?}");
}

fn disk_full(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    let mut command = aofkit();
    command.args(["backup", "--live", "--to", "/nonexistent/backups"]);
    let gone = Run::of(command.arg("-s").arg(place.server.socket()));
    assert_eq!(gone.code, Some(2), "{gone:#?}");
    assert!(gone.stderr.contains("the backup directory is not there"), "{gone:#?}");

    let small = directory();
    let mount =
        |args: &[&str]| Command::new("mount").args(args).output().is_ok_and(|o| o.status.success());
    let at = small.path().display().to_string();
    if !mount(&["-t", "tmpfs", "-o", "size=48k", "none", &at]) {
        return; // Only where file systems may be mounted.
    }
    let unmount = Unmount(small.path());
    place.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    // What does not shrink.
    let mut random: u64 = 0x2545_F491_4F6C_DD1D;
    for n in 0..200 {
        let value: String = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            char::from(b'!' + u8::try_from(random % 90).expect("small"))
        })
        .take(1000)
        .collect();
        place.server.client.call(&["SET", &format!("random{n}"), &value]);
    }
    let mut command = aofkit();
    command.args(["backup", "--live", "--pause", "0", "--poll", "20ms", "--to", &at]);
    let run = Run::of(command.arg("-s").arg(place.server.socket()));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(place.settings(), BEFORE);
    let left = std::fs::read_dir(small.path()).expect("a list").flatten();
    let left: Vec<_> = left.map(|entry| entry.path()).collect();
    assert!(left.iter().all(|path| path.extension().is_some_and(|e| e == "lock")), "{left:?}");
    assert_whole(&place, "disk full");
    table.row("backup directory full", "exit 2, settings as before, nothing left");
    // Not even a journal fits: nothing is changed then.
    let ballast = std::fs::write(small.path().join("ballast"), vec![0; 64 << 10]);
    assert!(ballast.is_err(), "it is full");
    let mut command = aofkit();
    command.args(["backup", "--live", "--pause", "0", "--poll", "20ms", "--to", &at]);
    let run = Run::of(command.arg("-s").arg(place.server.socket()));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(setting(&mut place.server.client, "appendfsync"), "everysec");
    table.row("no room for the journal", "exit 2, nothing was changed");
    drop(unmount);
    table.print();
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
