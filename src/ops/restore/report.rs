//! The report of `restore`, which is the schema of its JSON output and the only source of its text output.

use super::options::RestoreOptions;
use super::plan::{PlannedRestore, RestorePlan};
use super::prepare::{ANY, APPENDFILENAME, Shape};
use std::path::PathBuf;

use serde::Serialize;

use crate::archive::contents::Source;
use crate::base::next_step::{Action, NextStep, path_arg};
use crate::base::server::Server;

/// The restored log, and the remaining steps.
#[derive(Debug, Clone, Serialize)]
pub struct RestoreReport {
    /// The path of the archive.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub archive: PathBuf,
    /// The origin of the log; `None` for ZIP archives made by other programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// The server that the log was restored for, if one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<Server>,
    /// Whether this is a dry run.
    pub dry_run: bool,
    /// What is written, replaced and retained, or would be.
    #[serde(flatten)]
    pub plan: RestorePlan,
    /// The existing files that were moved aside, with their new names; none for a dry run.
    pub moved_aside: Vec<Moved>,
    /// The remaining steps, in order; none for a dry run.
    pub next: Vec<NextStep>,
    /// The run time in seconds.
    pub elapsed_s: f64,
}

/// A file or directory that was moved aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// The previous path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub from: PathBuf,
    /// The new path.
    #[serde(serialize_with = "crate::base::escape::path")]
    pub to: PathBuf,
}

/// Returns the steps until a server has loaded the restored log. After a dry run there are none.
pub(super) fn next_steps(planned: &PlannedRestore, options: &RestoreOptions) -> Vec<NextStep> {
    if options.dry_run {
        return Vec::new();
    }
    let PlannedRestore { plan, ready, .. } = planned;
    let mut next = Vec::new();
    let mut advise = |why: &str| next.push(NextStep::new(why, []));
    if plan.owner.is_none() && rustix::process::geteuid().is_root() {
        advise(
            "the files belong to root: give them to the server's user (chown -R), unless it runs as root",
        );
    }
    advise(
        "put these settings into the configuration and start the server: one that is started with appendonly no \
         and switched over later writes a log of what it has then, which is nothing",
    );
    if ready.shape == Shape::SingleFile && options.server.unwrap_or(ANY).reads_multi_part() {
        advise(&format!(
            "Redis since 7.0 and Valkey move {APPENDFILENAME} into a set when they start; older ones use it as it is"
        ));
    }
    if ready.is_known {
        next.push(NextStep::new(
            "compare DBSIZE and DEBUG DIGEST of the server with the restored log:",
            [Action::aofkit(["digest", &path_arg(&plan.output)])],
        ));
    } else {
        advise(
            "its RDB is of a newer server, one that this version of aofkit does not know: only such a server loads it",
        );
    }
    next
}
