//! Checks of what would hurt the persistence of a server: its settings, its files, its machine and its backups.
//!
//! All facts are gathered first; the checks are pure functions over them. What could not be asked is unknown, and never
//! counts as fine. Nothing is changed: each finding has the commands that change it.
//!
//! | module | contents |
//! |---|---|
//! | `options` | what is checked |
//! | `facts` | what the checks judge |
//! | `gather` | asking the server, and reading the directory, the system and the backups |
//! | `finding` | the result of a check |
//! | `persistence`, `replication`, `files`, `system`, `backups` | the checks |

mod backups;
mod facts;
mod files;
mod finding;
mod gather;
mod options;
mod persistence;
mod replication;
mod system;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::Serialize;

use self::facts::Facts;
pub use self::finding::{Check, Finding, Level};
pub use self::options::{DoctorOptions, Target};
use crate::base::error::Result;
use crate::base::progress::Progress;

/// The report of all checks.
#[derive(Debug, Clone, Serialize)]
pub struct DoctorReport {
    /// The address of the server; absent if only a directory was checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The version of the server, such as `redis-7.0`, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
    /// The data directory on this machine, if it is known.
    #[serde(
        skip_serializing_if = "Option::is_none",
        serialize_with = "crate::base::escape::path_if_any"
    )]
    pub directory: Option<PathBuf>,
    /// The number of red findings.
    pub red: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The number of checks whose facts are unknown.
    pub unknown: usize,
    /// The findings, the worst first.
    pub findings: Vec<Finding>,
}

/// The checks, in the order of findings of the same level.
const CHECKS: [fn(&Facts) -> Finding; 16] = [
    persistence::persistence,
    replication::empty_primary,
    persistence::old_log,
    persistence::last_rewrite,
    persistence::last_save,
    persistence::auto_rewrite,
    persistence::load_truncated,
    replication::replica,
    backups::backups,
    files::disk_space,
    files::file_rights,
    files::clock,
    files::leftovers,
    files::rdb_version,
    system::overcommit,
    system::huge_pages,
];

/// Checks a server or a data directory.
///
/// # Errors
///
/// When the server cannot be reached, or the directory cannot be read.
pub fn doctor(
    target: &Target,
    options: &DoctorOptions,
    progress: &dyn Progress,
) -> Result<DoctorReport> {
    let facts = gather::gather(target, options, progress)?;
    let mut findings: Vec<Finding> = CHECKS.iter().map(|check| check(&facts)).collect();
    findings.sort_by_key(|finding| finding.level);
    let count = |level| findings.iter().filter(|finding| finding.level == level).count();
    Ok(DoctorReport {
        server: match target {
            Target::Server { endpoint, .. } => Some(endpoint.address.to_string()),
            Target::Directory(_) => None,
        },
        line: facts.server.and_then(|server| server.line).map(|line| line.to_string()),
        directory: facts.directory.ok().map(|directory| directory.path),
        red: count(Level::Red),
        warnings: count(Level::Warning),
        unknown: count(Level::Unknown),
        findings,
    })
}
