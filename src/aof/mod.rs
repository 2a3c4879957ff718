//! The append-only file on disk.
//!
//! - [`manifest`]: which files belong to a multi-part AOF, in which order.
//! - [`log`]: an opened log: its parts in load order, and the files beside it.
//! - [`grammar`]: the grammar of a frame, as nom parsers; [`fault`]: what can be wrong with one; [`frame`]: one command.
//! - [`mod@scan`] and [`parallel`]: every frame of a file, on one core or on all.
//! - [`stream`]: the same for a log that arrives in pieces.
//! - [`salvage`]: intact frames after damage.
//! - `rdb_file`: where the loader of an RDB file stops.
//! - `foreign`, [`recognise`]: what a file is that is no log, or a log after a conversion; [`conversion`]: such a log, read
//!   back.

pub mod conversion;
pub mod fault;
pub(crate) mod foreign;
pub mod frame;
pub mod grammar;
pub mod log;
pub mod manifest;
pub mod parallel;
pub(crate) mod rdb_file;
pub mod recognise;
pub mod salvage;
pub mod scan;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;

pub use fault::Fault;
pub use frame::{Args, Frame};
pub use parallel::{Join, Scanned, scan_parallel};
pub(crate) use scan::argument_at;
pub use scan::{Sink, Stop, frame_end, peek_key, read_args, scan, scan_as_old};
pub use stream::{Feed, StreamStop};
