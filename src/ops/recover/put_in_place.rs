//! The steps that put a result in the place of the log of a server, and let the server serve it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::client::{Client, release};
use super::plan::RecoverMethod;
use super::report::{Done, RecoverReport};
use super::server::LogServer;
use crate::aof::log::Layout;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::command::{Renamed, renamed};
use crate::disk::names::flushed;

/// Returns the steps for the result at `written`.
pub(super) fn put_in_place(
    report: &RecoverReport,
    server: &LogServer,
    done: &Done,
    written: &Path,
) -> Vec<NextStep> {
    if report.archived {
        return vec![restore_archive(written)];
    }
    let client = Client::of_report(report, server.process());
    // A secured log that is recovered in place is still not at the path of the server's log.
    let is_elsewhere = done.backup.is_none() || report.hold_origin.is_some();
    let mut steps = Vec::new();
    if !server.loads_a_snapshot() {
        let origin = report.hold_origin.as_ref();
        let snapshot = origin.map_or(report.snapshot.as_ref(), |from| from.snapshot.as_ref());
        steps.extend(snapshot.and_then(|snapshot| put_aside(snapshot)));
    }
    if is_elsewhere && server.may_be_running() || server.process().is_some() {
        let why = match server.process() {
            Some(_) => "Stop the server without saving:",
            None => "Stop the server without saving, if it is running:",
        };
        steps.push(NextStep::new(why, server.stop(&client)));
    }
    if is_elsewhere {
        steps.push(replace(report, server, done, written));
    } else if let Some(chown) = server.give_to_owner(written) {
        steps.push(NextStep::new("Set its owner:", [chown]));
    }
    steps.push(NextStep::new("The server's configuration must have:", settings(server, done)));
    let client = Client::of_next_process(report, server.process());
    steps.push(start_and_check(report, server, &client, done));
    steps.extend(release(report));
    steps
}

/// Returns the step that saves a copy of a snapshot, unless there is one already.
pub(super) fn put_aside(snapshot: &Path) -> Option<NextStep> {
    let copy = beside(snapshot, ".kept");
    copy.symlink_metadata().is_err().then(|| {
        NextStep::new(
            "Save a copy of the snapshot: a server overwrites it if save points are set, also when it is stopped.",
            [Action::run("cp", ["-p".to_owned(), path_arg(snapshot), path_arg(&copy)])],
        )
    })
}

fn restore_archive(written: &Path) -> NextStep {
    let archive = path_arg(&beside(written, ".zip"));
    NextStep::new(
        "Put it into the server's data directory; `restore` prints the required settings:",
        [
            Action::aofkit(["compress", &path_arg(written), "--output", &archive]),
            Action::aofkit(["restore", &archive, "--output", "DIR"]),
        ],
    )
}

/// Returns the path with a suffix appended to its name.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    name.into()
}

/// Returns the step that replaces the log with the result.
fn replace(report: &RecoverReport, server: &LogServer, done: &Done, written: &Path) -> NextStep {
    let mv = |from: &Path, to: &Path| Action::run("mv", [path_arg(from), path_arg(to)]);
    let place = &server.place;
    let mut actions = Vec::new();
    let mut new = written.to_owned();
    let conversion = conversion(report, server, done, written);
    if let Some((form, suffix)) = conversion {
        new = beside(written, suffix);
        let (from, to) = (path_arg(written), path_arg(&new));
        actions.push(Action::aofkit(["compact", &from, "--format", form, "--output", &to]));
    }
    // The log of a server may be on another machine, where it was.
    if report.hold_origin.is_some() || place.symlink_metadata().is_ok() {
        actions.push(mv(place, &flushed(place)));
    }
    actions.push(mv(&new, place));
    // What `compact` will write has the same owner as what this run wrote.
    let chown = server.give_to_owner(written);
    let sets_owner = chown.is_some();
    actions.extend(chown);
    let data = if server.loads_a_snapshot() { "snapshot" } else { "log" };
    let convert =
        if conversion.is_some() { "Convert it for the server, and replace" } else { "Replace" };
    let owner = if sets_owner { " and set its owner" } else { "" };
    let why = format!("{convert} the {data} with it{owner}; the old one is only renamed:");
    NextStep::new(why, actions)
}

/// Returns the form of `compact` that the result needs at the place of the log, and a suffix for its name; `None` if the
/// server loads the result there as it is.
fn conversion(
    report: &RecoverReport,
    server: &LogServer,
    done: &Done,
    written: &Path,
) -> Option<(&'static str, &'static str)> {
    let is_set = written.is_dir();
    if server.loads_a_snapshot() {
        let is_copy = matches!(done.plan.method, RecoverMethod::Copy { .. });
        let is_snapshot = is_copy && report.commands == 0 && report.layout == Layout::RdbFile;
        return (!is_snapshot).then_some(("rdb", ".rdb"));
    }
    match server.layout {
        Layout::MultiPart { .. } => (!is_set).then_some(("multipart", ".set")),
        _ => is_set.then_some(("preamble", ".aof")),
    }
}

/// Returns the settings with which a server loads the result. Names need no setting: the result has those of the log.
fn settings(server: &LogServer, done: &Done) -> Vec<Action> {
    let appendonly = if server.loads_a_snapshot() { "no" } else { "yes" };
    let mut settings = vec![Action::configure("appendonly", appendonly)];
    if matches!(done.plan.method, RecoverMethod::Copy { .. }) {
        // The bytes are unchanged, so that the result has the renamed commands, too.
        let rename = |it: &Renamed| {
            Action::configure("rename-command", format!("{} {}", it.id.row().name, it.name))
        };
        settings.extend(renamed().iter().map(rename));
    }
    settings
}

/// Returns the step that starts the server and compares its keys with those of the result.
fn start_and_check(
    report: &RecoverReport,
    server: &LogServer,
    client: &Client,
    done: &Done,
) -> NextStep {
    let mut keyspace = BTreeMap::new();
    for keys in done.holds.iter().flat_map(|held| &held.keys) {
        *keyspace.entry(keys.db).or_insert(0_u64) += keys.keys;
    }
    // Without a process, nothing says on which port the server will listen.
    let is_known = server.process().is_some() || report.hold_origin.is_some();
    let port = if is_known { "" } else { " (add -p if its port is not 6379)" };
    let why = if keyspace.is_empty() {
        format!("Start the server and check its data{port}:")
    } else {
        format!(
            "Start the server and check its keys{port}; keys that have expired in the meantime are gone:"
        )
    };
    let mut actions = server.start();
    actions.push(client.run(&["INFO", "keyspace"]));
    actions.extend(
        keyspace.iter().map(|(db, keys)| Action::Expect { output: format!("db{db}:keys={keys}") }),
    );
    NextStep::new(why, actions)
}
