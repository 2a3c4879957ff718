//! Differential tests: a server and an aofkit keyspace receive the same commands. After each command they must
//! agree on whether it failed, and at any time on the data.

mod commands;
mod data;
mod streams;

pub(crate) use commands::{
    apply, compare, compare_loaded, is_supported, now_ms, random_sequences, start,
};
pub(crate) use streams::stream_state;
