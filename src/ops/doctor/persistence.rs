//! The checks of what a server writes to disk: its log, its snapshots, and how it starts again.

use std::time::Duration;

use super::facts::{DirectoryFacts, Facts, FileKind, Known, ServerFacts, age, name};
use super::finding::{Check, Finding};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::counted;
use crate::live::info::Info;

/// The reason why a setting or a state of a server is unknown if only a directory was given.
pub(crate) fn server(facts: &Facts) -> Known<&ServerFacts> {
    facts.server.as_ref().ok_or_else(|| {
        match facts.directory.as_ref().ok().and_then(|it| it.used_by.as_ref()) {
            Some(user) => {
                format!(
                    "no server was asked, but {} uses this directory: {}",
                    user.process,
                    user.how()
                )
            }
            None => "no server was asked: -p PORT asks one".to_owned(),
        }
    })
}

/// Checks whether anything of the data is on disk.
pub(crate) fn persistence(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Persistence;
    let judge = || {
        let server = server(facts)?;
        if server.has_log()? {
            return Ok(Finding::ok(CHECK, "appendonly is yes"));
        }
        if server.has_snapshots()? {
            return Ok(Finding::ok(CHECK, "appendonly is no, and snapshots are saved"));
        }
        let keys = match server.keys {
            Ok(0) => "all keys".to_owned(),
            Ok(keys) => counted(keys, "key"),
            Err(_) => "all keys".to_owned(),
        };
        let what = "appendonly is no, and save is \"\": nothing is written to disk";
        let why = format!("a restart, a crash or a power failure loses {keys}");
        Ok(Finding::red(CHECK, what, why).step(server.set("appendonly", "yes")))
    };
    Finding::of(CHECK, judge())
}

/// Checks for an old log next to a server that does not use it.
pub(crate) fn old_log(facts: &Facts) -> Finding {
    const CHECK: Check = Check::OldLog;
    let judge = || {
        let server = server(facts)?;
        if server.has_log()? {
            return Ok(Finding::ok(CHECK, "the log is in use"));
        }
        let directory = facts.directory.as_ref().map_err(Clone::clone)?;
        let Some((what, path)) = unused_log(facts, directory) else {
            return Ok(Finding::ok(CHECK, "there is no old log"));
        };
        let why = "once the configuration has appendonly yes, the next start loads this old log instead of the snapshot, and all newer data is lost";
        let aside = Action::run("mv", [path.clone(), format!("{path}.old")]);
        let move_it =
            NextStep::alternative("Or leave appendonly off, and move the old log away", [aside]);
        let mut turn_on = server.set("appendonly", "yes");
        turn_on.why = format!("{}: the server writes its data to a new log", turn_on.why);
        turn_on.alternative = true;
        Ok(Finding::red(CHECK, what, why).step(turn_on).step(move_it))
    };
    Finding::of(CHECK, judge())
}

/// Returns the description of a log that the server does not use, and its path as an argument.
fn unused_log(facts: &Facts, directory: &DirectoryFacts) -> Option<(String, String)> {
    let of_log = |kind| directory.of(kind).filter(|file| file.bytes > 0);
    let newest =
        of_log(FileKind::Log).chain(of_log(FileKind::Part)).max_by_key(|file| file.modified)?;
    let path = match newest.kind {
        FileKind::Part => newest.path.parent()?,
        _ => &newest.path,
    };
    let when = match age(facts.now, newest.modified) {
        Some(age) => format!("written {age} ago"),
        None => "with a time in the future".to_owned(),
    };
    Some((
        format!("appendonly is no, and an old log is there: {}, {when}", name(path)),
        path_arg(path),
    ))
}

/// Checks whether the log is rewritten before it fills the disk.
pub(crate) fn auto_rewrite(facts: &Facts) -> Finding {
    const CHECK: Check = Check::AutoRewrite;
    let judge = || {
        let server = server(facts)?;
        if !server.has_log()? {
            return Ok(Finding::ok(CHECK, "there is no log to rewrite"));
        }
        let percentage = server.settings.rewrite_percentage.as_ref().map_err(Clone::clone)?;
        match percentage.as_deref() {
            None => Err("the server has no setting auto-aof-rewrite-percentage".to_owned()),
            Some("0") => {
                let what = "auto-aof-rewrite-percentage is 0: the server never rewrites its log";
                let why = "the log grows until the disk is full, and a restart takes longer and longer. A recovery or a backup that was killed can have left it so";
                let step = server.set("auto-aof-rewrite-percentage", "100");
                Ok(Finding::warning(CHECK, what, why).step(step))
            }
            Some(other) => {
                let what = format!(
                    "auto-aof-rewrite-percentage is {}",
                    crate::base::escape::foreign(other)
                );
                Ok(Finding::ok(CHECK, what))
            }
        }
    };
    Finding::of(CHECK, judge())
}

/// Checks the last write to the log, and the last rewrite.
pub(crate) fn last_rewrite(facts: &Facts) -> Finding {
    const CHECK: Check = Check::LastRewrite;
    let judge = || {
        let server = server(facts)?;
        let info = server.persistence.as_ref().map_err(Clone::clone)?;
        if !server.has_log()? {
            return Ok(Finding::ok(CHECK, "there is no log to rewrite"));
        }
        let write = info.text("aof_last_write_status").unwrap_or("ok");
        let Some(rewrite) = info.text("aof_last_bgrewrite_status") else {
            return Err("INFO does not report aof_last_bgrewrite_status".to_owned());
        };
        if write != "ok" {
            let what = "the last write to the log failed";
            let why = "the server refuses writes until it can write the log again; its own log file has the cause, most often a full disk";
            let step = NextStep::new(
                "Make room on the disk of the log, then see whether writing works again",
                [server.run(&["INFO", "persistence"])],
            );
            return Ok(Finding::red(CHECK, what, why).step(step));
        }
        if let Some(finding) = hanging(server, info, CHECK, "aof", "rewrite of the log") {
            return Ok(finding);
        }
        if rewrite != "ok" {
            let what = "the last rewrite of the log failed";
            let why = "the log grows until a rewrite succeeds; the server's own log file has the cause, most often no memory to fork, no space on the disk, or a directory in which it may not create files";
            let step = NextStep::new(
                "Remove the cause, then rewrite the log",
                [server.run(&["BGREWRITEAOF"])],
            );
            return Ok(Finding::red(CHECK, what, why).step(step));
        }
        Ok(Finding::ok(CHECK, "the last write and the last rewrite succeeded"))
    };
    Finding::of(CHECK, judge())
}

/// The time from which a save or a rewrite is taken to hang. Those of the largest servers take less.
const HANGS_FROM: Duration = Duration::from_secs(6 * 3600);

/// Returns for how long a save (`rdb`) or a rewrite (`aof`) has been running that takes too long.
pub(super) fn stuck(info: &Info, which: &str) -> Option<Duration> {
    let (busy, since) = match which {
        "rdb" => ("rdb_bgsave_in_progress", "rdb_current_bgsave_time_sec"),
        _ => ("aof_rewrite_in_progress", "aof_current_rewrite_time_sec"),
    };
    let seconds = info.number::<u64>(since).filter(|_| info.flag(busy))?;
    Some(Duration::from_secs(seconds)).filter(|&time| time >= HANGS_FROM)
}

/// Returns the finding of a save or a rewrite that does not end.
fn hanging(
    server: &ServerFacts,
    info: &Info,
    check: Check,
    which: &str,
    name: &str,
) -> Option<Finding> {
    let hours = stuck(info, which)?.as_secs() / 3600;
    let what = format!("a {name} has been running for {}", counted(hours, "hour"));
    let why = match info.flag("aof_rewrite_scheduled") {
        true => "a rewrite of the log is scheduled and waits for it: the log grows until then",
        false => "the server starts no other save and no rewrite until it ends",
    };
    let look = match server.info.number::<u32>("process_id") {
        Some(pid) => {
            let pid = pid.to_string();
            Action::run("ps", ["-o", "pid,etime,stat,args", "--ppid", &pid].map(str::to_owned))
        }
        None => server.run(&["INFO", "server"]),
    };
    let steps = "Look for the child process of the server on its machine: if it is there and writes nothing, end that child (not the server), and the server goes on";
    Some(Finding::red(check, what, why).step(NextStep::new(steps, [look])))
}

/// Checks the last save.
pub(crate) fn last_save(facts: &Facts) -> Finding {
    const CHECK: Check = Check::LastSave;
    let judge = || {
        let server = server(facts)?;
        let info = server.persistence.as_ref().map_err(Clone::clone)?;
        if let Some(finding) = hanging(server, info, CHECK, "rdb", "save of a snapshot") {
            return Ok(finding);
        }
        match info.text("rdb_last_bgsave_status") {
            None => Err("INFO does not report rdb_last_bgsave_status".to_owned()),
            Some("ok") => Ok(Finding::ok(CHECK, "the last save succeeded")),
            Some(_) => {
                let what = "the last save of a snapshot failed";
                let why = "the snapshot is old, and with stop-writes-on-bgsave-error the server refuses writes; its own log file has the cause";
                let step =
                    NextStep::new("Remove the cause, then save again", [server.run(&["BGSAVE"])]);
                Ok(Finding::red(CHECK, what, why).step(step))
            }
        }
    };
    Finding::of(CHECK, judge())
}

/// Checks whether the server starts after a power failure.
pub(crate) fn load_truncated(facts: &Facts) -> Finding {
    const CHECK: Check = Check::LoadTruncated;
    let judge = || {
        let server = server(facts)?;
        let setting = server.settings.load_truncated.as_ref().map_err(Clone::clone)?;
        match setting.as_deref() {
            None => Err("the server has no setting aof-load-truncated".to_owned()),
            Some("no") => {
                let what = "aof-load-truncated is no";
                let why = "after a power failure the last command of the log is often incomplete, and then the server does not start";
                let step = server.set("aof-load-truncated", "yes");
                Ok(Finding::warning(CHECK, what, why).step(step))
            }
            Some(_) => Ok(Finding::ok(CHECK, "a log with an incomplete last command is loaded")),
        }
    };
    Finding::of(CHECK, judge())
}
