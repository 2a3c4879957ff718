//! Input: a path becomes an opened log, a broken set, or an archive.
//!
//! - [`open()`], [`try_open`]: from a path to the mapped parts, in load order.
//! - [`broken_set`]: the faults of a set that are detected before its parts are read.
//! - [`archive`]: archives verified and extracted.
//! - [`extracted`]: a log that may be in an archive, for operations that read it more than once.

pub mod access;
pub mod archive;
pub mod broken_set;
pub mod extracted;
pub mod hold_origin;
pub mod open;
pub mod overwrite;

pub use extracted::Unpacked;
pub use open::{open, try_open};
