//! A drill: backups are restored, verified, replayed and loaded, as they would be when they are needed.
//!
//! | step | what fails it |
//! |---|---|
//! | restore | damage to the archive, or a file that is not what its metadata records |
//! | verify | damage to the restored log, and a log without content |
//! | replay | commands that cannot be replayed, or that fail |
//! | compare | another fingerprint than the backup recorded |
//! | load | a server that does not start, or has other keys or another digest |
//!
//! Nothing is changed but in a scratch directory, which is removed in any case. What prevents a step without being a fault of
//! the archive (no space, no permission) is reported as not tried, and never as passed.

mod choose;
mod load;
pub mod options;
pub mod report;
mod steps;

use std::path::Path;
use std::time::Instant;

use jiff::Timestamp;

use self::choose::choose;
use self::options::DrillOptions;
use self::report::DrillReport;
use self::steps::drill_archive;
use crate::base::error::Result;
use crate::base::progress::Progress;
use crate::ops::backup::host;
use crate::ops::scratch_server::Binary;

/// Tries the archive at `path`, or the backups in the directory there, one after another.
///
/// # Errors
///
/// When the path cannot be read, there is nothing to try, or the server cannot be executed. Failures of archives are in the
/// report.
pub fn drill(path: &Path, options: &DrillOptions, progress: &dyn Progress) -> Result<DrillReport> {
    let (started, clock) = (Timestamp::now(), Instant::now());
    let chosen = choose(path, options)?;
    let server = options.server.as_ref().map(Binary::find).transpose()?;
    let archives = chosen
        .iter()
        .map(|archive| drill_archive(archive, options, server.as_ref(), progress))
        .collect::<Result<Vec<_>>>()?;
    Ok(DrillReport {
        path: path.to_owned(),
        host: host(),
        server: server.map(|server| server.version),
        started,
        ended: Timestamp::now(),
        archives,
        elapsed_s: clock.elapsed().as_secs_f64(),
    })
}
