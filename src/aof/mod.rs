//! The append-only file on disk.

pub mod fault;
pub mod frame;
pub mod grammar;
pub mod parallel;
pub mod salvage;
pub mod scan;

pub use fault::Fault;
pub use frame::{Args, Frame};
pub use parallel::{Join, Scanned, scan_parallel};
pub use scan::{Sink, Stop, scan};
