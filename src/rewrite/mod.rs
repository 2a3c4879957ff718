//! Converting a data set back into a log: commands, or an RDB.

pub mod commands;
pub mod fit;
pub mod rdb;
