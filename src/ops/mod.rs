//! What a person asks for: typed options in, a typed report out, nothing printed.

pub mod bench;
pub mod check_aof;
pub mod compact;
pub mod digest;
pub mod generate;
pub mod islands;
pub mod live;
pub mod memory;
pub mod repair;
pub mod survey;
pub mod verify;
