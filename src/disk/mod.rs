//! Files: the only room that maps, locks, syncs and renames, and the only one with unsafe code.
//!
//! - [`Mapping`]: a file mapped read-only, safe against being cut while it is read.
//! - `guard`: the signal handler behind that safety.

#[allow(unsafe_code)]
mod guard;
#[allow(unsafe_code)]
mod map;

pub use map::{Change, Mapping};
