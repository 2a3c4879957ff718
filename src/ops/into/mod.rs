//! Sending a data set, or what was recovered of one, to a running server, without stopping anything.
//!
//! Each key is created by RESTORE with the payload that DUMP of the server would return, and only if no key of its name
//! exists, unless the options say otherwise. The source is replayed shard by shard; what it holds is encoded on all
//! cores and sent in its order, with many requests in flight to each node. A run can be repeated: it skips what is in
//! the server already, and ends in the same data.
//!
//! - [`options`]: what is sent, and what becomes of keys that exist.
//! - `outgoing`: the keys of one shard, encoded.
//! - `target`: the server, and the rights of its user.
//! - `request`, `refusal`: the commands for a key, and the errors that refuse it.
//! - `send`: the nodes, and what follows from their replies; `build` and `unite`: requests of several steps.
//! - `together`: several keys in one transaction.
//! - `withdraw`: a key that a customer deleted in the same moment.
//! - `pace`: the speed.
//! - `read_back`: whether the server has what was sent.
//! - `tally`, [`report`]: what became of the keys.

mod build;
pub mod options;
mod outgoing;
mod pace;
mod read_back;
mod refusal;
pub mod report;
mod request;
mod run;
mod send;
mod tally;
mod target;
mod together;
mod unite;
mod withdraw;

pub use options::{ExistingKeys, IntoOptions, ReadBack, SendRate};
pub use report::IntoReport;
pub(crate) use run::merge_into;
pub use run::{compact_into, recover_into};
pub use tally::OutcomeCounts;
pub(crate) use tally::{NamedKey, OutcomesOfType};
