//! Whatever goes wrong, the settings are as they were, or the next run puts them back; and no half archive stays.
//!
//! Every fault is a line of a table, which is printed with its outcomes by `AOFKIT_LIVE_FAULTS=all`; without it, a
//! selection runs, and the table is printed when something fails.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use aofkit::base::progress::Silent;
use aofkit::input::archive::verify::{VerifyOptions, verify_archive};
use libtest_mimic::Trial;

use super::place::{Place, Run, UnderWay, aofkit, directory, free_port, send, setting, wait_until};
use super::proxy::{Cut, Proxy};
use super::{on_each, on_none};
use crate::support::server::{Binary, Running};
use crate::support::{Body, LINES};

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
    trials.extend(on_each(&LINES, "a server may be unable to write its directory", cannot_write));
    trials.extend(on_each(&LINES[1..2], "a server may hang", server_hangs));
    trials.extend(on_each(
        &LINES[1..2],
        "a setting that somebody changed is left alone",
        left_alone,
    ));
    trials.extend(on_each(&LINES[1..2], "the backup directory may be gone", disk_gone));
    for (lines, name, body) in [
        (&LINES[1..2], "the backup directory may be full", disk_full as Body),
        (&LINES[..], "the disk of a server may be full", server_full),
    ] {
        trials.extend(match can_mount() {
            Ok(()) => on_each(lines, name, body),
            Err(reason) => on_none(lines, name, &reason),
        });
    }
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

/// Root writes where it likes, so what takes the right away is that a name is taken: by a directory, where the server
/// wants to have a file.
fn cannot_write(binary: &Binary) {
    let mut table = Table::new(binary);
    for obstacle in [Obstacle::NewFile, Obstacle::ItsPlace] {
        let mut place = slow(binary, &[]);
        let is_set = binary.line.has_redis(7, 0);
        obstacle.before(&place, is_set);
        let mut run = UnderWay::start(&mut place.live());
        if obstacle == Obstacle::ItsPlace {
            assert!(run.reaches("3/5"), "{}", run.said);
            obstacle.meanwhile(&place, is_set);
        }
        let run = run.end();
        let fault = format!("the server cannot write: {obstacle:?}");
        assert_eq!(run.code, Some(2), "{fault}: {run:#?}");
        let (failed, log_is_in) = match (obstacle, is_set) {
            (Obstacle::NewFile, true) => ("BGREWRITEAOF: ERR Can't execute", "appendonlydir"),
            (Obstacle::ItsPlace, false) => ("the rewrite left no log at ", ""),
            (_, true) => ("the rewrite failed: aof_last_bgrewrite_status is err", "appendonlydir"),
            (_, false) => ("the rewrite failed: aof_last_bgrewrite_status is err", ""),
        };
        let failed = format!("{}: {failed}", place.server.socket().display());
        assert!(run.stderr.contains(&failed), "{fault}: {run:#?}");
        let log_is_in = place.data.path().join(log_is_in);
        let may_not = format!(
            "the server's log file says why: often {} may not be written by the server",
            log_is_in.display().to_string().trim_end_matches('/')
        );
        assert!(run.stderr.contains(&may_not), "{fault}: {run:#?}");
        assert!(run.stderr.contains("--strategy link backs up without a rewrite"), "{run:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}: {run:#?}");
        assert!(place.archives().is_empty(), "{fault}: nothing was backed up");
        assert_whole(&place, &fault);

        obstacle.away(&place, is_set);
        let again = Run::of(&mut place.live());
        assert_eq!(again.code, Some(0), "{fault}: {again:#?}");
        assert_eq!(place.settings(), BEFORE, "{fault}: {again:#?}");
        let digest = place.server.digest();
        let (mut restored, _data) = place.restored(&place.archive());
        assert_eq!(restored.digest(), digest, "{fault}");
        let last = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        table.row(&fault, &format!("exit 2, settings as before, no archive; {last}"));
    }
    table.print();
}

/// What keeps a server from writing its log anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The file that the rewrite begins with cannot be made.
    NewFile,
    /// The rewritten file cannot be put where it belongs, when all the work is done.
    ItsPlace,
}

/// Processes that may start between two looks at their numbers, at the most.
const PROCESSES: u32 = 1024;

impl Obstacle {
    fn before(self, place: &Place, is_set: bool) {
        let data = place.data.path();
        let set = data.join("appendonlydir");
        match (self, is_set) {
            (Obstacle::NewFile, true) => taken(&set.join("appendonly.aof.2.incr.aof")),
            (Obstacle::ItsPlace, true) => taken(&set.join("appendonly.aof.2.base.rdb")),
            // The child of Redis 6.2 names its file by its own number, one of the next that are given out.
            (Obstacle::NewFile, false) => {
                let last = Command::new("true").spawn().expect("a process");
                let numbers = (1..=PROCESSES).map(|n| (last.id() + n) % highest_process());
                numbers.for_each(|n| taken(&data.join(format!("temp-rewriteaof-{n}.aof"))));
                let _ = { last }.wait();
            }
            (Obstacle::ItsPlace, false) => {}
        }
    }

    /// While the child writes.
    fn meanwhile(self, place: &Place, is_set: bool) {
        if self == Obstacle::ItsPlace && !is_set {
            let log = place.data.path().join("appendonly.aof");
            std::fs::rename(&log, place.data.path().join("put aside")).expect("it is moved");
            taken(&log);
        }
    }

    fn away(self, place: &Place, is_set: bool) {
        let data = place.data.path();
        let directory = if is_set { data.join("appendonlydir") } else { data.to_path_buf() };
        for entry in std::fs::read_dir(&directory).expect("a list").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            let is_ours = name.ends_with(".aof") || name.ends_with(".rdb");
            if is_ours && entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path()).expect("it is removed");
            }
        }
        if self == Obstacle::ItsPlace && !is_set {
            std::fs::rename(data.join("put aside"), data.join("appendonly.aof")).expect("back");
        }
    }
}

/// A directory at a name, which no file replaces as there is something in it.
fn taken(name: &Path) {
    std::fs::create_dir_all(name.join("taken")).expect("a directory");
}

/// Where the numbers of processes begin again.
fn highest_process() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    text.trim().parse().unwrap_or(u32::MAX)
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

fn disk_gone(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut command = aofkit();
    command.args(["backup", "--live", "--to", "/nonexistent/backups"]);
    let gone = Run::of(command.arg("-s").arg(place.server.socket()));
    assert_eq!(gone.code, Some(2), "{gone:#?}");
    assert!(gone.stderr.contains("the backup directory is not there"), "{gone:#?}");
    assert_eq!(place.settings(), BEFORE);
}

/// A small file system, until the answer is dropped; or why there is none.
fn mounted(at: &Path) -> Result<Unmount<'_>, String> {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=48k", "none"]).arg(at);
    let output = mount.output().map_err(|error| format!("needs mount: {error}"))?;
    if output.status.success() {
        return Ok(Unmount(at));
    }
    Err("needs the right to mount a file system".into())
}

/// Whether file systems may be mounted here; tried once, and told where trials are listed.
fn can_mount() -> Result<(), String> {
    static TRIED: LazyLock<Result<(), String>> =
        LazyLock::new(|| mounted(directory().path()).map(drop));
    TRIED.clone()
}

fn server_full(binary: &Binary) {
    let small = directory();
    let unmount = mounted(small.path()).expect("it could be mounted before");
    let data = tempfile::tempdir_in(small.path()).expect("a directory");
    let mut place = Place::at(binary, data, &[]);
    place.fill(5);
    let mut table = Table::new(binary);
    // The log has room in its last page; no other file has.
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![0; 64 << 10]).expect_err("it is full");
    let run = Run::of(&mut place.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    // A set begins with a new file and a manifest; without one the child is the first to write.
    let is_set = binary.line.has_redis(7, 0);
    let failed =
        if is_set { "BGREWRITEAOF: ERR Can't execute" } else { "aof_last_bgrewrite_status is err" };
    assert!(run.stderr.contains(failed), "{run:#?}");
    assert!(run.stderr.contains("disk is full"), "{run:#?}");
    assert_eq!(place.settings(), BEFORE, "{run:#?}");
    assert!(place.archives().is_empty(), "nothing was backed up");
    assert_whole(&place, "the server's disk is full");

    std::fs::remove_file(&ballast).expect("it is removed");
    let again = Run::of(&mut place.live());
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert_eq!(place.settings(), BEFORE, "{again:#?}");
    table.row("the server's disk full", "exit 2, settings as before; exit 0 when there is room");
    table.print();
    drop(place);
    drop(unmount);
}

fn disk_full(binary: &Binary) {
    let mut place = slow(binary, &[]);
    let mut table = Table::new(binary);
    let small = directory();
    let at = small.path().display().to_string();
    let unmount = mounted(small.path()).expect("it could be mounted before");
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
