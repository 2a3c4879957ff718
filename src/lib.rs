//! aofkit: the append-only file of Redis and Valkey, as a library.
//!
//! # The house
//!
//! A room leans only on rooms below it; `tests/house.rs` reads the sources and holds the doors shut, and sees to it
//! that no files of a room lean on each other in circles.
//!
//! | floor | room | what lives there |
//! |---|---|---|
//! | 9 | [`cli`] | one file a subcommand: its arguments and the call; progress; exit codes |
//! | 8 | [`report`] | what operations return, rendered as text or JSON |
//! | 7 | [`ops`] | what a person asks for: typed options in, typed report out, nothing printed |
//! | 6 | [`replay`] | a log turned into a data set, share after share |
//! | 5 | [`rewrite`] | a data set turned back into a log: commands, or RDB |
//! | 4 | [`command`] | what each command means: one table row a command; the tally of a log |
//! | 3 | [`keyspace`] | the data set in memory: databases, keys, one file a type of value, the digest |
//! | 2 | [`aof`] | the append-only file on disk: opening, manifest, frame grammar, scan, salvage |
//! | 1 | [`rdb`] | the RDB on disk: told to a visitor, and written; its checksum |
//! | 0 | [`disk`] | the only room that maps, locks, syncs and renames, and the only one with unsafe code |
//!
//! Beside the floors, for every room: [`server`] (which server, and what its loader does), [`error`],
//! [`progress`], [`units`], [`glob`] and [`escape`].
//!
//! # How data travels
//!
//! - *verify*: [`aof::open()`] maps every part in load order; [`ops::survey`] reads each one, an RDB by
//!   [`rdb::walk()`], commands by [`aof::scan_parallel`] into a [`command::Tally`];
//!   [`ops::verify::judge`] says what each server would do with it.
//! - *repair*: the same survey; [`ops::repair::plan`] says which bytes stay; they are copied as they are
//!   into a [`disk::publish`] output, which is read back before it appears.
//! - *recover*: [`ops::recover::timeline()`] reads the log once for everything that destroyed data; one replay that is
//!   watched counts what each event cost. What is chosen becomes the bytes that stay, copied as they are as a repair
//!   copies them, or, where two states are joined key by key, a data set that is written as a compaction is.
//!
//! - *compact*: [`replay::route()`] notes for each share of the keys which commands concern it;
//!   [`replay::replay()`] runs them, share after share on all cores, on a [`keyspace`]; [`ops::compact`] writes
//!   each share through [`rewrite`], joins the shares in their order, reads the result back and publishes it.
//! - *backup of a running server*: [`ops::live`] holds its settings, has it rewrite its log, takes the set as it is at
//!   one moment by hard links, hands that to [`ops::backup`], and puts the settings back.
//! - *digest*: the same replay, with nothing written.
//! - *diff*: two logs, routed together, so that [`replay::replay_pair`] has each share of both side by side;
//!   [`ops::diff`] compares them key by key.
//! - *log*: [`aof::scan()`], a window at a time; each command is rendered as a line by what [`report`] gives to
//!   [`ops::log`]. *history*: the one share of a key, replayed twice, and watched.
//! - *compress*: each part is read as for *verify*; [`ops::archive`] packs it into a zip, reads that back and
//!   publishes it. *verify* of a zip and *extract* read its entries as streams, commands by [`aof::Feed`].
//! - *backup*: the log is surveyed, packed by [`ops::archive`] out of sight, read back, and published; then
//!   [`ops::retention`] says which older archives of the same source go. *restore* is the way back: extracted out of
//!   sight, verified, made what the server reads, and put in place in one step.
//!
//! # Verifying a log
//!
//! ```
//! use aofkit::ops::verify::{Options, verify_path, LogOutcome};
//! use aofkit::progress::Silent;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("appendonly.aof");
//! std::fs::write(&path, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel")?; // torn in the value
//! let LogOutcome::Read(log) = verify_path(&path, &Options::default(), &Silent)? else {
//!     panic!("a single file is no broken set");
//! };
//! assert!(!log.sound);
//! let damage = log.findings[0].damage.as_ref().expect("where it is torn");
//! assert_eq!((damage.last_boundary, damage.tail_bytes), (0, 27));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod aof;
pub mod cli;
pub mod command;
pub mod disk;
pub mod error;
pub mod escape;
pub mod glob;
pub mod keyspace;
pub mod ops;
pub mod progress;
pub mod rdb;
pub mod replay;
pub mod report;
pub mod rewrite;
pub mod server;
pub mod units;

pub use error::{Error, ErrorKind, Result};
