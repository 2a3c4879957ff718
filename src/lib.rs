//! aofkit: the append-only file of Redis and Valkey, as a library.
//!
//! This page is the map of the house. A room leans only on rooms below it; a test reads the
//! sources and holds the doors shut.
//!
//! | floor | room | what lives there |
//! |---|---|---|
//! | 6 | `cli` (in the binary's charge) | one file a subcommand: its arguments and the call; progress; exit codes |
//! | 5 | [`report`] | what operations return, rendered as text or JSON |
//! | 4 | [`ops`] | what a person asks for: typed options in, typed report out, nothing printed |
//! | 3 | [`command`] | what each command means: one table row a command |
//! | 2 | [`aof`] | the append-only file on disk: grammar, scan, damage, manifest, opening |
//! | 1 | [`rdb`] | the RDB on disk: walking it, its checksum |
//! | 0 | [`disk`] | the only room that maps, locks, syncs and renames, and the only one with unsafe code |
//!
//! Beside the floors stand [`server`] (which server, and what its loader does), [`error`] and [`progress`].

pub mod aof;
pub mod cli;
pub mod command;
pub mod disk;
pub mod error;
pub mod escape;
pub mod ops;
pub mod progress;
pub mod rdb;
pub mod report;
pub mod server;
pub mod units;

pub use error::{Error, ErrorKind, Result};
