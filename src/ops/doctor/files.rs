//! The checks of the files of a data directory, and of the disk that they are on.

use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use super::facts::{DirectoryFacts, Facts, FileFacts, FileKind, Known, name};
use super::finding::{Check, Finding};
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::units::{Bytes, counted};
use crate::rdb::Magic;

/// The permission bits of everybody else: to read, to write, and to enter a directory.
const OTHERS_READ: u32 = 0o004;
const OTHERS_WRITE: u32 = 0o002;
const OTHERS_ENTER: u32 = 0o001;

/// The permission bits with which a group and the owner create files in a directory.
const GROUP_WRITE: u32 = 0o020;
const OWNER_CREATES: u32 = 0o300;

/// The difference of two clocks that is not one.
const SAME_TIME: Duration = Duration::from_secs(60);

/// The difference of the server's clock that its replies do not explain, in milliseconds.
const CLOCK_MS: u64 = 5000;

/// The number of names that are printed.
const NAMED: usize = 3;

fn directory(facts: &Facts) -> Known<&DirectoryFacts> {
    facts.directory.as_ref().map_err(Clone::clone)
}

/// Checks whether a rewrite fits on the disk.
pub(crate) fn disk_space(facts: &Facts) -> Finding {
    const CHECK: Check = Check::DiskSpace;
    let judge = || {
        let directory = directory(facts)?;
        let free = *directory.free_bytes.as_ref().map_err(Clone::clone)?;
        let needed = directory.data_bytes();
        let what =
            format!("{} are free, and a rewrite writes up to {}", Bytes(free), Bytes(needed));
        if free >= needed.saturating_mul(2) {
            return Ok(Finding::ok(CHECK, what));
        }
        let step = NextStep::new(
            "Free space on this file system, or move the data directory to a larger one",
            [Action::run("df", ["-h".to_owned(), directory.arg()])],
        );
        let finding = if free < needed {
            let why = "the next rewrite or save fails, and once the disk is full the server refuses writes";
            Finding::red(CHECK, what, why)
        } else {
            let why = "the log grows during a rewrite, so that the disk can be full before the old log is removed";
            Finding::warning(CHECK, what, why)
        };
        Ok(finding.step(step))
    };
    Finding::of(CHECK, judge())
}

/// Checks owners and permissions.
pub(crate) fn file_rights(facts: &Facts) -> Finding {
    const CHECK: Check = Check::FileRights;
    let judge = || {
        let directory = directory(facts)?;
        let finding = writable(directory)
            .or_else(|| unwritable(facts, directory))
            .or_else(|| other_owner(facts, directory));
        if let Some(finding) = finding {
            return Ok(finding);
        }
        let is_open = directory.mode & OTHERS_ENTER != 0;
        let readable = || directory.files.iter().filter(|file| file.mode & OTHERS_READ != 0);
        if is_open && readable().next().is_some() {
            let what = format!("every user of this machine can read {}", names(readable()));
            let why = "the files contain all keys and values";
            let chmod = Action::run("chmod", ["o-rwx".to_owned(), directory.arg()]);
            // A server of another user than the owner may need what would be taken from the others.
            let of_server = facts.server.as_ref().and_then(|server| server.uid);
            let chown = of_server
                .filter(|&uid| uid != 0 && uid != directory.uid)
                .map(|uid| Action::run("chown", [uid.to_string(), directory.arg()]));
            let actions: Vec<Action> = chown.into_iter().chain([chmod]).collect();
            let step = NextStep::new("Close the directory to other users", actions);
            return Ok(Finding::warning(CHECK, what, why).step(step));
        }
        Ok(Finding::ok(CHECK, "other users can neither read nor write the files"))
    };
    Finding::of(CHECK, judge())
}

/// Returns the finding of what every user can write.
fn writable(directory: &DirectoryFacts) -> Option<Finding> {
    let files: Vec<&FileFacts> =
        directory.files.iter().filter(|file| file.mode & OTHERS_WRITE != 0).collect();
    let is_open = directory.mode & OTHERS_WRITE != 0;
    if files.is_empty() && !is_open {
        return None;
    }
    let what = match is_open {
        true => "every user of this machine can write to the data directory".to_owned(),
        false => {
            format!("every user of this machine can write to {}", names(files.iter().copied()))
        }
    };
    let own = is_open.then(|| directory.arg());
    let paths = own.into_iter().chain(files.iter().map(|file| path_arg(&file.path)));
    let chmod = Action::run("chmod", ["o-w".to_owned()].into_iter().chain(paths));
    let why = "anybody can change or remove the data, or put a log there that the server loads";
    let step = NextStep::new("Take this permission away", [chmod]);
    Some(Finding::red(Check::FileRights, what, why).step(step))
}

/// Returns the finding of directories in which the server can create no file, by their owners and permissions. What a group
/// may write is not judged: the groups of the server are not known.
fn unwritable(facts: &Facts, directory: &DirectoryFacts) -> Option<Finding> {
    // Root may write everything.
    let uid = facts.server.as_ref().and_then(|server| server.uid).filter(|&uid| uid != 0)?;
    let of_sets = directory.sets.iter().map(|set| (&set.path, set.mode, set.uid));
    let places = std::iter::once((&directory.path, directory.mode, directory.uid)).chain(of_sets);
    let refuses = |mode: u32, owner: u32| match owner == uid {
        true => mode & OWNER_CREATES != OWNER_CREATES,
        false => mode & (GROUP_WRITE | OTHERS_WRITE) == 0,
    };
    let refusing = places.filter(|&(_, mode, owner)| refuses(mode, owner));
    let refusing: Vec<(&PathBuf, bool)> =
        refusing.map(|(path, _, owner)| (path, owner == uid)).collect();
    let (first, _) = refusing.first()?;
    let what = format!("the server, user {uid}, may create no files in {}", first.display());
    let why = "no rewrite and no save succeeds: its log file says \"Permission denied\"";
    let arg = |path: &PathBuf| path_arg(path);
    let owned: Vec<String> =
        refusing.iter().filter(|(_, own)| *own).map(|(path, _)| arg(path)).collect();
    let others: Vec<String> =
        refusing.iter().filter(|(_, own)| !own).map(|(path, _)| arg(path)).collect();
    let chmod = (!owned.is_empty())
        .then(|| Action::run("chmod", ["u+rwx".to_owned()].into_iter().chain(owned)));
    let chown = (!others.is_empty())
        .then(|| Action::run("chown", [uid.to_string()].into_iter().chain(others)));
    let actions: Vec<Action> = chown.into_iter().chain(chmod).collect();
    let step = NextStep::new("Give the server its directory", actions);
    Some(Finding::red(Check::FileRights, what, why).step(step))
}

/// Returns the finding of files that belong to another user than the server.
fn other_owner(facts: &Facts, directory: &DirectoryFacts) -> Option<Finding> {
    let of_server = facts.server.as_ref().and_then(|server| server.uid);
    let uid = of_server.unwrap_or(directory.uid);
    // Root may write everything.
    if uid == 0 {
        return None;
    }
    let of_others = || directory.files.iter().filter(|file| file.uid != uid);
    let first = of_others().next()?;
    let user = if of_server.is_some() { "the server" } else { "the data directory" };
    let what =
        format!("{} belong to user {}, and {user} to user {uid}", names(of_others()), first.uid);
    let why =
        "the server cannot write to them: it does not start, or stops writing at the next rewrite";
    let paths = of_others().map(|file| path_arg(&file.path));
    let chown = Action::run("chown", [uid.to_string()].into_iter().chain(paths));
    let step = NextStep::new("Give the files to that user", [chown]);
    Some(
        match of_server {
            Some(_) => Finding::red(Check::FileRights, what, why),
            None => Finding::warning(Check::FileRights, what, why),
        }
        .step(step),
    )
}

/// Checks the clock of the server, and the times of the files and of the log.
pub(crate) fn clock(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Clock;
    const WHY: &str =
        "expiries are absolute times: with a wrong clock, keys expire too early or too late";
    let synchronise =
        |why: &str| NextStep::new(why, [Action::run("timedatectl", ["set-ntp", "true"])]);
    let differs = match facts.server.as_ref().map(|server| &server.clock_ms) {
        Some(Ok(ms)) => (ms.unsigned_abs() > CLOCK_MS).then(|| {
            let seconds = counted(ms.unsigned_abs() / 1000, "second");
            let how = if *ms > 0 { "ahead of" } else { "behind" };
            format!("the clock of the server is {seconds} {how} that of this machine")
        }),
        Some(Err(reason)) => return Finding::unknown(CHECK, reason.clone()),
        None => None,
    };
    if let Some(what) = differs {
        return Finding::warning(CHECK, what, WHY).step(synchronise("Synchronise both clocks"));
    }
    let Ok(directory) = &facts.directory else {
        return match &facts.server {
            Some(_) => Finding::ok(CHECK, "the clock of the server is that of this machine"),
            None => Finding::of(CHECK, directory(facts).map(|_| Finding::ok(CHECK, ""))),
        };
    };
    let latest = facts.now + SAME_TIME;
    let future = || directory.files.iter().filter(|file| file.modified > latest);
    let annotation = directory.last_annotation.and_then(|time| u64::try_from(time).ok());
    let annotation = annotation.and_then(|time| UNIX_EPOCH.checked_add(Duration::from_secs(time)));
    if annotation.is_some_and(|time| time > latest) {
        let what = "the last time in the log is in the future";
        return Finding::warning(CHECK, what, WHY)
            .step(synchronise("The clock is or was wrong: synchronise it"));
    }
    if future().next().is_some() {
        let what = format!("the times of {} are in the future", names(future()));
        let touch = Action::run("touch", future().map(|file| path_arg(&file.path)));
        let mut synchronised = synchronise("If the clock is wrong, synchronise it");
        synchronised.alternative = true;
        return Finding::warning(CHECK, what, WHY)
            .step(synchronised)
            .step(NextStep::alternative("If it is right, set the times of the files", [touch]));
    }
    Finding::ok(CHECK, "no time is in the future")
}

/// Checks for unfinished files of saves and rewrites that have failed.
pub(crate) fn leftovers(facts: &Facts) -> Finding {
    const CHECK: Check = Check::Leftovers;
    let judge = || {
        let directory = directory(facts)?;
        let files = || directory.of(FileKind::Temporary);
        let (count, bytes) = files().fold((0_u64, 0_u64), |(count, bytes), file| {
            (count + 1, bytes.saturating_add(file.bytes))
        });
        if count == 0 {
            return Ok(Finding::ok(CHECK, "there are no unfinished files"));
        }
        match &facts.server {
            Some(server) => {
                let info = server.persistence.as_ref().map_err(Clone::clone)?;
                let syncs =
                    server.replication.as_ref().is_ok_and(|it| it.flag("master_sync_in_progress"));
                let at_work = ["rdb_bgsave_in_progress", "aof_rewrite_in_progress", "loading"];
                let is_stuck = super::persistence::stuck(info, "rdb").is_some()
                    || super::persistence::stuck(info, "aof").is_some();
                if !is_stuck && (syncs || at_work.iter().any(|name| info.flag(name))) {
                    return Ok(Finding::ok(CHECK, "a save, a rewrite or a sync is running"));
                }
            }
            None => {
                if let Some(user) = &directory.used_by {
                    let files = names(files());
                    return Err(format!("{} can be writing {files}: {}", user.process, user.how()));
                }
            }
        }
        let what = format!(
            "{} of a save or rewrite that did not end: {}, {}",
            counted(count, "file"),
            names(files()),
            Bytes(bytes)
        );
        let why = "no server removes them: they take the space that the next rewrite needs";
        let look = Action::aofkit(["recover".to_owned(), directory.arg()]);
        let remove = Action::run("rm", files().map(|file| path_arg(&file.path)));
        Ok(Finding::warning(CHECK, what, why)
            .step(NextStep::new("See whether they have data that the log lacks", [look]))
            .step(NextStep::new("If not, remove them", [remove])))
    };
    Finding::of(CHECK, judge())
}

/// Checks whether this version of aofkit can read what the server writes.
pub(crate) fn rdb_version(facts: &Facts) -> Finding {
    const CHECK: Check = Check::RdbVersion;
    const WHY: &str = "this version of aofkit can neither verify nor recover its keys; backups are checked by checksum only";
    let update =
        || NextStep::new("Install a newer aofkit", [Action::run("cargo", ["install", "aofkit"])]);
    let line = facts.server.as_ref().and_then(|server| server.line);
    if let Some(line) = line.filter(|line| line.is_newer_than_known()) {
        let what = format!("{line} is newer than this version of aofkit");
        return Finding::warning(CHECK, what, WHY).step(update());
    }
    let judge = || {
        let directory = directory(facts)?;
        let newer = directory.files.iter().find_map(|file| Some((file, file.newer_rdb?)));
        let Some((file, header)) = newer else {
            return Ok(Finding::ok(CHECK, "the versions of all RDBs are known"));
        };
        let product = match header.magic {
            Magic::Redis => "RDB",
            Magic::Valkey => "Valkey RDB",
        };
        let what = format!(
            "{} is of {product} version {}, which is unknown to this version of aofkit",
            name(&file.path),
            header.version
        );
        Ok(Finding::warning(CHECK, what, WHY).step(update()))
    };
    Finding::of(CHECK, judge())
}

/// Returns the names of files, and the number of those beyond the first few.
fn names<'f>(files: impl Iterator<Item = &'f FileFacts>) -> String {
    let paths: Vec<&PathBuf> = files.map(|file| &file.path).collect();
    let named: Vec<String> = paths.iter().take(NAMED).map(|path| name(path)).collect();
    match paths.len().saturating_sub(NAMED) {
        0 => named.join(", "),
        more => format!("{} and {}", named.join(", "), counted(more as u64, "other file")),
    }
}
