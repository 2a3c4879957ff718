//! Operations: typed options in, a typed report out, nothing printed. There is one directory for each subcommand or
//! family.

pub mod backup;
pub mod bench;
pub mod check_aof;
pub mod clean;
pub mod compact;
pub mod compress;
pub mod convert;
pub mod diff;
pub mod digest;
#[cfg(feature = "live")]
pub mod doctor;
#[cfg(feature = "live")]
pub mod drill;
pub mod find;
pub mod generate;
pub mod get;
pub mod history;
#[cfg(feature = "live")]
pub mod into;
pub mod keys;
pub mod list;
pub mod log;
pub mod merge;
pub mod metrics;
pub mod prune;
pub mod recover;
pub mod repair;
pub mod restore;
#[cfg(feature = "live")]
pub mod scratch_server;
pub(crate) mod stats;
pub mod verify;
