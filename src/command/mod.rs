//! What each command means: one row a command, one file a data type.
//!
//! The table holds every command that a server from Redis 4.0 to 8.2 or Valkey 7.2 to 9.1 knows,
//! whether it writes or not: a loader executes whatever a log holds, and a name that it does not
//! know stops it. Nothing else in the crate lists commands. The rows are compared with the servers'
//! own lists by `tests/servers/commands.rs`.
//!
//! [`lookup`] takes a name to its [`CommandId`], a dense number fit for an index, and
//! [`CommandId::row`] takes that to the [`Command`].

pub mod apply;
mod bitmap;
mod cluster;
mod connection;
mod expire;
mod expiry;
mod generic;
mod geo;
mod hash;
mod hll;
pub mod intact_ranges;
mod keys;
mod list;
mod lookup;
pub mod lost_expiry;
mod number;
mod plain;
mod position;
mod pubsub;
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

pub use apply::{Applied, Apply, Call, Context, Notes, Position, Unapplied};
pub use lookup::{lookup, lookup_prefix};
pub use row::{Arity, Command, Group, Keys, Role, Since, Subcommand};
pub use run::run_unknown;
pub use tally::Tally;
