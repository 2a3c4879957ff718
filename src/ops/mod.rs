//! What a person asks for: typed options in, a typed report out, nothing printed.

pub mod archive;
pub mod backup;
pub mod bench;
pub mod check_aof;
pub mod compact;
pub mod digest;
pub mod generate;
pub mod islands;
pub mod list;
pub mod live;
pub mod memory;
pub mod repair;
pub mod retention;
pub mod survey;
pub mod verify;
