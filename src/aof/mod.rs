//! The append-only file on disk.
//!
//! - [`manifest`]: which files belong to a multi-part AOF, in which order.
//! - [`open()`]: from a path that a person points at to the mapped files, in load order.

mod foreign;
pub mod manifest;
pub mod open;

pub use open::{Log, open};
