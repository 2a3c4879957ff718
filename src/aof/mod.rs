//! The append-only file on disk.
//!
//! - [`manifest`]: which files belong to a multi-part AOF, in which order.
//! - [`open()`]: from a path that a person points at to the mapped files, in load order.
//! - [`broken_set`]: what can be wrong with a set before its parts are read.
//! - [`grammar`]: what a frame is, as nom parsers; [`fault`]: what can be wrong with one; [`frame`]: one command.
//! - [`mod@scan`] and [`parallel`]: every frame of a file, on one core or on all.
//! - [`stream`]: the same of a log that comes piece after piece.
//! - [`salvage`]: intact frames behind a damage.
//! - [`recognise`]: what a file looks like in which no command can be read.

pub mod broken_set;
pub mod fault;
mod foreign;
pub mod frame;
pub mod grammar;
pub mod manifest;
pub mod open;
pub mod parallel;
pub mod recognise;
pub mod salvage;
pub mod scan;
pub mod stream;
#[cfg(test)]
mod testing;

pub use fault::Fault;
pub use frame::{Args, Frame};
pub use open::{Log, open};
pub use parallel::{Join, Scanned, scan_parallel};
pub use scan::{Sink, Stop, frame_end, peek_key, read_args, scan, scan_as_old};
pub use stream::{Feed, StreamStop};
