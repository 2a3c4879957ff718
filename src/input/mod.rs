//! Input: a path becomes an opened log, a broken set, or an archive.
//!
//! - [`open()`], [`open_log`]: from a path to its log, in files or in an archive.
//! - `absent`: a place at which there is no log yet.
//! - [`files`]: the mapped parts of a log in files, in load order.
//! - [`envelope`]: compressed RDBs.
//! - `wrap`: logs that are compressed as a whole.
//! - `conversion`: logs whose bytes a tool changed as a whole.
//! - [`broken_set`]: the faults of a set that are detected before its parts are read.
//! - [`archive`]: archives verified and extracted.

pub(crate) mod absent;
pub mod archive;
pub mod broken_set;
pub(crate) mod conversion;
pub(crate) mod envelope;
pub mod files;
pub mod hold_origin;
pub mod opened;
pub mod overwrite;
pub(crate) mod wrap;

pub use opened::{Input, OpenedLog, open, open_log};
