//! Files: the only module that maps, locks, syncs and renames, and the only one with unsafe code.
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
pub mod free_space;
#[allow(unsafe_code)]
mod guard;
mod lock;
#[allow(unsafe_code)]
mod map;
pub mod names;
pub mod open_writers;
pub mod own_files;
mod prefetch;
pub mod publish;
pub mod rename;
mod scratch;
pub mod truncate;
mod writeback;

pub use crate::disk::free_space::free_bytes;
pub use crate::disk::own_files::OwnFile;
pub use crate::disk::truncate::{Stamp, cut_tail};
pub use access::{Access, like};
pub use lock::Lock;
pub use map::{Change, Mapping};
pub use prefetch::{prefetch, prefetch_ref};
pub use scratch::Scratch;
pub use writeback::Writeback;
