//! aofkit: the append-only files of Redis and Valkey, as a library.
//!
//! # Layers
//!
//! A module may depend only on itself and on the modules below it in this table, and no files depend on each other in
//! cycles; `tests/architecture.rs` enforces both.
//!
//! | module | purpose |
//! |---|---|
//! | [`cli`] | the command line: one file for each subcommand; progress; exit codes |
//! | [`report`] | reports rendered as text or JSON; pure functions |
//! | [`ops`] | the operations, one directory for each subcommand: typed options, plan, apply, typed report |
//! | [`live`] | a running server: connection, settings and their journal, its files on this machine |
//! | [`input`] | from a path to an opened log, a broken set, or an archive |
//! | [`analysis`] | what several operations ask of a log: survey, damage, destruction scan, positions, key counts |
//! | [`replay`] | a log turned into a data set, shard by shard |
//! | [`rewrite`] | a data set turned into a log: commands, or RDB |
//! | [`command`] | what each command means: one table row for each; the tally of a log |
//! | [`keyspace`] | the data set in memory: databases, keys, one file for each value type, digests |
//! | [`archive`] | the zip on disk: reading, writing, checks |
//! | [`aof`] | the append-only file on disk: manifest, grammar, scan, salvage |
//! | [`rdb`] | the RDB on disk: reader, writer, checksum |
//! | [`disk`] | the only module that maps, locks, links, syncs and renames, and the only one with unsafe code |
//! | [`base`] | errors, escaping, units, progress, server versions |
//!
//! # Where to find a message
//!
//! The text of a report is in the file of [`report`] that is named after the subcommand; help texts are in the file of
//! [`cli`] with that name; an error is made where the failure is noticed, most often in the file of [`ops`] for the
//! subcommand or in [`input`].
//!
//! # How data travels
//!
//! - *verify*: [`input::open()`] maps every part in load order; [`analysis::survey`] reads each one, an RDB by
//!   [`rdb::walk()`], commands by [`aof::scan_parallel`] into a [`command::Tally`]; [`ops::verify::judge`] decides what
//!   each server would do with the log.
//! - *repair*: the same survey; [`ops::repair::plan`] decides which byte ranges are retained; they are copied unchanged into a
//!   [`disk::publish`] output, which is read back before it appears.
//! - *recover*: [`ops::recover::timeline()`] reads the log once for everything that destroyed data; one observed replay
//!   counts what each event cost. The choice becomes the byte ranges that are retained, or, where two states are joined key by
//!   key, a data set that is written as a compaction is.
//! - *compact*: [`replay::route()`] records for each shard of the keys which commands concern it; [`replay::replay()`] runs
//!   them, shard after shard on all cores, on a [`keyspace`]; [`ops::compact`] writes each shard through [`rewrite`], joins
//!   the shards in order, reads the result back and publishes it.
//! - *digest*: the same replay, with nothing written. *diff*: two logs, routed together, compared shard by shard.
//! - *log*: [`aof::scan()`], one window at a time. *history*: the one shard of a key, replayed twice and observed.
//! - *compress*: each part is read as for *verify*; [`ops::compress`] writes it into a zip through [`archive`], reads that
//!   back and publishes it. *verify* of a zip and every other operation on one extract it to a temporary directory and open
//!   that like any other ([`input::archive`]).
//! - *backup*: the log is surveyed, compressed under a temporary name, read back, and published; then [`ops::prune`] removes
//!   older archives of the same source. [`ops::backup::live`] first has a running server rewrite its log through [`live`],
//!   takes the set at one moment by hard links, and restores the server's settings. *restore*: extracted under a temporary
//!   name, verified, made what the server reads, and put in place in one step.
//!
//! # Verifying a log
//!
//! ```
//! use aofkit::ops::verify::{Options, verify_path, LogOutcome};
//! use aofkit::base::progress::Silent;
//!
//! # let directory = tempfile::tempdir()?;
//! # let path = directory.path().join("appendonly.aof");
//! std::fs::write(&path, b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhel")?; // the value is incomplete
//! let LogOutcome::Read(log) = verify_path(&path, &Options::default(), &Silent)? else {
//!     panic!("a single file is not a set");
//! };
//! assert!(!log.sound);
//! let damage = log.findings[0].damage.as_ref().expect("where it is torn");
//! assert_eq!((damage.last_boundary, damage.tail_bytes), (0, 27));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod analysis;
pub mod aof;
pub mod archive;
pub mod base;
pub mod cli;
pub mod command;
pub mod disk;
pub mod input;
pub mod keyspace;
pub mod live;
pub mod ops;
pub mod rdb;
pub mod replay;
pub mod report;
pub mod rewrite;

pub use base::error::{Error, ErrorKind, Result};
