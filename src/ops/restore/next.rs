//! The steps to take after a restore.

use super::options::RestoreOptions;
use super::plan::PlannedRestore;
use super::prepare::{ANY, APPENDFILENAME, Shape};
use crate::base::next_step::{Action, NextStep, path_arg};

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
