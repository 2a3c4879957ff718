//! A running server: connection, settings, and its log on this machine.
//!
//! - [`endpoint`], [`tls`], [`connection`], [`client`]: the address of the server, and the connection to it.
//! - [`pipeline`], [`cluster`]: many commands in flight, and the nodes of a cluster.
//! - [`running`], [`scan`], [`dump`]: reading the keys of a server or cluster.
//! - [`session`]: a run at one server, which the modules below take instead of its parts.
//! - [`info`], [`server`], [`replication`]: what the server reports about itself.
//! - [`settings`], [`journal`]: the settings that a run changes, and the record on disk that restores them.
//! - [`hold_journal`]: the settings that holds have changed, until they are released.
//! - [`files`]: the location of the server's log on this machine, and the lock on it; [`found_names`]: its names, where the
//!   server does not report them.
//! - [`rewrite`], [`snapshot`]: BGREWRITEAOF, and the log as it is at one moment.
//! - [`progress`]: progress reports of a run.

pub mod changed_settings;
pub mod client;
pub mod cluster;
pub mod connection;
pub(crate) mod dump;
pub mod endpoint;
pub mod files;
pub(crate) mod found_names;
pub(crate) mod hold_journal;
pub mod info;
pub mod journal;
pub mod pipeline;
pub mod progress;
pub mod replication;
pub mod rewrite;
pub(crate) mod running;
pub(crate) mod scan;
pub mod server;
pub mod session;
pub mod settings;
pub mod snapshot;
pub mod tls;
