//! What every other module uses: errors, escaping, units, progress and cancellation, server versions.

pub mod cancel;
pub mod code_page;
pub mod error;
pub mod escape;
pub mod failure;
pub mod glob;
pub mod level;
pub mod memory;
pub mod modules;
pub mod next_step;
pub mod progress;
pub(crate) mod rfc3339;
pub mod server;
pub(crate) mod slot;
pub(crate) mod sparse;
pub mod threads;
pub mod units;
