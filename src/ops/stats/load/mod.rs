//! How long a server would load a log: a sample of it is loaded by the server, and the time is scaled to the whole.
//!
//! The sample ([`commands`], [`rdb`]) is small, and its mix of commands is nearly that of the log; what differs is corrected by
//! the usual cost of commands ([`cost`]). The server loads it in a scratch directory ([`measure`]).

mod commands;
mod cost;
mod estimate;
mod measure;
mod place;
mod rdb;

pub(super) use self::estimate::estimate;
