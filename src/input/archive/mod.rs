//! Archives verified entry by entry, and extracted.
//!
//! - [`verify`]: verifies an archive and reports its content.
//! - [`inspect`], [`entry_stats`]: the content of one entry, inspected while it is decompressed.
//! - [`contained`]: the log in an archive, chosen by the rules for a directory.
//! - [`reading`]: the log in an archive, extracted to a temporary directory.
//! - `plain`: the bytes of an archive, decrypted if it is encrypted.
//! - `key_filter`: what the key filter of an archive says.
//! - `file`: the bytes of an archive, of a file or of an object in a store.
//! - [`mod@extract`]: extracts an archive to files.

pub(crate) mod contained;
pub mod entry_stats;
pub mod extract;
pub(crate) mod file;
pub mod inspect;
pub(crate) mod key_filter;
pub(crate) mod plain;
pub(crate) mod reading;
pub mod verify;

pub use extract::{ExtractOptions, extract};
#[doc(hidden)]
pub use verify::verify_bytes;
pub use verify::{is_archive, read_contents, verify_archive};
