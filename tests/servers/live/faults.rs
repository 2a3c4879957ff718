//! Faults during live backups. After every fault the settings are restored, by the run itself or by the next one, and
//! no incomplete archive remains.
//!
//! By default a selection of the faults is tested. `AOFKIT_LIVE_FAULTS=all` tests all of them and prints a table of
//! their outcomes.

use std::fmt::Write;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use aofkit::base::progress::Silent;
use aofkit::base::server::redis;
use aofkit::input::archive::verify::verify_archive;
use libtest_mimic::Trial;

use super::proxy::{Cut, Proxy};
use super::{ignore_each, on_each};
use crate::support::{
    Binary, Body, FAMILIES, Run, Running, Setup, UnderWay, aofkit, free_port, send_signal, setting,
    temp_dir, wait_until,
};

pub(crate) fn trials() -> Vec<Trial> {
    let two = [redis(6, 2), redis(7, 0)];
    let lines = if everything() { &FAMILIES[..] } else { &two };
    let one = &two[1..];
    let mut trials = on_each(lines, "next_run_restores_the_settings_after_a_kill", killed);
    trials.extend(on_each(lines, "interrupted_run_restores_the_settings", interrupted));
    trials.extend(on_each(lines, "settings_survive_a_lost_connection", cut));
    trials.extend(on_each(lines, "settings_survive_a_kill_of_the_server", server_killed));
    trials.extend(on_each(lines, "failed_rewrite_restores_the_settings", rewrite_fails));
    let name = "unwritable_server_directory_restores_the_settings";
    trials.extend(on_each(&FAMILIES, name, cannot_write));
    trials.extend(on_each(one, "settings_survive_a_hanging_server", server_hangs));
    trials.extend(on_each(one, "setting_changed_by_others_is_not_restored", changed_by_others));
    trials.extend(on_each(one, "missing_backup_directory_changes_nothing", disk_missing));
    for (lines, name, body) in [
        (one, "full_backup_directory_restores_the_settings", disk_full as Body),
        (&FAMILIES[..], "full_server_disk_restores_the_settings", server_full),
    ] {
        trials.extend(match can_mount() {
            Ok(()) => on_each(lines, name, body),
            Err(reason) => ignore_each(lines, name, &reason),
        });
    }
    trials
}

fn everything() -> bool {
    std::env::var_os("AOFKIT_LIVE_FAULTS").is_some_and(|value| value == "all")
}

/// A table of the tested faults and their outcomes.
struct Table(String);

impl Table {
    fn new(binary: &Binary) -> Table {
        Table(format!("\n{:<12} fault, outcome\n", binary.line))
    }

    fn row(&mut self, fault: &str, outcome: &str) {
        let _ = writeln!(self.0, "  {fault:<58} {outcome}");
    }

    #[allow(clippy::print_stdout)] // Printed only on request.
    fn print(&self) {
        if everything() {
            println!("{}", self.0);
        }
    }
}

/// Starts a server whose rewrites take 3 ms per key, so that faults can occur during one.
fn slow(binary: &Binary, config: &[(&str, &str)]) -> Setup {
    let mut setup = Setup::with(binary, config);
    setup.fill(20);
    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "3000"]);
    setup
}

const BEFORE: [&str; 2] = ["everysec", "100"];

/// Returns a live backup of the server with pauses, so that every step can be observed.
fn paused(setup: &Setup) -> Command {
    let mut command = setup.backup(&["--live", "--pause", "150ms", "--poll", "20ms"]);
    command.arg("-s").arg(setup.server.socket());
    command
}

/// Asserts that every archive is valid and that no temporary files remain.
fn assert_whole(setup: &Setup, what: &str) {
    for archive in setup.archives() {
        let checked = verify_archive(&archive, &Silent);
        assert!(checked.expect("a zip").sound, "{what}");
    }
    let unfinished: Vec<_> =
        setup.names().into_iter().filter(|name| !name.ends_with(".zip")).collect();
    assert!(unfinished.is_empty(), "{what}: {unfinished:?}");
    assert!(
        setup.leftovers_in_data_dir().is_empty(),
        "{what}: {:?}",
        setup.leftovers_in_data_dir()
    );
}

fn steps() -> &'static [&'static str] {
    &["1/5", "2/5", "3/5", "4/5", "5/5"]
}

fn killed(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut table = Table::new(binary);
    for (index, step) in steps().iter().enumerate() {
        let mut run = UnderWay::start(&mut paused(&setup));
        assert!(run.reaches(step), "{}", run.messages);
        run.signal("-KILL");
        let code = run.end().code;
        let left = setup.settings();
        let fault = format!("aofkit killed -9 at step {step}");
        // Alternately by `--restore-config` and by the next backup.
        let mut undo = if index % 2 == 0 {
            let mut restore = setup.backup(&["--restore-config"]);
            restore.arg("-s").arg(setup.server.socket());
            restore
        } else {
            setup.live()
        };
        let undone = Run::of(&mut undo);
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}: {undone:#?}");
        let last = Run::of(&mut setup.live());
        assert_eq!(last.code, Some(0), "{fault}: {last:#?}");
        assert_whole(&setup, &fault);
        table
            .row(&fault, &format!("exit {code:?}, left {left:?}, restored {:?}", setup.settings()));
    }
    table.print();
}

/// Returns whether a process runs with a nice value of at least 10. (Field 19 of its status; field 2 is the program's
/// name in parentheses.)
fn is_nice(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let after_name = status.rsplit(')').next().unwrap_or_default();
    after_name
        .split_whitespace()
        .nth(16)
        .is_some_and(|nice| nice.parse::<i32>().is_ok_and(|nice| nice >= 10))
}

fn interrupted(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut table = Table::new(binary);
    for (index, step) in steps().iter().enumerate() {
        let signal = if index % 2 == 0 { "-INT" } else { "-TERM" };
        let mut run = UnderWay::start(&mut paused(&setup));
        assert!(run.reaches(step), "{}", run.messages);
        assert!(is_nice(run.child.id()), "the server has priority");
        run.signal(signal);
        let run = run.end();
        let fault = format!("{signal} at step {step}");
        // The last step may be finished before the signal arrives.
        let codes = if *step == "5/5" { &[130, 0][..] } else { &[130][..] };
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{fault}: {run:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}: {run:#?}");
        assert_whole(&setup, &fault);
        table.row(&fault, &format!("exit {:?}, settings {:?}", run.code, setup.settings()));
    }
    table.print();
}

fn cut(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut table = Table::new(binary);
    let through = |setup: &Setup, cut: Cut| {
        let proxy = Proxy::start(&setup.server.socket(), cut);
        let mut command = setup.backup(&["--live", "--pause", "0", "--poll", "40ms"]);
        command.args(["--reconnect", "5s", "-p", &proxy.port.to_string()]);
        let run = Run::of(&mut command);
        (run, proxy.commands.load(std::sync::atomic::Ordering::SeqCst))
    };
    let (run, commands) = through(&setup, Cut::Never);
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert!(commands > 20, "the proxy counts commands one by one: {commands}");
    let each = if everything() { 1 } else { 4 };
    for number in (1..=commands).step_by(each) {
        for cut in [Cut::Before(number), Cut::After(number)] {
            let (run, _) = through(&setup, cut);
            let fault = format!("connection cut {cut:?} of {commands} commands");
            assert!(matches!(run.code, Some(0 | 2)), "{fault}: {run:#?}");
            assert_eq!(setup.settings(), BEFORE, "{fault}: {run:#?}");
            assert_whole(&setup, &fault);
            table.row(&fault, &format!("exit {:?}, settings {:?}", run.code, setup.settings()));
        }
    }
    table.print();
}

fn server_killed(binary: &Binary) {
    let mut table = Table::new(binary);
    for step in steps() {
        let port = free_port().to_string();
        let mut setup = slow(binary, &[("port", &port)]);
        let digest = setup.server.digest();
        let mut command = setup.backup(&["--live", "--pause", "150ms", "--poll", "20ms"]);
        command.args(["--reconnect", "300ms", "-p", &port]);
        let mut run = UnderWay::start(&mut command);
        assert!(run.reaches(step), "{}", run.messages);
        send_signal(setup.server.process(), "-KILL");
        let run = run.end();
        let fault = format!("server killed at step {step}");
        // The last step may be finished before the server is killed.
        let codes = if *step == "5/5" { &[2, 0][..] } else { &[2][..] };
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{fault}: {run:#?}");
        let journal = setup.names().iter().any(|name| name.ends_with(".journal"));
        // The restarted server has the settings of its configuration file.
        let config = [("appendonly", "yes"), ("port", port.as_str())];
        setup.server =
            Running::start(binary, setup.data.path(), &config).expect("the server starts again");
        assert_eq!(setup.server.digest(), digest, "{fault}");
        let undone = Run::of(&mut setup.backup(&["--restore-config", "-p", &port]));
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}");
        assert_whole(&setup, &fault);
        table.row(&fault, &format!("exit {:?}, journal kept: {journal}", run.code));
    }
    table.print();
}

/// Returns the child processes of a process.
fn children(process: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let text = text.unwrap_or_default();
    text.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

fn rewrite_fails(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "100000"]);
    let mut table = Table::new(binary);
    let mut run = UnderWay::start(&mut setup.live());
    assert!(run.reaches("3/5"), "{}", run.messages);
    let server = setup.server.process();
    wait_until("the child of the rewrite", || !children(server).is_empty());
    children(server).into_iter().for_each(|child| send_signal(child, "-KILL"));
    let run = run.end();
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert!(
        run.stderr.contains("the rewrite failed: aof_last_bgrewrite_status is err"),
        "{run:#?}"
    );
    assert_eq!(setup.settings(), BEFORE);
    assert!(setup.archives().is_empty(), "nothing was backed up");
    assert_whole(&setup, "rewrite fails");
    table.row("the child of BGREWRITEAOF killed", "exit 2, settings as before, no archive");

    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    let run = Run::of(setup.live().args(["--strategy", "link"]));
    assert_eq!(run.code, Some(0), "the link strategy needs no rewrite: {run:#?}");
    table.row("then by links", "exit 0");
    table.print();
}

/// Permissions do not stop root, so a directory is created at the name at which the server needs to create a file.
fn cannot_write(binary: &Binary) {
    let mut table = Table::new(binary);
    for obstacle in [Obstacle::NewFile, Obstacle::FinalName] {
        let mut setup = slow(binary, &[]);
        let is_set = binary.line.has_redis(7, 0);
        obstacle.before(&setup, is_set);
        let mut run = UnderWay::start(&mut setup.live());
        if obstacle == Obstacle::FinalName {
            assert!(run.reaches("3/5"), "{}", run.messages);
            obstacle.meanwhile(&setup, is_set);
        }
        let run = run.end();
        let fault = format!("the server cannot write: {obstacle:?}");
        assert_eq!(run.code, Some(2), "{fault}: {run:#?}");
        let (failed, log_is_in) = match (obstacle, is_set) {
            (Obstacle::NewFile, true) => ("BGREWRITEAOF: ERR Can't execute", "appendonlydir"),
            (Obstacle::FinalName, false) => ("the rewrite left no log at ", ""),
            (_, true) => ("the rewrite failed: aof_last_bgrewrite_status is err", "appendonlydir"),
            (_, false) => ("the rewrite failed: aof_last_bgrewrite_status is err", ""),
        };
        let failed = format!("{}: {failed}", setup.server.socket().display());
        assert!(run.stderr.contains(&failed), "{fault}: {run:#?}");
        let log_is_in = setup.data.path().join(log_is_in);
        let may_not = format!(
            "the server's log file says why: often {} may not be written by the server",
            log_is_in.display().to_string().trim_end_matches('/')
        );
        assert!(run.stderr.contains(&may_not), "{fault}: {run:#?}");
        assert!(run.stderr.contains("--strategy link backs up without a rewrite"), "{run:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}: {run:#?}");
        assert!(setup.archives().is_empty(), "{fault}: nothing was backed up");
        assert_whole(&setup, &fault);

        obstacle.remove(&setup, is_set);
        let again = Run::of(&mut setup.live());
        assert_eq!(again.code, Some(0), "{fault}: {again:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}: {again:#?}");
        let digest = setup.server.digest();
        let (mut restored, _data) = setup.restored(&setup.archive());
        assert_eq!(restored.digest(), digest, "{fault}");
        let last = run.stderr.lines().find(|line| line.starts_with("error: ")).unwrap_or_default();
        table.row(&fault, &format!("exit 2, settings as before, no archive; {last}"));
    }
    table.print();
}

/// A reason for which a server cannot rewrite its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Obstacle {
    /// The first file of the rewrite cannot be created.
    NewFile,
    /// The finished file cannot be renamed to its final name.
    FinalName,
}

/// The number of process IDs that may be assigned between the prediction of an ID and the rewrite.
const PROCESSES: u32 = 1024;

impl Obstacle {
    fn before(self, setup: &Setup, is_set: bool) {
        let data = setup.data.path();
        let set = data.join("appendonlydir");
        match (self, is_set) {
            (Obstacle::NewFile, true) => block_name(&set.join("appendonly.aof.2.incr.aof")),
            (Obstacle::FinalName, true) => block_name(&set.join("appendonly.aof.2.base.rdb")),
            // The child of Redis 6.2 names its file after its process ID, which is one of the next IDs.
            (Obstacle::NewFile, false) => {
                let last = Command::new("true").spawn().expect("a process");
                let numbers = (1..=PROCESSES).map(|n| (last.id() + n) % highest_process());
                numbers.for_each(|n| block_name(&data.join(format!("temp-rewriteaof-{n}.aof"))));
                let _ = { last }.wait();
            }
            (Obstacle::FinalName, false) => {}
        }
    }

    /// Called while the child process writes.
    fn meanwhile(self, setup: &Setup, is_set: bool) {
        if self == Obstacle::FinalName && !is_set {
            let log = setup.data.path().join("appendonly.aof");
            std::fs::rename(&log, setup.data.path().join("moved")).expect("the log is moved");
            block_name(&log);
        }
    }

    fn remove(self, setup: &Setup, is_set: bool) {
        let data = setup.data.path();
        let directory = if is_set { data.join("appendonlydir") } else { data.to_path_buf() };
        for entry in std::fs::read_dir(&directory).expect("a list").flatten() {
            let name = entry.file_name().into_string().expect("a name");
            let is_ours = name.ends_with(".aof") || name.ends_with(".rdb");
            if is_ours && entry.path().is_dir() {
                std::fs::remove_dir_all(entry.path()).expect("the obstacle is removed");
            }
        }
        if self == Obstacle::FinalName && !is_set {
            std::fs::rename(data.join("moved"), data.join("appendonly.aof"))
                .expect("the log is moved back");
        }
    }
}

/// Creates a directory at a name. It is not empty, so no file can replace it.
fn block_name(name: &Path) {
    std::fs::create_dir_all(name.join("content")).expect("a directory");
}

/// Returns the process ID at which the numbering starts again.
fn highest_process() -> u32 {
    let text = std::fs::read_to_string("/proc/sys/kernel/pid_max").unwrap_or_default();
    text.trim().parse().unwrap_or(u32::MAX)
}

fn server_hangs(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut table = Table::new(binary);
    for step in ["1/5", "3/5", "5/5"] {
        let mut command = paused(&setup);
        command.args(["--reply-timeout", "300ms", "--reconnect", "300ms"]);
        let mut run = UnderWay::start(&mut command);
        assert!(run.reaches(step), "{}", run.messages);
        send_signal(setup.server.process(), "-STOP");
        let run = run.end();
        send_signal(setup.server.process(), "-CONT");
        let fault = format!("server hangs at step {step}");
        if run.code != Some(0) {
            assert_eq!(run.code, Some(2), "{fault}: {run:#?}");
            assert!(run.stderr.contains("no reply in time"), "{fault}: {run:#?}");
        }
        let left = setup.settings();
        let mut restore = setup.backup(&["--restore-config"]);
        let undone = Run::of(restore.arg("-s").arg(setup.server.socket()));
        assert_eq!(undone.code, Some(0), "{fault}: {undone:#?}");
        assert_eq!(setup.settings(), BEFORE, "{fault}");
        table.row(&fault, &format!("exit {:?}, left {left:?}, restored {BEFORE:?}", run.code));
    }
    table.print();
}

fn changed_by_others(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut run = UnderWay::start(&mut paused(&setup));
    assert!(run.reaches("3/5"), "{}", run.messages);
    setup.server.client.call(&["CONFIG", "SET", "appendfsync", "always"]);
    let run = run.end();
    assert_eq!(run.code, Some(0), "{run:#?}");
    assert_eq!(setup.settings(), ["always", "100"]);
    let message =
        "appendfsync: always, changed by another client meanwhile; it was everysec before";
    assert!(run.stdout.contains(message), "{run:#?}");
}

fn disk_missing(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut command = aofkit();
    command.args(["backup", "--live", "--to", "/nonexistent/backups"]);
    let gone = Run::of(command.arg("-s").arg(setup.server.socket()));
    assert_eq!(gone.code, Some(2), "{gone:#?}");
    assert!(gone.stderr.contains("the backup directory is not there"), "{gone:#?}");
    assert_eq!(setup.settings(), BEFORE);
}

/// Mounts a small file system, which is unmounted when the returned value is dropped.
///
/// # Errors
///
/// The reason as text if it cannot be mounted.
fn mounted(at: &Path) -> Result<Unmount<'_>, String> {
    let mut mount = Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=48k", "none"]).arg(at);
    let output = mount.output().map_err(|error| format!("needs mount: {error}"))?;
    if output.status.success() {
        return Ok(Unmount(at));
    }
    Err("needs permission to mount a file system".into())
}

/// Returns whether file systems can be mounted. It is tried once; the error is the reason for ignored trials.
fn can_mount() -> Result<(), String> {
    static TRIED: LazyLock<Result<(), String>> =
        LazyLock::new(|| mounted(temp_dir().path()).map(drop));
    TRIED.clone()
}

fn server_full(binary: &Binary) {
    let small = temp_dir();
    let unmount = mounted(small.path()).expect("mounting has worked before");
    let data = tempfile::tempdir_in(small.path()).expect("a directory");
    let mut setup = Setup::at(binary, data, &[]);
    setup.fill(5);
    let mut table = Table::new(binary);
    // Only the log can still grow, within its last page.
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![0; 64 << 10]).expect_err("the disk is full");
    let run = Run::of(&mut setup.live());
    assert_eq!(run.code, Some(2), "{run:#?}");
    // With a set, the server first creates a file and a manifest; with a single file, the child is the first to write.
    let is_set = binary.line.has_redis(7, 0);
    let failed =
        if is_set { "BGREWRITEAOF: ERR Can't execute" } else { "aof_last_bgrewrite_status is err" };
    assert!(run.stderr.contains(failed), "{run:#?}");
    assert!(run.stderr.contains("disk is full"), "{run:#?}");
    assert_eq!(setup.settings(), BEFORE, "{run:#?}");
    assert!(setup.archives().is_empty(), "nothing was backed up");
    assert_whole(&setup, "the server's disk is full");

    std::fs::remove_file(&ballast).expect("the file is removed");
    let again = Run::of(&mut setup.live());
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert_eq!(setup.settings(), BEFORE, "{again:#?}");
    table.row("the server's disk full", "exit 2, settings as before; exit 0 with free space");
    table.print();
    drop(setup);
    drop(unmount);
}

fn disk_full(binary: &Binary) {
    let mut setup = slow(binary, &[]);
    let mut table = Table::new(binary);
    let small = temp_dir();
    let at = small.path().display().to_string();
    let unmount = mounted(small.path()).expect("mounting has worked before");
    setup.server.client.call(&["CONFIG", "SET", "rdb-key-save-delay", "0"]);
    // Random values do not compress.
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
        setup.server.client.call(&["SET", &format!("random{n}"), &value]);
    }
    let mut command = aofkit();
    command.args(["backup", "--live", "--pause", "0", "--poll", "20ms", "--to", &at]);
    let run = Run::of(command.arg("-s").arg(setup.server.socket()));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(setup.settings(), BEFORE);
    let left = std::fs::read_dir(small.path()).expect("a list").flatten();
    let left: Vec<_> = left.map(|entry| entry.path()).collect();
    assert!(left.iter().all(|path| path.extension().is_some_and(|e| e == "lock")), "{left:?}");
    assert_whole(&setup, "disk full");
    table.row("backup directory full", "exit 2, settings as before, nothing left");
    // Without space for the journal, nothing is changed.
    let ballast = std::fs::write(small.path().join("ballast"), vec![0; 64 << 10]);
    assert!(ballast.is_err(), "the disk is full");
    let mut command = aofkit();
    command.args(["backup", "--live", "--pause", "0", "--poll", "20ms", "--to", &at]);
    let run = Run::of(command.arg("-s").arg(setup.server.socket()));
    assert_eq!(run.code, Some(2), "{run:#?}");
    assert_eq!(setting(&mut setup.server.client, "appendfsync"), "everysec");
    table.row("no space for the journal", "exit 2, nothing was changed");
    drop(unmount);
    table.print();
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}
