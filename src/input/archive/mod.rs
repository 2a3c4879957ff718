//! Archives verified entry by entry, and extracted.
//!
//! - [`verify`]: whether an archive is whole, and what it holds.
//! - [`inspect`], [`entry_stats`]: what one entry holds, found while it is decompressed.
//! - [`mod@extract`]: from an archive to files.

pub mod entry_stats;
pub mod extract;
pub mod inspect;
pub mod verify;

pub use extract::{ExtractOptions, extract};
#[doc(hidden)]
pub use verify::verify_bytes;
pub use verify::{VerifyOptions, is_archive, read_contents, verify_archive};
