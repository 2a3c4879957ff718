//! What several operations ask of a log that has been opened.
//!
//! - [`survey`]: one part read from end to end.
//! - [`damage`]: where and why reading stopped, described for a person.
//! - [`destruction_scan`]: which commands destroyed data, and what surrounds them.
//! - [`position`]: positions in a log: `PART:OFFSET`, `#N`, or a time.
//! - [`key_filter`], [`data_filter`]: which keys are wanted.
//! - [`key_state`], [`keyspace_summary`]: what a key or a data set holds, in numbers.
//! - [`lost_expiry`]: expiries that the log of an old server may have lost.

pub mod damage;
pub mod data_filter;
pub mod destruction_scan;
pub mod key_filter;
pub mod key_state;
pub mod keyspace_summary;
pub mod lost_expiry;
pub mod position;
pub mod survey;
pub mod unknown_commands;
