//! The append-only file on disk.

pub mod manifest;
