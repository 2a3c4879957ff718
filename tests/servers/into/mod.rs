//! Puts data into running servers with `--into`.

mod access;
mod cluster;
mod existing;
mod failover;
mod faults;
mod flush;
mod large;
mod states;
mod tls;

use std::path::Path;
use std::process::Command;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::support::json_docs::Docs;
use crate::support::{Binary, Run, Running, aofkit};

pub(crate) fn trials() -> Vec<Trial> {
    let trials = [
        states::trials(),
        existing::trials(),
        flush::trials(),
        large::trials(),
        faults::trials(),
        access::trials(),
        cluster::trials(),
        failover::trials(),
        tls::trials(),
    ];
    trials.into_iter().flatten().collect()
}

/// Starts a server without data.
fn empty(binary: &Binary, data: &Path) -> Running {
    let server = Running::start(binary, data, &[("appendonly", "no")]);
    server.unwrap_or_else(|ended| panic!("{}: {}", binary.line, ended.log))
}

/// Returns `aofkit SUBCOMMAND PATH --into SERVER` with these options.
fn into(subcommand: &str, path: &Path, server: &Running, options: &[&str]) -> Command {
    let mut command = aofkit();
    command.arg(subcommand).arg(path).arg("--into").arg(server.socket()).args(options);
    command
}

/// Returns the report of a run that ends with this code.
fn report(command: &mut Command, code: i32) -> Value {
    let run = Run::of(command.arg("--json"));
    assert_eq!(run.code, Some(code), "{run:#?}");
    assert_eq!(Docs::read().check(&run.stdout), "into");
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:#?}"))
}

/// Returns the number of keys with a outcome.
fn keys(report: &Value, outcome: &str) -> u64 {
    report["keys"][outcome].as_u64().unwrap_or_else(|| panic!("{outcome}: {report}"))
}
