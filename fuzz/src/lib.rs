//! The bodies of the fuzz targets: functions that panic if a guarantee is violated.
//!
//! `cargo test` of the main crate runs them on `seeds/` without the fuzzer (see `tests/fuzz_seeds.rs`).

mod archive;
mod envelope;
mod frame;
mod log;
mod manifest;
mod operations;
mod rdb;
mod rdb_write;
mod repair;
mod replay;

pub use archive::archive;
pub use envelope::envelope;
pub use frame::frame;
pub use manifest::manifest;
pub use operations::operations;
pub use rdb::rdb;
pub use rdb_write::rdb_write;
pub use repair::repair;
pub use replay::replay;
