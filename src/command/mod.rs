//! The semantics of commands: one row per command, one file per data type.
//!
//! The table contains every command that a server from Redis 4.0 to 8.6 or Valkey 7.2 to 9.1 knows,
//! including read-only ones: a loader executes whatever a log contains, and stops at an unknown
//! name. Of later servers it contains the commands that their logs contain; [`Evidence`] says how
//! each is known. Commands are not listed anywhere else in the crate. `tests/servers/commands.rs` compares
//! the rows with the servers' own lists.
//!
//! [`lookup()`] maps a name to its [`CommandId`], a dense number suitable as an index, and
//! [`CommandId::row`] maps that to the [`Command`].

pub mod apply;
mod array;
mod bitmap;
mod cluster;
mod connection;
mod database;
mod expire;
mod expiry;
mod generic;
mod geo;
mod hash;
mod hll;
pub mod intact_ranges;
pub(crate) mod key_names;
mod keys;
mod list;
mod lookup;
pub mod lost_expiry;
mod number;
mod plain;
mod position;
mod pubsub;
mod rename;
mod renamed;
mod restore;
mod row;
mod run;
pub mod scripting;
mod server;
mod set;
mod sort;
mod stream;
mod string;
mod table;
pub mod tally;
#[cfg(test)]
mod testing;
mod timeout;
pub mod transaction_scan;
mod transactions;
mod vector;
mod zset;

pub use table::{COUNT, CommandId, TABLE};

pub use apply::{Applied, Apply, Call, Context, Position, Unapplied, Warnings};
pub use database::{database_index, flush_is_executed};
pub use lookup::{lookup, lookup_prefix};
pub use rename::set_renamed;
pub use renamed::{Renamed, renamed};
pub use row::{Arity, Command, Destruction, Evidence, Group, Keys, Role, Since, Subcommand};
pub use run::run_unknown;
pub use tally::Tally;
