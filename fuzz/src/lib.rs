//! What the fuzz targets do with their bytes: plain functions that panic when a promise is broken.
//!
//! `cargo test` of the crate itself runs them over `seeds/` (see `tests/fuzz_seeds.rs`), so that they hold
//! without the fuzzer, too.

mod archive;
mod frame;
mod log;
mod manifest;
mod rdb;
mod rdb_write;
mod repair;
mod replay;

pub use archive::archive;
pub use frame::frame;
pub use manifest::manifest;
pub use rdb::rdb;
pub use rdb_write::rdb_write;
pub use repair::repair;
pub use replay::replay;
