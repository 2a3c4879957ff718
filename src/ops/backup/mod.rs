//! Backups: verify the log, compress it, read the archive back, and only then publish it and delete old archives.
//!
//! All unfinished files are in one directory, `.aofkit-SOURCE.RANDOM.tmp`, in the backup directory; the lock
//! `.aofkit-SOURCE.lock` admits one backup of a source at a time. A killed run therefore leaves nothing under the name
//! of an archive, and the next run for that source deletes what it left.

mod apply;
pub mod free_space;
mod job;
#[cfg(feature = "live")]
pub mod live;
mod options;
mod plan;
pub mod report;
mod run;
mod stage;
mod store;
#[cfg(test)]
mod tests;

pub use job::Step;
pub use options::BackupOptions;
pub use plan::{BackupPlan, UnderWay};
pub use report::{BackupReport, Compaction};
pub(crate) use run::source_of;
pub use run::{backup, backup_path, host};
