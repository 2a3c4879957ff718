//! A data set turned back into a log: commands, or an RDB.

pub mod rdb;
pub mod commands;
