//! The steps to take where a snapshot is all the data there is: the server has no append-only file.
//!
//! A save would replace the snapshot with the data that the server has now. So none of these steps starts one.

use std::path::{Path, PathBuf};

use super::client::{Client, hold_command, release};
use super::places::above;
use super::report::RecoverReport;
use super::server::LogServer;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::disk::names::flushed;

/// Returns the steps to keep the snapshot, and those to use it.
pub(super) fn snapshot_steps(report: &RecoverReport, server: &LogServer) -> Vec<NextStep> {
    let Some(snapshot) = &report.snapshot_only else { return Vec::new() };
    let client = Client::of_report(report, server.process());
    let Some(origin) = &report.hold_origin else {
        if report.archived {
            return Vec::new();
        }
        let hold = hold_command(&above(&snapshot.path), server.process());
        return vec![
            NextStep::new(
                format!(
                    "Hold off save points: a save overwrites the snapshot with what the server has now. `{hold}` does this and secures the snapshot."
                ),
                [client.run(&["CONFIG", "SET", "save", ""])],
            ),
            NextStep::new(
                "Save a copy of the snapshot.",
                [copy(&snapshot.path, &kept(&snapshot.path))],
            ),
        ];
    };
    let mut into = vec!["compact".to_owned(), path_arg(&snapshot.path)];
    into.extend(["--into".to_owned(), origin.server()]);
    into.extend(origin.login().iter().cloned());
    let mut steps = vec![NextStep::alternative(
        "Put the keys of the snapshot into the running server; keys that it has are not touched (--dry-run reports what would be done):",
        [Action::aofkit(into)],
    )];
    steps.push(NextStep::new("Stop the server without saving:", server.stop(&client)));
    let replace = origin.snapshot.iter().flat_map(|place| {
        let aside = Action::run("mv", [path_arg(place), path_arg(&flushed(place))]);
        [aside, copy(&snapshot.path, place)]
    });
    steps.push(NextStep::new(
        "Put the snapshot in its place; the current one is only renamed:",
        replace.collect::<Vec<_>>(),
    ));
    steps.push(NextStep::new(
        "Start the server and check its keys:",
        [client.run(&["INFO", "keyspace"])],
    ));
    steps.extend(release(report));
    steps
}

fn copy(from: &Path, to: &Path) -> Action {
    Action::run("cp", ["-p".to_owned(), path_arg(from), path_arg(to)])
}

/// Returns the name under which a copy of the snapshot is kept.
fn kept(snapshot: &Path) -> PathBuf {
    let mut name = snapshot.as_os_str().to_os_string();
    name.push(".kept");
    name.into()
}
