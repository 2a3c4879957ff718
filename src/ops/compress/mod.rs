//! Compressing logs to archives.
//!
//! - [`mod@write`]: one opened log to one archive.
//! - [`batch`]: several paths in one run.

pub mod batch;
#[cfg(test)]
mod tests;
pub mod write;

pub use batch::{CompressAllReport, CompressOutcome, compress_all};
pub use write::{APPENDDIRNAME, CompressOptions, Packed, compress, compress_log, pack};
