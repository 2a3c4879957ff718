//! What a person asks for: typed options in, a typed report out, nothing printed.

pub mod bench;
pub mod check_aof;
pub mod compact;
pub mod diff;
pub mod digest;
pub mod generate;
pub mod history;
pub mod islands;
pub mod key_state;
pub mod log;
pub mod memory;
pub mod position;
pub mod repair;
pub mod retention;
pub mod survey;
pub mod verify;
