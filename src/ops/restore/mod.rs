//! Restoring an archive into the data directory of a server.
//!
//! The archive is verified while it is extracted into a hidden directory; the extracted files are verified again and
//! converted to what the server loads. Only then are they published, in a single step: a set appears at once with its
//! manifest, and the files that it replaces get another name at the same instant. Nothing is deleted.
//!
//! `plan` does all but the publication, and `apply` only that. A dry run is a plan that is not applied.

mod apply;
mod options;
mod plan;
pub mod prepare;
pub mod report;

use std::path::Path;
use std::time::Instant;

pub use crate::disk::Owner;
pub use options::RestoreOptions;
pub use plan::{PlannedFile, RestorePlan, Setting};
pub use prepare::{Change, Shape};
pub use report::{Moved, RestoreReport};

use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::input::archive::verify::read_contents;

/// Restores the archive at `archive`, or reports what that would do.
///
/// # Errors
///
/// - [`ErrorKind::Refused`](crate::ErrorKind::Refused): a server uses the directory, it is not empty, too little space
///   is free, or the archive is damaged.
/// - [`ErrorKind::Locked`](crate::ErrorKind::Locked): another restore into the directory is running.
/// - When something cannot be read or written. The directory is then unchanged.
pub fn restore(
    archive: &Path,
    options: &RestoreOptions,
    progress: &dyn Progress,
) -> Result<RestoreReport> {
    let started = Instant::now();
    let contents = read_contents(archive)?;
    let planned = plan::plan(archive, contents.as_ref(), options, progress)?;
    let next = report::next_steps(&planned, options);
    progress.check()?;
    let (plan, moved_aside) = apply::apply(planned, options.no_backup)?;
    Ok(RestoreReport {
        archive: archive.to_owned(),
        source: contents.map(|contents| contents.source),
        server: options.server,
        dry_run: options.dry_run,
        plan,
        moved_aside,
        next,
        elapsed_s: started.elapsed().as_secs_f64(),
    })
}
