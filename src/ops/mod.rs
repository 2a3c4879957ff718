//! What a person asks for: typed options in, a typed report out, nothing printed.

pub mod archive;
pub mod backup;
pub mod bench;
pub mod check_aof;
pub mod compact;
pub mod diff;
pub mod digest;
pub mod generate;
pub mod history;
pub mod holdings;
pub mod islands;
pub mod kept;
pub mod key_filter;
pub mod key_state;
pub mod list;
pub mod live;
pub mod log;
pub mod lost_expiry;
pub mod memory;
pub mod position;
pub mod recover;
pub mod repair;
pub mod restore;
pub mod retention;
pub mod survey;
pub mod verify;
