//! Analyses of an opened log that several operations share.
//!
//! - [`survey`]: one part read from end to end.
//! - [`damage`]: the position and the reason at which reading stopped, for display.
//! - [`destruction_scan`]: commands that destroyed data, with their context.
//! - [`foreign_log`]: logs of other products.
//! - `joined`: several logs in one file.
//! - `rdb_error`: the bytes of a damaged RDB that are wrong.
//! - [`rdb_inspection`]: what a server may refuse or drop in an intact RDB.
//! - [`position`]: positions in a log: `PART:OFFSET`, `#N`, or a time.
//! - [`data_filter`]: selection of keys.
//! - [`key_state`], [`keyspace_summary`]: summaries of a key or a data set.
//! - `key_course`: the number of keys at many points of a log.
//! - [`key_hashes`]: a set of keys in bounded memory.
//! - [`touched_keys`]: keys that a log names after a position.
//! - [`lost_expiry`]: expiries that the log of an old server may have lost.

pub mod damage;
pub mod data_filter;
pub mod destruction_scan;
pub mod foreign_log;
pub(crate) mod joined;
pub(crate) mod key_course;
pub(crate) mod key_hashes;
pub mod key_state;
pub mod keyspace_summary;
pub mod lost_expiry;
pub mod position;
pub(crate) mod rdb_error;
pub mod rdb_inspection;
pub mod survey;
pub(crate) mod touched_keys;
pub mod unknown_commands;
