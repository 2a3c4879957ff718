//! Files: the only module that maps, locks, links, syncs, renames and removes, and the only one with unsafe code.
//!
//! - [`Mapping`]: a file mapped read-only, which may be truncated while it is read; [`install_sigbus_guard`] for a
//!   program that wants an error instead of a signal.
//! - [`Access`]: who may read what is written.
//! - [`publish`]: output that appears whole or not at all.
//! - [`Writeback`]: writes a file to the disk while more of it is produced.
//! - [`names`]: the names of what aofkit leaves next to a log.
//! - [`rename`]: atomic renaming of finished files, and removal.
//! - [`save_original`]: the original of a log that is replaced in place; [`link()`]: hard links.
//! - [`Scratch`]: space for what is needed only during a run.
//! - [`open_writers`]: which processes have a file open for writing.
//! - [`unseen_servers`]: whether a server that is not visible may use a directory.
//! - [`server_process`]: how a running server is reached and stopped.
//! - [`Lock`]: a file that one process at a time holds locked.
//! - [`OwnFile`]: aofkit's own files in directories that others may write, read without trust.
//! - [`Owner`]: the owner of files.
//! - [`free_bytes`]: free space.
//! - [`write_head`]: a sparse file with the first bytes of another.
//! - [`cut_tail`]: truncates a file after saving what it cuts off.

pub mod abandoned;
mod access;
pub mod free_space;
#[allow(unsafe_code)]
mod guard;
mod lock;
#[allow(unsafe_code)]
mod map;
pub mod names;
pub mod open_writers;
mod original;
#[allow(unsafe_code)]
mod out_of_memory;
mod own_files;
mod owner;
mod prefetch;
pub mod publish;
pub mod rename;
mod scratch;
pub mod server_process;
mod sparse;
pub mod sync;
pub mod truncate;
pub mod unseen_servers;
mod writeback;

pub use access::{Access, copy_access, set_mode};
pub(crate) use free_space::check_temporary_space;
pub use free_space::free_bytes;
pub use guard::{fail_beyond_size_limit, install_sigbus_guard};
pub use lock::Lock;
pub use map::{Change, Mapping};
pub use original::{Original, Replaced, save_original};
pub use out_of_memory::report_failed_allocations;
pub use own_files::OwnFile;
pub use owner::Owner;
pub use prefetch::{prefetch, prefetch_ref};
pub use rename::link;
pub use scratch::Scratch;
pub use sparse::write_head;
pub use truncate::{Stamp, cut_tail};
pub use writeback::Writeback;
