//! Applying the plan of a restore: the log that is ready is published in a single step, and nothing else is decided.

use std::path::Path;

use super::plan::{PlannedRestore, RestorePlan, Stage};
use super::prepare::Ready;
use super::report::Moved;
use crate::base::error::{Error, ErrorKind, Result};
use crate::disk::open_writers::refuse_in_use;
use crate::disk::{rename, sync};

/// Publishes the log of the plan. Returns the plan, and what was moved aside; for a dry run and with `no_backup` nothing is.
///
/// # Errors
///
/// When a server uses the directory by now, or something cannot be written. The directory is then unchanged.
pub(super) fn apply(planned: PlannedRestore, no_backup: bool) -> Result<(RestorePlan, Vec<Moved>)> {
    let PlannedRestore { plan, ready, stage } = planned;
    let moved = match stage {
        Stage::DryRun { .. } => Vec::new(),
        Stage::New { directory, scratch } => {
            rename::move_unpublished(&ready.path, &directory.path().join(&plan.placed))?;
            drop(scratch);
            if let Some(owner) = plan.owner {
                owner.take(directory.path())?;
            }
            sync::sync_tree(directory.path())?;
            directory.publish()?;
            Vec::new()
        }
        Stage::Existing { scratch: _scratch, _lock } => {
            sync::sync_tree(&ready.path)?;
            // A server that was started meanwhile would continue with files that have other names by then.
            refuse_in_use(&plan.output)?;
            let moved = put_in_place(&plan, &ready)?;
            match no_backup {
                true => delete(moved)?,
                false => moved,
            }
        }
    };
    Ok((plan, moved))
}

/// Deletes what was moved aside. What is restored is in place already.
fn delete(moved: Vec<Moved>) -> Result<Vec<Moved>> {
    for Moved { to, .. } in moved {
        rename::remove_all(&to)?;
    }
    Ok(Vec::new())
}

/// Moves the log to where the server expects it, and moves aside what the plan replaces.
fn put_in_place(plan: &RestorePlan, ready: &Ready) -> Result<Vec<Moved>> {
    let mut moved = Vec::new();
    let to = plan.output.join(&plan.placed);
    let aside = rename::name_aside(&to);
    let is_taken = to.symlink_metadata().is_ok();
    if is_taken != plan.replaces.contains(&plan.placed) {
        return Err(changed_meanwhile(&to));
    }
    rename::put_instead(&ready.path, &to, &aside)?;
    if is_taken {
        moved.push(Moved { from: to, to: aside });
    }
    for name in plan.replaces.iter().filter(|name| **name != plan.placed) {
        let from = plan.output.join(name);
        let to = rename::put_aside(&from)?;
        moved.push(Moved { from, to });
    }
    Ok(moved)
}

fn changed_meanwhile(path: &Path) -> Error {
    Error::new(ErrorKind::Changed, "created or removed by another process during the restore")
        .at(path)
        .help("nothing was changed; stop what writes to the data directory, and restore again")
}
