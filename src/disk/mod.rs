//! Files: the only room that maps, locks, syncs and renames, and the only one with unsafe code.
//!
//! - [`Mapping`]: a file mapped read-only, safe against being cut while it is read.
//! - `guard`: the signal handler behind that safety.
//! - [`Access`]: who may read what is written.
//! - [`publish`]: output that appears whole or not at all.
//! - [`Writeback`]: brings a file to the disk while it is written.
//! - [`names`]: the names of what this program leaves beside a log.
//! - [`place`]: what is finished gets its name, what is unwanted goes, each in one step.
//! - [`Scratch`]: room for what is needed only while a run lasts.
//! - [`holders`]: which processes have a file open for writing.
//! - [`Lock`]: a file that one process at a time holds locked.
//! - [`OwnFile`]: what aofkit keeps for itself where others may write, read without trust.
//! - [`free_bytes`]: how much room there is.
//! - [`cut_tail`]: shortens a file after what it cuts off has been put into safety.

mod access;
mod cut;
#[allow(unsafe_code)]
mod guard;
pub mod holders;
mod lock;
#[allow(unsafe_code)]
mod map;
pub mod names;
mod own;
pub mod place;
mod prefetch;
pub mod publish;
mod room;
mod scratch;
mod writeback;

pub use access::{Access, like};
pub use cut::{Stamp, cut_tail};
pub use lock::Lock;
pub use map::{Change, Mapping};
pub use own::OwnFile;
pub use prefetch::{prefetch, prefetch_ref};
pub use room::free_bytes;
pub use scratch::Scratch;
pub use writeback::Writeback;
